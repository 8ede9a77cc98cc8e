package main

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/schollz/progressbar/v3"
)

// A screen is standard error shared by log lines and at most one progress bar:
// a line is written above the bar, not through it.
type screen struct {
	terminal bool

	mutex sync.Mutex
	out   io.Writer
	bar   *progressbar.ProgressBar // nil: none
}

// Write writes whole lines. Errors of drawing the bar are dropped: a terminal
// that is gone must not end the work.
func (s *screen) Write(line []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.bar == nil {
		return s.out.Write(line)
	}
	_ = s.bar.Clear()
	n, err := s.out.Write(line)
	_ = s.bar.RenderBlank()
	return n, err
}

// show replaces the bar; nil takes it away.
func (s *screen) show(bar *progressbar.ProgressBar) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	s.bar = bar
}

func (s *screen) set(bar *progressbar.ProgressBar, done int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_ = bar.Set64(done)
}

// A lineHandler writes log records for people: the time of day, the level
// where it is not the usual one, the message, and key=value pairs.
type lineHandler struct {
	out   io.Writer
	level slog.Level
	attrs string // those of With, as text
	group string // the prefix that WithGroup gives to keys
}

func newLineHandler(out io.Writer, level slog.Level) slog.Handler {
	return &lineHandler{out: out, level: level}
}

func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *lineHandler) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	line.WriteString(record.Time.Format("15:04:05 "))
	if record.Level != slog.LevelInfo {
		line.WriteString(strings.ToLower(record.Level.String()) + ": ")
	}
	line.WriteString(record.Message)
	line.WriteString(h.attrs)
	record.Attrs(func(a slog.Attr) bool {
		line.WriteString(h.pair(a))
		return true
	})
	line.WriteByte('\n')
	_, err := io.WriteString(h.out, line.String())
	return err
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attrs {
		with.attrs += h.pair(a)
	}
	return &with
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.group += name + "."
	return &with
}

func (h *lineHandler) pair(a slog.Attr) string {
	value := a.Value.Resolve().String()
	if a.Value.Kind() == slog.KindFloat64 {
		value = strconv.FormatFloat(a.Value.Float64(), 'g', 4, 64)
	}
	if strings.ContainsAny(value, " \"\n") || value == "" {
		value = strconv.Quote(value)
	}
	return " " + h.group + a.Key + "=" + value
}
