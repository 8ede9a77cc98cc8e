package train

import (
	"cmp"
	"slices"

	"moments/features"
	"moments/model"
)

// Bounds of what a network sees of a journey while it trains. When it scores it
// sees the whole.
const (
	mostEvents = 256 // the last events before a cut
	mostCuts   = 8   // cuts of the same journey that are trained on at once
)

// journeyMicro is the number of stretches in a micro-batch.
const journeyMicro = 32

// A stretch is a part of a journey, and the examples that are cut within it.
type stretch struct {
	first, events int   // rows of its events in the journeys' inputs
	cuts          []cut // latest first
}

// A cut is an example.
type cut struct {
	example int // row of the table
	event   int // the last event that it sees, counted in the stretch; -1 for none
}

// journeys hold the normalised events of one split and the stretches that the
// table's examples are cut from.
type journeys struct {
	events    map[string][]float32 // by input name, (events, width)
	nextType  []float32            // (events): the type of the next event of the journey
	nextGap   []float32            // (events): the normalised time until it
	stretches []stretch
}

// newJourneys gathers the journeys of examples, which the table holds in the
// same order.
func newJourneys(s *features.Schema, examples []features.Example) *journeys {
	j := &journeys{events: map[string][]float32{}}
	byTokens, order := map[*features.Tokens][]cut{}, []*features.Tokens{}
	for i := range examples {
		t := examples[i].Tokens
		if byTokens[t] == nil {
			order = append(order, t)
		}
		byTokens[t] = append(byTokens[t], cut{i, examples[i].Cutoff.Events - 1})
	}
	for _, t := range order {
		cuts := byTokens[t]
		slices.SortStableFunc(cuts, func(a, b cut) int { return cmp.Compare(b.event, a.event) })
		for len(cuts) > 0 {
			cuts = cuts[j.add(s, t, cuts):]
		}
	}
	return j
}

// add adds the stretch that ends with the first of the cuts, latest first, and
// returns how many of them lie within it.
func (j *journeys) add(s *features.Schema, t *features.Tokens, cuts []cut) int {
	end := cuts[0].event + 1
	start := max(0, end-mostEvents)
	n := 1
	for n < min(len(cuts), mostCuts) && (cuts[n].event >= start || start == 0) {
		n++
	}
	numeric, binary, cardinalities, _ := s.TokenTable()
	first := len(j.nextType)
	j.stretches = append(j.stretches, stretch{first: first, events: end - start})
	st := &j.stretches[len(j.stretches)-1]
	for _, c := range cuts[:n] {
		st.cuts = append(st.cuts, cut{c.example, c.event - start})
	}
	for i := start; i < end; i++ {
		s.NormalizeToken(t, i, j.room(model.InputEventNumeric, numeric), j.room(model.InputEventBinary, binary), j.room(model.InputEventCategory, len(cardinalities)))
	}
	j.foretell(first, end-start, numeric, len(cardinalities))
	return n
}

// room appends one row to an input.
func (j *journeys) room(name string, width int) []float32 {
	x := append(j.events[name], make([]float32, width)...)
	j.events[name] = x
	return x[len(x)-width:]
}

// foretell notes of each event what follows it. The time since the previous
// event is the first number of a token, where it varies at all.
func (j *journeys) foretell(first, events, numeric, categories int) {
	for i := range events {
		kind, gap := float32(-1), float32(0)
		if i+1 < events {
			kind = j.events[model.InputEventCategory][(first+i+1)*categories]
			if numeric > 0 {
				gap = j.events[model.InputEventNumeric][(first+i+1)*numeric]
			}
		}
		j.nextType, j.nextGap = append(j.nextType, kind), append(j.nextGap, gap)
	}
}

// longest is the most events of a stretch.
func (j *journeys) longest() int {
	most := 0
	for i := range j.stretches {
		most = max(most, j.stretches[i].events)
	}
	return most
}

// following is the problem of a network that follows journeys: a classification
// whose rows are stretches of journeys, each with its examples.
type following struct {
	*classification
	training, validating *journeys
	next                 float32 // weight of what is said of the next event
}

func (f *following) size() int         { return len(f.training.stretches) }
func (f *following) learns() objective { return journeyLoss(f.graph, true) }

func (f *following) room(n int) rows    { return roomFor(n, f.training, f.validating) }
func (f *following) arrange(rows []int) { f.training.arrange(rows) }

