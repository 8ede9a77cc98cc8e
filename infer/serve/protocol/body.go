package protocol

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"moments/infer/serve/fault"
)

// bodies are buffers that are used again.
var bodies buffers

type buffers struct{ pool sync.Pool }

func (b *buffers) take() *bytes.Buffer {
	if buffer, ok := b.pool.Get().(*bytes.Buffer); ok {
		return buffer
	}
	return new(bytes.Buffer)
}

// maxKept is the largest buffer that is kept for later.
const maxKept = 1 << 20

func (b *buffers) give(buffer *bytes.Buffer) {
	if buffer.Cap() > maxKept {
		return
	}
	buffer.Reset()
	b.pool.Put(buffer)
}

// A body is a request's, with its share of the memory for all bodies.
type body struct {
	*bytes.Buffer
	service *Service
	from    io.Reader
	held    int64
}

// bodyBudget is how many of the largest bodies may be under way at once.
const bodyBudget = 4

// readBody reads a body of at most MaxBody bytes, and of as many after
// decompression. It takes memory as bytes come, whatever the client announces,
// and only within the budget for all bodies. Somebody has to end it.
func (s *Service) readBody(w http.ResponseWriter, r *http.Request) (*body, error) {
	if r.ContentLength > s.MaxBody {
		return nil, fmt.Errorf("protocol: %w", &http.MaxBytesError{Limit: s.MaxBody})
	}
	from, err := decompress(r.Header, http.MaxBytesReader(w, r.Body, s.MaxBody))
	if err != nil {
		return nil, err
	}
	b := &body{Buffer: bodies.take(), service: s, from: io.LimitReader(from, s.MaxBody+1)}
	read, err := b.Buffer.ReadFrom(holding{b})
	switch {
	case err != nil && statuses.Status(err) == http.StatusInternalServerError:
		err = fault.Wrong(fmt.Errorf("protocol: reading the body: %w", err))
	case err != nil:
		err = fmt.Errorf("protocol: reading the body: %w", err)
	case read > s.MaxBody:
		err = fmt.Errorf("protocol: decompressed, %w", &http.MaxBytesError{Limit: s.MaxBody})
	default:
		return b, nil
	}
	b.end(true)
	return nil, err
}

// holding reads a body and holds what it has read.
type holding struct{ *body }

// Read refuses what is beyond the budget. A buffer that grows has up to twice
// the size of what is in it.
func (h holding) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	h.held += 2 * int64(n)
	if h.service.held.Add(2*int64(n)) > bodyBudget*2*h.service.MaxBody {
		return n, ErrBusy
	}
	return n, err
}

// end gives the memory back; for use by others only where nothing holds a part
// of it.
func (b *body) end(reuse bool) {
	b.service.held.Add(-b.held)
	if reuse {
		bodies.give(b.Buffer)
	}
}

// decompress undoes what Content-Encoding names.
func decompress(header http.Header, body io.Reader) (io.Reader, error) {
	switch encoding := strings.ToLower(header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		return unzipped, fault.Wrong(err)
	case "deflate":
		return inflate(body)
	default:
		return nil, fault.New(http.StatusUnsupportedMediaType, fmt.Errorf("protocol: Content-Encoding is %q, want gzip, deflate or none", encoding))
	}
}

// inflate reads the zlib format, which the header means, and the bare stream
// that some clients send instead.
func inflate(body io.Reader) (io.Reader, error) {
	var head bytes.Buffer
	inflated, err := zlib.NewReader(io.TeeReader(body, &head))
	if errors.Is(err, zlib.ErrHeader) {
		return flate.NewReader(io.MultiReader(&head, body)), nil
	}
	return inflated, fault.Wrong(err)
}
