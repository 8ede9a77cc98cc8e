package weights

import (
	"cmp"
	"fmt"

	"moments/features"
)

// A Transition is how often a type followed the two before it in training: the
// counts of a Markov chain of order 2. Types are vocabulary ids; before the
// first events of a journey stands [features.MissingID].
type Transition struct {
	Before [2]int32 // the event before the last, and the last
	Type   int32
	Count  float32 // whole
}

// CompareTransitions orders transitions by what came before, the earlier first,
// and by type.
func CompareTransitions(a, b Transition) int {
	return cmp.Or(cmp.Compare(a.Before[0], b.Before[0]), cmp.Compare(a.Before[1], b.Before[1]), cmp.Compare(a.Type, b.Type))
}

// transitionsTensor is (n, 4): a row for each transition.
func transitionsTensor(transitions []Transition) Tensor {
	t := Tensor{Shape: []int{len(transitions), 4}}
	for _, h := range transitions {
		t.Data = append(t.Data, float32(h.Before[0]), float32(h.Before[1]), float32(h.Type), h.Count)
	}
	return t
}

func readTransitions(t Tensor) ([]Transition, error) {
	if len(t.Shape) != 2 || t.Shape[1] != 4 {
		return nil, fmt.Errorf("%s has shape %v, want rows of 4", tensorTransitions, t.Shape)
	}
	transitions := make([]Transition, t.Shape[0])
	for i := range transitions {
		row := t.Data[4*i:][:4]
		for _, x := range row {
			if !(x >= 0 && x <= maxID) || x != float32(int32(x)) {
				return nil, fmt.Errorf("%s has %v in row %d, want whole numbers from 0 to %d", tensorTransitions, x, i, maxID)
			}
		}
		transitions[i] = Transition{[2]int32{int32(row[0]), int32(row[1])}, int32(row[2]), row[3]}
	}
	return transitions, nil
}

// checkTransitions demands transitions between types that the schema has, each once
// and in order.
func (b *Bundle) checkTransitions() error {
	for i, h := range b.Reference.Transitions {
		for _, id := range []int32{h.Before[0], h.Before[1], h.Type} {
			if id < 0 || int(id) >= len(b.Schema.Types)+features.FirstKnownID {
				return fmt.Errorf("weights: transition %d has type %d, the schema has %d", i, id, len(b.Schema.Types)+features.FirstKnownID)
			}
		}
		if !(h.Count >= 1 && h.Count <= maxID) || h.Count != float32(int32(h.Count)) {
			return fmt.Errorf("weights: transition %d was seen %v times, want a whole number from 1 to %d", i, h.Count, maxID)
		}
		if i > 0 && CompareTransitions(b.Reference.Transitions[i-1], h) >= 0 {
			return fmt.Errorf("weights: transition %d does not come after the one before", i)
		}
	}
	if len(b.Reference.Transitions) > 0 && b.Schema.TokenNormalizer == nil {
		return fmt.Errorf("weights: %d transitions, and a schema that was not fitted to events", len(b.Reference.Transitions))
	}
	return nil
}
