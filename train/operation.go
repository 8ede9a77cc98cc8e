package train

import (
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"moments/model"
	"moments/model/kernel"
)

// Gorgonia sees every value as a vector: the fused operations below know their
// own shapes, and its rules for matrices and scalars stay out of the way. A
// vector of one element would become a scalar, so the shortest has two.
var vector = G.TensorType{Dims: 1, Of: tensor.Float32}

func newVector(size int) *tensor.Dense { return vectorOf(make([]float32, max(size, 2))) }

func vectorOf(values []float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values))
}

func floats(v G.Value) []float32 { return v.Data().([]float32) }

// opNumber tells Gorgonia that two operations of equal operands still own
// different buffers; without it, it would merge them.
var opNumber atomic.Int64

// A step is a Gorgonia operation over buffers that it owns: bind tells it once
// where its operands' values stand, run computes the result from what stands
// there.
type step struct {
	name    string
	number  int64
	inputs  []hm.Type
	result  G.Value // a vector, or the scalar of a loss; owned
	bind    func(in [][]float32)
	run     func()
	wrt     []bool
	symDiff func(in G.Nodes, out, grad *G.Node) (G.Nodes, error)
}

func newStep(name string, result G.Value, bind func(in [][]float32), run func()) *step {
	return &step{name: name, number: opNumber.Add(1), result: result, bind: bind, run: run}
}

// pick returns a step that hands a buffer out. It has no work of its own: what
// it depends on fills the buffer.
func pick(name string, buffer *tensor.Dense) *step {
	return newStep(name, buffer, func([][]float32) {}, func() {})
}

// apply adds the step to the graph of its operands.
func (s *step) apply(in ...*G.Node) (*G.Node, error) {
	for _, n := range in {
		if n.IsScalar() {
			s.inputs = append(s.inputs, tensor.Float32)
		} else {
			s.inputs = append(s.inputs, vector)
		}
	}
	node, err := G.ApplyOp(s, in...)
	if err != nil {
		return nil, fmt.Errorf("train: adding %s to the graph: %w", s, err)
	}
	return node, nil
}

// The methods of gorgonia.Op.

func (s *step) Arity() int { return len(s.inputs) }

func (s *step) Type() hm.Type {
	var result hm.Type = vector
	if s.result.Shape().IsScalar() {
		result = tensor.Float32
	}
	return hm.NewFnType(append(append([]hm.Type{}, s.inputs...), result)...)
}

func (s *step) InferShape(...G.DimSizer) (tensor.Shape, error) { return s.result.Shape(), nil }

// Do is the step as Gorgonia's own machines run it.
func (s *step) Do(values ...G.Value) (G.Value, error) {
	in := make([][]float32, len(values))
	for i, v := range values {
		if !v.Shape().IsScalar() {
			in[i] = floats(v)
		}
	}
	s.bind(in)
	s.run()
	return s.result, nil
}

func (s *step) ReturnsPtr() bool      { return true }
func (s *step) CallsExtern() bool     { return false }
func (s *step) OverwritesInput() int  { return -1 }
func (s *step) WriteHash(h hash.Hash) { fmt.Fprint(h, s) }
func (s *step) String() string        { return fmt.Sprintf("%s#%d", s.name, s.number) }

func (s *step) Hashcode() uint32 {
	h := fnv.New32a()
	s.WriteHash(h)
	return h.Sum32()
}

// The methods of gorgonia.SDOp.

func (s *step) DiffWRT(int) []bool { return s.wrt }

func (s *step) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	return s.symDiff(in, out, grad)
}

// An operation is one node of the network in one lane: the operands it reads,
// the buffers it owns, and the gradients it adds to. A running lane allocates
// nothing.
type operation struct {
	node *model.Node
	lane *lane

	room    binding // the buffers, as many rows as the lane has room for
	binding         // their rows of this run
	rows    int     // of the node in this run
	mask    uint64  // names the operation's dropout mask within a step
	scratch [][]float32
	packed  [9]kernel.Packed // right operands: weights, see pack, and a GRU's gradients
}

// A binding is the values that an operation reads and writes.
type binding struct {
	in   [][]float32 // operands' values
	out  []float32   // (rows, ...) the result; owned
	dout []float32   // gradient of the loss with respect to out
	din  [][]float32 // gradients of the operands, nil where nobody asks; parameters' are the lane's and are added to, others are owned and filled
}

// need returns the i-th scratch buffer of the operation, at least size long.
func (o *operation) need(i, size int) []float32 {
	for len(o.scratch) <= i {
		o.scratch = append(o.scratch, nil)
	}
	if len(o.scratch[i]) < size {
		o.scratch[i] = make([]float32, size)
	}
	return o.scratch[i][:size]
}

// begin cuts the buffers to the rows of this run.
func (o *operation) begin() {
	o.rows = o.lane.rowsOf(o.node)
	o.out = o.room.out[:o.lane.sizeOf(o.node)]
	if o.room.dout != nil {
		o.dout = o.room.dout[:len(o.out)]
	}
	for i, operand := range o.node.In {
		size := o.lane.sizeOf(operand)
		o.in[i] = o.room.in[i][:size]
		if o.room.din != nil && o.room.din[i] != nil {
			o.din[i] = o.room.din[i][:size]
		}
	}
}

// A rule is train's row of the op table: how an operation runs forward, and
// how it turns dout into din.
type rule struct {
	forward  func(o *operation)
	backward func(o *operation)
	fills    int // the parameter whose whole gradient backward writes unless it adds to it; 0 for none
}

// adds says whether operand i, which the rule fills, has a gradient already.
func (o *operation) adds(i int) bool { return o.lane.held || !o.lane.filled[o.node.In[i].ID] }

// lower adds one operation of the network to the lane's Gorgonia graph.
func (l *lane) lower(n *model.Node, r rule) (*G.Node, error) {
	o := &operation{node: n, lane: l, mask: uint64(n.ID)}
	operands, wrt := make(G.Nodes, len(n.In)), make([]bool, len(n.In))
	for i, in := range n.In {
		operands[i] = l.nodes[in.ID]
		wrt[i] = l.learns[in.ID]
	}
	o.in = make([][]float32, len(n.In))
	result := newVector(l.room(n))
	o.room.out = floats(result)
	s := newStep(n.Op.String(), result, func(in [][]float32) { o.room.in = in }, func() {
		o.begin()
		r.forward(o)
	})
	s.wrt = wrt
	s.symDiff = func(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
		return o.differentiate(r, wrt, in, out, grad)
	}
	return s.apply(operands...)
}

// differentiate adds the backward half of an operation: one step does all of
// the work, and one more for each operand that learns hands its gradient out.
// That step depends on the first, which is what orders them.
func (o *operation) differentiate(r rule, wrt []bool, in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	gradients := make([]*tensor.Dense, len(in))
	o.din, o.room.din = make([][]float32, len(in)), make([][]float32, len(in))
	for i, operand := range o.node.In {
		if wrt[i] {
			gradients[i] = o.lane.gradientOf(operand)
			o.room.din[i] = floats(gradients[i])
		}
	}
	work := newStep(o.node.Op.String()+"'", newVector(2), func(v [][]float32) { o.room.dout = v[1] }, func() {
		o.begin()
		r.backward(o)
	})
	done, err := work.apply(out, grad)
	if err != nil {
		return nil, err
	}
	grads := make(G.Nodes, len(in))
	for i, gradient := range gradients {
		if gradient == nil {
			continue
		}
		if grads[i], err = pick("pick", gradient).apply(done); err != nil {
			return nil, err
		}
	}
	return grads, nil
}
