package train

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"moments/model"
	"moments/model/kernel"
)

// Names of the leaves that a loss adds to the inputs of the network.
const (
	leafLabels  = "labels"  // (rows, T): 0 or 1; anything where the weight is 0
	leafWeights = "weights" // (rows, T) of a classifier, (rows) of an autoencoder: 0 for padding and unknown labels
	leafClean   = "clean"   // (rows, features): the row before noise

	leafNextType    = "next type"    // (events, 1): the id of the type of the event that follows
	leafNextGap     = "next gap"     // (events, 1): the normalised time until it
	leafNextWeights = "next weights" // (events, 1): 0 where no event follows
)

// crossEntropy is the loss of an ensemble of classifiers: the mean over the
// members of their cross-entropies, never the cross-entropy of their mean
// (TabM, section 3). It is a sum over rows and targets, each by its weight.
func crossEntropy(g *model.Graph) objective {
	logits := g.Outputs[model.OutputLogits]
	members, targets := logits.Shape[1], logits.Width()
	return objective{[]string{model.OutputLogits}, func(l *lane) (*G.Node, error) {
		labels, weights := l.leaf(leafLabels, logits, targets), l.leaf(leafWeights, logits, targets)
		return l.addLoss("CrossEntropy", []*model.Node{logits}, func(gradient, z [][]float32) float64 {
			return kernel.SigmoidCrossEntropy(gradient[0], z[0], l.inputs[leafLabels], l.inputs[leafWeights], l.rowsOf(logits), members, targets)
		}, labels, weights)
	}}
}

// squaredError is the loss of an autoencoder: the squared distance to the
// clean row, averaged over its features and summed over rows by weight.
func squaredError(g *model.Graph) objective {
	reconstruction := g.Outputs[model.OutputReconstruction]
	features := reconstruction.Width()
	return objective{[]string{model.OutputReconstruction}, func(l *lane) (*G.Node, error) {
		clean, weights := l.leaf(leafClean, reconstruction, features), l.leaf(leafWeights, reconstruction, 1)
		return l.addLoss("SquaredError", []*model.Node{reconstruction}, func(gradient, y [][]float32) float64 {
			return kernel.SquaredError(gradient[0], y[0], l.inputs[leafClean], l.inputs[leafWeights], l.rowsOf(reconstruction), features)
		}, clean, weights)
	}}
}

// journeyLoss is the loss of a network that follows journeys: the cross-entropy
// of its targets, and a share of what it says of each next event, the
// cross-entropy of its type and the absolute error of the time until it. An
// event's share is in its weight. targets says whether outcomes are learned, or
// nothing but the events (pretraining).
func journeyLoss(g *model.Graph, targets bool) objective {
	kinds, gap := g.Outputs[model.OutputNextType], g.Outputs[model.OutputNextGap]
	outputs := []string{model.OutputNextType, model.OutputNextGap}
	of := []*model.Node{kinds, gap}
	logits := g.Outputs[model.OutputLogits]
	if targets {
		outputs, of = append(outputs, model.OutputLogits), append(of, logits)
	}
	return objective{outputs, func(l *lane) (*G.Node, error) {
		leaves := G.Nodes{l.leaf(leafNextType, kinds, 1), l.leaf(leafNextGap, gap, 1), l.leaf(leafNextWeights, gap, 1)}
		if targets {
			leaves = append(leaves, l.leaf(leafLabels, logits, logits.Width()), l.leaf(leafWeights, logits, logits.Width()))
		}
		return l.addLoss("JourneyLoss", of, func(gradients, y [][]float32) float64 {
			weights := l.inputs[leafNextWeights][:l.events]
			loss := kernel.SoftmaxCrossEntropy(gradients[0], y[0], l.inputs[leafNextType], weights, l.events, kinds.Width())
			loss += absoluteError(gradients[1], y[1], l.inputs[leafNextGap], weights)
			if targets {
				loss += kernel.SigmoidCrossEntropy(gradients[2], y[2], l.inputs[leafLabels], l.inputs[leafWeights], l.batch, logits.Shape[1], logits.Width())
			}
			return loss
		}, leaves...)
	}}
}

// absoluteError returns Σ weights·|y - target| and writes its gradient.
func absoluteError(gradient, y, target, weights []float32) (loss float64) {
	for i, w := range weights {
		d := y[i] - target[i]
		switch {
		case d < 0:
			gradient[i], d = -w, -d
		case d > 0:
			gradient[i] = w
		default:
			gradient[i] = 0
		}
		loss += float64(w * d)
	}
	return loss
}

// leaf adds an input of the loss: width values for each row of a node.
func (l *lane) leaf(name string, like *model.Node, width int) *G.Node {
	value := newVector(width * like.Rows(l.most.batch, l.most.events))
	l.inputs[name] = floats(value)
	return l.bind(name, value)
}

// addLoss adds a loss that reads some nodes, and whose gradients are computed in
// the same pass as its value. A gradient's step takes the loss as an operand, or
// nothing would order it after the step that fills its buffer.
func (l *lane) addLoss(name string, of []*model.Node, f func(gradients, predictions [][]float32) float64, leaves ...*G.Node) (*G.Node, error) {
	value := G.NewF32(0)
	gradients, slopes := make([]*tensor.Dense, len(of)), make([][]float32, len(of))
	var in G.Nodes
	for i, n := range of {
		gradients[i] = newVector(l.room(n))
		slopes[i] = floats(gradients[i])
		in = append(in, l.nodes[n.ID])
	}
	predictions, cut := make([][]float32, len(of)), make([][]float32, len(of))
	s := newStep(name, value, func(in [][]float32) { copy(predictions, in) }, func() {
		for i, n := range of {
			size := l.sizeOf(n)
			cut[i], slopes[i] = predictions[i][:size], slopes[i][:size]
		}
		l.loss = f(slopes, cut)
		*value = G.F32(l.loss)
	})
	in = append(in, leaves...)
	s.wrt = make([]bool, len(in))
	for i := range of {
		s.wrt[i] = true
	}
	s.symDiff = func(in G.Nodes, out, _ *G.Node) (G.Nodes, error) {
		grads := make(G.Nodes, len(in))
		var err error
		for i, gradient := range gradients {
			if grads[i], err = pick(name+"'", gradient).apply(out); err != nil {
				return nil, err
			}
		}
		return grads, nil
	}
	return s.apply(in...)
}
