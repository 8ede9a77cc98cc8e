package kernel

import "unsafe"

// paths are the implementations that this machine supports, the best first.
func paths() []*path {
	var supported []*path
	hasAVX2, hasAVX512 := features()
	if hasAVX512 {
		supported = append(supported, avx512.path("avx512"))
	}
	if hasAVX2 {
		supported = append(supported, avx2.path("avx2"))
	}
	return append(supported, &goPath)
}

// features asks the processor for AVX2 with FMA and BMI2, and for AVX-512 with
// its DQ, BW and VL parts, and the operating system for the registers.
func features() (hasAVX2, hasAVX512 bool) {
	const (
		fma, osxsave, avx              = 1 << 12, 1 << 27, 1 << 28                     // leaf 1, ecx
		needAVX2                       = 1<<5 | 1<<8                                   // leaf 7, ebx: AVX2, BMI2
		needAVX512                     = needAVX2 | 1<<16 | 1<<17 | 1<<30 | 1<<31      // F, DQ, BW, VL
		savesVectors, savesWideVectors = 1<<1 | 1<<2, 1<<1 | 1<<2 | 1<<5 | 1<<6 | 1<<7 // XCR0
	)
	if leaves, _, _, _ := cpuid(0, 0); leaves < 7 {
		return false, false
	}
	_, _, ecx, _ := cpuid(1, 0)
	if ecx&(fma|osxsave|avx) != fma|osxsave|avx {
		return false, false
	}
	_, ebx, _, _ := cpuid(7, 0)
	saved := xgetbv()
	hasAVX2 = ebx&needAVX2 == needAVX2 && saved&savesVectors == savesVectors
	hasAVX512 = hasAVX2 && ebx&needAVX512 == needAVX512 && saved&savesWideVectors == savesWideVectors
	return hasAVX2, hasAVX512
}

// assembly is the generated code for one set of vector instructions, and how to
// call it on slices: kernels of one pass take whole vectors only, and leave the
// rest to plain Go.
type assembly struct {
	lanes int             // float32 values in a vector
	tiles [2][]tileKernel // of one and of two vectors' width, by rows

	stripKernel      func(k int, a *float32, aDepth int, b *float32, bDepth, bPanel int, c *float32, ldc int, bias *float32, mode, last int)
	dotsKernel       func(sums *float32, rows int, a *float32, lda int, x *float32, k int)
	axpyKernel       func(y *float32, alpha float32, x *float32, n int)
	scaleKernel      func(x *float32, alpha float32, n int)
	mulKernel        func(dst, x, r *float32, n int)
	mulAddKernel     func(dst, x, r *float32, n int)
	squaresKernel    func(x *float32, n int) float64
	activationKernel func(dz, dy, y *float32, slope float32, n int)
	dropoutKernel    func(dst, x *float32, k0, k1, threshold uint32, scale float32, n int)
	sigmoidKernel    func(dst, x *float32, n int)
	softplusKernel   func(dst, x *float32, n int)
	adamWKernel      func(w, m, v *float32, grads *[]float32, count, n int, scale, beta1, rest1, beta2, rest2, keep, rate, root, epsilon float32)

	locateKernel   func(bin *int32, frac, x *float32, stride, rows int, edges *float32, last int)
	prefixKernel   func(sums, bias, table *float32, width, rows int)
	forwardKernel  func(dst, slope, table, sums *float32, width, yStride int, x *float32, xStride int, bin *int32, frac *float32, rows int)
	backwardKernel func(dslope, dtable, dy, sums *float32, width, yStride int, x *float32, xStride int, bin *int32, frac *float32, rows int)
}

type tileKernel func(k int, a *float32, aRow, aDepth int, b *float32, bDepth int, c *float32, ldc int, bias *float32, mode, last int)

