package infer

import (
	"fmt"
	"math"
	"slices"

	"moments/features"
)

// ExplainOptions choose what an [Explanation] holds. The zero value takes away
// each of the last 256 events.
type ExplainOptions struct {
	Last      int // the last events that are taken away one by one; 0 for 256
	Course    int // the last events after which the journey is scored, at least Last; 0 for 4096
	Shapley   int // permutations of the cross-check by Shapley values; 0 for none
	Gradients int // points of the cross-check by integrated gradients; 0 for none
	Next      int // events suggested; 0 for none

	Alone bool // tell what each event says by itself
}

// Defaults of ExplainOptions.
const (
	defaultLast   = 256
	defaultCourse = 4096
)

// An Explanation is the course of one journey's score and what each event did
// to it: the moments of truth are the events of the largest impacts. All
// probabilities are those of the bundle's calibrated blend, in the order of
// Targets.
//
// An impact says what the networks would predict had the event not happened and
// all else gone on as it did. What would have come of it in truth only a
// randomised test can say.
type Explanation struct {
	Customer string
	Cutoff   int64     // microseconds since the Unix epoch
	Targets  []string  // names
	Start    []float32 // probabilities before the first event, at its time; at the cutoff where there is none
	Final    []float32 // probabilities at the cutoff
	Events   []EventMoment
	Next     []Suggestion // by falling likelihood; empty unless asked for, and after no event
}

// An EventMoment is one event of an explained journey.
type EventMoment struct {
	Time   int64 // microseconds since the Unix epoch
	Type   string
	Values []features.Value // in the layout of the journey's events; the caller's

	// After are the probabilities right after the event, by target; nil before
	// the last ExplainOptions.Course events.
	After []float32

	// Impact is what the event did to the final probability, by target, in
	// probability (0.05 is five points): Final minus what it would be at the
	// cutoff without the event, gaps between the others measured anew. When and by
	// what the journey began stays as it was where that is the event (see
	// [features.Encoder.Begin]). NaN where the event was not taken away, before the
	// last ExplainOptions.Last.
	Impact []float64

	// Alone is what the event does to the probability where none of the other last
	// events happened, by target. Where events say the same, taking one of them
	// away changes little, and each of them has a large effect alone. Nil unless
	// asked for.
	Alone []float64

	// Shapley is the mean effect of the event over orders in which the last
	// events come into the journey, by target: a cross-check of Impact that shares
	// out what events do together. All of them add up to Final minus the
	// probability without any of the last events. Nil unless asked for.
	Shapley []float64

	// Gradient is the event's integrated gradient through the networks that
	// follow events, by target and in the blend's probability; what the event
	// means to the aggregates, which other networks read, it does not see. Nil
	// unless asked for.
	Gradient []float64
}

// A Suggestion is an event that may come next, and what it would do. It is what
// the networks expect of journeys in which that event came next, not what
// making it happen would cause.
type Suggestion struct {
	Type       string
	Likelihood float64 // that the next event is of this type, among all types

	// Probability is what would be predicted at the cutoff, by target, if the
	// event happened there, with the values of the journey's last event of the
	// type, or without values where it has none.
	Probability []float32
}

// Explain scores a journey after each of its events and without each of them.
// The events that are taken away are the last o.Last; with n of them the cost is
// about that of scoring 2n rows and walking n²/2 events, all of them batched;
// each of the o.Shapley orders costs as much again, and each of the o.Gradients
// points half.
func (s *Scorer) Explain(j *features.Journey, c features.Cutoff, o ExplainOptions) (*Explanation, error) {
	if err := o.complete(s); err != nil {
		return nil, err
	}
	w := s.workers.Get().(*worker)
	defer s.workers.Put(w)
	return w.explain(j, c, o)
}

// explain explains one journey; the options are complete.
func (w *worker) explain(j *features.Journey, c features.Cutoff, o ExplainOptions) (e *Explanation, err error) {
	err = w.explainWith(j, c, o, func(x *explainer) (err error) {
		e, err = x.run()
		return err
	})
	return e, err
}

// explainWith hands out what explains a journey.
func (w *worker) explainWith(j *features.Journey, c features.Cutoff, o ExplainOptions, do func(*explainer) error) error {
	if err := checkJourney(j, c, &w.bundle.Layout); err != nil {
		return err
	}
	if w.err != nil {
		return w.err
	}
	x := &explainer{worker: w, journey: j, events: j.Events[:c.Events], cutoff: c, options: o, variants: w.newVariants()}
	if err := do(x); err != nil {
		return fmt.Errorf("%w (customer %q)", err, j.Customer)
	}
	return nil
}

