package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // the work could not be done: interrupted, disk full, a fault of the program
	exitWrong  = 2 // the usage or the data is wrong; the same command will fail again
)

// wrongError marks an error that lies with what the user gave: flags, a task,
// a data file, a bundle.
type wrongError struct{ error }

func (e wrongError) Unwrap() error { return e.error }

// wrong marks the error of a step that fails only for what the user gave it,
// save for the causes that exitCode looks for first.
func wrong(err error) error {
	if err == nil {
		return nil
	}
	return wrongError{err}
}

// wrongf is wrong with a message.
func wrongf(format string, args ...any) error { return wrong(fmt.Errorf(format, args...)) }

// machineFaults are causes that no change of flags or data mends.
var machineFaults = []error{
	context.Canceled, context.DeadlineExceeded,
	syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EFBIG, syscall.EMFILE, syscall.ENOMEM,
}

// exitCode classifies an error. A fault of the machine counts as failed even
// within a step marked wrong; so does the database's own account of one, which
// reaches us as text.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	for _, fault := range machineFaults {
		if errors.Is(err, fault) {
			return exitFailed
		}
	}
	if strings.Contains(err.Error(), syscall.ENOSPC.Error()) || strings.Contains(err.Error(), "No space left on device") {
		return exitFailed
	}
	var marked wrongError
	if errors.As(err, &marked) || errors.Is(err, fs.ErrNotExist) {
		return exitWrong
	}
	return exitFailed
}

// describe is the error as the log tells it.
func describe(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted; no half-written file was left"
	}
	return err.Error()
}
