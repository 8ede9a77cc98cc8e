package journeyjson

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"moments/features"
)

// Keys that are not columns. Within an event they come before attributes of the
// same name, which stand under "attributes".
const (
	keyModel    = "model"
	keyVersion  = "version"
	keyReasons  = "reasons"
	keyMoments  = "moments"
	keyJourneys = "journeys"

	keyCustomer = "customer"
	keyAt       = "at"
	keyProfile  = "profile"
	keyEvents   = "events"

	keyTime       = "time"
	keyType       = "type"
	keyID         = "id"
	keyAttributes = "attributes"
)

// A Decoder reads JSON into memory that it uses again: what it has filled is
// valid until Reset. One goroutine may use it at a time. Its zero value is
// ready, and knows no limits.
type Decoder struct {
	// The most journeys of a request, and the most events of all of them, beyond
	// which it is refused with ErrTooLong; 0 for any number.
	MaxJourneys, MaxEvents int

	scanner
	format *Format

	values []features.Value
	events []features.Event
	ids    []string

	started int      // events of earlier requests
	taken   [2][]int // by side of the layout: the turn in which a field was last given
	turn    int
	place   place
}

// ErrTooLong is the error of a request beyond the decoder's limits.
var ErrTooLong = errors.New("the request is too long")

// The sides of a layout.
const (
	profileSide = iota
	eventSide
)

// A place says where in the text a value stands.
type place struct {
	many           bool // within "journeys"
	journey, event int  // event is -1 outside of events
	section, key   string
}

// Reset forgets what was decoded and keeps its memory.
func (d *Decoder) Reset() {
	clear(d.values) // of texts, which hold on to whole requests
	clear(d.events)
	clear(d.ids)
	d.values, d.events, d.ids, d.text = d.values[:0], d.events[:0], d.ids[:0], ""
}

// Size is about the number of bytes that the decoder holds on to.
func (d *Decoder) Size() int {
	const value, event, id = 24, 64, 16
	return value*cap(d.values) + event*cap(d.events) + id*cap(d.ids)
}

func (d *Decoder) start(f *Format, text string) {
	d.format, d.text, d.at = f, text, 0
	d.place, d.started = place{event: -1}, len(d.events)
	for side, fields := range [2][]features.Field{f.layout.Profile, f.layout.Event} {
		if len(d.taken[side]) < len(fields) {
			d.taken[side] = make([]int, len(fields))
		}
	}
}

// wrong is an error of what the text says, with the path of the value.
func (d *Decoder) wrong(format string, args ...any) error {
	return fmt.Errorf("journeyjson: %s"+format, append([]any{d.place}, args...)...)
}

// String is the place as a path and a colon; "" for the whole text.
func (p place) String() string {
	var parts []string
	if p.many {
		parts = append(parts, fmt.Sprintf("journeys[%d]", p.journey))
	}
	if p.event >= 0 {
		parts = append(parts, fmt.Sprintf("events[%d]", p.event))
	}
	for _, part := range []string{p.section, p.key} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ".") + ": "
}

// Journey decodes one journey: an object with customer, at, profile and events,
// each of which may be left out.
func (d *Decoder) Journey(f *Format, text string, j *Journey) error {
	d.start(f, text)
	if err := d.journey(j); err != nil {
		return err
	}
	return d.end()
}

func (d *Decoder) journey(j *Journey) error {
	*j = Journey{At: features.NoLimit}
	if d.next() != '{' {
		return d.wrong("got %s, want an object with customer, at, profile, events", d.found())
	}
	var seen keySet
	return d.members(func(key string) error {
		switch own, err := d.once(journeyKeys, &seen, key); {
		case err != nil:
			return err
		case own:
			return d.journeyKey(j, key)
		}
		return d.wrong("unknown field %s, want customer, at, profile or events", quote(key))
	})
}

// journeyKey reads the value of one of a journey's own keys.
func (d *Decoder) journeyKey(j *Journey, key string) (err error) {
	d.place.key = key
	switch key {
	case keyCustomer:
		j.Customer, err = d.name()
	case keyAt:
		j.At, _, err = d.time()
	case keyProfile:
		j.Profile, err = d.profile()
	case keyEvents:
		err = d.eventList(j)
	}
	d.place.key = ""
	return err
}

