package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkMatrix compares the parts of a product on the matrix unit, and all of
// it, with the vector path.
func BenchmarkMatrix(b *testing.B) {
	needMatrixUnit(b)
	for _, g := range []gemmCase{
		{m: 64, n: 256, k: 64}, {m: 64, n: 256, k: 256}, {m: 64, n: 64, k: 256, transA: true}, {m: 256, n: 256, k: 64, transA: true, accumulate: true},
		{m: 32, n: 128, k: 64}, {m: 32, n: 64, k: 32}, {m: 256, n: 256, k: 256},
	} {
		d := g.data(seeded(1))
		name := fmt.Sprintf("%dx%dx%d ta=%t", g.m, g.n, g.k, g.transA)
		for _, on := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/matrix=%t", name, on), func(b *testing.B) {
				w := Workspace{Matrix: on}
				benchFlops(b, 2*g.m*g.n*g.k, func() {
					w.Gemm(g.transA, g.transB, g.m, g.n, g.k, d.a, d.lda, d.b, d.ldb, d.c, d.ldc, nil, Identity, g.accumulate)
				})
			})
		}
		b.Run(name+"/packed", func(b *testing.B) {
			w := Workspace{Matrix: true}
			var p Packed
			Defer(&p, false, g.n, g.k, d.b, d.ldb)
			benchFlops(b, 2*g.m*g.n*g.k, func() {
				w.GemmPacked(g.transA, g.m, d.a, d.lda, &p, d.c, d.ldc, nil, Identity, g.accumulate)
			})
		})
		b.Run(name+"/blocks", func(b *testing.B) {
			w := Workspace{Matrix: true}
			var p Packed
			Defer(&p, false, g.n, g.k, d.b, d.ldb)
			w.GemmPacked(g.transA, g.m, d.a, d.lda, &p, d.c, d.ldc, nil, Identity, g.accumulate)
			pr := newProduct("gemm", g.transA, g.m, g.n, g.k, d.a, d.lda, d.c, d.ldc, nil, Identity, g.accumulate)
			benchFlops(b, 2*g.m*g.n*g.k, func() {
				w.matrixPart(&pr, p.parts, 0, 0, g.m, 0, g.n)
			})
		})
		b.Run(name+"/left", func(b *testing.B) {
			w := Workspace{Matrix: true}
			w.left = aligned(&w.left, blocksOf(g.m)*blocksOf(g.k)*stepWords)
			measure(b, func() {
				active.matrix.layOut(w.left, true, !g.transA, g.m, g.k, d.a, d.lda)
			})
		})
		b.Run(name+"/right", func(b *testing.B) {
			w := Workspace{Matrix: true}
			measure(b, func() { active.matrix.splitRight(&w.right, false, g.n, g.k, d.b, d.ldb) })
		})
	}
}
