package infer

import (
	"fmt"

	"moments/model"
	"moments/model/kernel"
)

// A Session runs a program on batches of rows, in buffers of its own. One
// goroutine may use it at a time.
type Session struct {
	program       *Program
	batch, events int         // the most rows of a run
	values        [][]float32 // by node ID
	calls         []Call      // in execution order
	workspace     kernel.Workspace
}

// A Call is one node at work: what a kernel gets to see. Slices are for the
// session's whole batch and may be longer than rows need.
type Call struct {
	Node      *model.Node
	Rows      int         // rows of the node to compute
	Steps     []int       // of the packed events: see package model
	In        [][]float32 // operands
	Out       []float32
	Packed    *Packed           // what the kernel's Pack made
	Scratch   []float32         // as long as the kernel's Scratch asked for
	Workspace *kernel.Workspace // shared by all calls of the session
	State     []float32         // of a recurrent node: a row for each journey, from which a resumed run starts, and where every run ends
	Resumed   bool              // whether the run starts from State

	run func(*Call) error
}

// NewSession returns a session for batches of up to batch rows.
func (p *Program) NewSession(batch int) *Session { return p.NewJourneySession(batch, 0) }

// NewJourneySession returns a session for batches of up to batch rows over
// journeys of up to so many events in all.
func (p *Program) NewJourneySession(batch, events int) *Session {
	s := &Session{program: p, batch: max(batch, 1), events: max(events, 0), values: make([][]float32, len(p.graph.Nodes))}
	buffers := make([][]float32, len(p.plan.buffers))
	for i, b := range p.plan.buffers {
		rows := s.batch
		if b.rows == model.Events {
			rows = s.events
		}
		buffers[i] = make([]float32, b.width*rows)
	}
	scratch := make([]float32, p.scratch(s.batch, s.events))
	for _, n := range p.graph.Nodes {
		if n.Op == model.Param {
			s.values[n.ID] = p.params[n.ID]
			continue
		}
		s.values[n.ID] = buffers[p.plan.buffer[n.ID]][:n.RowSize()*n.Rows(s.batch, s.events)]
		if n.Op != model.Input {
			s.calls = append(s.calls, s.call(n, scratch))
		}
	}
	return s
}

// scratch is the most scratch memory that any node needs.
func (p *Program) scratch(batch, events int) int {
	most := 0
	for _, n := range p.graph.Nodes {
		if row := Kernels[n.Op]; row.Scratch != nil {
			most = max(most, row.Scratch(n, n.Rows(batch, events)))
		}
	}
	return most
}

func (s *Session) call(n *model.Node, scratch []float32) Call {
	c := Call{
		Node:      n,
		Out:       s.values[n.ID],
		Packed:    &s.program.packed[n.ID],
		Scratch:   scratch,
		Workspace: &s.workspace,
		run:       Kernels[n.Op].Run,
	}
	for _, operand := range n.In {
		c.In = append(c.In, s.values[operand.ID])
	}
	if width := Kernels[n.Op].State; width != nil {
		c.State = make([]float32, s.events*width(n)) // no more journeys than events
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

// carried is the state that the recurrent node of an output carries from run to
// run, a row for each journey: where [Session.Resume] starts and every run
// ends. It is nil for outputs of other nodes.
func (s *Session) carried(name string) []float32 {
	for i := range s.calls {
		if s.calls[i].Node == s.program.graph.Outputs[name] {
			return s.calls[i].State
		}
	}
	return nil
}

// Run computes the outputs of the first rows rows of the inputs. It allocates
// nothing once the largest batch has been run.
func (s *Session) Run(rows int) error { return s.RunJourneys(rows, nil) }

// RunJourneys is Run for programs that read events, which stand packed in their
// inputs: steps are the numbers of journeys that have a first event, a second
// and so on (see package model).
func (s *Session) RunJourneys(rows int, steps []int) error { return s.run(rows, steps, false) }

// Resume is RunJourneys for further events of the journeys of the last run, in
// the same order: recurrent layers start from where that run ended.
func (s *Session) Resume(rows int, steps []int) error { return s.run(rows, steps, true) }

func (s *Session) run(rows int, steps []int, resumed bool) error {
	events, err := s.check(rows, steps)
	if err != nil {
		return err
	}
	for i := range s.calls {
		c := &s.calls[i]
		c.Rows, c.Steps, c.Resumed = c.Node.Rows(rows, events), steps, resumed
		if err := c.run(c); err != nil {
			return fmt.Errorf("infer: %s: %s: %w", c.Node.Name, c.Node.Op, err)
		}
	}
	return nil
}

// check refuses a run that the session has no room for, and counts its events.
func (s *Session) check(rows int, steps []int) (events int, err error) {
	if rows < 0 || rows > s.batch {
		return 0, fmt.Errorf("infer: got %d rows, want at most %d", rows, s.batch)
	}
	for t, journeys := range steps {
		if journeys < 1 || t > 0 && journeys > steps[t-1] {
			return 0, fmt.Errorf("infer: step %d has %d journeys, want at least 1 and no more than the step before", t, journeys)
		}
		events += journeys
	}
	if events > s.events {
		return 0, fmt.Errorf("infer: got %d events, want at most %d", events, s.events)
	}
	return events, nil
}
