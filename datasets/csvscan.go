package datasets

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// DuckDB's CSV reader lists lines of the wrong shape, but a record that is
// longer than its buffer vanishes without a word: one quote that is opened and
// never closed can swallow the rest of a file. So every CSV file is scanned
// here before it is read. The scan also finds line ends of two kinds, which the
// reader refuses with a message about its state machine.

// maxRecord is the longest record of a CSV file, in bytes; DuckDB's own limit.
const maxRecord = 2_000_000

// csvBuffer is DuckDB's buffer for a CSV file: records below maxRecord fit, and
// those a little above are listed as too long.
const csvBuffer = 8 << 20

// openText opens a text file that may be gzipped.
func openText(file string) (io.ReadCloser, error) {
	f, err := os.Open(file)
	if err != nil || !strings.HasSuffix(strings.ToLower(file), ".gz") {
		return f, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("is not gzip: %w", err)
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

// headerLine is the first line of a text file.
func headerLine(file string) (string, error) {
	f, err := openText(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 1<<20)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return "", err
	}
	line := strings.TrimPrefix(string(head[:n]), "\ufeff")
	if end := strings.IndexAny(line, "\r\n"); end >= 0 {
		line = line[:end]
	}
	if strings.TrimSpace(line) == "" {
		return "", errors.New("has no header line")
	}
	return line, nil
}

// csvState is where the scan of a CSV file stands.
type csvState uint8

const (
	fieldStart csvState = iota // a quote here opens a quoted field
	inField
	inQuotes
	afterQuote // the quote just read closes the field, unless another follows
)

// A csvScan is a pass over the bytes of a CSV file.
type csvScan struct {
	delimiter byte
	state     csvState
	line      int64 // physical lines before the byte at hand
	begin     int64 // the line that the record begins on
	length    int64 // bytes of the record so far
	records   int64
	blanks    bool // blank lines are records
	returned  bool // the last byte was a carriage return outside quotes
	ends      [3]int64
}

// Line ends, in the order of csvScan.ends.
const (
	lf = iota
	crlf
	cr
)

// scanCSV checks what DuckDB would not report and counts the records, the header
// among them. A blank line is no record, but in a file of one column it is a
// missing value.
func scanCSV(file string, delimiter rune, columns int) (records int64, err error) {
	f, err := openText(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s := &csvScan{delimiter: byte(delimiter), blanks: columns == 1}
	r := bufio.NewReaderSize(f, 1<<18)
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return s.finish()
		} else if err != nil {
			return 0, err
		}
		chunk, _ := r.Peek(r.Buffered())
		for _, b := range chunk {
			s.next(b)
		}
		if s.length > maxRecord {
			return 0, fmt.Errorf("line %d begins a record of more than %d bytes: is a quote opened there and never closed?", s.begin+1, maxRecord)
		}
		r.Discard(len(chunk)) // what is buffered can always be discarded
	}
}

// next takes one byte. Quotes are doubled to escape them (RFC 4180).
func (s *csvScan) next(b byte) {
	if s.returned {
		s.returned = false
		if b == '\n' {
			s.ends[crlf]++
			return
		}
		s.ends[cr]++
	}
	s.length++
	switch {
	case s.state == inQuotes:
		if b == '"' {
			s.state = afterQuote
		} else if b == '\n' {
			s.line++
		}
	case b == '\n':
		s.ends[lf]++
		s.length--
		s.endRecord()
	case b == '\r':
		s.returned = true
		s.length--
		s.endRecord()
	case b == s.delimiter:
		s.state = fieldStart
	case b == '"' && (s.state == fieldStart || s.state == afterQuote):
		s.state = inQuotes
	default:
		s.state = inField
	}
}

func (s *csvScan) endRecord() {
	if s.length > 0 || s.blanks {
		s.records++
	}
	s.line++
	s.begin, s.length, s.state = s.line, 0, fieldStart
}

// finish judges the whole file.
func (s *csvScan) finish() (records int64, err error) {
	if s.length > 0 {
		s.records++ // a record without a line end
	}
	if s.returned {
		s.ends[cr]++
	}
	kinds := 0
	for _, n := range s.ends {
		if n > 0 {
			kinds++
		}
	}
	if kinds > 1 {
		return 0, fmt.Errorf("has line ends of several kinds: %d \\n, %d \\r\\n and %d \\r; want one kind, as dos2unix makes it", s.ends[lf], s.ends[crlf], s.ends[cr])
	}
	return s.records, nil
}
