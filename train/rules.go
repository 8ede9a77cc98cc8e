package train

import (
	"slices"

	"moments/model"
	"moments/model/kernel"
)

// Rules is train's column of the op table.
var rules = map[model.Op]rule{
	model.Concat:          {forward: concat, backward: concatBackward},
	model.Dense:           {forward: dense, backward: denseBackward, fills: 1},
	model.Embedding:       {forward: embedding, backward: embeddingBackward},
	model.PiecewiseLinear: {forward: piecewise, backward: piecewiseBackward},
	model.EnsembleDense:   {forward: ensembleDense, backward: ensembleDenseBackward, fills: 2},
	model.EnsembleHead:    {forward: ensembleHead, backward: ensembleHeadBackward},
	model.Sigmoid:         {forward: sigmoid, backward: sigmoidBackward},
	model.MeanMembers:     {forward: meanMembers, backward: meanMembersBackward},
	model.Temper:          {forward: temper, backward: temperBackward},
	model.GRU:             {forward: gru, backward: gruBackward},
	model.Select:          {forward: selectRows, backward: selectRowsBackward},
}

// HasRule tells whether train knows the op: a test asks it of every op.
func HasRule(op model.Op) bool { return rules[op].forward != nil && rules[op].backward != nil }

func activation(n *model.Node) kernel.Activation { return kernel.Activation(n.Activation) }

// drop applies dropout to the result of an activated layer. Backward applies
// the same mask to its gradient.
func (o *operation) drop(dst, x []float32) {
	if o.node.Activation != model.Identity && o.lane.dropout > 0 {
		kernel.Dropout(dst, x, o.lane.dropout, mix(o.lane.key, o.mask))
	}
}

// pack lays op(w) (k, n) out for products, in the i-th place, unless it stands
// there since the last micro-batch: weights change between batches only.
// Products lay it out as they need it, at the first of them.
func (o *operation) pack(i int, transposed bool, n, k int, w []float32, stride int) *kernel.Packed {
	if p := &o.packed[i]; !o.lane.held {
		kernel.Defer(p, transposed, n, k, w, stride)
	}
	return &o.packed[i]
}

// preactivation turns dout (rows, width) into the gradient before dropout and
// activation, where it stands, since nobody else reads it, and adds that up into
// the gradient of the bias.
func (o *operation) preactivation(dbias []float32, rows, width int) []float32 {
	dz, scale := o.dout, float32(1)
	if o.node.Activation == model.Identity {
		kernel.AddColumnSums(dbias, dz, rows, width)
		return dz
	}
	switch rate := o.lane.dropout; {
	case rate == 0:
	case o.node.Activation == model.ReLU: // what fell is zero, as is what has no slope
		scale = 1 / (1 - rate)
	default:
		// Where dropout made the output zero the gradient is zero already; elsewhere
		// it kept the sign, which is all that the activation's slope depends on.
		o.drop(dz, dz)
	}
	kernel.ActivationBackwardSums(dz, dbias, dz, o.out, rows, width, activation(o.node), scale)
	return dz
}

func concat(o *operation) {
	at := 0
	for i, in := range o.node.In {
		copyColumns(o.out[at:], o.node.Width(), o.in[i], in.Width(), in.Width(), o.rows)
		at += in.Width()
	}
}

func concatBackward(o *operation) {
	at := 0
	for i, in := range o.node.In {
		if o.din[i] != nil {
			copyColumns(o.din[i], in.Width(), o.dout[at:], o.node.Width(), in.Width(), o.rows)
		}
		at += in.Width()
	}
}

// copyColumns copies width columns of rows whose strides differ.
func copyColumns(dst []float32, dstStride int, src []float32, srcStride, width, rows int) {
	for r := range rows {
		copy(dst[r*dstStride:][:width], src[r*srcStride:][:width])
	}
}

func dense(o *operation) { o.linear(o.in[1], o.in[2]) }

func denseBackward(o *operation) { o.linearBackward(1) }

