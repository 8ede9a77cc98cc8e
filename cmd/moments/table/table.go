// Package table writes rows to a file as CSV, JSON Lines or Parquet, chosen by
// the file's ending. Rows are streamed, so memory does not grow with their
// number, and the file appears under its name only when it is whole: until
// Commit the rows lie in a temporary neighbour, which Abort removes.
//
// The package reads nothing and knows nothing about what the rows mean.
package table

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"
)

// Type says what a column holds.
type Type uint8

const (
	Text    Type = iota // UTF-8
	Integer             // int64
	Real                // float64; NaN is missing
	Single              // float32 precision, written with as few digits as tell it apart; NaN is missing
	Time                // microseconds since the Unix epoch, UTC; ISO 8601 in CSV and JSON, TIMESTAMP in Parquet
	JSON                // a JSON document: nested in JSON Lines, text elsewhere
)

// A Column is one column of the file.
type Column struct {
	Name string
	Type Type
}

// A Cell is one value of a row. The zero Cell is missing.
type Cell struct {
	present bool
	text    string
	integer int64
	real    float64
}

// String is a cell of a Text column.
func String(s string) Cell { return Cell{present: true, text: s} }

// Int is a cell of an Integer or Time column.
func Int(i int64) Cell { return Cell{present: true, integer: i} }

// Float is a cell of a Real or Single column; NaN is a missing cell.
func Float(x float64) Cell { return Cell{present: !math.IsNaN(x), real: x} }

// Document is a cell of a JSON column; it must be valid JSON.
func Document(json []byte) Cell { return Cell{present: true, text: string(json)} }

// A Writer writes rows to one file. It is used by one goroutine.
type Writer struct {
	columns []Column
	encoder encoder
	file    *File
	rows    int
}

// An encoder is one file format. Its close writes what is left to the file's
// temporary path; it is called once, also when the file is given up.
type encoder interface {
	encode(row []Cell) error
	close(keep bool) error
}

// formats is the table of file endings.
var formats = map[string]func(file *File, columns []Column) (encoder, error){
	".csv":     newCSV,
	".jsonl":   newLines,
	".parquet": newParquet,
}

// Create starts a file of the format that its ending names: .csv, .jsonl or
// .parquet. The file's folder must exist.
func Create(path string, columns []Column) (*Writer, error) {
	format, err := formatOf(path)
	if err != nil {
		return nil, err
	}
	if err := distinct(columns, func(name string) string { return name }); err != nil {
		return nil, fmt.Errorf("table: %s: %w", path, err)
	}
	file, err := CreateFile(path)
	if err != nil {
		return nil, err
	}
	encoder, err := format(file, columns)
	if err != nil {
		file.Abort()
		return nil, fmt.Errorf("table: %s: %w", path, err)
	}
	return &Writer{columns: columns, encoder: encoder, file: file}, nil
}

// Check reports whether Create knows the format of path and finds its folder,
// so that a command can refuse a wrong path before it works for an hour.
func Check(path string) error {
	if _, err := formatOf(path); err != nil {
		return err
	}
	return CheckFile(path)
}

func formatOf(path string) (func(*File, []Column) (encoder, error), error) {
	ending := strings.ToLower(filepath.Ext(path))
	format, ok := formats[ending]
	if !ok {
		return nil, fmt.Errorf("table: %s ends in %q, want .csv, .jsonl or .parquet", path, ending)
	}
	return format, nil
}

// distinct refuses names that would overwrite one another once folded.
func distinct(columns []Column, fold func(string) string) error {
	seen := map[string]string{}
	for _, c := range columns {
		key := fold(c.Name)
		if other, ok := seen[key]; ok {
			return fmt.Errorf("columns %q and %q have the same name", other, c.Name)
		}
		seen[key] = c.Name
	}
	return nil
}

// Write adds a row. The slice may be reused afterwards.
func (w *Writer) Write(row []Cell) error {
	if len(row) != len(w.columns) {
		return fmt.Errorf("table: %s: row %d has %d cells, want %d", w.file.Name(), w.rows+1, len(row), len(w.columns))
	}
	if err := w.encoder.encode(row); err != nil {
		return fmt.Errorf("table: %s: row %d: %w", w.file.Name(), w.rows+1, err)
	}
	w.rows++
	return nil
}

// Rows is the number of rows written so far.
func (w *Writer) Rows() int { return w.rows }

// Commit writes what is left and gives the file its name.
func (w *Writer) Commit() error {
	if err := w.encoder.close(true); err != nil {
		w.file.Abort()
		return fmt.Errorf("table: %s: %w", w.file.Name(), err)
	}
	return w.file.Commit()
}

// Abort gives the file up and leaves an older one of its name as it was. After
// Commit it does nothing, so it may be deferred.
func (w *Writer) Abort() {
	if w.file.done {
		return
	}
	// The error that made the caller give up is the one worth reporting.
	_ = w.encoder.close(false)
	w.file.Abort()
}

// micros formats a Time cell.
func micros(t int64) string {
	return time.UnixMicro(t).UTC().Format("2006-01-02T15:04:05.999999Z")
}

// writeAll is io.Writer.Write for encoders that assemble a row at a time.
func writeAll(w io.Writer, row []byte) error {
	_, err := w.Write(row)
	return err
}
