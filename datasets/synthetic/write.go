package synthetic

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The files that Write makes, besides the events file, whose name ends in
// [Config.Format]: events.csv, events.csv.gz or events.jsonl.
const (
	ProfilesFile = "profiles.csv"        // customer and the profile fields of Layout; empty cells are missing
	LabelsFile   = "labels.csv"          // customer, cutoff, conversion, churn: 1 or 0
	TruthFile    = "truth.json"          // a Summary
	TruthsFile   = "truth_customers.csv" // a Truth in one row a customer: the columns of headers
	TaskFile     = "task.yaml"           // reads the files above, the truth excepted
)

// Write makes the base in the folder, which is created if need be, and returns
// the planted truth about it. Files are written under other names first and
// renamed together at the end: a failed or cancelled run leaves the former
// files as they were. Memory does not grow with the number of customers.
func Write(ctx context.Context, c Config, folder string) (*Summary, error) {
	w, err := newWorld(c)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("synthetic: %w", err)
	}
	out := newOutput(folder, c.Format)
	summary, err := w.write(ctx, out)
	if err == nil {
		err = out.commit()
	}
	if err != nil {
		out.discard()
		return nil, fmt.Errorf("synthetic: writing to %s: %w", folder, err)
	}
	return summary, nil
}

// write streams all files, in the order of the customers.
func (w *world) write(ctx context.Context, out *output) (*Summary, error) {
	var files [tables]io.Writer
	for i, name := range out.tableNames() {
		files[i] = out.create(name)
	}
	for i, header := range headers(w.config.Format) {
		io.WriteString(files[i], header) // the writers of output keep the first error
	}
	total := w.newSummarizer()
	for b := range w.blocks(ctx) {
		for i, f := range files {
			f.Write(b.text[i])
		}
		total.merge(b.tally)
		if out.err != nil {
			return nil, out.err
		}
		b.release()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	summary := total.summary()
	text, err := json.MarshalIndent(summary, "", "  ")
	if err != nil {
		return nil, err
	}
	out.create(TruthFile).Write(append(text, '\n'))
	io.WriteString(out.create(TaskFile), taskText(w.config))
	return summary, out.err
}

// An output is a set of files that appear together.
type output struct {
	folder, format string
	names          []string
	closers        []func() error
	err            error // the first one of any file
}

const partial = ".partial"

func newOutput(folder, format string) *output { return &output{folder: folder, format: format} }

func (o *output) tableNames() [tables]string {
	return [tables]string{EventsFile(o.format), ProfilesFile, LabelsFile, TruthsFile}
}

// EventsFile is the name of the events file in that format.
func EventsFile(format string) string { return "events." + format }

// create opens a file for writing; its errors are kept in o.err.
func (o *output) create(name string) io.Writer {
	path := filepath.Join(o.folder, name+partial)
	f, err := os.Create(path)
	if err != nil {
		o.fail(err)
		return io.Discard
	}
	o.names = append(o.names, name)
	buffer := bufio.NewWriterSize(f, 1<<18)
	o.closers = append(o.closers, func() error { return errors.Join(buffer.Flush(), f.Sync(), f.Close()) })
	var w io.Writer = buffer
	if filepath.Ext(name) == ".gz" {
		z, err := gzip.NewWriterLevel(buffer, gzip.BestSpeed)
		o.fail(err)
		w = z
		flush := o.closers[len(o.closers)-1]
		o.closers[len(o.closers)-1] = func() error { return errors.Join(z.Close(), flush()) }
	}
	return &keeper{o, w}
}

func (o *output) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// A keeper keeps the first error of a writer, so that loops of writes need no checks.
type keeper struct {
	o *output
	w io.Writer
}

func (k *keeper) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	k.o.fail(err)
	return n, err
}

// close closes all files once.
func (o *output) close() error {
	for _, c := range o.closers {
		o.fail(c())
	}
	o.closers = nil
	return o.err
}

// commit closes the files and gives them their names.
func (o *output) commit() error {
	if err := o.close(); err != nil {
		return err
	}
	for _, name := range o.names {
		path := filepath.Join(o.folder, name)
		if err := os.Rename(path+partial, path); err != nil {
			return err
		}
	}
	return nil
}

// discard removes what was begun.
func (o *output) discard() {
	o.close()
	for _, name := range o.names {
		os.Remove(filepath.Join(o.folder, name+partial))
	}
}
