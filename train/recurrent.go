package train

import (
	"moments/model"
	"moments/model/kernel"
)

// Scratch buffers of a GRU: what the way forward leaves for the way back, and
// what the steps of either need.
const (
	gruGates  = iota // (events, gruStride): what a step reads and leaves, later its gradients; see kernel.GRUStep
	gruStart         // (journeys, width): the state before the first event
	gruBefore        // (rows, width): the states before the events of a block of steps
	gruSums          // (gruStride): the columns of those added up
	gruBias          // (3·width): of the input, and of the state too where both are added up
	gruDH            // (journeys, width): of the state, carried from step to step
)

// Packed operands of a GRU: weights, and gradients of a block of steps.
const (
	gruInput        = iota // (in, 3·width)
	gruState               // (width, 2·width), of the gates z and r
	gruStateNew            // (width, width), of n
	gruStateBack           // (2·width, width), of z and r, transposed
	gruStateNewBack        // (width, width), of n, transposed
	gruInputBack           // (3·width, in), transposed
	gruDGates              // (rows, 2·width), of z's and r's inputs
	gruDNew                // (rows, width), of x_n
	gruDSide               // (rows, width), of s
)

// gru walks the packed events step by step. The products with the inputs are
// made for blocks of several steps, whose rows stay in the cache until their step
// comes. The gates z and r add the products with input and state up; n needs
// them apart.
func gru(o *operation) {
	in, width, steps := o.node.In[0].Width(), o.node.Width(), o.lane.steps
	n, stride, work := 3*width, gruStride(width), &o.lane.work
	gates := o.need(gruGates, o.rows*stride)
	wx := o.pack(gruInput, false, n, in, o.in[2], n)
	wh := o.pack(gruState, false, 2*width, width, o.in[4], n)
	whNew := o.pack(gruStateNew, false, width, width, o.in[4][2*width:], n)
	// On the matrix unit adding a bias to a sum is a pass of its own.
	bias, stateBias := o.in[3], o.in[5]
	if work.Matrix {
		bias, stateBias = o.need(gruBias, n), nil
		copy(bias, o.in[3])
		kernel.Axpy(bias[:2*width], 1, o.in[5])
	}
	h, row, ready := o.firstStates(), 0, 0 // ready: rows whose products with the input are made
	for t, journeys := range steps {
		if row == ready {
			ready += model.BlockRows(steps[t:], gruBlock)
			work.GemmPacked(false, ready-row, o.in[0][row*in:], in, wx, gates[row*stride:], stride, bias, kernel.Identity, false)
		}
		now, out := gates[row*stride:], o.out[row*width:]
		work.GemmParts(false, journeys, h, width,
			kernel.Part{B: wh, C: now, Ldc: stride, Bias: stateBias, Accumulate: true},
			kernel.Part{B: whNew, C: now[n:], Ldc: stride, Bias: o.in[5][2*width:]})
		kernel.GRUStep(out, now, stride, h, journeys, width)
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
	o.pack(gruStateBack, true, width, 2*width, o.in[4], n)
	o.pack(gruStateNewBack, true, width, width, o.in[4][2*width:], n)
	if o.din[0] != nil {
		o.pack(gruInputBack, true, in, n, o.in[2], n)
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

// gruStride is the distance between rows of gates: four parts, and where that is
// a power of two a cache line more, so that one column's rows do not compete for
// a few places in the cache.
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
	stride, work := gruStride(width), &o.lane.work
	gates, dh := o.need(gruGates, o.rows*stride), o.need(gruDH, steps[0]*width)
	var before []float32 // the states before the block's events; where no journey ended they stand side by side
	copies := first == 0 || steps[first-1] != steps[end-1]
	if copies {
		before = o.need(gruBefore, rows*width)
	} else {
		before = o.out[(start-steps[first])*width:]
	}
	for t, row := end-1, start+rows; t >= first; t-- {
		journeys := steps[t]
		row -= journeys
		h := o.need(gruStart, steps[0]*width)
		if t > 0 {
			h = o.out[(row-steps[t-1])*width:]
		}
		if copies {
			copy(before[(row-start)*width:], h[:journeys*width])
		}
		d := gates[row*stride:]
		kernel.GRUStepBackward(d, stride, dh, o.dout[row*width:], h, journeys, width)
		work.GemmPacked(false, journeys, d, stride, &o.packed[gruStateBack], dh, width, nil, kernel.Identity, true)
		work.GemmPacked(false, journeys, d[3*width:], stride, &o.packed[gruStateNewBack], dh, width, nil, kernel.Identity, true)
	}
	o.gruParameters(start, rows, gates[start*stride:], before)
}

// gruParameters adds the gradients of the parameters up over a block of rows,
// and computes those of the input.
func (o *operation) gruParameters(start, rows int, d, before []float32) {
	in, width := o.node.In[0].Width(), o.node.Width()
	n, stride, work := 3*width, gruStride(width), &o.lane.work
	sums := o.need(gruSums, stride)
	clear(sums)
	kernel.AddColumnSums(sums, d, rows, stride)
	kernel.Axpy(o.din[3][:n], 1, sums)
	kernel.Axpy(o.din[5][:2*width], 1, sums)
	kernel.Axpy(o.din[5][2*width:n], 1, sums[n:])
	dzr, dn, ds := &o.packed[gruDGates], &o.packed[gruDNew], &o.packed[gruDSide]
	kernel.Defer(dzr, false, 2*width, rows, d, stride)
	kernel.Defer(dn, false, width, rows, d[2*width:], stride)
	kernel.Defer(ds, false, width, rows, d[n:], stride)
	work.GemmParts(true, in, o.in[0][start*in:], in,
		kernel.Part{B: dzr, C: o.din[2], Ldc: n, Accumulate: true},
		kernel.Part{B: dn, C: o.din[2][2*width:], Ldc: n, Accumulate: true})
	work.GemmParts(true, width, before, width,
		kernel.Part{B: dzr, C: o.din[4], Ldc: n, Accumulate: true},
		kernel.Part{B: ds, C: o.din[4][2*width:], Ldc: n, Accumulate: true})
	if dx := o.din[0]; dx != nil {
		work.GemmPacked(false, rows, d, stride, &o.packed[gruInputBack], dx[start*in:], in, nil, kernel.Identity, false)
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
