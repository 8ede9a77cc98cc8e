package kernel

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// benchPaths runs a benchmark on every path that the machine has.
func benchPaths(b *testing.B, name string, run func(b *testing.B)) {
	before := active
	defer func() { active = before }()
	for _, p := range paths() {
		active = p
		b.Run(name+"/"+p.name, run)
	}
}

// peak is the arithmetic limit of the active path in GFLOP/s: the best of a few
// runs of the largest tile on one and the same cache line.
func peak() float64 {
	peaksMutex.Lock()
	defer peaksMutex.Unlock()
	if peaks[active.name] == 0 {
		const k = 200_000
		t := tile{rows: active.tileRows, cols: active.panel, k: k, ldc: active.panel,
			a: make([]float32, 1), b: make([]float32, active.panel), c: make([]float32, active.tileRows*active.panel)}
		for range 20 {
			start := time.Now()
			active.tile(&t)
			speed := 2 * float64(t.rows*t.cols*k) / float64(time.Since(start).Nanoseconds())
			peaks[active.name] = max(peaks[active.name], speed)
		}
	}
	return peaks[active.name]
}

var (
	peaksMutex sync.Mutex
	peaks      = map[string]float64{}
)

// measure runs a kernel b.N times or more and returns the nanoseconds of one
// run in the best slice of some 100 µs, which other load on the machine spares.
func measure(b *testing.B, run func()) float64 {
	start := time.Now()
	run()
	repeat := int(max(1, 100*time.Microsecond/max(time.Since(start), 1)))
	best := time.Duration(1 << 62)
	for b.Loop() {
		start := time.Now()
		for range repeat {
			run()
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(0, "ns/op")
	ns := float64(best.Nanoseconds()) / float64(repeat)
	b.ReportMetric(ns/1000, "best-µs")
	return ns
}

func benchFlops(b *testing.B, flops int, run func()) {
	speed := float64(flops) / measure(b, run)
	b.ReportMetric(speed, "GFLOP/s")
	b.ReportMetric(100*speed/peak(), "%peak")
}

func benchBytes(b *testing.B, bytes int, run func()) {
	b.ReportMetric(float64(bytes)/measure(b, run), "GB/s")
}

func BenchmarkGemm(b *testing.B) {
	for _, g := range []gemmCase{
		{m: 256, n: 256, k: 256},
		{m: 256, n: 256, k: 256, transA: true},
		{m: 256, n: 256, k: 256, transB: true},
		{m: 256, n: 256, k: 64},
		{m: 4096, n: 256, k: 480},
		{m: 4096, n: 256, k: 256},
		{m: 480, n: 256, k: 4096, transA: true},
		{m: 256, n: 256, k: 4096, transA: true},
		{m: 4096, n: 480, k: 256, transB: true},
		{m: 128, n: 32, k: 64},
		{m: 64, n: 512, k: 512},
		{m: 256, n: 10, k: 256},
		{m: 256, n: 2, k: 256},
		{m: 256, n: 1, k: 256},
		{m: 256, n: 1, k: 256, transA: true},
		{m: 256, n: 3, k: 256, transA: true},
		{m: 256, n: 256, k: 1, transB: true},
		{m: 256, n: 256, k: 3, transB: true},
	} {
		name := fmt.Sprintf("%dx%dx%d", g.m, g.n, g.k)
		if g.transA {
			name += "TN"
		}
		if g.transB {
			name += "NT"
		}
		benchPaths(b, name, func(b *testing.B) {
			d := g.data(seeded(1))
			var w Workspace
			benchFlops(b, 2*g.m*g.n*g.k, func() {
				w.Gemm(g.transA, g.transB, g.m, g.n, g.k, d.a, d.lda, d.b, d.ldb, d.c, d.ldc, nil, Identity, false)
			})
		})
	}
}

// BenchmarkMLP is a forward pass 64-256-256-1 with packed weights, by rows.
func BenchmarkMLP(b *testing.B) {
	for _, rows := range []int{1, 2, 8, 256} {
		benchPaths(b, fmt.Sprintf("rows%d", rows), func(b *testing.B) {
			r := seeded(1)
			var w Workspace
			widths := []int{64, 256, 256, 1}
			x := random(r, rows*widths[0])
			var packed [3]Packed
			var out, bias [3][]float32
			flops := 0
			for l := range packed {
				in, n := widths[l], widths[l+1]
				Pack(&packed[l], false, n, in, random(r, in*n), n)
				out[l], bias[l] = make([]float32, rows*n), random(r, n)
				flops += 2 * rows * in * n
			}
			benchFlops(b, flops, func() {
				w.GemmPacked(false, rows, x, 64, &packed[0], out[0], 256, bias[0], ReLU, false)
				w.GemmPacked(false, rows, out[0], 256, &packed[1], out[1], 256, bias[1], ReLU, false)
				w.GemmPacked(false, rows, out[1], 256, &packed[2], out[2], 1, bias[2], Identity, false)
			})
		})
	}
}

// BenchmarkMemory is every pass over memory on values that fit the level-2
// cache: 256 rows of 256.
func BenchmarkMemory(b *testing.B) {
	const rows, cols = 256, 256
	const n = rows * cols
	r := seeded(1)
	x, y, z, m, v := random(r, n), random(r, n), random(r, n), make([]float32, n), make([]float32, n)
	row, sum := random(r, cols), make([]float32, cols)
	gates, sumH := make([]float32, 3*n/4), make([]float32, n/4)
	adam := AdamWParams{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 3, Scale: 1}
	averaging := adam
	averaging.Average, averaging.Keep = make([]float32, n), 0.99
	ids := make([]float32, n/16)
	for i := range ids {
		ids[i] = float32(r.IntN(1000))
	}
	table := random(r, 1000*16)
	var w Workspace
	for _, k := range []struct {
		name  string
		bytes int // read and written
		run   func()
	}{
		{"Axpy", 12 * n, func() { Axpy(y, 1e-9, x) }},
		{"Scale", 8 * n, func() { Scale(y, 1) }},
		{"SquaredNorm", 4 * n, func() { SquaredNorm(x) }},
		{"AddSquaredNorm", 12 * n, func() { AddSquaredNorm(z, x) }},
		{"ActivationBackward", 12 * n, func() { ActivationBackward(z, x, y, ReLU) }},
		{"AddColumnSums", 4 * n, func() { AddColumnSums(sum, x, rows, cols) }},
		{"MulRow", 8 * n, func() { MulRow(z, x, row, rows, cols) }},
		{"MulRowBackward", 16 * n, func() { MulRowBackward(z, sum, x, y, row, rows, cols) }},
		{"Dropout", 8 * n, func() { Dropout(z, x, 0.1, 7) }},
		{"AdamW", 28 * n, func() { AdamW(z, m, v, [][]float32{x}, adam) }},
		{"AdamW2", 32 * n, func() { AdamW(z, m, v, [][]float32{x, y}, adam) }},
		{"AdamWAverage", 36 * n, func() { AdamW(z, m, v, [][]float32{x}, averaging) }},
		{"Sigmoid", 8 * n, func() { Sigmoid(z, x) }},
		{"SigmoidCrossEntropy", 8 * n, func() { SigmoidCrossEntropy(z, x, m, v, n/16, 16, 1) }},
		{"SquaredError", 12 * n, func() { SquaredError(z, x, y, nil, rows, cols) }},
		{"LayerNorm", 8 * n, func() { LayerNorm(z, m, x, row, row, rows, cols, 1e-5, &w) }},
		{"LayerNormBackward", 12 * n, func() { LayerNormBackward(z, sum, sum, y, x, m, row, rows, cols, &w) }},
		{"BatchNorm", 8 * n, func() { BatchNorm(z, m, x, row, row, nil, rows, cols, 1e-5, &w) }},
		{"BatchNormApply", 8 * n, func() { BatchNormApply(z, v, x, row, row, nil, rows, cols, 1e-5, &w) }},
		{"BatchNormBackward", 12 * n, func() { BatchNormBackward(z, sum, sum, y, x, v, row, nil, rows, cols, 1e-5, &w) }},
		{"Tanh", 8 * n, func() { Tanh(z, x) }},
		{"GRUStep", 36 * n / 4, func() { GRUStep(z[:n/4], gates, x, y, m[:n/4], nil, rows, cols/4) }},
		{"GRUStepBackward", 48 * n / 4, func() { GRUStepBackward(gates, z, sumH, x[:n/4], gates, y, m[:n/4], nil, rows, cols/4) }},
		{"Gather", 8 * n, func() { Gather(z, ids, table, n/16, 1, 16, []int{0}) }},
		{"ScatterAdd", 12 * n, func() { ScatterAdd(table, ids, z, n/16, 1, 16, []int{0}) }},
	} {
		for i := range v {
			v[i] = 1
		}
		benchPaths(b, k.name, func(b *testing.B) { benchBytes(b, k.bytes, k.run) })
	}
}

// BenchmarkPiecewise embeds 30 features in 48 bins, 16 wide.
func BenchmarkPiecewise(b *testing.B) {
	const features, bins, width = 30, 48, 16
	for _, rows := range []int{1, 32, 256} {
		p := newPLE(seeded(1), rows, features, bins, width)
		y := make([]float32, rows*features*width)
		var w Workspace
		benchPaths(b, fmt.Sprintf("Forward/rows%d", rows), func(b *testing.B) {
			benchBytes(b, 4*len(y), func() {
				PiecewiseLinear(y, p.x, p.edges, p.slope, p.bias, p.table, rows, features, bins, width, &w)
			})
		})
		ds, db, dw := make([]float32, features*width), make([]float32, features*width), make([]float32, features*bins*width)
		benchPaths(b, fmt.Sprintf("Backward/rows%d", rows), func(b *testing.B) {
			benchBytes(b, 4*len(y), func() {
				PiecewiseLinearBackward(ds, db, dw, y, p.x, p.edges, rows, features, bins, width, &w)
			})
		})
		var prepared PieceTable
		benchPaths(b, fmt.Sprintf("Prepared/rows%d", rows), func(b *testing.B) {
			prepared.Prepare(p.edges, p.slope, p.bias, p.table, features, bins, width)
			benchBytes(b, 4*len(y), func() { prepared.PiecewiseLinear(y, p.x, rows, &w) })
		})
	}
}
