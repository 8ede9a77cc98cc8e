package kernel

import (
	"strings"
	"testing"
)

func TestChoosePath(t *testing.T) {
	fast, slow := &path{name: "fast"}, &path{name: "slow"}
	tests := []struct{ wish, want, err string }{
		{"", "fast", ""},
		{"fast", "fast", ""},
		{"slow", "slow", ""},
		{"quick", "fast", `kernel: MOMENTS_KERNEL is "quick", want one of [fast slow] on this machine; using fast`},
	}
	for _, test := range tests {
		got, err := choose(test.wish, []*path{fast, slow})
		if got.name != test.want {
			t.Errorf("%q chooses %s, want %s", test.wish, got.name, test.want)
		}
		if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%q: error %v, want %q", test.wish, err, test.err)
		}
	}
}

func TestPathIsSupported(t *testing.T) {
	if PathError() != nil {
		t.Skip(PathError())
	}
	for _, p := range paths() {
		if p.name == Path() {
			return
		}
	}
	t.Errorf("path %s is none of the machine's", Path())
}

// TestShortOperands: a slice too short for the stated shape panics with its
// name and length, before anything is written.
func TestShortOperands(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	tests := []struct {
		want string
		call func()
	}{
		{"gemm: a has 5 values, want 6", func() { new(Workspace).Gemm(false, false, 2, 2, 3, f(5), 3, f(6), 2, f(4), 2, nil, Identity, false) }},
		{"gemm: b has 5 values, want 6", func() { new(Workspace).Gemm(false, true, 2, 2, 3, f(6), 3, f(5), 3, f(4), 2, nil, Identity, false) }},
		{"gemm: c has 7 values, want 8", func() { new(Workspace).Gemm(false, false, 2, 2, 3, f(6), 3, f(6), 2, f(7), 6, nil, Identity, false) }},
		{"gemm: bias has 1 values, want 2", func() { new(Workspace).Gemm(false, false, 2, 2, 3, f(6), 3, f(6), 2, f(4), 2, f(1), Identity, false) }},
		{"row stride 2", func() { new(Workspace).Gemm(false, false, 2, 2, 3, f(6), 2, f(6), 2, f(4), 2, nil, Identity, false) }},
		{"gemm parts: a right operand has depth 2, want 3 as the first", func() {
			var b, short Packed
			Pack(&b, false, 2, 3, f(6), 2)
			Pack(&short, false, 2, 2, f(4), 2)
			new(Workspace).GemmParts(false, 2, f(6), 3, Part{B: &b, C: f(4), Ldc: 2}, Part{B: &short, C: f(4), Ldc: 2})
		}},
		{"axpy: x has 1 values, want 2", func() { Axpy(f(2), 1, f(1)) }},
		{"adamw: gradient has 3 values, want 4", func() { AdamW(f(4), f(4), f(4), [][]float32{f(4), f(3)}, AdamWParams{}) }},
		{"adamw: average has 3 values, want 4", func() { AdamW(f(4), f(4), f(4), nil, AdamWParams{Average: f(3)}) }},
		{"add squared norm: x has 1 values, want 2", func() { AddSquaredNorm(f(2), f(1)) }},
		{"dropout: x has 3 values, want 4", func() { Dropout(f(4), f(3), 0.5, 1) }},
		{"dropout: rate is 1, want", func() { Dropout(f(4), f(4), 1, 1) }},
		{"gru: gates has 7 values, want 8", func() { GRUStep(f(2), f(7), 8, f(2), 1, 2) }},
		{"softmax cross entropy: classes has 1 values, want 2", func() { SoftmaxCrossEntropy(f(4), f(4), f(1), nil, 2, 2) }},
		{"mean of members: x has 11 values, want 12", func() { MeanMembers(f(4), f(11), 2, 3, 2) }},
		{"temper: temperature has 1 values, want 2", func() { Temper(f(4), f(4), f(1), 2, 2) }},
		{"layer norm: saved has 3 values, want 4", func() { LayerNorm(f(4), f(3), f(4), f(2), f(2), 2, 2, 1e-5, new(Workspace)) }},
		{"batch norm: moments has 3 values, want 4", func() { BatchNorm(f(4), f(3), f(4), f(2), f(2), nil, 2, 2, 1e-5, new(Workspace)) }},
		{"gather: offsets has 1 values, want 2", func() { Gather(f(4), f(2), f(4), 1, 2, 2, []int{0}) }},
		{"squared error: row weights has 1 values, want 2", func() { SquaredError(f(4), f(4), f(4), f(1), 2, 2) }},
		{"piecewise linear: edges has 4 values, want 6", func() {
			PiecewiseLinear(f(8), f(2), f(4), f(4), f(4), f(8), 1, 2, 2, 2, new(Workspace))
		}},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			defer func() {
				got, _ := recover().(string)
				if !strings.HasPrefix(got, "kernel: ") || !strings.Contains(got, test.want) {
					t.Errorf("panic %q, want one with %q", got, test.want)
				}
			}()
			test.call()
		})
	}
}
