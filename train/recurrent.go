package train

import (
	"moments/model/kernel"
)

// Scratch buffers of a GRU: what the way forward leaves for the way back, and
// what the steps of either need.
const (
	gruGates  = iota // (events, 3·width): z, r and n after each event
	gruSide          // (events, width): the part of n's input that the reset gate scales
	gruStart         // (journeys, width): the state before the first event
	gruBefore        // (rows, width): the states before the events of a block of steps
	gruD             // (rows, gruStride): gradients of their gates' inputs; see kernel.GRUStepBackward
	gruSums          // (gruStride): the columns of those added up
	gruDH            // (journeys, width): of the state, carried from step to step
)

// Packed weights of a GRU.
const (
	gruInput     = iota // (in, 3·width)
	gruState            // (width, 2·width), of the gates z and r
	gruStateNew         // (width, width), of n
	gruStateBack        // (3·width, width), transposed
	gruInputBack        // (2·width, in), of z and r, transposed
	gruNewBack          // (width, in), of n, transposed
)

// gru walks the packed events step by step. Every product is made when its step
// needs it, while its rows are in the cache: all events' products with the input
// weights at once would have to come back from memory. The gates z and r add
// the products with input and state up; n needs them apart.
func gru(o *operation) {
	in, width, steps := o.node.In[0].Width(), o.node.Width(), o.lane.steps
	n, work := 3*width, &o.lane.work
	gates, side := o.need(gruGates, o.rows*n), o.need(gruSide, o.rows*width)
	wx := o.pack(gruInput, false, n, in, o.in[2], n)
	wh := o.pack(gruState, false, 2*width, width, o.in[4], n)
	whNew := o.pack(gruStateNew, false, width, width, o.in[4][2*width:], n)
	h, row := o.firstStates(), 0
	for _, journeys := range steps {
		x, s, out := gates[row*n:], side[row*width:], o.out[row*width:]
		work.GemmPacked(false, journeys, o.in[0][row*in:], in, wx, x, n, o.in[3], kernel.Identity, false)
		work.GemmPacked(false, journeys, h, width, wh, x, n, o.in[5], kernel.Identity, true)
		work.GemmPacked(false, journeys, h, width, whNew, s, width, o.in[5][2*width:], kernel.Identity, false)
		kernel.GRUStep(out, x, x, s, h, journeys, width)
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
	o.pack(gruStateBack, true, width, n, o.in[4], n)
	if o.din[0] != nil {
		o.pack(gruInputBack, true, in, 2*width, o.in[2], n)
		o.pack(gruNewBack, true, in, width, o.in[2][2*width:], n)
	}
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

// gruStride is the distance between the rows of gruD: four parts, and where that
// is a power of two a cache line more, so that one column's rows do not compete
// for a few places in the cache.
func gruStride(width int) int {
	stride := 4 * width
	if stride&(stride-1) == 0 {
		stride += line
	}
	return stride
}

// gruBlockBackward walks back over the steps first to end, which are rows rows
// from start on.
func (o *operation) gruBlockBackward(first, end, start, rows int) {
	width, steps := o.node.Width(), o.lane.steps
	n, ldd := 3*width, gruStride(width)
	gates, side := o.need(gruGates, o.rows*n), o.need(gruSide, o.rows*width)
	d, before := o.need(gruD, rows*ldd), o.need(gruBefore, rows*width)
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
		kernel.GRUStepBackward(d[at*ldd:], ldd, dh, o.dout[row*width:], gates[row*n:], side[row*width:], h, journeys, width)
		o.lane.work.GemmPacked(false, journeys, d[at*ldd+width:], ldd, &o.packed[gruStateBack], dh, width, nil, kernel.Identity, true)
	}
	o.gruParameters(start, rows, d, before)
}

// gruParameters adds the gradients of the parameters up over a block of rows,
// and computes those of the input.
func (o *operation) gruParameters(start, rows int, d, before []float32) {
	in, width := o.node.In[0].Width(), o.node.Width()
	n, ldd, work := 3*width, gruStride(width), &o.lane.work
	sums := o.need(gruSums, ldd)
	clear(sums)
	kernel.AddColumnSums(sums, d, rows, ldd)
	kernel.Axpy(o.din[3][:2*width], 1, sums[width:])
	kernel.Axpy(o.din[3][2*width:n], 1, sums)
	kernel.Axpy(o.din[5][:n], 1, sums[width:])
	x, dn, dzr := o.in[0][start*in:], d, d[width:]
	work.Gemm(true, false, in, 2*width, rows, x, in, dzr, ldd, o.din[2], n, nil, kernel.Identity, true)
	work.Gemm(true, false, in, width, rows, x, in, dn, ldd, o.din[2][2*width:], n, nil, kernel.Identity, true)
	work.Gemm(true, false, width, n, rows, before, width, dzr, ldd, o.din[4], n, nil, kernel.Identity, true)
	if dx := o.din[0]; dx != nil {
		work.GemmPacked(false, rows, dzr, ldd, &o.packed[gruInputBack], dx[start*in:], in, nil, kernel.Identity, false)
		work.GemmPacked(false, rows, dn, ldd, &o.packed[gruNewBack], dx[start*in:], in, nil, kernel.Identity, true)
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
