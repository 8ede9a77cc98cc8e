package model

import (
	"fmt"
	"slices"
)

// Op names one operation.
type Op uint8

// The whole vocabulary. Every op below Param has one row in Specs, one in
// train, one in infer and one in weights/onnx; a test fails when a row is
// missing. Shapes: B batch, E events, k ensemble members, T targets. Ops that
// compute row by row take events for the batch, too.
const (
	Input Op = iota
	Param
	Concat          // (B, d1), (B, d2), ... -> (B, d1+d2+...)
	Dense           // x (.., in), weight (in, out), bias (out) -> act(x·weight + bias) (.., out)
	Embedding       // ids (B, C), table (rows, w) -> (B, C·w): row ids[c]+Offsets[c], for each column c
	PiecewiseLinear // x (B, F), edges (F, n+1), slope (F, d), bias (F, d), weight (F, n, d) -> (B, F·d)
	EnsembleDense   // x (B, in), adapter (k, in), weight (in, out), bias (out) -> act((x∘adapter)·weight + bias) (B, k, out)
	EnsembleHead    // x (B, k, in), weight (k, in, T), bias (k, T) -> (B, k, T): each member has its own Linear
	Sigmoid         // any shape, elementwise
	MeanMembers     // (B, k, T) -> (B, T)
	Temper          // p (B, T), temperature (T) -> sigmoid(logit(p)/temperature)
	GRU             // x (E, in), first (h), weight (in, 3h), bias (3h), state weight (h, 3h), state bias (3h) -> (E, h): the state after each event
	Select          // x (E, w), row (B, 1) -> (B, w): the event in that row, for each example; zeros where the row is -1
)

// An Activation follows a linear map.
type Activation uint8

const (
	Identity Activation = iota
	ReLU
	LeakyReLU // slope 0.01 below zero
)

// LeakySlope is LeakyReLU's slope below zero.
const LeakySlope = 0.01

// A Spec is what the graph itself knows about an op.
type Spec struct {
	Name  string
	Shape func(n *Node) ([]int, error) // infers the shape from n.In
}

// Specs is the graph's column of the op table.
var Specs = map[Op]Spec{
	Concat:          {"Concat", concatShape},
	Dense:           {"Dense", denseShape},
	Embedding:       {"Embedding", embeddingShape},
	PiecewiseLinear: {"PiecewiseLinear", piecewiseShape},
	EnsembleDense:   {"EnsembleDense", ensembleDenseShape},
	EnsembleHead:    {"EnsembleHead", ensembleHeadShape},
	Sigmoid:         {"Sigmoid", sameShape},
	MeanMembers:     {"MeanMembers", meanMembersShape},
	Temper:          {"Temper", temperShape},
	GRU:             {"GRU", gruShape},
	Select:          {"Select", selectShape},
}

// String returns the op's name.
func (op Op) String() string {
	switch op {
	case Input:
		return "Input"
	case Param:
		return "Param"
	}
	if s, ok := Specs[op]; ok {
		return s.Name
	}
	return fmt.Sprintf("Op(%d)", op)
}

func concatShape(n *Node) ([]int, error) {
	width := 0
	for _, in := range n.In {
		if len(in.Shape) != 2 || in.Shape[0] != n.In[0].Shape[0] {
			return nil, fmt.Errorf("got an operand of shape %v beside %v, want two dimensions and the same rows", in.Shape, n.In[0].Shape)
		}
		width += in.Width()
	}
	if width == 0 {
		return nil, fmt.Errorf("got no operand")
	}
	return []int{n.In[0].Shape[0], width}, nil
}

func denseShape(n *Node) ([]int, error) {
	x, w, b := n.In[0], n.In[1], n.In[2]
	if err := fits(w, x.Width(), w.Width()); err != nil {
		return nil, err
	}
	if err := fits(b, w.Width()); err != nil {
		return nil, err
	}
	return append(slices.Clone(x.Shape[:len(x.Shape)-1]), w.Width()), nil
}

func embeddingShape(n *Node) ([]int, error) {
	ids, table := n.In[0], n.In[1]
	if len(n.Offsets) != ids.Width() {
		return nil, fmt.Errorf("got %d offsets, want one for each of %d columns", len(n.Offsets), ids.Width())
	}
	return []int{ids.Shape[0], ids.Width() * table.Width()}, nil
}

func piecewiseShape(n *Node) ([]int, error) {
	features, width := n.In[0].Width(), n.In[2].Width()
	bins := n.In[1].Width() - 1
	for i, want := range [][]int{1: {features, bins + 1}, 2: {features, width}, 3: {features, width}, 4: {features, bins, width}} {
		if i > 0 {
			if err := fits(n.In[i], want...); err != nil {
				return nil, err
			}
		}
	}
	return []int{n.In[0].Shape[0], features * width}, nil
}

func ensembleDenseShape(n *Node) ([]int, error) {
	x, r, w, b := n.In[0], n.In[1], n.In[2], n.In[3]
	if err := fits(r, r.Shape[0], x.Width()); err != nil {
		return nil, err
	}
	if err := fits(w, x.Width(), w.Width()); err != nil {
		return nil, err
	}
	if err := fits(b, w.Width()); err != nil {
		return nil, err
	}
	return []int{x.Shape[0], r.Shape[0], w.Width()}, nil
}

func ensembleHeadShape(n *Node) ([]int, error) {
	x, w, b := n.In[0], n.In[1], n.In[2]
	if len(x.Shape) != 3 {
		return nil, fmt.Errorf("got an operand of shape %v, want three dimensions", x.Shape)
	}
	k, in, out := x.Shape[1], x.Width(), w.Width()
	if err := fits(w, k, in, out); err != nil {
		return nil, err
	}
	if err := fits(b, k, out); err != nil {
		return nil, err
	}
	return []int{x.Shape[0], k, out}, nil
}

func sameShape(n *Node) ([]int, error) { return n.In[0].Shape, nil }

func meanMembersShape(n *Node) ([]int, error) {
	x := n.In[0]
	if len(x.Shape) != 3 {
		return nil, fmt.Errorf("got an operand of shape %v, want three dimensions", x.Shape)
	}
	return []int{x.Shape[0], x.Width()}, nil
}

func temperShape(n *Node) ([]int, error) {
	if err := fits(n.In[1], n.In[0].Width()); err != nil {
		return nil, err
	}
	return n.In[0].Shape, nil
}

func gruShape(n *Node) ([]int, error) {
	x, width := n.In[0], n.In[1].Width()
	if len(x.Shape) != 2 || x.Shape[0] != Events {
		return nil, fmt.Errorf("got an operand of shape %v, want one row for each event", x.Shape)
	}
	for i, want := range [][]int{1: {width}, 2: {x.Width(), 3 * width}, 3: {3 * width}, 4: {width, 3 * width}, 5: {3 * width}} {
		if i > 0 {
			if err := fits(n.In[i], want...); err != nil {
				return nil, err
			}
		}
	}
	return []int{Events, width}, nil
}

func selectShape(n *Node) ([]int, error) {
	x := n.In[0]
	if len(x.Shape) != 2 || x.Shape[0] != Events {
		return nil, fmt.Errorf("got an operand of shape %v, want one row for each event", x.Shape)
	}
	if err := fits(n.In[1], Batch, 1); err != nil {
		return nil, err
	}
	return []int{Batch, x.Width()}, nil
}

func fits(n *Node, want ...int) error {
	if !slices.Equal(n.Shape, want) {
		return fmt.Errorf("%s has shape %v, want %v", n.Name, n.Shape, want)
	}
	return nil
}