// name reads a text that may not be empty; numbers are taken as written.
func (d *Decoder) name() (string, error) {
	k, value, err := d.scalar()
	if err != nil {
		return "", err
	}
	if value = strings.TrimSpace(value); k != text && k != number || value == "" {
		return "", d.wrong("got %s, want a text that is not empty", d.what(k, value))
	}
	return value, nil
}

// time reads a moment the way tasks do.
func (d *Decoder) time() (at int64, offset int32, err error) {
	k, value, err := d.scalar()
	if err != nil {
		return 0, 0, err
	}
	if value = strings.TrimSpace(value); k != text && k != number || value == "" {
		return 0, 0, d.wrong("got %s, want a time such as \"2017-07-01T12:30:15+02:00\" or seconds or milliseconds since 1970", d.what(k, value))
	}
	at, offset, _, err = features.ParseTimeIn(value, d.format.zone)
	if err != nil {
		return 0, 0, d.wrong("%s", strings.TrimPrefix(err.Error(), "features: "))
	}
	return at, offset, nil
}

// what describes a value in an error.
func (d *Decoder) what(k kind, value string) string {
	switch k {
	case text:
		return quote(value)
	case number, boolean:
		return value
	}
	return k.String()
}

// quote quotes a text, cut where it is long.
func quote(s string) string {
	const longest = 60
	if len(s) > longest {
		return strconv.Quote(strings.ToValidUTF8(s[:longest], "")) + "..."
	}
	return strconv.Quote(s)
}

// fill appends one missing value for each field, to be set.
func (d *Decoder) fill(fields []features.Field) []features.Value {
	n := len(d.values)
	for range fields {
		d.values = append(d.values, features.Missing())
	}
	d.turn++
	return d.values[n:len(d.values):len(d.values)]
}

// profile reads an object of columns.
func (d *Decoder) profile() ([]features.Value, error) {
	d.place.section, d.place.key = keyProfile, ""
	defer func() { d.place.section = "" }()
	values := d.fill(d.format.layout.Profile)
	if d.next() != '{' {
		return nil, d.wrong("got %s, want an object", d.found())
	}
	return values, d.members(func(key string) error {
		i, ok := d.format.profile[key]
		if !ok {
			return d.unknown(key, "", d.format.layout.Profile)
		}
		return d.field(profileSide, i, values)
	})
}

func (d *Decoder) unknown(key, own string, fields []features.Field) error {
	d.place.key = ""
	return d.wrong("unknown field %s, want %s%s", quote(key), own, list(fields))
}

// list names some fields.
func list(fields []features.Field) string {
	const most = 12
	if len(fields) == 0 {
		return "none: the bundle has no such column"
	}
	var names []string
	for _, f := range fields[:min(most, len(fields))] {
		names = append(names, f.Name)
	}
	if n := len(fields) - most; n > 0 {
		names = append(names, fmt.Sprintf("or one of %d more", n))
	}
	return "one of " + strings.Join(names, ", ")
}

// field reads the value of one column.
func (d *Decoder) field(side, i int, values []features.Value) error {
	field := &d.format.sides[side][i]
	d.place.key = field.Name
	if d.taken[side][i] == d.turn {
		return d.wrong("given twice")
	}
	d.taken[side][i] = d.turn
	k, value, err := d.scalar()
	if err != nil {
		return err
	}
	if k == array || k == object {
		return d.wrong("got %s, want a value", k)
	}
	if k == null {
		return nil
	}
	if value = strings.TrimSpace(value); field.Kind == features.Categorical {
		values[i].Text = value
		return nil
	}
	if value == "" {
		return nil
	}
	x, ok := features.ParseNumber(value)
	if !ok || math.IsInf(x, 0) {
		return d.wrong("got %s, want a finite number, or null where it is missing", d.what(k, value))
	}
	values[i] = features.Number(x)
	return nil
}

