package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"

	"moments/infer/customers"
	"moments/infer/registry"
	"moments/infer/serve/fault"
	"moments/infer/serve/journeyjson"
	"moments/infer/serve/protocol"
	"moments/infer/serve/queue"
)

// statuses are those of errors that other packages made.
var statuses = fault.Table{
	{journeyjson.ErrTooLong, http.StatusRequestEntityTooLarge},
	{registry.ErrUnknown, http.StatusNotFound},
	{registry.ErrNotReady, http.StatusServiceUnavailable},
	{protocol.ErrBusy, http.StatusServiceUnavailable},
	{customers.ErrInvalid, http.StatusBadRequest},
	{customers.ErrUnknown, http.StatusNotFound},
	{customers.ErrLate, http.StatusConflict},
	{customers.ErrTooLong, http.StatusRequestEntityTooLarge},
	{customers.ErrFull, http.StatusInsufficientStorage},
	{customers.ErrClosed, http.StatusServiceUnavailable},
	{context.Canceled, fault.Closed},
	{context.DeadlineExceeded, http.StatusServiceUnavailable},
	{os.ErrDeadlineExceeded, http.StatusRequestTimeout},
}

// writeError tells the client, and the log where the fault is the server's.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	status := statuses.Status(err)
	message := err.Error()
	switch status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
		if errors.Is(err, context.DeadlineExceeded) {
			message = fmt.Sprintf("serve: the request took longer than %s", s.options.Timeout)
		}
	case http.StatusInternalServerError:
		attributes := []any{"route", r.Pattern, "error", message}
		var p *queue.Panic
		if errors.As(err, &p) {
			attributes = append(attributes, "stack", string(p.Stack))
			message = "serve: a fault of the program: see its log"
		}
		s.options.Log.Error("a request failed", attributes...)
	}
	s.writeJSON(w, status, ErrorResponse{message})
}

func (s *Server) writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		s.options.Log.Error("an answer has no JSON", "error", err.Error())
		status, text = http.StatusInternalServerError, []byte(`{"error":"serve: a fault of the program: see its log"}`)
	}
	write(w, status, text)
}

// write sends JSON. A client that went away need not be told.
func write(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

var jsonType = []string{"application/json"}

// A scratch is memory that answering one request takes and the next uses again.
type scratch struct {
	decoder journeyjson.Decoder
	request journeyjson.Request
	text    []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// takeScratch takes memory with the server's limits.
func (s *Server) takeScratch() *scratch {
	x := scratches.Get().(*scratch)
	x.decoder.MaxEvents, x.decoder.MaxJourneys = s.options.MaxEvents, s.options.MaxJourneys
	return x
}

// giveScratch keeps memory for later, unless it is much. What has been decoded
// into it is no longer valid.
func giveScratch(x *scratch) {
	const most = 1 << 20
	if x.decoder.Size() > most || cap(x.text) > most || cap(x.request.Journeys) > 1000 {
		return
	}
	x.decoder.Reset()
	clear(x.request.Journeys[:cap(x.request.Journeys)])
	scratches.Put(x)
}

// queryOf reads the query of a request, which may have the named parameters
// once each.
func queryOf(r *http.Request, names ...string) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.Wrong(fmt.Errorf("serve: the query: %w", err))
	}
	for name, values := range query {
		if !slices.Contains(names, name) || len(values) > 1 {
			return nil, fault.Wrong(fmt.Errorf("serve: query %s given %d times, want each of %q once at most", name, len(values), names))
		}
	}
	return query, nil
}
