// Package infer scores journeys with a trained bundle: probabilities by target,
// anomaly scores with conformal p-values, and the reasons of both; whole
// journeys, or event by event as they happen ([Live]). It explains what each
// event of a journey did to its score, and what that comes to over a base
// ([Explanation], [Touchpoints]). It compiles the graphs of package model to
// plain kernel calls on buffers planned once, and knows nothing of training.
//
// A row's score does not depend on the rows it is computed with, on the batch
// size, or on the number of cores: the kernels compute every row alike, and
// whatever is added up is added up within a row in a fixed order. Machines on
// different kernel paths (see package kernel) differ by rounding.
package infer

import (
	"fmt"

	"moments/model"
)

// A Program is a graph compiled with its parameters. It is not changed by
// running, so sessions and goroutines share it.
type Program struct {
	graph  *model.Graph
	params [][]float32 // by node ID; the caller's slices
	packed []Packed    // by node ID
	plan   plan
}

// Compile binds a graph to its parameters, which must be exactly those that it
// declares; they may not be changed while the program is in use.
func Compile(g *model.Graph, params map[string][]float32) (*Program, error) {
	p := &Program{
		graph:  g,
		params: make([][]float32, len(g.Nodes)),
		packed: make([]Packed, len(g.Nodes)),
	}
	if err := p.bind(params); err != nil {
		return nil, err
	}
	for _, n := range g.Nodes {
		if n.Op == model.Input || n.Op == model.Param {
			continue
		}
		row, ok := Kernels[n.Op]
		if !ok {
			return nil, fmt.Errorf("infer: %s: no kernel for %s", n.Name, n.Op)
		}
		if row.Pack != nil {
			p.packed[n.ID] = row.Pack(n, p.operands(n))
		}
	}
	p.plan = planBuffers(g)
	return p, nil
}

// bind finds the value of every parameter.
func (p *Program) bind(params map[string][]float32) error {
	declared := map[string]bool{}
	for _, n := range p.graph.Params() {
		declared[n.Name] = true
		values, ok := params[n.Name]
		if !ok {
			return fmt.Errorf("infer: parameter %s is missing, want shape %v", n.Name, n.Shape)
		}
		if got, want := len(values), n.RowSize(); got != want {
			return fmt.Errorf("infer: %s has %d values, want %d for shape %v", n.Name, got, want, n.Shape)
		}
		p.params[n.ID] = values
	}
	for name := range params {
		if !declared[name] {
			return fmt.Errorf("infer: %s is no parameter of the graph", name)
		}
	}
	return nil
}

// operands are the parameters among n's operands, nil elsewhere.
func (p *Program) operands(n *model.Node) [][]float32 {
	in := make([][]float32, len(n.In))
	for i, operand := range n.In {
		in[i] = p.params[operand.ID]
	}
	return in
}

// Inputs returns the widths of the inputs by name.
func (p *Program) Inputs() map[string]int {
	widths := map[string]int{}
	for _, n := range p.graph.Inputs() {
		widths[n.Name] = n.Width()
	}
	return widths
}

// Outputs returns the numbers of values a row has in each output.
func (p *Program) Outputs() map[string]int {
	sizes := map[string]int{}
	for name, n := range p.graph.Outputs {
		sizes[name] = n.RowSize()
	}
	return sizes
}

// RowSize is the number of buffered values that a session needs for each row
// of its batch, scratch memory and events aside.
func (p *Program) RowSize() int {
	total := 0
	for _, b := range p.plan.buffers {
		if b.rows == model.Batch {
			total += b.width
		}
	}
	return total
}
