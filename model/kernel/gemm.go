package kernel

// narrow is the largest number of columns, or of depths, of the products that
// are not cut into tiles: of few columns a tile would be mostly padding, and of
// little depth mostly start and end. Both kinds are as fast as memory.
const narrow = 4

// A product is c = [c +] op(a)·op(b) [+ bias], then act.
type product struct {
	m, n, k    int
	a          []float32 // op(a)[i][p] = a[i*aRow + p*aDepth]
	aRow       int
	aDepth     int
	c          []float32
	ldc        int
	bias       []float32
	act        Activation
	accumulate bool
}

// Gemm computes c = op(a)·op(b), with c added when accumulate is set, then
// bias, unless nil, added to every row, then act. op(a) is (m, k): a is stored
// so, or (k, m) when transA is set. op(b) is (k, n): b is stored so, or (n, k)
// when transB is set. lda, ldb and ldc are the distances between stored rows.
func (w *Workspace) Gemm(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int,
	c []float32, ldc int, bias []float32, act Activation, accumulate bool) {
	g := newProduct("gemm", transA, m, n, k, a, lda, c, ldc, bias, act, accumulate)
	needRight("gemm", transB, n, k, b, ldb)
	switch {
	case m == 0 || n == 0:
	case n <= narrow:
		if !transB {
			w.heads = grow(&w.heads, n*k)
			columns(w.heads, n, k, b, ldb)
			b, ldb = w.heads, k
		}
		w.narrowProduct(&g, b, ldb)
	case k > 0 && k <= narrow && bias == nil && act == Identity:
		w.shallow(&g, transB, b, ldb)
	case m <= active.tileRows && !transB:
		w.fewRows(&g, b, ldb)
	case w.onMatrix(m, n, k):
		active.matrix.splitRight(&w.right, transB, n, k, b, ldb)
		w.matrixProduct(&g, w.right, false)
	case !transB && w.direct(m, n, k):
		w.blocks(&g, func(k0, _ int) panels { return unpacked(b, ldb, k0) })
	default:
		w.blocks(&g, func(k0, k1 int) panels { return pack(&w.pack, transB, n, k0, k1, b, ldb) })
	}
}

// direct says whether a product (m, n) of depth k is fastest with its right
// operand where it stands, neither packed by Gemm nor beforehand.
func (w *Workspace) direct(m, n, k int) bool {
	return !w.onMatrix(m, n, k) && m <= directTiles*active.tileRows && n%active.panel == 0
}

func newProduct(kernel string, transA bool, m, n, k int, a []float32, lda int, c []float32, ldc int,
	bias []float32, act Activation, accumulate bool) product {
	g := product{m: m, n: n, k: k, a: a, aRow: lda, aDepth: 1, c: c, ldc: ldc, bias: bias, act: act, accumulate: accumulate}
	if transA {
		needMatrix(kernel, "a", len(a), k, m, lda)
		g.aRow, g.aDepth = 1, lda
	} else {
		needMatrix(kernel, "a", len(a), m, k, lda)
	}
	needMatrix(kernel, "c", len(c), m, n, ldc)
	if bias != nil {
		need(kernel, "bias", len(bias), n)
	}
	return g
}

// Sizes of blocks. A panel of depthBlock rows stays in the level-1 cache while
// tiles pass over it, and blockValues of op(a) stay in level 2 while panels do.
// Where a is transposed, its rows lie a stride apart and are the costlier ones
// to fetch: then half as deep a block of them stays while panels pass. Where
// fewer than directTiles tiles pass over a panel, copying it would cost more
// than its scattered rows do.
const (
	depthBlock  = 320
	blockValues = 96 << 10
	directTiles = 6
)

// blocks runs the product over blocks of depth, and within them of rows. packed
// returns op(b)'s rows k0 to k1 in panels.
func (w *Workspace) blocks(g *product, packed func(k0, k1 int) panels) {
	depth := depthBlock
	if g.transposed() {
		depth /= 2
	}
	parts := max((g.k+depth-1)/depth, 1)
	for part := range parts {
		k0, k1 := g.k*part/parts, g.k*(part+1)/parts
		b := packed(k0, k1)
		rows := max(blockValues/max(k1-k0, 1), active.tileRows)
		for i := 0; i < g.m; i += rows {
			g.block(&w.tile, i, min(i+rows, g.m), k0, k1, b)
		}
	}
	w.tile = tile{}
}

// transposed is whether the rows of op(a) are columns in memory.
func (g *product) transposed() bool { return g.aDepth != 1 }

// block computes rows i0 to i1 from depths k0 to k1. The first depth starts
// from the bias and the last one ends with the activation; those between start
// from c, so the order of additions, and with it every bit, is that of one
// long block.
func (g *product) block(t *tile, i0, i1, k0, k1 int, b panels) {
	*t = tile{k: k1 - k0, aRow: g.aRow, aDepth: g.aDepth, bDepth: b.depth, bPanel: b.stride, ldc: g.ldc, load: g.accumulate || k0 > 0}
	if k1 == g.k {
		t.act = g.act
	}
	// Tiles are of equal height, or nearly: the first ones are a row taller.
	tiles := (i1 - i0 + active.tileRows - 1) / active.tileRows
	height, taller := (i1-i0)/tiles, (i1-i0)%tiles
	rows := func(s int) int {
		if s < taller {
			return height + 1
		}
		return height
	}
	if g.transposed() {
		for s, i := 0, i0; s < tiles; s, i = s+1, i+t.rows {
			g.toRows(t, i, rows(s), k0)
			for j := 0; j < g.n; j += t.cols {
				g.toColumn(t, j, k0, b)
				t.c = g.c[i*g.ldc+j:]
				active.tile(t)
			}
		}
		return
	}
	for j := 0; j < g.n; j += t.cols {
		g.toColumn(t, j, k0, b)
		for s, i := 0, i0; s < tiles; s, i = s+1, i+t.rows {
			g.toRows(t, i, rows(s), k0)
			t.c = g.c[i*g.ldc+j:]
			active.tile(t)
		}
	}
}

