package kernel

import "unsafe"

// The matrix unit multiplies tiles of bfloat16 numbers and adds their products
// up in float32. A float32 is split into two bfloat16 numbers, its value rounded
// and what is left of it rounded, which keep 16 of its 24 bits; of the four
// products of such parts the three larger ones are taken (Henry, Tang and
// Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For
// Higher-Precision Computations", ARITH 2019). The product of two values is then
// off by 3 * 2^-16 of it at most and by a tenth of that as a rule, a thirtieth of
// what TF32 loses, and the sums are those of float32.
//
// What the parts cannot hold: of values below 2^-118 the low bits are lost, and
// one that is not finite, or within a 512th of the largest float32, makes
// results that are not finite, NaN where they might be Inf.

// A matrixUnit multiplies operands that have been split into parts.
//
// Split, an operand is cut into blocks of matrixBlock rows of op(a), or of
// columns of op(b), and each block into steps of matrixBlock of depth, padded
// with zeros. A step is its two parts, one after the other; a part is
// matrixBlock rows of op(a) of 16 pairs, the depths p and p+16, or twice 16 such
// pairs of 16 columns of op(b).
type matrixUnit struct {
	split  func(dst *uint32, src *float32, steps, across, stride, second, count, first, last int)
	turn   func(tiles *uint32, count, apart int)
	panels func(panels, count, steps int, a, b *uint32, c *float32, ldc int, start *float32, lds int)
	finish func(c *float32, ldc int, sums *float32, lds int, bias *float32, rows, mode, first, last int)
}

const (
	matrixBlock = 32
	half        = matrixBlock / 2
	partWords   = matrixBlock * half
	stepWords   = 2 * partWords

	leastMatrix = 32        // of rows, columns and depth that are worth splitting
	splitWords  = 192 << 10 // of op(a) at a time: they stay in level 2 while panels pass
)

// leastWork is the least number of multiplications that are worth the change to
// the unit and back; only tests change it.
var leastWork = 1 << 17

// onMatrix says whether a product runs on the matrix unit whose right operand
// has been laid out for several.
func (w *Workspace) onMatrix(m, n, k int) bool {
	return w.Matrix && active.matrix != nil && min(m, n, k) >= leastMatrix && m*n*k >= leastWork
}

// blocksOf is how many blocks, or steps, n rows, columns or depths take.
func blocksOf(n int) int { return (n + matrixBlock - 1) / matrixBlock }

// aligned returns *buf with length n, at the start of a cache line, its contents
// undefined.
func aligned(buf *[]uint32, n int) []uint32 {
	const line = 64 / 4
	if cap(*buf) < n {
		b := make([]uint32, n+line)
		skip := -int(uintptr(unsafe.Pointer(&b[0]))/4) & (line - 1)
		*buf = b[skip : skip+n]
	}
	return (*buf)[:n]
}

// layOut splits an operand of n rows, or columns, and depth k. Along says whether
// its values follow one another in depth; x's rows lie ldx apart.
func (u *matrixUnit) layOut(dst []uint32, left, along bool, n, k int, x []float32, ldx int) {
	steps := blocksOf(k)
	for i := 0; i < n; i += half {
		tiles, count := dst[i/matrixBlock*steps*stepWords+i%matrixBlock*half:], min(half, n-i)
		if along {
			u.splitAlong(tiles, x[i*ldx:], ldx, count, k)
		} else {
			u.splitAcross(tiles, x[i:], ldx, count, k)
		}
		if left != along {
			u.turn(&tiles[0], 2*steps, partWords)
		}
	}
}

// splitAlong splits count rows of depth k, at most 16.
func (u *matrixUnit) splitAlong(dst []uint32, x []float32, ldx, count, k int) {
	steps, rest := k/matrixBlock, k%matrixBlock
	if steps > 0 {
		u.split(&dst[0], &x[0], steps, matrixBlock, ldx, half, count, half, half)
	}
	if rest > 0 {
		u.split(&dst[steps*stepWords], &x[steps*matrixBlock], 1, 0, ldx, half, count, min(half, rest), max(rest-half, 0))
	}
}

