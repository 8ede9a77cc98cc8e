// Package serve answers requests for scores over HTTP and gRPC.
//
// Its own is the journey API, JSON below /v1: a journey comes in, its scores,
// reasons and moments go out; or events of a customer come in, the journey is
// kept, and its new scores go out. Beside it stands the Open Inference Protocol
// of package protocol. Scores are those of moments score, to the bit.
//
// A request costs no more than the server decides: how large it may be, how long
// it may take, how much is computed at once and how much may wait. Whoever finds
// the line full is told so at once, with status 503 and Retry-After. Nothing that
// a client sends ends the process, and nothing that it says about its customers
// is logged.
package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"moments/features"
	"moments/infer/customers"
	"moments/infer/registry"
	"moments/infer/serve/fault"
	"moments/infer/serve/openapi"
	"moments/infer/serve/protocol"
)

// Options of a server.
type Options struct {
	Registry  *registry.Registry
	Customers *customers.Store // nil: the server keeps no customers

	// Meaning reads off the task of a bundle where it cuts journeys, and in which
	// zone clocks are that name none.
	Meaning func(m *registry.Model) (features.CutoffRule, *time.Location, error)

	Listen string // address of the HTTP side; "" for 127.0.0.1:8080
	GRPC   string // address of the gRPC side; "" for none
	Pprof  string // address of the profiler's pages, which should be a local one; "" for none

	CertFile, KeyFile string // for TLS, on both sides; read again when they change
	TokenFile         string // of bearer tokens; see [Tokens]; read again when it changes

	MaxBody     int64 // bytes of a request, decompressed; 0 for 64 MiB
	MaxEvents   int   // of a request; 0 for 100,000
	MaxJourneys int   // of a request; 0 for 10,000

	Slots int // that compute at once; 0 for one a core
	Queue int // requests that may wait for a slot; 0 for 256
	Batch int // the most journeys that are scored together; 0 for 32, 1 for never

	Timeout time.Duration // of a request, from its first byte; 0 for 30 s
	Drain   time.Duration // that requests have to end when the server shuts down; 0 for 20 s

	Control   bool // clients may load and unload models
	AccessLog bool // log every request, rather than those that failed for a fault of the server
	Version   string
	Log       *slog.Logger     // nil for none
	Now       func() time.Time // for tests; nil for the clock
	Observer  Observer

	// Routes are further pages, by the pattern of an http.ServeMux. They need a
	// token where there are any.
	Routes map[string]http.Handler
}

// complete fills in the defaults and refuses what does not go together.
func (o *Options) complete() error {
	if o.Registry == nil || o.Meaning == nil {
		return errors.New("serve: options without a registry or without the meaning of tasks")
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return fmt.Errorf("serve: got certificate %q and key %q, want both or none", o.CertFile, o.KeyFile)
	}
	if o.MaxBody < 0 || o.MaxEvents < 0 || o.MaxJourneys < 0 || o.Slots < 0 || o.Queue < 0 || o.Batch < 0 || o.Timeout < 0 || o.Drain < 0 {
		return errors.New("serve: a limit below 0")
	}
	setDefault(&o.Listen, "127.0.0.1:8080")
	setDefault(&o.MaxBody, protocol.DefaultMaxBody)
	setDefault(&o.MaxEvents, 100_000)
	setDefault(&o.MaxJourneys, 10_000)
	setDefault(&o.Slots, runtime.GOMAXPROCS(0))
	setDefault(&o.Queue, 256)
	setDefault(&o.Batch, 32)
	setDefault(&o.Timeout, 30*time.Second)
	setDefault(&o.Drain, 20*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// A Server answers requests. Goroutines share it.
type Server struct {
	options  Options
	engine   *engine
	bodies   *bodies
	protocol *protocol.Service
	tokens   *tokenFile   // nil: everybody may ask
	pair     *certificate // nil: no TLS
	document []byte       // the OpenAPI document
	handler  http.Handler
	only     onlyModel
}

// New makes a server. It listens nowhere before Run.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Server{options: o, engine: newEngine(&o), bodies: newBodies(o.MaxBody)}
	s.protocol = protocol.New(protocol.Options{
		Registry: o.Registry, Engine: s.engine, Version: o.Version, Control: o.Control, Now: o.Now,
		MaxBody: o.MaxBody, MaxRows: o.MaxJourneys, MaxEvents: o.MaxEvents,
	})
	var err error
	if o.TokenFile != "" {
		if s.tokens, err = openTokens(o.TokenFile); err != nil {
			return nil, err
		}
	}
	if o.CertFile != "" {
		if s.pair, err = openCertificate(o.CertFile, o.KeyFile); err != nil {
			return nil, err
		}
	}
	if s.document, err = s.describe(); err != nil {
		return nil, err
	}
	s.handler = s.guard(s.mux())
	return s, nil
}

// Handler is the HTTP side: the journey API, the Open Inference Protocol and
// Options.Routes.
func (s *Server) Handler() http.Handler { return s.handler }

// A route of the journey API is its documentation and what answers it.
type route struct {
	openapi.Route
	answer func(w http.ResponseWriter, r *http.Request) error
}

// mux finds what answers a request.
func (s *Server) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.Method+" "+r.Path, s.answering(r.answer))
	}
	mux.Handle("/v2/", s.protocol.Handler())
	mux.Handle("/v2", s.protocol.Handler())
	for pattern, handler := range s.options.Routes {
		mux.Handle(pattern, handler)
	}
	mux.Handle("/v1/", s.answering(func(w http.ResponseWriter, r *http.Request) error {
		return fault.New(http.StatusNotFound, fmt.Errorf("serve: no %s %s here: see /openapi.json", r.Method, r.URL.Path))
	}))
	return mux
}

// answering writes an answer's error.
func (s *Server) answering(answer func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := answer(w, r); err != nil {
			s.writeError(w, r, err)
		}
	})
}
