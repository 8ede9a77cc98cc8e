// Package fault gives errors the status that a client gets, that of HTTP: gRPC's
// codes follow from it.
package fault

import (
	"errors"
	"net/http"
)

// Closed is what access logs call the status of a client that went away.
const Closed = 499

// A fault is an error with its status.
type fault struct {
	status int
	err    error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// New gives an error a status; nil stays nil.
func New(status int, err error) error {
	if err == nil {
		return nil
	}
	return &fault{status, err}
}

// Wrong marks the error of a request that will fail again: status 400.
func Wrong(err error) error { return New(http.StatusBadRequest, err) }

// A Table has the statuses of errors that other packages made.
type Table []struct {
	Err    error
	Status int
}

// Status is the first of the table that an error is, or else the one that it was
// given, or else 500. A body that was cut at its limit has 413.
func (t Table) Status(err error) int {
	for _, known := range t {
		if errors.Is(err, known.Err) {
			return known.Status
		}
	}
	var f *fault
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &size):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &f):
		return f.status
	}
	return http.StatusInternalServerError
}
