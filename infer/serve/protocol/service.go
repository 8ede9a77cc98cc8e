package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/health"

	"moments/features"
	"moments/infer"
	"moments/infer/registry"
	"moments/infer/serve/fault"
	"moments/infer/serve/journeyjson"
)

// An Engine computes, within the limits of the server, which may share what
// comes from other doors. Goroutines share it.
type Engine interface {
	// Enter lets a request in, before anything is done for it; leave in the end.
	Enter() (leave func(), err error)

	// Format is how the journeys of a bundle are written.
	Format(m *registry.Model) (*journeyjson.Format, error)

	// Score scores journeys with a bundle, each at its cutoff, in their order.
	// What it returns is the caller's.
	Score(ctx context.Context, m *registry.Model, journeys []features.Journey, cutoffs []features.Cutoff) ([]infer.Score, error)

	// Do runs work when its turn comes, and returns what it returns. It may return
	// earlier when ctx ends.
	Do(ctx context.Context, work func() error) error
}

// read reads a request in its turn: a large one takes as long as scoring it.
func (s *Service) read(ctx context.Context, m *registry.Model, began time.Time, read func() (*request, error)) (r *request, err error) {
	var made *request
	err = s.Engine.Do(ctx, func() (err error) {
		made, err = read()
		return err
	})
	if err != nil {
		m.Stats.Add(registry.Request{Failed: true, Input: time.Since(began)})
		return nil, err
	}
	return made, nil
}

// ErrBusy is the error of an Engine that has more to do than it can: the client
// is told to come again.
var ErrBusy = errors.New("the server has more to do than it can")

// Options of a service.
type Options struct {
	Registry *registry.Registry
	Engine   Engine
	Version  string           // of the program
	Control  bool             // clients may load and unload models
	Now      func() time.Time // for tests; nil for the clock

	MaxBody   int64 // bytes of a request, decompressed; 0 for 64 MiB
	MaxRows   int   // journeys, or rows of a bundle, of a request; 0 for 10,000
	MaxEvents int   // of all journeys of a request; 0 for 100,000
}

// complete fills in the defaults.
func (o *Options) complete() {
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxRows == 0 {
		o.MaxRows = 10_000
	}
	if o.MaxEvents == 0 {
		o.MaxEvents = 100_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// DefaultMaxBody is the largest request by default, in bytes.
const DefaultMaxBody = 64 << 20

// A Service answers the protocol's requests. [Service.Handler] is its HTTP side,
// [Service.Register] its gRPC side.
type Service struct {
	Options
	ready      atomic.Bool
	health     *health.Server
	signatures sync.Map // *signature by model and version
	cached     atomic.Int64
	held       atomic.Int64 // bytes of bodies under way
}

// New returns a service that is live, and not ready before SetReady.
func New(o Options) *Service {
	o.complete()
	s := &Service{Options: o, health: health.NewServer()}
	s.SetReady(false)
	return s
}

// Ready is what clients are told.
func (s *Service) Ready() bool { return s.ready.Load() }

// statuses are those of errors that other packages made.
var statuses = fault.Table{
	{journeyjson.ErrTooLong, http.StatusRequestEntityTooLarge},
	{registry.ErrUnknown, http.StatusNotFound},
	{registry.ErrNotReady, http.StatusServiceUnavailable},
	{ErrBusy, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, http.StatusGatewayTimeout},
	{context.Canceled, fault.Closed},
}

// infer answers a request for an acquired model. The request's data may not
// change before it returns nil, or ever where it returns an error.
func (s *Service) infer(ctx context.Context, m *registry.Model, r *request, began time.Time) (*response, error) {
	computing := time.Now()
	outputs, rows, queued, err := s.compute(ctx, m, r)
	m.Stats.Add(registry.Request{
		Journeys: rows, Failed: err != nil,
		Queue: queued, Input: computing.Sub(began), Infer: time.Since(computing) - queued,
	})
	if err != nil {
		return nil, err
	}
	return &response{model: m.Name, version: m.Version, id: r.id, outputs: outputs}, nil
}

// compute returns the outputs that the request asks for, in its order.
func (s *Service) compute(ctx context.Context, m *registry.Model, r *request) (outputs []registry.Value, rows int, queued time.Duration, err error) {
	sig := s.signature(m)
	wanted, err := sig.wanted(r)
	if err != nil {
		return nil, 0, 0, fault.Wrong(err)
	}
	if m.Tensors != nil {
		return s.runTensors(ctx, m, r, wanted)
	}
	var scores []infer.Score
	if len(r.inputs) == 1 && r.inputs[0].Name == inputJourney {
		scores, err = s.scoreJourneys(ctx, m, &r.inputs[0])
	} else {
		scores, queued, err = s.scoreRows(ctx, m, sig, r)
	}
	if err != nil {
		return nil, len(scores), queued, err
	}
	for _, name := range wanted {
		outputs = append(outputs, scoreOutput(m.Bundle.Targets, name, scores))
	}
	return outputs, len(scores), queued, nil
}

// runTensors runs a bare ONNX model.
func (s *Service) runTensors(ctx context.Context, m *registry.Model, r *request, wanted []string) (outputs []registry.Value, rows int, queued time.Duration, err error) {
	in := make([]registry.Value, len(r.inputs))
	for i := range r.inputs {
		if r.inputs[i].nulls {
			return nil, 0, 0, fault.Wrong(fmt.Errorf("input %s has null, want numbers: an ONNX model has no missing values but NaN, sent as binary data", r.inputs[i].Name))
		}
		in[i] = r.inputs[i].Value
	}
	waiting := time.Now()
	err = s.Engine.Do(ctx, func() error {
		began := time.Now()
		queued = began.Sub(waiting)
		outputs, err = m.Tensors.Run(ctx, in, wanted...)
		m.Stats.AddBatch(rowsOf(in), time.Since(began))
		return err
	})
	if err != nil { // work may go on, and write what it captured
		return nil, 0, 0, err
	}
	return outputs, rowsOf(in), queued, nil
}

// rowsOf is the first dimension of the first input.
func rowsOf(in []registry.Value) int {
	if len(in) == 0 || len(in[0].Shape) == 0 {
		return 1
	}
	return int(in[0].Shape[0])
}
