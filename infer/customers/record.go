package customers

import (
	"encoding/binary"
	"fmt"
	"math"

	"moments/features"
)

// A head is what is kept of a customer beside the events.
type head struct {
	events      int
	first, last int64  // times of events; 0 without any
	arrivals    uint32 // events that ever came: the next one's place.arrival
	profile     []attribute
}

// An attribute is a value by name.
type attribute struct {
	name  string
	kind  features.Kind
	value features.Value
}

func (h *head) appendTo(buf []byte) []byte {
	buf = binary.AppendUvarint(buf, uint64(h.events))
	buf = binary.AppendVarint(buf, h.first)
	buf = binary.AppendVarint(buf, h.last)
	buf = binary.AppendUvarint(buf, uint64(h.arrivals))
	buf = binary.AppendUvarint(buf, uint64(len(h.profile)))
	for i := range h.profile {
		a := &h.profile[i]
		buf = appendText(buf, a.name)
		buf = appendValue(buf, a.kind, &a.value)
	}
	return buf
}

// parseHead reads what appendTo wrote.
func parseHead(data []byte) (head, error) {
	d := decoder{rest: data}
	h := head{events: int(d.uvarint()), first: d.varint(), last: d.varint(), arrivals: uint32(d.uvarint())}
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
	}
	for range n {
		if d.err != nil {
			break
		}
		a := attribute{name: d.text(), kind: features.Categorical}
		if tag := d.value(&a.value); tag != tagText {
			a.kind = features.Numeric
		}
		h.profile = append(h.profile, a)
	}
	return h, d.end("customer")
}

// size is about the memory that a head takes.
func (h *head) size() int {
	n := 64
	for i := range h.profile {
		n += 80 + len(h.profile[i].name) + len(h.profile[i].value.Text)
	}
	return n
}

// appendEvent writes an event but for its time, which is in the key. Layout 0
// has no attributes.
func appendEvent(buf []byte, ev *features.Event, layout uint32, fields []features.Field) []byte {
	if len(ev.Values) == 0 {
		layout = 0
	}
	buf = binary.AppendUvarint(buf, uint64(layout))
	buf = binary.AppendVarint(buf, int64(ev.Offset))
	buf = appendText(buf, ev.Type)
	for i := range ev.Values {
		buf = appendValue(buf, fields[i].Kind, &ev.Values[i])
	}
	return buf
}

// Values are written behind a byte that says how, so that reading them takes no
// layout.
const (
	tagMissing = iota // of either kind
	tagInteger        // a number that a varint gives back to the bit
	tagFloat
	tagText
)

func appendValue(buf []byte, kind features.Kind, v *features.Value) []byte {
	switch x := v.Number; {
	case kind == features.Categorical && v.Text == "", kind == features.Numeric && math.IsNaN(x):
		return append(buf, tagMissing)
	case kind == features.Categorical:
		return appendText(append(buf, tagText), v.Text)
	case math.Abs(x) < 1<<40 && math.Float64bits(float64(int64(x))) == math.Float64bits(x):
		return binary.AppendVarint(append(buf, tagInteger), int64(x))
	default:
		return binary.LittleEndian.AppendUint64(append(buf, tagFloat), math.Float64bits(x))
	}
}

func appendText(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

// A decoder reads fields. Its first error sticks.
type decoder struct {
	rest  []byte
	texts texts
	err   error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w: a record ends early or holds what was never written", ErrDamaged)
		d.rest = nil
	}
}

// end demands that everything was read.
func (d *decoder) end(what string) error {
	if len(d.rest) > 0 {
		d.fail()
	}
	if d.err != nil {
		return fmt.Errorf("%s's record: %w", what, d.err)
	}
	return nil
}

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return x
}

func (d *decoder) varint() int64 {
	x, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return x
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text() string { return d.texts.of(d.bytes(d.uvarint())) }

// value reads one value and says how it was written.
func (d *decoder) value(v *features.Value) byte {
	tag := byte(tagMissing)
	if b := d.bytes(1); b != nil {
		tag = b[0]
	}
	*v = features.Missing()
	switch tag {
	case tagMissing:
	case tagInteger:
		v.Number = float64(d.varint())
	case tagFloat:
		if b := d.bytes(8); b != nil {
			v.Number = math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
	case tagText:
		v.Text = d.text()
	default:
		d.fail()
	}
	return tag
}

// texts keeps one copy of texts that come again and again, as types and levels
// do, so that reading a journey allocates little.
type texts map[string]string

// mostTexts bounds what is kept of a journey whose texts are all different.
const mostTexts = 1 << 12

func (t *texts) of(b []byte) string {
	if s, ok := (*t)[string(b)]; ok {
		return s
	}
	if *t == nil || len(*t) >= mostTexts {
		*t = texts{}
	}
	s := string(b)
	(*t)[s] = s
	return s
}
