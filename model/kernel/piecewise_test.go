package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A pleCase is one PiecewiseLinear problem.
type pleCase struct {
	rows, features, bins, width  int
	x, edges, slope, bias, table []float32
}

func newPLE(r *rand.Rand, rows, features, bins, width int) pleCase {
	p := pleCase{rows: rows, features: features, bins: bins, width: width, x: random(r, rows*features),
		slope: random(r, features*width), bias: random(r, features*width), table: random(r, features*bins*width)}
	for f := range features {
		e := random(r, bins+1)
		slices.Sort(e)
		// Padding: trailing bins of no width, down to a feature without any.
		for i := bins + 1 - min(f, bins+1); i <= bins; i++ {
			e[i] = e[max(bins-min(f, bins+1), 0)]
		}
		p.edges = append(p.edges, e...)
	}
	for i := range p.x {
		switch r.IntN(6) {
		case 0: // exactly on an edge
			f := i % features
			p.x[i] = p.edges[f*(bins+1)+r.IntN(bins+1)]
		case 1: // far outside
			p.x[i] *= 10
		}
	}
	return p
}

// encoding is PLE_i of every bin, by the definition.
func (p pleCase) encoding(x float64, f int) []float64 {
	e := widen(p.edges[f*(p.bins+1) : (f+1)*(p.bins+1)])
	last := 0
	for i := range p.bins {
		if e[i+1] > e[i] {
			last = i
		}
	}
	ple := make([]float64, p.bins)
	for i := 0; i <= last; i++ {
		if e[i+1] == e[i] {
			if x >= e[i] && i < last {
				ple[i] = 1
			}
			continue
		}
		ple[i] = (x - e[i]) / (e[i+1] - e[i])
		if i > 0 {
			ple[i] = math.Max(ple[i], 0)
		}
		if i < last {
			ple[i] = math.Min(ple[i], 1)
		}
	}
	return ple
}

// reference is the definition of the layer on parameters in float64.
func (p pleCase) reference(slope, bias, table []float64) []float64 {
	y := make([]float64, p.rows*p.features*p.width)
	for b := range p.rows {
		for f := range p.features {
			x := float64(p.x[b*p.features+f])
			ple := p.encoding(x, f)
			for j := range p.width {
				v := slope[f*p.width+j]*x + bias[f*p.width+j]
				for i, c := range ple {
					v += c * table[(f*p.bins+i)*p.width+j]
				}
				y[(b*p.features+f)*p.width+j] = v
			}
		}
	}
	return y
}

func TestPiecewiseLinear(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		var w Workspace
		var table PieceTable
		for i, shape := range [][4]int{{1, 1, 1, 1}, {3, 2, 1, 4}, {40, 7, 5, 16}, {9, 5, 48, 16}, {100, 3, 17, 8}, {20, 2, 8, 33}, {0, 2, 3, 4}} {
			rows, features, bins, width := shape[0], shape[1], shape[2], shape[3]
			p := newPLE(seeded(uint64(i)), rows, features, bins, width)
			y, prepared := make([]float32, rows*features*width), make([]float32, rows*features*width)
			PiecewiseLinear(y, p.x, p.edges, p.slope, p.bias, p.table, rows, features, bins, width, &w)
			table.Prepare(p.edges, p.slope, p.bias, p.table, features, bins, width)
			table.PiecewiseLinear(prepared, p.x, rows, &w)
			if !slices.Equal(y, prepared) {
				t.Fatalf("%v: a prepared table gave other bits", shape)
			}
			// Narrow bins multiply the rounding of x: the scale is that of the largest result.
			want := p.reference(widen(p.slope), widen(p.bias), widen(p.table))
			near(t, fmt.Sprint(shape), y, want, largest(want), 1e-5)
		}
	})
}

func largest(x []float64) float64 {
	most := 1.0
	for _, v := range x {
		most = math.Max(most, math.Abs(v))
	}
	return most
}

func TestPiecewiseLinearBackward(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		var w Workspace
		for i, shape := range [][4]int{{1, 1, 1, 1}, {6, 2, 1, 4}, {11, 4, 5, 16}, {5, 3, 9, 3}} {
			rows, features, bins, width := shape[0], shape[1], shape[2], shape[3]
			r := seeded(uint64(i))
			p := newPLE(r, rows, features, bins, width)
			dy := random(r, rows*features*width)
			slope, bias, table := widen(p.slope), widen(p.bias), widen(p.table)
			loss := func() (sum float64) {
				for i, v := range p.reference(slope, bias, table) {
					sum += v * float64(dy[i])
				}
				return sum
			}
			start := [3][]float32{random(r, len(slope)), random(r, len(bias)), random(r, len(table))}
			got := [3][]float32{clone(start[0]), clone(start[1]), clone(start[2])}
			PiecewiseLinearBackward(got[0], got[1], got[2], dy, p.x, p.edges, rows, features, bins, width, &w)
			for q, parameter := range [][]float64{slope, bias, table} {
				want := differences(parameter, loss)
				for j := range want {
					want[j] += float64(start[q][j])
				}
				near(t, fmt.Sprint(shape, " gradient ", q), got[q], want, largest(want), 2e-6)
			}
		}
	})
}

// TestPiecewiseLinearRowsAreIndependent: a row's bits do not depend on its batch.
func TestPiecewiseLinearRowsAreIndependent(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		var w Workspace
		p := newPLE(seeded(5), 30, 4, 12, 16)
		all, one := make([]float32, p.rows*p.features*p.width), make([]float32, p.features*p.width)
		PiecewiseLinear(all, p.x, p.edges, p.slope, p.bias, p.table, p.rows, p.features, p.bins, p.width, &w)
		for b := range p.rows {
			PiecewiseLinear(one, p.x[b*p.features:], p.edges, p.slope, p.bias, p.table, 1, p.features, p.bins, p.width, &w)
			if !slices.Equal(one, all[b*len(one):(b+1)*len(one)]) {
				t.Fatalf("row %d alone gave other bits", b)
			}
		}
	})
}

func TestPiecewiseLinearWithoutBins(t *testing.T) {
	y := make([]float32, 2)
	PiecewiseLinear(y, []float32{3}, []float32{1, 1, 1}, []float32{2, 0}, []float32{0, 5}, []float32{9, 9, 9, 9}, 1, 1, 2, 2, new(Workspace))
	if y[0] != 6 || y[1] != 5 {
		t.Errorf("got %v, want slope and bias alone: [6 5]", y)
	}
}

// TestPiecewisePathsAgree: every path gives the bits of plain Go.
func TestPiecewisePathsAgree(t *testing.T) {
	var w Workspace
	for i, width := range []int{3, 8, 16, 24, 32} {
		p := newPLE(seeded(uint64(i)), 50, 6, 3+11*i, width)
		p.x[7], p.x[8] = float32(math.NaN()), float32(math.Inf(1))
		equalOnPaths(t, "forward", func() []float32 {
			y := make([]float32, p.rows*p.features*width)
			PiecewiseLinear(y, p.x, p.edges, p.slope, p.bias, p.table, p.rows, p.features, p.bins, width, &w)
			return y
		})
		dy := random(seeded(9), p.rows*p.features*width)
		equalOnPaths(t, "backward", func() []float32 {
			ds, db, dw := clone(p.slope), clone(p.bias), clone(p.table)
			PiecewiseLinearBackward(ds, db, dw, dy, p.x, p.edges, p.rows, p.features, p.bins, width, &w)
			return slices.Concat(ds, db, dw)
		})
	}
}
