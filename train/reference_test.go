package train

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/model"
	"moments/model/kernel"
)

// Tolerances, relative to the largest value of what is compared. A float32
// rounds at 6e-8, and a gradient here is a sum of at most a few hundred terms,
// each the product of a few roundings: it is found to be off by up to 7e-7. A
// gradient that lacks a term, or has a wrong one, is off by 1e-2. The twin's
// slopes, at steps of 1e-6, are off by 1e-9 for rounding in float64 and by
// 1e-12 for curvature.
const (
	laneTolerance       = 1e-5
	differenceTolerance = 1e-6
)

// TestNetworks compares every architecture with its twin.
func TestNetworks(t *testing.T) {
	for name, network := range architectures {
		g := buildNetwork(t, network)
		for _, loss := range lossesOf(g) {
			t.Run(name+"/"+loss.name, func(t *testing.T) { checkNetwork(t, g, loss, small, 2) })
		}
	}
}

var largeNetworks = map[string]model.Network{
	"tabm":      model.TabM{Table: smallTable, Targets: 3, Members: 3, Width: 37, Layers: 2, Embedding: 18, CategoryWidth: 4},
	"recurrent": recurrentNetwork{in: 5, width: 40, token: true},
}

// TestLargeNetworks compares networks and micro-batches that are worked through
// in several blocks.
func TestLargeNetworks(t *testing.T) {
	for name, network := range largeNetworks {
		t.Run(name, func(t *testing.T) {
			g := buildNetwork(t, network)
			checkNetwork(t, g, comparedLoss{output: model.OutputLogits, lane: crossEntropy(g), twin: twinCrossEntropy}, large, 0)
		})
	}
}

// TestMatrixUnit compares learning on the matrix unit, whose products keep 16
// bits of their factors, with learning on vectors. A value that lies that close
// to the kink of a ReLU may fall on the other side of it, so that it is the size
// of the difference that tells, not the largest.
func TestMatrixUnit(t *testing.T) {
	if kernel.Path() != "amx" {
		t.Skipf("the kernels run on path %s, which has no matrix unit", kernel.Path())
	}
	for name, network := range largeNetworks {
		t.Run(name, func(t *testing.T) {
			g := buildNetwork(t, network)
			vectors, unit := runLearner(t, g, crossEntropy(g), 0, large, false), runLearner(t, g, crossEntropy(g), 0, large, true)
			near(t, "loss", []float32{float32(unit.loss)}, []float64{vectors.loss}, laneTolerance)
			same := true
			for _, name := range slices.Sorted(maps.Keys(vectors.gradients)) {
				a, b := vectors.gradients[name], unit.gradients[name]
				same = same && slices.Equal(a, b)
				difference := slices.Clone(b)
				kernel.Axpy(difference, -1, a)
				if off := math.Sqrt(kernel.SquaredNorm(difference) / kernel.SquaredNorm(a)); !(off <= 5e-3) {
					t.Errorf("gradient of %s: off by %.2g of its size, want at most 5e-3", name, off)
				}
			}
			if same {
				t.Error("the matrix unit gave the bits of vectors: it took no part")
			}
		})
	}
}

// TestOps compares one op at a time with its twin, and some elements of each
// gradient with the slope of the loss.
func TestOps(t *testing.T) {
	for name, draw := range opCases {
		g := buildNetwork(t, draw)
		for _, loss := range lossesOf(g) {
			t.Run(name, func(t *testing.T) { checkNetwork(t, g, loss, small, 5) })
		}
	}
}

// TestEveryOpIsCompared fails for an op that has no twin, or is no case's
// output.
func TestEveryOpIsCompared(t *testing.T) {
	cases := map[model.Op]bool{}
	for _, draw := range opCases {
		cases[buildNetwork(t, draw).Outputs[caseOutput].Op] = true
	}
	for op, spec := range model.Specs {
		if twinOps[op] == nil {
			t.Errorf("%s has no row in twinOps", spec.Name)
		}
		if !cases[op] {
			t.Errorf("%s has no case in opCases", spec.Name)
		}
	}
}

