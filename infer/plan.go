package infer

import (
	"slices"

	"moments/model"
)

// A plan gives every computed node a buffer. Nodes share one when the last
// reader of the first comes before the second is computed.
type plan struct {
	buffer []int // by node ID; -1 for parameters
	sizes  []int // by buffer, in values for each row of the batch
}

// planBuffers walks the nodes in execution order and hands out the smallest
// free buffer that is large enough, or the largest free one, enlarged. Inputs
// and outputs keep buffers of their own: a session's caller may read an output,
// and run the same input again, after any run.
func planBuffers(g *model.Graph) plan {
	p := plan{buffer: make([]int, len(g.Nodes))}
	last := lastReaders(g)
	var free []int
	for _, n := range g.Nodes {
		p.buffer[n.ID] = -1
		switch n.Op {
		case model.Param:
			continue
		case model.Input:
			p.buffer[n.ID] = p.add(n.Size(1))
			continue
		}
		p.buffer[n.ID] = p.take(&free, n.Size(1))
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

func (p *plan) add(size int) int {
	p.sizes = append(p.sizes, size)
	return len(p.sizes) - 1
}

func (p *plan) take(free *[]int, size int) int {
	best := -1
	for i, buffer := range *free {
		if best < 0 || better(p.sizes[buffer], p.sizes[(*free)[best]], size) {
			best = i
		}
	}
	if best < 0 {
		return p.add(size)
	}
	buffer := (*free)[best]
	*free = slices.Delete(*free, best, best+1)
	p.sizes[buffer] = max(p.sizes[buffer], size)
	return buffer
}

// better says whether a buffer of size a suits want better than one of size b.
func better(a, b, want int) bool {
	if a >= want && b >= want {
		return a < b
	}
	return a > b
}
