package train

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"moments/model"
	"moments/model/kernel"
)

// A lane runs one network on micro-batches of a fixed number of rows: a
// Gorgonia graph, the machine that runs it, and the buffers of its operations.
// Lanes of the same network share the parameters and nothing else, so that
// each may run on a core of its own.
type lane struct {
	rows    int // customers in a micro-batch
	graph   *G.ExprGraph
	machine G.VM
	work    kernel.Workspace

	nodes  []*G.Node // by model.Node.ID
	learns []bool    // by model.Node.ID: whether a gradient flows to it

	inputs    map[string][]float32     // by input name, (rows, width)
	outputs   map[string]*operand      // by output name
	gradients map[string]*tensor.Dense // by parameter name; empty in a lane that only predicts
	loss      float64                  // of the last micro-batch, a sum over its rows

	dropout float32 // rate; 0 when predicting
	key     uint64  // of the dropout masks of this micro-batch
}

// An operand is a value of the graph that is read after a run.
type operand struct {
	node *G.Node
	size int
}

// values returns what the last run left in the operand.
func (v *operand) values() []float32 { return floats(v.node.Value())[:v.size] }

// An objective says what a lane learns from: the output that the loss reads,
// and the function that adds the loss to the graph. The loss's operation leaves
// its value in lane.loss.
type objective struct {
	output string
	add    func(l *lane, output *G.Node) (*G.Node, error)
}

// newLane lowers the part of the graph that the outputs called wanted depend
// on, for micro-batches of the given number of rows.
func newLane(g *model.Graph, params *parameters, rows int, learn bool, wanted ...string) (*lane, error) {
	l := &lane{
		rows: rows, graph: G.NewGraph(),
		nodes: make([]*G.Node, len(g.Nodes)), learns: make([]bool, len(g.Nodes)),
		inputs: map[string][]float32{}, outputs: map[string]*operand{}, gradients: map[string]*tensor.Dense{},
	}
	needed := ancestors(g, wanted)
	for _, n := range g.Nodes {
		if !needed[n.ID] {
			continue
		}
		if err := l.add(n, params, learn); err != nil {
			return nil, err
		}
	}
	for _, name := range wanted {
		n := g.Outputs[name]
		l.outputs[name] = &operand{l.nodes[n.ID], n.Size(rows)}
	}
	return l, nil
}

// newPredictor returns a lane that computes the outputs called wanted.
func newPredictor(g *model.Graph, params *parameters, rows int, wanted ...string) (*lane, error) {
	l, err := newLane(g, params, rows, false, wanted...)
	if err == nil {
		l.machine = G.NewTapeMachine(l.graph)
	}
	return l, err
}

// newLearner returns a lane that computes the objective and its gradients,
// which Gorgonia derives.
func newLearner(g *model.Graph, params *parameters, rows int, learn objective) (*lane, error) {
	l, err := newLane(g, params, rows, true, learn.output)
	if err != nil {
		return nil, err
	}
	loss, err := learn.add(l, l.outputs[learn.output].node)
	if err != nil {
		return nil, err
	}
	var wrt G.Nodes
	for _, n := range g.Params() {
		if l.gradients[n.Name] != nil {
			wrt = append(wrt, l.nodes[n.ID])
		}
	}
	if _, err := G.Grad(loss, wrt...); err != nil {
		return nil, fmt.Errorf("train: differentiating the network: %w", err)
	}
	l.machine = G.NewTapeMachine(l.graph)
	return l, nil
}

// ancestors marks the nodes that the outputs depend on, by ID.
func ancestors(g *model.Graph, outputs []string) []bool {
	needed := make([]bool, len(g.Nodes))
	for _, name := range outputs {
		needed[g.Outputs[name].ID] = true
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		for _, in := range g.Nodes[i].In {
			needed[in.ID] = needed[in.ID] || needed[i]
		}
	}
	return needed
}

// add lowers one node.
func (l *lane) add(n *model.Node, params *parameters, learn bool) (err error) {
	switch n.Op {
	case model.Input:
		value := newVector(n.Size(l.rows))
		l.inputs[n.Name] = floats(value)[:n.Size(l.rows)]
		l.nodes[n.ID] = l.bind(n.Name, value)
	case model.Param:
		l.nodes[n.ID] = l.bind(n.Name, params.tensors[n.Name])
		if learn && !n.Frozen {
			l.learns[n.ID] = true
			l.gradients[n.Name] = newVector(n.Size(l.rows))
		}
	default:
		r, ok := rules[n.Op]
		if !ok {
			return fmt.Errorf("train: no rule for op %s", n.Op)
		}
		for _, in := range n.In {
			l.learns[n.ID] = l.learns[n.ID] || l.learns[in.ID]
		}
		l.nodes[n.ID], err = l.lower(n, r)
	}
	return err
}

// bind adds a leaf to the graph. Gorgonia keeps a reference to the value, so
// what is written to it later is what the next run reads.
func (l *lane) bind(name string, value *tensor.Dense) *G.Node {
	return G.NewVector(l.graph, tensor.Float32, G.WithName(name), G.WithShape(value.Shape()...), G.WithValue(value))
}

// run evaluates the micro-batch that stands in the inputs. In a learning lane
// it adds to the gradients and sets the loss.
func (l *lane) run() error {
	l.machine.Reset()
	if err := l.machine.RunAll(); err != nil {
		return fmt.Errorf("train: running the network: %w", err)
	}
	return nil
}

// clearGradients starts a new sum of gradients.
func (l *lane) clearGradients() {
	for _, g := range l.gradients {
		clear(floats(g))
	}
}

func (l *lane) close() error { return l.machine.Close() }