// linear is a linear layer of the first operand.
func (o *operation) linear(w, bias []float32) {
	in, out := o.node.In[0].Width(), o.node.Width()
	rows := len(o.out) / out
	o.lane.work.GemmPacked(false, rows, o.in[0], in, o.pack(0, false, out, in, w, out), o.out, out, bias, activation(o.node), false)
	o.drop(o.out, o.out)
}

// linearBackward is the way back of linear, whose weight is operand w and bias
// the one after it.
func (o *operation) linearBackward(w int) {
	in, out := o.node.In[0].Width(), o.node.Width()
	rows := len(o.out) / out
	dz := o.preactivation(o.din[w+1], rows, out)
	o.lane.work.Gemm(true, false, in, out, rows, o.in[0], in, dz, out, o.din[w], out, nil, kernel.Identity, o.adds(w))
	if dx := o.din[0]; dx != nil {
		o.lane.work.GemmPacked(false, rows, dz, out, o.pack(1, true, in, out, o.in[w], out), dx, in, nil, kernel.Identity, false)
	}
}

func embedding(o *operation) {
	table := o.node.In[1]
	kernel.Gather(o.out, o.in[0], o.in[1], o.rows, o.node.In[0].Width(), table.Width(), o.node.Offsets)
}

func embeddingBackward(o *operation) {
	table := o.node.In[1]
	kernel.ScatterAdd(o.din[1], o.in[0], o.dout, o.rows, o.node.In[0].Width(), table.Width(), o.node.Offsets)
}

func piecewise(o *operation) {
	features, bins, width := o.piecewiseShape()
	kernel.PiecewiseLinear(o.out, o.in[0], o.in[1], o.in[2], o.in[3], o.in[4], o.rows, features, bins, width, &o.lane.work)
}

func piecewiseBackward(o *operation) {
	features, bins, width := o.piecewiseShape()
	kernel.PiecewiseLinearBackward(o.din[2], o.din[3], o.din[4], o.dout, o.in[0], o.in[1], o.rows, features, bins, width, &o.lane.work)
}

func (o *operation) piecewiseShape() (features, bins, width int) {
	weight := o.node.In[4].Shape
	return weight[0], weight[1], weight[2]
}

// ensembleDense scales each row by the adapters of all members and multiplies
// what that makes with the one shared weight. It takes a few rows at a time, so
// that their copies stay in the core's cache.
func ensembleDense(o *operation) {
	if o.single() {
		o.linear(o.in[2], o.in[3])
		return
	}
	members, in, out := o.ensembleShape()
	chunk := ensembleChunk(members)
	scaled := o.need(0, chunk*members*in)
	w := o.pack(0, false, out, in, o.in[2], out)
	for first := 0; first < o.rows; first += chunk {
		rows := min(chunk, o.rows-first)
		o.scaleRows(scaled, first, rows)
		o.lane.work.GemmPacked(false, rows*members, scaled, in, w, o.out[first*members*out:], out, o.in[3], activation(o.node), false)
	}
	o.drop(o.out, o.out)
}

// scaleRows copies rows from first on for every member, scaled by its adapter:
// the adapters' rows times the row, seen as the one that they share.
func (o *operation) scaleRows(scaled []float32, first, rows int) {
	members, in, _ := o.ensembleShape()
	for i := range rows {
		kernel.MulRow(scaled[i*members*in:], o.in[1], o.in[0][(first+i)*in:], members, in)
	}
}

// ensembleChunk is the number of rows that are scaled at a time.
func ensembleChunk(members int) int {
	const copies = 128 // of all rows: products that long are no slower than longer ones
	return max(1, copies/members)
}

