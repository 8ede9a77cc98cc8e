package train

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"moments/model"
)

// A twin is a network made of Gorgonia's standard operations in float64, whose
// gradients are Gorgonia's own: slow, and an oracle that shares no code with
// the lane. Every value is a matrix as wide as the node's last dimension, with
// the other dimensions as its rows: an ensemble's (B, k, d) is (B·k, d), row
// b·k+m being member m of example b. Rows and columns are chosen and put in
// place by products with matrices of zeros and ones, since Gorgonia turns
// slices of one row or column into vectors.
type twin struct {
	steps []int                         // journeys that have a first event, a second, ...
	data  map[string][]float32          // inputs, and leaves of the loss
	mask  func(n *model.Node) []float64 // factors that dropout applied to the node; nil for none

	graph     *G.ExprGraph
	nodes     []*G.Node            // by model.Node.ID
	params    map[string][]float64 // live values
	leaves    map[string]*G.Node   // the parameters that learn
	constants int

	machine   G.VM
	output    G.Value
	loss      G.Value
	gradients map[string]*G.Value
}

// A twinLoss adds a loss on an output to a twin.
type twinLoss func(t *twin, output *model.Node) *G.Node

// newTwin lowers what the loss depends on to standard operations, and, where
// learn says so, adds its gradients.
func newTwin(test *testing.T, g *model.Graph, s *sample, loss comparedLoss, learn bool) *twin {
	test.Helper()
	t := &twin{
		steps: s.rows.steps, data: s.inputs, mask: s.mask,
		graph: G.NewGraph(), nodes: make([]*G.Node, len(g.Nodes)),
		params: map[string][]float64{}, leaves: map[string]*G.Node{}, gradients: map[string]*G.Value{},
	}
	needed, err := g.Needed(nil, loss.output)
	if err != nil {
		test.Fatal(err)
	}
	for _, n := range g.Nodes {
		if needed[n.ID] {
			t.nodes[n.ID] = t.lower(n, s.params[n.Name])
		}
	}
	G.Read(t.nodes[g.Outputs[loss.output].ID], &t.output)
	total := loss.twin(t, g.Outputs[loss.output])
	G.Read(total, &t.loss)
	if learn {
		if err := t.differentiate(total); err != nil {
			test.Fatal(err)
		}
	}
	t.machine = G.NewTapeMachine(t.graph)
	test.Cleanup(func() { t.machine.Close() })
	return t
}

func (t *twin) differentiate(loss *G.Node) error {
	names := slices.Sorted(maps.Keys(t.leaves))
	var leaves G.Nodes
	for _, name := range names {
		leaves = append(leaves, t.leaves[name])
	}
	gradients, err := G.Grad(loss, leaves...)
	if err != nil {
		return err
	}
	for i, name := range names {
		t.gradients[name] = new(G.Value)
		G.Read(gradients[i], t.gradients[name])
	}
	return nil
}

// run evaluates the twin and returns its loss.
func (t *twin) run(test *testing.T) float64 {
	test.Helper()
	t.machine.Reset()
	if err := t.machine.RunAll(); err != nil {
		test.Fatal(err)
	}
	return t.loss.Data().(float64)
}

// slope is the central difference of the loss by one value of a parameter.
func (t *twin) slope(test *testing.T, at *float64) float64 {
	test.Helper()
	const step = 1e-6
	start := *at
	*at = start + step
	up := t.run(test)
	*at = start - step
	down := t.run(test)
	*at = start
	return (up - down) / (2 * step)
}

// gradient returns the gradient of a parameter after a run.
func (t *twin) gradient(name string) []float64 { return doubles(*t.gradients[name]) }

func doubles(v G.Value) []float64 {
	if x, ok := v.Data().(float64); ok {
		return []float64{x}
	}
	return v.Data().([]float64)
}

