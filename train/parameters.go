package train

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"moments/model"
	"moments/weights"
)

// An arena holds one value for each parameter of a network, or one gradient: all
// of them behind one another in one slice, so that passes over them are few and
// long. First come the parameters that weight decay shrinks, then those that
// learn without it, then the frozen ones, each from a new cache line on.
type arena struct {
	all               []float32
	decaying, learned int                      // ends of the first and of the second part
	tensors           map[string]*tensor.Dense // by name: parts of all, padded with zeros
}

// newArena lays out the parameters of a network.
func newArena(g *model.Graph) *arena {
	a := &arena{tensors: map[string]*tensor.Dense{}}
	parts := [3][]*model.Node{}
	size := 0
	for _, n := range g.Params() {
		part := 0
		if n.Frozen {
			part = 2
		} else if n.NoDecay {
			part = 1
		}
		parts[part] = append(parts[part], n)
		size += padded(n)
	}
	a.all = make([]float32, size)
	at := 0
	for i, part := range parts {
		for _, n := range part {
			a.tensors[n.Name] = vectorOf(a.all[at:][:padded(n)])
			at += padded(n)
		}
		switch i {
		case 0:
			a.decaying = at
		case 1:
			a.learned = at
		}
	}
	return a
}

// line is the number of values in a cache line.
const line = 16

func padded(n *model.Node) int { return (n.RowSize() + line - 1) / line * line }

// of returns the values of one parameter.
func (a *arena) of(n *model.Node) []float32 { return floats(a.tensors[n.Name])[:n.RowSize()] }

// parameters are the values of a network that all lanes share.
type parameters struct {
	graph *model.Graph
	*arena
}

// newParameters draws the starting values. Each parameter has a random stream
// of its own, named by the seed and its position, so that the same seed gives
// the same network.
func newParameters(g *model.Graph, seed uint64) *parameters {
	p := &parameters{g, newArena(g)}
	for i, n := range g.Params() {
		start(p.of(n), n, rand.New(rand.NewPCG(seed, uint64(i))))
	}
	return p
}

// like returns an arena of zeros with the layout of the parameters.
func (p *parameters) like() *arena { return newArena(p.graph) }

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

// snapshot copies all parameters, frozen ones included, by name.
func (p *parameters) snapshot() map[string]weights.Tensor {
	saved := map[string]weights.Tensor{}
	for _, n := range p.graph.Params() {
		saved[n.Name] = weights.Tensor{Shape: n.Shape, Data: append([]float32{}, p.of(n)...)}
	}
	return saved
}

// restore puts back what snapshot copied.
func (p *parameters) restore(saved map[string]weights.Tensor) error {
	for _, n := range p.graph.Params() {
		t, ok := saved[n.Name]
		if !ok || len(t.Data) != n.RowSize() {
			return fmt.Errorf("train: restoring %s: got %d values, want %d", n.Name, len(t.Data), n.RowSize())
		}
		copy(p.of(n), t.Data)
	}
	return nil
}

// headBias is the bias of a classifier's last layer, (members, T) or (T).
func (p *parameters) headBias() []float32 {
	head := p.graph.Outputs[model.OutputLogits]
	return p.of(head.In[len(head.In)-1])
}

// startAtRates sets the biases of the head to the logits of the targets'
// positive rates, so that training does not begin with unlearning one half.
func (p *parameters) startAtRates(rates []float64) {
	bias := p.headBias()
	for i := range bias {
		bias[i] = float32(rateLogit(rates[i%len(rates)]))
	}
}

// rateLogit is the logit of a positive rate, kept from 0 and 1.
func rateLogit(rate float64) float64 { return logit(min(max(rate, 1e-4), 1-1e-4)) }

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
