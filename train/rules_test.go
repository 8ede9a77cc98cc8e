package train

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
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
	"additive":                model.Additive{Table: smallTable, Targets: 2},
	"mlp":                     model.MLP{Table: smallTable, Targets: 2, Hidden: []int{7, 5}, CategoryWidth: 3},
	"tabm":                    model.TabM{Table: smallTable, Targets: 2, Members: 4, Width: 9, Layers: 3, Embedding: 5, CategoryWidth: 3},
	"tabm without embeddings": model.TabM{Table: smallTable, Targets: 1, Members: 3, Width: 8, Layers: 2, CategoryWidth: 2},
	"denoiser":                model.Denoiser{Features: 6, Width: 10, Layers: 2, Steps: 50},
	"journey": model.Journey{Events: model.Table{Numeric: 2, Binary: 1, Cardinalities: []int{4, 3}, Edges: smallTable.Edges[:2]}, Table: smallTable,
		Targets: 2, State: 6, Token: 3, TypeSize: 2, Members: 3, Width: 8, Layers: 2, Embedding: 4, CategoryWidth: 2},
	"binet":     model.BINet{Cells: []int{4, 3, 5}, Embedding: 3, State: 6, Width: 7},
	"recurrent": recurrentNetwork{in: 4, width: 6, token: true},
}

// recurrentNetwork classifies threeJourneys of events by the state after one of
// them.
type recurrentNetwork struct {
	in, width int
	token     bool // whether a linear layer reads the events first
}

func (n recurrentNetwork) Forward(b model.Builder) model.Outputs {
	x := b.EventInput("events", n.in)
	if n.token {
		x = model.Linear(b.In("token"), x, n.in, model.ReLU)
	}
	h := model.Recurrent(b.In("recurrent"), x, n.width)
	last := model.SelectRow(b, h, b.Input(model.InputRow, 1))
	head := model.EnsembleLinear(b.In("head"), last, 1, 1, model.Init{Kind: model.Constant, Bound: 1}, model.Identity)
	head.In[1].Frozen = true
	outputs := model.Classify(b, head)
	outputs["states"] = h
	return outputs
}

// threeJourneys are three threeJourneys of different lengths, and a fourth without a
// label of its own: five examples.
var threeJourneys = rows{batch: 5, events: 13, steps: []int{4, 4, 2, 2, 1}}

// sumOfSquares is an objective on any output, so that ops which stand behind
// the logits are differentiated too.
func sumOfSquares(name string, g *model.Graph) objective {
	return objective{[]string{name}, func(l *lane) (*G.Node, error) {
		return l.addLoss("SumOfSquares", []*model.Node{g.Outputs[name]}, func(gradient, y [][]float32) float64 {
			var loss float64
			for i, v := range y[0] {
				gradient[0][i] = 2 * v
				loss += float64(v) * float64(v)
			}
			return loss
		})
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
		if _, ok := g.Outputs[model.OutputNextType]; ok {
			t.Run(name+"/journey loss", func(t *testing.T) { checkGradients(t, g, journeyLoss(g, true)) })
			t.Run(name+"/foretelling", func(t *testing.T) { checkGradients(t, g, journeyLoss(g, false)) })
		}
		if _, ok := g.Outputs[model.OutputCells]; ok {
			t.Run(name+"/cell entropy", func(t *testing.T) { checkGradients(t, g, cellEntropy(g, network.(model.BINet).Cells)) })
			continue
		}
		if _, ok := g.Outputs[model.OutputLogits]; ok {
			t.Run(name+"/cross-entropy", func(t *testing.T) { checkGradients(t, g, crossEntropy(g)) })
		} else {
			t.Run(name+"/squared error", func(t *testing.T) { checkGradients(t, g, squaredError(g)) })
		}
	}
}

func checkGradients(t *testing.T, g *model.Graph, learn objective) {
	random := rand.New(rand.NewPCG(1, 2))
	params := newParameters(g, 3)
	for _, n := range g.Params() {
		if n.Name == "temperature" {
			params.of(n)[0] = 1.5
		} else if !n.Frozen { // weights that start at zero would hide errors
			for i := range params.of(n) {
				params.of(n)[i] += 0.3 * float32(random.NormFloat64())
			}
		}
	}
	l, err := newLearner(g, params, threeJourneys, learn)
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
	loss()
	gradient := params.like() // copied, since every run adds to it
	copy(gradient.all, l.gradient.all)
	for _, n := range g.Params() {
		if !l.learns[n.ID] {
			continue
		}
		analytic := gradient.of(n)
		for range 3 {
			direction := unit(len(analytic), random)
			var want float64
			for i, d := range direction {
				want += float64(d) * float64(analytic[i])
			}
			const step = 1e-3
			kernel.Axpy(params.of(n), step, direction)
			up := loss()
			kernel.Axpy(params.of(n), -2*step, direction)
			down := loss()
			kernel.Axpy(params.of(n), step, direction)
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
	for _, name := range slices.Sorted(maps.Keys(l.inputs)) {
		x := l.inputs[name]
		for i := range x {
			x[i] = float32(random.NormFloat64())
			switch name {
			case model.InputCategory, model.InputEventCategory, model.InputEventBefore, model.InputEventType, leafCells, leafNextType:
				x[i] = float32(random.IntN(3))
			case model.InputBinary, leafLabels:
				x[i] = float32(random.IntN(2))
			case leafWeights, leafNextWeights:
				x[i] = random.Float32()
			case model.InputRow:
				x[i] = float32(random.IntN(l.events))
			}
		}
	}
}

// TestGradientsAddUp checks that gradients of micro-batches are summed until
// the next batch starts, and are none in a lane that has no share in it.
func TestGradientsAddUp(t *testing.T) {
	g, err := model.Build(architectures["tabm"])
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLearner(g, newParameters(g, 1), rows{batch: 4}, crossEntropy(g))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	fillRandomly(l, g, rand.New(rand.NewPCG(5, 6)))
	var once []float32
	for range 2 {
		l.start(true)
		for runs := 1; runs <= 3; runs++ {
			if err := l.run(); err != nil {
				t.Fatal(err)
			}
			l.held = true
			if once == nil {
				once = slices.Clone(l.gradient.all)
			}
			for i, v := range l.gradient.all {
				if want := float32(runs) * once[i]; math.Abs(float64(v-want)) > 1e-4*(1+math.Abs(float64(want))) {
					t.Fatalf("gradient %d is %g after %d runs, want %g", i, v, runs, want)
				}
			}
		}
	}
	if l.start(false); slices.ContainsFunc(l.gradient.all, func(v float32) bool { return v != 0 }) {
		t.Fatal("a gradient is left from the batch before")
	}
}
