package datasets

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	duck "github.com/duckdb/duckdb-go-bindings"
)

// This file and appender.go are the only ones that talk to DuckDB. They use the bindings beneath
// the database/sql driver for one reason: they stream results chunk by chunk,
// while the driver materialises every result outside DuckDB's memory limit.
// The streaming calls are marked deprecated in DuckDB's C interface; the version
// of the bindings is pinned, and every test reads through them.

// An engine is one embedded DuckDB. Its tables live in memory up to a limit and
// are spilled to a folder beyond it, which measured a third faster than a
// database file and its write-ahead log.
type engine struct{ db duck.Database }

// engineConfig bounds what an engine may use.
type engineConfig struct {
	Spill   string // folder of what does not fit into memory
	Search  string // folder that relative paths inside SQL are read against
	Memory  int64  // bytes
	Threads int
}

func openEngine(c engineConfig) (*engine, error) {
	var config duck.Config
	if duck.CreateConfig(&config) == duck.StateError {
		return nil, errors.New("datasets: duckdb: cannot allocate a configuration")
	}
	defer duck.DestroyConfig(&config)
	settings := [][2]string{
		{"memory_limit", strconv.FormatInt(c.Memory>>10, 10) + "KiB"},
		{"threads", strconv.Itoa(c.Threads)},
		{"temp_directory", c.Spill},
		{"file_search_path", c.Search},
		{"preserve_insertion_order", "true"}, // rows must come in the order of their file
	}
	for _, s := range settings {
		if duck.SetConfig(config, s[0], s[1]) == duck.StateError {
			return nil, fmt.Errorf("datasets: duckdb refuses %s = %q", s[0], s[1])
		}
	}
	e, message := &engine{}, ""
	if duck.OpenExt(":memory:", &e.db, config, &message) == duck.StateError {
		return nil, fmt.Errorf("datasets: duckdb: %s", firstLine(message))
	}
	return e, nil
}

func (e *engine) close() { duck.Close(&e.db) }

// A session is one connection; one goroutine at a time.
type session struct{ conn duck.Connection }

func (e *engine) connect() (*session, error) {
	s := &session{}
	if duck.Connect(e.db, &s.conn) == duck.StateError {
		return nil, errors.New("datasets: duckdb: cannot connect")
	}
	return s, s.exec(context.Background(), "SET TimeZone = 'UTC'")
}

func (s *session) close() { duck.Disconnect(&s.conn) }

// interruptible stops the running query when ctx ends; call the returned
// function when the query is over.
func (s *session) interruptible(ctx context.Context) (done func()) {
	var once sync.Mutex
	over := false
	stop := context.AfterFunc(ctx, func() {
		once.Lock()
		defer once.Unlock()
		if !over {
			duck.Interrupt(s.conn)
		}
	})
	return func() {
		stop()
		once.Lock()
		over = true
		once.Unlock()
	}
}

// exec runs one statement and drops its result.
func (s *session) exec(ctx context.Context, query string) error {
	defer s.interruptible(ctx)()
	var result duck.Result
	defer duck.DestroyResult(&result)
	if duck.Query(s.conn, query, &result) == duck.StateError {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return duckError(duck.ResultError(&result))
	}
	return nil
}

// rows is a streaming result. Every column is read as DuckDB stores it: ask
// for VARCHAR and BLOB columns with text, for BIGINT ones with integer.
type rows struct {
	ctx     context.Context
	stmt    duck.PreparedStatement
	pending duck.PendingResult
	result  duck.Result
	chunk   duck.DataChunk
	done    func()
	size    int // rows in the chunk at hand
	data    []unsafe.Pointer
	valid   []unsafe.Pointer // nil: no NULL in the column
}

// query starts one statement and streams what it returns.
func (s *session) query(ctx context.Context, query string) (*rows, error) {
	r := &rows{ctx: ctx, done: s.interruptible(ctx)}
	if duck.Prepare(s.conn, query, &r.stmt) == duck.StateError {
		return nil, r.fail(duck.PrepareError(r.stmt))
	}
	if duck.PendingPreparedStreaming(r.stmt, &r.pending) == duck.StateError {
		return nil, r.fail(duck.PendingError(r.pending))
	}
	if duck.ExecutePending(r.pending, &r.result) == duck.StateError {
		return nil, r.fail(duck.ResultError(&r.result))
	}
	return r, nil
}

// fail closes the rows and explains why.
func (r *rows) fail(message string) error {
	defer r.close()
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return duckError(message)
}

func (r *rows) close() {
	r.done()
	duck.DestroyDataChunk(&r.chunk)
	duck.DestroyResult(&r.result)
	duck.DestroyPending(&r.pending)
	duck.DestroyPrepare(&r.stmt)
}

// next fetches the next chunk, of r.size rows; false at the end. Texts of the
// chunk before are no longer valid.
func (r *rows) next() (bool, error) {
	duck.DestroyDataChunk(&r.chunk)
	if err := context.Cause(r.ctx); err != nil {
		return false, err
	}
	if duck.StreamFetchChunk(r.result, &r.chunk) == duck.StateError {
		if r.ctx.Err() != nil {
			return false, context.Cause(r.ctx)
		}
		if message := duck.ResultError(&r.result); message != "" {
			return false, duckError(message)
		}
		return false, nil // a stream that is over has no chunk and no error
	}
	r.size = int(duck.DataChunkGetSize(r.chunk))
	r.data, r.valid = r.data[:0], r.valid[:0]
	for i := range duck.DataChunkGetColumnCount(r.chunk) {
		v := duck.DataChunkGetVector(r.chunk, i)
		r.data = append(r.data, duck.VectorGetData(v))
		r.valid = append(r.valid, duck.VectorGetValidity(v))
	}
	return r.size > 0, nil
}

// null reports whether a cell is NULL.
func (r *rows) null(column, row int) bool {
	if r.valid[column] == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(r.valid[column], row/64*8))
	return word&(1<<(row%64)) == 0
}

// text is a VARCHAR or BLOB cell, "" when NULL. It points into the chunk: clone
// what must outlive it.
func (r *rows) text(column, row int) string {
	if r.null(column, row) {
		return ""
	}
	// duckdb_string_t (duckdb.h): a 4-byte length, then up to 12 bytes in
	// place, or 4 bytes of prefix and a pointer.
	cell := unsafe.Add(r.data[column], row*16)
	length := *(*uint32)(cell)
	if length <= 12 {
		return unsafe.String((*byte)(unsafe.Add(cell, 4)), int(length))
	}
	return unsafe.String(*(**byte)(unsafe.Add(cell, 8)), int(length))
}

// integer is a BIGINT cell.
func (r *rows) integer(column, row int) int64 {
	return *(*int64)(unsafe.Add(r.data[column], row*8))
}

// strings runs a query and returns its VARCHAR cells, row by row.
func (s *session) strings(ctx context.Context, query string) ([][]string, error) {
	r, err := s.query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var out [][]string
	for {
		more, err := r.next()
		if err != nil || !more {
			return out, err
		}
		for i := range r.size {
			row := make([]string, len(r.data))
			for c := range row {
				row[c] = strings.Clone(r.text(c, i))
			}
			out = append(out, row)
		}
	}
}

// duckError keeps the first line of DuckDB's message: the rest is advice about
// options that a task file does not have.
func duckError(message string) error {
	return fmt.Errorf("duckdb: %s", firstLine(message))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}

// quoteName and quoteText write an identifier and a literal of SQL.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
