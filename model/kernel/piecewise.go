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
		dtable := dweight[f*bins*width : (f+1)*bins*width]
		clear(p.sums)
		active.piecewise.backward(dslope[f*width:(f+1)*width], dtable, dy[f*width:], p)
		addSuffixSums(dtable, dbias[f*width:(f+1)*width], p.sums)
	}
}

// A pieces is one feature of a batch, located in its bins.
type pieces struct {
	x      []float32 // values of the feature, stride apart
	stride int
	bin    []int32   // of each row
	frac   []float32 // position in the bin: 0 at its lower edge, 1 at its upper one
	sums   []float32 // (bins, width): forward, bias plus the weights of the bins below; backward, Σ dy
}

// pieces locates rows values of feature f in its bins.
func (w *Workspace) pieces(f, rows, features, bins, width int, x, edges []float32) pieces {
	p := pieces{x: x[f:], stride: features, bin: grow(&w.bin, rows), frac: grow(&w.frac, rows), sums: grow(&w.table, bins*width)}
	w.bin, w.frac, w.table = p.bin, p.frac, p.sums
	active.piecewise.locate(p, edges[f*(bins+1):(f+1)*(bins+1)])
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
func goLocate(p pieces, edges []float32) {
	lower := edges[:lastBin(edges)+1]
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
func goForward(dst, slope, table []float32, p pieces) {
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
func goBackward(dslope, dtable, dy []float32, p pieces) {
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

// addSuffixSums adds to every bin of dtable the sum over all later bins, which
// lie above it, and to dbias the sum over all.
func addSuffixSums(dtable, dbias, sums []float32) {
	width := len(dbias)
	for i := len(sums) - width; i > 0; i -= width {
		sum := sums[i : i+width]
		active.axpy(dtable[i-width:i], 1, sum)
		active.axpy(sums[i-width:i], 1, sum)
	}
	active.axpy(dbias, 1, sums[:width])
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
