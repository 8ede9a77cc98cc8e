package kernel

import (
	"math"
	"testing"
)

func TestMeanMembers(t *testing.T) {
	x := []float32{1, 10, 2, 20, 3, 60 /* second row */, 0, 0, 0, 0, 3, -3} // (2, 3, 2)
	got := make([]float32, 4)
	MeanMembers(got, x, 2, 3, 2)
	near(t, "mean", got, []float64{2, 30, 1, -1}, 1, 1e-6)
	onEveryPath(t, func(t *testing.T) { // one target: members lie side by side
		const rows, members = 5, 19
		x, got, want := random(seeded(1), rows*members), make([]float32, rows), make([]float64, rows)
		for i, v := range x {
			want[i/members] += float64(v) / members
		}
		MeanMembers(got, x, rows, members, 1)
		near(t, "mean", got, want, 1, 1e-6)
	})
}

func TestTemper(t *testing.T) {
	p := []float32{0.5, 0.9, 0.1, 0.2, 0, 1}
	temperature := []float32{1, 2}
	got := make([]float32, len(p))
	Temper(got, p, temperature, 3, 2)
	for i, v := range p {
		q := math.Min(math.Max(float64(v), Tiny), 1-Tiny)
		want := 1 / (1 + math.Pow((1-q)/q, 1/float64(temperature[i%2])))
		if math.Abs(float64(got[i])-want) > 1e-6 {
			t.Errorf("%v at temperature %v is %v, want %v", v, temperature[i%2], got[i], want)
		}
	}
}
