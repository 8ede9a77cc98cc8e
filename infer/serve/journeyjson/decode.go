package journeyjson

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"moments/features"
	"moments/infer/serve/jsontext"
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

	json   jsontext.Scanner
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
	d.values, d.events, d.ids = d.values[:0], d.events[:0], d.ids[:0]
	d.json.Reset("")
}

// Size is about the number of bytes that the decoder holds on to.
func (d *Decoder) Size() int {
	const value, event, id = 24, 64, 16
	return value*cap(d.values) + event*cap(d.events) + id*cap(d.ids)
}

func (d *Decoder) start(f *Format, text string) {
	d.format = f
	d.json.Reset(text)
	d.place, d.started = place{event: -1}, len(d.events)
	for side, fields := range [2][]features.Field{f.layout.Profile, f.layout.Event} {
		if len(d.taken[side]) < len(fields) {
			d.taken[side] = make([]int, len(fields))
		}
	}
}

// end demands that nothing follows, and returns the first error.
func (d *Decoder) end() error { return named(d.json.End()) }

// named gives an error the name of the package.
func named(err error) error {
	if err != nil {
		err = fmt.Errorf("journeyjson: %w", err)
	}
	return err
}

// wrong ends decoding with an error of what the text says, with the path of the
// value.
func (d *Decoder) wrong(format string, args ...any) {
	if d.json.Err() == nil {
		d.json.Fail(fmt.Errorf("%s"+format, append([]any{d.place}, args...)...))
	}
}

// want demands that a value begins with a bracket; it is described as what.
func (d *Decoder) want(bracket byte, what string) bool {
	ok := d.json.Next() == bracket
	if !ok {
		d.wrong("got %s, want %s", d.json.Found(), what)
	}
	return ok
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
	d.journey(j)
	return d.end()
}

func (d *Decoder) journey(j *Journey) {
	*j = Journey{At: features.NoLimit}
	if !d.want('{', "an object with customer, at, profile, events") {
		return
	}
	var seen keySet
	for key := range d.json.MembersUnchecked() {
		if !d.once(journeyKeys, &seen, key) {
			d.wrong("unknown field %s, want customer, at, profile or events", quote(key))
		}
		d.journeyKey(j, key)
	}
}

// journeyKey reads the value of one of a journey's own keys.
func (d *Decoder) journeyKey(j *Journey, key string) {
	d.place.key = key
	switch key {
	case keyCustomer:
		j.Customer = d.name()
	case keyAt:
		j.At, _ = d.time()
	case keyProfile:
		j.Profile = d.profile()
	case keyEvents:
		d.eventList(j)
	}
	d.place.key = ""
}

// name reads a text that may not be empty; numbers are taken as written.
func (d *Decoder) name() string {
	k, value := d.json.Scalar()
	if value = trim(value); k != jsontext.Text && k != jsontext.Number || value == "" {
		d.wrong("got %s, want a text that is not empty", what(k, value))
	}
	return value
}

// time reads a moment the way tasks do.
func (d *Decoder) time() (at int64, offset int32) {
	k, value := d.json.Scalar()
	if value = trim(value); k != jsontext.Text && k != jsontext.Number || value == "" {
		d.wrong("got %s, want a time such as \"2017-07-01T12:30:15+02:00\" or seconds or milliseconds since 1970", what(k, value))
		return 0, 0
	}
	at, offset, _, err := features.ParseTimeIn(value, d.format.zone)
	if err != nil {
		d.wrong("%s", strings.TrimPrefix(err.Error(), "features: "))
	}
	return at, offset
}

// trim is strings.TrimSpace, which is rarely needed.
func trim(s string) string {
	if n := len(s); n > 0 && ' ' < s[0] && s[0] < utf8.RuneSelf && ' ' < s[n-1] && s[n-1] < utf8.RuneSelf {
		return s
	}
	return strings.TrimSpace(s)
}

