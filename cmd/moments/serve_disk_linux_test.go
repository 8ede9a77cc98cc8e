package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServeOnAFullDisk fills the file system below a server's state: clients are
// told, reads go on, and so do appends as soon as there is room.
func TestServeOnAFullDisk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("mounting a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := serveProgram(t, filepath.Join(mount, "state"))
	stored := appendUntil(t, s, http.StatusOK, 0)
	fillFile(t, filepath.Join(mount, "others"))
	for status := http.StatusOK; status == http.StatusOK; stored++ {
		if status, _ = s.ask("POST", "/v1/customers/ada/events", wideEvent(stored)); status != http.StatusOK && status != http.StatusInsufficientStorage {
			t.Fatalf("on a full disk: status %d, want %d", status, http.StatusInsufficientStorage)
		}
	}
	stored-- // the last was refused
	status, answer := s.ask("GET", "/v1/customers/ada", "")
	if status != http.StatusOK || fmt.Sprint(answer["events"]) != fmt.Sprint(stored) {
		t.Errorf("reading on a full disk: status %d, %v, want %d events", status, answer, stored)
	}
	if status, _ := s.ask("POST", "/v1/score", `{"events": []}`); status != http.StatusOK {
		t.Errorf("scoring on a full disk: status %d", status)
	}
	if err := os.Remove(filepath.Join(mount, "others")); err != nil {
		t.Fatal(err)
	}
	stored = appendUntil(t, s, http.StatusInsufficientStorage, stored)
	s.kill()
	s = serveProgram(t, filepath.Join(mount, "state"))
	if _, answer := s.ask("GET", "/v1/customers/ada", ""); fmt.Sprint(answer["events"]) != fmt.Sprint(stored) {
		t.Errorf("after a new start: %v, want %d events", answer, stored)
	}
}

// appendUntil appends one event, again as long as the answer is the given
// status, and returns how many events there are then.
func appendUntil(t *testing.T, s *serving, again, stored int) int {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		status, answer := s.ask("POST", "/v1/customers/ada/events", wideEvent(stored))
		if status == http.StatusOK {
			return stored + 1
		}
		if status != again || time.Now().After(deadline) {
			t.Fatalf("status %d, %v", status, answer)
		}
	}
}

// wideEvent takes much room in a log.
func wideEvent(i int) string {
	return fmt.Sprintf(`{"events": [{"time": %d, "type": %q}]}`, 1735974000+i, strings.Repeat("x", 60_000))
}

// fillFile writes until there is no room.
func fillFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
