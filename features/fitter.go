package features

import (
	"fmt"
	"math"
)

// A Fitter gathers what a schema needs from training examples.
//
// The order of Add does not matter, and a customer who is cut several times
// counts once. Memory grows with the number of customers (16 bytes each) and of
// distinct levels.
type Fitter struct {
	layout     Layout
	options    Options
	seen       map[uint64]int // events already counted of each customer, by hash
	events     int
	profile    []fieldStats
	attributes []fieldStats
	types      levelStats
	windows    windowStats
	call       int // number of the current Add
}

// NewFitter starts a fit; zero options stand for their defaults.
func NewFitter(layout Layout, options Options) *Fitter {
	return &Fitter{
		layout: layout, options: options.withDefaults(), seen: make(map[uint64]int),
		profile: newFieldStats(layout.Profile), attributes: newFieldStats(layout.Event),
		types: newLevelStats(),
	}
}

// Add counts one training example. It looks at the profile and at the first
// c.Events events only. Two journeys of one Customer are taken for the same.
func (f *Fitter) Add(j *Journey, c Cutoff) {
	f.call++
	key := hashText(j.Customer)
	seen, known := f.seen[key]
	if !known {
		for i := range f.profile {
			f.profile[i].add(valueAt(j.Profile, i), f.call, true)
		}
	}
	events := j.Events[:min(max(c.Events, 0), len(j.Events))]
	for i := range events {
		fresh := i >= seen // the first occurrence of a level beyond what earlier cuts showed
		f.types.add(events[i].Type, f.call, fresh)
		for k := range f.attributes {
			f.attributes[k].add(valueAt(events[i].Values, k), f.call, fresh)
		}
	}
	f.windows.add(events, c.Time)
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
	least := f.options.TypeShare * float64(len(f.seen))
	for s.Frequent < min(len(s.Types), f.options.MaxTypes) && float64(journeys[s.Frequent]) >= least {
		s.Frequent++
	}
	if f.events > 0 {
		s.Windows = f.windows.choose(f.options.MaxWindows)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
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
