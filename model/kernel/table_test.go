package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A call is one kernel on operands of its own.
type call struct {
	run           func() (loss float64)
	results       [][]float32
	read, written int // values that a call must move, each operand once
	place         int // values that are read and written in one place
	flops         int // of products; other kernels are as fast as memory at best
}

// A kernelRow makes a call on matrices of rows x cols, or about that size.
type kernelRow struct {
	name string // of the function; methods without their receiver, but where two have one name
	make func(r *rand.Rand, rows, cols int) call
}

// kernelTable holds every exported kernel: TestTableIsComplete sees to that. The
// paths are compared on it, and measured.
var kernelTable = []kernelRow{
	{"Axpy", inPlaceCall(2, func(o [][]float32, n int) { Axpy(o[0], 0.3, o[1]) })},
	{"Scale", inPlaceCall(1, func(o [][]float32, n int) { Scale(o[0], 0.999) })},
	{"SquaredNorm", func(r *rand.Rand, rows, cols int) call {
		x := random(r, rows*cols)
		return call{run: func() float64 { return SquaredNorm(x) }, read: len(x)}
	}},
	{"AddSquaredNorm", func(r *rand.Rand, rows, cols int) call {
		x, dst := random(r, rows*cols), random(r, rows*cols)
		return call{run: func() float64 { return AddSquaredNorm(dst, x) }, results: [][]float32{dst}, read: 2 * len(x), written: len(x), place: len(x)}
	}},
	{"AddColumnSums", func(r *rand.Rand, rows, cols int) call {
		x, sum := random(r, rows*cols), random(r, cols)
		return call{run: does(func() { AddColumnSums(sum, x, rows, cols) }), results: [][]float32{sum}, read: len(x)}
	}},
	{"ActivationBackwardSums", func(r *rand.Rand, rows, cols int) call {
		dy, y, dz, sum := random(r, rows*cols), random(r, rows*cols), random(r, rows*cols), random(r, cols)
		return call{run: does(func() { ActivationBackwardSums(dz, sum, dy, y, rows, cols, ReLU, 1.1) }), results: [][]float32{dz, sum}, read: 2 * len(y), written: len(dz)}
	}},
	{"MulRow", func(r *rand.Rand, rows, cols int) call {
		x, dst, row := random(r, rows*cols), random(r, rows*cols), random(r, cols)
		return call{run: does(func() { MulRow(dst, x, row, rows, cols) }), results: [][]float32{dst}, read: len(x), written: len(x)}
	}},
	{"MulRowBackward", func(r *rand.Rand, rows, cols int) call {
		x, dy, dx, row, dr := random(r, rows*cols), random(r, rows*cols), random(r, rows*cols), random(r, cols), random(r, cols)
		return call{run: does(func() { MulRowBackward(dx, dr, dy, x, row, rows, cols) }), results: [][]float32{dx, dr}, read: 3 * len(x), written: len(x), place: len(x)}
	}},
	{"Dropout", elementwiseCall(2, func(o [][]float32, n int) { Dropout(o[0], o[1], 0.1, 7) })},
	{"AdamW", func(r *rand.Rand, rows, cols int) call { return adamCall(r, rows*cols, 1, false) }},
	{"AdamW/two gradients", func(r *rand.Rand, rows, cols int) call { return adamCall(r, rows*cols, 2, false) }},
	{"AdamW/average", func(r *rand.Rand, rows, cols int) call { return adamCall(r, rows*cols, 1, true) }},
	{"Sigmoid", elementwiseCall(2, func(o [][]float32, n int) { Sigmoid(o[0], o[1]) })},
	{"Softplus", elementwiseCall(2, func(o [][]float32, n int) { Softplus(o[0], o[1]) })},
	{"Tanh", elementwiseCall(2, func(o [][]float32, n int) { Tanh(o[0], o[1]) })},
	{"Softmax", elementwiseRows(2, func(o [][]float32, rows, cols int) { Softmax(o[0], o[1], rows, cols) })},
	{"SoftmaxCrossEntropy", func(r *rand.Rand, rows, cols int) call {
		z, grad, classes := random(r, rows*cols), random(r, rows*cols), make([]float32, rows)
		for i := range classes {
			classes[i] = float32(r.IntN(cols))
		}
		return call{run: func() float64 { return SoftmaxCrossEntropy(grad, z, classes, nil, rows, cols) },
			results: [][]float32{grad}, read: len(z), written: len(z)}
	}},
	{"SigmoidCrossEntropy", func(r *rand.Rand, rows, cols int) call {
		z, grad, targets, weights := random(r, rows*cols), random(r, rows*cols), make([]float32, rows), make([]float32, rows)
		for i := range targets {
			targets[i], weights[i] = float32(r.IntN(2)), r.Float32()
		}
		return call{run: func() float64 { return SigmoidCrossEntropy(grad, z, targets, weights, rows, cols, 1) },
			results: [][]float32{grad}, read: len(z), written: len(z)}
	}},
	{"SquaredError", func(r *rand.Rand, rows, cols int) call {
		y, target, grad := random(r, rows*cols), random(r, rows*cols), random(r, rows*cols)
		return call{run: func() float64 { return SquaredError(grad, y, target, nil, rows, cols) },
			results: [][]float32{grad}, read: 2 * len(y), written: len(y)}
	}},
	{"MeanMembers", func(r *rand.Rand, rows, cols int) call {
		x, dst := random(r, rows*cols), make([]float32, rows)
		return call{run: does(func() { MeanMembers(dst, x, rows, cols, 1) }), results: [][]float32{dst}, read: len(x), written: rows}
	}},
	{"Temper", func(r *rand.Rand, rows, cols int) call {
		p, dst := random(r, rows*cols), make([]float32, rows*cols)
		Sigmoid(p, p)
		temperature := []float32{1.5}
		return call{run: does(func() { Temper(dst, p, temperature, rows*cols, 1) }), results: [][]float32{dst}, read: len(p), written: len(p)}
	}},
	{"LayerNorm", func(r *rand.Rand, rows, cols int) call {
		x, dst, saved, gain, bias := random(r, rows*cols), random(r, rows*cols), random(r, 2*rows), random(r, cols), random(r, cols)
		var w Workspace
		return call{run: does(func() { LayerNorm(dst, saved, x, gain, bias, rows, cols, 1e-5, &w) }),
			results: [][]float32{dst, saved}, read: len(x), written: len(x)}
	}},
	{"LayerNormBackward", func(r *rand.Rand, rows, cols int) call {
		x, dy, dx, gain, dgain, dbias := random(r, rows*cols), random(r, rows*cols), random(r, rows*cols), random(r, cols), random(r, cols), random(r, cols)
		saved := slices.Repeat([]float32{0.01, 0.9}, rows)
		var w Workspace
		return call{run: does(func() { LayerNormBackward(dx, dgain, dbias, dy, x, saved, gain, rows, cols, &w) }),
			results: [][]float32{dx, dgain, dbias}, read: 2 * len(x), written: len(x)}
	}},
	{"BatchNorm", func(r *rand.Rand, rows, cols int) call {
		x, dst, moments, gain, bias, mask := random(r, rows*cols), random(r, rows*cols), make([]float32, 2*cols), random(r, cols), random(r, cols), padded(rows)
		var w Workspace
		return call{run: does(func() { BatchNorm(dst, moments, x, gain, bias, mask, rows, cols, 1e-5, &w) }),
			results: [][]float32{dst, moments}, read: len(x), written: len(x)}
	}},
	{"BatchNormApply", func(r *rand.Rand, rows, cols int) call {
		x, dst, gain, bias := random(r, rows*cols), random(r, rows*cols), random(r, cols), random(r, cols)
		moments, mask := slices.Repeat([]float32{0.9}, 2*cols), padded(rows)
		var w Workspace
		return call{run: does(func() {
			BatchNormApply(dst, moments, x, gain, bias, mask, rows, cols, 1e-5, &w)
		}),
			results: [][]float32{dst}, read: len(x), written: len(x)}
	}},
	{"BatchNormBackward", func(r *rand.Rand, rows, cols int) call {
		x, dy, dx, gain, dgain, dbias := random(r, rows*cols), random(r, rows*cols), random(r, rows*cols), random(r, cols), random(r, cols), random(r, cols)
		moments, mask := slices.Repeat([]float32{0.9}, 2*cols), padded(rows)
		var w Workspace
		return call{run: does(func() { BatchNormBackward(dx, dgain, dbias, dy, x, moments, gain, mask, rows, cols, 1e-5, &w) }),
			results: [][]float32{dx, dgain, dbias}, read: 2 * len(x), written: len(x)}
	}},
	{"GRUStep", func(r *rand.Rand, rows, cols int) call {
		cols /= 4
		g := newGRU(r.Uint64(), rows, cols)
		out := make([]float32, rows*cols)
		return call{run: does(func() { GRUStep(out, g.gates, g.ldg, g.h, rows, cols) }),
			results: [][]float32{out, g.gates}, read: 5 * len(out), written: 4 * len(out), place: 3 * len(out)}
	}},
	{"GRUStepBackward", func(r *rand.Rand, rows, cols int) call {
		cols /= 4
		g := newGRU(r.Uint64(), rows, cols)
		dh, gates := random(r, rows*cols), clone(g.gates)
		return call{run: does(func() {
			copy(gates, g.gates) // gradients of gradients would vanish
			GRUStepBackward(gates, g.ldg, dh, g.dout, g.h, rows, cols)
		}), results: [][]float32{gates, dh}, read: 11 * len(dh), written: 9 * len(dh), place: 5 * len(dh)}
	}},
	{"Gather", func(r *rand.Rand, rows, cols int) call {
		table, ids, dst := random(r, 1000*16), randomIDs(r, rows*cols/16), make([]float32, rows*cols/16*16)
		offsets := []int{0}
		return call{run: does(func() { Gather(dst, ids, table, len(ids), 1, 16, offsets) }), results: [][]float32{dst}, read: len(dst), written: len(dst)}
	}},
	{"ScatterAdd", func(r *rand.Rand, rows, cols int) call {
		table, ids, dy := random(r, 1000*16), randomIDs(r, rows*cols/16), random(r, rows*cols/16*16)
		offsets := []int{0}
		return call{run: does(func() { ScatterAdd(table, ids, dy, len(ids), 1, 16, offsets) }), results: [][]float32{table}, read: 2 * len(dy), written: len(dy), place: len(dy)}
	}},
	{"PiecewiseLinear", func(r *rand.Rand, rows, cols int) call {
		p, y := newPLE(r, rows, cols/16+1, 48, 16), make([]float32, rows*(cols/16+1)*16)
		var w Workspace
		return call{run: does(func() { PiecewiseLinear(y, p.x, p.edges, p.slope, p.bias, p.table, rows, p.features, 48, 16, &w) }),
			results: [][]float32{y}, read: len(p.table) + len(p.x), written: len(y)}
	}},
	{"PieceTable.PiecewiseLinear", func(r *rand.Rand, rows, cols int) call {
		p, y := newPLE(r, rows, cols/16+1, 48, 16), make([]float32, rows*(cols/16+1)*16)
		var w Workspace
		var table PieceTable
		table.Prepare(p.edges, p.slope, p.bias, p.table, p.features, 48, 16)
		return call{run: does(func() { table.PiecewiseLinear(y, p.x, rows, &w) }),
			results: [][]float32{y}, read: 2*len(p.table) + len(p.x), written: len(y)}
	}},
	{"PieceTable.Prepare", func(r *rand.Rand, rows, cols int) call {
		p := newPLE(r, 1, cols/16+1, 48, 16)
		var table PieceTable
		prepare := func() { table.Prepare(p.edges, p.slope, p.bias, p.table, p.features, 48, 16) }
		prepare()
		return call{run: does(prepare), results: [][]float32{table.sums}, read: len(p.table), written: len(p.table)}
	}},
	{"PiecewiseLinearBackward", func(r *rand.Rand, rows, cols int) call {
		p, dy := newPLE(r, rows, cols/16+1, 48, 16), random(r, rows*(cols/16+1)*16)
		var w Workspace
		return call{run: does(func() {
			PiecewiseLinearBackward(p.slope, p.bias, p.table, dy, p.x, p.edges, rows, p.features, 48, 16, &w)
		}),
			results: [][]float32{p.slope, p.bias, p.table}, read: len(dy) + len(p.x) + len(p.table), written: len(p.table), place: len(p.table)}
	}},
	{"Gemm", func(r *rand.Rand, rows, cols int) call { return gemmCall(gemmCase{m: rows, n: cols, k: cols}, r) }},
	{"Gemm/TN", func(r *rand.Rand, rows, cols int) call {
		return gemmCall(gemmCase{m: cols, n: cols, k: rows, transA: true, accumulate: true}, r)
	}},
	{"Gemm/NT", func(r *rand.Rand, rows, cols int) call {
		return gemmCall(gemmCase{m: rows, n: cols, k: cols, transB: true}, r)
	}},
	{"Gemm/one row", func(r *rand.Rand, rows, cols int) call {
		return streamed(gemmCall(gemmCase{m: 1, n: cols, k: cols, act: ReLU}, r), cols*cols, cols)
	}},
	{"Gemm/one column", func(r *rand.Rand, rows, cols int) call {
		return streamed(gemmCall(gemmCase{m: rows, n: 1, k: cols}, r), rows*cols, rows)
	}},
	{"Gemm/one column TN", func(r *rand.Rand, rows, cols int) call {
		return streamed(gemmCall(gemmCase{m: cols, n: 1, k: rows, transA: true, accumulate: true}, r), rows*cols, cols)
	}},
	{"Gemm/depth 1 NT", func(r *rand.Rand, rows, cols int) call {
		return streamed(gemmCall(gemmCase{m: rows, n: cols, k: 1, transB: true}, r), 0, rows*cols)
	}},
	{"GemmPacked", func(r *rand.Rand, rows, cols int) call {
		a, b, c := random(r, rows*cols), random(r, cols*cols), make([]float32, rows*cols)
		var packed Packed
		Pack(&packed, false, cols, cols, b, cols)
		var w Workspace
		return call{run: does(func() { w.GemmPacked(false, rows, a, cols, &packed, c, cols, nil, ReLU, false) }),
			results: [][]float32{c}, flops: 2 * rows * cols * cols}
	}},
	{"GemmParts", func(r *rand.Rand, rows, cols int) call {
		a, b, c := random(r, rows*cols), random(r, 2*cols*cols), make([]float32, 2*rows*cols)
		var left, right Packed
		w := Workspace{Matrix: true}
		return call{run: does(func() {
			Defer(&left, false, cols, cols, b, 2*cols)
			Defer(&right, false, cols, cols, b[cols:], 2*cols)
			w.GemmParts(false, rows, a, cols, Part{B: &left, C: c, Ldc: 2 * cols}, Part{B: &right, C: c[cols:], Ldc: 2 * cols})
		}), results: [][]float32{c}, flops: 4 * rows * cols * cols}
	}},
	{"Gemm/matrix", func(r *rand.Rand, rows, cols int) call { return matrixCall(gemmCase{m: rows, n: cols, k: cols}, r) }},
	{"Gemm/matrixTransposed", func(r *rand.Rand, rows, cols int) call {
		return matrixCall(gemmCase{m: cols, n: cols, k: rows, transA: true, accumulate: true}, r)
	}},
	{"Defer", func(r *rand.Rand, rows, cols int) call { return deferCall(r, rows, cols) }},
	{"Pack", func(r *rand.Rand, rows, cols int) call { return packCall(r, rows, cols, false) }},
	{"Pack/transposed", func(r *rand.Rand, rows, cols int) call { return packCall(r, rows, cols, true) }},
}

