package kernel

import (
	"math"
	"slices"
	"testing"
)

// A gruCase is one GRUStep and the gradient of its result.
type gruCase struct {
	rows, width, ldg int
	gates, h, dout   []float32
}

func newGRU(seed uint64, rows, width int) gruCase {
	r, ldg := seeded(seed), 4*width+3
	return gruCase{rows: rows, width: width, ldg: ldg, gates: random(r, rows*ldg), h: random(r, rows*width), dout: random(r, rows*width)}
}

// reference is the definition of the step.
func (g gruCase) reference(gates, h []float64) []float64 {
	logistic := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	out := slices.Clone(h)
	for b := range g.rows {
		for i := range g.width {
			part := func(k int) float64 { return gates[b*g.ldg+k*g.width+i] }
			z, r := logistic(part(0)), logistic(part(1))
			n := math.Tanh(part(2) + r*part(3))
			out[b*g.width+i] = (1-z)*n + z*h[b*g.width+i]
		}
	}
	return out
}

func TestGRUStep(t *testing.T) {
	for _, width := range []int{1, 8, 16, 20, 37} {
		g := newGRU(uint64(width), 4, width)
		gates, h := widen(g.gates), widen(g.h)
		want := g.reference(gates, h)
		loss := func() (sum float64) {
			for i, v := range g.reference(gates, h) {
				sum += v * float64(g.dout[i])
			}
			return sum
		}
		wantGates, wantH := differences(gates, loss), differences(h, loss)
		onEveryPath(t, func(t *testing.T) {
			out, gates := make([]float32, g.rows*width), clone(g.gates)
			GRUStep(out, gates, g.ldg, g.h, g.rows, width)
			near(t, "state", out, want, 1, 1e-6)
			dh, half := clone(g.dout), clone(g.dout)
			Scale(dh, 0.25) // the gradient of the state comes in two parts
			Scale(half, 0.75)
			GRUStepBackward(gates, g.ldg, dh, half, g.h, g.rows, width)
			for b := range g.rows {
				row := b * g.ldg
				near(t, "gradient of the gates", gates[row:row+4*width], wantGates[row:row+4*width], 1, 3e-6)
				if between := row + 4*width; !slices.Equal(gates[between:row+g.ldg], g.gates[between:row+g.ldg]) {
					t.Error("what stands between rows was written")
				}
			}
			near(t, "gradient of h", dh, wantH, 1, 3e-6)
		})
	}
}

func TestGRUStepInPlace(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		g := newGRU(1, 5, 21)
		out, gates := make([]float32, 5*21), clone(g.gates)
		GRUStep(out, gates, g.ldg, g.h, 5, 21)
		GRUStep(g.h, g.gates, g.ldg, g.h, 5, 21)
		if !slices.Equal(g.h, out) || !slices.Equal(g.gates, gates) {
			t.Error("the state in place differs from the state apart")
		}
	})
}
