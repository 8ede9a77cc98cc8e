package train

import (
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"moments/model/kernel"
)

// A tape is a gorgonia.VM for graphs of this package's steps: it runs them in
// order, on buffers that were bound once. Gorgonia's own TapeMachine, which
// runs the same graphs to the same bits, costs some 20 µs and six allocations a
// node on top of what the nodes do.
type tape struct {
	steps []*step
}

var _ G.VM = (*tape)(nil)

// newTape orders the steps of a graph and binds each to the values of its
// operands. Where a value has several readers, Gorgonia adds their gradients up
// with an operation of its own; that is the one operation, beside steps, that a
// tape knows.
func newTape(g *G.ExprGraph) (*tape, error) {
	sorted, err := G.Sort(g)
	if err != nil {
		return nil, fmt.Errorf("train: ordering the network: %w", err)
	}
	slices.Reverse(sorted)
	t, values := &tape{}, map[int64][]float32{}
	for _, n := range sorted {
		s, ok := n.Op().(*step)
		switch {
		case n.Op() == nil || n.Op().Arity() == 0: // a leaf, or a constant
			if v := n.Value(); v != nil && !v.Shape().IsScalar() {
				values[n.ID()] = floats(v)
			}
			continue
		case !ok && strings.HasPrefix(n.Op().String(), "+"):
			s = sum(len(values[operands(g, n)[0].ID()]))
		case !ok:
			return nil, fmt.Errorf("train: Gorgonia put %s into the graph, which the tape cannot run", n.Op())
		}
		if !s.result.Shape().IsScalar() {
			values[n.ID()] = floats(s.result)
		}
		in := operands(g, n)
		bound := make([][]float32, len(in))
		for i, operand := range in {
			bound[i] = values[operand.ID()]
		}
		s.bind(bound)
		t.steps = append(t.steps, s)
	}
	return t, nil
}

// operands returns the operands of a node, in their order.
func operands(g *G.ExprGraph, n *G.Node) G.Nodes {
	var in G.Nodes
	for it := g.From(n.ID()); it.Next(); {
		in = append(in, it.Node().(*G.Node))
	}
	return in
}

// sum adds two vectors.
func sum(size int) *step {
	total := make([]float32, size)
	var a, b []float32
	return newStep("sum", vectorOf(total), func(in [][]float32) { a, b = in[0], in[1] }, func() {
		copy(total, a)
		kernel.Axpy(total, 1, b)
	})
}

// RunAll runs every step.
func (t *tape) RunAll() error {
	for _, s := range t.steps {
		s.run()
	}
	return nil
}

// Reset has nothing to forget: a run overwrites what the last one left.
func (t *tape) Reset() {}

// Close has nothing to free.
func (t *tape) Close() error { return nil }