func (t *twin) lower(n *model.Node, values []float32) *G.Node {
	switch n.Op {
	case model.Input:
		return t.leaf(n.Name, n.Width(), widen(t.data[n.Name]))
	case model.Param:
		t.params[n.Name] = widen(values)
		leaf := t.leaf(n.Name, n.Width(), t.params[n.Name])
		if !n.Frozen {
			t.leaves[n.Name] = leaf
		}
		return leaf
	}
	return twinOps[n.Op](t, n)
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// leaf adds a matrix whose values may change between runs.
func (t *twin) leaf(name string, width int, values []float64) *G.Node {
	value := tensor.New(tensor.WithShape(len(values)/width, width), tensor.WithBacking(values))
	return G.NewMatrix(t.graph, tensor.Float64, G.WithName(name), G.WithShape(value.Shape()...), G.WithValue(value))
}

// constant adds a matrix of the given values. It is named, or Gorgonia would
// take two constants of one shape for the same.
func (t *twin) constant(rows, width int, at func(i, j int) float64) *G.Node {
	values := make([]float64, 0, rows*width)
	for i := range rows {
		for j := range width {
			values = append(values, at(i, j))
		}
	}
	t.constants++
	return t.leaf(fmt.Sprint("constant#", t.constants), width, values)
}

// ones adds a matrix of ones where the predicate holds, and zeros elsewhere.
func (t *twin) ones(rows, width int, where func(i, j int) bool) *G.Node {
	return t.constant(rows, width, func(i, j int) float64 {
		if where(i, j) {
			return 1
		}
		return 0
	})
}

// all adds a matrix of ones.
func (t *twin) all(rows, width int) *G.Node {
	return t.ones(rows, width, func(int, int) bool { return true })
}

func (t *twin) in(n *model.Node, i int) *G.Node { return t.nodes[n.In[i].ID] }

func height(x *G.Node) int { return x.Shape()[0] }
func width(x *G.Node) int  { return x.Shape()[1] }

func mul(a, b *G.Node) *G.Node   { return G.Must(G.Mul(a, b)) }
func times(a, b *G.Node) *G.Node { return G.Must(G.HadamardProd(a, b)) }
func minus(a, b *G.Node) *G.Node { return G.Must(G.Sub(a, b)) }

func plus(first *G.Node, more ...*G.Node) *G.Node {
	for _, x := range more {
		first = G.Must(G.Add(first, x))
	}
	return first
}

// repeat makes rows of one row of x.
func (t *twin) repeat(x *G.Node, row, rows int) *G.Node {
	return mul(t.ones(rows, height(x), func(_, j int) bool { return j == row }), x)
}

// rowsOf takes rows first, first+stride, ... of x.
func (t *twin) rowsOf(x *G.Node, first, stride, rows int) *G.Node {
	return mul(t.ones(rows, height(x), func(i, j int) bool { return j == first+i*stride }), x)
}

// intoRows puts x into rows first, first+stride, ... of a matrix of zeros.
func (t *twin) intoRows(x *G.Node, first, stride, rows int) *G.Node {
	return mul(t.ones(rows, height(x), func(i, j int) bool { return i == first+j*stride }), x)
}

// columnsOf takes the columns of x from first on.
func (t *twin) columnsOf(x *G.Node, first, columns int) *G.Node {
	return mul(x, t.ones(width(x), columns, func(i, j int) bool { return i == first+j }))
}

// intoColumns puts x into the columns of a matrix of zeros, from first on.
func (t *twin) intoColumns(x *G.Node, first, columns int) *G.Node {
	return mul(x, t.ones(width(x), columns, func(i, j int) bool { return j == first+i }))
}

// linear is x·weight + bias.
func (t *twin) linear(x, weight, bias *G.Node) *G.Node {
	return plus(mul(x, weight), t.repeat(bias, 0, height(x)))
}

// activate applies a layer's activation and the dropout that follows it.
func (t *twin) activate(n *model.Node, z *G.Node) *G.Node {
	switch n.Activation {
	case model.ReLU:
		z = G.Must(G.Rectify(z))
	case model.LeakyReLU:
		z = G.Must(G.LeakyRelu(z, model.LeakySlope))
	}
	mask := t.mask(n)
	if mask == nil {
		return z
	}
	return times(z, t.constant(height(z), width(z), func(i, j int) float64 { return mask[i*width(z)+j] }))
}

func sigma(x *G.Node) *G.Node { return G.Must(G.Sigmoid(x)) }