func ensembleDenseBackward(o *operation) {
	if o.single() {
		o.linearBackward(2)
		return
	}
	members, in, out := o.ensembleShape()
	dz := o.preactivation(o.din[3], o.rows*members, out)
	chunk := ensembleChunk(members)
	scaled, dscaled := o.need(0, chunk*members*in), o.need(1, chunk*members*in)
	wt := o.pack(1, true, in, out, o.in[2], out)
	dx, dr := o.din[0], o.din[1]
	if dx == nil {
		dx = o.need(2, o.rows*in)
	}
	if dr == nil {
		dr = o.need(3, members*in)
	}
	clear(dx)
	for first := 0; first < o.rows; first += chunk {
		rows := min(chunk, o.rows-first)
		copies, dz := rows*members, dz[first*members*out:]
		o.scaleRows(scaled, first, rows)
		o.lane.work.Gemm(true, false, in, out, copies, scaled, in, dz, out, o.din[2], out, nil, kernel.Identity, first > 0 || o.adds(2))
		o.lane.work.GemmPacked(false, copies, dz, out, wt, dscaled, in, nil, kernel.Identity, false)
		for i := range rows {
			at := (first + i) * in
			kernel.MulRowBackward(dr, dx[at:at+in], dscaled[i*members*in:], o.in[1], o.in[0][at:], members, in)
		}
	}
}

// single says whether the ensemble is one plain linear layer: the head of a
// network of one member, whose adapter is ones and stays so.
func (o *operation) single() bool {
	return o.node.Shape[1] == 1 && o.node.In[1].Frozen && !slices.ContainsFunc(o.in[1], func(r float32) bool { return r != 1 })
}

func (o *operation) ensembleShape() (members, in, out int) {
	return o.node.Shape[1], o.node.In[0].Width(), o.node.Width()
}

func ensembleHead(o *operation) {
	rows := o.rows
	members, in, out := o.ensembleShape()
	for k := range members {
		o.lane.work.Gemm(false, false, rows, out, in, o.in[0][k*in:], members*in, o.in[1][k*in*out:], out,
			o.out[k*out:], members*out, o.in[2][k*out:][:out], kernel.Identity, false)
	}
}

func ensembleHeadBackward(o *operation) {
	rows := o.rows
	members, in, out := o.ensembleShape()
	kernel.AddColumnSums(o.din[2], o.dout, rows, members*out)
	for k := range members {
		dz := o.dout[k*out:]
		o.lane.work.Gemm(true, false, in, out, rows, o.in[0][k*in:], members*in, dz, members*out, o.din[1][k*in*out:], out, nil, kernel.Identity, true)
		if o.din[0] != nil {
			o.lane.work.Gemm(false, true, rows, in, out, dz, members*out, o.in[1][k*in*out:], out, o.din[0][k*in:], members*in, nil, kernel.Identity, false)
		}
	}
}

func sigmoid(o *operation) { kernel.Sigmoid(o.out, o.in[0]) }

func sigmoidBackward(o *operation) {
	for i, p := range o.out {
		o.din[0][i] = o.dout[i] * p * (1 - p)
	}
}

func meanMembers(o *operation) {
	members, targets := o.node.In[0].Shape[1], o.node.Width()
	kernel.MeanMembers(o.out, o.in[0], o.rows, members, targets)
}

func meanMembersBackward(o *operation) {
	members, targets := o.node.In[0].Shape[1], o.node.Width()
	for r := range o.rows {
		for k := range members {
			for t := range targets {
				o.din[0][(r*members+k)*targets+t] = o.dout[r*targets+t] / float32(members)
			}
		}
	}
}

func temper(o *operation) {
	kernel.Temper(o.out, o.in[0], o.in[1], o.rows, o.node.Width())
}

// temperBackward: with z = logit(p)/T, dσ(z)/dp = σ(z)(1-σ(z)) / (T p (1-p)).
// The temperature itself is fitted after training, on the validation split.
func temperBackward(o *operation) {
	targets := o.node.Width()
	for i, q := range o.out {
		p := min(max(o.in[0][i], kernel.Tiny), 1-kernel.Tiny)
		o.din[0][i] = o.dout[i] * q * (1 - q) / (o.in[1][i%targets] * p * (1 - p))
	}
}

// mix hashes two words into one (the finaliser of splitmix64).
func mix(a, b uint64) uint64 {
	z := a + 0x9e3779b97f4a7c15*(b+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
