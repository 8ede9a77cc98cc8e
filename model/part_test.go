package model

import (
	"slices"
	"strings"
	"testing"
)

func names(nodes []*Node) []string {
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}

// The journey network falls into the part that walks the events and the part
// that reads the state, with every parameter in one of them.
func TestPart(t *testing.T) {
	g, err := Build(golden["journey"].network)
	if err != nil {
		t.Fatal(err)
	}
	walk, err := g.Part(nil, OutputState, OutputNextType, OutputNextGap)
	if err != nil {
		t.Fatal(err)
	}
	head, err := g.Part(map[*Node]string{g.Outputs[OutputLast]: "state"}, OutputProbability)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(walk.Inputs()), []string{InputEventNumeric, InputEventCategory}; !slices.Equal(got, want) {
		t.Errorf("the events' part reads %q, want %q", got, want)
	}
	if got, want := names(head.Inputs()), []string{"state", InputBinary}; !slices.Equal(got, want) {
		t.Errorf("the head reads %q, want %q", got, want)
	}
	if got := head.Inputs()[0].Shape; !slices.Equal(got, []int{Batch, 6}) {
		t.Errorf("the state has shape %v, want one row of 6 for each example", got)
	}
	both := append(names(walk.Params()), names(head.Params())...)
	slices.Sort(both)
	all := names(g.Params())
	slices.Sort(all)
	if !slices.Equal(both, all) {
		t.Errorf("the parts have the parameters %q, want %q", both, all)
	}
	for _, part := range []*Graph{walk, head} {
		checkOrder(t, part, g)
	}
}

// checkOrder demands a graph whose nodes count up, read earlier ones, and are
// no nodes of the other.
func checkOrder(t *testing.T, g, other *Graph) {
	t.Helper()
	for i, n := range g.Nodes {
		if n.ID != i || slices.Contains(other.Nodes, n) {
			t.Errorf("node %d has the ID %d, or is shared", i, n.ID)
		}
		for _, operand := range n.In {
			if operand.ID >= i || g.Nodes[operand.ID] != operand {
				t.Errorf("node %d reads node %d of another graph, or a later one", i, operand.ID)
			}
		}
	}
}

// A part without anything given is the network again.
func TestWholeAsPart(t *testing.T) {
	for kind, row := range golden {
		g, err := Build(row.network)
		if err != nil {
			t.Fatal(err)
		}
		var outputs []string
		for name := range g.Outputs {
			outputs = append(outputs, name)
		}
		part, err := g.Part(nil, outputs...)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(part.Nodes, g.Nodes, func(a, b *Node) bool {
			return a.Op == b.Op && a.Name == b.Name && slices.Equal(a.Shape, b.Shape) && slices.Equal(names(a.In), names(b.In))
		}) {
			t.Errorf("%s: the part of all outputs differs from the whole", kind)
		}
	}
}

func TestPartRefuses(t *testing.T) {
	g, err := Build(golden["journey"].network)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Part(nil, "profit"); err == nil || !strings.Contains(err.Error(), "no output \"profit\"") {
		t.Errorf("an unknown output: got %v", err)
	}
	if _, err := g.Part(map[*Node]string{g.Outputs[OutputLast]: InputBinary}, OutputProbability); err == nil || !strings.Contains(err.Error(), "two inputs named binary") {
		t.Errorf("a name twice: got %v", err)
	}
}
