package weights

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// A full disk is an error that says so, and the old bundle stays. It needs the
// right to mount a small file system.
func TestSaveOnAFullDisk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=96k"); err != nil {
		t.Skipf("mounting a small tmpfs: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	}()
	dir := filepath.Join(mount, "test")
	if err := testBundle(t, 1).Save(dir); err != nil {
		t.Fatal(err)
	}
	big := testBundle(t, 2)
	big.Attachments["report.html"] = make([]byte, 100_000)
	if err := big.Save(dir); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got error %v, want %v", err, syscall.ENOSPC)
	}
	if got := number(t, dir); got != 1 {
		t.Errorf("left is bundle %d, want 1", got)
	}
	save(t, testBundle(t, 3), dir) // nothing of the failed save takes room
}
