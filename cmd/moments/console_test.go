package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLogLines(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(nil, &out, false, "text")
	c.log.With("run", 7).WithGroup("net").Info("trained", "loss", 0.123456789, "name", "a b", "took", time.Second, "none", "")
	c.log.Warn("careful")
	want := []string{`trained run=7 net.loss=0.1235 net.name="a b" net.took=1s net.none=""`, "warn: careful"}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if clock, rest, _ := strings.Cut(line, " "); rest != want[i] || len(clock) != len("15:04:05") {
			t.Errorf("line %d: got %q, want the time and %q", i, line, want[i])
		}
	}
}

func TestLogJSON(t *testing.T) {
	r := runArgs("--log-format", "json", "init", "nowhere.csv")
	var record struct{ Level, Msg string }
	if err := json.Unmarshal([]byte(r.stderr), &record); err != nil || record.Level != "ERROR" || !strings.Contains(record.Msg, "nowhere.csv") {
		t.Errorf("got %q (%v), want one JSON object", r.stderr, err)
	}
}

// TestBarAndLines draws a bar as on a terminal, and logs through it.
func TestBarAndLines(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(nil, &out, false, "text")
	c.screen.terminal = true
	s := c.stage("scoring", 10)
	s.set(3)
	c.log.Info("half way")
	s.end()
	c.log.Info("done")
	if !strings.Contains(out.String(), "scoring") {
		t.Errorf("no bar was drawn: %q", out.String())
	}
	for _, line := range []string{"half way", "done"} {
		before, _, found := strings.Cut(out.String(), line)
		if start := strings.LastIndexByte(before, '\r'); !found || strings.Contains(before[start+1:], "scoring") {
			t.Errorf("%q is not on a line of its own: %q", line, out.String())
		}
	}
	if c.screen.bar != nil {
		t.Error("the bar stays on the screen")
	}
}

func TestQuietShowsNoBar(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(nil, &out, true, "text")
	c.screen.terminal = true
	s := c.stage("scoring", 10)
	s.add()
	s.end()
	c.log.Info("done")
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", out.String())
	}
}

func TestExitCodes(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"nothing":                      {nil, exitDone},
		"a fault of the program":       {errors.New("x"), exitFailed},
		"wrong data":                   {wrongf("x"), exitWrong},
		"wrong data, wrapped":          {fmt.Errorf("train: %w", wrongf("x")), exitWrong},
		"no such file":                 {fmt.Errorf("x: %w", os.ErrNotExist), exitWrong},
		"interrupted":                  {context.Canceled, exitFailed},
		"interrupted while reading":    {wrong(fmt.Errorf("x: %w", context.Canceled)), exitFailed},
		"disk full":                    {full, exitFailed},
		"disk full while reading":      {wrong(fmt.Errorf("datasets: %w", full)), exitFailed},
		"disk full, says the database": {wrong(errors.New("IO Error: No space left on device")), exitFailed},
		"wrapping nothing":             {wrong(nil), exitDone},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}
