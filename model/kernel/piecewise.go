package kernel

import "slices"

// PiecewiseLinear embeds numeric features (Gorishniy et al., On Embeddings for
// Numerical Features in Tabular Deep Learning, NeurIPS 2022):
//
//	dst[b,f] = slope[f]·x[b,f] + bias[f] + Σ_i PLE_i(x[b,f])·weight[f,i]
//
// where PLE_i is (x - edges[f,i])/(edges[f,i+1] - edges[f,i]) clipped to [0, 1];
// the first bin is open below and the last one above. Edges ascend; trailing
// bins of no width are padding and never entered, and neither are those
// between. A feature without any bin of some width has PLE 0.
//
// x is (rows, features), edges (features, bins+1), slope and bias
// (features, width), weight (features, bins, width), dst (rows, features·width).
func PiecewiseLinear(dst, x, edges, slope, bias, weight []float32, rows, features, bins, width int, w *Workspace) {
	needPiecewise("piecewise linear", dst, x, edges, slope, bias, weight, rows, features, bins, width)
	if rows == 0 || width == 0 {
		return
	}
	for f := range features {
		p := w.pieces(f, rows, features, bins, width, x, edges)
		table := weight[f*bins*width : (f+1)*bins*width]
		active.piecewise.prefix(p.sums, bias[f*width:(f+1)*width], table[:int(slices.Max(p.bin))*width])
		active.piecewise.forward(dst[f*width:], slope[f*width:(f+1)*width], table, p)
	}
	w.piece = pieces{}
}

// A PieceTable is the parameters of PiecewiseLinear with the sums of the weights
// below every bin, made once for many calls: for a few rows they are most of the
// work. The zero value is ready for Prepare. Calls only read it, so goroutines
// may share it.
type PieceTable struct {
	features, bins, width      int
	edges, slope, weight, sums []float32
	last                       []int // bin of some width, of each feature
}

// Prepare sums the weights up, in the table's memory where that suffices. It
// keeps edges, slope and weight, which must not change while the table is used.
// Shapes are PiecewiseLinear's.
func (t *PieceTable) Prepare(edges, slope, bias, weight []float32, features, bins, width int) {
	needPiecewise("piecewise linear", nil, nil, edges, slope, bias, weight, 0, features, bins, width)
	*t = PieceTable{features, bins, width, edges, slope, weight, grow(&t.sums, features*bins*width), grow(&t.last, features)}
	for f := range features {
		t.last[f] = lastBin(edges[f*(bins+1) : (f+1)*(bins+1)])
		if width == 0 {
			continue
		}
		from, to := f*bins*width, (f+1)*bins*width
		active.piecewise.prefix(t.sums[from:to], bias[f*width:(f+1)*width], weight[from:to-width])
	}
}

// PiecewiseLinear is the function of that name on the table's parameters, bit
// for bit.
func (t *PieceTable) PiecewiseLinear(dst, x []float32, rows int, w *Workspace) {
	need("piecewise linear", "y", len(dst), rows*t.features*t.width)
	need("piecewise linear", "x", len(x), rows*t.features)
	if rows == 0 || t.width == 0 {
		return
	}
	for f := range t.features {
		p := w.locate(f, rows, t.features, t.bins, t.last[f], x, t.edges)
		from, to := f*t.bins*t.width, (f+1)*t.bins*t.width
		p.sums = t.sums[from:to]
		active.piecewise.forward(dst[f*t.width:], t.slope[f*t.width:(f+1)*t.width], t.weight[from:to], p)
	}
	w.piece = pieces{}
}

// PiecewiseLinearBackward adds the gradients of PiecewiseLinear to dslope,
// dbias and dweight, which have the shapes of slope, bias and weight. dy is
// (rows, features·width).
func PiecewiseLinearBackward(dslope, dbias, dweight, dy, x, edges []float32, rows, features, bins, width int, w *Workspace) {
	needPiecewise("piecewise linear backward", dy, x, edges, dslope, dbias, dweight, rows, features, bins, width)
	if rows == 0 || width == 0 {
		return
	}
	for f := range features {
		p := w.pieces(f, rows, features, bins, width, x, edges)
		p.sums = p.sums[:(int(slices.Max(p.bin))+1)*width]
		clear(p.sums)
		dtable := dweight[f*bins*width : (f+1)*bins*width]
		active.piecewise.backward(dslope[f*width:(f+1)*width], dtable, dy[f*width:], p)
		active.piecewise.fold(dbias[f*width:(f+1)*width], dtable, p.sums)
	}
	w.piece = pieces{}
}

