package infer

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"moments/features"
	"moments/model"
	"moments/model/kernel"
	"moments/weights"
)

// expecting is the network of a bundle that foretells events, compiled:
// evidence by how unlikely the events of a journey were when they came. An
// attribute's p-value is the probability of values as likely as the one that
// was seen, or less; an event's is that of its least likely attribute, a
// journey's that of its least likely event, each corrected for how many there
// were to choose from.
type expecting struct {
	eventsRead
	program *Program  // events to states, and to logits of each attribute
	first   []float32 // (h), the state before any event
	logits  int       // of an event
}

func (*expecting) name() string    { return "foreteller" }
func (*expecting) family() family  { return ofSequence }
func (*expecting) weight() float64 { return 1 }

func (s *Scorer) addForeteller(n *weights.Network, g *model.Graph) error {
	state, ok := g.Outputs[model.OutputState]
	if !ok || state.Op != model.GRU {
		return fmt.Errorf("infer: network %s: no state of a %s among its outputs", n.Name, model.GRU)
	}
	p, err := compilePart(n, g, nil, model.OutputState, model.OutputCells)
	if err != nil {
		return err
	}
	s.evidence = append(s.evidence, &expecting{
		eventsRead: newEventsRead(s.bundle.Schema, s.bundle.Schema.Cells()), program: p,
		first: n.Params[state.In[1].Name].Data, logits: g.Outputs[model.OutputCells].Width(),
	})
	return nil
}

// An expecter is one goroutine's expecting at work.
type expecter struct {
	*expecting
	session       *Session
	before, kinds []float32 // inputs
	order         []carried
	carry         []float32 // (examples, width)
	steps         []int
	probabilities []float32 // of an event
	event         []float32 // (cells) scratch
	tell          func(Surprise)
}

func (x *expecting) newDetector() detector {
	s := x.program.NewJourneySession(1, followedEvents)
	return &expecter{
		expecting: x, session: s, before: s.Input(model.InputEventBefore), kinds: s.Input(model.InputEventType),
		probabilities: make([]float32, x.logits), event: make([]float32, len(x.cells)),
	}
}

// A carried journey is walked, or the rest of one: what it has left behind so
// far are the state, the attributes of the last event, and the trail.
type carried struct {
	tokens *features.Tokens
	events int // of the tokens, to be walked
	row    []float32
}

func (x *expecting) width() int { return len(x.first) + len(x.cells) + trailWidth }

func (x *expecting) state(row []float32) []float32 { return row[:len(x.first)] }
func (x *expecting) last(row []float32) []float32  { return row[len(x.first):][:len(x.cells)] }
func (x *expecting) trail(row []float32) trail     { return trail(row[len(x.first)+len(x.cells):]) }

func (x *expecting) begin(row []float32) {
	clear(row)
	copy(row, x.first)
}

func (x *expecting) valid(row []float32, events int) bool {
	for c, value := range x.last(row) {
		if !(value >= 0 && int(value) < x.cells[c].Size) || value != float32(int(value)) {
			return false
		}
	}
	for i, h := range x.state(row) { // between what it was and a hyperbolic tangent, at every event
		if math.Abs(float64(h)) > 1.001*math.Max(1, math.Abs(float64(x.first[i]))) {
			return false
		}
	}
	return x.trail(row).valid(x.cells, events)
}

func (x *expecter) run(examples []features.Example) error {
	x.carry, x.order = resize(x.carry, len(examples)*x.width()), x.order[:0]
	for i := range examples {
		ex := &examples[i]
		if err := x.demand(ex, "the foreteller"); err != nil {
			return err
		}
		x.order = append(x.order, carried{ex.Tokens, ex.Cutoff.Events, row(x.carry, i, x.width())})
		x.begin(x.order[i].row)
	}
	slices.SortStableFunc(x.order, func(a, b carried) int { return cmp.Compare(b.events, a.events) })
	for group := range slices.Chunk(x.order, followedTracks) {
		if err := x.walk(group); err != nil {
			return err
		}
	}
	return nil
}

