package train

import (
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// adamWTolerance is relative to the largest value: some sixteen roundings of
// float32, where each of adamWSteps steps rounds the value once or twice.
const (
	adamWTolerance = 1e-6
	adamWSteps     = 20
)

// pseudoGradient is what a lane adds to element i of a parameter at a step:
// some elements' gradients are as small as the optimiser's epsilon.
func pseudoGradient(step, lane, param, i int) float32 {
	random := rand.New(rand.NewPCG(uint64(step*10+lane), uint64(param*1000+i)))
	return float32(random.NormFloat64() * math.Pow(10, float64(-3*(i%4))))
}

// gradientsOf are the sums over the lanes, by parameter, in float64.
func gradientsOf(run *optimiserRun, lanes, step int) [][]float64 {
	gradients := make([][]float64, len(run.start))
	for p, values := range run.start {
		gradients[p] = make([]float64, len(values))
		for i := range values {
			for lane := range lanes {
				gradients[p][i] += float64(pseudoGradient(step, lane, p, i))
			}
		}
	}
	return gradients
}

// TestAdamWIsGorgoniasAdam compares the optimiser with Gorgonia's Adam, in
// float64, where they are the same: without decay and clipping.
func TestAdamWIsGorgoniasAdam(t *testing.T) {
	const lanes, batch = 2, 4
	run := runOptimiser(t, buildNetwork(t, architectures["mlp"]), lanes, func(a *AdamW) { a.Scale, a.Average = 1.0/batch, 0 })
	solver := G.NewAdamSolver(G.WithLearnRate(run.LearningRate), G.WithBeta1(run.Beta1), G.WithBeta2(run.Beta2),
		G.WithEps(run.Epsilon), G.WithBatchSize(batch))
	var all []G.ValueGrad
	for _, start := range run.start {
		all = append(all, &valueGrad{value: doubleVector(widen(start))})
	}
	for step := range adamWSteps {
		for p, gradient := range gradientsOf(run, lanes, step) {
			all[p].(*valueGrad).gradient = doubleVector(gradient)
		}
		if err := solver.Step(all); err != nil {
			t.Fatal(err)
		}
	}
	for p, n := range run.learned {
		near(t, n.Name, run.end[p], doubles(all[p].Value()), adamWTolerance)
	}
}

// A valueGrad is a parameter as Gorgonia's solvers know it.
type valueGrad struct{ value, gradient *tensor.Dense }

func (v *valueGrad) Value() G.Value         { return v.value }
func (v *valueGrad) Grad() (G.Value, error) { return v.gradient, nil }

func doubleVector(x []float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(x))
}

// TestAdamW compares decay, clipping and the running mean with the papers'
// formulas in float64.
func TestAdamW(t *testing.T) {
	for name, clip := range map[string]float64{"clipped": 0.5, "below the clip": 1e3} {
		for _, lanes := range []int{1, 3} {
			t.Run(name, func(t *testing.T) {
				run := runOptimiser(t, buildNetwork(t, architectures["tabm"]), lanes, func(a *AdamW) {
					a.LearningRate, a.WeightDecay, a.Clip, a.Scale = 0.02, 0.1, clip, 0.25
				})
				values, averages := referenceAdamW(run, lanes)
				for p, n := range run.learned {
					near(t, n.Name, run.end[p], values[p], adamWTolerance)
					near(t, "the mean of "+n.Name, run.average[p], averages[p], adamWTolerance)
				}
			})
		}
	}
}

// referenceAdamW is the optimiser one element at a time: Loshchilov and Hutter,
// Decoupled Weight Decay Regularization, algorithm 2, on gradients clipped by
// their norm.
func referenceAdamW(run *optimiserRun, lanes int) (values, averages [][]float64) {
	m, v := make([][]float64, len(run.start)), make([][]float64, len(run.start))
	for p, start := range run.start {
		values, averages = append(values, widen(start)), append(averages, widen(start))
		m[p], v[p] = make([]float64, len(start)), make([]float64, len(start))
	}
	for step := range adamWSteps {
		gradients := gradientsOf(run, lanes, step)
		scale := run.Scale * min(1, run.Clip/(run.Scale*norm(gradients)))
		n := float64(step + 1)
		keep := min(run.Average, (1+n)/(10+n))
		for p, node := range run.learned {
			decay := run.WeightDecay
			if node.NoDecay {
				decay = 0
			}
			for i, w := range values[p] {
				d := scale * gradients[p][i]
				m[p][i] = run.Beta1*m[p][i] + (1-run.Beta1)*d
				v[p][i] = run.Beta2*v[p][i] + (1-run.Beta2)*d*d
				mHat, vHat := m[p][i]/(1-math.Pow(run.Beta1, n)), v[p][i]/(1-math.Pow(run.Beta2, n))
				values[p][i] = w - run.LearningRate*(mHat/(math.Sqrt(vHat)+run.Epsilon)+decay*w)
				averages[p][i] = keep*averages[p][i] + (1-keep)*values[p][i]
			}
		}
	}
	return values, averages
}

func norm(gradients [][]float64) float64 {
	squares := 0.0
	for _, gradient := range gradients {
		for _, d := range gradient {
			squares += d * d
		}
	}
	return math.Sqrt(squares)
}
