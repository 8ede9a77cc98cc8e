package table

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A textEncoder assembles each row in one buffer and hands it to a buffered
// writer: the CSV and the JSON Lines format.
type textEncoder struct {
	columns []Column
	out     *bufio.Writer
	row     []byte
	names   [][]byte // JSON Lines: each column's name, quoted, with its colon
	append  func(e *textEncoder, row []Cell) error
}

// newCSV writes RFC 4180 with a header; a missing cell is empty.
func newCSV(file *File, columns []Column) (encoder, error) {
	e := &textEncoder{columns: columns, out: bufio.NewWriterSize(file, 1<<16), append: appendCSV}
	for i, c := range columns {
		if i > 0 {
			e.row = append(e.row, ',')
		}
		e.row = appendField(e.row, c.Name)
	}
	e.row = append(e.row, '\n')
	return e, writeAll(e.out, e.row)
}

// newLines writes one JSON object a line; a missing cell is null.
func newLines(file *File, columns []Column) (encoder, error) {
	e := &textEncoder{columns: columns, out: bufio.NewWriterSize(file, 1<<16), append: appendLine}
	for _, c := range columns {
		name, err := json.Marshal(c.Name)
		if err != nil {
			return nil, err
		}
		e.names = append(e.names, append(name, ':'))
	}
	return e, nil
}

func (e *textEncoder) encode(row []Cell) error {
	e.row = e.row[:0]
	if err := e.append(e, row); err != nil {
		return err
	}
	return writeAll(e.out, e.row)
}

func (e *textEncoder) close(keep bool) error {
	if !keep {
		return nil
	}
	return e.out.Flush()
}

func appendCSV(e *textEncoder, row []Cell) error {
	for i, cell := range row {
		if i > 0 {
			e.row = append(e.row, ',')
		}
		if !cell.present {
			continue
		}
		switch t := e.columns[i].Type; t {
		case Text, JSON:
			e.row = appendField(e.row, cell.text)
		case Time:
			e.row = append(e.row, micros(cell.integer)...)
		default:
			e.row = appendNumber(e.row, t, cell)
		}
	}
	e.row = append(e.row, '\n')
	return nil
}

// appendField quotes s where a CSV reader would else misread it.
func appendField(row []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(row, s...)
	}
	row = append(row, '"')
	row = append(row, strings.ReplaceAll(s, `"`, `""`)...)
	return append(row, '"')
}

func appendLine(e *textEncoder, row []Cell) error {
	e.row = append(e.row, '{')
	for i, cell := range row {
		if i > 0 {
			e.row = append(e.row, ',')
		}
		e.row = append(e.row, e.names[i]...)
		if err := e.appendJSON(e.columns[i], cell); err != nil {
			return err
		}
	}
	e.row = append(e.row, '}', '\n')
	return nil
}

func (e *textEncoder) appendJSON(c Column, cell Cell) error {
	if !cell.present {
		e.row = append(e.row, "null"...)
		return nil
	}
	switch c.Type {
	case JSON:
		e.row = append(e.row, cell.text...)
	case Text:
		quoted, err := json.Marshal(cell.text)
		if err != nil {
			return err
		}
		e.row = append(e.row, quoted...)
	case Time:
		e.row = append(e.row, '"')
		e.row = append(e.row, micros(cell.integer)...)
		e.row = append(e.row, '"')
	default:
		if math.IsInf(cell.real, 0) {
			return fmt.Errorf("column %s is %g, which JSON cannot hold; write .csv or .parquet", c.Name, cell.real)
		}
		e.row = appendNumber(e.row, c.Type, cell)
	}
	return nil
}

func appendNumber(row []byte, t Type, cell Cell) []byte {
	switch t {
	case Integer:
		return strconv.AppendInt(row, cell.integer, 10)
	case Single:
		return strconv.AppendFloat(row, cell.real, 'g', -1, 32)
	}
	return strconv.AppendFloat(row, cell.real, 'g', -1, 64)
}