// what describes a value in an error.
func what(k jsontext.Kind, value string) string {
	switch k {
	case jsontext.Text:
		return quote(value)
	case jsontext.Number, jsontext.Bool:
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
func (d *Decoder) profile() []features.Value {
	d.place.section, d.place.key = keyProfile, ""
	values := d.fill(d.format.layout.Profile)
	d.columns(profileSide, d.format.profile, values)
	d.place.section = ""
	return values
}

// columns reads an object of columns of a side, whose places are given by name.
func (d *Decoder) columns(side int, places map[string]int, values []features.Value) {
	if !d.want('{', "an object") {
		return
	}
	for key := range d.json.MembersUnchecked() {
		d.column(side, places, key, "", values)
	}
}

// column reads the value of the column that a key names; own are other keys
// that might have stood there.
func (d *Decoder) column(side int, places map[string]int, key, own string, values []features.Value) {
	if i, ok := places[key]; ok {
		d.field(side, i, values)
		return
	}
	d.place.key = ""
	d.wrong("unknown field %s, want %s%s", quote(key), own, list(d.format.sides[side]))
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
func (d *Decoder) field(side, i int, values []features.Value) {
	field := &d.format.sides[side][i]
	d.place.key = field.Name
	if d.taken[side][i] == d.turn {
		d.wrong("given twice")
	}
	d.taken[side][i] = d.turn
	k, value := d.json.Scalar()
	switch k {
	case jsontext.Array, jsontext.Object:
		d.wrong("got %s, want a value", k)
		return
	case jsontext.Null:
		return
	}
	if value = trim(value); field.Kind == features.Categorical {
		values[i].Text = value
		return
	}
	if value == "" {
		return
	}
	x, ok := features.ParseNumber(value)
	if !ok || math.IsInf(x, 0) {
		d.wrong("got %s, want a finite number, or null where it is missing", what(k, value))
	}
	values[i] = features.Number(x)
}

// eventList reads the events of a journey and puts them in the order of time;
// those of equal time keep theirs.
func (d *Decoder) eventList(j *Journey) {
	if d.want('[', "an array") && !d.format.events {
		d.wrong("the bundle was trained without events")
	}
	d.place.key = ""
	first, sorted := len(d.events), true
	for i := range d.json.Elements() {
		d.place.event = i
		if d.MaxEvents > 0 && len(d.events)-d.started >= d.MaxEvents {
			d.wrong("%w: more than %d events", ErrTooLong, d.MaxEvents)
			break
		}
		d.event()
		n := len(d.events)
		sorted = sorted && (n-1 <= first || d.events[n-2].Time <= d.events[n-1].Time)
	}
	d.place.event = -1
	j.Events = d.events[first:len(d.events):len(d.events)]
	if len(d.ids) > 0 {
		j.IDs = d.ids[first:len(d.ids):len(d.ids)]
	}
	if !sorted {
		sort.Stable(byTime{j.Events, j.IDs})
	}
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
func (d *Decoder) event() {
	if d.place.key = ""; !d.want('{', "an object with time, type and attributes") {
		return
	}
	var seen keySet
	var id string
	e := features.Event{Values: d.fill(d.format.layout.Event)}
	for key := range d.json.MembersUnchecked() {
		if !d.once(eventKeys, &seen, key) {
			d.column(eventSide, d.format.event, key, "time, type, id, attributes or ", e.Values)
			continue
		}
		switch key {
		case keyTime:
			e.Time, e.Offset = d.time()
		case keyType:
			e.Type = d.name()
		case keyID:
			id = d.name()
		default:
			d.place.section = keyAttributes
			d.columns(eventSide, d.format.event, e.Values)
			d.place.section = ""
		}
	}
	d.place.key = ""
	switch {
	case !eventKeys.in(seen, keyTime):
		d.wrong("time is missing")
	case !eventKeys.in(seen, keyType):
		d.wrong("type is missing")
	}
	d.addEvent(e, id)
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
func (d *Decoder) once(own ownKeys, s *keySet, key string) bool {
	i := own.index(key)
	if i < 0 {
		return false
	}
	d.place.key = key
	if *s&(1<<i) != 0 {
		d.wrong("given twice")
	}
	*s |= 1 << i
	return true
}
