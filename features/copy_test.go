package features

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A copied encoder goes on as the one it was copied from, whatever it held
// before, and leaves that one alone.
func TestCopyFrom(t *testing.T) {
	for _, options := range []Options{{}, {Tail: 3}} {
		s, journeys, cuts := fitShop(t, options, 200)
		r := rand.New(rand.NewPCG(3, 5))
		from, to, whole := s.NewEncoder(), s.NewEncoder(), s.NewEncoder()
		for i, j := range journeys {
			at := r.IntN(len(j.Events) + 1)
			other := journeys[r.IntN(len(journeys))]
			to.EncodeJourney(other, Cutoff{Events: len(other.Events)}, &Example{})
			from.EncodeJourney(j, Cutoff{Time: at0, Events: at}, &Example{})
			to.CopyFrom(from)
			var want, got, before, after Example
			from.Encode(cuts[i].Time, &before)
			for k := at; k < len(j.Events); k++ {
				to.Append(&j.Events[k])
			}
			to.Encode(cuts[i].Time, &got)
			from.Encode(cuts[i].Time, &after)
			whole.EncodeJourney(j, Cutoff{Time: cuts[i].Time, Events: len(j.Events)}, &want)
			if !same(&got, &want) || !same(&before, &after) {
				t.Fatalf("journey %d copied after %d of %d events ends differently", i, at, len(j.Events))
			}
			if len(j.Events) > 0 {
				var a, b Tokens
				to.AppendToken(&a)
				whole.AppendToken(&b)
				if !slices.Equal(a.IDs, b.IDs) || !sameBits(a.Values, b.Values) {
					t.Fatalf("journey %d copied after %d events ends with another token", i, at)
				}
			}
		}
	}
}

func TestCopyFromAnotherSchemaPanics(t *testing.T) {
	a, _, _ := fitShop(t, Options{}, 20)
	b, _, _ := fitShop(t, Options{}, 20)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	a.NewEncoder().CopyFrom(b.NewEncoder())
}
