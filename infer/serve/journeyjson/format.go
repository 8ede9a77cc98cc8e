// Package journeyjson reads journeys, and requests to score them, from JSON.
//
// One journey is an object. Every key may be left out:
//
//	{
//	  "customer": "c17",
//	  "at": "2026-06-01T12:00:00Z",
//	  "profile": {"age": 44, "plan": "basic"},
//	  "events": [
//	    {"time": "2026-05-30T18:21:05+02:00", "type": "purchase", "amount": 12.5, "channel": null},
//	    {"time": 1780300800, "type": "visit", "attributes": {"channel": "web"}}
//	  ]
//	}
//
// Values mean what the same text means in a data file that a task reads, because
// the same functions read them: a [Format] has the bundle's columns, and the
// task's time zone and rule of where to cut. A column that is left out or null
// is missing, and so is an empty text; a number in a categorical column is the
// text as it is written.
//
// The decoder is strict. It refuses, with the path of the value, unknown and
// repeated keys, values of the wrong kind, numbers that are not finite, and text
// that is not JSON by the letter of RFC 8259. It trusts nothing about the size
// or the shape of its input, and what it keeps grows with the text's length
// alone.
package journeyjson

import (
	"fmt"
	"time"

	"moments/features"
)

// A Format is how the journeys of one bundle are written. It is safe for use by
// several goroutines.
type Format struct {
	layout         features.Layout
	sides          [2][]features.Field // of the layout
	profile, event map[string]int      // places of fields by name
	events         bool                // journeys have events
	rule           features.CutoffRule
	zone           *time.Location
}

// New makes the format of a bundle's journeys. rule and zone are those of the
// bundle's task; a nil zone is UTC.
func New(schema *features.Schema, rule features.CutoffRule, zone *time.Location) *Format {
	if zone == nil {
		zone = time.UTC
	}
	l := schema.Layout
	return &Format{
		layout: l, sides: [2][]features.Field{l.Profile, l.Event}, profile: places(l.Profile), event: places(l.Event),
		events: schema.Events > 0, rule: rule, zone: zone,
	}
}

func places(fields []features.Field) map[string]int {
	at := make(map[string]int, len(fields))
	for i, f := range fields {
		at[f.Name] = i
	}
	return at
}

// A Journey is one journey of a request.
type Journey struct {
	features.Journey          // events in the order of time
	At               int64    // microseconds since the Unix epoch; features.NoLimit where the text says none
	IDs              []string // of the events, "" where one has none; nil where none has any
}

// Cut says how much of a journey a score sees: what a score at j.At would, which
// is what moments score --at means by it, or without one all events, as of now,
// in microseconds. An event that lies further ahead of now than clocks differ is
// then an error: it would be seen as if it had happened.
func (f *Format) Cut(j *Journey, now int64) (features.Cutoff, error) {
	at := j.At
	if at == features.NoLimit {
		at = now
		if n := len(j.Events); n > 0 {
			last := j.Events[n-1].Time
			if err := CheckClock(last, now); err != nil {
				return features.Cutoff{}, err
			}
			at = max(now, last+1)
		}
	}
	cut, ok := f.rule.Present(&j.Journey, at)
	if !ok {
		return cut, fmt.Errorf("journeyjson: customer %q: none of %d events is before %s, so there is nothing to score", j.Customer, len(j.Events), stamp(at))
	}
	return cut, nil
}

// Moment reads a time that stands elsewhere, such as in a query.
func (f *Format) Moment(text string) (int64, error) {
	at, _, _, err := features.ParseTimeIn(text, f.zone)
	return at, err
}

// Rule is where the bundle's task cuts journeys.
func (f *Format) Rule() features.CutoffRule { return f.rule }

// maxAhead is how far clocks and time zones that were mistaken may lie apart.
const maxAhead = features.Day

// CheckClock refuses the time of an event that has not happened yet.
func CheckClock(at, now int64) error {
	if at > now && uint64(at-now) > uint64(maxAhead) {
		return fmt.Errorf("journeyjson: an event at %s lies in the future: it is now %s", stamp(at), stamp(now))
	}
	return nil
}

func stamp(micros int64) string {
	return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
}
