package features

import "slices"

// A tail keeps the last Options.Tail events of a journey for the aggregates that
// look back. Events are stored column by column and dropped from the front in
// batches, so that Append is O(1).
type tail struct {
	most    int // events kept
	head    int // the first event kept; those before await their removal
	times   []instant
	types   []int32
	numbers []float64 // (events, width) row-major
	width   int       // numeric attributes
}

func (t *tail) init(s *Schema) {
	*t = tail{most: s.Options.Tail, width: len(s.compiled.numbers)}
}

func (t *tail) reset() {
	t.head = 0
	t.times, t.types, t.numbers = t.times[:0], t.types[:0], t.numbers[:0]
}

// push adds an event, whose numbers follow.
func (t *tail) push(now instant, kind int32) {
	t.times = append(t.times, now)
	t.types = append(t.types, kind)
	t.head = max(0, len(t.times)-t.most)
	if t.head > t.most {
		t.compact()
	}
}

// recent are the times of the events kept, oldest first.
func (t *tail) recent() []instant { return t.times[t.head:] }

// compact moves the kept events to the front. The newest event has no numbers
// yet.
func (t *tail) compact() {
	t.times = slices.Delete(t.times, 0, t.head)
	t.types = slices.Delete(t.types, 0, t.head)
	t.numbers = slices.Delete(t.numbers, 0, min(t.head*t.width, len(t.numbers)))
	t.head = 0
}

func (t *tail) pushNumber(x float64) { t.numbers = append(t.numbers, x) }

// row is the numbers of one event.
func (t *tail) row(event int) []float64 {
	return t.numbers[event*t.width : (event+1)*t.width]
}
