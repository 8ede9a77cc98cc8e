package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A gemmCase is one call of Gemm with rows spaced wider than they are.
type gemmCase struct {
	m, n, k        int
	transA, transB bool
	bias           bool
	act            Activation
	accumulate     bool
	gap            int // extra values between rows
}

func (g gemmCase) String() string {
	return fmt.Sprintf("%dx%dx%d ta=%t tb=%t bias=%t act=%d acc=%t gap=%d", g.m, g.n, g.k, g.transA, g.transB, g.bias, g.act, g.accumulate, g.gap)
}

type gemmData struct {
	a, b, c, bias []float32
	lda, ldb, ldc int
}

func (g gemmCase) data(r *rand.Rand) gemmData {
	stored := func(rows, cols int, trans bool) ([]float32, int) {
		if trans {
			rows, cols = cols, rows
		}
		ld := cols + g.gap
		return random(r, max((rows-1)*ld+cols, 0)), ld // no value beyond the last row
	}
	var d gemmData
	d.a, d.lda = stored(g.m, g.k, g.transA)
	d.b, d.ldb = stored(g.k, g.n, g.transB)
	d.c, d.ldc = stored(g.m, g.n, false)
	if g.bias {
		d.bias = random(r, g.n)
	}
	return d
}

// reference is the definition of Gemm, in float64.
func (g gemmCase) reference(d gemmData) []float64 {
	c := widen(d.c)
	for i := range g.m {
		for j := range g.n {
			var s float64
			for p := range g.k {
				ai, bi := i*d.lda+p, p*d.ldb+j
				if g.transA {
					ai = p*d.lda + i
				}
				if g.transB {
					bi = j*d.ldb + p
				}
				s += float64(d.a[ai]) * float64(d.b[bi])
			}
			if g.accumulate {
				s += c[i*d.ldc+j]
			}
			if g.bias {
				s += float64(d.bias[j])
			}
			switch {
			case s < 0 && g.act == ReLU:
				s = 0
			case s < 0 && g.act == LeakyReLU:
				s *= LeakySlope
			}
			c[i*d.ldc+j] = s
		}
	}
	return c
}

// gemm is the result of Gemm.
func (g gemmCase) gemm(w *Workspace, d gemmData) []float32 {
	c := clone(d.c)
	w.Gemm(g.transA, g.transB, g.m, g.n, g.k, d.a, d.lda, d.b, d.ldb, c, d.ldc, d.bias, g.act, g.accumulate)
	return c
}

// gemmPacked is the result of GemmPacked.
func (g gemmCase) gemmPacked(w *Workspace, d gemmData, b *Packed) []float32 {
	c := clone(d.c)
	w.GemmPacked(g.transA, g.m, d.a, d.lda, b, c, d.ldc, d.bias, g.act, g.accumulate)
	return c
}

func (g gemmCase) check(t *testing.T, seed uint64) {
	t.Helper()
	d := g.data(seeded(seed))
	want := g.reference(d)
	tolerance := 1e-6 * (2 + math.Sqrt(float64(g.k)))
	var w Workspace
	c := g.gemm(&w, d)
	near(t, g.String(), c, want, 3, tolerance)
	if !slices.Equal(g.gemm(&w, d), c) {
		t.Fatalf("%v: a second call gave other bits", g)
	}
	var b Packed
	Pack(&b, g.transB, g.n, g.k, d.b, d.ldb)
	if !slices.Equal(g.gemmPacked(&w, d, &b), c) {
		t.Fatalf("%v: a packed operand gave other bits", g)
	}
	g.checkParts(t, &w, seed)
}

// checkParts compares two products that share their left operand with the same
// two by themselves: bit by bit, since they are the same sums.
func (g gemmCase) checkParts(t *testing.T, w *Workspace, seed uint64) {
	t.Helper()
	other := g
	other.n, other.bias, other.accumulate, other.act = g.n/2+1, !g.bias, !g.accumulate, Identity
	d, e := g.data(seeded(seed)), other.data(seeded(seed+1))
	g.act = Identity
	for _, lay := range []func(*Packed, bool, int, int, []float32, int){Pack, Defer} {
		var b, last Packed
		lay(&b, g.transB, g.n, g.k, d.b, d.ldb)
		lay(&last, g.transB, other.n, g.k, e.b, e.ldb)
		want := [][]float32{g.gemmPacked(w, d, &b), other.gemmPacked(w, gemmData{d.a, e.b, e.c, e.bias, d.lda, e.ldb, e.ldc}, &last)}
		got := [][]float32{clone(d.c), clone(e.c)}
		w.GemmParts(g.transA, g.m, d.a, d.lda,
			Part{B: &b, C: got[0], Ldc: d.ldc, Bias: d.bias, Accumulate: g.accumulate},
			Part{B: &last, C: got[1], Ldc: e.ldc, Bias: e.bias, Accumulate: other.accumulate})
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("%v: part %d has other bits than the product alone", g, i)
			}
		}
	}
}

