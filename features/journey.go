// Package features says what a journey is and turns it into tensors.
//
// A [Journey] is one customer's profile and events in time order. A [Cutoff]
// says how much of it may be seen, an [EventTarget] or [Inactivity] reads the
// outcome that follows, and a [Schema], fitted on the training split alone,
// encodes what was seen into an [Example]. There is exactly one encoder,
// [Encoder], and it streams: training, batch scoring and online scoring all
// append events to it, so they cannot drift apart.
//
// The package imports the standard library only. It reads no files: package
// datasets does.
package features

import (
	"math"
	"slices"
)

// Kind says how the values of a column are read.
type Kind string

const (
	Numeric     Kind = "numeric"     // Value.Number holds the value, NaN when missing
	Categorical Kind = "categorical" // Value.Text holds the value, "" when missing
)

// A Field is one column of a profile or of the events.
type Field struct {
	Name string `json:"name" yaml:"name"`
	Kind Kind   `json:"kind" yaml:"kind"`
}

// A Layout names the columns of a data set: the values of every profile and
// of every event follow its order.
type Layout struct {
	Profile []Field `json:"profile"`
	Event   []Field `json:"event"`
}

// A Value is one cell. Only the member named by the field's kind is used.
type Value struct {
	Number float64
	Text   string
}

// Missing is the cell that holds nothing, whatever its field's kind.
func Missing() Value { return Value{Number: math.NaN()} }

// Number is a numeric cell.
func Number(x float64) Value { return Value{Number: x} }

// Text is a categorical cell.
func Text(s string) Value { return Value{Number: math.NaN(), Text: s} }

// An Event is something a customer did or that happened to them.
type Event struct {
	Time   int64   // microseconds since the Unix epoch, UTC
	Offset int32   // seconds east of UTC on the clock of the place it happened; the hour and weekday are read there
	Type   string  // what happened, such as "purchase"
	Values []Value // attributes, in the order of Layout.Event
}

// A Journey is one customer's profile and events in time order; events of
// equal time keep the order of their source.
type Journey struct {
	Customer string
	Profile  []Value // in the order of Layout.Profile; nil when nothing is known
	Events   []Event
}

// Clone copies the profile and the first events of a journey, with their values
// in one piece of memory.
func (j *Journey) Clone(events int) Journey {
	c := Journey{Customer: j.Customer, Profile: slices.Clone(j.Profile), Events: slices.Clone(j.Events[:events])}
	count := 0
	for i := range c.Events {
		count += len(c.Events[i].Values)
	}
	values := make([]Value, 0, count)
	for i := range c.Events {
		from := len(values)
		values = append(values, c.Events[i].Values...)
		c.Events[i].Values = values[from:len(values):len(values)]
	}
	return c
}

// Microseconds in the units that durations are written in.
const (
	Second int64 = 1_000_000
	Minute       = 60 * Second
	Hour         = 60 * Minute
	Day          = 24 * Hour
	Week         = 7 * Day
)
