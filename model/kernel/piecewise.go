package kernel

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
	for f := range features {
		w.locate(x[f:], features, rows, edges[f*(bins+1):(f+1)*(bins+1)])
		table := weight[f*bins*width : (f+1)*bins*width]
		base := w.prefixSums(bias[f*width:(f+1)*width], table, rows)
		for b, bin := range w.bin {
			at := (b*features + f) * width
			out := dst[at : at+width]
			i := int(bin) * width
			copy(out, base[i:i+width])
			active.axpy(out, x[b*features+f], slope[f*width:(f+1)*width])
			active.axpy(out, w.frac[b], table[i:i+width])
		}
	}
}

// PiecewiseLinearBackward adds the gradients of PiecewiseLinear to dslope,
// dbias and dweight, which have the shapes of slope, bias and weight. dy is
// (rows, features·width).
func PiecewiseLinearBackward(dslope, dbias, dweight, dy, x, edges []float32, rows, features, bins, width int, w *Workspace) {
	needPiecewise("piecewise linear backward", dy, x, edges, dslope, dbias, dweight, rows, features, bins, width)
	for f := range features {
		w.locate(x[f:], features, rows, edges[f*(bins+1):(f+1)*(bins+1)])
		dtable := dweight[f*bins*width : (f+1)*bins*width]
		ds := dslope[f*width : (f+1)*width]
		below := grow(&w.table, bins*width) // Σ dy by bin: the part of the bins below it, and of the bias
		w.table = below
		clear(below)
		for b, bin := range w.bin {
			at := (b*features + f) * width
			d := dy[at : at+width]
			i := int(bin) * width
			active.axpy(ds, x[b*features+f], d)
			active.axpy(dtable[i:i+width], w.frac[b], d)
			active.axpy(below[i:i+width], 1, d)
		}
		addSuffixSums(dtable, dbias[f*width:(f+1)*width], below, width)
	}
}

// addSuffixSums adds to every bin of dtable the sum of below over all later
// bins, and to dbias the sum over all.
func addSuffixSums(dtable, dbias, below []float32, width int) {
	for i := len(below) - width; i > 0; i -= width {
		sum, previous := below[i:i+width], below[i-width:i]
		active.axpy(dtable[i-width:i], 1, sum)
		active.axpy(previous, 1, sum)
	}
	active.axpy(dbias, 1, below[:width])
}

// prefixSums returns bias plus the rows of table above each row: (bins, width).
// Rows that no bin asks for are left out where there are few.
func (w *Workspace) prefixSums(bias, table []float32, rows int) []float32 {
	base := grow(&w.table, len(table))
	w.table = base
	last := 0
	for _, bin := range w.bin {
		last = max(last, int(bin))
	}
	width := len(bias)
	copy(base, bias)
	for i := width; i <= last*width; i += width {
		for j := range width {
			base[i+j] = base[i+j-width] + table[i+j-width]
		}
	}
	return base
}

// locate finds, for rows values of x, stride apart, the bin and the position in
// it: 0 at its lower edge, 1 at its upper one.
func (w *Workspace) locate(x []float32, stride, rows int, edges []float32) {
	w.bin, w.frac = grow(&w.bin, rows), grow(&w.frac, rows)
	last := 0
	for i := range len(edges) - 1 {
		if edges[i+1] > edges[i] {
			last = i
		}
	}
	for b := range rows {
		v := x[b*stride]
		i := binOf(v, edges[:last+1])
		w.bin[b], w.frac[b] = int32(i), 0
		if span := edges[i+1] - edges[i]; span > 0 {
			w.frac[b] = (v - edges[i]) / span
		}
	}
}

// binOf is the largest i with lower[i] <= v, or 0.
func binOf(v float32, lower []float32) int {
	i := 0
	for n := len(lower); n > 1; {
		half := n / 2
		if lower[i+half] <= v {
			i += half
		}
		n -= half
	}
	return i
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
