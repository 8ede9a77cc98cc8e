package kernel

import (
	"math"
	"slices"
	"testing"
)

// needMatrixUnit skips a test where there is no matrix unit, and else runs it on
// the path that has one.
func needMatrixUnit(t testing.TB) {
	before := active
	for _, p := range paths() {
		if p.matrix != nil {
			active = p
			t.Cleanup(func() { active = before })
			return
		}
	}
	t.Skip("this machine has no matrix unit, or its system does not let programs use it")
}

// checkMatrix compares a product on the matrix unit with the reference, and with
// itself by way of a deferred operand.
func (g gemmCase) checkMatrix(t *testing.T, seed uint64) {
	t.Helper()
	d := g.data(seeded(seed))
	want := g.reference(d)
	tolerance := 1e-6 * (2 + math.Sqrt(float64(g.k)))
	w := Workspace{Matrix: true}
	c := clone(d.c)
	w.Gemm(g.transA, g.transB, g.m, g.n, g.k, d.a, d.lda, d.b, d.ldb, c, d.ldc, d.bias, g.act, g.accumulate)
	near(t, g.String(), c, want, 3, tolerance)
	var b Packed
	Defer(&b, g.transB, g.n, g.k, d.b, d.ldb)
	for range 2 {
		packed := clone(d.c)
		w.GemmPacked(g.transA, g.m, d.a, d.lda, &b, packed, d.ldc, d.bias, g.act, g.accumulate)
		if !slices.Equal(packed, c) {
			t.Fatalf("%v: a deferred operand gave other bits", g)
		}
	}
}

func TestMatrixShapes(t *testing.T) {
	needMatrixUnit(t)
	sizes := []int{1, 16, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 130}
	seed := uint64(0)
	for _, m := range sizes {
		for _, n := range sizes {
			k := sizes[(m+n)%len(sizes)]
			seed++
			gemmCase{
				m: m, n: n, k: k, transA: seed&1 != 0, transB: seed&2 != 0, bias: seed&4 != 0,
				act: Activation(seed % 3), accumulate: seed&8 != 0, gap: int(seed % 5),
			}.checkMatrix(t, seed)
		}
	}
}

// TestMatrixBlocks: rows that take more than one piece of the left operand.
func TestMatrixBlocks(t *testing.T) {
	needMatrixUnit(t)
	for i, g := range []gemmCase{
		{m: 700, n: 40, k: 700, bias: true, act: ReLU},
		{m: 300, n: 37, k: 2100, transA: true, accumulate: true},
		{m: 65, n: 200, k: 900, transB: true, bias: true, accumulate: true, act: LeakyReLU},
	} {
		g.checkMatrix(t, uint64(i))
	}
}
