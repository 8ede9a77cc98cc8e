package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk saves to a file system of a few pages, mounted in a name space
// of the process's own.
func TestFullDisk(t *testing.T) {
	folder := trainedFolder(t)
	task, bundle := filepath.Join(folder, "task.yaml"), filepath.Join(folder, "bundle")
	for name, args := range map[string][]string{
		"train":            {"train", task, "-o", "/bundle"},
		"score to CSV":     {"score", bundle, "-o", "/scores.csv"},
		"score to Parquet": {"score", bundle, "-o", "/scores.parquet"},
		"features":         {"features", task, "-o", "/features.csv"},
	} {
		disk := t.TempDir()
		args[len(args)-1] = disk + args[len(args)-1]
		program := asCommand(t, args...)
		script := fmt.Sprintf(`mount -t tmpfs -o size=16k none %q || exit 77; "$0" "$@"; code=$?; ls -A %q | grep -v checkpoint >&2; exit $code`, disk, disk)
		program.Args = append([]string{"sh", "-c", script}, program.Args...)
		program.Path = "/bin/sh"
		program.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		var logs bytes.Buffer
		program.Stderr = &logs
		err := program.Run()
		code := program.ProcessState.ExitCode()
		if program.ProcessState == nil || code == 77 {
			t.Skipf("this machine mounts no file system for tests: %v", err)
		}
		if code != exitFailed || !strings.Contains(strings.ToLower(logs.String()), "no space left on device") {
			t.Errorf("%s: exit code %d, want 1 and the cause:\n%s", name, code, logs.String())
		}
		lines := strings.Split(strings.TrimSpace(logs.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(strings.ToLower(last), "no space") {
			t.Errorf("%s left %s on the disk", name, last)
		}
	}
}
