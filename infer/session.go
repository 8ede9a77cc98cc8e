package infer

import (
	"fmt"

	"moments/model"
	"moments/model/kernel"
)

// A Session runs a program on batches of rows, in buffers of its own. One
// goroutine may use it at a time.
type Session struct {
	program   *Program
	batch     int
	values    [][]float32 // by node ID
	calls     []Call      // in execution order
	workspace kernel.Workspace
}

// A Call is one node at work: what a kernel gets to see. Slices are for the
// session's whole batch and may be longer than rows need.
type Call struct {
	Node      *model.Node
	Rows      int         // rows of the batch to compute
	In        [][]float32 // operands
	Out       []float32
	Packed    []kernel.Packed   // what the kernel's Pack made
	Scratch   []float32         // as long as the kernel's Scratch asked for
	Workspace *kernel.Workspace // shared by all calls of the session

	run func(*Call) error
}

// NewSession returns a session for batches of up to batch rows.
func (p *Program) NewSession(batch int) *Session {
	batch = max(batch, 1)
	s := &Session{program: p, batch: batch, values: make([][]float32, len(p.graph.Nodes))}
	buffers := make([][]float32, len(p.plan.sizes))
	for i, size := range p.plan.sizes {
		buffers[i] = make([]float32, size*batch)
	}
	scratch := make([]float32, p.scratch(batch))
	for _, n := range p.graph.Nodes {
		if n.Op == model.Param {
			s.values[n.ID] = p.params[n.ID]
			continue
		}
		s.values[n.ID] = buffers[p.plan.buffer[n.ID]][:n.Size(batch)]
		if n.Op != model.Input {
			s.calls = append(s.calls, s.call(n, scratch))
		}
	}
	return s
}

// scratch is the most scratch memory that any node needs.
func (p *Program) scratch(batch int) int {
	most := 0
	for _, n := range p.graph.Nodes {
		if row := Kernels[n.Op]; row.Scratch != nil {
			most = max(most, row.Scratch(n, batch))
		}
	}
	return most
}

func (s *Session) call(n *model.Node, scratch []float32) Call {
	c := Call{
		Node:      n,
		Out:       s.values[n.ID],
		Packed:    s.program.packed[n.ID],
		Scratch:   scratch,
		Workspace: &s.workspace,
		run:       Kernels[n.Op].Run,
	}
	for _, operand := range n.In {
		c.In = append(c.In, s.values[operand.ID])
	}
	return c
}

// Batch is the largest number of rows that Run takes.
func (s *Session) Batch() int { return s.batch }

// Input is the buffer (Batch, width) of an input, to be filled before Run and
// not changed by it; nil when the program has no such input.
func (s *Session) Input(name string) []float32 {
	for _, n := range s.program.graph.Nodes {
		if n.Op == model.Input && n.Name == name {
			return s.values[n.ID]
		}
	}
	return nil
}

// Output is the buffer of an output, row-major, valid until the next Run; nil
// when the program has no such output.
func (s *Session) Output(name string) []float32 {
	if n, ok := s.program.graph.Outputs[name]; ok {
		return s.values[n.ID]
	}
	return nil
}

// Run computes the outputs of the first rows rows of the inputs. It allocates
// nothing once the largest batch has been run.
func (s *Session) Run(rows int) error {
	if rows < 0 || rows > s.batch {
		return fmt.Errorf("infer: got %d rows, want at most %d", rows, s.batch)
	}
	for i := range s.calls {
		c := &s.calls[i]
		c.Rows = rows
		if err := c.run(c); err != nil {
			return fmt.Errorf("infer: %s: %s: %w", c.Node.Name, c.Node.Op, err)
		}
	}
	return nil
}
