package infer

import (
	"cmp"
	"math"
	"slices"

	"moments/features"
	"moments/model"
)

// A foreteller says what event comes next after a state: the mean of what its
// networks say.
type foreteller struct {
	networks []*recurrent
	sessions []*Session
	logits   [][]float32
}

func newForeteller(networks []*recurrent) *foreteller {
	f := &foreteller{networks: networks}
	for _, r := range networks {
		s := r.next.NewJourneySession(1, 1)
		f.sessions, f.logits = append(f.sessions, s), append(f.logits, s.Output(model.OutputNextType))
	}
	return f
}

// likelihoods returns the probability of every type's id after states (S).
func (f *foreteller) likelihoods(states []float32) ([]float64, error) {
	sum := make([]float64, len(f.logits[0]))
	for i, r := range f.networks {
		copy(f.sessions[i].Input(inputState), states[r.at:][:r.width])
		if err := f.sessions[i].RunJourneys(0, []int{1}); err != nil {
			return nil, err
		}
		total, most := 0.0, float64(slices.Max(f.logits[i]))
		for _, x := range f.logits[i] {
			total += math.Exp(float64(x) - most)
		}
		for id, x := range f.logits[i] {
			sum[id] += math.Exp(float64(x)-most) / total / float64(len(f.networks))
		}
	}
	return sum, nil
}

// suggest scores what would be if each of the likeliest events came next.
func (x *explainer) suggest() ([]Suggestion, error) {
	states, err := x.foretellingStates()
	if err != nil {
		return nil, err
	}
	likelihoods, err := newForeteller(x.foretelling).likelihoods(states)
	if err != nil {
		return nil, err
	}
	types := x.bundle.Schema.Types
	next := make([]Suggestion, len(types))
	for k, name := range types {
		next[k] = Suggestion{Type: name, Likelihood: likelihoods[features.FirstKnownID+k]}
	}
	slices.SortStableFunc(next, func(a, b Suggestion) int { return cmp.Compare(b.Likelihood, a.Likelihood) })
	next = next[:min(len(next), x.options.Next)]
	return next, x.scoreSuggestions(next)
}

// foretellingStates are the states after the last event.
func (x *explainer) foretellingStates() ([]float32, error) {
	if x.follow != nil {
		return row(x.states, len(x.events)-x.from, x.follow.width), nil
	}
	f := newFollower(x.bundle.Schema, x.foretelling)
	states := make([]float32, f.width)
	return states, f.walk([]track{{tokens: x.tokens, reads: []reading{{x.tokens.Events, states}}}})
}

// scoreSuggestions lets each suggested event happen at the cutoff.
func (x *explainer) scoreSuggestions(next []Suggestion) error {
	rows := make([]int, len(next))
	for k := range next {
		last := &x.events[len(x.events)-1]
		event := features.Event{Time: x.cutoff.Time, Offset: last.Offset, Type: next[k].Type}
		for i := range slices.Backward(x.events) {
			if x.events[i].Type == event.Type {
				event.Values = x.events[i].Values
				break
			}
		}
		var err error
		if rows[k], err = x.variants.add(x.prefix(x.encoder, len(x.events)), []features.Event{event}, x.cutoff.Time); err != nil {
			return err
		}
	}
	if err := x.variants.flush(); err != nil {
		return err
	}
	for k := range next {
		next[k].Probability = slices.Clone(x.variants.row(rows[k]))
	}
	return nil
}
