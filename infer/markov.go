package infer

import (
	"math"

	"moments/features"
	"moments/weights"
)

// chaining is how often each type followed the two before it in training:
// evidence by how unlikely a journey's types were, by a Markov chain of order 2
// with back-off (Witten and Bell, The zero-frequency problem, IEEE Transactions
// on Information Theory, 1991, method C): what a context has not shown is taken
// from the shorter one, by as many chances as the context has shown types.
type chaining struct {
	eventsRead           // the type alone
	all        []float32 // probability of each type whatever came before
	one        map[int32]*successors
	two        map[[2]int32]*successors
}

// successors are the types that followed a context.
type successors struct {
	types  []int32
	counts []float32
	total  float32
}

func (s *successors) add(kind int32, count float32) {
	s.total += count
	for i, t := range s.types {
		if t == kind {
			s.counts[i] += count
			return
		}
	}
	s.types, s.counts = append(s.types, kind), append(s.counts, count)
}

func (*chaining) name() string    { return "chain" }
func (*chaining) family() family  { return ofTypes }
func (*chaining) weight() float64 { return 1 }

func newChaining(schema *features.Schema, transitions []weights.Transition) *chaining {
	size := len(schema.Types) + features.FirstKnownID
	h := &chaining{
		eventsRead: newEventsRead(schema, schema.Cells()[:1]),
		one:        map[int32]*successors{}, two: map[[2]int32]*successors{},
	}
	var all successors
	for _, t := range transitions {
		all.add(t.Type, t.Count)
		successorsOf(h.one, t.Before[1]).add(t.Type, t.Count)
		successorsOf(h.two, t.Before).add(t.Type, t.Count)
	}
	h.all = make([]float32, size)
	for i := range h.all {
		h.all[i] = 1 / float32(size)
	}
	all.mix(h.all)
	return h
}

func successorsOf[K comparable](in map[K]*successors, context K) *successors {
	s := in[context]
	if s == nil {
		s = &successors{}
		in[context] = s
	}
	return s
}

// mix blends what a context has shown into the probabilities of a shorter one.
func (s *successors) mix(p []float32) {
	if s == nil || s.total == 0 {
		return
	}
	shown := float32(len(s.types))
	for i := range p {
		p[i] *= shown / (s.total + shown)
	}
	for i, t := range s.types {
		p[t] += s.counts[i] / (s.total + shown)
	}
}

// A chain is one goroutine's chaining at work.
type chain struct {
	*chaining
	carry         []float32 // (examples, width)
	probabilities []float32
	event         [1]float32 // scratch
	tell          func(Surprise)
}

func (h *chaining) newDetector() detector {
	return &chain{chaining: h, probabilities: make([]float32, len(h.all))}
}

// What a journey has left behind are its last two types, and the trail.
func (h *chaining) width() int                { return 2 + trailWidth }
func (h *chaining) trail(row []float32) trail { return trail(row[2:]) }
func (h *chaining) begin(row []float32)       { clear(row) }

func (h *chaining) valid(row []float32, events int) bool {
	for _, x := range row[:2] {
		if !(x >= 0 && int(x) < len(h.all)) || x != float32(int(x)) {
			return false
		}
	}
	return h.trail(row).valid(h.cells, events)
}

func (c *chain) run(examples []features.Example) error {
	c.carry = resize(c.carry, len(examples)*c.width())
	for i := range examples {
		ex := &examples[i]
		if err := c.demand(ex, "the chain of types"); err != nil {
			return err
		}
		to := row(c.carry, i, c.width())
		c.begin(to)
		for event := range ex.Cutoff.Events {
			c.look(ex.Tokens, event, to)
		}
	}
	return nil
}

func (c *chain) resume(row []float32) { c.carry = append(c.carry[:0], row...) }

func (c *chain) observe(f func(Surprise)) { c.tell = f }

func (c *chain) step(token *features.Tokens, row []float32) error {
	c.look(token, 0, row)
	return nil
}

// look compares the type of event i with what is usual after the two before.
func (c *chain) look(tokens *features.Tokens, i int, to []float32) {
	c.schema.TokenCells(c.cells, tokens, i, c.event[:])
	kind := int32(c.event[0])
	before := [2]int32{int32(to[0]), int32(to[1])}
	copy(c.probabilities, c.all)
	c.one[before[1]].mix(c.probabilities)
	c.two[before].mix(c.probabilities)
	to[0], to[1] = to[1], float32(kind)
	d := distribution(c.probabilities)
	surprise := float32(-math.Log(max(d.tail(int(kind)), leastP)))
	t := c.trail(to)
	admitted := t.admits(surprise)
	if !admitted && c.tell == nil {
		return
	}
	entry := [entryWidth]float32{
		entryEvent: t[trailEvents] - 1, entrySurprise: surprise, entryType: float32(kind), entryValue: float32(kind),
		entryExpected: float32(d.expected(features.Categorical)),
	}
	if admitted {
		t.keep(entry)
	}
	if c.tell != nil {
		c.tell(c.surprise(entry[:]))
	}
}

func (c *chain) score(i int) float32 { return c.trail(row(c.carry, i, c.width())).score() }

func (c *chain) parts(i int, to []Part) []Part {
	return c.trail(row(c.carry, i, c.width())).appendParts(to, &c.eventsRead)
}