func does(run func()) func() float64 { return func() float64 { run(); return 0 } }

// elementwiseCall has arrays of n values, of which the first is written and the
// others are read.
func elementwiseCall(arrays int, run func(o [][]float32, n int)) func(r *rand.Rand, rows, cols int) call {
	return elementwiseRows(arrays, func(o [][]float32, rows, cols int) { run(o, rows*cols) })
}

// inPlaceCall reads the first array too.
func inPlaceCall(arrays int, run func(o [][]float32, n int)) func(r *rand.Rand, rows, cols int) call {
	return func(r *rand.Rand, rows, cols int) call {
		c := elementwiseCall(arrays, run)(r, rows, cols)
		c.read, c.place = c.read+rows*cols, rows*cols
		return c
	}
}

func elementwiseRows(arrays int, run func(o [][]float32, rows, cols int)) func(r *rand.Rand, rows, cols int) call {
	return func(r *rand.Rand, rows, cols int) call {
		var o [][]float32
		for range arrays {
			o = append(o, random(r, rows*cols))
		}
		return call{run: does(func() { run(o, rows, cols) }), results: o[:1], read: (arrays - 1) * rows * cols, written: rows * cols}
	}
}

func adamCall(r *rand.Rand, n, gradients int, average bool) call {
	p := AdamWParams{LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 3, Scale: 1, Decay: 0.1}
	w, m, v := random(r, n), random(r, n), slices.Repeat([]float32{1}, n)
	c := call{results: [][]float32{w, m, v}, read: (3 + gradients) * n, written: 3 * n, place: 3 * n}
	if average {
		p.Average, p.Keep = random(r, n), 0.99
		c.results, c.read, c.written, c.place = append(c.results, p.Average), c.read+n, c.written+n, c.place+n
	}
	var grads [][]float32
	for range gradients {
		grads = append(grads, random(r, n))
	}
	c.run = does(func() { AdamW(w, m, v, grads, p) })
	return c
}

