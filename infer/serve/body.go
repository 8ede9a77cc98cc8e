package serve

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
	"unsafe"

	"moments/infer/serve/fault"
)

// bodies reads the bodies of requests within a budget of memory for all of
// them, so that many large or slow ones cannot take more than that.
type bodies struct {
	most   int64 // bytes of one
	budget int64 // bytes of all
	held   atomic.Int64
}

// newBodies lets four of the largest bodies be under way at once.
func newBodies(most int64) *bodies { return &bodies{most: most, budget: 4 * most} }

// read reads a JSON body whole. done gives its share of the budget back.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (text string, done func(), err error) {
	if err := wantJSON(r.Header.Get("Content-Type")); err != nil {
		return "", nil, err
	}
	if r.ContentLength > b.most {
		return "", nil, b.tooLarge()
	}
	in, expected := io.Reader(http.MaxBytesReader(w, r.Body, b.most)), r.ContentLength
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		if in, err = gzip.NewReader(in); err != nil {
			return "", nil, fault.Wrong(fmt.Errorf("serve: the body is not gzip: %w", err))
		}
		expected = 0
	default:
		return "", nil, fault.New(http.StatusUnsupportedMediaType, fmt.Errorf("serve: Content-Encoding is %q, want gzip or none", encoding))
	}
	held := int64(0)
	done = func() { b.held.Add(-held) }
	data, err := b.readAll(in, expected, &held)
	if err != nil {
		done()
		return "", nil, err
	}
	return unsafe.String(unsafe.SliceData(data), len(data)), done, nil // data is never written again
}

// wantJSON refuses other content types, such as the one that forms and curl have
// by default; a client may say nothing.
func wantJSON(contentType string) error {
	if contentType == "" || contentType == "application/json" {
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	charset := parameters["charset"]
	if err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fault.New(http.StatusUnsupportedMediaType, fmt.Errorf("serve: Content-Type is %q, want application/json", contentType))
	}
	return nil
}

// readAll takes memory as bytes come, whatever the client has announced.
func (b *bodies) readAll(in io.Reader, expected int64, held *int64) ([]byte, error) {
	const start = 4 << 10
	data := make([]byte, 0, min(max(expected+1, start), 16*start)) // one more shows the end without growing
	if err := b.hold(held, int64(cap(data))); err != nil {
		return nil, err
	}
	for {
		n, err := in.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > b.most:
			return nil, b.tooLarge()
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, b.broken(err)
		case len(data) < cap(data):
			continue
		}
		grown := min(2*int64(cap(data)), b.most+1)
		if expected > int64(cap(data)) {
			grown = min(grown, expected+1)
		}
		if err := b.hold(held, grown-int64(cap(data))); err != nil {
			return nil, err
		}
		data = append(make([]byte, 0, grown), data...)
	}
}

// hold takes bytes of the budget.
func (b *bodies) hold(held *int64, n int64) error {
	if b.held.Add(n) > b.budget {
		b.held.Add(-n)
		return errBusy
	}
	*held += n
	return nil
}

func (b *bodies) tooLarge() error {
	return fault.New(http.StatusRequestEntityTooLarge, fmt.Errorf("serve: the body has more than %d bytes", b.most))
}

// broken is the error of a body that ended early, or that is not what its
// encoding says.
func (b *bodies) broken(err error) error {
	var size *http.MaxBytesError
	if errors.As(err, &size) {
		return b.tooLarge()
	}
	return fault.Wrong(fmt.Errorf("serve: reading the body: %w", err))
}
