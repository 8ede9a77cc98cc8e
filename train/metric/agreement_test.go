package metric

import (
	"math"
	"testing"
)

// Expected values by hand; tau-b and D with ties as in scipy.stats.kendalltau and
// scipy.stats.somersd.
func TestAgreement(t *testing.T) {
	for _, row := range []struct {
		name                string
		x, y                []float64
		correlation, tau, d float64
	}{
		{"the same", []float64{1, 2, 3}, []float64{2, 4, 6}, 1, 1, 1},
		{"the reverse", []float64{1, 2, 3}, []float64{3, 2, 1}, -1, -1, -1},
		{"one pair swapped", []float64{1, 2, 3}, []float64{1, 3, 2}, 0.5, 1. / 3, 1. / 3},
		{"ties", []float64{1, 1, 2, 3}, []float64{1, 2, 2, 3}, 2 / math.Sqrt(5.5), 0.8, 0.8},
		{"ties of the first", []float64{0, 0, 0, 1}, []float64{1, 2, 3, 4}, 3 / math.Sqrt(15), math.Sqrt(0.5), 1},
		{"no variation", []float64{1, 1}, []float64{1, 2}, math.NaN(), math.NaN(), math.NaN()},
	} {
		same := func(got, want float64) bool { return math.Abs(got-want) < 1e-9 || math.IsNaN(got) && math.IsNaN(want) }
		if got := Correlation(row.x, row.y); !same(got, row.correlation) {
			t.Errorf("%s: correlation %g, want %g", row.name, got, row.correlation)
		}
		if got := KendallTau(row.x, row.y); !same(got, row.tau) {
			t.Errorf("%s: tau %g, want %g", row.name, got, row.tau)
		}
		if got := SomersD(row.x, row.y); !same(got, row.d) {
			t.Errorf("%s: D %g, want %g", row.name, got, row.d)
		}
	}
}
