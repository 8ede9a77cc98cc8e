package datasets

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"

	"moments/features"
)

// The body of a record holds what a row says beside its customer, time and
// place in the source:
//
//	event:   offset (varint), type, attributes, profile columns (texts)
//	profile: attributes (texts)
//	label:   0, 1 or 2 for unlabelled, cutoff and until (varints)
//
// A text is its length (uvarint) and its bytes; the empty text is missing.

func appendText(body []byte, text string) []byte {
	return append(binary.AppendUvarint(body, uint64(len(text))), text...)
}

// A labelRecord is one row of a label source.
type labelRecord struct {
	value         float32 // 1, 0 or NaN
	cutoff, until int64   // microseconds; features.NoLimit when there is none
}

func (r labelRecord) append(body []byte) []byte {
	code := byte(2)
	if r.value == r.value { // not NaN
		code = byte(r.value)
	}
	return binary.AppendVarint(binary.AppendVarint(append(body, code), r.cutoff), r.until)
}

// A label is a labelRecord and the target it is for.
type label struct {
	labelRecord
	target int // index in Task.outcomes
}

// A history is one customer's journey and labels.
type history struct {
	journey  features.Journey
	labels   []label
	profiles []int // inputs that a profile came from
}

// errBody cannot happen while one process writes and reads the records.
var errBody = errors.New("datasets: a record is damaged")

// A body is read from its front.
type body struct {
	text   string
	broken bool
}

func (b *body) varint() int64 {
	x, n := binary.Varint([]byte(b.text[:min(len(b.text), binary.MaxVarintLen64)]))
	b.advance(n)
	return x
}

func (b *body) string() string {
	var length uint64
	n := 0
	if len(b.text) > 0 && b.text[0] < 0x80 { // nearly always
		length, n = uint64(b.text[0]), 1
	} else {
		length, n = binary.Uvarint([]byte(b.text[:min(len(b.text), binary.MaxVarintLen64)]))
	}
	b.advance(n)
	if length > uint64(len(b.text)) {
		b.broken = true
		return ""
	}
	s := b.text[:length]
	b.text = b.text[length:]
	return s
}

func (b *body) advance(n int) {
	if n <= 0 || n > len(b.text) {
		b.broken = true
		b.text = ""
		return
	}
	b.text = b.text[n:]
}

// A decoder turns records into histories. The values of one journey share one
// slice; texts are interned, for most of them come again and again.
type decoder struct {
	inputs  []*input
	layout  features.Layout
	cutoffs bool // a customer may have one label for every cutoff
	texts   map[string]string
	fresh   int64 // bytes of texts interned so far
}

// maxTexts bounds the memory of texts that never come again.
const maxTexts = 1 << 16

func (d *decoder) intern(s string) string {
	if s == "" {
		return ""
	}
	if known, ok := d.texts[s]; ok {
		return known
	}
	if len(d.texts) >= maxTexts || d.texts == nil {
		d.texts = map[string]string{}
	}
	s = strings.Clone(s)
	d.fresh += int64(len(s)) + 16
	d.texts[s] = s
	return s
}

func (d *decoder) value(kind features.Kind, text string) features.Value {
	if kind == features.Numeric {
		return numericValue(text)
	}
	return features.Value{Number: math.NaN(), Text: d.intern(text)}
}

// start begins the history of a customer.
func (h *history) start(customer string) {
	h.journey.Customer = customer
	h.journey.Profile = nil
	h.journey.Events = h.journey.Events[:0]
	h.labels = h.labels[:0]
	h.profiles = h.profiles[:0]
}

// add decodes one record into the history. A second profile or label of a
// customer is not added: it is reported as the reason. values is the slice that
// attributes are appended to.
func (d *decoder) add(h *history, at, seq int64, text string, values []features.Value) ([]features.Value, Reason, error) {
	in, b := d.inputs[seq/seqRows], &body{text: text}
	switch in.role {
	case profileRow:
		if slices.Contains(h.profiles, in.index) {
			return values, DuplicateProfile, nil
		}
		h.profiles = append(h.profiles, in.index)
		d.profile(h, in.attributes, b)
	case labelRow:
		l := readLabel(in.target, b)
		if slices.ContainsFunc(h.labels, func(o label) bool { return o.target == l.target && (!d.cutoffs || o.cutoff == l.cutoff) }) {
			return values, DuplicateLabel, nil
		}
		h.labels = append(h.labels, l)
	default:
		values = d.event(h, in, at, b, values)
	}
	if b.broken {
		return values, "", errBody
	}
	return values, "", nil
}

func readLabel(target int, b *body) label {
	l := label{target: target}
	if len(b.text) == 0 {
		b.broken = true
		return l
	}
	if l.value = float32(b.text[0]); l.value > 1 {
		l.value = float32(math.NaN())
	}
	b.advance(1)
	l.cutoff, l.until = b.varint(), b.varint()
	return l
}

// profile fills the fields that are still missing: the first source that knows
// a value wins.
func (d *decoder) profile(h *history, places []place, b *body) {
	if h.journey.Profile == nil {
		h.journey.Profile = slices.Repeat([]features.Value{features.Missing()}, len(d.layout.Profile))
	}
	for _, p := range places {
		text := b.string()
		if have := &h.journey.Profile[p.field]; have.Text == "" && have.Number != have.Number {
			*have = d.value(d.layout.Profile[p.field].Kind, text)
		}
	}
}

func (d *decoder) event(h *history, in *input, at int64, b *body, values []features.Value) []features.Value {
	e := features.Event{Time: at, Offset: int32(b.varint()), Type: d.intern(b.string())}
	n, first := len(values), len(h.journey.Events) == 0 || at == h.journey.Events[0].Time
	for range d.layout.Event {
		values = append(values, features.Missing())
	}
	e.Values = values[n:len(values):len(values)]
	for _, p := range in.attributes {
		e.Values[p.field] = d.value(d.layout.Event[p.field].Kind, b.string())
	}
	h.journey.Events = append(h.journey.Events, e)
	// Columns that describe the customer are read at the first moment of the
	// journey only: what a later source says was not known at an earlier cutoff.
	if first && len(in.profile) > 0 {
		d.profile(h, in.profile, b)
	}
	return values
}
