package serve

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
	"weak"

	"moments/features"
	"moments/infer"
	"moments/infer/registry"
	"moments/infer/serve/journeyjson"
	"moments/infer/serve/protocol"
	"moments/infer/serve/queue"
)

// An Observer hears what the server does, for metrics; nil members hear
// nothing. It is called while the customer waits.
type Observer struct {
	Active  func(n float64)                                                  // 1 when a request begins, -1 when it ends
	Request func(route string, status int, took time.Duration)               // route is the pattern of the path
	Waited  func(d time.Duration)                                            // in line, a request for scores
	Batch   func(journeys int, took time.Duration)                           // scored together
	Scored  func(m *registry.Model, j *features.Journey, score *infer.Score) // j is nil where it is not at hand; nothing may be kept
}

// Lines are what the server computes and what waits for it, by kind of work.
func (s *Server) Lines() map[string]queue.State {
	return map[string]queue.State{"scores": s.engine.scoring.state(), "explanations": s.engine.explaining.state(), "customers": s.engine.storing.state()}
}

// errBusy is what a client is told that finds the line full.
var errBusy = fmt.Errorf("serve: %w: come again in a second", protocol.ErrBusy)

// An engine computes, in turn. Explanations, which take long, stand in a line of
// their own, so that they take at most half of the cores and nobody who wants a
// score waits behind them; and so does what may wait for the disk, which would
// leave cores idle.
type engine struct {
	options                      *Options
	scores                       *queue.Queue[batchWork]
	scoring, explaining, storing line
	formats                      sync.Map // *journeyjson.Format by weak.Pointer[registry.Model]
}

// A line is where requests of one kind wait for what is done for them.
type line struct {
	door  *queue.Door
	do    func(ctx context.Context, work func() error) error // in its turn
	state func() queue.State
}

// enter lets a request in, before anything is read of it.
func (l *line) enter() error {
	if l.door.Enter() != nil {
		return errBusy
	}
	return nil
}

// newLine makes a line of which every item is done alone.
func newLine(slots, limit int) line {
	q := queue.New[func() error](queue.Options{Slots: slots, Limit: limit})
	return line{&q.Door, func(ctx context.Context, work func() error) error {
		item := &queue.Item[func() error]{Work: work, Units: 1}
		return q.Do(ctx, item, func(batch []*queue.Item[func() error]) { batch[0].Err = batch[0].Work() })
	}, q.State}
}

// A batchWork is a request's share of a batch: journeys, or anything else.
type batchWork struct {
	model    *registry.Model
	journeys []features.Journey
	cutoffs  []features.Cutoff
	scores   []infer.Score
	other    func() error
}

func newEngine(o *Options) *engine {
	e := &engine{options: o}
	e.scores = queue.New[batchWork](queue.Options{Slots: o.Slots, Limit: o.Queue, Batch: o.Batch})
	e.scoring = line{&e.scores.Door, e.Do, e.scores.State}
	e.explaining, e.storing = newLine(max(1, o.Slots/2), o.Queue), newLine(8*o.Slots, o.Queue)
	return e
}

// Format is how the journeys of a bundle are written.
func (e *engine) Format(m *registry.Model) (*journeyjson.Format, error) {
	key := weak.Make(m)
	if f, ok := e.formats.Load(key); ok {
		return f.(*journeyjson.Format), nil
	}
	rule, zone, err := e.options.Meaning(m)
	if err != nil {
		return nil, fmt.Errorf("serve: the task of model %s: %w", m.Name, err)
	}
	f := journeyjson.New(m.Bundle.Schema, rule, zone)
	if _, known := e.formats.LoadOrStore(key, f); !known {
		runtime.AddCleanup(m, func(key weak.Pointer[registry.Model]) { e.formats.Delete(key) }, key)
	}
	return f, nil
}

// Score scores journeys without reasons; see [protocol.Engine].
func (e *engine) Score(ctx context.Context, m *registry.Model, journeys []features.Journey, cutoffs []features.Cutoff) ([]infer.Score, error) {
	scores, _, err := e.score(ctx, m, m.Scorer, journeys, cutoffs)
	return scores, err
}

// chunk is the number of journeys after which a request lets others have their
// turn.
const chunk = 64

// score scores journeys, and says how long they waited in line.
func (e *engine) score(ctx context.Context, m *registry.Model, scorer *infer.Scorer, journeys []features.Journey, cutoffs []features.Cutoff) ([]infer.Score, time.Duration, error) {
	var all []infer.Score
	waited := time.Duration(0)
	for from := 0; from < len(journeys); from += chunk {
		to := min(from+chunk, len(journeys))
		item := &queue.Item[batchWork]{
			Work: batchWork{model: m, journeys: journeys[from:to], cutoffs: cutoffs[from:to]},
			Kind: scorer, Units: to - from,
		}
		if err := e.scores.Do(ctx, item, func(batch []*queue.Item[batchWork]) { e.run(scorer, batch) }); err != nil {
			return nil, waited, err
		}
		waited += item.Waited
		if all == nil {
			all = item.Work.scores
		} else {
			all = append(all, item.Work.scores...)
		}
	}
	for i := range all {
		e.scored(m, &journeys[i], cutoffs[i], &all[i])
	}
	return all, waited, nil
}

// scored tells a shadow and the metrics.
func (e *engine) scored(m *registry.Model, j *features.Journey, c features.Cutoff, s *infer.Score) {
	e.options.Registry.Mirror(m, j, c, s)
	if e.options.Observer.Scored != nil {
		e.options.Observer.Scored(m, j, s)
	}
}

// run scores a batch. Where it fails and is of several requests, each is scored
// alone, so that one cannot fail another.
func (e *engine) run(scorer *infer.Scorer, batch []*queue.Item[batchWork]) {
	if batch[0].Work.other != nil {
		batch[0].Err = batch[0].Work.other()
		return
	}
	began := time.Now()
	first := &batch[0].Work
	journeys, cutoffs := first.journeys, first.cutoffs
	if len(batch) > 1 {
		journeys, cutoffs = nil, nil
		for _, item := range batch {
			journeys, cutoffs = append(journeys, item.Work.journeys...), append(cutoffs, item.Work.cutoffs...)
		}
	}
	scores, err := scorer.ScoreJourneys(journeys, cutoffs)
	if err != nil && len(batch) > 1 {
		for i := range batch {
			e.run(scorer, batch[i:i+1])
		}
		return
	}
	took := time.Since(began)
	first.model.Stats.AddBatch(len(journeys), took)
	if o := &e.options.Observer; o.Batch != nil {
		o.Batch(len(journeys), took)
	}
	for _, item := range batch {
		if o := &e.options.Observer; o.Waited != nil {
			o.Waited(item.Waited)
		}
	}
	for _, item := range batch {
		if item.Err = err; err == nil {
			n := len(item.Work.journeys)
			item.Work.scores, scores = scores[:n:n], scores[n:]
		}
	}
}

// Enter lets a request in that is to be scored; see [protocol.Engine].
func (e *engine) Enter() (leave func(), err error) {
	if err := e.scoring.enter(); err != nil {
		return nil, err
	}
	return e.scoring.door.Leave, nil
}

// Do runs other work in its turn; see [protocol.Engine].
func (e *engine) Do(ctx context.Context, work func() error) error {
	item := &queue.Item[batchWork]{Work: batchWork{other: work}, Units: 1}
	return e.scores.Do(ctx, item, func(batch []*queue.Item[batchWork]) { e.run(nil, batch) })
}
