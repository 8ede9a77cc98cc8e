package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The expected values were worked out by hand from the definitions.
func TestSmallSets(t *testing.T) {
	p := []float32{0.9, 0.8, 0.7, 0.6, 0.55, 0.54, 0.53, 0.52, 0.51, 0.505}
	y := []float32{1, 1, 0, 1, 1, 1, 0, 0, 1, 0}
	for _, row := range []struct {
		name      string
		got, want float64
	}{
		// 24 pairs; a positive stands below a negative in 1+1+1+3 of them.
		{"auroc", AUROC(p, y), 18.0 / 24},
		{"auprc", AUPRC(p, y), (1 + 1 + 3.0/4 + 4.0/5 + 5.0/6 + 6.0/9) / 6},
		{"brier", Brier([]float32{0.5, 1}, []float32{1, 1}), 0.125},
		{"log-loss", LogLoss([]float32{0.5, 0.25}, []float32{1, 0}), -(math.Log(0.5) + math.Log(0.75)) / 2},
		{"lift", Lift(p, y, 0.2), 1 / 0.6},
		{"auroc of all ties", AUROC([]float32{1, 1, 1}, []float32{0, 1, 0}), 0.5},
		{"ece of two bins", ECE([]float32{0.75, 0.75, 0.25, 0.25}, []float32{1, 1, 0, 0}, 2), 0.25},
	} {
		if math.Abs(row.got-row.want) > 1e-7 {
			t.Errorf("%s is %g, want %g", row.name, row.got, row.want)
		}
	}
	if v := AUROC([]float32{0.1, 0.2}, []float32{1, 1}); !math.IsNaN(v) {
		t.Errorf("AUROC of one class is %g, want NaN", v)
	}
}

// TestAUROCAgainstPairs compares with the definition, a count over all pairs.
func TestAUROCAgainstPairs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		p, y := make([]float32, 60), make([]float32, 60)
		for i := range p {
			p[i], y[i] = float32(random.IntN(10))/10, float32(random.IntN(2))
		}
		var wins, pairs float64
		for i := range p {
			for j := range p {
				if y[i] == 1 && y[j] == 0 {
					pairs++
					if p[i] > p[j] {
						wins++
					} else if p[i] == p[j] {
						wins += 0.5
					}
				}
			}
		}
		if got, want := AUROC(p, y), wins/pairs; math.Abs(got-want) > 1e-12 {
			t.Fatalf("AUROC is %g, want %g", got, want)
		}
	}
}

func ExampleScore() {
	s := Score([]float32{0.9, 0.6, 0.4, 0.1}, []float32{1, 0, 1, 0})
	fmt.Printf("AUROC %.2f, log-loss %.3f, Brier %.3f\n", s.AUROC, s.LogLoss, s.Brier)
	// Output: AUROC 0.75, log-loss 0.511, Brier 0.185
}

func TestFlagsAreCounted(t *testing.T) {
	flags, y := []float32{1, 1, 1, 0, 0, 0, 0, 0}, []float32{1, 1, 0, 1, 1, 0, 0, 0}
	for name, test := range map[string]struct{ got, want float64 }{
		"precision": {Precision(flags, y), 2. / 3}, "recall": {Recall(flags, y), 0.5}, "false alarms": {FalseAlarms(flags, y), 0.25},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
	if p := Precision(make([]float32, 8), y); !math.IsNaN(p) {
		t.Errorf("precision without a flag is %v, want none", p)
	}
}
