package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// onEveryPath runs a test once for each path that the machine has.
func onEveryPath(t *testing.T, test func(t *testing.T)) {
	before := active
	defer func() { active = before }()
	for _, p := range paths() {
		active = p
		t.Run(p.name, test)
	}
}

// random returns n values of the standard normal distribution.
func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func clone(x []float32) []float32 { return append([]float32(nil), x...) }

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// near fails unless got equals want to within tolerance, relative to scale or
// to want where that is larger.
func near(t *testing.T, what string, got []float32, want []float64, scale, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d values, want %d", what, len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if math.IsNaN(w) && math.IsNaN(float64(g)) || float64(g) == w {
			continue
		}
		if d := math.Abs(float64(g) - w); !(d <= tolerance*math.Max(scale, math.Abs(w))) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, g, w)
		}
	}
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// firstDifference is the index of the first value whose bits differ.
func firstDifference(a, b []float32) int {
	i := 0
	for sameBits(a[i], b[i]) {
		i++
	}
	return i
}
