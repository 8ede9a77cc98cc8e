package infer

import (
	"fmt"

	"moments/model"
	"moments/model/kernel"
)

// A Kernel is infer's row of the op table.
type Kernel struct {
	Run     func(c *Call) error                            // computes c.Out
	Pack    func(n *model.Node, params [][]float32) Packed // lays weights out, once; may be nil
	Scratch func(n *model.Node, rows int) int              // values of scratch memory; nil for none
	State   func(n *model.Node) int                        // values that a journey carries from event to event; nil for none
}

// Packed is a node's weights, laid out for its kernel.
type Packed struct {
	Weights []kernel.Packed
	Pieces  kernel.PieceTable // of PiecewiseLinear
}

// Kernels is infer's column of the op table.
var Kernels = map[model.Op]Kernel{
	model.Concat:          {Run: concat},
	model.Dense:           {Run: dense, Pack: packDense},
	model.Embedding:       {Run: embedding},
	model.PiecewiseLinear: {Run: piecewiseLinear, Pack: packPiecewiseLinear},
	model.EnsembleDense:   {Run: ensembleDense, Pack: packEnsembleDense, Scratch: ensembleScratch},
	model.EnsembleHead:    {Run: ensembleHead, Pack: packEnsembleHead},
	model.Sigmoid:         {Run: sigmoid},
	model.MeanMembers:     {Run: meanMembers},
	model.Temper:          {Run: temper},
	model.GRU:             {Run: gru, Pack: packGRU, Scratch: gruScratch, State: (*model.Node).Width},
	model.Select:          {Run: selectRows},
}

func concat(c *Call) error {
	width, at := c.Node.Width(), 0
	for i, x := range c.In {
		w := c.Node.In[i].Width()
		for r := range c.Rows {
			copy(c.Out[r*width+at:][:w], x[r*w:][:w])
		}
		at += w
	}
	return nil
}

func packDense(n *model.Node, params [][]float32) Packed {
	packed := make([]kernel.Packed, 1)
	in, out := n.In[0].Width(), n.Width()
	kernel.Pack(&packed[0], false, out, in, params[1], out)
	return Packed{Weights: packed}
}

func dense(c *Call) error {
	in, out := c.Node.In[0].Width(), c.Node.Width()
	rows := c.Rows * c.Node.RowSize() / out // of all members
	c.Workspace.GemmPacked(false, rows, c.In[0], in, &c.Packed.Weights[0], c.Out, out, c.In[2], kernel.Activation(c.Node.Activation), false)
	return nil
}

// embedding refuses ids that its tables do not have, which the schema never
// yields: the rows of another table must not pass for them.
func embedding(c *Call) error {
	ids, table, columns := c.Node.In[0], c.Node.In[1], c.Node.In[0].Width()
	for column, offset := range c.Node.Offsets {
		end := table.Shape[0]
		if column+1 < columns {
			end = c.Node.Offsets[column+1]
		}
		for r := range c.Rows {
			if id := c.In[0][r*columns+column]; !(id >= 0 && int(id) < end-offset) || id != float32(int(id)) {
				return fmt.Errorf("row %d has %v in column %d of %s, want a whole number below %d", r, id, column, ids.Name, end-offset)
			}
		}
	}
	kernel.Gather(c.Out, c.In[0], c.In[1], c.Rows, columns, table.Width(), c.Node.Offsets)
	return nil
}

func packPiecewiseLinear(n *model.Node, params [][]float32) (packed Packed) {
	features, bins, width := n.In[0].Width(), n.In[1].Width()-1, n.In[2].Width()
	packed.Pieces.Prepare(params[1], params[2], params[3], params[4], features, bins, width)
	return packed
}

func piecewiseLinear(c *Call) error {
	c.Packed.Pieces.PiecewiseLinear(c.Out, c.In[0], c.Rows, c.Workspace)
	return nil
}

func packEnsembleDense(n *model.Node, params [][]float32) Packed {
	packed := make([]kernel.Packed, 1)
	in, out := n.In[0].Width(), n.Width()
	kernel.Pack(&packed[0], false, out, in, params[2], out)
	return Packed{Weights: packed}
}

// ensembleChunk is the number of rows whose scaled copies (members, in) are
// made at a time: few enough to stay in the cache until the product reads them.
func ensembleChunk(n *model.Node) int {
	const cached = 1 << 16 // values
	return max(1, cached/(n.Shape[1]*n.In[0].Width()))
}

func ensembleScratch(n *model.Node, batch int) int {
	return min(batch, ensembleChunk(n)) * n.Shape[1] * n.In[0].Width()
}

func ensembleDense(c *Call) error {
	members, in, out := c.Node.Shape[1], c.Node.In[0].Width(), c.Node.Width()
	chunk := ensembleChunk(c.Node)
	for r := 0; r < c.Rows; r += chunk {
		rows := min(chunk, c.Rows-r)
		for i := range rows {
			// The adapters' rows times the example, seen as the row they share.
			kernel.MulRow(c.Scratch[i*members*in:], c.In[1], c.In[0][(r+i)*in:], members, in)
		}
		c.Workspace.GemmPacked(false, rows*members, c.Scratch, in, &c.Packed.Weights[0],
			c.Out[r*members*out:], out, c.In[3], kernel.Activation(c.Node.Activation), false)
	}
	return nil
}

func packEnsembleHead(n *model.Node, params [][]float32) Packed {
	members, in, out := n.In[0].Shape[1], n.In[0].Width(), n.Width()
	packed := make([]kernel.Packed, members)
	for k := range packed {
		kernel.Pack(&packed[k], false, out, in, params[1][k*in*out:], out)
	}
	return Packed{Weights: packed}
}

func ensembleHead(c *Call) error {
	members, in, out := c.Node.In[0].Shape[1], c.Node.In[0].Width(), c.Node.Width()
	for k := range c.Packed.Weights {
		c.Workspace.GemmPacked(false, c.Rows, c.In[0][k*in:], members*in, &c.Packed.Weights[k],
			c.Out[k*out:], members*out, c.In[2][k*out:], kernel.Identity, false)
	}
	return nil
}

func sigmoid(c *Call) error {
	n := c.Rows * c.Node.RowSize()
	kernel.Sigmoid(c.Out[:n], c.In[0][:n])
	return nil
}

func meanMembers(c *Call) error {
	kernel.MeanMembers(c.Out, c.In[0], c.Rows, c.Node.In[0].Shape[1], c.Node.Width())
	return nil
}

func temper(c *Call) error {
	kernel.Temper(c.Out, c.In[0], c.In[1], c.Rows, c.Node.Width())
	return nil
}
