package model

import (
	"fmt"
	"slices"
)

// Part returns what the outputs depend on as a graph of its own, which shares
// nothing with g but parameters' names and starts. Each given node becomes an
// input of that name and of its own shape, and what nothing else depends on is
// left out: so a recurrent network falls into the part that walks the events
// and the part that reads the state they leave.
func (g *Graph) Part(given map[*Node]string, outputs ...string) (*Graph, error) {
	part := &Graph{Outputs: Outputs{}}
	copies, names := make([]*Node, len(g.Nodes)), map[string]bool{}
	needed, err := g.Needed(given, outputs...)
	if err != nil {
		return nil, err
	}
	for _, n := range g.Nodes {
		if !needed[n.ID] {
			continue
		}
		twin := *n
		twin.ID, twin.In = len(part.Nodes), nil
		if name, ok := given[n]; ok {
			twin = Node{ID: twin.ID, Op: Input, Name: name, Shape: slices.Clone(n.Shape)}
		} else {
			for _, operand := range n.In {
				twin.In = append(twin.In, copies[operand.ID])
			}
		}
		if twin.Op == Input && names[twin.Name] {
			return nil, fmt.Errorf("model: part of a network has two inputs named %s, want each named once", twin.Name)
		}
		names[twin.Name] = names[twin.Name] || twin.Op == Input
		copies[n.ID] = &twin
		part.Nodes = append(part.Nodes, &twin)
	}
	for _, name := range outputs {
		part.Outputs[name] = copies[g.Outputs[name].ID]
	}
	return part, nil
}

// Needed says, by node ID, what the outputs are computed from when some nodes are
// given, which may be none.
func (g *Graph) Needed(given map[*Node]string, outputs ...string) ([]bool, error) {
	needed := make([]bool, len(g.Nodes))
	for _, name := range outputs {
		n, ok := g.Outputs[name]
		if !ok {
			return nil, fmt.Errorf("model: the network has no output %q", name)
		}
		needed[n.ID] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		if _, ok := given[n]; ok || !needed[n.ID] {
			continue
		}
		for _, operand := range n.In {
			needed[operand.ID] = true
		}
	}
	return needed, nil
}
