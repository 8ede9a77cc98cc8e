package train

import (
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"

	"moments/model"
	"moments/model/kernel"
)

// smallTable has every kind of column.
var smallTable = model.Table{
	Numeric: 3, Binary: 2, Cardinalities: []int{4, 3},
	Edges: [][]float32{{-1, -0.3, 0.2, 1}, {-1, 1}, {-2, 0, 2}},
}

// architectures are small networks that use every op.
var architectures = map[string]model.Network{
	"mlp":                     model.MLP{Table: smallTable, Targets: 2, Hidden: []int{7, 5}, CategoryWidth: 3},
	"tabm":                    model.TabM{Table: smallTable, Targets: 2, Members: 4, Width: 9, Layers: 3, Embedding: 5, CategoryWidth: 3},
	"tabm without embeddings": model.TabM{Table: smallTable, Targets: 1, Members: 3, Width: 8, Layers: 2, CategoryWidth: 2},
	"denoiser":                model.Denoiser{Features: 6, Width: 10, Layers: 2, Steps: 50},
}

// sumOfSquares is an objective on any output, so that ops which stand behind
// the logits are differentiated too.
func sumOfSquares(name string, g *model.Graph) objective {
	return objective{name, func(l *lane, output *G.Node) (*G.Node, error) {
		size := g.Outputs[name].Size(l.rows)
		return l.addLoss("SumOfSquares", size, func(gradient, y []float32) float64 {
			var loss float64
			for i, v := range y {
				gradient[i] = 2 * v
				loss += float64(v) * float64(v)
			}
			return loss
		}, output)
	}}
}

// TestGradients compares the gradient of every parameter of every architecture
// with central differences along random directions.
func TestGradients(t *testing.T) {
	for name, network := range architectures {
		g, err := model.Build(network)
		if err != nil {
			t.Fatal(err)
		}
		for output := range g.Outputs {
			t.Run(name+"/"+output, func(t *testing.T) { checkGradients(t, g, sumOfSquares(output, g)) })
		}
		if _, ok := g.Outputs[model.OutputLogits]; ok {
			t.Run(name+"/cross-entropy", func(t *testing.T) { checkGradients(t, g, crossEntropy(g)) })
		} else {
			t.Run(name+"/squared error", func(t *testing.T) { checkGradients(t, g, squaredError(g)) })
		}
	}
}

func checkGradients(t *testing.T, g *model.Graph, learn objective) {
	const rows = 5
	random := rand.New(rand.NewPCG(1, 2))
	params := newParameters(g, 3)
	for _, n := range g.Params() {
		if n.Name == "temperature" {
			params.values(n)[0] = 1.5
		} else if !n.Frozen { // weights that start at zero would hide errors
			for i := range params.values(n) {
				params.values(n)[i] += 0.3 * float32(random.NormFloat64())
			}
		}
	}
	l, err := newLearner(g, params, rows, learn)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	fillRandomly(l, g, random)
	loss := func() float64 {
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
		return l.loss
	}
	l.clearGradients()
	loss()
	gradients := map[string][]float32{} // copied, since every run adds to them
	for name, gradient := range l.gradients {
		gradients[name] = append([]float32{}, floats(gradient)...)
	}
	for _, n := range g.Params() {
		if gradients[n.Name] == nil {
			continue
		}
		analytic := gradients[n.Name][:n.Size(0)]
		for range 3 {
			direction := unit(len(analytic), random)
			var want float64
			for i, d := range direction {
				want += float64(d) * float64(analytic[i])
			}
			const step = 1e-3
			kernel.Axpy(params.values(n), step, direction)
			up := loss()
			kernel.Axpy(params.values(n), -2*step, direction)
			down := loss()
			kernel.Axpy(params.values(n), step, direction)
			got := (up - down) / (2 * step)
			if math.Abs(got-want) > 0.02*(math.Abs(got)+math.Abs(want))+2e-3*math.Max(1, up) {
				t.Errorf("%s: the slope along a direction is %g, the gradient says %g", n.Name, got, want)
			}
		}
	}
}

// unit is a random direction of length 1: short enough that few ReLUs change
// sides on the way.
func unit(n int, random *rand.Rand) []float32 {
	d := make([]float32, n)
	for i := range d {
		d[i] = float32(random.NormFloat64())
	}
	kernel.Scale(d, float32(1/math.Sqrt(kernel.SquaredNorm(d))))
	return d
}

// fillRandomly sets every input, label and weight of a lane.
func fillRandomly(l *lane, g *model.Graph, random *rand.Rand) {
	for name, x := range l.inputs {
		for i := range x {
			x[i] = float32(random.NormFloat64())
			switch name {
			case model.InputCategory:
				x[i] = float32(random.IntN(3))
			case model.InputBinary, leafLabels:
				x[i] = float32(random.IntN(2))
			case leafWeights:
				x[i] = random.Float32()
			}
		}
	}
}

// TestGradientsAddUp checks that gradients of micro-batches are summed until
// they are cleared.
func TestGradientsAddUp(t *testing.T) {
	g, err := model.Build(architectures["tabm"])
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLearner(g, newParameters(g, 1), 4, crossEntropy(g))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	fillRandomly(l, g, rand.New(rand.NewPCG(5, 6)))
	once := map[string][]float32{}
	for runs := 1; runs <= 3; runs++ {
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
		for name, gradient := range l.gradients {
			if runs == 1 {
				once[name] = append([]float32{}, floats(gradient)...)
				continue
			}
			for i, v := range floats(gradient) {
				if want := float32(runs) * once[name][i]; math.Abs(float64(v-want)) > 1e-4*(1+math.Abs(float64(want))) {
					t.Fatalf("%s[%d] is %g after %d runs, want %g", name, i, v, runs, want)
				}
			}
		}
	}
	l.clearGradients()
	for name, gradient := range l.gradients {
		if kernel.SquaredNorm(floats(gradient)) != 0 {
			t.Errorf("%s is not cleared", name)
		}
	}
}
