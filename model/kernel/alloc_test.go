package kernel

import "testing"

// TestNothingIsAllocated: after a first call, which grows the workspace, no
// kernel allocates.
func TestNothingIsAllocated(t *testing.T) {
	const m, n, k = 40, 70, 50
	r := seeded(1)
	a, b, c := random(r, m*k), random(r, k*n), make([]float32, m*n)
	bias, sums := random(r, n), make([]float32, n)
	var w Workspace
	var packed, column Packed
	var pieces PieceTable
	Pack(&packed, false, n, k, b, n)
	Pack(&column, false, 1, k, b, 1)
	p := newPLE(r, 20, 3, 5, 16)
	y := make([]float32, 20*3*16)
	grads := [][]float32{a}
	calls := map[string]func(){
		"gemm":                func() { w.Gemm(false, false, m, n, k, a, k, b, n, c, n, bias, ReLU, false) },
		"gemm, transposed":    func() { w.Gemm(true, true, m, n, k, a, m, b, k, c, n, bias, ReLU, true) },
		"gemm, one row":       func() { w.Gemm(false, false, 1, n, k, a, k, b, n, c, n, bias, ReLU, false) },
		"gemm, one column":    func() { w.Gemm(false, false, m, 1, k, a, k, b, 1, c, 1, bias, ReLU, false) },
		"packed":              func() { w.GemmPacked(false, m, a, k, &packed, c, n, bias, ReLU, false) },
		"packed, one row":     func() { w.GemmPacked(false, 1, a, k, &packed, c, n, bias, ReLU, false) },
		"packed, one column":  func() { w.GemmPacked(true, m, a, m, &column, c, 1, nil, Identity, false) },
		"pack":                func() { Pack(&packed, true, n, k, b, k) },
		"activation backward": func() { ActivationBackward(c, c, c, ReLU) },
		"column sums":         func() { AddColumnSums(sums, c, m, n) },
		"dropout":             func() { Dropout(c, c, 0.1, 3) },
		"sigmoid":             func() { Sigmoid(c, c) },
		"norm":                func() { SquaredNorm(c) },
		"cross entropy":       func() { SigmoidCrossEntropy(a, b, c, c, 10, 3, 2) },
		"squared error":       func() { SquaredError(a, b, c, nil, 10, 3) },
		"adamw":               func() { AdamW(b[:m*k], c, c[10:], grads, AdamWParams{Step: 1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1}) },
		"gru":                 func() { GRUStep(y[:200], a[:600], b[:600], b[600:], c[:200], nil, 10, 20) },
		"gru backward": func() {
			GRUStepBackward(b[:600], b[600:], y[:200], y[:200], a[:600], c[:600], c[600:], nil, 10, 20)
		},
		"softmax":          func() { SoftmaxCrossEntropy(a, b, c, nil, 10, 30) },
		"layer norm":       func() { LayerNorm(c, y, a, b, b, 10, 30, 1e-5, &w) },
		"batch norm":       func() { BatchNorm(c, y, a, b, b, nil, 10, 30, 1e-5, &w) },
		"piecewise linear": func() { PiecewiseLinear(y, p.x, p.edges, p.slope, p.bias, p.table, 20, 3, 5, 16, &w) },
		"piecewise linear, prepared": func() {
			pieces.Prepare(p.edges, p.slope, p.bias, p.table, 3, 5, 16)
			pieces.PiecewiseLinear(y, p.x, 20, &w)
		},
		"piecewise linear backward": func() {
			PiecewiseLinearBackward(p.slope, p.bias, p.table, y, p.x, p.edges, 20, 3, 5, 16, &w)
		},
	}
	onEveryPath(t, func(t *testing.T) {
		Pack(&packed, false, n, k, b, n)
		for name, call := range calls {
			call()
			if got := testing.AllocsPerRun(3, call); got != 0 {
				t.Errorf("%s allocates %v times a call, want 0", name, got)
			}
		}
	})
}