// complete fills in the defaults and refuses what the bundle cannot answer.
func (o *ExplainOptions) complete(s *Scorer) error {
	switch {
	case o.Last < 0 || o.Course < 0 || o.Shapley < 0 || o.Gradients < 0 || o.Next < 0:
		return fmt.Errorf("infer: options to explain %+v, want none below 0", *o)
	case s.blend == nil:
		return fmt.Errorf("infer: bundle %s has no targets to explain", s.bundle.Name)
	case o.Gradients > 0 && len(s.following) == 0:
		return fmt.Errorf("infer: bundle %s has no network in its blend that follows events: there is no gradient to take", s.bundle.Name)
	case o.Gradients > 0 && o.Last >= followedEvents:
		return fmt.Errorf("infer: gradients of the last %d events, want at most %d", o.Last, followedEvents-1)
	case o.Next > 0 && len(s.foretelling) == 0:
		return fmt.Errorf("infer: bundle %s has no network that foretells events: none can be suggested", s.bundle.Name)
	}
	if o.Last == 0 {
		o.Last = defaultLast
	}
	if o.Course == 0 {
		o.Course = defaultCourse
	}
	o.Course = max(o.Course, o.Last)
	return nil
}

// An explainer is one call of Explain.
type explainer struct {
	*worker
	journey *features.Journey
	events  []features.Event // up to the cutoff
	cutoff  features.Cutoff
	options ExplainOptions

	variants *variants
	tokens   *features.Tokens // of all events
	from     int              // the course begins after so many events
	states   []float32        // (events-from+1, S), after from, from+1, ... events

	start, final int   // rows of variants
	after        []int // of events: rows of variants, or -1
	without      []int
}

func (x *explainer) run() (*Explanation, error) {
	if err := x.walkCourse(); err != nil {
		return nil, err
	}
	if err := x.addCourse(); err != nil {
		return nil, err
	}
	if err := x.variants.flush(); err != nil {
		return nil, err
	}
	e := x.report()
	if len(x.events) == 0 {
		return e, nil
	}
	if x.options.Alone {
		if err := x.alone(e); err != nil {
			return nil, err
		}
	}
	if x.options.Shapley > 0 {
		if err := x.shapley(e); err != nil {
			return nil, err
		}
	}
	if x.options.Gradients > 0 {
		if err := x.gradients(e); err != nil {
			return nil, err
		}
	}
	var err error
	if x.options.Next > 0 {
		e.Next, err = x.suggest()
	}
	return e, err
}

// walkCourse gathers the states after each event of the course.
func (x *explainer) walkCourse() error {
	var ex features.Example
	x.encoder.EncodeTokens(x.journey, x.cutoff, &ex)
	x.tokens, x.from = ex.Tokens, max(0, len(x.events)-x.options.Course)
	if x.follow == nil {
		return nil
	}
	count := len(x.events) - x.from + 1
	x.states = make([]float32, count*x.follow.width)
	whole := track{tokens: x.tokens, reads: make([]reading, count)}
	for i := range whole.reads {
		whole.reads[i] = reading{x.from + i, row(x.states, i, x.follow.width)}
	}
	return x.follow.walk([]track{whole})
}

// prefix is what the first n events, which are part of the course, come to.
func (x *explainer) prefix(e *features.Encoder, n int) prefix {
	p := prefix{encoder: e, events: n}
	if n == 0 && len(x.events) > 0 {
		p.began = &x.events[0]
	}
	if x.follow != nil {
		p.states = row(x.states, n-x.from, x.follow.width)
	}
	return p
}

// addCourse adds the journey before and after each event of the course, and
// without each of the last.
func (x *explainer) addCourse() error {
	n := len(x.events)
	x.after, x.without = slices.Repeat([]int{-1}, n), slices.Repeat([]int{-1}, n)
	err := error(nil)
	add := func(p prefix, rest []features.Event, at int64) (row int) {
		if err == nil {
			row, err = x.variants.add(p, rest, at)
		}
		return row
	}
	x.encoder.Start(x.journey.Profile)
	before := x.cutoff.Time
	if n > 0 {
		before = x.events[0].Time
	}
	x.start = add(prefix{encoder: x.encoder, states: x.variants.nothing}, nil, before)
	for i := range x.events {
		if i >= n-x.options.Last {
			x.without[i] = add(x.prefix(x.encoder, i), x.events[i+1:], x.cutoff.Time)
		}
		x.encoder.Append(&x.events[i])
		if i >= x.from {
			x.after[i] = add(x.prefix(x.encoder, i+1), nil, x.events[i].Time)
		}
	}
	x.final = add(x.prefix(x.encoder, n), nil, x.cutoff.Time)
	return err
}

// report reads off the variants' probabilities.
func (x *explainer) report() *Explanation {
	v := x.variants
	e := &Explanation{
		Customer: x.journey.Customer, Cutoff: x.cutoff.Time, Targets: slices.Clone(x.bundle.Targets),
		Start: slices.Clone(v.row(x.start)), Final: slices.Clone(v.row(x.final)), Events: make([]EventMoment, len(x.events)),
	}
	for i := range x.events {
		ev, m := &x.events[i], &e.Events[i]
		*m = EventMoment{Time: ev.Time, Type: ev.Type, Values: ev.Values, Impact: make([]float64, len(e.Targets))}
		if x.after[i] >= 0 {
			m.After = slices.Clone(v.row(x.after[i]))
		}
		for k := range m.Impact {
			m.Impact[k] = math.NaN()
			if x.without[i] >= 0 {
				m.Impact[k] = float64(e.Final[k]) - float64(v.row(x.without[i])[k])
			}
		}
	}
	return e
}
