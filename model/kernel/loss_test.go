package kernel

import (
	"math"
	"testing"
)

// crossEntropyReference is the definition of SigmoidCrossEntropy's loss.
func crossEntropyReference(logits []float64, targets, weights []float32, rows, members, n int) float64 {
	var loss float64
	for b := range rows {
		for k := range members {
			for j := range n {
				if w := float64(weights[b*n+j]); w != 0 {
					z := logits[(b*members+k)*n+j]
					loss += w / float64(members) * (softplus(z) - z*float64(targets[b*n+j]))
				}
			}
		}
	}
	return loss
}

func TestSigmoidCrossEntropy(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, shape := range [][3]int{{1, 1, 1}, {5, 16, 1}, {7, 4, 3}, {40, 1, 1}, {3, 2, 20}, {0, 3, 2}} {
			rows, members, n := shape[0], shape[1], shape[2]
			r := seeded(uint64(rows))
			logits, targets, weights := random(r, rows*members*n), make([]float32, rows*n), make([]float32, rows*n)
			for i := range logits {
				logits[i] *= 4
			}
			for i := range targets {
				targets[i], weights[i] = float32(r.IntN(3))/2, float32(r.IntN(3))
				if weights[i] == 0 {
					targets[i] = float32(math.NaN())
				}
			}
			grad := make([]float32, len(logits))
			loss := SigmoidCrossEntropy(grad, logits, targets, weights, rows, members, n)
			z := widen(logits)
			want := crossEntropyReference(z, targets, weights, rows, members, n)
			if math.Abs(loss-want) > 1e-6*(1+want) {
				t.Fatalf("%v: loss is %v, want %v", shape, loss, want)
			}
			near(t, "gradient", grad, differences(z, func() float64 {
				return crossEntropyReference(z, targets, weights, rows, members, n)
			}), 1, 1e-6)
		}
	})
}

// differences are the central finite differences of f with respect to x.
func differences(x []float64, f func() float64) []float64 {
	const step = 1e-5
	d := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + step
		above := f()
		x[i] = v - step
		d[i] = (above - f()) / (2 * step)
		x[i] = v
	}
	return d
}

func TestCrossEntropyIsFinite(t *testing.T) {
	logits, targets, weights := []float32{100, -100, 1e30, -1e30}, []float32{0, 1, 1, 0}, []float32{1, 1, 1, 1}
	grad := make([]float32, 4)
	if loss := SigmoidCrossEntropy(grad, logits, targets, weights, 4, 1, 1); math.Abs(loss-200) > 1e-4 {
		t.Errorf("loss is %v, want 200", loss)
	}
	near(t, "gradient", grad, []float64{1, -1, 0, 0}, 1, 1e-6)
}

func TestSquaredError(t *testing.T) {
	const rows, cols = 6, 5
	r := seeded(1)
	y, target := random(r, rows*cols), random(r, rows*cols)
	for _, weights := range [][]float32{nil, {1, 0, 2, 0.5, 0, 1}} {
		if weights != nil {
			target[1*cols+2] = float32(math.NaN())
		}
		x := widen(y)
		reference := func() (loss float64) {
			for i := range rows {
				w := 1.0
				if weights != nil {
					w = float64(weights[i])
				}
				for j := range cols {
					if w != 0 {
						d := x[i*cols+j] - float64(target[i*cols+j])
						loss += w * d * d / cols
					}
				}
			}
			return loss
		}
		grad := make([]float32, rows*cols)
		if loss, want := SquaredError(grad, y, target, weights, rows, cols), reference(); math.Abs(loss-want) > 1e-6*want {
			t.Errorf("loss is %v, want %v", loss, want)
		}
		near(t, "gradient", grad, differences(x, reference), 1, 1e-6)
	}
}

func TestSoftmaxCrossEntropy(t *testing.T) {
	nan := float32(math.NaN())
	const rows, cols = 6, 19
	classes := []float32{0, 18, 5, nan, 19, 7}
	for _, weights := range [][]float32{nil, {1, 2, 0.5, 1, 1, 0}} {
		logits := random(seeded(1), rows*cols)
		logits[2] = 500 // overflows unless the largest is taken off
		z := widen(logits)
		reference := func() (loss float64) {
			for i, c := range classes {
				if !(c >= 0 && c < cols) {
					continue
				}
				var sum float64
				for j := range cols {
					sum += math.Exp(z[i*cols+j] - z[i*cols+int(c)])
				}
				w := 1.0
				if weights != nil {
					w = float64(weights[i])
				}
				loss += w * math.Log(sum)
			}
			return loss
		}
		onEveryPath(t, func(t *testing.T) {
			grad := make([]float32, rows*cols)
			loss, want := SoftmaxCrossEntropy(grad, logits, classes, weights, rows, cols), reference()
			if math.Abs(loss-want) > 1e-6*want {
				t.Fatalf("loss is %v, want %v", loss, want)
			}
			near(t, "gradient", grad, differences(z, reference), 1, 1e-6)
		})
	}
}

func TestSoftmax(t *testing.T) {
	p := []float32{1, 1, 1, 1, -1000, 0, 1000, 0}
	Softmax(p, p, 2, 4)
	near(t, "softmax", p, []float64{0.25, 0.25, 0.25, 0.25, 0, 0, 1, 0}, 1, 1e-6)
}
