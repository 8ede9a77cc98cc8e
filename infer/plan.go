package infer

import (
	"slices"

	"moments/model"
)

// A plan gives every computed node a buffer. Nodes share one when the last
// reader of the first comes before the second is computed, and both have a row
// for each example, or both for each event.
type plan struct {
	buffer  []int // by node ID; -1 for parameters
	buffers []buffer
}

// A buffer holds rows of nodes.
type buffer struct {
	width int // values in a row
	rows  int // model.Batch or model.Events: what there is a row for
}

// planBuffers walks the nodes in execution order and hands out the smallest
// free buffer that is large enough, or the largest free one, enlarged. Inputs
// and outputs keep buffers of their own: a session's caller may read an output,
// and run the same input again, after any run.
func planBuffers(g *model.Graph) plan {
	p := plan{buffer: make([]int, len(g.Nodes))}
	last := lastReaders(g)
	var free []int // buffers
	for _, n := range g.Nodes {
		p.buffer[n.ID] = -1
		switch n.Op {
		case model.Param:
			continue
		case model.Input:
			p.buffer[n.ID] = p.add(buffer{n.RowSize(), n.Shape[0]})
			continue
		}
		p.buffer[n.ID] = p.take(&free, buffer{n.RowSize(), n.Shape[0]})
		for i, operand := range n.In {
			again := slices.Contains(n.In[:i], operand)
			if last[operand.ID] == n.ID && !again && operand.Op != model.Input && operand.Op != model.Param {
				free = append(free, p.buffer[operand.ID])
			}
		}
	}
	return p
}

// lastReaders returns the ID of each node's last reader; outputs are read after
// the last node, and a node that nothing reads by itself.
func lastReaders(g *model.Graph) []int {
	last := make([]int, len(g.Nodes))
	for _, n := range g.Nodes {
		last[n.ID] = n.ID
		for _, operand := range n.In {
			last[operand.ID] = n.ID
		}
	}
	for _, n := range g.Outputs {
		last[n.ID] = len(g.Nodes)
	}
	return last
}

func (p *plan) add(b buffer) int {
	p.buffers = append(p.buffers, b)
	return len(p.buffers) - 1
}

// take returns a free buffer of the same rows, widened if need be, or a new one.
func (p *plan) take(free *[]int, want buffer) int {
	best := -1
	for i, id := range *free {
		if b := p.buffers[id]; b.rows == want.rows && (best < 0 || better(b.width, p.buffers[(*free)[best]].width, want.width)) {
			best = i
		}
	}
	if best < 0 {
		return p.add(want)
	}
	id := (*free)[best]
	*free = slices.Delete(*free, best, best+1)
	p.buffers[id].width = max(p.buffers[id].width, want.width)
	return id
}

// better says whether a buffer a wide suits want better than one b wide.
func better(a, b, want int) bool {
	if a >= want && b >= want {
		return a < b
	}
	return a > b
}
