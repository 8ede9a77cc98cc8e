package kernel

// A tile is one call of the innermost kernel of a product:
// c (rows, cols) = [c +] [bias +] a·b, then act, each element a chain of
// additions in the order of depth.
type tile struct {
	rows, cols, k int
	a             []float32 // a[i*aRow + p*aDepth]
	aRow, aDepth  int
	b             []float32 // b[p*bDepth + j], readable over a whole panel
	bDepth        int
	bPanel        int // distance of the panels of a strip: one row, path.strip columns
	c             []float32
	ldc           int
	bias          []float32 // or nil
	load          bool      // start from c
	act           Activation
}

// goTile computes a tile in blocks of 2 x 4, as many sums as scalar registers
// hold.
func goTile(t *tile) {
	for i := 0; i < t.rows; i += 2 {
		for j := 0; j < t.cols; j += 4 {
			rows, cols := min(2, t.rows-i), min(4, t.cols-j)
			var s [2][4]float32
			t.start(&s, i, j, rows, cols)
			t.sum(&s, i, i+rows-1, j)
			for r := range rows {
				for q := range cols {
					t.c[(i+r)*t.ldc+j+q] = activate(s[r][q], t.act)
				}
			}
		}
	}
}

func (t *tile) start(s *[2][4]float32, i, j, rows, cols int) {
	for r := range rows {
		for q := range cols {
			if t.load {
				s[r][q] = t.c[(i+r)*t.ldc+j+q]
			}
			if t.bias != nil {
				s[r][q] += t.bias[j+q]
			}
		}
	}
}

// sum adds rows i0 and i1, which may be the same, times four columns.
func (t *tile) sum(s *[2][4]float32, i0, i1, j int) {
	x0, x1, x2, x3 := s[0][0], s[0][1], s[0][2], s[0][3]
	y0, y1, y2, y3 := s[1][0], s[1][1], s[1][2], s[1][3]
	a, next, b := i0*t.aRow, (i1-i0)*t.aRow, j
	for range t.k {
		v := t.b[b : b+4 : b+4]
		x, y := t.a[a], t.a[a+next]
		x0 += x * v[0]
		x1 += x * v[1]
		x2 += x * v[2]
		x3 += x * v[3]
		y0 += y * v[0]
		y1 += y * v[1]
		y2 += y * v[2]
		y3 += y * v[3]
		a += t.aDepth
		b += t.bDepth
	}
	s[0] = [4]float32{x0, x1, x2, x3}
	s[1] = [4]float32{y0, y1, y2, y3}
}

// goRank computes a tile row by row, in the order of its elements' chains.
func goRank(t *tile) {
	for i := range t.rows {
		c := t.c[i*t.ldc:][:t.cols]
		if !t.load {
			clear(c)
		}
		p := 0
		for ; p+2 <= t.k; p += 2 {
			x, y := t.a[i*t.aRow+p*t.aDepth], t.a[i*t.aRow+(p+1)*t.aDepth]
			b0, b1 := t.b[p*t.bDepth:][:t.cols], t.b[(p+1)*t.bDepth:][:t.cols]
			for j, v := range b0 {
				s := c[j] + x*v
				c[j] = s + y*b1[j]
			}
		}
		if p < t.k {
			goAxpy(c, t.a[i*t.aRow+p*t.aDepth], t.b[p*t.bDepth:])
		}
	}
}

// goDots computes sums[i] = Σ_p a[i*lda+p]·x[p] over k values, in four
// interleaved chains.
func goDots(sums, a []float32, lda int, x []float32, k int) {
	x = x[:k]
	for i := range sums {
		row := from(a, i*lda)[:k]
		var s0, s1, s2, s3 float32
		p := 0
		for ; p+4 <= k; p += 4 {
			r, v := row[p:p+4:p+4], x[p:p+4:p+4]
			s0 += r[0] * v[0]
			s1 += r[1] * v[1]
			s2 += r[2] * v[2]
			s3 += r[3] * v[3]
		}
		for ; p < k; p++ {
			s0 += row[p] * x[p]
		}
		sums[i] = (s0 + s1) + (s2 + s3)
	}
}

// goTranspose writes the rows of src (rows, cols) as columns:
// dst[j*ldd+i] = src[i*lds+j].
func goTranspose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*lds : i*lds+cols] {
			dst[j*ldd+i] = v
		}
	}
}
