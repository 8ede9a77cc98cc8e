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

// readBody reads a body of at most MaxBody bytes, and of as many after
// decompression. It takes memory as bytes come, whatever the client announces.
func (s *Service) readBody(w http.ResponseWriter, r *http.Request) (*bytes.Buffer, error) {
	if r.ContentLength > s.MaxBody {
		return nil, fmt.Errorf("protocol: %w", &http.MaxBytesError{Limit: s.MaxBody})
	}
	body, err := decompress(r.Header, http.MaxBytesReader(w, r.Body, s.MaxBody))
	if err != nil {
		return nil, err
	}
	buffer := bodies.take()
	read, err := buffer.ReadFrom(io.LimitReader(body, s.MaxBody+1))
	switch {
	case err != nil && statusOf(err) == http.StatusInternalServerError:
		return nil, wrong(fmt.Errorf("protocol: reading the body: %w", err))
	case err != nil:
		return nil, fmt.Errorf("protocol: reading the body: %w", err)
	case read > s.MaxBody:
		return nil, fmt.Errorf("protocol: decompressed, %w", &http.MaxBytesError{Limit: s.MaxBody})
	}
	return buffer, nil
}

// decompress undoes what Content-Encoding names.
func decompress(header http.Header, body io.Reader) (io.Reader, error) {
	switch encoding := strings.ToLower(header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		return unzipped, wrong(err)
	case "deflate":
		return inflate(body)
	default:
		return nil, &fault{http.StatusUnsupportedMediaType, fmt.Errorf("protocol: Content-Encoding is %q, want gzip, deflate or none", encoding)}
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
	return inflated, wrong(err)
}
