package testbundle

import (
	"slices"
	"testing"

	"moments/infer"
	"moments/weights"
)

// A bundle survives its file, scores, and another seed scores differently.
func TestBundle(t *testing.T) {
	var probabilities [2][]float32
	for seed := range probabilities {
		dir := t.TempDir() + "/bundle"
		Save(t, uint64(seed), dir)
		b, err := weights.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := infer.NewScorer(b, infer.ScorerOptions{Reasons: 2})
		if err != nil {
			t.Fatal(err)
		}
		j := &Journeys(5, 20)[7]
		score, err := s.ScoreJourney(j, Cutoff(j))
		if err != nil || len(score.Probabilities) != 2 || !(score.Anomaly > 0) || len(score.Reasons) == 0 {
			t.Fatalf("got %+v, %v", score, err)
		}
		probabilities[seed] = score.Probabilities
	}
	if slices.Equal(probabilities[0], probabilities[1]) {
		t.Errorf("both seeds score %v", probabilities[0])
	}
}
