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

func newVector(size int) *tensor.Dense {
	size = max(size, 2)
	return tensor.New(tensor.WithShape(size), tensor.WithBacking(make([]float32, size)))
}

func floats(v G.Value) []float32 { return v.Data().([]float32) }

// An operation is one node of the network in one lane: the operands it reads,
// the buffers it owns, and the gradients it adds to. All slices are bound once;
// a running lane allocates nothing.
type operation struct {
	node *model.Node
	lane *lane

	in  [][]float32 // operands' values, as Gorgonia hands them over
	out []float32   // (rows, ...) the result; owned

	dout []float32   // gradient of the loss with respect to out
	din  [][]float32 // gradients of the operands, nil where nobody asks; parameters' are the lane's and are added to, others are owned and filled

	mask    uint64      // names the operation's dropout mask within a step
	scratch [][]float32 // what a rule wants to keep between calls
	packed  [2]kernel.Packed
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

// A rule is train's row of the op table: how an operation runs forward, and
// how it turns dout into din.
type rule struct {
	forward  func(o *operation)
	backward func(o *operation)
}

// opNumber tells Gorgonia that two operations of equal operands still own
// different buffers; without it, it would merge them.
var opNumber atomic.Int64

// step is a Gorgonia operation whose work is a closure over buffers it owns.
type step struct {
	name    string
	number  int64
	inputs  []hm.Type
	size    int // length of the result; 0 for a scalar
	run     func(in []G.Value) (G.Value, error)
	wrt     []bool
	symDiff func(in G.Nodes, out, grad *G.Node) (G.Nodes, error)
}

func newStep(name string, size int, run func([]G.Value) (G.Value, error)) *step {
	return &step{name: name, number: opNumber.Add(1), size: size, run: run}
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
	if s.size == 0 {
		result = tensor.Float32
	}
	return hm.NewFnType(append(append([]hm.Type{}, s.inputs...), result)...)
}

func (s *step) InferShape(...G.DimSizer) (tensor.Shape, error) {
	if s.size == 0 {
		return tensor.ScalarShape(), nil
	}
	return tensor.Shape{max(s.size, 2)}, nil
}

func (s *step) Do(in ...G.Value) (G.Value, error) { return s.run(in) }
func (s *step) ReturnsPtr() bool                  { return true }
func (s *step) CallsExtern() bool                 { return false }
func (s *step) OverwritesInput() int              { return -1 }
func (s *step) WriteHash(h hash.Hash)             { fmt.Fprintf(h, "%s#%d", s.name, s.number) }
func (s *step) String() string                    { return fmt.Sprintf("%s#%d", s.name, s.number) }

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

// lower adds one operation of the network to the lane's Gorgonia graph.
func (l *lane) lower(n *model.Node, r rule) (*G.Node, error) {
	o := &operation{node: n, lane: l, mask: uint64(n.ID)}
	operands := make(G.Nodes, len(n.In))
	o.in = make([][]float32, len(n.In))
	wrt := make([]bool, len(n.In))
	for i, in := range n.In {
		operands[i] = l.nodes[in.ID]
		wrt[i] = l.learns[in.ID]
	}
	value := newVector(n.Size(l.rows))
	o.out = floats(value)[:n.Size(l.rows)]
	s := newStep(n.Op.String(), len(o.out), func(in []G.Value) (G.Value, error) {
		for i, v := range in {
			o.in[i] = floats(v)[:n.In[i].Size(l.rows)]
		}
		r.forward(o)
		return value, nil
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
	l, n := o.lane, o.node
	o.din = make([][]float32, len(n.In))
	gradients := make([]*tensor.Dense, len(n.In))
	for i, operand := range n.In {
		if !wrt[i] {
			continue
		}
		if operand.Op == model.Param {
			gradients[i] = l.gradients[operand.Name]
		} else {
			gradients[i] = newVector(operand.Size(l.rows))
		}
		o.din[i] = floats(gradients[i])[:operand.Size(l.rows)]
	}
	token := newVector(2)
	work := newStep(n.Op.String()+"'", 2, func(v []G.Value) (G.Value, error) {
		o.dout = floats(v[1])[:len(o.out)]
		r.backward(o)
		return token, nil
	})
	done, err := work.apply(out, grad)
	if err != nil {
		return nil, err
	}
	grads := make(G.Nodes, len(in))
	for i := range in {
		if !wrt[i] {
			continue
		}
		value := gradients[i]
		pick := newStep("pick", value.Shape()[0], func([]G.Value) (G.Value, error) { return value, nil })
		if grads[i], err = pick.apply(done); err != nil {
			return nil, err
		}
	}
	return grads, nil
}