// eventList reads the events of a journey and puts them in the order of time;
// those of equal time keep theirs.
func (d *Decoder) eventList(j *Journey) error {
	defer func() { d.place.event = -1 }()
	switch {
	case d.next() != '[':
		return d.wrong("got %s, want an array", d.found())
	case !d.format.events:
		return d.wrong("the bundle was trained without events")
	}
	d.place.key = ""
	first, sorted := len(d.events), true
	err := d.elements(func(i int) error {
		d.place.event = i
		if d.MaxEvents > 0 && len(d.events)-d.started >= d.MaxEvents {
			return d.wrong("%w: more than %d events", ErrTooLong, d.MaxEvents)
		}
		if err := d.event(); err != nil {
			return err
		}
		n := len(d.events)
		sorted = sorted && (n-1 == first || d.events[n-2].Time <= d.events[n-1].Time)
		return nil
	})
	j.Events = d.events[first:len(d.events):len(d.events)]
	if len(d.ids) > 0 {
		j.IDs = d.ids[first:len(d.ids):len(d.ids)]
	}
	if !sorted {
		sort.Stable(byTime{j.Events, j.IDs})
	}
	return err
}

type byTime struct {
	events []features.Event
	ids    []string
}

func (b byTime) Len() int           { return len(b.events) }
func (b byTime) Less(i, k int) bool { return b.events[i].Time < b.events[k].Time }
func (b byTime) Swap(i, k int) {
	b.events[i], b.events[k] = b.events[k], b.events[i]
	if b.ids != nil {
		b.ids[i], b.ids[k] = b.ids[k], b.ids[i]
	}
}

// event appends one event.
func (d *Decoder) event() (err error) {
	if d.place.key = ""; d.next() != '{' {
		return d.wrong("got %s, want an object with time, type and attributes", d.found())
	}
	var seen keySet
	var id string
	e := features.Event{Values: d.fill(d.format.layout.Event)}
	err = d.members(func(key string) error {
		own, err := d.once(eventKeys, &seen, key)
		switch {
		case err != nil:
			return err
		case !own:
			return d.attribute(key, e.Values)
		}
		switch key {
		case keyTime:
			e.Time, e.Offset, err = d.time()
		case keyType:
			e.Type, err = d.name()
		case keyID:
			id, err = d.name()
		default:
			err = d.attributes(e.Values)
		}
		return err
	})
	d.place.key = ""
	switch {
	case err != nil:
		return err
	case !eventKeys.in(seen, keyTime):
		return d.wrong("time is missing")
	case !eventKeys.in(seen, keyType):
		return d.wrong("type is missing")
	}
	d.addEvent(e, id)
	return nil
}

// addEvent appends an event and, once some event had an id, its id.
func (d *Decoder) addEvent(e features.Event, id string) {
	if id != "" || len(d.ids) > 0 {
		for len(d.ids) < len(d.events) {
			d.ids = append(d.ids, "")
		}
		d.ids = append(d.ids, id)
	}
	d.events = append(d.events, e)
}

// attribute reads the value of one attribute that stands in the event itself.
func (d *Decoder) attribute(key string, values []features.Value) error {
	i, ok := d.format.event[key]
	if !ok {
		return d.unknown(key, "time, type, id, attributes or ", d.format.layout.Event)
	}
	return d.field(eventSide, i, values)
}

// attributes reads an object of attributes.
func (d *Decoder) attributes(values []features.Value) error {
	if d.next() != '{' {
		return d.wrong("got %s, want an object", d.found())
	}
	d.place.section = keyAttributes
	defer func() { d.place.section = "" }()
	return d.members(func(key string) error {
		i, ok := d.format.event[key]
		if !ok {
			return d.unknown(key, "", d.format.layout.Event)
		}
		return d.field(eventSide, i, values)
	})
}

// ownKeys are the keys of an object that are not columns.
type ownKeys []string

var (
	eventKeys   = ownKeys{keyTime, keyType, keyID, keyAttributes}
	journeyKeys = ownKeys{keyCustomer, keyAt, keyProfile, keyEvents}
)

// A keySet is the set of own keys that an object has had.
type keySet uint16

func (own ownKeys) index(key string) int {
	for i := range own {
		if own[i] == key {
			return i
		}
	}
	return -1
}

// in says whether the set has an own key.
func (own ownKeys) in(s keySet, key string) bool {
	i := own.index(key)
	return i >= 0 && s&(1<<i) != 0
}

// once notes a key of an object and refuses it the second time; false for keys
// that are not the object's own.
func (d *Decoder) once(own ownKeys, s *keySet, key string) (bool, error) {
	i := own.index(key)
	if i < 0 {
		return false, nil
	}
	d.place.key = key
	if *s&(1<<i) != 0 {
		return true, d.wrong("given twice")
	}
	*s |= 1 << i
	return true, nil
}
