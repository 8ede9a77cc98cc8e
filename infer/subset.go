package infer

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"moments/features"
)

// subsets are the variants of a journey in which some of the events from first
// on are missing.
type subsets struct {
	*variants
	events []features.Event
	from   prefix // the events that never miss
	at     int64  // the cutoff
	kept   []features.Event
}

// newSubsets reads the journey's first events anew.
func (x *explainer) newSubsets(first int) *subsets {
	e := x.bundle.Schema.NewEncoder()
	e.Start(x.journey.Profile)
	for i := range x.events[:first] {
		e.Append(&x.events[i])
	}
	return &subsets{variants: x.variants, events: x.events, from: x.prefix(e, first), at: x.cutoff.Time}
}

// add adds the journey with the events that are present, counted from the first
// that may miss, and returns its row.
func (s *subsets) add(present []bool) (int, error) {
	s.kept = s.kept[:0]
	for i, is := range present {
		if is {
			s.kept = append(s.kept, s.events[s.from.events+i])
		}
	}
	from := s.from
	if len(present) > 0 && present[0] {
		from.began = nil // the journey begins with it still
	}
	return s.variants.add(from, s.kept, s.at)
}

// alone scores the journey with each of the last events and none of the others.
func (x *explainer) alone(e *Explanation) error {
	first := len(x.events) - min(x.options.Last, len(x.events))
	subset, present := x.newSubsets(first), make([]bool, len(x.events)-first)
	none, err := subset.add(present)
	for k := range present {
		if err != nil {
			return err
		}
		present[k] = true
		_, err = subset.add(present)
		present[k] = false
	}
	if err == nil {
		err = x.variants.flush()
	}
	if err != nil {
		return err
	}
	for k := range present {
		alone := make([]float64, len(e.Targets))
		for t := range alone {
			alone[t] = float64(x.variants.row(none + 1 + k)[t]) - float64(x.variants.row(none)[t])
		}
		e.Events[first+k].Alone = alone
	}
	return nil
}

// Attribution names what [Explanation.Order] goes by.
type Attribution int

// The attributions of an EventMoment.
const (
	ByImpact Attribution = iota
	ByShapley
	ByGradient
	ByBoth // the mean of Impact and Alone, which knows both what only this event says and what others say too
)

// Order ranks events by what they did to a target, the largest rise first and
// the largest fall last. Events without the attribution are left out, and
// equals keep their order.
func (e *Explanation) Order(by Attribution, target int) []int {
	of := func(i int) float64 {
		m := &e.Events[i]
		values := [...][]float64{m.Impact, m.Shapley, m.Gradient, m.Alone}[by]
		if values == nil {
			return math.NaN()
		}
		if by == ByBoth {
			return (m.Impact[target] + m.Alone[target]) / 2
		}
		return values[target]
	}
	var order []int
	for i := range e.Events {
		if !math.IsNaN(of(i)) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(of(j), of(i)) })
	return order
}

// Deletion scores a journey at the cutoff while events are taken away one after
// the other in an order: row i, by target, is without the first i of them (Petsiuk et al., RISE,
// BMVC 2018). The earlier the curve falls, the better an order from rises to
// falls knows what drives the score.
func (s *Scorer) Deletion(j *features.Journey, c features.Cutoff, order []int) ([][]float32, error) {
	return s.curve(j, c, order, true)
}

// Insertion is [Scorer.Deletion] the other way round: row i is the journey with
// the first i events of the order, and without the others of the order.
func (s *Scorer) Insertion(j *features.Journey, c features.Cutoff, order []int) ([][]float32, error) {
	return s.curve(j, c, order, false)
}

// curve starts with all events of the order present, or with none.
func (s *Scorer) curve(j *features.Journey, c features.Cutoff, order []int, present bool) (curve [][]float32, err error) {
	var o ExplainOptions
	if err := o.complete(s); err != nil {
		return nil, err
	}
	w := s.workers.Get().(*worker)
	defer s.workers.Put(w)
	err = w.explainWith(j, c, o, func(x *explainer) error {
		first, err := x.firstOf(order)
		if err != nil {
			return err
		}
		x.options.Course = len(x.events) - first
		if err := x.walkCourse(); err != nil {
			return err
		}
		subset, is := x.newSubsets(first), slices.Repeat([]bool{true}, len(x.events)-first)
		for _, i := range order {
			is[i-first] = present
		}
		rows := make([]int, 1+len(order))
		for k := range rows {
			if k > 0 {
				is[order[k-1]-first] = !present
			}
			if rows[k], err = subset.add(is); err != nil {
				return err
			}
		}
		if err := x.variants.flush(); err != nil {
			return err
		}
		for _, row := range rows {
			curve = append(curve, slices.Clone(x.variants.row(row)))
		}
		return nil
	})
	return curve, err
}

// firstOf is the earliest event of an order, which must name each at most once.
func (x *explainer) firstOf(order []int) (int, error) {
	first, met := len(x.events), make([]bool, len(x.events))
	for _, i := range order {
		if i < 0 || i >= len(x.events) || met[i] {
			return 0, fmt.Errorf("infer: order %v of events, want each of 0 to %d at most once", order, len(x.events)-1)
		}
		met[i] = true
		first = min(first, i)
	}
	return first, nil
}
