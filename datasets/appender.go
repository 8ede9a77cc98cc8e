package datasets

import (
	"unsafe"

	duck "github.com/duckdb/duckdb-go-bindings"
)

// An appender writes records to the table of the same name.
type appender struct {
	handle  duck.Appender
	chunk   duck.DataChunk
	columns [4]duck.Vector
	times   unsafe.Pointer
	seqs    unsafe.Pointer
	size    int
}

// recordTable is where every row of every source goes before it is sorted.
const recordTable = "CREATE TABLE records (customer VARCHAR, time BIGINT, seq BIGINT, body BLOB)"

func (s *session) appender() (*appender, error) {
	a := &appender{}
	if duck.AppenderCreateExt(s.conn, "", "", "records", &a.handle) == duck.StateError {
		return nil, a.fail()
	}
	types := []duck.LogicalType{
		duck.CreateLogicalType(duck.TypeVarchar), duck.CreateLogicalType(duck.TypeBigInt),
		duck.CreateLogicalType(duck.TypeBigInt), duck.CreateLogicalType(duck.TypeBlob),
	}
	a.chunk = duck.CreateDataChunk(types)
	for i := range types {
		duck.DestroyLogicalType(&types[i])
	}
	a.rewind()
	return a, nil
}

func (a *appender) rewind() {
	a.size = 0
	duck.DataChunkReset(a.chunk)
	for i := range a.columns {
		a.columns[i] = duck.DataChunkGetVector(a.chunk, duck.IdxT(i))
	}
	a.times, a.seqs = duck.VectorGetData(a.columns[1]), duck.VectorGetData(a.columns[2])
}

// add appends one record; the chunk copies customer and body.
func (a *appender) add(customer string, time, seq int64, body []byte) error {
	duck.VectorAssignStringElement(a.columns[0], duck.IdxT(a.size), customer)
	*(*int64)(unsafe.Add(a.times, a.size*8)) = time
	*(*int64)(unsafe.Add(a.seqs, a.size*8)) = seq
	duck.VectorAssignStringElementLen(a.columns[3], duck.IdxT(a.size), body)
	if a.size++; a.size < int(duck.VectorSize()) {
		return nil
	}
	return a.flush()
}

func (a *appender) flush() error {
	duck.DataChunkSetSize(a.chunk, duck.IdxT(a.size))
	if duck.AppendDataChunk(a.handle, a.chunk) == duck.StateError {
		return a.fail()
	}
	a.rewind()
	return nil
}

// close writes what is left and releases the appender.
func (a *appender) close() error {
	err := a.flush()
	if err == nil && duck.AppenderFlush(a.handle) == duck.StateError {
		err = a.fail()
	}
	duck.AppenderDestroy(&a.handle)
	duck.DestroyDataChunk(&a.chunk)
	return err
}

func (a *appender) fail() error { return duckError(duck.AppenderError(a.handle)) }