// splitAcross splits count columns of depth k, at most 16.
func (u *matrixUnit) splitAcross(dst []uint32, x []float32, ldx, count, k int) {
	steps, rest := k/matrixBlock, k%matrixBlock
	if steps > 0 {
		u.split(&dst[0], &x[0], steps, matrixBlock*ldx, ldx, half*ldx, half, count, count)
	}
	if rest == 0 {
		return
	}
	dst, x = dst[steps*stepWords:], x[steps*matrixBlock*ldx:]
	both, rows := max(rest-half, 0), min(half, rest)
	if both > 0 {
		u.split(&dst[0], &x[0], 1, 0, ldx, half*ldx, both, count, count)
	}
	if both < rows {
		u.split(&dst[both*half], &x[both*ldx], 1, 0, ldx, 0, rows-both, count, 0)
	}
	for part := range 2 {
		clear(dst[part*partWords+rows*half : part*partWords+half*half])
	}
}

// splitRight lays op(b) (k, n) out, in dst's memory where that suffices.
func (u *matrixUnit) splitRight(dst *[]uint32, transB bool, n, k int, b []float32, ldb int) {
	*dst = aligned(dst, blocksOf(n)*blocksOf(k)*stepWords)
	u.layOut(*dst, false, transB, n, k, b, ldb)
}

// matrixProduct computes a product with a split right operand. Again says that
// op(a) is that of the last one.
func (w *Workspace) matrixProduct(g *product, b []uint32, again bool) {
	u, steps := active.matrix, blocksOf(g.k)
	rows := max(splitWords/(steps*stepWords), 1) * matrixBlock
	for i := 0; i < g.m; i += rows {
		count := min(rows, g.m-i)
		if !again || count < g.m {
			w.left = aligned(&w.left, blocksOf(count)*steps*stepWords)
			u.layOut(w.left, true, !g.transposed(), count, g.k, g.a[i*g.aRow:], max(g.aRow, g.aDepth))
		}
		rest, beside := count%matrixBlock, g.n%matrixBlock
		w.matrixPart(g, b, i, 0, count-rest, 0, g.n-beside)
		w.matrixPart(g, b, i, count-rest, rest, 0, g.n-beside)
		w.matrixPart(g, b, i, 0, count, g.n-beside, beside)
	}
}

// matrixPart computes rows from row on and columns from j on of the rows from i
// on, whose left operand has been split. Whole blocks are summed where they
// belong, others in scratch memory.
func (w *Workspace) matrixPart(g *product, b []uint32, i, row, rows, j, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	u, steps, panels, blocks := active.matrix, blocksOf(g.k), blocksOf(cols), blocksOf(rows)
	left, right := &w.left[row/matrixBlock*steps*stepWords], &b[j/matrixBlock*steps*stepWords]
	c, bias, mode := g.c[(i+row)*g.ldc+j:], g.bias, int(g.act)<<1
	sums, lds, whole := c, g.ldc, rows%matrixBlock == 0 && cols%matrixBlock == 0
	var start *float32
	between := 0 // rows of start
	switch {
	case !whole:
		lds = panels * matrixBlock
		sums = grow(&w.sums, blocks*matrixBlock*lds)
		if g.accumulate {
			mode |= 1
		}
	case g.accumulate:
		start, between = &c[0], g.ldc
	case bias != nil:
		start, bias = &bias[j], nil
	}
	u.panels(panels, blocks, steps, left, right, &sums[0], lds, start, between)
	if whole && bias == nil && mode == 0 {
		return
	}
	for at := 0; at < cols; at += matrixBlock {
		var b *float32
		if bias != nil {
			b = &bias[j+at]
		}
		u.finish(&c[at], g.ldc, &sums[at], lds, b, rows, mode, min(half, cols-at), min(max(cols-at-half, 0), half))
	}
}
