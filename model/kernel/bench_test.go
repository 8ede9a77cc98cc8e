package kernel

import (
	"bytes"
	"fmt"
	"strings"
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

// peak is the arithmetic limit of the active path in GFLOP/s: the best of all
// runs so far of the largest tile on one and the same cache line. It is measured
// again each time, since the machine may have been busy before.
func peak() float64 {
	peaksMutex.Lock()
	defer peaksMutex.Unlock()
	const k = 20_000
	t := tile{rows: active.tileRows, cols: active.panel, k: k, ldc: active.panel,
		a: make([]float32, 1), b: make([]float32, active.panel), c: make([]float32, active.tileRows*active.panel)}
	for range 100 {
		start := time.Now()
		active.tile(&t)
		speed := 2 * float64(t.rows*t.cols*k) / float64(time.Since(start).Nanoseconds())
		peaks[active.name] = max(peaks[active.name], speed)
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

// benchMemory compares a kernel with the time that plain copies, reads and
// writes take to move as many bytes, within the cache that holds them. Bytes in
// place are both read and written.
func benchMemory(b *testing.B, read, written, place int, run func()) {
	ns := measure(b, run)
	b.ReportMetric(float64(read+written)/ns, "GB/s")
	both, set := min(read, written), read+written-place
	limit := limits.copying(set, 2*both) + limits.reading(set, read-both) + limits.writing(set, written-both)
	b.ReportMetric(100*limit/ns, "%memory")
}

// memoryLimits are the speeds of the standard library's plain copies, reads and
// writes in bytes per nanosecond, by the bytes that they move.
type memoryLimits struct {
	sync.Mutex
	speeds map[string]float64
}

var limits = memoryLimits{speeds: map[string]float64{}}

// copying is the nanoseconds that moving a number of bytes takes, half of them
// read and half written, when all of the working set is moved again and again.
func (m *memoryLimits) copying(set, moved int) float64 {
	to, from := make([]byte, set/2), filled(set/2)
	return m.time("copy", set, moved, func() { copy(to, from) })
}

func (m *memoryLimits) reading(set, moved int) float64 {
	one, other := filled(set/2), filled(set/2)
	return m.time("read", set, moved, func() { equal = bytes.Equal(one, other) })
}

func (m *memoryLimits) writing(set, moved int) float64 {
	to := filled(set)
	return m.time("write", set, moved, func() { clear(to) })
}

var equal bool

// filled is memory of its own: fresh pages may all be one.
func filled(n int) []byte {
	x := make([]byte, n)
	for i := range x {
		x[i] = byte(i)
	}
	return x
}

// time is how long bytes take at the best speed of all runs so far that move set.
func (m *memoryLimits) time(kind string, set, moved int, run func()) float64 {
	if moved == 0 {
		return 0
	}
	m.Lock()
	defer m.Unlock()
	key := fmt.Sprint(kind, set)
	repeat := max(1, 1<<20/set)
	for range 100 {
		start := time.Now()
		for range repeat {
			run()
		}
		m.speeds[key] = max(m.speeds[key], float64(repeat*set)/float64(time.Since(start).Nanoseconds()))
	}
	return float64(moved) / m.speeds[key]
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

// BenchmarkKernels is every exported kernel, on matrices of 256 x 256 that fit the
// level-2 cache.
func BenchmarkKernels(b *testing.B) {
	const rows, cols = 256, 256
	for _, row := range kernelTable {
		benchPaths(b, strings.ReplaceAll(row.name, "/", ","), func(b *testing.B) {
			c := row.make(seeded(1), rows, cols)
			run := func() { c.run() }
			if c.flops > 0 {
				benchFlops(b, c.flops, run)
				return
			}
			benchMemory(b, 4*c.read, 4*c.written, 4*c.place, run)
		})
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
			benchMemory(b, 4*len(p.x), 4*len(y), 0, func() {
				PiecewiseLinear(y, p.x, p.edges, p.slope, p.bias, p.table, rows, features, bins, width, &w)
			})
		})
		ds, db, dw := make([]float32, features*width), make([]float32, features*width), make([]float32, features*bins*width)
		benchPaths(b, fmt.Sprintf("Backward/rows%d", rows), func(b *testing.B) {
			benchMemory(b, 4*(len(p.x)+len(y)), 0, 0, func() {
				PiecewiseLinearBackward(ds, db, dw, y, p.x, p.edges, rows, features, bins, width, &w)
			})
		})
		var prepared PieceTable
		benchPaths(b, fmt.Sprintf("Prepared/rows%d", rows), func(b *testing.B) {
			prepared.Prepare(p.edges, p.slope, p.bias, p.table, features, bins, width)
			benchMemory(b, 4*len(p.x), 4*len(y), 0, func() { prepared.PiecewiseLinear(y, p.x, rows, &w) })
		})
	}
}

// BenchmarkGRU is one step of 64 journeys with a state of 64.
func BenchmarkGRU(b *testing.B) {
	const rows, width = 64, 64
	g := newGRU(1, rows, width)
	out, dh, gates := make([]float32, rows*width), make([]float32, rows*width), clone(g.gates)
	benchPaths(b, "Step", func(b *testing.B) {
		benchMemory(b, 4*5*rows*width, 4*4*rows*width, 4*3*rows*width, func() { GRUStep(out, gates, g.ldg, g.h, rows, width) })
	})
	benchPaths(b, "Copy and backward", func(b *testing.B) {
		benchMemory(b, 4*11*rows*width, 4*9*rows*width, 4*5*rows*width, func() {
			copy(gates, g.gates) // gradients of gradients would vanish
			GRUStepBackward(gates, g.ldg, dh, g.dout, g.h, rows, width)
		})
	})
}
