package features

import (
	"math"
	"slices"
)

// A tail keeps the last events of a journey: Options.Tail of them for the
// aggregates that look back, or more when the sequence is longer. Events are
// stored column by column and dropped from the front in batches, so that Append
// is O(1).
type tail struct {
	most    int // events that aggregates may see
	steps   int // events that the sequence holds
	room    int // events kept: those, and one before the sequence, whose first gap is known by it
	head    int // the first event kept; those before await their removal
	times   []instant
	types   []int32
	numbers []float64 // (events, width) row-major
	ids     []int32   // (events, depth) row-major
	width   int       // numeric attributes
	depth   int       // categorical attributes
}

func (t *tail) init(s *Schema) {
	*t = tail{
		most: s.Options.Tail, steps: s.Options.Sequence, room: max(s.Options.Tail, s.Options.Sequence+1),
		width: len(s.compiled.numbers), depth: len(s.compiled.categories),
	}
}

func (t *tail) reset() {
	t.head = 0
	t.times, t.types, t.numbers, t.ids = t.times[:0], t.types[:0], t.numbers[:0], t.ids[:0]
}

// push adds an event, whose numbers and categories follow.
func (t *tail) push(now instant, kind int32) {
	t.times = append(t.times, now)
	t.types = append(t.types, kind)
	t.head = max(0, len(t.times)-t.room)
	if t.head > t.room {
		t.compact()
	}
}

// recent are the times of the events that aggregates may see, oldest first.
func (t *tail) recent() []instant {
	return t.times[max(t.head, len(t.times)-t.most):]
}

// compact moves the kept events to the front. The newest event has no numbers
// and categories yet.
func (t *tail) compact() {
	t.times = slices.Delete(t.times, 0, t.head)
	t.types = slices.Delete(t.types, 0, t.head)
	t.numbers = slices.Delete(t.numbers, 0, min(t.head*t.width, len(t.numbers)))
	t.ids = slices.Delete(t.ids, 0, min(t.head*t.depth, len(t.ids)))
	t.head = 0
}

func (t *tail) pushNumber(x float64)  { t.numbers = append(t.numbers, x) }
func (t *tail) pushCategory(id int32) { t.ids = append(t.ids, id) }

// row is the numbers of one event.
func (t *tail) row(event int) []float64 {
	return t.numbers[event*t.width : (event+1)*t.width]
}

// A Sequence is the last T events of a journey, oldest first, as ids and
// numbers for a recurrent network. Every slice is row-major with T rows.
type Sequence struct {
	Steps    int       // T, up to Options.Sequence
	Type     []int32   // (T) ids of the event types
	Category []int32   // (T, C) ids of the kept categorical attributes
	Amount   []float32 // (T, A) signed log1p of the kept numeric attributes, NaN missing
	Gap      []float32 // (T) log1p of the seconds since the previous event, 0 for the journey's first
	Elapsed  []float32 // (T) log1p of the seconds since the journey's first event
	ToCutoff []float32 // (T) log1p of the seconds until the cutoff
	Hour     []float32 // (T) local time of day in hours, 0 to 24
	Weekday  []float32 // (T) 0 on Monday to 6 on Sunday, local
}

// sequence writes the last events.
func (t *tail) sequence(e *Encoder, s *Sequence) {
	*s = Sequence{
		Type: s.Type[:0], Category: s.Category[:0], Amount: s.Amount[:0], Gap: s.Gap[:0],
		Elapsed: s.Elapsed[:0], ToCutoff: s.ToCutoff[:0], Hour: s.Hour[:0], Weekday: s.Weekday[:0],
	}
	steps := min(t.steps, len(t.times)-t.head)
	if steps == 0 {
		return
	}
	from := len(t.times) - steps
	s.Steps = steps
	s.Type = append(s.Type, t.types[from:]...)
	s.Category = append(s.Category, t.ids[from*t.depth:]...)
	for _, x := range t.numbers[from*t.width:] {
		s.Amount = append(s.Amount, float32(math.Copysign(math.Log1p(math.Abs(x)), x)))
	}
	for i := from; i < len(t.times); i++ {
		now, gap := t.times[i], int64(0)
		if i > t.head {
			gap = now.time - t.times[i-1].time
		}
		s.Gap = append(s.Gap, float32(logSeconds(gap)))
		s.Elapsed = append(s.Elapsed, float32(logSeconds(now.time-e.first.time)))
		s.ToCutoff = append(s.ToCutoff, float32(logSeconds(e.at-now.time)))
		s.Hour = append(s.Hour, float32(now.hour()))
		s.Weekday = append(s.Weekday, float32(now.weekday()))
	}
}
