package train

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"moments/model"
	"moments/weights"
)

// parameters are the values of a network that all lanes share. Those that
// learn lie behind one another in one slice, which the optimiser walks.
type parameters struct {
	graph   *model.Graph
	tensors map[string]*tensor.Dense
}

// newParameters draws the starting values. Each parameter has a random stream
// of its own, named by the seed and its position, so that the same seed gives
// the same network.
func newParameters(g *model.Graph, seed uint64) *parameters {
	p := &parameters{g, map[string]*tensor.Dense{}}
	for i, n := range g.Params() {
		value := newVector(n.Size(0))
		start(floats(value)[:n.Size(0)], n, rand.New(rand.NewPCG(seed, uint64(i))))
		p.tensors[n.Name] = value
	}
	return p
}

// start fills one parameter as its Init says.
func start(x []float32, n *model.Node, random *rand.Rand) {
	switch in := n.Init; in.Kind {
	case model.Constant:
		for i := range x {
			x[i] = float32(in.Bound)
		}
	case model.Uniform:
		for i := range x {
			x[i] = float32((2*random.Float64() - 1) * in.Bound)
		}
	case model.GroupNormal:
		startGroups(x, n, func() float32 { return float32(random.NormFloat64()) })
	case model.GroupSign:
		startGroups(x, n, func() float32 { return float32(random.IntN(2)*2 - 1) })
	case model.Data:
		copy(x, in.Values)
	}
}

// startGroups draws once for each row and group of columns.
func startGroups(x []float32, n *model.Node, draw func() float32) {
	for len(x) > 0 {
		for _, width := range n.Init.Groups {
			v := draw()
			for i := range width {
				x[i] = v
			}
			x = x[width:]
		}
	}
}

// values returns the live values of one parameter.
func (p *parameters) values(n *model.Node) []float32 { return floats(p.tensors[n.Name])[:n.Size(0)] }

// snapshot copies all parameters, frozen ones included, by name.
func (p *parameters) snapshot() map[string]weights.Tensor {
	saved := map[string]weights.Tensor{}
	for _, n := range p.graph.Params() {
		saved[n.Name] = weights.Tensor{Shape: n.Shape, Data: append([]float32{}, p.values(n)...)}
	}
	return saved
}

// restore puts back what snapshot copied.
func (p *parameters) restore(saved map[string]weights.Tensor) error {
	for _, n := range p.graph.Params() {
		t, ok := saved[n.Name]
		if !ok || len(t.Data) != n.Size(0) {
			return fmt.Errorf("train: restoring %s: got %d values, want %d", n.Name, len(t.Data), n.Size(0))
		}
		copy(p.values(n), t.Data)
	}
	return nil
}

// headBias is the bias of a classifier's last layer, (members, T) or (T).
func (p *parameters) headBias() []float32 {
	head := p.graph.Outputs[model.OutputLogits]
	return p.values(head.In[len(head.In)-1])
}

// startAtRates sets the biases of the head to the logits of the targets'
// positive rates, so that training does not begin with unlearning one half.
func (p *parameters) startAtRates(rates []float64) {
	bias := p.headBias()
	for i := range bias {
		bias[i] = float32(logit(min(max(rates[i%len(rates)], 1e-4), 1-1e-4)))
	}
}

// shiftHead subtracts a shift for each target from the biases of the head and
// returns what puts the old ones back. A loss that weighs positives by w learns
// odds that are w times too high; a shift of log w makes them true again.
func (p *parameters) shiftHead(shift []float32) (undo func()) {
	if shift == nil {
		return func() {}
	}
	bias := p.headBias()
	old := append([]float32{}, bias...)
	for i := range bias {
		bias[i] -= shift[i%len(shift)]
	}
	return func() { copy(bias, old) }
}
