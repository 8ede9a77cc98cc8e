package train

import (
	"math/rand/v2"
	"slices"
	"testing"

	"moments/model"
	"moments/model/kernel"
)

// A sample is one micro-batch as a lane ran it: all that a twin needs to
// repeat it, and all that the two are compared by. This file is the only one
// of the comparison that knows how lanes work.
type sample struct {
	rows    rows
	params  map[string][]float32
	inputs  map[string][]float32 // leaves of the loss included
	dropout float32
	key     uint64

	outputs   map[string][]float32
	loss      float64
	gradients map[string][]float32 // by name of the parameters that learn
}

// Micro-batches of a sample's lane. The first fills the room that there is and
// leaves its values in every buffer; the second, which is compared, is smaller.
var (
	small = []rows{
		{batch: 8, events: 14, steps: []int{5, 4, 3, 1, 1}},
		{batch: 5, events: 9, steps: []int{3, 3, 2, 1}},
	}
	// Several blocks of what kernels and rules work through at a time.
	large = []rows{
		{batch: 70, events: 460, steps: []int{280, 110, 70}},
		{batch: 66, events: 420, steps: []int{100, 80, 80, 80, 80}},
	}
)

// runLearner runs a lane that learns, on random parameters and inputs, with or
// without the matrix unit where there is one.
func runLearner(t *testing.T, g *model.Graph, learn objective, dropout float32, runs []rows, matrix bool) *sample {
	t.Helper()
	random := rand.New(rand.NewPCG(11, 12))
	params := randomParameters(g, random)
	l, err := newLearner(g, params, runs[0], learn)
	if err != nil {
		t.Fatal(err)
	}
	l.dropout, l.work.Matrix = dropout, matrix
	s := runLane(t, g, l, params, random, runs)
	s.loss, s.gradients = l.loss, map[string][]float32{}
	for _, n := range g.Params() {
		if l.learns[n.ID] {
			s.gradients[n.Name] = slices.Clone(l.gradient.of(n))
		}
	}
	return s
}

// runPredictor runs a lane that only predicts, on random parameters and inputs.
func runPredictor(t *testing.T, g *model.Graph, output string, runs []rows) *sample {
	t.Helper()
	random := rand.New(rand.NewPCG(13, 14))
	params := randomParameters(g, random)
	l, err := newPredictor(g, params, runs[0], output)
	if err != nil {
		t.Fatal(err)
	}
	return runLane(t, g, l, params, random, runs)
}

// runLane runs a lane on micro-batches and copies what the last one ran on and
// what it made of it.
func runLane(t *testing.T, g *model.Graph, l *lane, params *parameters, random *rand.Rand, runs []rows) *sample {
	t.Helper()
	t.Cleanup(func() { l.close() })
	for key, rows := range runs {
		l.rows = rows
		l.seed(uint64(key))
		fillRandomly(l, g, random)
		if weights := l.inputs[leafWeights]; weights != nil {
			weights[1] = 0 // an unknown label
		}
		if l.gradient != nil {
			clear(l.gradient.all)
		}
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
	}
	s := &sample{
		rows: l.rows, dropout: l.dropout, key: l.key,
		params: map[string][]float32{}, inputs: map[string][]float32{}, outputs: map[string][]float32{},
	}
	for _, n := range g.Params() {
		s.params[n.Name] = slices.Clone(params.of(n))
	}
	for name, x := range l.inputs {
		s.inputs[name] = slices.Clone(x)
	}
	for _, n := range g.Inputs() {
		if x := s.inputs[n.Name]; x != nil {
			s.inputs[n.Name] = x[:l.sizeOf(n)]
		}
	}
	for name, y := range l.outputs {
		s.outputs[name] = slices.Clone(y.values())
	}
	return s
}

// mask returns the factors that the lane's dropout applied to a layer, which
// it gives away by dropping ones; nil where it applied none.
func (s *sample) mask(n *model.Node) []float64 {
	if n.Activation == model.Identity || s.dropout == 0 {
		return nil
	}
	factors := make([]float32, n.RowSize()*n.Rows(s.rows.batch, s.rows.events))
	for i := range factors {
		factors[i] = 1
	}
	kernel.Dropout(factors, factors, s.dropout, mix(s.key, uint64(n.ID)))
	return widen(factors)
}

// randomParameters moves every starting value, since weights that start at
// zero would hide errors.
func randomParameters(g *model.Graph, random *rand.Rand) *parameters {
	params := newParameters(g, 3)
	for _, n := range g.Params() {
		for i := range params.of(n) {
			switch {
			case n.Name == "temperature":
				params.of(n)[i] = 0.5 + 2*random.Float32()
			case !n.Frozen:
				params.of(n)[i] += 0.3 * float32(random.NormFloat64())
			}
		}
	}
	return params
}

// An optimiserRun is what an optimiser made of the parameters that learn.
type optimiserRun struct {
	*AdamW
	learned             []*model.Node
	start, end, average [][]float32 // by parameter
}

// runOptimiser takes steps with pseudoGradient in place of a network's.
func runOptimiser(t *testing.T, g *model.Graph, lanes int, set func(a *AdamW)) *optimiserRun {
	t.Helper()
	params := randomParameters(g, rand.New(rand.NewPCG(17, 18)))
	var workers []*lane
	for range lanes {
		l, err := newLearner(g, params, rows{batch: 2}, crossEntropy(g))
		if err != nil {
			t.Fatal(err)
		}
		workers = append(workers, l)
	}
	crew := hire(workers)
	defer crew.dismiss()
	run := &optimiserRun{AdamW: newAdamW(crew, 0.01, 0, 0)}
	set(run.AdamW)
	for _, n := range g.Params() {
		if !n.Frozen {
			run.learned = append(run.learned, n)
		}
	}
	learned := params.learn(workers)
	run.start = run.copies(params)
	for step := range adamWSteps {
		for lane, l := range workers {
			for p, n := range run.learned {
				gradient := l.gradient.of(n)
				for i := range gradient {
					gradient[i] = pseudoGradient(step, lane, p, i)
				}
			}
		}
		if err := run.Step(learned.sections); err != nil {
			t.Fatal(err)
		}
	}
	run.end = run.copies(params)
	learned.swapAverages()
	run.average = run.copies(params)
	return run
}

func (r *optimiserRun) copies(params *parameters) (values [][]float32) {
	for _, n := range r.learned {
		values = append(values, slices.Clone(params.of(n)))
	}
	return values
}
