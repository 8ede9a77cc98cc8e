package infer

import (
	"fmt"

	"moments/model"
	"moments/model/kernel"
)

func packGRU(n *model.Node, params [][]float32) Packed {
	packed := make([]kernel.Packed, 3)
	in, width := n.In[0].Width(), n.Width()
	kernel.Pack(&packed[0], false, 3*width, in, params[2], 3*width)
	kernel.Pack(&packed[1], false, 2*width, width, params[4], 3*width)
	kernel.Pack(&packed[2], false, width, width, params[4][2*width:], 3*width)
	return Packed{Weights: packed}
}

// gruBlock is the number of events whose products with the input weights are
// computed at once: enough to read the weights seldom, few enough to stay in
// the cache.
const gruBlock = 64

func gruScratch(n *model.Node, events int) int { return 4 * n.Width() * events }

// gru walks the packed events step by step. The products with the inputs do not
// depend on the state, so those of several short steps are computed together.
// The gates z and r add the products with input and state up; n needs them
// apart.
func gru(c *Call) error {
	in, width := c.Node.In[0].Width(), c.Node.Width()
	stride := 4 * width // of the rows of gates; see kernel.GRUStep
	state := c.begin(width)
	row, ready := 0, 0 // rows done; rows whose input products are ready, from first on
	first := 0
	for t, journeys := range c.Steps {
		if row == ready {
			first, ready = row, row+model.BlockRows(c.Steps[t:], gruBlock)
			c.Workspace.GemmPacked(false, ready-first, c.In[0][first*in:], in, &c.Packed.Weights[0], c.Scratch, stride, c.In[3], kernel.Identity, false)
		}
		gates := c.Scratch[(row-first)*stride:]
		c.Workspace.GemmPacked(false, journeys, state, width, &c.Packed.Weights[1], gates, stride, c.In[5], kernel.Identity, true)
		c.Workspace.GemmPacked(false, journeys, state, width, &c.Packed.Weights[2], gates[3*width:], stride, c.In[5][2*width:], kernel.Identity, false)
		out := c.Out[row*width:]
		kernel.GRUStep(out, gates, stride, state, journeys, width)
		state, row = out, row+journeys
	}
	c.end(width)
	return nil
}

// begin returns the states of the journeys before the first event.
func (c *Call) begin(width int) []float32 {
	if !c.Resumed && len(c.Steps) > 0 {
		for j := range c.Steps[0] {
			copy(c.State[j*width:][:width], c.In[1])
		}
	}
	return c.State
}

// end keeps the state of each journey after its last event.
func (c *Call) end(width int) {
	row := 0
	for t, journeys := range c.Steps {
		goOn := 0
		if t+1 < len(c.Steps) {
			goOn = c.Steps[t+1]
		}
		copy(c.State[goOn*width:journeys*width], c.Out[(row+goOn)*width:])
		row += journeys
	}
}

// selectRows refuses rows that no event stands in.
func selectRows(c *Call) error {
	width, events := c.Node.Width(), 0
	for _, journeys := range c.Steps {
		events += journeys
	}
	for i, at := range c.In[1][:c.Rows] {
		if !(at >= -1 && int(at) < events) || at != float32(int(at)) {
			return fmt.Errorf("example %d is at row %v, want a whole number below %d, or -1 for no event", i, at, events)
		}
		if at < 0 {
			clear(c.Out[i*width:][:width])
			continue
		}
		copy(c.Out[i*width:][:width], c.In[0][int(at)*width:])
	}
	return nil
}