// toRows moves the tile to so many rows from i on.
func (g *product) toRows(t *tile, i, rows, k0 int) {
	t.rows, t.a = rows, from(g.a, i*g.aRow+k0*g.aDepth)
}

// toColumn moves the tile to column j.
func (g *product) toColumn(t *tile, j, k0 int, b panels) {
	t.cols, t.b = g.columns(j), b.at(j)
	if g.bias != nil && k0 == 0 {
		t.bias = g.bias[j:]
	}
}

// columns is how many columns the tile at column j takes: of a single row, a
// strip or half of one.
func (g *product) columns(j int) int {
	left := g.n - j
	switch {
	case g.m > 1 || active.strip == 0 || left < active.strip/2:
		return min(active.panel, left)
	case left < active.strip:
		return active.strip / 2
	}
	return active.strip
}

// row computes a product of one row whose depth is one block. It is fewRows for
// a packed operand, written out: a score of one row takes 2 % longer by way of
// what blocks and fewRows share.
func (w *Workspace) row(g *product, b *Packed) {
	t := &w.tile
	*t = tile{rows: 1, k: g.k, a: g.a, aRow: g.aRow, aDepth: g.aDepth, bDepth: active.panel, bPanel: g.k * active.panel, ldc: g.ldc, load: g.accumulate, act: g.act}
	for j := 0; j < g.n; j += t.cols {
		t.cols, t.b, t.c = g.columns(j), from(b.values, j*g.k), g.c[j:]
		if g.bias != nil {
			t.bias = g.bias[j:]
		}
		active.tile(t)
	}
	*t = tile{}
}

// from is x[i:], or nothing where x ends before: operands without depth are
// empty.
func from(x []float32, i int) []float32 { return x[min(i, len(x)):] }

// fewRows multiplies at most tileRows rows by b (k, n) as it is stored: packing
// would cost as much as the product.
func (w *Workspace) fewRows(g *product, b []float32, ldb int) {
	t := &w.tile
	*t = tile{rows: g.m, k: g.k, a: g.a, aRow: g.aRow, aDepth: g.aDepth, ldc: g.ldc, load: g.accumulate, act: g.act}
	for j := 0; j < g.n; j += t.cols {
		t.cols, t.bPanel = g.columns(j), active.panel
		t.c = g.c[j:]
		if g.bias != nil {
			t.bias = g.bias[j:]
		}
		t.b, t.bDepth = from(b, j), ldb
		if t.cols < active.panel { // tiles read whole panels
			t.b, t.bDepth = pack(&w.pack, false, t.cols, 0, g.k, t.b, ldb).at(0), active.panel
		}
		active.tile(t)
	}
	*t = tile{}
}

// shallow computes a product of little depth: row by row, each column's sum in
// the order of depth, as tiles do.
func (w *Workspace) shallow(g *product, transB bool, b []float32, ldb int) {
	if transB && (g.k > 1 || ldb > 1) {
		w.pack = grow(&w.pack, g.k*g.n)
		active.transpose(w.pack, g.n, b, ldb, g.n, g.k)
		b, ldb = w.pack, g.n
	}
	w.tile = tile{rows: g.m, cols: g.n, k: g.k, a: g.a, aRow: g.aRow, aDepth: g.aDepth, b: b, bDepth: ldb, c: g.c, ldc: g.ldc, load: g.accumulate}
	active.rank(&w.tile)
	w.tile = tile{}
}

// narrowProduct computes a product of few columns. b is (n, k), transposed.
func (w *Workspace) narrowProduct(g *product, b []float32, ldb int) {
	sums := grow(&w.sums, g.n*g.m)
	if g.aDepth == 1 {
		const block = 8192 // values of a, which stay in the level-1 cache for all columns
		rows := max(block/max(g.k, 1)&^3, 4)
		for i := 0; i < g.m; i += rows {
			end := min(i+rows, g.m)
			for j := range g.n {
				active.dots(sums[j*g.m+i:j*g.m+end], from(g.a, i*g.aRow), g.aRow, from(b, j*ldb), g.k)
			}
		}
	} else {
		w.transposed(g, sums, b, ldb)
	}
	for j := range g.n {
		g.finish(j, sums[j*g.m:(j+1)*g.m])
	}
}

// transposed computes sums (n, m), the transposed product, from the rows of a as
// they are stored, a few at a time.
func (w *Workspace) transposed(g *product, sums, b []float32, ldb int) {
	if g.k == 0 {
		clear(sums)
		return
	}
	t := &w.tile
	*t = tile{rows: g.n, cols: g.m, aRow: ldb, aDepth: 1, bDepth: g.aDepth, c: sums, ldc: g.m}
	for p := 0; p < g.k; p += narrow {
		t.k, t.a, t.b, t.load = min(narrow, g.k-p), b[p:], g.a[p*g.aDepth:], p > 0
		active.rank(t)
	}
	*t = tile{}
}

// finish writes column j of c from its sums.
func (g *product) finish(j int, sums []float32) {
	for i, s := range sums {
		at := i*g.ldc + j
		if g.accumulate {
			s += g.c[at]
		}
		if g.bias != nil {
			s += g.bias[j]
		}
		g.c[at] = activate(s, g.act)
	}
}
