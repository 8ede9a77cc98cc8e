package kernel

import (
	"math"
	"slices"
	"testing"
)

// A gruCase is one GRUStep and the gradient of its result.
type gruCase struct {
	rows, width   int
	x, s, h, dout []float32
}

func newGRU(seed uint64, rows, width int) gruCase {
	r := seeded(seed)
	return gruCase{rows: rows, width: width, x: random(r, 3*rows*width), s: random(r, rows*width), h: random(r, rows*width), dout: random(r, rows*width)}
}

// reference is the definition of the step.
func (g gruCase) reference(x, s, h []float64) []float64 {
	logistic := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	out := slices.Clone(h)
	for b := range g.rows {
		for i := range g.width {
			at := 3*b*g.width + i
			z, r := logistic(x[at]), logistic(x[at+g.width])
			n := math.Tanh(x[at+2*g.width] + r*s[b*g.width+i])
			out[b*g.width+i] = (1-z)*n + z*h[b*g.width+i]
		}
	}
	return out
}

func TestGRUStep(t *testing.T) {
	for _, width := range []int{1, 8, 16, 20, 37} {
		const rows = 4
		g := newGRU(uint64(width), rows, width)
		x, s, h := widen(g.x), widen(g.s), widen(g.h)
		want := g.reference(x, s, h)
		loss := func() (sum float64) {
			for i, v := range g.reference(x, s, h) {
				sum += v * float64(g.dout[i])
			}
			return sum
		}
		wantX, wantS, wantH := differences(x, loss), differences(s, loss), differences(h, loss)
		onEveryPath(t, func(t *testing.T) {
			out, gates := make([]float32, rows*width), make([]float32, 3*rows*width)
			GRUStep(out, gates, g.x, g.s, g.h, rows, width)
			near(t, "state", out, want, 1, 1e-6)
			ldd := 4*width + 3
			d, dh, half := make([]float32, rows*ldd), clone(g.dout), clone(g.dout)
			Scale(dh, 0.25) // the gradient of the state comes in two parts
			Scale(half, 0.75)
			GRUStepBackward(d, ldd, dh, half, gates, g.s, g.h, rows, width)
			var dx, ds []float32
			for b := range rows {
				row := d[b*ldd:]
				dx, ds = append(append(dx, row[width:3*width]...), row[:width]...), append(ds, row[3*width:4*width]...)
			}
			near(t, "gradient of x", dx, wantX, 1, 3e-6)
			near(t, "gradient of s", ds, wantS, 1, 3e-6)
			near(t, "gradient of h", dh, wantH, 1, 3e-6)
		})
	}
}

func TestGRUStepInPlace(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		g := newGRU(1, 5, 21)
		out, gates := make([]float32, 5*21), make([]float32, 3*5*21)
		GRUStep(out, gates, g.x, g.s, g.h, 5, 21)
		GRUStep(g.h, g.x, g.x, g.s, g.h, 5, 21)
		if !slices.Equal(g.h, out) || !slices.Equal(g.x, gates) {
			t.Error("the state in place differs from the state apart")
		}
	})
}
