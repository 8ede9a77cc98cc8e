package features

import (
	"fmt"
	"math"
	"slices"
)

// Options choose what a schema holds. A zero member stands for its default.
type Options struct {
	MinCount    int      `json:"min_count"`          // a level or type seen with fewer customers counts as never seen, so that "never seen" is trained too
	MaxLevels   int      `json:"max_levels"`         // the most levels a vocabulary keeps, the most frequent ones
	MaxTypes    int      `json:"max_types"`          // the most event types that have columns of their own
	TypeShare   float64  `json:"type_share"`         // the share of the journeys a type must appear in to have them
	WindowTypes int      `json:"window_types"`       // the most event types that are counted per window
	MaxWindows  int      `json:"max_windows"`        // the most windows
	LevelCounts int      `json:"level_counts"`       // attributes of up to this many levels are counted per level
	Tail        int      `json:"tail"`               // the last events that windows, quarters and the median gap look at; bounds the memory of one journey
	Detailed    int      `json:"detailed,omitempty"` // the fewest customers whose unanswered events, levels and ratings are dated
	With        []string `json:"with"`               // families of features drawn although they are not by default
	Without     []string `json:"without"`            // families of features left out; see Families
}

// DefaultOptions are good for tables and for logs of up to some dozens of
// event types.
func DefaultOptions() Options {
	return Options{
		MinCount: 3, MaxLevels: 5000, MaxTypes: 32, TypeShare: 0.01, WindowTypes: 32,
		MaxWindows: 3, LevelCounts: 10, Tail: 2048, Detailed: 10_000,
	}
}

// withDefaults fills the members left at zero.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	for _, member := range []struct{ got, other *int }{
		{&o.MinCount, &d.MinCount}, {&o.MaxLevels, &d.MaxLevels}, {&o.MaxTypes, &d.MaxTypes},
		{&o.WindowTypes, &d.WindowTypes}, {&o.MaxWindows, &d.MaxWindows},
		{&o.LevelCounts, &d.LevelCounts}, {&o.Tail, &d.Tail}, {&o.Detailed, &d.Detailed},
	} {
		if *member.got == 0 {
			*member.got = *member.other
		}
	}
	if o.TypeShare == 0 {
		o.TypeShare = d.TypeShare
	}
	return o
}

// validate checks every bound, because options come back from files.
func (o Options) validate() error {
	for _, member := range []struct {
		name     string
		got, max int
	}{
		{"min_count", o.MinCount, 1 << 30}, {"max_levels", o.MaxLevels, 1 << 22}, {"max_types", o.MaxTypes, 1 << 12},
		{"window_types", o.WindowTypes, 1 << 12}, {"max_windows", o.MaxWindows, len(windowLadder)},
		{"level_counts", o.LevelCounts, 1 << 10}, {"tail", o.Tail, 1 << 20},
	} {
		if member.got < 1 || member.got > member.max {
			return fmt.Errorf("features: option %s is %d, want 1 to %d", member.name, member.got, member.max)
		}
	}
	if !(o.TypeShare > 0 && o.TypeShare <= 1) {
		return fmt.Errorf("features: option type_share is %g, want a share above 0 and up to 1", o.TypeShare)
	}
	for _, name := range slices.Concat(o.With, o.Without) {
		if !isFamily(name) {
			return fmt.Errorf("features: options with and without name the family %q, want some of %q", name, Families())
		}
	}
	return nil
}

// leastTypeJourneys is the fewest journeys a type with columns appears in.
const leastTypeJourneys = 5

// A Fitter gathers what a schema needs from training examples.
//
// The order of Add does not matter, and a customer who is cut several times
// counts once. Memory grows with the number of customers (16 bytes each) and of
// distinct levels; that of the sample which tells what answers what is bounded.
type Fitter struct {
	layout     Layout
	options    Options
	seen       map[uint64]int // events already counted of each customer, by hash
	events     int
	profile    []fieldStats
	attributes []fieldStats
	types      levelStats
	windows    windowStats
	rhythm     rhythmStats
	answers    answerStats
	call       int // number of the current Add
}