// matrixCall is gemmCall where the matrix unit may take part.
func matrixCall(g gemmCase, r *rand.Rand) call { return productCall(Workspace{Matrix: true}, g, r) }

// deferCall is a product whose right operand has been deferred: laying it out is
// part of it.
func deferCall(r *rand.Rand, rows, cols int) call {
	a, b, c := random(r, rows*cols), random(r, cols*cols), make([]float32, rows*cols)
	var packed Packed
	w := Workspace{Matrix: true}
	return call{run: does(func() {
		Defer(&packed, true, cols, cols, b, cols)
		w.GemmPacked(false, rows, a, cols, &packed, c, cols, nil, ReLU, false)
	}), results: [][]float32{c}, flops: 2 * rows * cols * cols}
}

func gemmCall(g gemmCase, r *rand.Rand) call { return productCall(Workspace{}, g, r) }

func productCall(w Workspace, g gemmCase, r *rand.Rand) call {
	d := g.data(r)
	return call{results: [][]float32{d.c}, flops: 2 * g.m * g.n * g.k, run: does(func() {
		w.Gemm(g.transA, g.transB, g.m, g.n, g.k, d.a, d.lda, d.b, d.ldb, d.c, d.ldc, nil, g.act, g.accumulate)
	})}
}

// streamed measures a product by the values that it moves.
func streamed(c call, read, written int) call {
	c.read, c.written, c.flops = read, written, 0
	return c
}

