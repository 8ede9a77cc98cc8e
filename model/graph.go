// Package model says what a network is: a small graph of coarse operations,
// drawn once from a config struct and read by everyone else. Package train
// lowers the graph to Gorgonia, package infer compiles it to plain kernel
// calls, package weights stores its parameters by name. This package imports
// nothing but the standard library and never runs a network.
//
// Every value is float32 and row-major. The leading dimension of inputs and of
// everything computed from them is the batch, written [Batch] in shapes, or the
// events of the batch's journeys, written [Events]. Dropout, losses and
// schedules belong to training, not to the network.
//
// Events stand packed, without padding, so that a recurrent layer multiplies
// contiguous rows: first the first event of every journey, then the second of
// every journey that has two, and so on, journeys in order of falling length.
// Steps says how many rows each of these groups has. The journey j of the batch
// has its t-th event in row Steps[0] + ... + Steps[t-1] + j.
package model

import (
	"fmt"
	"path"
)

// Leading dimensions whose sizes are known only at run time.
const (
	Batch  = -1 // one row for each example
	Events = -2 // one row for each event
)

// A Node is one value of the graph: an input, a parameter, or what an
// operation makes of its operands.
type Node struct {
	ID    int     // index in Graph.Nodes
	Op    Op      // what makes it
	Name  string  // path of an Input or Param, such as "trunk/0/weight"; the scope of any other op
	Shape []int   // row-major; Batch or Events leads where they do
	In    []*Node // operands, all of smaller ID

	Activation Activation // of Dense and EnsembleDense
	Offsets    []int      // of Embedding: the first table row of each column
	Init       Init       // of Param
	Frozen     bool       // of Param: data, such as bin edges, that no optimiser touches
	NoDecay    bool       // of Param: exempt from weight decay
}

// Width is the length of the last dimension.
func (n *Node) Width() int { return n.Shape[len(n.Shape)-1] }

// RowSize is the number of values in a row, or in the whole of a parameter.
func (n *Node) RowSize() int {
	size := 1
	for _, d := range n.Shape {
		if d != Batch && d != Events {
			size *= d
		}
	}
	return size
}

// Rows is the number of rows that the node has in a run of so many examples
// and events; a parameter counts as one.
func (n *Node) Rows(batch, events int) int {
	if len(n.Shape) == 0 {
		return 1
	}
	switch n.Shape[0] {
	case Batch:
		return batch
	case Events:
		return events
	}
	return 1
}

// A Graph is a drawn network. Nodes stand in execution order, so a loop over
// them is a forward pass.
type Graph struct {
	Nodes   []*Node
	Outputs Outputs
}

// Outputs names the values a network offers: see the Output constants.
type Outputs map[string]*Node

// Names of outputs and inputs that the readers know.
const (
	OutputLogits         = "logits"         // (Batch, members, targets), what a classifier's loss reads
	OutputProbability    = "probability"    // (Batch, targets), calibrated
	OutputReconstruction = "reconstruction" // (Batch, features), what an autoencoder's loss reads
	OutputNextType       = "next_type"      // (Events, types), logits of the type of the event that follows
	OutputNextGap        = "next_gap"       // (Events, 1), the normalised time until it
	OutputCells          = "cells"          // (Events, values of all cells), logits of each attribute of the event, one after the other
	OutputState          = "state"          // (Events, h), of a recurrent network after each event
	OutputLast           = "last"           // (Batch, h), that state after each example's last event, zeros where it has none

	InputNumeric  = "numeric"  // (Batch, F), normalised, no missing values
	InputBinary   = "binary"   // (Batch, O), one-hot categories and missing-value indicators
	InputCategory = "category" // (Batch, C), ids of many-levelled categories as whole floats
	InputTime     = "time"     // (Batch, 4), of the denoiser: see TimeEmbedding

	InputEventNumeric  = "event_numeric"  // (Events, N), as InputNumeric
	InputEventBinary   = "event_binary"   // (Events, M), missing-value indicators
	InputEventCategory = "event_category" // (Events, 1+C), ids of the type and of categorical attributes
	InputEventBefore   = "event_before"   // (Events, cells): the value of each attribute of the event before, as a whole float; 0 before the first
	InputEventType     = "event_type"     // (Events, 1): the id of the event's own type
	InputRow           = "row"            // (Batch, 1), where the example's last event stands among the packed events, or -1 for none
)

// Inputs returns the nodes that are supplied at run time, in drawing order.
func (g *Graph) Inputs() []*Node { return g.nodes(Input) }

// Params returns the parameters, frozen ones included, in drawing order.
func (g *Graph) Params() []*Node { return g.nodes(Param) }

func (g *Graph) nodes(op Op) []*Node {
	var found []*Node
	for _, n := range g.Nodes {
		if n.Op == op {
			found = append(found, n)
		}
	}
	return found
}

// A Builder draws a graph. Builders made by In share the graph and differ in
// the path that new names get. The first error sticks and names its path;
// Build returns it.
type Builder struct {
	state *drawing
	scope string
}

type drawing struct {
	graph Graph
	names map[string]bool
	err   error
}

// A Network is a config that can draw itself.
type Network interface {
	Forward(b Builder) Outputs
}

// Build draws a network.
func Build(network Network) (*Graph, error) {
	s := &drawing{names: map[string]bool{}}
	s.graph.Outputs = network.Forward(Builder{state: s})
	if s.err != nil {
		return nil, fmt.Errorf("model: %w", s.err)
	}
	return &s.graph, nil
}

// In returns a builder whose names live under name.
func (b Builder) In(format string, args ...any) Builder {
	b.scope = path.Join(b.scope, fmt.Sprintf(format, args...))
	return b
}

// Input declares a value of shape (Batch, width) supplied at run time.
func (b Builder) Input(name string, width int) *Node { return b.input(name, Batch, width) }

// EventInput declares a value of shape (Events, width) supplied at run time.
func (b Builder) EventInput(name string, width int) *Node { return b.input(name, Events, width) }

func (b Builder) input(name string, rows, width int) *Node {
	if width < 1 {
		b.fail("input %s has width %d, want at least 1", name, width)
	}
	return b.name(&Node{Op: Input, Name: name, Shape: []int{rows, width}})
}

// Param declares a trainable value under the builder's scope.
func (b Builder) Param(name string, init Init, shape ...int) *Node {
	full := path.Join(b.scope, name)
	for _, d := range shape {
		if d < 1 {
			b.fail("parameter %s has shape %v, want positive sizes", full, shape)
		}
	}
	return b.name(&Node{Op: Param, Name: full, Shape: shape, Init: init})
}

func (b Builder) name(n *Node) *Node {
	if b.state.names[n.Name] {
		b.fail("%s declared twice", n.Name)
	}
	b.state.names[n.Name] = true
	return b.add(n)
}

// do appends the operation n, whose Op and In are set, and infers its shape.
func (b Builder) do(n *Node) *Node {
	n.Name = b.scope
	shape, err := Specs[n.Op].Shape(n)
	if err != nil {
		b.fail("%s: %s: %w", b.scope, n.Op, err)
		shape = []int{Batch, 1}
	}
	n.Shape = shape
	return b.add(n)
}

func (b Builder) add(n *Node) *Node {
	n.ID = len(b.state.graph.Nodes)
	b.state.graph.Nodes = append(b.state.graph.Nodes, n)
	return n
}

func (b Builder) fail(format string, args ...any) {
	if b.state.err == nil {
		b.state.err = fmt.Errorf(format, args...)
	}
}
