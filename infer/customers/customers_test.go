package customers

import (
	"testing"

	"moments/infer/internal/testbundle"
)

// A journey that is appended event by event, by parts of the process's life,
// scores as the whole one does, to the bit.
func TestStoredJourneysScoreAsWholeOnes(t *testing.T) {
	sc, dir := newScorer(t, 1), t.TempDir()
	journeys := testbundle.Journeys(5, 30)
	journeys = append(journeys, *longJourney("long", 300))
	s := open(t, dir, Options{})
	for i := range journeys {
		j := journeys[i]
		all := j.Events
		for k := range all {
			j.Events = all[:k+1]
			r := Request{Customer: j.Customer, Events: all[k : k+1], At: all[k].Time}
			if k == 0 {
				r.Profile = j.Profile
			}
			got := appendTo(t, s, sc, r)
			if want := whole(t, sc, &j, all[k].Time); !same(&got.Score, &want) || got.Info.Events != k+1 || got.Stored != 1 {
				t.Fatalf("customer %s after %d events: got %+v, want %+v", j.Customer, k+1, got, want)
			}
		}
	}
	for range 2 {
		shut(t, s)
		s = open(t, dir, Options{})
		for i := range journeys {
			if len(journeys[i].Events) > 0 {
				checkScore(t, s, sc, &journeys[i])
				checkJourney(t, s, sc, &journeys[i])
			}
		}
	}
}