func buildNetwork(t *testing.T, network model.Network) *model.Graph {
	t.Helper()
	g, err := model.Build(network)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A comparedLoss is one loss, of the lane and of its twin.
type comparedLoss struct {
	name   string
	output string
	lane   objective
	twin   twinLoss
}

// lossesOf are the sum of squares of every output, and the loss that the
// network learns by.
func lossesOf(g *model.Graph) []comparedLoss {
	var all []comparedLoss
	for name := range g.Outputs {
		all = append(all, comparedLoss{name + "/squares", name, sumOfSquares(name, g), twinSquares})
		switch name {
		case model.OutputLogits:
			all = append(all, comparedLoss{name + "/cross-entropy", name, crossEntropy(g), twinCrossEntropy})
		case model.OutputReconstruction:
			all = append(all, comparedLoss{name + "/squared error", name, squaredError(g), twinSquaredError})
		}
	}
	return all
}

// checkNetwork compares an output as it is predicted, and as it is learned from
// with and without dropout.
func checkNetwork(t *testing.T, g *model.Graph, loss comparedLoss, runs []rows, slopes int) {
	t.Helper()
	s := runPredictor(t, g, loss.output, runs)
	predicted := loss
	predicted.twin = twinSquares // a predictor has no labels
	w := newTwin(t, g, s, predicted, false)
	w.run(t)
	near(t, loss.output, s.outputs[loss.output], doubles(w.output), laneTolerance)
	checkLearning(t, g, runLearner(t, g, loss.lane, 0, runs, false), loss, slopes)
	if slices.ContainsFunc(g.Nodes, func(n *model.Node) bool { return n.Activation != model.Identity }) {
		checkLearning(t, g, runLearner(t, g, loss.lane, 0.3, runs, false), loss, min(slopes, 1))
	}
}

// checkLearning compares output, loss and gradients with the twin's, and as
// many elements of each gradient, the lane's and the twin's, with the slopes of
// the twin's loss.
func checkLearning(t *testing.T, g *model.Graph, s *sample, loss comparedLoss, slopes int) {
	t.Helper()
	w, forward := newTwin(t, g, s, loss, true), newTwin(t, g, s, loss, false)
	total := w.run(t)
	near(t, loss.output, s.outputs[loss.output], doubles(w.output), laneTolerance)
	near(t, "loss", []float32{float32(s.loss)}, []float64{total}, laneTolerance)
	if len(s.gradients) != len(w.leaves) {
		t.Errorf("got gradients of %d parameters, want %d", len(s.gradients), len(w.leaves))
	}
	random := rand.New(rand.NewPCG(15, 16))
	for _, name := range slices.Sorted(maps.Keys(w.leaves)) {
		ours, twins := s.gradients[name], w.gradient(name)
		near(t, "gradient of "+name, ours, twins, laneTolerance)
		elements := random.Perm(len(twins))
		for _, i := range elements[:min(slopes, len(elements))] {
			slope, scale := forward.slope(t, &forward.params[name][i]), largest(twins)
			if !(math.Abs(twins[i]-slope) <= differenceTolerance*scale) {
				t.Errorf("the twin's gradient of %s[%d] is %g, its loss has the slope %g", name, i, twins[i], slope)
			}
			if !(math.Abs(float64(ours[i])-slope) <= laneTolerance*scale) {
				t.Errorf("the gradient of %s[%d] is %g, the twin's loss has the slope %g", name, i, ours[i], slope)
			}
		}
	}
}

// near compares what a lane computed with what it should have.
func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d values, want %d", what, len(got), len(want))
		return
	}
	scale := largest(want)
	if scale == 0 {
		t.Errorf("%s: all values are 0, which compares nothing", what)
	}
	for i, v := range want {
		if off := math.Abs(float64(got[i]) - v); !(off <= tolerance*scale) {
			t.Errorf("%s: value %d is %g, want %g: off by %.2g of the largest, want at most %g", what, i, got[i], v, off/scale, tolerance)
			return
		}
	}
}

// largest is the largest absolute value.
func largest(x []float64) (most float64) {
	for _, v := range x {
		most = math.Max(most, math.Abs(v))
	}
	return most
}
