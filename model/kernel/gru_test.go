package kernel

import (
	"math"
	"slices"
	"testing"
)

// A gruCase is one GRUStep and the gradient of its result.
type gruCase struct {
	rows, width         int
	x, s, h, mask, dout []float32
}

func newGRU(seed uint64, rows, width int, masked bool) gruCase {
	r := seeded(seed)
	g := gruCase{rows: rows, width: width, x: random(r, 3*rows*width), s: random(r, 3*rows*width), h: random(r, rows*width), dout: random(r, rows*width)}
	if masked {
		g.mask = make([]float32, rows)
		for i := range g.mask {
			g.mask[i] = float32(r.IntN(2))
		}
	}
	return g
}

// reference is the definition of the step.
func (g gruCase) reference(x, s, h []float64) []float64 {
	logistic := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	out := slices.Clone(h)
	for b := range g.rows {
		if g.mask != nil && g.mask[b] == 0 {
			continue
		}
		for i := range g.width {
			at := 3*b*g.width + i
			z, r := logistic(x[at]+s[at]), logistic(x[at+g.width]+s[at+g.width])
			n := math.Tanh(x[at+2*g.width] + r*s[at+2*g.width])
			out[b*g.width+i] = (1-z)*n + z*h[b*g.width+i]
		}
	}
	return out
}

func TestGRUStep(t *testing.T) {
	for _, width := range []int{1, 8, 16, 20, 37} {
		g := newGRU(uint64(width), 4, width, width%2 == 0)
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
			out, gates := make([]float32, 4*width), make([]float32, 3*4*width)
			GRUStep(out, gates, g.x, g.s, g.h, g.mask, 4, width)
			near(t, "state", out, want, 1, 1e-6)
			dx, ds, dh := make([]float32, len(x)), make([]float32, len(s)), make([]float32, len(h))
			GRUStepBackward(dx, ds, dh, g.dout, gates, g.s, g.h, g.mask, 4, width)
			near(t, "gradient of x", dx, wantX, 1, 3e-6)
			near(t, "gradient of s", ds, wantS, 1, 3e-6)
			near(t, "gradient of h", dh, wantH, 1, 3e-6)
		})
	}
}

func TestGRUStepInPlace(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		g := newGRU(1, 5, 21, true)
		out, gates := make([]float32, 5*21), make([]float32, 3*5*21)
		GRUStep(out, gates, g.x, g.s, g.h, g.mask, 5, 21)
		dx, ds, dh := make([]float32, 3*5*21), make([]float32, 3*5*21), make([]float32, 5*21)
		GRUStepBackward(dx, ds, dh, g.dout, gates, g.s, g.h, g.mask, 5, 21)
		GRUStepBackward(dx, ds, g.dout, g.dout, gates, g.s, g.h, g.mask, 5, 21)
		if !slices.Equal(g.dout, dh) {
			t.Error("dh in place of dout differs from dh apart")
		}
		GRUStep(g.h, g.x, g.x, g.s, g.h, g.mask, 5, 21)
		if !slices.Equal(g.h, out) {
			t.Error("the state in place differs from the state apart")
		}
	})
}
