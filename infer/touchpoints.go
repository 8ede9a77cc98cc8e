package infer

import (
	"fmt"
	"math"
	"slices"

	"moments/features"
)

// TouchpointOptions choose how [Touchpoints] are told. The zero value tells
// them by type and by stage.
type TouchpointOptions struct {
	Channel   string // a categorical attribute of events to tell touchpoints by, too; "" for none
	Bootstrap int    // resamples for the intervals; 0 for 400
	Seed      uint64 // of the resamples
}

const defaultBootstrap = 400

// Touchpoints gather the explanations of a base: what each kind of event did to
// the outcome, how often and how certainly. Memory is bounded by the kinds, not
// by the customers. One goroutine may use it at a time.
type Touchpoints struct {
	targets   []string
	channel   int // in an event's values; -1 for none
	seed      uint64
	resamples int

	journeys int
	final    []float64 // sums of final probabilities, by target
	types    tallies
	channels tallies
	stages   tallies
	flows    map[[2]string]*flowTally
	weights  []float64 // scratch: of one customer in the resamples
	touched  []*tally  // scratch: by one explanation
}

// A TouchpointReport is what [Touchpoints] come to. Names are those of the
// data; "" is an event without type or channel, and OtherTouchpoint gathers
// those beyond the first thousand met.
type TouchpointReport struct {
	Targets  []string
	Journeys int          // explanations added
	Final    []float64    // mean final probability, by target
	Types    []Touchpoint // by event type, by falling size of the impact on the first target
	Channels []Touchpoint // by TouchpointOptions.Channel, in the same order; nil where there is none
	Stages   []Touchpoint // by where in the journey, in the order of Stages; those that no event is in are left out
	Flows    []Flow       // by falling count
}

// Stages of a journey: its first event, and the thirds of it that the others
// lie in.
var Stages = [...]string{"first", "early", "middle", "late"}

// OtherTouchpoint gathers what there is no room to tell apart.
const OtherTouchpoint = "(other)"

// mostTouchpoints are the names of a kind that are told apart.
const mostTouchpoints = 1000

// A Touchpoint is a kind of event. Only events with an impact count: see
// EventMoment.Impact.
type Touchpoint struct {
	Name     string
	Journeys int // explanations with such an event
	Events   int
	Impact   []Estimate // by target
}

// An Estimate is a mean over events with what is known of it.
type Estimate struct {
	Mean     float64 // in probability: 0.05 is five points
	Size     float64 // the mean without the signs: touchpoints that raise here and lower there have a small mean all the same
	Positive float64 // share of the events with an impact above 0

	// Low and High bound the mean with 95 % confidence, by the percentiles of a
	// bootstrap over customers; they are -1 and 1 where fewer than five journeys
	// tell of it.
	Low, High float64
}

// NewTouchpoints returns none yet, for explanations of the scorer's bundle.
func (s *Scorer) NewTouchpoints(o TouchpointOptions) (*Touchpoints, error) {
	t := &Touchpoints{
		targets: s.bundle.Targets, channel: -1, seed: o.Seed, resamples: o.Bootstrap,
		final: make([]float64, len(s.bundle.Targets)), flows: map[[2]string]*flowTally{},
		types: tallies{}, channels: tallies{}, stages: tallies{},
	}
	if t.resamples == 0 {
		t.resamples = defaultBootstrap
	}
	if t.resamples < 0 {
		return nil, fmt.Errorf("infer: %d resamples of touchpoints, want at least 1", o.Bootstrap)
	}
	if o.Channel == "" {
		return t, nil
	}
	t.channel = slices.IndexFunc(s.bundle.Layout.Event, func(f features.Field) bool {
		return f.Name == o.Channel && f.Kind == features.Categorical
	})
	if t.channel < 0 {
		return nil, fmt.Errorf("infer: events have no categorical attribute %q to tell touchpoints by", o.Channel)
	}
	return t, nil
}

// Add counts an explanation, which is not kept.
func (t *Touchpoints) Add(e *Explanation) error {
	if !slices.Equal(e.Targets, t.targets) {
		return fmt.Errorf("infer: explanation of targets %q, want those of the bundle, %q", e.Targets, t.targets)
	}
	t.journeys++
	for k, p := range e.Final {
		t.final[k] += float64(p)
	}
	t.touched = t.touched[:0]
	for i := range e.Events {
		m := &e.Events[i]
		if len(m.Impact) == 0 || math.IsNaN(m.Impact[0]) {
			continue
		}
		t.tally(t.types, m.Type, m.Impact)
		t.tally(t.stages, stage(i, len(e.Events)), m.Impact)
		if t.channel >= 0 && t.channel < len(m.Values) {
			t.tally(t.channels, m.Values[t.channel].Text, m.Impact)
		} else if t.channel >= 0 {
			t.tally(t.channels, "", m.Impact)
		}
	}
	t.draw(e.Customer)
	for _, k := range t.touched {
		k.close(t.weights)
	}
	t.addFlows(e)
	return nil
}

// stage names where event i of n is.
func stage(i, n int) string {
	if i == 0 {
		return Stages[0]
	}
	return Stages[1+3*i/n]
}

// Report sums up what was added so far.
func (t *Touchpoints) Report() *TouchpointReport {
	r := &TouchpointReport{Targets: slices.Clone(t.targets), Journeys: t.journeys, Types: t.types.byImpact(), Flows: t.reportFlows()}
	for _, sum := range t.final {
		r.Final = append(r.Final, sum/float64(max(1, t.journeys)))
	}
	if t.channel >= 0 {
		r.Channels = t.channels.byImpact()
	}
	for _, name := range Stages {
		if k := t.stages[name]; k != nil {
			r.Stages = append(r.Stages, k.touchpoint(name))
		}
	}
	return r
}
