package kernel

import "fmt"

// A Packed is the right operand of a product, laid out once for many products.
// The zero value is ready for Pack. Products only read it, so goroutines may
// share it, unless it was deferred.
type Packed struct {
	n, k   int
	values []float32 // panels, or, of a narrow operand, its columns one after the other
	parts  []uint32  // for the matrix unit
	source deferred
}

// deferred is an operand that is laid out when a product needs it.
type deferred struct {
	waits           bool
	transB          bool
	b               []float32
	ldb             int
	packed, inParts bool // what has been made of it
}

// Defer is Pack at the first product, in whichever way that product needs: b
// must not change before the last one, and one goroutine may use dst at a time.
func Defer(dst *Packed, transB bool, n, k int, b []float32, ldb int) {
	needRight("pack", transB, n, k, b, ldb)
	dst.n, dst.k = n, k
	dst.source = deferred{waits: true, transB: transB, b: b, ldb: ldb}
}

// panels is an operand (k, n) cut into groups of active.panel columns, each
// group row-major and contiguous; the last is padded with zeros.
type panels struct {
	values []float32
	stride int // between the starts of groups
	depth  int // between the rows of a group
}

// at returns the panel that starts at column j.
func (p panels) at(j int) []float32 { return from(p.values, j/active.panel*p.stride) }

// unpacked is b's rows from k0 on as panels, where they stand. Its columns must
// be whole panels.
func unpacked(b []float32, ldb, k0 int) panels {
	return panels{values: from(b, k0*ldb), stride: active.panel, depth: ldb}
}

// Pack lays op(b) (k, n) out for GemmPacked, in dst's memory where that
// suffices. b is stored (k, n), or (n, k) when transB is set, with row stride
// ldb.
func Pack(dst *Packed, transB bool, n, k int, b []float32, ldb int) {
	Defer(dst, transB, n, k, b, ldb)
	dst.lay()
	dst.source = deferred{}
}

// splitProduct computes a product on the matrix unit, with a deferred operand.
// Again says that op(a) is that of the last one.
func (w *Workspace) splitProduct(g *product, b *Packed, again bool) {
	if s := &b.source; !s.inParts {
		active.matrix.splitRight(&b.parts, s.transB, b.n, b.k, s.b, s.ldb)
		s.inParts = true
	}
	w.matrixProduct(g, b.parts, again)
}

// lay makes sure that the values have been laid out.
func (dst *Packed) lay() {
	n, k, s := dst.n, dst.k, &dst.source
	if !s.waits || s.packed {
		return
	}
	s.packed = true
	if n > narrow {
		pack(&dst.values, s.transB, n, 0, k, s.b, s.ldb)
		return
	}
	dst.values = grow(&dst.values, n*k)
	if !s.transB {
		columns(dst.values, n, k, s.b, s.ldb)
		return
	}
	for j := range n {
		copy(dst.values[j*k:(j+1)*k], from(s.b, j*s.ldb))
	}
}

// GemmPacked is Gemm with the right operand already packed; n and k are b's.
func (w *Workspace) GemmPacked(transA bool, m int, a []float32, lda int, b *Packed,
	c []float32, ldc int, bias []float32, act Activation, accumulate bool) {
	s := &b.source
	if s.waits && !s.packed && !s.transB && w.direct(m, b.n, b.k) {
		w.Gemm(transA, false, m, b.n, b.k, a, lda, s.b, s.ldb, c, ldc, bias, act, accumulate)
		return
	}
	g := newProduct("gemm", transA, m, b.n, b.k, a, lda, c, ldc, bias, act, accumulate)
	if s.waits && w.onMatrix(m, b.n, b.k) {
		w.splitProduct(&g, b, false)
		return
	}
	b.lay()
	switch {
	case m == 0 || b.n == 0:
	case b.n <= narrow:
		w.narrowProduct(&g, b.values, b.k)
	case m == 1 && b.k <= depthBlock:
		w.row(&g, b)
	default:
		w.blocks(&g, func(k0, _ int) panels {
			return panels{values: b.values[k0*active.panel:], stride: b.k * active.panel, depth: active.panel}
		})
	}
}

// A Part is one of several products with the same left operand.
type Part struct {
	B          *Packed
	C          []float32
	Ldc        int
	Bias       []float32 // or nil
	Accumulate bool
}

// GemmParts is GemmPacked for each of the parts, which are of the same depth.
// What it takes to split the left operand for the matrix unit, it takes once.
func (w *Workspace) GemmParts(transA bool, m int, a []float32, lda int, parts ...Part) {
	for _, p := range parts {
		if k := parts[0].B.k; p.B.k != k {
			panic(fmt.Sprintf("kernel: gemm parts: a right operand has depth %d, want %d as the first", p.B.k, k))
		}
	}
	split := false // the left operand
	for _, p := range parts {
		if !p.B.source.waits || !w.onMatrix(m, p.B.n, p.B.k) {
			w.GemmPacked(transA, m, a, lda, p.B, p.C, p.Ldc, p.Bias, Identity, p.Accumulate)
			continue
		}
		g := newProduct("gemm parts", transA, m, p.B.n, p.B.k, a, lda, p.C, p.Ldc, p.Bias, Identity, p.Accumulate)
		w.splitProduct(&g, p.B, split)
		split = true
	}
}

// needRight panics unless b holds a right operand.
func needRight(kernel string, transB bool, n, k int, b []float32, ldb int) {
	if transB {
		needMatrix(kernel, "b", len(b), n, k, ldb)
	} else {
		needMatrix(kernel, "b", len(b), k, n, ldb)
	}
}

// pack cuts rows k0 to k1 of op(b) into panels.
func pack(buf *[]float32, transB bool, n, k0, k1 int, b []float32, ldb int) panels {
	panel, k := active.panel, k1-k0
	*buf = grow(buf, (n+panel-1)/panel*panel*k)
	p := panels{values: *buf, stride: k * panel, depth: panel}
	if k == 0 {
		return p
	}
	for j := 0; j < n; j += panel {
		to, cols := p.at(j)[:p.stride], min(panel, n-j)
		if cols < panel {
			clear(to)
		}
		switch {
		case transB:
			active.transpose(to, panel, b[j*ldb+k0:], ldb, cols, k)
		case cols == panel:
			active.copyPanel(to, b[k0*ldb+j:], ldb, k)
		default:
			for i := range k {
				copy(to[i*panel:i*panel+cols], b[(k0+i)*ldb+j:])
			}
		}
	}
	return p
}

// columns copies the columns of b (k, n) into the rows of dst (n, k).
func columns(dst []float32, n, k int, b []float32, ldb int) {
	for j := range n {
		column := dst[j*k : (j+1)*k]
		for p := range column {
			column[p] = b[p*ldb+j]
		}
	}
}

func goCopyPanel(dst, src []float32, lds, rows int) {
	panel := len(dst) / rows
	for i := range rows {
		copy(dst[i*panel:(i+1)*panel], src[i*lds:])
	}
}
