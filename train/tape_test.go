package train

import (
	"math/rand/v2"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"

	"moments/model"
)

// TestTapeIsTheTapeMachine runs every architecture on Gorgonia's own machine
// too and compares loss and gradients bit for bit.
func TestTapeIsTheTapeMachine(t *testing.T) {
	for name, network := range architectures {
		t.Run(name, func(t *testing.T) {
			g, err := model.Build(network)
			if err != nil {
				t.Fatal(err)
			}
			for output := range g.Outputs {
				ours, theirs := evaluate(t, g, output, false), evaluate(t, g, output, true)
				if ours.loss != theirs.loss || !slices.Equal(ours.gradient.all, theirs.gradient.all) {
					t.Errorf("%s: the tape's loss is %v, Gorgonia's machine says %v, or their gradients differ", output, ours.loss, theirs.loss)
				}
			}
		})
	}
}

// evaluate runs a learner once.
func evaluate(t *testing.T, g *model.Graph, output string, stock bool) *lane {
	t.Helper()
	l, err := newLearner(g, newParameters(g, 3), threeJourneys, sumOfSquares(output, g))
	if err != nil {
		t.Fatal(err)
	}
	if stock {
		l.machine = G.NewTapeMachine(l.graph)
	}
	defer l.close()
	l.dropout = 0.3
	l.seed(7)
	fillRandomly(l, g, rand.New(rand.NewPCG(1, 2)))
	if err := l.run(); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestManyReaders gives one value three readers that learn, so that Gorgonia
// adds gradients up.
func TestManyReaders(t *testing.T) {
	g, err := model.Build(manyReaders{})
	if err != nil {
		t.Fatal(err)
	}
	checkGradients(t, g, sumOfSquares("sum", g))
	ours, theirs := evaluate(t, g, "sum", false), evaluate(t, g, "sum", true)
	if ours.loss != theirs.loss || !slices.Equal(ours.gradient.all, theirs.gradient.all) {
		t.Errorf("the tape's loss is %v, Gorgonia's machine says %v, or their gradients differ", ours.loss, theirs.loss)
	}
}

type manyReaders struct{}

func (manyReaders) Forward(b model.Builder) model.Outputs {
	h := model.Linear(b.In("trunk"), b.Input(model.InputNumeric, 3), 4, model.LeakyReLU)
	var parts []*model.Node
	for i := range 3 {
		parts = append(parts, model.Linear(b.In("branch/%d", i), h, 2+i, model.Identity))
	}
	return model.Outputs{"sum": model.Linear(b.In("head"), b.Concat(parts...), 2, model.Identity)}
}

// TestStepsAllocateNothing covers a warm step of training whole: filling the
// inputs, both ways through the network, and the optimiser, on two lanes.
func TestStepsAllocateNothing(t *testing.T) {
	g := moonNetwork(t)
	p := moonProblem(g)
	s := moonSchedule
	s.threads = 2
	params := newParameters(g, 1)
	learners, predictors, err := s.crews(g, params, p)
	if err != nil {
		t.Fatal(err)
	}
	defer learners.dismiss()
	defer predictors.dismiss()
	optimiser, learned := newAdamW(learners, 1e-3, 1e-4, 1), params.learn(learners.lanes)
	step := s.newStepper(learners, p)
	order := s.epochRows(1, p.size())
	number := uint64(0)
	if n := testing.AllocsPerRun(50, func() {
		number++
		if _, _, err := step.gradients(order[:s.batch], number); err != nil {
			t.Fatal(err)
		}
		if err := optimiser.Step(learned.sections); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a warm step allocates %v times, want 0", n)
	}
}