var avx512 = &assembly{
	lanes: 16,
	tiles: [2][]tileKernel{
		{nil,
			tileAVX512x16r1, tileAVX512x16r2, tileAVX512x16r3, tileAVX512x16r4, tileAVX512x16r5, tileAVX512x16r6, tileAVX512x16r7,
			tileAVX512x16r8, tileAVX512x16r9, tileAVX512x16r10, tileAVX512x16r11, tileAVX512x16r12, tileAVX512x16r13, tileAVX512x16r14},
		{nil,
			tileAVX512x32r1, tileAVX512x32r2, tileAVX512x32r3, tileAVX512x32r4, tileAVX512x32r5, tileAVX512x32r6, tileAVX512x32r7,
			tileAVX512x32r8, tileAVX512x32r9, tileAVX512x32r10, tileAVX512x32r11, tileAVX512x32r12, tileAVX512x32r13, tileAVX512x32r14},
	},
	stripKernel: stripAVX512, dotsKernel: dotsAVX512,
	axpyKernel: axpyAVX512, scaleKernel: scaleAVX512, mulKernel: mulAVX512, mulAddKernel: mulAddAVX512, squaresKernel: squaresAVX512,
	activationKernel: activationAVX512, dropoutKernel: dropoutAVX512, sigmoidKernel: sigmoidAVX512, softplusKernel: softplusAVX512, adamWKernel: adamWAVX512,
	locateKernel: locateAVX512, prefixKernel: prefixAVX512, forwardKernel: forwardAVX512, backwardKernel: backwardAVX512,
}

var avx2 = &assembly{
	lanes: 8,
	tiles: [2][]tileKernel{
		{nil,
			tileAVX2x8r1, tileAVX2x8r2, tileAVX2x8r3, tileAVX2x8r4, tileAVX2x8r5, tileAVX2x8r6},
		{nil,
			tileAVX2x16r1, tileAVX2x16r2, tileAVX2x16r3, tileAVX2x16r4, tileAVX2x16r5, tileAVX2x16r6},
	},
	stripKernel: stripAVX2, dotsKernel: dotsAVX2,
	axpyKernel: axpyAVX2, scaleKernel: scaleAVX2, mulKernel: mulAVX2, mulAddKernel: mulAddAVX2, squaresKernel: squaresAVX2,
	activationKernel: activationAVX2, dropoutKernel: dropoutAVX2, sigmoidKernel: sigmoidAVX2, softplusKernel: softplusAVX2, adamWKernel: adamWAVX2,
	locateKernel: locateAVX2, prefixKernel: prefixAVX2, forwardKernel: forwardAVX2, backwardKernel: backwardAVX2,
}

// path offers the assembly under a name.
func (s *assembly) path(name string) *path {
	return &path{
		name: name, tileRows: len(s.tiles[0]) - 1, panel: 2 * s.lanes, strip: 8 * s.lanes,
		tile: s.tile, dots: s.dots, transpose: transposeBlocks,
		elementwise: elementwise{
			axpy: s.axpy, scale: s.scale, mul: s.mul, mulAdd: s.mulAdd, squares: s.squares,
			activation: s.activation, dropout: s.dropout, sigmoid: s.sigmoid, softplus: s.softplus, adamW: s.adamW,
		},
		piecewise: piecewise{locate: s.locate, prefix: s.prefix, forward: s.forward, backward: s.backward},
	}
}

func (s *assembly) tile(t *tile) {
	mode := int(t.act) << 1
	if t.load {
		mode |= 1
	}
	a, b, c, bias := unsafe.SliceData(t.a), unsafe.SliceData(t.b), unsafe.SliceData(t.c), unsafe.SliceData(t.bias)
	switch {
	case t.cols > 2*s.lanes:
		s.stripKernel(t.k, a, t.aDepth, b, t.bDepth, t.bPanel, c, t.ldc, bias, mode, s.lanes)
	case t.cols > s.lanes:
		s.tiles[1][t.rows](t.k, a, t.aRow, t.aDepth, b, t.bDepth, c, t.ldc, bias, mode, t.cols-s.lanes)
	default:
		s.tiles[0][t.rows](t.k, a, t.aRow, t.aDepth, b, t.bDepth, c, t.ldc, bias, mode, t.cols)
	}
}

func (s *assembly) dots(sums, a []float32, lda int, x []float32, k int) {
	s.dotsKernel(unsafe.SliceData(sums), len(sums), unsafe.SliceData(a), lda, unsafe.SliceData(x), k)
}

// transposeBlocks transposes 8 x 8 values at a time.
func transposeBlocks(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	whole := cols &^ 7
	i := 0
	for ; i+8 <= rows && whole > 0; i += 8 {
		transpose8(&dst[i], ldd, &src[i*lds], lds, whole/8)
		goTranspose(from(dst, whole*ldd+i), ldd, from(src, i*lds+whole), lds, 8, cols-whole)
	}
	goTranspose(from(dst, i), ldd, from(src, i*lds), lds, rows-i, cols)
}

