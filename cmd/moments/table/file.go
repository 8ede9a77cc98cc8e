package table

import (
	"fmt"
	"os"
	"path/filepath"
)

// A File appears under its name only when it is whole. Its bytes go to a
// temporary neighbour; Commit flushes that to the disk and renames it. A name
// that is a device or a pipe, such as /dev/stdout, is written to directly.
type File struct {
	*os.File // the temporary file
	name     string
	direct   bool
	done     bool
}

// CheckFile reports whether the folder of a file is there and no folder has its
// name.
func CheckFile(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("table: cannot create %s: it is a folder, want a file", name)
	}
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		return fmt.Errorf("table: cannot create %s: %w", name, err)
	}
	return nil
}

// CreateFile starts a file.
func CreateFile(name string) (*File, error) {
	if err := CheckFile(name); err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return openDirect(name)
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".tmp-*")
	if err != nil {
		return nil, fmt.Errorf("table: cannot create %s: %w", name, err)
	}
	return &File{File: temporary, name: name}, nil
}

func openDirect(name string) (*File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("table: cannot open %s: %w", name, err)
	}
	return &File{File: f, name: name, direct: true}, nil
}

// Name is the name that the file will have, not that of the temporary file.
func (f *File) Name() string { return f.name }

// Commit gives the file its name. When it fails the temporary file is gone and
// an older file of that name is as it was.
func (f *File) Commit() error {
	if err := f.commit(); err != nil {
		f.Abort()
		return fmt.Errorf("table: cannot save %s: %w", f.name, err)
	}
	f.done = true
	return nil
}

func (f *File) commit() error {
	if f.direct {
		return f.Close()
	}
	// CreateTemp makes files only their owner can read; results are for the team.
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.File.Name(), f.name)
}

// Abort removes the temporary file. After Commit it does nothing.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.Close()
	if !f.direct {
		os.Remove(f.File.Name())
	}
}

// WriteFile writes data to name in one piece: all of it or none.
func WriteFile(name string, data []byte) error {
	f, err := CreateFile(name)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return fmt.Errorf("table: cannot write %s: %w", name, err)
	}
	return f.Commit()
}