// resume makes what one live journey carries the result.
func (x *expecter) resume(row []float32) {
	x.carry = append(x.carry[:0], row...)
}

func (x *expecter) observe(f func(Surprise)) { x.tell = f }

// step walks one event of a live journey.
func (x *expecter) step(token *features.Tokens, row []float32) error {
	x.order = append(x.order[:0], carried{token, 1, row})
	return x.walk(x.order)
}

func (x *expecter) score(i int) float32 { return x.trail(row(x.carry, i, x.width())).score() }

func (x *expecter) parts(i int, to []Part) []Part {
	return x.trail(row(x.carry, i, x.width())).appendParts(to, &x.eventsRead)
}

// walk walks journeys, longest first, as many steps at a time as there is room
// for.
func (x *expecter) walk(journeys []carried) error {
	states := x.session.carried(model.OutputState)
	for j := range journeys {
		copy(row(states, j, len(x.first)), x.state(journeys[j].row))
	}
	for step := 0; step < journeys[0].events; step += len(x.steps) {
		x.plan(journeys, step)
		x.pack(journeys, step)
		if err := x.session.Resume(0, x.steps); err != nil {
			return err
		}
		x.read(journeys, step)
	}
	for j := range journeys {
		copy(x.state(journeys[j].row), row(states, j, len(x.first)))
	}
	return nil
}

func (x *expecter) plan(journeys []carried, step int) {
	x.steps = x.steps[:0]
	rows, alive := 0, len(journeys)
	for {
		for alive > 0 && journeys[alive-1].events <= step+len(x.steps) {
			alive--
		}
		if alive == 0 || rows+alive > followedEvents {
			return
		}
		x.steps = append(x.steps, alive)
		rows += alive
	}
}

// pack writes the inputs of the planned steps.
func (x *expecter) pack(journeys []carried, step int) {
	at := 0
	for t, alive := range x.steps {
		for j := range alive {
			c := &journeys[j]
			last := x.last(c.row)
			copy(row(x.before, at, len(x.cells)), last)
			x.schema.TokenCells(x.cells, c.tokens, step+t, last)
			if x.kinds != nil {
				x.kinds[at] = last[0]
			}
			at++
		}
	}
}

// read takes what the planned steps have left behind.
func (x *expecter) read(journeys []carried, step int) {
	logits, at := x.session.Output(model.OutputCells), 0
	for t, alive := range x.steps {
		for j := range alive {
			x.look(&journeys[j], step+t, row(logits, at, x.logits))
			at++
		}
	}
}

// look compares event i with what was expected of it.
func (x *expecter) look(c *carried, i int, logits []float32) {
	x.schema.TokenCells(x.cells, c.tokens, i, x.event)
	worst, least, start := 0, 2.0, 0
	var expectations distribution
	for k, cell := range x.cells {
		d := distribution(x.probabilities[start:][:cell.Size])
		kernel.Softmax(d, logits[start:], 1, cell.Size)
		if p := d.tail(int(x.event[k])); p < least {
			worst, least, expectations = k, p, d
		}
		start += cell.Size
	}
	surprise := float32(-math.Log(max(atLeastOne(least, len(x.cells)), leastP)))
	t := x.trail(c.row)
	admitted := t.admits(surprise)
	if !admitted && x.tell == nil {
		return
	}
	entry := [entryWidth]float32{entryEvent: t[trailEvents] - 1, entrySurprise: surprise, entryType: x.event[0], entryCell: float32(worst), entryValue: x.event[worst]}
	entry[entryExpected] = float32(expectations.expected(x.cells[worst].Kind))
	entry[entryNumber] = x.schema.TokenNumber(x.cells[worst], c.tokens, i)
	if admitted {
		t.keep(entry)
	}
	if x.tell != nil {
		x.tell(x.surprise(entry[:]))
	}
}
