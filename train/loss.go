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
	return objective{[]string{model.OutputLogits}, func(l *lane) (*G.Node, error) {
		labels, weights := l.leaf(leafLabels, logits, targets), l.leaf(leafWeights, logits, targets)
		return l.addLoss("CrossEntropy", logits, func(gradient, z []float32) float64 {
			return kernel.SigmoidCrossEntropy(gradient, z, l.inputs[leafLabels], l.inputs[leafWeights], l.rowsOf(logits), members, targets)
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
		return l.addLoss("SquaredError", reconstruction, func(gradient, y []float32) float64 {
			return kernel.SquaredError(gradient, y, l.inputs[leafClean], l.inputs[leafWeights], l.rowsOf(reconstruction), features)
		}, clean, weights)
	}}
}

// leaf adds an input of the loss: width values for each row of a node.
func (l *lane) leaf(name string, like *model.Node, width int) *G.Node {
	value := newVector(width * like.Rows(l.most.batch, l.most.events))
	l.inputs[name] = floats(value)
	return l.bind(name, value)
}

// addLoss adds a loss of one node, whose gradient is computed in the same pass
// as its value. The gradient's step takes the loss as an operand, or nothing
// would order it after the step that fills its buffer.
func (l *lane) addLoss(name string, of *model.Node, f func(gradient, prediction []float32) float64, leaves ...*G.Node) (*G.Node, error) {
	gradient, value := newVector(l.room(of)), G.NewF32(0)
	slope := floats(gradient)
	var prediction []float32
	s := newStep(name, value, func(in [][]float32) { prediction = in[0] }, func() {
		size := l.sizeOf(of)
		l.loss = f(slope[:size], prediction[:size])
		*value = G.F32(l.loss)
	})
	in := append(G.Nodes{l.nodes[of.ID]}, leaves...)
	s.wrt = make([]bool, len(in))
	s.wrt[0] = true
	s.symDiff = func(in G.Nodes, out, _ *G.Node) (G.Nodes, error) {
		grads := make(G.Nodes, len(in))
		var err error
		grads[0], err = pick(name+"'", gradient).apply(out)
		return grads, err
	}
	return s.apply(in...)
}