// packCall packs on the path that runs, since panels differ; its result is a
// product with what it packed.
func packCall(r *rand.Rand, n, k int, trans bool) call {
	b, c, ldb := random(r, n*k), make([]float32, n), n
	if trans {
		ldb = k
	}
	var packed Packed
	var w Workspace
	a := random(r, k)
	return call{results: [][]float32{c}, read: n * k, written: n * k, run: func() float64 {
		Pack(&packed, trans, n, k, b, ldb)
		if c[0] == 0 {
			w.GemmPacked(false, 1, a, k, &packed, c, n, nil, Identity, false)
		}
		return 0
	}}
}

// padded is a mask of rows that leaves out the last of every eight.
func padded(rows int) []float32 {
	mask := make([]float32, rows)
	for i := range mask {
		if i%8 != 7 {
			mask[i] = 1
		}
	}
	return mask
}

func randomIDs(r *rand.Rand, n int) []float32 {
	ids := make([]float32, n)
	for i := range ids {
		ids[i] = float32(r.IntN(1000))
	}
	return ids
}

// TestPathsAgree runs every kernel on every path, on sizes that fill vectors and
// that do not, and compares the results with those of plain Go.
func TestPathsAgree(t *testing.T) {
	before := active
	defer func() { active = before }()
	for _, row := range kernelTable {
		for i, size := range [][2]int{{5, 64}, {17, 77}, {40, 32}, {9, 131}} {
			results := func(p *path) []float32 {
				active = p
				c := row.make(seeded(uint64(i)), size[0], size[1])
				loss := float32(c.run())
				return append(slices.Concat(c.results...), loss)
			}
			want := results(&goPath)
			for _, p := range paths() {
				near(t, row.name+" on "+p.name, results(p), widen(want), 1, 1e-5)
			}
		}
	}
}

// TestNothingIsAllocated: after a first call, which grows the workspace, no
// kernel allocates.
func TestNothingIsAllocated(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, row := range kernelTable {
			c := row.make(seeded(1), 40, 70)
			c.run()
			if got := testing.AllocsPerRun(3, func() { c.run() }); got != 0 {
				t.Errorf("%s allocates %v times a call, want 0", row.name, got)
			}
		}
	})
}

// TestTableIsComplete fails where an exported function or method has no row.
func TestTableIsComplete(t *testing.T) {
	have := map[string]bool{"Path": true, "PathError": true}
	for _, row := range kernelTable {
		name, _, _ := strings.Cut(row.name, "/")
		have[name] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Name.IsExported() && !have[f.Name.Name] && !have[receiver(f)+"."+f.Name.Name] {
				t.Errorf("%s has no row in kernelTable", f.Name.Name)
			}
		}
	}
}

// receiver is the type whose method f is.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if p, ok := of.(*ast.StarExpr); ok {
		of = p.X
	}
	return of.(*ast.Ident).Name
}
