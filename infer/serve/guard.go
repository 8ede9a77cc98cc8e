package serve

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"moments/infer/serve/fault"
	"moments/infer/serve/queue"
)

// guard stands before everything: it asks for a token, sets the request's time
// limit, and hears what came of it.
func (s *Server) guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next) // a page of another site may not make a browser send requests
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		if active := s.options.Observer.Active; active != nil {
			active(1)
			defer active(-1)
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.options.Timeout)
		defer cancel()
		heard := &hearing{ResponseWriter: w}
		r = r.WithContext(ctx)
		client, ok := s.allow(r)
		defer func() {
			if p := recover(); p != nil {
				s.failed(heard, r, p)
			}
			s.heard(r, heard, client, time.Since(began))
		}()
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.writeError(heard, r, fault.New(http.StatusUnauthorized, errNoToken))
			return
		}
		next.ServeHTTP(heard, r)
	})
}

// failed answers a request whose handler panicked.
func (s *Server) failed(w *hearing, r *http.Request, p any) {
	if p == http.ErrAbortHandler {
		panic(p) // how a handler asks to drop the connection
	}
	if w.status == 0 {
		s.writeError(w, r, &queue.Panic{Value: p, Stack: debug.Stack()})
		return
	}
	s.options.Log.Error("a request failed while it was answered", "route", r.Pattern, "error", fmt.Sprint(p), "stack", string(debug.Stack()))
	panic(http.ErrAbortHandler)
}

// A hearing remembers what was answered.
type hearing struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the status.
func (h *hearing) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
	h.ResponseWriter.WriteHeader(status)
}

// Write counts bytes.
func (h *hearing) Write(b []byte) (int, error) {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	n, err := h.ResponseWriter.Write(b)
	h.bytes += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (h *hearing) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// heard tells metrics and the access log. The log has the route's pattern and
// not the path, which names customers, and no address of the client.
func (s *Server) heard(r *http.Request, w *hearing, client string, took time.Duration) {
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	s.told(r.Pattern, status, client, r.ContentLength, w.bytes, took)
}

// told tells of one request of either side.
func (s *Server) told(route string, status int, client string, in, out int64, took time.Duration) {
	if route == "" {
		route = "none"
	}
	if s.options.Observer.Request != nil {
		s.options.Observer.Request(route, status, took)
	}
	if s.options.AccessLog {
		s.options.Log.LogAttrs(context.Background(), slog.LevelInfo, "request",
			slog.String("route", route), slog.Int("status", status), slog.String("client", client),
			slog.Int64("bytes_in", in), slog.Int64("bytes_out", out), slog.Float64("milliseconds", float64(took.Microseconds())/1000))
	}
}
