package kernel

import (
	"math"
	"slices"
	"testing"
)

// wideRange is dense around 0 and reaches past where the functions saturate,
// with every special value.
func wideRange() []float32 {
	x := []float32{0, float32(math.Copysign(0, -1)), 1e-6, -1e-6, 1e-30, -1e-30, 1e30, -1e30,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	for v := float32(-90); v < 90; v += 0.0137 {
		x = append(x, v, v/100)
	}
	return x
}

// TestFunctions compares the functions of one value with math's. Below the
// smallest normal float32 an absolute error remains.
func TestFunctions(t *testing.T) {
	tests := []struct {
		name      string
		run       func(dst, x []float32)
		reference func(x float64) float64
	}{
		{"sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{"softplus", Softplus, softplus},
		{"tanh", Tanh, math.Tanh},
	}
	x := wideRange()
	for _, test := range tests {
		want := make([]float64, len(x))
		for i, v := range x {
			want[i] = test.reference(float64(v))
		}
		onEveryPath(t, func(t *testing.T) {
			got := make([]float32, len(x))
			test.run(got, x)
			near(t, test.name, got, want, 2e-32, 1e-6)
			test.run(x[:0], nil)
		})
	}
}

// TestFunctionsAnywhere: a value's function does not depend on where it stands,
// in a whole vector or after the last.
func TestFunctionsAnywhere(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for name, run := range map[string]func(dst, x []float32){"sigmoid": Sigmoid, "softplus": Softplus, "tanh": Tanh} {
			x := random(seeded(1), 67)
			all := make([]float32, len(x))
			run(all, x)
			for first := range x {
				part := make([]float32, len(x)-first)
				run(part, x[first:])
				if !slices.Equal(part, all[first:]) {
					t.Fatalf("%s of values %d and on gives other bits alone", name, first)
				}
			}
		}
	})
}

func TestExpOfNegatives(t *testing.T) {
	var x []float32
	var want []float64
	for v := float32(-100); v <= 3; v += 0.0137 {
		x, want = append(x, v), append(want, math.Exp(float64(v-3)))
	}
	onEveryPath(t, func(t *testing.T) {
		got := make([]float32, len(x))
		active.exp(got, x, 3)
		near(t, "exp", got, want, 2e-32, 1e-6)
	})
}

func softplus(z float64) float64 { return math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }
