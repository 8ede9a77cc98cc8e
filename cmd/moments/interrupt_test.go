package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A trigger calls a function the first time that what is written holds a text.
type trigger struct {
	text string
	call func()
	done bool
}

func (g *trigger) Write(p []byte) (int, error) {
	if !g.done && bytes.Contains(p, []byte(g.text)) {
		g.done = true
		g.call()
	}
	return len(p), nil
}

// TestInterruptedTrainingResumes stops training between two networks and goes
// on: the bundle must be the one that an undisturbed run makes.
func TestInterruptedTrainingResumes(t *testing.T) {
	folder := journeyFolder(t)
	task, bundle, straight := filepath.Join(folder, "task.yaml"), filepath.Join(folder, "bundle"), filepath.Join(folder, "straight")
	mustRun(t, "train", task, "-o", straight)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := runWith(ctx, &trigger{text: "network=classifier-0", call: cancel}, "train", task, "-o", bundle)
	if r.code != exitFailed || !strings.Contains(r.stderr, "--resume") {
		t.Fatalf("interrupted: exit code %d, want 1 and how to go on:\n%s", r.code, r.stderr)
	}
	if _, err := os.Stat(bundle); err == nil {
		t.Error("an interrupted run left a bundle")
	}
	mustRun(t, "train", task, "-o", bundle, "--resume")
	for _, file := range []string{"classifier-0.safetensors", "classifier-1.safetensors", "denoiser.safetensors", "schema.json"} {
		if read(t, filepath.Join(bundle, file)) != read(t, filepath.Join(straight, file)) {
			t.Errorf("%s differs from that of an undisturbed run", file)
		}
	}
}

// TestInterruptedCommandsLeaveNothing interrupts every verb that writes.
func TestInterruptedCommandsLeaveNothing(t *testing.T) {
	folder := journeyFolder(t)
	task := filepath.Join(folder, "task.yaml")
	bundle := filepath.Join(trainedFolder(t), "bundle")
	for name, test := range map[string]struct {
		at   string // the log line that Ctrl-C follows
		args []string
	}{
		"evaluate": {"encoded the examples", []string{"evaluate", task, "--folds", "2", "--json", "out.json", "--predictions", "out.csv"}},
		"features": {"read the data", []string{"features", task, "-o", "out.parquet"}},
		"score":    {"data quality", []string{"score", bundle, "-o", "out.parquet"}},
	} {
		out := t.TempDir()
		args := append([]string{}, test.args...)
		for i, arg := range args {
			if strings.HasPrefix(arg, "out.") {
				args[i] = filepath.Join(out, arg)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		r := runWith(ctx, &trigger{text: test.at, call: cancel}, args...)
		cancel()
		if r.code != exitFailed || !strings.Contains(r.stderr, "interrupted") {
			t.Errorf("%s: exit code %d, want 1 and a word about it:\n%s", name, r.code, r.stderr)
		}
		if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
			t.Errorf("%s left %v (%v)", name, left, err)
		}
	}
}

// interruptAt starts a program, sends it the signal that Ctrl-C sends once its
// log has the text, and checks that it ends with code 1 and a word about it.
func interruptAt(t *testing.T, program *exec.Cmd, text string) {
	t.Helper()
	logs, err := program.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		fmt.Fprintln(&seen, lines.Text())
		if strings.Contains(lines.Text(), text) {
			if err := program.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	program.Wait()
	if code := program.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(seen.String(), "interrupted") {
		t.Errorf("exit code %d, want 1:\n%s", code, seen.String())
	}
}

// TestCtrlC sends the program the signal that Ctrl-C sends.
func TestCtrlC(t *testing.T) {
	folder := journeyFolder(t)
	write(t, filepath.Join(folder, "task.yaml"), strings.Replace(journeyTask, "epochs: 3, patience: 3", "epochs: 100000, patience: 100000", 1))
	bundle := filepath.Join(folder, "bundle")
	program := asCommand(t, "train", filepath.Join(folder, "task.yaml"), "-o", bundle)
	interruptAt(t, program, "encoded the examples")
	if _, err := os.Stat(bundle); err == nil {
		t.Error("Ctrl-C left a bundle")
	}
}

// asCommand is the program as a process of its own.
func asCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := exec.Command(self, args...)
	program.Env = append(os.Environ(), asProgram+"=1")
	return program
}
