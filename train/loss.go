package train

import (
	G "gorgonia.org/gorgonia"

	"moments/model"
	"moments/model/kernel"
)

// Names of the leaves that a loss adds to the inputs of the network.
const (
	leafLabels  = "labels"  // (rows, T): 0 or 1; anything where the weight is 0
	leafWeights = "weights" // (rows, T) of a classifier, (rows) of an autoencoder: 0 for padding and unknown labels
	leafClean   = "clean"   // (rows, features): the row before noise
)

// crossEntropy is the loss of an ensemble of classifiers: the mean over the
// members of their cross-entropies, never the cross-entropy of their mean
// (TabM, section 3). It is a sum over rows and targets, each by its weight.
func crossEntropy(g *model.Graph) objective {
	logits := g.Outputs[model.OutputLogits]
	members, targets := logits.Shape[1], logits.Width()
	return objective{model.OutputLogits, func(l *lane, output *G.Node) (*G.Node, error) {
		size := l.rows * targets
		labels, weights := l.leaf(leafLabels, size), l.leaf(leafWeights, size)
		return l.addLoss("CrossEntropy", logits.Size(l.rows), func(gradient, z []float32) float64 {
			return kernel.SigmoidCrossEntropy(gradient, z, l.inputs[leafLabels], l.inputs[leafWeights], l.rows, members, targets)
		}, output, labels, weights)
	}}
}

// squaredError is the loss of an autoencoder: the squared distance to the
// clean row, averaged over its features and summed over rows by weight.
func squaredError(g *model.Graph) objective {
	reconstruction := g.Outputs[model.OutputReconstruction]
	features := reconstruction.Width()
	return objective{model.OutputReconstruction, func(l *lane, output *G.Node) (*G.Node, error) {
		clean, weights := l.leaf(leafClean, l.rows*features), l.leaf(leafWeights, l.rows)
		return l.addLoss("SquaredError", reconstruction.Size(l.rows), func(gradient, y []float32) float64 {
			return kernel.SquaredError(gradient, y, l.inputs[leafClean], l.inputs[leafWeights], l.rows, features)
		}, output, clean, weights)
	}}
}

func (l *lane) leaf(name string, size int) *G.Node {
	value := newVector(size)
	l.inputs[name] = floats(value)[:size]
	return l.bind(name, value)
}

// addLoss adds a loss whose gradient is computed in the same pass as its
// value. The gradient's step takes the loss as an operand, or nothing would
// order it after the step that fills its buffer.
func (l *lane) addLoss(name string, size int, f func(gradient, prediction []float32) float64, in ...*G.Node) (*G.Node, error) {
	gradient := newVector(size)
	value := G.NewF32(0)
	s := newStep(name, 0, func(in []G.Value) (G.Value, error) {
		l.loss = f(floats(gradient)[:size], floats(in[0])[:size])
		*value = G.F32(l.loss)
		return value, nil
	})
	s.wrt = make([]bool, len(in))
	s.wrt[0] = true
	s.symDiff = func(in G.Nodes, out, _ *G.Node) (G.Nodes, error) {
		pick := newStep(name+"'", size, func([]G.Value) (G.Value, error) { return gradient, nil })
		node, err := pick.apply(out)
		grads := make(G.Nodes, len(in))
		grads[0] = node
		return grads, err
	}
	return s.apply(in...)
}
