package kernel

import (
	"math"
	"slices"
	"testing"
)

// matrixError is what splitting two factors into two parts may take from their
// product: 2^-16 of it each, and as much with the product of the lower parts.
const matrixError = 3.0 / (1 << 16)

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
	defer func(least int) { leastWork = least }(leastWork)
	leastWork = 0
	d := g.data(seeded(seed))
	want := g.reference(d)
	tolerance := matrixError * (1 + math.Sqrt(float64(g.k)))
	w := Workspace{Matrix: true}
	c := g.gemm(&w, d)
	near(t, g.String(), c, want, 3, tolerance)
	var b Packed
	Defer(&b, g.transB, g.n, g.k, d.b, d.ldb)
	first := g.gemmPacked(&w, d, &b)
	near(t, g.String()+" deferred", first, want, 3, tolerance)
	if !slices.Equal(g.gemmPacked(&w, d, &b), first) {
		t.Fatalf("%v: a second call gave other bits", g)
	}
	if w.onMatrix(g.m, g.n, g.k) && !slices.Equal(c, first) {
		t.Fatalf("%v: a deferred operand gave other bits", g)
	}
	g.checkParts(t, &w, seed)
}

func TestMatrixShapes(t *testing.T) {
	needMatrixUnit(t)
	sizes := []int{1, 16, 32, 33, 49, 65, 128, 130, 159, 177}
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
		{m: 700, n: 136, k: 700, bias: true, act: ReLU},
		{m: 300, n: 133, k: 2100, transA: true, accumulate: true},
		{m: 65, n: 200, k: 900, transB: true, bias: true, accumulate: true, act: LeakyReLU},
	} {
		g.checkMatrix(t, uint64(i))
	}
}

// TestMatrixTakesPart: above the least size products take the matrix unit, whose
// bits are others, and below it, or where nobody asked for it, they do not.
func TestMatrixTakesPart(t *testing.T) {
	needMatrixUnit(t)
	product := func(g gemmCase, w Workspace) []float32 { return g.gemm(&w, g.data(seeded(1))) }
	large := gemmCase{m: leastMatrix, n: leastWork / (leastMatrix * leastMatrix), k: leastMatrix}
	small := gemmCase{m: leastMatrix - 1, n: 2 * large.n, k: leastMatrix}
	if slices.Equal(product(large, Workspace{}), product(large, Workspace{Matrix: true})) {
		t.Error("a large product gave the bits of vectors")
	}
	if !slices.Equal(product(small, Workspace{}), product(small, Workspace{Matrix: true})) {
		t.Error("a small product gave other bits than vectors")
	}
}

// TestMatrixError: a product of two values is off by no more than splitting
// takes, and long sums, whose errors have either sign, by far less.
func TestMatrixError(t *testing.T) {
	needMatrixUnit(t)
	defer func(least int) { leastWork = least }(leastWork)
	leastWork = 0
	for _, k := range []int{1, 32, 2048} {
		g := gemmCase{m: 128, n: 128, k: max(k, leastMatrix)}
		d := g.data(seeded(2))
		for i := range d.a { // the first k columns only
			if i%d.lda >= k {
				d.a[i] = 0
			}
		}
		want, c := g.reference(d), g.gemm(&Workspace{Matrix: true}, d)
		squares, most := 0.0, 0.0
		for i := range g.m {
			for j := range g.n {
				size := 0.0
				for l := range k {
					size += math.Abs(float64(d.a[i*d.lda+l]) * float64(d.b[l*d.ldb+j]))
				}
				off := math.Abs(float64(c[i*d.ldc+j])-want[i*d.ldc+j]) / size
				squares += off * off
				most = max(most, off)
			}
		}
		mean := math.Sqrt(squares / float64(g.m*g.n))
		t.Logf("depth %d: off by %.2g of the sizes of its products, at most by %.2g", k, mean, most)
		if most > matrixError || mean > matrixError/6/math.Sqrt(float64(k)) {
			t.Errorf("depth %d: off by %g and up to %g of the sizes of its products, want up to %g", k, mean, most, matrixError)
		}
	}
}

// TestMatrixPassesNaNOn: what is not finite stays so, and stays in its row.
func TestMatrixPassesNaNOn(t *testing.T) {
	needMatrixUnit(t)
	for _, bad := range []float32{float32(math.NaN()), math.Float32frombits(0x7fffffff), float32(math.Inf(1)), math.MaxFloat32} {
		for _, act := range []Activation{Identity, ReLU, LeakyReLU} {
			g := gemmCase{m: 160, n: 170, k: 40, act: act, bias: true}
			d := g.data(seeded(3))
			d.a[5*d.lda+33] = bad
			for i, v := range g.gemm(&Workspace{Matrix: true}, d) {
				finite := !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
				if finite != (i/d.ldc != 5) {
					t.Fatalf("%v: value %d of row %d is %v", bad, i%d.ldc, i/d.ldc, v)
				}
			}
		}
	}
}

func TestMatrixDoesNotAllocate(t *testing.T) {
	needMatrixUnit(t)
	w, g := Workspace{Matrix: true}, gemmCase{m: 130, n: 140, k: 90, transA: true, transB: true, bias: true}
	d := g.data(seeded(4))
	var b Packed
	if n := testing.AllocsPerRun(10, func() {
		w.Gemm(true, true, g.m, g.n, g.k, d.a, d.lda, d.b, d.ldb, d.c, d.ldc, d.bias, ReLU, false)
		Defer(&b, true, g.n, g.k, d.b, d.ldb)
		w.GemmPacked(true, g.m, d.a, d.lda, &b, d.c, d.ldc, d.bias, ReLU, false)
		w.GemmPacked(true, 3, d.a, d.lda, &b, d.c, d.ldc, d.bias, ReLU, false)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzMatrix(f *testing.F) {
	f.Add(uint8(3), uint8(33), uint16(5), uint16(0), uint64(1))
	f.Add(uint8(33), uint8(95), uint16(77), uint16(0x2f), uint64(2))
	f.Add(uint8(200), uint8(1), uint16(400), uint16(0x155), uint64(3))
	f.Fuzz(func(t *testing.T, m, n uint8, k, flags uint16, seed uint64) {
		needMatrixUnit(t)
		gemmCase{
			m: 32 + int(m), n: 32 + int(n), k: 32 + int(k%300), transA: flags&1 != 0, transB: flags&2 != 0, bias: flags&4 != 0,
			accumulate: flags&8 != 0, act: Activation(flags >> 4 % 3), gap: int(flags >> 8 % 16),
		}.checkMatrix(t, seed)
	})
}
