package kernel

import "math"

// LayerNorm normalises every row of x (rows, cols) to mean 0 and variance 1 (Ba
// et al., Layer Normalization, 2016): dst = (x - mean)/√(variance + epsilon)∘gain
// + bias. gain and bias are cols long. saved (rows, 2) receives mean and
// 1/√(variance + epsilon) of each row for the way back. dst may be x.
func LayerNorm(dst, saved, x, gain, bias []float32, rows, cols int, epsilon float64) {
	need("layer norm", "dst", len(dst), rows*cols)
	need("layer norm", "saved", len(saved), 2*rows)
	need("layer norm", "x", len(x), rows*cols)
	need("layer norm", "gain", len(gain), cols)
	need("layer norm", "bias", len(bias), cols)
	for i := range rows {
		row := x[i*cols : (i+1)*cols]
		mean, variance := moments(row)
		scale := 1 / math.Sqrt(variance+epsilon)
		saved[2*i], saved[2*i+1] = float32(mean), float32(scale)
		for j, v := range row {
			dst[i*cols+j] = float32((float64(v)-mean)*scale)*gain[j] + bias[j]
		}
	}
}

// moments are the mean and the variance of x.
func moments(x []float32) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		variance += d * d
	}
	return mean, variance / float64(len(x))
}

// LayerNormBackward writes the gradient of LayerNorm with respect to x to dx and
// adds those with respect to gain and bias to dgain and dbias. dx may be dy.
func LayerNormBackward(dx, dgain, dbias, dy, x, saved, gain []float32, rows, cols int) {
	need("layer norm backward", "dx", len(dx), rows*cols)
	need("layer norm backward", "dgain", len(dgain), cols)
	need("layer norm backward", "dbias", len(dbias), cols)
	need("layer norm backward", "dy", len(dy), rows*cols)
	need("layer norm backward", "x", len(x), rows*cols)
	need("layer norm backward", "saved", len(saved), 2*rows)
	need("layer norm backward", "gain", len(gain), cols)
	for i := range rows {
		row, d := x[i*cols:(i+1)*cols], dy[i*cols:(i+1)*cols]
		mean, scale := saved[2*i], saved[2*i+1]
		var sum, along float64 // of d∘gain, and of it times the normalised value
		for j, v := range row {
			normal, g := (v-mean)*scale, d[j]*gain[j]
			sum += float64(g)
			along += float64(g * normal)
			dgain[j] += d[j] * normal
			dbias[j] += d[j]
		}
		level, slope := float32(sum/float64(cols)), float32(along/float64(cols))
		for j, v := range row {
			dx[i*cols+j] = scale * (d[j]*gain[j] - level - (v-mean)*scale*slope)
		}
	}
}

// BatchNorm normalises every column of x (rows, cols) over the rows whose mask
// is not 0 (Ioffe and Szegedy, Batch Normalization, ICML 2015; masked, so that
// padding does not count); the other rows of dst are 0. gain and bias are cols
// long; mask is rows long, or nil for ones. moments (2, cols) receives the means
// and the variances, divided by the number of rows: for the way back, and for
// the caller's running means. dst may be x.
func BatchNorm(dst, moments, x, gain, bias, mask []float32, rows, cols int, epsilon float64, w *Workspace) {
	needBatchNorm("batch norm", dst, moments, x, gain, mask, rows, cols)
	w.wide = grow(&w.wide, 2*cols)
	clear(w.wide)
	mean, variance := w.wide[:cols], w.wide[cols:]
	n := 0
	for i := range rows {
		if kept(mask, i) {
			n++
			for j, v := range x[i*cols : (i+1)*cols] {
				mean[j] += float64(v)
			}
		}
	}
	count := float64(max(n, 1))
	for j := range mean {
		mean[j] /= count
	}
	for i := range rows {
		if kept(mask, i) {
			for j, v := range x[i*cols : (i+1)*cols] {
				d := float64(v) - mean[j]
				variance[j] += d * d
			}
		}
	}
	for j := range mean {
		moments[j], moments[cols+j] = float32(mean[j]), float32(variance[j]/count)
	}
	BatchNormApply(dst, moments, x, gain, bias, mask, rows, cols, epsilon, w)
}

// BatchNormApply is BatchNorm with given moments, such as running means.
func BatchNormApply(dst, moments, x, gain, bias, mask []float32, rows, cols int, epsilon float64, w *Workspace) {
	needBatchNorm("batch norm", dst, moments, x, gain, mask, rows, cols)
	need("batch norm", "bias", len(bias), cols)
	scale := w.scales(moments[cols:2*cols], epsilon)
	for i := range rows {
		row := dst[i*cols : (i+1)*cols]
		if !kept(mask, i) {
			clear(row)
			continue
		}
		for j, v := range x[i*cols : (i+1)*cols] {
			row[j] = (v-moments[j])*scale[j]*gain[j] + bias[j]
		}
	}
}

// BatchNormBackward writes the gradient of BatchNorm with respect to x to dx and
// adds those with respect to gain and bias to dgain and dbias. dx may be dy.
func BatchNormBackward(dx, dgain, dbias, dy, x, moments, gain, mask []float32, rows, cols int, epsilon float64, w *Workspace) {
	needBatchNorm("batch norm backward", dx, moments, x, gain, mask, rows, cols)
	need("batch norm backward", "dgain", len(dgain), cols)
	need("batch norm backward", "dbias", len(dbias), cols)
	need("batch norm backward", "dy", len(dy), rows*cols)
	scale := w.scales(moments[cols:2*cols], epsilon)
	w.wide = grow(&w.wide, 2*cols)
	clear(w.wide)
	sum, along := w.wide[:cols], w.wide[cols:] // of dy, and of it times the normalised value
	n := 0
	for i := range rows {
		if kept(mask, i) {
			n++
			for j, v := range x[i*cols : (i+1)*cols] {
				d := float64(dy[i*cols+j])
				sum[j] += d
				along[j] += d * float64((v-moments[j])*scale[j])
			}
		}
	}
	for j := range sum {
		dbias[j] += float32(sum[j])
		dgain[j] += float32(along[j])
	}
	share := 1 / float32(max(n, 1))
	for i := range rows {
		row := dx[i*cols : (i+1)*cols]
		if !kept(mask, i) {
			clear(row)
			continue
		}
		for j, v := range x[i*cols : (i+1)*cols] {
			normal := (v - moments[j]) * scale[j]
			row[j] = gain[j] * scale[j] * (dy[i*cols+j] - share*(float32(sum[j])+normal*float32(along[j])))
		}
	}
}

// scales are 1/√(variance + epsilon).
func (w *Workspace) scales(variance []float32, epsilon float64) []float32 {
	w.table = grow(&w.table, len(variance))
	for j, v := range variance {
		w.table[j] = float32(1 / math.Sqrt(float64(v)+epsilon))
	}
	return w.table
}

// kept is whether row i counts.
func kept(mask []float32, i int) bool { return mask == nil || mask[i] != 0 }

func needBatchNorm(kernel string, dst, moments, x, gain, mask []float32, rows, cols int) {
	need(kernel, "dst or dx", len(dst), rows*cols)
	need(kernel, "moments", len(moments), 2*cols)
	need(kernel, "x", len(x), rows*cols)
	need(kernel, "gain", len(gain), cols)
	if mask != nil {
		need(kernel, "mask", len(mask), rows)
	}
}