func TestGemmShapes(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		sizes := []int{0, 1, 2, 5, 7, 13, 14, 15, 16, 17, 31, 33, 48, 70}
		seed := uint64(0)
		for _, m := range sizes {
			for _, n := range sizes {
				k := sizes[(m+n)%len(sizes)]
				seed++
				gemmCase{
					m: m, n: n, k: k, transA: seed&1 != 0, transB: seed&2 != 0, bias: seed&4 != 0,
					act: Activation(seed % 3), accumulate: seed&8 != 0, gap: int(seed % 5),
				}.check(t, seed)
			}
		}
	})
}

// TestGemmShallow: products of little depth, whose sums do not start with a bias
// or end with an activation, take no tiles.
func TestGemmShallow(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for seed := range uint64(160) {
			gemmCase{
				m: 1 + int(seed%7), n: []int{5, 16, 31, 70}[seed%4], k: 1 + int(seed/16%5), gap: int(seed % 3),
				transA: seed&1 != 0, transB: seed&2 != 0, accumulate: seed&8 != 0,
			}.check(t, seed)
		}
	})
}

func TestGemmRandomCases(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := seeded(7)
		for i := range 120 {
			gemmCase{
				m: r.IntN(60), n: r.IntN(90), k: r.IntN(100), transA: r.IntN(2) == 0, transB: r.IntN(2) == 0,
				bias: r.IntN(2) == 0, act: Activation(r.IntN(3)), accumulate: r.IntN(2) == 0, gap: r.IntN(3) * r.IntN(20),
			}.check(t, uint64(i))
		}
	})
}

// TestGemmBlocks crosses the borders of blocks of depth and of rows.
func TestGemmBlocks(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for i, g := range []gemmCase{
			{m: 20, n: 40, k: 2*depthBlock + 3, bias: true, act: ReLU},
			{m: 20, n: 40, k: depthBlock + 1, transA: true, accumulate: true, bias: true},
			{m: 20, n: 37, k: depthBlock + 1, transB: true, act: LeakyReLU},
			{m: 500, n: 9, k: 300, gap: 3},
			{m: 450, n: 2, k: 700, bias: true},
			{m: 450, n: 3, k: 700, transA: true, accumulate: true},
		} {
			g.check(t, uint64(i))
		}
	})
}

// TestGemmRowsAreIndependent: a row's bits do not depend on its batch.
func TestGemmRowsAreIndependent(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, n := range []int{1, 3, 10, 32, 200} {
			g := gemmCase{m: 61, n: n, k: 2*depthBlock + 7, bias: true, act: ReLU}
			d := g.data(seeded(3))
			var w Workspace
			all, one := clone(d.c), make([]float32, n)
			w.Gemm(false, false, g.m, n, g.k, d.a, d.lda, d.b, d.ldb, all, d.ldc, d.bias, g.act, false)
			for i := range g.m {
				w.Gemm(false, false, 1, n, g.k, d.a[i*d.lda:], d.lda, d.b, d.ldb, one, n, d.bias, g.act, false)
				if !slices.Equal(one, all[i*d.ldc:i*d.ldc+n]) {
					t.Fatalf("n=%d: row %d alone gave other bits", n, i)
				}
			}
		}
	})
}

func TestGemmPassesNaNOn(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, act := range []Activation{Identity, ReLU, LeakyReLU} {
			for _, n := range []int{1, 16, 40} {
				a, b, c := []float32{float32(math.NaN())}, make([]float32, n), make([]float32, n)
				new(Workspace).Gemm(false, false, 1, n, 1, a, 1, b, n, c, n, nil, act, false)
				for j, v := range c {
					if v == v {
						t.Fatalf("act %d, n %d: column %d is %v, want NaN", act, n, j, v)
					}
				}
			}
		}
	})
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(3), uint16(33), uint16(5), uint16(0), uint64(1))
	f.Add(uint8(1), uint16(300), uint16(2), uint16(0x2f), uint64(2))
	f.Add(uint8(29), uint16(1), uint16(400), uint16(0x155), uint64(3))
	f.Fuzz(func(t *testing.T, m uint8, n, k, flags uint16, seed uint64) {
		g := gemmCase{
			m: int(m), n: int(n % 300), k: int(k % 700), transA: flags&1 != 0, transB: flags&2 != 0, bias: flags&4 != 0,
			accumulate: flags&8 != 0, act: Activation(flags >> 4 % 3), gap: int(flags >> 8 % 16),
		}
		onEveryPath(t, func(t *testing.T) { g.check(t, seed) })
	})
}