// A pieces is one feature of a batch, located in its bins.
type pieces struct {
	x      []float32 // values of the feature, stride apart
	stride int
	bin    []int32   // of each row
	frac   []float32 // position in the bin: 0 at its lower edge, 1 at its upper one
	sums   []float32 // (bins, width): forward, bias plus the weights of the bins below; backward, Σ dy
}

// pieces locates rows values of feature f in its bins, with room for sums.
func (w *Workspace) pieces(f, rows, features, bins, width int, x, edges []float32) *pieces {
	p := w.locate(f, rows, features, bins, lastBin(edges[f*(bins+1):(f+1)*(bins+1)]), x, edges)
	p.sums = grow(&w.table, bins*width)
	return p
}

// locate locates rows values of feature f in its bins, up to the last of some
// width.
func (w *Workspace) locate(f, rows, features, bins, last int, x, edges []float32) *pieces {
	p := &w.piece
	p.x, p.stride, p.bin, p.frac = x[f:], features, grow(&w.bin, rows), grow(&w.frac, rows)
	active.piecewise.locate(p, edges[f*(bins+1):(f+1)*(bins+1)], last)
	return p
}

// lastBin is the last bin of some width, or 0.
func lastBin(edges []float32) int {
	last := len(edges) - 2
	for last > 0 && !(edges[last+1] > edges[last]) {
		last--
	}
	return last
}

// goLocate finds bin and position of every row. The bin is the number of lower
// edges, but for the first, that are not above the value; NaN has position NaN.
func goLocate(p *pieces, edges []float32, last int) {
	lower := edges[:last+1]
	for b := range p.bin {
		v := p.x[b*p.stride]
		i := 0
		for n := len(lower); n > 1; {
			half := n / 2
			if lower[i+half] <= v {
				i += half
			}
			n -= half
		}
		p.bin[b], p.frac[b] = int32(i), 0
		if span := edges[i+1] - edges[i]; span > 0 {
			p.frac[b] = (v - edges[i]) / span
		}
	}
}

// goPrefix writes bias and its sums with the rows of table, one after the
// other, to sums: one row more than table has.
func goPrefix(sums, bias, table []float32) {
	width := len(bias)
	copy(sums, bias)
	for i, v := range table {
		sums[i+width] = sums[i] + v
	}
}

// goForward writes slope·x + sums[bin] + frac·table[bin] to rows of dst,
// stride·width apart.
func goForward(dst, slope, table []float32, p *pieces) {
	width := len(slope)
	for b, bin := range p.bin {
		out := dst[b*p.stride*width:][:width]
		at := int(bin) * width
		sums, weight := p.sums[at:at+width], table[at:at+width]
		x, frac := p.x[b*p.stride], p.frac[b]
		for j := range out {
			out[j] = sums[j] + x*slope[j] + frac*weight[j]
		}
	}
}

// goBackward adds x·dy to dslope, frac·dy to dtable[bin] and dy to sums[bin].
func goBackward(dslope, dtable, dy []float32, p *pieces) {
	width := len(dslope)
	for b, bin := range p.bin {
		d := dy[b*p.stride*width:][:width]
		at := int(bin) * width
		sums, weight := p.sums[at:at+width], dtable[at:at+width]
		x, frac := p.x[b*p.stride], p.frac[b]
		for j, v := range d {
			dslope[j] += x * v
			weight[j] += frac * v
			sums[j] += v
		}
	}
}

// goFold adds to every bin of dtable the sum over all later bins, which lie
// above it, and to dbias the sum over all. It leaves suffix sums in sums.
func goFold(dbias, dtable, sums []float32) {
	width := len(dbias)
	for i := len(sums) - 1; i >= width; i-- {
		dtable[i-width] += sums[i]
		sums[i-width] += sums[i]
	}
	for j, v := range sums[:width] {
		dbias[j] += v
	}
}

func needPiecewise(kernel string, y, x, edges, slope, bias, weight []float32, rows, features, bins, width int) {
	need(kernel, "bins", bins, 1)
	need(kernel, "y", len(y), rows*features*width)
	need(kernel, "x", len(x), rows*features)
	need(kernel, "edges", len(edges), features*(bins+1))
	need(kernel, "slope", len(slope), features*width)
	need(kernel, "bias", len(bias), features*width)
	need(kernel, "weight", len(weight), features*bins*width)
}
