package kernel

import (
	"fmt"
	"os"
)

// PathVariable is the environment variable that overrides the choice of path.
const PathVariable = "MOMENTS_KERNEL"

// A path is one implementation of the kernels that have several.
type path struct {
	name     string
	tileRows int // most rows of a tile
	panel    int // most columns of a tile, and the columns of a packed panel
	strip    int // columns of a tile of one row over several panels, which may also be half as wide, or 0

	tile      func(t *tile)
	rank      func(t *tile) // of depth 1 to narrow, all columns at once, without bias and activation
	dots      func(sums, a []float32, lda int, x []float32, k int)
	transpose func(dst []float32, ldd int, src []float32, lds, rows, cols int)

	matrix *matrixUnit // for products that may use it; nil where there is none

	copyPanel  func(dst, src []float32, lds, rows int) // panel columns of rows lds apart
	gather     func(dst []float32, l lookup)
	scatterAdd func(dy []float32, l lookup)

	elementwise
	piecewise piecewise
	gru       gru
	norm      norm
}

// elementwise are the kernels that pass once over memory. Lengths have been
// checked: dst is the shortest operand.
type elementwise struct {
	axpy           func(y []float32, alpha float32, x []float32)
	scale          func(x []float32, alpha float32)
	mul            func(dst, x, r []float32)      // dst = x∘r
	mulAdd         func(dst, x, r []float32)      // dst += x∘r
	squares        func(x []float32) float64      // Σ x²; see goSquares
	addSquares     func(dst, x []float32) float64 // dst += x, and Σ dst²
	most           func(x []float32) float32      // of at least one value
	sum            func(x []float32) float64
	addRows        func(sum, x []float32, rows int)                           // rows as wide as sum; at least one value
	activationRows func(dz, sum, dy, y []float32, scale, s float32, rows int) // dz = scale·dy, times s where y <= 0, and addRows of dz
	difference     func(dst, x, y []float32, alpha float32) float64           // dst = alpha·(x-y), and Σ (x-y)²
	dropout        func(dst, x []float32, d mask, first uint32)
	sigmoid        func(dst, x []float32)
	softplus       func(dst, x []float32)
	tanh           func(dst, x []float32)
	exp            func(dst, x []float32, shift float32) // dst = e^(x-shift), x no more than shift
	adamW          func(w, m, v, average []float32, grads [][]float32, first int, c adamCoefficients)
}

// piecewise are the parts of PiecewiseLinear, each for one feature.
type piecewise struct {
	locate   func(p *pieces, edges []float32, last int)
	prefix   func(sums, bias, table []float32)
	forward  func(dst, slope, table []float32, p *pieces)
	backward func(dslope, dtable, dy []float32, p *pieces)
	fold     func(dbias, dtable, sums []float32)
}

// gru are GRUStep and its way back for a run of rows.
type gru struct {
	forward  func(out, gates []float32, ldg int, h []float32, rows, width int)
	backward func(gates []float32, ldg int, dh, dout, h []float32, rows, width int)
}

// norm are the parts of LayerNorm for a block of rows, as many as the first
// operand that has one or two values to a row, and those of BatchNorm for a run
// of rows, as wide as the first operand that has one value to a column.
type norm struct {
	rowSums       func(sums []float64, x []float32, cols int)
	rowSquares    func(sums []float64, x, saved []float32, cols int)
	layer         func(dst, x, gain, bias, saved, rest []float32, cols int)
	layerSums     func(sum, along []float64, dgain, dbias, dy, x, gain, saved []float32, cols int)
	layerBackward func(dx, dy, x, gain, saved, lines []float32, cols int)
	columnSums    func(sums []float64, x []float32, rows int)
	columnSquares func(sums []float64, x, mean []float32, rows int)
	batch         func(dst, x, mean, factor, bias []float32, rows int)
	batchSums     func(sum, along []float64, dy, x, mean []float32, rows int)
	batchBackward func(dx, dy, x, mean, factor, level, slope []float32, rows int)
}

var goPath = path{
	name: "go", tileRows: 2, panel: 4,
	tile: goTile, rank: goRank, dots: goDots, transpose: goTranspose, copyPanel: goCopyPanel, gather: goGather, scatterAdd: goScatterAdd,
	elementwise: elementwise{
		axpy: goAxpy, scale: goScale, mul: goMul, mulAdd: goMulAdd, squares: goSquares, addSquares: goAddSquares, most: goMost, sum: goSum,
		addRows: goAddRows, activationRows: goActivationRows, difference: goDifference, dropout: goDropout, sigmoid: goSigmoid, softplus: goSoftplus, tanh: goTanh, exp: goExp, adamW: goAdamW,
	},
	piecewise: goPiecewise,
	gru:       gru{forward: goGRUForward, backward: goGRUBackward},
	norm:      goNorm,
}

var goNorm = norm{
	rowSums: goRowSums, rowSquares: goRowSquares, layer: goLayerNorm, layerSums: goLayerNormSums, layerBackward: goLayerNormBackward,
	columnSums: goColumnSums, columnSquares: goColumnSquares,
	batch: goBatchNorm, batchSums: goBatchNormSums, batchBackward: goBatchNormBackward,
}

var goPiecewise = piecewise{locate: goLocate, prefix: goPrefix, forward: goForward, backward: goBackward, fold: goFold}

// active is set once, before main; only tests change it.
var active, pathErr = choose(os.Getenv(PathVariable), paths())

// Path names the implementation in use: amx, avx512, avx2 or go; amx is avx512
// with a matrix unit for training (see Workspace.Matrix). It is the first of
// these that the processor and the operating system support, or the one that
// the environment variable MOMENTS_KERNEL names.
func Path() string { return active.name }

// PathError says why the wish in MOMENTS_KERNEL could not be granted: its value
// is unknown, or the machine does not support it. The fastest supported path is
// in use then, as if the variable were not set. Programs should report the
// error when they start.
func PathError() error { return pathErr }

// choose returns the path of the given name, or the best one, which is the
// first, and an error unless the name is empty.
func choose(name string, supported []*path) (*path, error) {
	if name == "" {
		return supported[0], nil
	}
	var names []string
	for _, p := range supported {
		if p.name == name {
			return p, nil
		}
		names = append(names, p.name)
	}
	return supported[0], fmt.Errorf("kernel: %s is %q, want one of %v on this machine; using %s",
		PathVariable, name, names, supported[0].name)
}