// roomFor is what micro-batches of so many stretches need.
func roomFor(stretches int, training, validating *journeys) rows {
	return rows{batch: stretches * mostCuts, events: stretches * max(training.longest(), validating.longest()), steps: []int{}}
}

// arrange sorts stretches by length, so that the journeys of a micro-batch end
// at about the same step.
func (j *journeys) arrange(rows []int) {
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(j.stretches[b].events, j.stretches[a].events) })
}

// byLength are all stretches, the longest first.
func (j *journeys) byLength() []int {
	order := make([]int, len(j.stretches))
	for i := range order {
		order[i] = i
	}
	j.arrange(order)
	return order
}

// fill shares the weight of an example out among the events of its stretch.
func (f *following) fill(l *lane, rows []int) float64 {
	l.pack(f.training, f.train, rows)
	sum := f.label(l, l.examples)
	l.foretell(f.training, rows, func(s *stretch) float32 { return f.next * float32(len(s.cuts)) / float32(s.events) })
	return sum
}

// foretell sets what the packed events are to say of the next, and returns the
// sum of what that weighs.
func (l *lane) foretell(j *journeys, rows []int, weigh func(*stretch) float32) (sum float64) {
	next, gap, weights := l.inputs[leafNextType], l.inputs[leafNextGap], l.inputs[leafNextWeights]
	l.eachEvent(j, rows, func(row, event int, s *stretch) {
		next[row], gap[row] = max(j.nextType[event], 0), j.nextGap[event]
		weights[row] = 0
		if j.nextType[event] >= 0 {
			weights[row] = weigh(s)
			sum += float64(weights[row])
		}
	})
	return sum
}

// pack makes stretches, longest first, the lane's micro-batch, and the examples
// cut from them.
func (l *lane) pack(j *journeys, t *table, stretches []int) {
	l.steps, l.events = l.steps[:0], 0
	for step := 0; ; step++ {
		count := 0
		for count < len(stretches) && j.stretches[stretches[count]].events > step {
			count++
		}
		if count == 0 {
			break
		}
		l.steps, l.events = append(l.steps, count), l.events+count
	}
	for _, in := range l.fed {
		if in.Shape[0] != model.Events {
			continue
		}
		to, from, width := l.inputs[in.Name], j.events[in.Name], in.Width()
		l.eachEvent(j, stretches, func(at, event int, _ *stretch) { copy(row(to, at, width), row(from, event, width)) })
	}
	l.examples = l.examples[:0]
	at := l.inputs[model.InputRow]
	if at == nil {
		return // no example is read
	}
	for slot, i := range stretches {
		for _, c := range j.stretches[i].cuts {
			at[len(l.examples)] = -1
			if c.event >= 0 {
				at[len(l.examples)] = float32(l.rowOfEvent(c.event) + slot)
			}
			l.examples = append(l.examples, c.example)
		}
	}
	l.copyInputs(t, l.examples)
}

// rowOfEvent is the row at which a step of the packed events starts.
func (l *lane) rowOfEvent(step int) int {
	row := 0
	for _, count := range l.steps[:step] {
		row += count
	}
	return row
}

// eachEvent calls f with the row of every packed event and its own row among
// the journeys' events.
func (l *lane) eachEvent(j *journeys, stretches []int, f func(row, event int, s *stretch)) {
	row := 0
	for step, count := range l.steps {
		for slot := range count {
			s := &j.stretches[stretches[slot]]
			f(row+slot, s.first+step, s)
		}
		row += count
	}
}

// validate is classification's, over journeys.
func (f *following) validate(predict *crew) (float64, error) {
	return f.judge(f.probabilities(predict, f.validation))
}

// probabilities predicts every example of the validation split, (rows, T).
func (f *following) probabilities(predict *crew, t *table) ([]float32, error) {
	j := f.validating
	order := j.byLength()
	p := make([]float32, t.rows*f.targets)
	err := predict.each(func(lane int, l *lane) error {
		most := l.most.batch / mostCuts
		for start := lane * most; start < len(order); start += most * len(predict.lanes) {
			l.pack(j, t, order[start:min(start+most, len(order))])
			if err := l.run(); err != nil {
				return err
			}
			for k, v := range l.outputs[model.OutputProbability].values() {
				p[l.examples[k/f.targets]*f.targets+k%f.targets] = v
			}
		}
		return nil
	})
	return p, err
}