// whole is how many of n values fill vectors.
func (s *assembly) whole(n int) int { return n &^ (s.lanes - 1) }

func (s *assembly) axpy(y []float32, alpha float32, x []float32) {
	n := s.whole(len(y))
	if n > 0 {
		s.axpyKernel(&y[0], alpha, &x[0], n)
	}
	goAxpy(y[n:], alpha, x[n:])
}

func (s *assembly) scale(x []float32, alpha float32) {
	n := s.whole(len(x))
	if n > 0 {
		s.scaleKernel(&x[0], alpha, n)
	}
	goScale(x[n:], alpha)
}

func (s *assembly) mul(dst, x, r []float32) {
	n := s.whole(len(dst))
	if n > 0 {
		s.mulKernel(&dst[0], &x[0], &r[0], n)
	}
	goMul(dst[n:], x[n:], r[n:])
}

func (s *assembly) mulAdd(dst, x, r []float32) {
	n := s.whole(len(dst))
	if n > 0 {
		s.mulAddKernel(&dst[0], &x[0], &r[0], n)
	}
	goMulAdd(dst[n:], x[n:], r[n:])
}

func (s *assembly) squares(x []float32) float64 {
	n := len(x) &^ 15
	if n == 0 {
		return goSquares(x)
	}
	return s.squaresKernel(&x[0], n) + goSquares(x[n:])
}

func (s *assembly) activation(dz, dy, y []float32, slope float32) {
	n := s.whole(len(dz))
	if n > 0 {
		s.activationKernel(&dz[0], &dy[0], &y[0], slope, n)
	}
	goActivation(dz[n:], dy[n:], y[n:], slope)
}

func (s *assembly) dropout(dst, x []float32, d mask, first uint32) {
	n := s.whole(len(dst))
	if n > 0 {
		s.dropoutKernel(&dst[0], &x[0], d.k0+first, d.k1, d.threshold, d.scale, n)
	}
	goDropout(dst[n:], x[n:], d, first+uint32(n))
}

func (s *assembly) sigmoid(dst, x []float32) {
	n := s.whole(len(dst))
	if n > 0 {
		s.sigmoidKernel(&dst[0], &x[0], n)
	}
	goSigmoid(dst[n:], x[n:])
}

func (s *assembly) softplus(dst, x []float32) {
	n := s.whole(len(dst))
	if n > 0 {
		s.softplusKernel(&dst[0], &x[0], n)
	}
	goSoftplus(dst[n:], x[n:])
}

func (s *assembly) adamW(w, m, v []float32, grads [][]float32, first int, c adamCoefficients) {
	n := s.whole(len(w))
	if n > 0 {
		s.adamWKernel(&w[0], &m[0], &v[0], unsafe.SliceData(grads), len(grads), n,
			c.scale, c.beta1, c.rest1, c.beta2, c.rest2, c.keep, c.rate, c.root, c.epsilon)
	}
	goAdamW(w, m, v, grads, n, c)
}

func (s *assembly) locate(p pieces, edges []float32) {
	s.locateKernel(&p.bin[0], &p.frac[0], &p.x[0], p.stride, len(p.bin), &edges[0], lastBin(edges))
}

func (s *assembly) prefix(sums, bias, table []float32) {
	width := len(bias)
	if width%s.lanes != 0 {
		goPrefix(sums, bias, table)
		return
	}
	s.prefixKernel(&sums[0], &bias[0], unsafe.SliceData(table), width, len(table)/width)
}

func (s *assembly) forward(dst, slope, table []float32, p pieces) {
	width := len(slope)
	if width%s.lanes != 0 {
		goForward(dst, slope, table, p)
		return
	}
	s.forwardKernel(&dst[0], &slope[0], &table[0], &p.sums[0], width, p.stride*width, &p.x[0], p.stride, &p.bin[0], &p.frac[0], len(p.bin))
}

func (s *assembly) backward(dslope, dtable, dy []float32, p pieces) {
	width := len(dslope)
	if width%s.lanes != 0 {
		goBackward(dslope, dtable, dy, p)
		return
	}
	s.backwardKernel(&dslope[0], &dtable[0], &dy[0], &p.sums[0], width, p.stride*width, &p.x[0], p.stride, &p.bin[0], &p.frac[0], len(p.bin))
}