// NewFitter starts a fit; zero options stand for their defaults.
func NewFitter(layout Layout, options Options) *Fitter {
	return &Fitter{
		layout: layout, options: options.withDefaults(), seen: make(map[uint64]int),
		profile: newFieldStats(layout.Profile), attributes: newFieldStats(layout.Event),
		types: newLevelStats(), rhythm: rhythmStats{cutoffs: make(map[int64]int)},
	}
}

// Add counts one training example. It looks at the profile and at the first
// c.Events events only. Two journeys of one Customer are taken for the same.
//
// Labels, one per target in every call or none at all, and NaN where one is not
// known, tell what events answer which; without them none does.
func (f *Fitter) Add(j *Journey, c Cutoff, labels ...float32) {
	f.call++
	key := hashText(j.Customer)
	seen, known := f.seen[key]
	if !known {
		for i := range f.profile {
			f.profile[i].add(valueAt(j.Profile, i), f.call, true)
		}
	}
	events := j.Events[:min(max(c.Events, 0), len(j.Events))]
	if !known {
		f.answers.add(key, events, c.Time, labels)
	}
	for i := range events {
		fresh := i >= seen // the first occurrence of a level beyond what earlier cuts showed
		f.types.add(events[i].Type, f.call, fresh)
		for k := range f.attributes {
			f.attributes[k].add(valueAt(events[i].Values, k), f.call, fresh)
		}
	}
	f.windows.add(events, c.Time)
	f.rhythm.add(events, seen, c.Time)
	f.events += max(0, len(events)-seen)
	f.seen[key] = max(seen, len(events))
}

// Schema closes the fit. It fails when nothing was added or when a name in the
// layout cannot be used. The fitter may go on afterwards.
func (f *Fitter) Schema() (*Schema, error) {
	if len(f.seen) == 0 {
		return nil, fmt.Errorf("features: no training example to fit a schema on, want at least one")
	}
	s := &Schema{
		Version: schemaVersion, Options: f.options, Layout: f.layout,
		Journeys: len(f.seen), Events: f.events,
		Profile:    summarise(f.profile, f.layout.Profile, f.options),
		Attributes: summarise(f.attributes, f.layout.Event, f.options),
	}
	var journeys []int
	s.Types, journeys = f.types.vocabulary(f.options)
	least := max(f.options.TypeShare*float64(len(f.seen)), leastTypeJourneys)
	for s.Frequent < min(len(s.Types), f.options.MaxTypes) && float64(journeys[s.Frequent]) >= least {
		s.Frequent++
	}
	if f.events > 0 {
		s.Windows = f.windows.choose(f.options.MaxWindows)
		s.Rhythms = f.rhythm.close()
	}
	if s.Rhythms.OneMoment && len(f.seen) >= f.options.Detailed {
		s.Answers = f.answers.choose(s.Types[:s.Frequent])
		f.date(s.Attributes)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// date marks the attributes whose columns tell how long ago each level was met
// last: those of few levels, and ratings. As counts per type and window they
// help with one cutoff for all, and where there are many customers: with some
// thousands they were found to cost more than they tell.
func (f *Fitter) date(attributes []FieldSummary) {
	for i := range attributes {
		a, numbers := &attributes[i], &f.attributes[i].numbers
		if a.Kind == Categorical {
			a.Dated = a.Dropped == "" && len(a.Levels) <= f.options.LevelCounts
		} else if a.Dated = a.Dropped == "" && numbers.rates(); a.Dated {
			a.Middle = numbers.low/2 + numbers.high/2
		}
	}
}

// valueAt is a cell of a row that may be short or nil.
func valueAt(values []Value, i int) Value {
	if i < len(values) {
		return values[i]
	}
	return Missing()
}

// number is a cell's number with everything a float32 cannot hold (infinities
// and what would become one) read as missing.
func number(v Value) float64 {
	if math.Abs(v.Number) <= math.MaxFloat32 {
		return v.Number
	}
	return math.NaN()
}

// hashText is the 64-bit FNV-1a hash.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
