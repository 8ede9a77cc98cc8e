package train

import (
	"moments/model/kernel"
)

// Scratch buffers of a GRU: what the way forward leaves for the way back, and
// what the steps of either need.
const (
	gruGates  = iota // (events, 3·width): z, r and n after each event
	gruStates        // (events, 3·width): the products with the state before it
	gruStart         // (journeys, width): the state before the first event
	gruBefore        // (rows, width): the states before the events of a block of steps
	gruDX            // (rows, 3·width): gradients of their gates' inputs
	gruDS            // (rows, 3·width): of their products with the state
	gruDH            // (journeys, width): of the state, carried from step to step
)

// Packed weights of a GRU.
const (
	gruInput     = iota // (in, 3·width)
	gruState            // (width, 3·width)
	gruInputBack        // transposed
	gruStateBack
)

// gru walks the packed events step by step. Every product is made when its step
// needs it, while its rows are in the cache: all events' products with the input
// weights at once would have to come back from memory.
func gru(o *operation) {
	in, width, steps := o.node.In[0].Width(), o.node.Width(), o.lane.steps
	n := 3 * width
	gates, states := o.need(gruGates, o.rows*n), o.need(gruStates, o.rows*n)
	wx, wh := o.pack(gruInput, false, n, in, o.in[2], n), o.pack(gruState, false, n, width, o.in[4], n)
	h, row := o.firstStates(), 0
	for _, journeys := range steps {
		x, s, out := gates[row*n:], states[row*n:], o.out[row*width:]
		o.lane.work.GemmPacked(false, journeys, o.in[0][row*in:], in, wx, x, n, o.in[3], kernel.Identity, false)
		o.lane.work.GemmPacked(false, journeys, h, width, wh, s, n, o.in[5], kernel.Identity, false)
		kernel.GRUStep(out, x, x, s, h, nil, journeys, width)
		h, row = out, row+journeys
	}
}

// firstStates is the learned first state, once for each journey.
func (o *operation) firstStates() []float32 {
	width, journeys := o.node.Width(), 0
	if steps := o.lane.steps; len(steps) > 0 {
		journeys = steps[0]
	}
	start := o.need(gruStart, journeys*width)
	for j := range journeys {
		copy(start[j*width:], o.in[1])
	}
	return start
}

// gruBackward walks the steps back (back-propagation through time). The
// gradients of the weights are summed over blocks of several steps, whose rows
// are still in the cache and make long products.
func gruBackward(o *operation) {
	in, width, steps := o.node.In[0].Width(), o.node.Width(), o.lane.steps
	if len(steps) == 0 {
		return
	}
	n := 3 * width
	o.pack(gruInputBack, true, in, n, o.in[2], n)
	o.pack(gruStateBack, true, width, n, o.in[4], n)
	dh := o.need(gruDH, steps[0]*width)
	clear(dh)
	for t, row := len(steps), o.rows; t > 0; {
		from, rows := t-1, steps[t-1]
		for from > 0 && rows+steps[from-1] <= gruBlock {
			from--
			rows += steps[from]
		}
		row -= rows
		o.gruBlockBackward(from, t, row, rows)
		t = from
	}
	kernel.AddColumnSums(o.din[1], dh, steps[0], width)
}

// gruBlock is the most rows of a block of several steps.
const gruBlock = 256

// gruBlockBackward walks back over the steps first to end, which are rows rows
// from start on.
func (o *operation) gruBlockBackward(first, end, start, rows int) {
	in, width, steps := o.node.In[0].Width(), o.node.Width(), o.lane.steps
	n, work := 3*width, &o.lane.work
	gates, states := o.need(gruGates, o.rows*n), o.need(gruStates, o.rows*n)
	dx, ds, before := o.need(gruDX, rows*n), o.need(gruDS, rows*n), o.need(gruBefore, rows*width)
	dh := o.need(gruDH, steps[0]*width)
	for t, row := end-1, start+rows; t >= first; t-- {
		journeys := steps[t]
		row -= journeys
		at := row - start // in the block
		h := o.need(gruStart, steps[0]*width)
		if t > 0 {
			h = o.out[(row-steps[t-1])*width:]
		}
		copy(before[at*width:], h[:journeys*width])
		kernel.Axpy(dh[:journeys*width], 1, o.dout[row*width:][:journeys*width])
		kernel.GRUStepBackward(dx[at*n:], ds[at*n:], dh, dh, gates[row*n:], states[row*n:], h, nil, journeys, width)
		work.GemmPacked(false, journeys, ds[at*n:], n, &o.packed[gruStateBack], dh, width, nil, kernel.Identity, true)
	}
	kernel.AddColumnSums(o.din[3], dx, rows, n)
	kernel.AddColumnSums(o.din[5], ds, rows, n)
	work.Gemm(true, false, in, n, rows, o.in[0][start*in:], in, dx, n, o.din[2], n, nil, kernel.Identity, true)
	work.Gemm(true, false, width, n, rows, before, width, ds, n, o.din[4], n, nil, kernel.Identity, true)
	if o.din[0] != nil {
		work.GemmPacked(false, rows, dx, n, &o.packed[gruInputBack], o.din[0][start*in:], in, nil, kernel.Identity, false)
	}
}

func selectRows(o *operation) {
	width := o.node.Width()
	for i, at := range o.in[1] {
		if out := o.out[i*width:][:width]; at < 0 {
			clear(out)
		} else {
			copy(out, o.in[0][int(at)*width:])
		}
	}
}

func selectRowsBackward(o *operation) {
	width := o.node.Width()
	clear(o.din[0])
	for i, at := range o.in[1] {
		if at < 0 {
			continue
		}
		kernel.Axpy(o.din[0][int(at)*width:][:width], 1, o.dout[i*width:][:width])
	}
}
