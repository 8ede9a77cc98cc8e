package weights

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
)

// disk is what Save does to the file system, so that tests can make any step
// of it fail.
type disk interface {
	Mkdir(dir string) error
	Write(path string, raw []byte) error // a new file, on the disk when it returns
	Sync(dir string) error               // the folder's entries are on the disk when it returns
	Rename(from, to string) error
	Remove(dir string) error // with all it holds; nil when it is not there
}

type realDisk struct{}

func (realDisk) Mkdir(dir string) error       { return os.MkdirAll(dir, 0o755) }
func (realDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (realDisk) Remove(dir string) error      { return os.RemoveAll(dir) }

func (realDisk) Write(path string, raw []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, syncAndClose(f))
}

func (realDisk) Sync(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return syncAndClose(f)
}

func syncAndClose(f *os.File) error { return errors.Join(f.Sync(), f.Close()) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
