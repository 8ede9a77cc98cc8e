package features

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// stateVersion begins every encoder's state in bytes, and is raised with its
// format.
const stateVersion = 1

// Bounds of what states may hold; see boundTime.
const (
	mostTime  = math.MaxInt64 / 4
	mostCount = 1 << 40
)

// Events is the number of events appended since Start.
func (e *Encoder) Events() int { return e.count }

// LastTime is the time of the last event in microseconds; 0 where there is
// none.
func (e *Encoder) LastTime() int64 { return e.last.time }

// AppendBinary appends the state of the journey to buf: a few hundred bytes and
// the last Options.Tail events. It means something to encoders of the same
// schema alone, which the caller must make sure of: see [Schema.Hash]. The error
// is always nil.
func (e *Encoder) AppendBinary(buf []byte) ([]byte, error) {
	c := codec{buf: append(buf, stateVersion)}
	e.code(&c)
	return c.buf, nil
}

// UnmarshalBinary makes e hold the journey whose state AppendBinary wrote. It
// refuses bytes that no journey could have left behind; after an error e holds
// a new journey.
func (e *Encoder) UnmarshalBinary(data []byte) error {
	e.Start(nil)
	if len(data) == 0 || data[0] != stateVersion {
		return fmt.Errorf("features: journey's state does not begin with version %d", stateVersion)
	}
	c := codec{buf: data[1:], reading: true, size: len(data)}
	e.code(&c)
	if c.err == nil && len(c.buf) > 0 {
		c.fail("%d bytes more than the state needs", len(c.buf))
	}
	if c.err != nil {
		e.Start(nil)
		return fmt.Errorf("features: journey's state, at byte %d: %w", c.size-len(c.buf), c.err)
	}
	return nil
}

// code reads or writes every field: there is one list of them.
func (e *Encoder) code(c *codec) {
	for i := range e.profile {
		if e.schema.profile[i].Kind == Numeric {
			c.number(&e.profile[i].Number)
		} else {
			c.text(&e.profile[i].Text)
		}
	}
	c.count("events", &e.count)
	if e.count == 0 || c.err != nil {
		return
	}
	c.instant(&e.first)
	if c.reading {
		e.start = e.first // states are those of whole journeys: Begin is for what might have been
	}
	c.whole("gap", &e.lastGap, 0, 2*mostTime)
	e.rhythm.code(c)
	for i := range e.types {
		c.count("events of a type", &e.types[i].count)
		c.time(&e.types[i].first)
		c.time(&e.types[i].last)
	}
	for i := range e.numbers {
		e.numbers[i].code(c)
		if e.schema.numbers[i].Dated {
			e.numbers[i].codeDates(c)
		}
	}
	for i := range e.categories {
		levels := len(e.schema.categories[i].Levels)
		e.categories[i].code(c, levels)
		c.id("category", &e.lastIDs[1+i], levels)
	}
	e.tail.code(c, e.count, len(e.schema.types))
	if n := len(e.tail.times); c.reading && c.err == nil {
		e.last, e.lastIDs[0] = e.tail.times[n-1], e.tail.types[n-1]
		if e.first.time > e.tail.times[0].time {
			c.fail("the first event comes after a later one")
		}
	}
}

func (r *rhythmState) code(c *codec) {
	c.count("days", &r.days)
	c.whole("day", &r.lastDay, -mostTime, mostTime)
	for _, n := range []*int{&r.sessions, &r.firstSession, &r.lastSession, &r.gaps} {
		c.count("rhythm", n)
	}
	for _, gap := range []*int64{&r.min, &r.max, &r.last} {
		c.whole("gap", gap, 0, 2*mostTime)
	}
	c.number(&r.logs)
	c.number(&r.logSquares)
}

func (n *numberState) code(c *codec) {
	c.count("numbers", &n.count)
	c.count("rises", &n.rises)
	for _, x := range []*float64{&n.sum, &n.mean, &n.squares, &n.low, &n.high, &n.last, &n.change, &n.changes} {
		c.number(x)
	}
}

func (n *numberState) codeDates(c *codec) {
	c.count("low ratings", &n.below)
	c.count("high ratings", &n.above)
	c.time(&n.lastBelow)
	c.time(&n.lastAbove)
}

