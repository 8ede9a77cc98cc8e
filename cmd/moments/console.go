package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// everyLine is how often progress is logged where there is no terminal.
const everyLine = 10 * time.Second

// A console is how a verb speaks: results to out, everything else to log and
// progress.
type console struct {
	out     io.Writer
	log     *slog.Logger
	screen  *screen
	quiet   bool
	machine bool   // the log is JSON
	library string // of ONNX Runtime; "" to look for it
}

func newConsole(stdout, stderr io.Writer, quiet bool, format string) *console {
	s := &screen{out: stderr, terminal: isTerminal(stderr)}
	level := slog.LevelInfo
	if quiet {
		level = slog.LevelWarn
	}
	var handler slog.Handler = newLineHandler(s, level)
	if format == "json" {
		handler = slog.NewJSONHandler(s, &slog.HandlerOptions{Level: level})
	}
	return &console{out: stdout, log: slog.New(handler), screen: s, quiet: quiet, machine: format == "json"}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printf writes to standard output.
func (c *console) printf(format string, args ...any) { fmt.Fprintf(c.out, format, args...) }

// printJSON writes a result to standard output for machines.
func (c *console) printJSON(result any) error {
	encoder := json.NewEncoder(c.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

// close takes the progress bar off the screen.
func (c *console) close() { c.screen.show(nil) }

// A stage is one countable piece of work being shown: a bar on a terminal, a
// log line now and then elsewhere.
type stage struct {
	console *console
	name    string
	total   int64 // 0: not known
	done    int64
	bar     *progressbar.ProgressBar
	started time.Time
	logged  time.Time
}

// stage starts to show a piece of work of total units, 0 when their number is
// not known.
func (c *console) stage(name string, total int64) *stage {
	now := time.Now()
	s := &stage{console: c, name: name, total: total, started: now, logged: now}
	if c.screen.terminal && !c.quiet {
		length := total
		if length == 0 {
			length = -1 // a spinner
		}
		s.bar = progressbar.NewOptions64(length, progressbar.OptionSetWriter(c.screen.out),
			progressbar.OptionSetDescription(name), progressbar.OptionSetWidth(30), progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		c.screen.show(s.bar)
	}
	return s
}

// set says how far the work is. The attributes go with a log line.
func (s *stage) set(done int64, attributes ...any) {
	s.done = done
	if s.bar != nil {
		s.console.screen.set(s.bar, done)
		return
	}
	if now := time.Now(); now.Sub(s.logged) >= everyLine {
		s.logged = now
		s.console.log.Info(s.name, append([]any{"done", done, "of", s.total}, attributes...)...)
	}
}

// add says that one more unit is done.
func (s *stage) add() { s.set(s.done + 1) }

// end takes the stage off the screen and returns how long it took.
func (s *stage) end() time.Duration {
	if s.bar != nil {
		s.console.screen.show(nil)
	}
	return time.Since(s.started)
}
