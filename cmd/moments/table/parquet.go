package table

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// memoryLimit bounds what DuckDB keeps in memory; beyond it rows lie in a
// scratch database beside the file.
const memoryLimit = "512MB"

// flushRows is how many rows the appender gathers before it hands them on.
const flushRows = 1 << 16

// sqlTypes is the Parquet column of Type's table.
var sqlTypes = map[Type]string{
	Text: "VARCHAR", Integer: "BIGINT", Real: "DOUBLE", Single: "FLOAT", Time: "TIMESTAMP", JSON: "VARCHAR",
}

// A parquetEncoder appends rows to a table of a scratch database on disk; its
// close copies the table to the file in one pass.
type parquetEncoder struct {
	columns  []Column
	path     string // the temporary file that DuckDB overwrites
	scratch  string // folder of the database
	db       *duckdb.Connector
	conn     driver.Conn
	appender *duckdb.Appender
	row      []driver.Value
	pending  int
}

func newParquet(file *File, columns []Column) (encoder, error) {
	if file.direct {
		return nil, errors.New("is not a regular file, which Parquet needs; write .csv or .jsonl")
	}
	if err := distinct(columns, strings.ToLower); err != nil {
		return nil, fmt.Errorf("%w but for case, which DuckDB does not tell apart; write .csv or .jsonl", err)
	}
	e := &parquetEncoder{columns: columns, path: file.File.Name(), row: make([]driver.Value, len(columns))}
	if err := e.open(); err != nil {
		_ = e.close(false)
		return nil, err
	}
	return e, nil
}

func (e *parquetEncoder) open() (err error) {
	if e.scratch, err = os.MkdirTemp(filepath.Dir(e.path), ".parquet-*"); err != nil {
		return err
	}
	if e.db, err = duckdb.NewConnector(filepath.Join(e.scratch, "rows.db"), nil); err != nil {
		return err
	}
	if e.conn, err = e.db.Connect(context.Background()); err != nil {
		return err
	}
	definitions := make([]string, len(e.columns))
	for i, c := range e.columns {
		definitions[i] = quoteName(c.Name) + " " + sqlTypes[c.Type]
	}
	for _, statement := range []string{
		"SET memory_limit = '" + memoryLimit + "'",
		"CREATE TABLE rows (" + strings.Join(definitions, ", ") + ")",
	} {
		if err := e.exec(statement); err != nil {
			return err
		}
	}
	e.appender, err = duckdb.NewAppenderFromConn(e.conn, "", "rows")
	return err
}

func (e *parquetEncoder) exec(statement string) error {
	_, err := e.conn.(driver.ExecerContext).ExecContext(context.Background(), statement, nil)
	return err
}

func (e *parquetEncoder) encode(row []Cell) error {
	for i, cell := range row {
		e.row[i] = driverValue(e.columns[i].Type, cell)
	}
	if err := e.appender.AppendRow(e.row...); err != nil {
		return err
	}
	if e.pending++; e.pending < flushRows {
		return nil
	}
	e.pending = 0
	return e.appender.Flush()
}

func driverValue(t Type, cell Cell) driver.Value {
	if !cell.present {
		return nil
	}
	switch t {
	case Text, JSON:
		return cell.text
	case Integer:
		return cell.integer
	case Single:
		return float32(cell.real)
	case Time:
		return time.UnixMicro(cell.integer).UTC()
	}
	return cell.real
}

// close copies the rows out where keep says so, over the temporary file itself
// so that the file's handle stays good, and removes the scratch database in any
// case.
func (e *parquetEncoder) close(keep bool) error {
	var failed error
	if e.appender != nil {
		failed = e.appender.Close()
	}
	if keep && failed == nil {
		failed = e.exec(fmt.Sprintf("COPY rows TO '%s' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)", strings.ReplaceAll(e.path, "'", "''")))
	}
	if e.conn != nil {
		failed = errors.Join(failed, e.conn.Close())
	}
	if e.db != nil {
		failed = errors.Join(failed, e.db.Close())
	}
	if e.scratch != "" {
		failed = errors.Join(failed, os.RemoveAll(e.scratch))
	}
	return failed
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
