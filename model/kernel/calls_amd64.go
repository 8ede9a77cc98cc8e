package kernel

import "unsafe"

func (s *assembly) tile(t *tile) {
	mode := int(t.act) << 1
	if t.load {
		mode |= 1
	}
	a, b, c, bias := unsafe.SliceData(t.a), unsafe.SliceData(t.b), unsafe.SliceData(t.c), unsafe.SliceData(t.bias)
	switch {
	case t.cols > 2*s.lanes:
		s.strips[t.cols/(8*s.lanes)](t.k, a, t.aDepth, b, t.bDepth, t.bPanel, c, t.ldc, bias, mode, s.lanes)
	case t.cols > s.lanes:
		s.tiles[1][t.rows](t.k, a, t.aRow, t.aDepth, b, t.bDepth, c, t.ldc, bias, mode, t.cols-s.lanes)
	default:
		s.tiles[0][t.rows](t.k, a, t.aRow, t.aDepth, b, t.bDepth, c, t.ldc, bias, mode, t.cols)
	}
}

func (s *assembly) rank(t *tile) {
	load := 0
	if t.load {
		load = 1
	}
	s.ranks[t.k](&t.c[0], t.ldc, &t.a[0], t.aRow, t.aDepth, &t.b[0], t.bDepth, t.rows, t.cols, load)
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

func (s *assembly) copyPanel(dst, src []float32, lds, rows int) {
	s.panelKernel(&dst[0], &src[0], lds, rows)
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
	n := len(x) &^ (chains - 1)
	if n == 0 {
		return restSquares(x)
	}
	return s.squaresKernel(&x[0], n) + restSquares(x[n:])
}

func (s *assembly) addSquares(dst, x []float32) float64 {
	n := len(dst) &^ (chains - 1)
	sum := 0.0
	if n > 0 {
		sum = s.addSquaresKernel(&dst[0], &x[0], n)
	}
	if n < len(dst) {
		sum += goAddSquares(dst[n:], x[n:])
	}
	return sum
}

func (s *assembly) most(x []float32) float32 {
	n := s.whole(len(x))
	if n == 0 {
		return goMost(x)
	}
	most := s.mostKernel(&x[0], n)
	for _, v := range x[n:] {
		if v > most {
			most = v
		}
	}
	return most
}

func (s *assembly) sum(x []float32) float64 { return s.sumKernel(unsafe.SliceData(x), len(x)) }

func (s *assembly) addRows(sum, x []float32, rows int) {
	s.addRowsKernel(&sum[0], &x[0], rows, len(sum))
}

func (s *assembly) activationRows(dz, sum, dy, y []float32, scale, slope float32, rows int) {
	s.activationRowsKernel(&dz[0], &sum[0], &dy[0], &y[0], scale, slope, rows, len(sum))
}

func (s *assembly) difference(dst, x, y []float32, alpha float32) float64 {
	n := len(dst) &^ (chains - 1)
	sum := 0.0
	if n > 0 {
		sum = s.differenceKernel(&dst[0], &x[0], &y[0], alpha, n)
	}
	if n < len(dst) {
		sum += goDifference(dst[n:], x[n:], y[n:], alpha)
	}
	return sum
}

func (s *assembly) dropout(dst, x []float32, d mask, first uint32) {
	n := s.whole(len(dst))
	if n > 0 {
		s.dropoutKernel(&dst[0], &x[0], d.k0+first, d.k1, d.threshold, d.scale, n)
	}
	goDropout(dst[n:], x[n:], d, first+uint32(n))
}

func (s *assembly) sigmoid(dst, x []float32) {
	s.sigmoidKernel(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
}

func (s *assembly) softplus(dst, x []float32) {
	s.softplusKernel(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
}

func (s *assembly) tanh(dst, x []float32) {
	s.tanhKernel(unsafe.SliceData(dst), unsafe.SliceData(x), len(dst))
}

func (s *assembly) exp(dst, x []float32, shift float32) {
	s.expKernel(unsafe.SliceData(dst), unsafe.SliceData(x), shift, len(dst))
}

func (s *assembly) adamW(w, m, v, average []float32, grads [][]float32, first int, c adamCoefficients) {
	n := s.whole(len(w))
	if n > 0 {
		s.adamWKernel(&w[0], &m[0], &v[0], unsafe.SliceData(average), unsafe.SliceData(grads), len(grads), n,
			c.scale, c.beta1, c.rest1, c.beta2, c.rest2, c.keep, c.rate, c.root, c.epsilon, c.meanKeep, c.meanRest)
	}
	goAdamW(w, m, v, average, grads, n, c)
}

func (s *assembly) locate(p *pieces, edges []float32, last int) {
	s.locateKernel(&p.bin[0], &p.frac[0], &p.x[0], p.stride, len(p.bin), &edges[0], last)
}

func (s *assembly) prefix(sums, bias, table []float32) {
	width := len(bias)
	if width%s.lanes != 0 {
		goPrefix(sums, bias, table)
		return
	}
	s.prefixKernel(&sums[0], &bias[0], unsafe.SliceData(table), width, len(table)/width)
}

func (s *assembly) forward(dst, slope, table []float32, p *pieces) {
	width := len(slope)
	if width%s.lanes != 0 {
		goForward(dst, slope, table, p)
		return
	}
	s.forwardKernel(&dst[0], &slope[0], &table[0], &p.sums[0], width, p.stride*width, &p.x[0], p.stride, &p.bin[0], &p.frac[0], len(p.bin))
}

func (s *assembly) backward(dslope, dtable, dy []float32, p *pieces) {
	width := len(dslope)
	if width%s.lanes != 0 {
		goBackward(dslope, dtable, dy, p)
		return
	}
	s.backwardKernel(&dslope[0], &dtable[0], &dy[0], &p.sums[0], width, p.stride*width, &p.x[0], p.stride, &p.bin[0], &p.frac[0], len(p.bin))
}

func (s *assembly) fold(dbias, dtable, sums []float32) {
	width := len(dbias)
	if width%s.lanes != 0 {
		goFold(dbias, dtable, sums)
		return
	}
	s.foldKernel(&dbias[0], &dtable[0], &sums[0], width, len(sums)/width)
}

// Lookups have at least one row of ids, and a table of at least one row.

func (s *assembly) gather(dst []float32, l lookup) {
	s.gatherKernel(&dst[0], l.columns*l.width, &l.ids[0], l.columns, &l.table[0], len(l.table)/l.width, l.width, l.rows)
}

func (s *assembly) scatterAdd(dy []float32, l lookup) {
	s.scatterAddKernel(&dy[0], l.columns*l.width, &l.ids[0], l.columns, &l.table[0], len(l.table)/l.width, l.width, l.rows)
}

// The rows and the width of a run of gated units are positive.

func (s *assembly) gruForward(out, gates []float32, ldg int, h []float32, rows, width int) {
	s.gruForwardKernel(&out[0], &gates[0], ldg, &h[0], rows, width)
}

func (s *assembly) gruBackward(gates []float32, ldg int, dh, dout, h []float32, rows, width int) {
	s.gruBackwardKernel(&gates[0], ldg, &dh[0], &dout[0], &h[0], rows, width)
}
