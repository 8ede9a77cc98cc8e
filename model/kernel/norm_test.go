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

// normShapes have rows and columns on both sides of the widths of vectors.
var normShapes = [][2]int{{1, 1}, {7, 7}, {8, 32}, {1, 17}, {6, 5}, {5, 24}, {5, 48}, {5, 70}}

func TestLayerNorm(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		var w Workspace
		for _, shape := range normShapes {
			n := newNorm(1, shape[0], shape[1])
			n.groups = n.byRow()
			saved := make([]float32, 2*n.rows)
			n.check(t, func(y []float32) { LayerNorm(y, saved, n.x, n.gain, n.bias, n.rows, n.cols, normEpsilon, &w) },
				func(dx, dgain, dbias []float32) {
					LayerNormBackward(dx, dgain, dbias, n.dy, n.x, saved, n.gain, n.rows, n.cols, &w)
				})
		}
	})
}

func (n normCase) byRow() (groups [][]int) {
	for i := range n.rows {
		var row []int
		for j := range n.cols {
			row = append(row, i*n.cols+j)
		}
		groups = append(groups, row)
	}
	return groups
}

// byColumn leaves out what the mask does.
func (n normCase) byColumn() (groups [][]int) {
	for j := range n.cols {
		var column []int
		for i := range n.rows {
			if kept(n.mask, i) {
				column = append(column, i*n.cols+j)
			}
		}
		groups = append(groups, column)
	}
	return groups
}

// TestNormFarFromZero: a mean much larger than the spread costs no digits: what
// is left of the spread in float32 comes out right.
func TestNormFarFromZero(t *testing.T) {
	const rows, cols = 40, 33
	n := newNorm(4, rows, cols)
	for i := range n.x {
		n.x[i] += 3e4
	}
	var w Workspace
	saved, y, moments := make([]float32, 2*rows), make([]float32, rows*cols), make([]float32, 2*cols)
	onEveryPath(t, func(t *testing.T) {
		n.groups = n.byRow()
		LayerNorm(y, saved, n.x, n.gain, n.bias, rows, cols, normEpsilon, &w)
		near(t, "layer norm", y, n.reference(widen(n.x), widen(n.gain), widen(n.bias)), 1, 1e-5)
		BatchNorm(y, moments, n.x, n.gain, n.bias, nil, rows, cols, normEpsilon, &w)
		for j := range cols {
			var mean, variance float64
			for i := range rows {
				mean += float64(n.x[i*cols+j]) / rows
			}
			for i := range rows {
				d := float64(n.x[i*cols+j]) - mean
				variance += d * d / rows
			}
			near(t, "moments", []float32{moments[j], moments[cols+j]}, []float64{mean, variance}, 0, 1e-6)
		}
	})
}

func TestNormsInPlace(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		const rows, cols = 7, 37
		var w Workspace
		n := newNorm(5, rows, cols)
		n.mask = []float32{1, 1, 0, 1, 0, 0, 1}
		for name, run := range map[string]func(to, from []float32){
			"layer norm": func(to, from []float32) {
				LayerNorm(to, make([]float32, 2*rows), from, n.gain, n.bias, rows, cols, normEpsilon, &w)
			},
			"layer norm backward": func(to, from []float32) {
				LayerNormBackward(to, make([]float32, cols), make([]float32, cols), from, n.x, n.dy, n.gain, rows, cols, &w)
			},
			"batch norm": func(to, from []float32) {
				BatchNorm(to, make([]float32, 2*cols), from, n.gain, n.bias, n.mask, rows, cols, normEpsilon, &w)
			},
			"batch norm backward": func(to, from []float32) {
				BatchNormBackward(to, make([]float32, cols), make([]float32, cols), from, n.x, slices.Repeat([]float32{2}, 2*cols), n.gain, n.mask, rows, cols, normEpsilon, &w)
			},
		} {
			apart, place := make([]float32, rows*cols), clone(n.dy)
			run(apart, clone(n.dy))
			run(place, place)
			if !slices.Equal(apart, place) {
				t.Errorf("%s: in place gives other values than apart", name)
			}
		}
	})
}

func TestBatchNorm(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		var w Workspace
		for _, shape := range normShapes {
			for _, mask := range [][]float32{nil, {1, 0, 1, 1, 0, 1, 1, 1}, {0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 1, 0, 1, 1, 0, 1}} {
				n := newNorm(2, shape[0], shape[1])
				n.mask = mask
				n.groups = n.byColumn()
				moments := make([]float32, 2*n.cols)
				n.check(t, func(y []float32) { BatchNorm(y, moments, n.x, n.gain, n.bias, mask, n.rows, n.cols, normEpsilon, &w) },
					func(dx, dgain, dbias []float32) {
						BatchNormBackward(dx, dgain, dbias, n.dy, n.x, moments, n.gain, mask, n.rows, n.cols, normEpsilon, &w)
					})
			}
		}
	})
}

// TestBatchNormIgnoresPadding: what stands in masked rows changes nothing.
func TestBatchNormIgnoresPadding(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		n := newNorm(3, 4, 19)
		mask := []float32{1, 0, 1, 1}
		var w Workspace
		run := func() []float32 {
			y, moments, dx := random(seeded(1), len(n.x)), make([]float32, 2*n.cols), random(seeded(2), len(n.x))
			BatchNorm(y, moments, n.x, n.gain, n.bias, mask, n.rows, n.cols, normEpsilon, &w)
			dgain, dbias := make([]float32, n.cols), make([]float32, n.cols)
			BatchNormBackward(dx, dgain, dbias, n.dy, n.x, moments, n.gain, mask, n.rows, n.cols, normEpsilon, &w)
			for _, row := range [][]float32{y[n.cols : 2*n.cols], dx[n.cols : 2*n.cols]} {
				if !slices.Equal(row, make([]float32, n.cols)) {
					t.Errorf("a padded row is %v, want zeros", row)
				}
			}
			return slices.Concat(y, moments, dx, dgain, dbias)
		}
		before := run()
		for j := range n.cols {
			n.x[n.cols+j], n.dy[n.cols+j] = float32(math.NaN()), float32(math.Inf(1))
		}
		if after := run(); !slices.Equal(before, after) {
			t.Errorf("a padded row changed the result from %v to %v", before, after)
		}
	})
}