func (s *categoryState) code(c *codec, levels int) {
	c.id("category", &s.last, levels)
	s.distinct = 0
	for i := range s.met {
		c.bits(&s.met[i])
		s.distinct += bits.OnesCount64(s.met[i])
	}
	if over := (levels + FirstKnownID) % 64; over > 0 && s.met[len(s.met)-1]>>over != 0 {
		c.fail("levels were met that the schema has not")
	}
	for i := range s.counts {
		n := int64(s.counts[i])
		c.whole("events of a level", &n, 0, math.MaxInt32)
		s.counts[i] = int32(n)
	}
	for i := range s.lasts {
		c.time(&s.lasts[i])
	}
}

// code codes the events kept, of which there are as many as there were events
// and there is room for.
func (t *tail) code(c *codec, events, types int) {
	n := min(events, t.most)
	if c.reading {
		if n > len(c.buf) { // an event takes more than a byte
			c.fail("%d bytes are too few for %d events", len(c.buf), n)
			return
		}
		t.times, t.types, t.numbers, t.head = make([]instant, n), make([]int32, n), make([]float64, n*t.width), 0
	}
	for i := range n {
		c.instant(&t.times[t.head+i])
		c.id("type", &t.types[t.head+i], types)
		row := t.row(t.head + i)
		for k := range row {
			c.number(&row[k])
			if math.IsInf(row[k], 0) {
				c.fail("an event's number is %v, want a finite one", row[k])
			}
		}
		if c.reading && i > 0 && t.times[i].time < t.times[i-1].time {
			c.fail("event %d is older than the one before", i)
		}
	}
}

// A codec writes fields to buf, or reads them from it. Its first error sticks,
// and nothing is read after it.
type codec struct {
	buf     []byte
	reading bool
	size    int // of all bytes, when reading
	err     error
}

func (c *codec) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

var errShort = errors.New("the bytes end early")

// whole codes a whole number between bounds.
func (c *codec) whole(name string, x *int64, low, high int64) {
	switch {
	case c.err != nil:
	case !c.reading:
		c.buf = binary.AppendVarint(c.buf, *x)
	default:
		v, n := binary.Varint(c.buf)
		if n <= 0 {
			c.err = errShort
			return
		}
		if v < low || v > high {
			c.fail("%s is %d, want %d to %d", name, v, low, high)
			return
		}
		*x, c.buf = v, c.buf[n:]
	}
}

func (c *codec) count(name string, x *int) {
	n := int64(*x)
	c.whole(name, &n, 0, mostCount)
	*x = int(n)
}

func (c *codec) time(x *int64) { c.whole("time", x, -mostTime, mostTime) }

func (c *codec) instant(x *instant) {
	c.time(&x.time)
	offset := int64(x.offset)
	c.whole("offset", &offset, math.MinInt32, math.MaxInt32)
	x.offset = int32(offset)
}

// id codes an id of a vocabulary with so many known levels.
func (c *codec) id(name string, x *int32, levels int) {
	n := int64(*x)
	c.whole(name, &n, 0, int64(levels+FirstKnownID-1))
	*x = int32(n)
}

// bits codes eight bytes.
func (c *codec) bits(x *uint64) {
	switch {
	case c.err != nil:
	case !c.reading:
		c.buf = binary.LittleEndian.AppendUint64(c.buf, *x)
	case len(c.buf) < 8:
		c.err = errShort
	default:
		*x, c.buf = binary.LittleEndian.Uint64(c.buf), c.buf[8:]
	}
}

// number codes a number, whatever it is, to the bit.
func (c *codec) number(x *float64) {
	n := math.Float64bits(*x)
	c.bits(&n)
	*x = math.Float64frombits(n)
}

func (c *codec) text(s *string) {
	n := int64(len(*s))
	c.whole("length of a text", &n, 0, math.MaxInt32)
	switch {
	case c.err != nil:
	case !c.reading:
		c.buf = append(c.buf, *s...)
	case int(n) > len(c.buf):
		c.err = errShort
	default:
		*s, c.buf = string(c.buf[:n]), c.buf[n:]
	}
}
