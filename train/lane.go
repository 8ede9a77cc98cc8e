package train

import (
	"fmt"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"moments/model"
	"moments/model/kernel"
)

// A lane runs one network on micro-batches: a Gorgonia graph, the machine that
// runs it, and the buffers of its operations, which have room for a fixed
// number of rows. Lanes of the same network share the parameters and nothing
// else, so that each may run on a core of its own.
type lane struct {
	most    rows // that there is room for
	rows         // of the micro-batch that stands in the inputs
	graph   *G.ExprGraph
	machine G.VM
	work    kernel.Workspace

	nodes  []*G.Node // by model.Node.ID
	learns []bool    // by model.Node.ID: whether a gradient flows to it
	filled []bool    // by model.Node.ID: whether the first micro-batch of a batch writes its gradient, instead of adding to it

	fed      []*model.Node        // the inputs that the network has
	inputs   map[string][]float32 // by name, (rows, width), those of the loss included
	outputs  map[string]*operand  // by output name
	gradient *arena               // of the parameters; nil in a lane that only predicts
	loss     float64              // of the last micro-batch, a sum over its rows

	examples []int // of the micro-batch, where its rows are journeys

	held    bool        // the parameters are those of the last run, and the gradients hold its share
	summed  [][]float32 // the gradients that every micro-batch adds to
	dropout float32     // rate; 0 when predicting
	key     uint64      // of the dropout masks of this micro-batch
	source  rand.PCG
	random  *rand.Rand // reads source, the micro-batch's own stream
}

// rows counts the rows of a micro-batch.
type rows struct {
	batch  int   // examples
	events int   // events of their journeys, packed: see package model
	steps  []int // journeys that have a first event, a second, and so on; their sum is events
}

// An operand is a value of the graph that is read after a run.
type operand struct {
	lane  *lane
	node  *model.Node
	value []float32
}

// values returns what the last run left in the operand.
func (v *operand) values() []float32 { return v.value[:v.lane.sizeOf(v.node)] }

// An objective says what a lane learns from: the outputs that the loss reads,
// and the function that adds the loss to the graph. The loss's operation leaves
// its value in lane.loss.
type objective struct {
	outputs []string
	add     func(l *lane) (*G.Node, error)
}

// newLane lowers the part of the graph that the outputs called wanted depend
// on, with room for micro-batches of so many rows.
func newLane(g *model.Graph, params *parameters, most rows, learn bool, wanted ...string) (*lane, error) {
	l := &lane{
		most: most, rows: most, graph: G.NewGraph(),
		nodes: make([]*G.Node, len(g.Nodes)), learns: make([]bool, len(g.Nodes)), filled: make([]bool, len(g.Nodes)),
		fed: g.Inputs(), inputs: map[string][]float32{}, outputs: map[string]*operand{},
	}
	l.random = rand.New(&l.source)
	if learn {
		l.gradient = params.like()
		l.work.Matrix = true // a lane that only predicts gives the bits of inference
	}
	needed, err := g.Needed(nil, wanted...)
	if err != nil {
		return nil, err
	}
	for _, n := range g.Nodes {
		if !needed[n.ID] {
			continue
		}
		if err := l.add(n, params); err != nil {
			return nil, err
		}
	}
	if learn {
		l.fill(g, needed)
	}
	for _, name := range wanted {
		n := g.Outputs[name]
		value, err := l.valueOf(l.nodes[n.ID])
		if err != nil {
			return nil, err
		}
		l.outputs[name] = &operand{l, n, value}
	}
	return l, nil
}

// valueOf returns where the value of a node stands.
func (l *lane) valueOf(n *G.Node) ([]float32, error) {
	if s, ok := n.Op().(*step); ok {
		return floats(s.result), nil
	}
	if n.Value() == nil {
		return nil, fmt.Errorf("train: %s has no value", n)
	}
	return floats(n.Value()), nil
}

// rowsOf is the number of rows of a node in this run, and sizeOf that of its
// values.
func (l *lane) rowsOf(n *model.Node) int { return n.Rows(l.batch, l.events) }
func (l *lane) sizeOf(n *model.Node) int { return n.RowSize() * l.rowsOf(n) }

// room is the most values that a node has.
func (l *lane) room(n *model.Node) int { return n.RowSize() * n.Rows(l.most.batch, l.most.events) }

// gradientOf returns the buffer for the gradient of an operand.
func (l *lane) gradientOf(n *model.Node) *tensor.Dense {
	if n.Op == model.Param {
		return l.gradient.tensors[n.Name]
	}
	return newVector(l.room(n))
}

// newPredictor returns a lane that computes the outputs called wanted.
func newPredictor(g *model.Graph, params *parameters, most rows, wanted ...string) (*lane, error) {
	l, err := newLane(g, params, most, false, wanted...)
	if err != nil {
		return nil, err
	}
	l.machine, err = newTape(l.graph)
	return l, err
}

// newLearner returns a lane that computes the objective and its gradients,
// which Gorgonia derives.
func newLearner(g *model.Graph, params *parameters, most rows, learn objective) (*lane, error) {
	l, err := newLane(g, params, most, true, learn.outputs...)
	if err != nil {
		return nil, err
	}
	loss, err := learn.add(l)
	if err != nil {
		return nil, err
	}
	var wrt G.Nodes
	for _, n := range g.Params() {
		if l.learns[n.ID] {
			wrt = append(wrt, l.nodes[n.ID])
		}
	}
	if _, err := G.Grad(loss, wrt...); err != nil {
		return nil, fmt.Errorf("train: differentiating the network: %w", err)
	}
	l.machine, err = newTape(l.graph)
	return l, err
}

// add lowers one node.
func (l *lane) add(n *model.Node, params *parameters) (err error) {
	switch n.Op {
	case model.Input:
		value := newVector(l.room(n))
		l.inputs[n.Name] = floats(value)
		l.nodes[n.ID] = l.bind(n.Name, value)
	case model.Param:
		l.nodes[n.ID] = l.bind(n.Name, params.tensors[n.Name])
		l.learns[n.ID] = l.gradient != nil && !n.Frozen
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

// fill finds the gradients that one operation writes whole, and those that are
// added to.
func (l *lane) fill(g *model.Graph, needed []bool) {
	readers := make([]int, len(g.Nodes))
	for _, n := range g.Nodes {
		if needed[n.ID] {
			for _, in := range n.In {
				readers[in.ID]++
			}
		}
	}
	for _, n := range g.Nodes {
		if i := rules[n.Op].fills; i > 0 && needed[n.ID] && readers[n.In[i].ID] == 1 {
			l.filled[n.In[i].ID] = true
		}
	}
	for _, n := range g.Params() {
		if !l.filled[n.ID] {
			l.summed = append(l.summed, floats(l.gradient.tensors[n.Name]))
		}
	}
}

// start readies a learning lane for the micro-batches of a batch, if any: the
// parameters are new ones, and gradients that are added to begin at zero.
func (l *lane) start(any bool) {
	l.held = false
	if !any {
		clear(l.gradient.all)
		return
	}
	for _, gradient := range l.summed {
		clear(gradient)
	}
}

// run evaluates the micro-batch that stands in the inputs. In a learning lane
// it sets the loss, and adds to the gradients what start left of them.
func (l *lane) run() error {
	l.machine.Reset()
	if err := l.machine.RunAll(); err != nil {
		return fmt.Errorf("train: running the network: %w", err)
	}
	return nil
}

// seed starts the random streams of a micro-batch.
func (l *lane) seed(key uint64) {
	l.key = key
	l.source.Seed(key, 1)
}

func (l *lane) close() error { return l.machine.Close() }
