package kernel

import (
	"math"
	"slices"
	"testing"
)

const normEpsilon = 1e-5

// normalised is (x - mean)/√(variance + epsilon) of the values at the indices.
func normalised(x []float64, indices []int) (y []float64) {
	var mean, variance float64
	for _, i := range indices {
		mean += x[i] / float64(len(indices))
	}
	for _, i := range indices {
		variance += (x[i] - mean) * (x[i] - mean) / float64(len(indices))
	}
	for _, i := range indices {
		y = append(y, (x[i]-mean)/math.Sqrt(variance+normEpsilon))
	}
	return y
}

// A normCase is a normalisation problem; groups are the values normalised together.
type normCase struct {
	rows, cols              int
	x, gain, bias, dy, mask []float32
	groups                  [][]int
}

func newNorm(seed uint64, rows, cols int) normCase {
	r := seeded(seed)
	n := normCase{rows: rows, cols: cols, x: random(r, rows*cols), gain: random(r, cols), bias: random(r, cols), dy: random(r, rows*cols)}
	for i := range n.x {
		n.x[i] = 3*n.x[i] + 5
	}
	return n
}

func (n normCase) reference(x, gain, bias []float64) []float64 {
	y := make([]float64, len(x))
	for _, group := range n.groups {
		for k, v := range normalised(x, group) {
			i := group[k]
			y[i] = v*gain[i%n.cols] + bias[i%n.cols]
		}
	}
	return y
}

// check compares a forward and a backward pass with the definition.
func (n normCase) check(t *testing.T, forward func(y []float32), backward func(dx, dgain, dbias []float32)) {
	t.Helper()
	x, gain, bias := widen(n.x), widen(n.gain), widen(n.bias)
	y := make([]float32, len(x))
	forward(y)
	near(t, "y", y, n.reference(x, gain, bias), 1, 1e-5)
	loss := func() (sum float64) {
		for i, v := range n.reference(x, gain, bias) {
			sum += v * float64(n.dy[i])
		}
		return sum
	}
	dx, dgain, dbias := make([]float32, len(x)), slices.Repeat([]float32{7}, n.cols), slices.Repeat([]float32{7}, n.cols)
	backward(dx, dgain, dbias)
	near(t, "dx", dx, differences(x, loss), 1, 1e-5)
	for i := range n.cols { // they are added to
		dgain[i] -= 7
		dbias[i] -= 7
	}
	near(t, "dgain", dgain, differences(gain, loss), 1, 1e-5)
	near(t, "dbias", dbias, differences(bias, loss), 1, 1e-5)
}

func TestLayerNorm(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {3, 7}, {8, 32}} {
		n := newNorm(1, shape[0], shape[1])
		for i := range n.rows {
			var row []int
			for j := range n.cols {
				row = append(row, i*n.cols+j)
			}
			n.groups = append(n.groups, row)
		}
		saved := make([]float32, 2*n.rows)
		n.check(t, func(y []float32) { LayerNorm(y, saved, n.x, n.gain, n.bias, n.rows, n.cols, normEpsilon) },
			func(dx, dgain, dbias []float32) {
				LayerNormBackward(dx, dgain, dbias, n.dy, n.x, saved, n.gain, n.rows, n.cols)
			})
	}
}

func TestBatchNorm(t *testing.T) {
	for _, mask := range [][]float32{nil, {1, 0, 1, 1, 0, 1}, {0, 0, 0, 0, 0, 0}} {
		n := newNorm(2, 6, 5)
		n.mask = mask
		for j := range n.cols {
			var column []int
			for i := range n.rows {
				if mask == nil || mask[i] != 0 {
					column = append(column, i*n.cols+j)
				}
			}
			n.groups = append(n.groups, column)
		}
		var w Workspace
		moments := make([]float32, 2*n.cols)
		n.check(t, func(y []float32) { BatchNorm(y, moments, n.x, n.gain, n.bias, mask, n.rows, n.cols, normEpsilon, &w) },
			func(dx, dgain, dbias []float32) {
				BatchNormBackward(dx, dgain, dbias, n.dy, n.x, moments, n.gain, mask, n.rows, n.cols, normEpsilon, &w)
			})
	}
}

// TestBatchNormIgnoresPadding: what stands in masked rows changes nothing.
func TestBatchNormIgnoresPadding(t *testing.T) {
	n := newNorm(3, 4, 3)
	mask := []float32{1, 0, 1, 1}
	var w Workspace
	run := func() []float32 {
		y, moments := make([]float32, len(n.x)), make([]float32, 2*n.cols)
		BatchNorm(y, moments, n.x, n.gain, n.bias, mask, n.rows, n.cols, normEpsilon, &w)
		return append(y, moments...)
	}
	before := run()
	n.x[4] = float32(math.NaN())
	if after := run(); !slices.Equal(before, after) {
		t.Errorf("a padded row changed the result from %v to %v", before, after)
	}
}
