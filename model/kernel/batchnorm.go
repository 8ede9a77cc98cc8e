package kernel

import (
	"iter"
	"math"
)

// BatchNorm normalises every column of x (rows, cols) over the rows whose mask
// is not 0 (Ioffe and Szegedy, Batch Normalization, ICML 2015; masked, so that
// padding does not count); the other rows of dst are 0. gain and bias are cols
// long; mask is rows long, or nil for ones. moments (2, cols) receives the means
// and the variances, divided by the number of rows: for the way back, and for
// the caller's running means. dst may be x.
func BatchNorm(dst, moments, x, gain, bias, mask []float32, rows, cols int, epsilon float64, w *Workspace) {
	needBatchNorm("batch norm", dst, moments, x, gain, mask, rows, cols)
	need("batch norm", "bias", len(bias), cols)
	if cols == 0 {
		return
	}
	c := w.columnTables(cols)
	n := 0
	for from, to := range runs(mask, rows) {
		active.norm.columnSums(c.sum, x[from*cols:], to-from)
		n += to - from
	}
	count := float64(max(n, 1))
	for j, s := range c.sum {
		c.mean[j] = float32(s / count)
	}
	for from, to := range runs(mask, rows) {
		active.norm.columnSquares(c.along, x[from*cols:], c.mean, to-from)
	}
	for j, squares := range c.along {
		// The squares are about the rounded mean; this moves them to the true one.
		rest := c.sum[j]/count - float64(c.mean[j])
		moments[j], moments[cols+j] = c.mean[j], float32(max(squares/count-rest*rest, 0))
	}
	BatchNormApply(dst, moments, x, gain, bias, mask, rows, cols, epsilon, w)
}

// BatchNormApply is BatchNorm with given moments, such as running means.
func BatchNormApply(dst, moments, x, gain, bias, mask []float32, rows, cols int, epsilon float64, w *Workspace) {
	needBatchNorm("batch norm", dst, moments, x, gain, mask, rows, cols)
	need("batch norm", "bias", len(bias), cols)
	if cols == 0 {
		return
	}
	c := w.columnTables(cols)
	copy(c.mean, moments)
	copy(c.level, bias)
	for j := range c.factor {
		c.factor[j] = gain[j] * inverseRoot(moments[cols+j], epsilon)
	}
	for from, to := range runs(mask, rows) {
		active.norm.batch(dst[from*cols:], x[from*cols:], c.mean, c.factor, c.level, to-from)
	}
	clearOthers(dst, mask, rows, cols)
}

// BatchNormBackward writes the gradient of BatchNorm with respect to x to dx and
// adds those with respect to gain and bias to dgain and dbias. dx may be dy.
func BatchNormBackward(dx, dgain, dbias, dy, x, moments, gain, mask []float32, rows, cols int, epsilon float64, w *Workspace) {
	needBatchNorm("batch norm backward", dx, moments, x, gain, mask, rows, cols)
	need("batch norm backward", "dgain", len(dgain), cols)
	need("batch norm backward", "dbias", len(dbias), cols)
	need("batch norm backward", "dy", len(dy), rows*cols)
	if cols == 0 {
		return
	}
	c := w.columnTables(cols)
	copy(c.mean, moments)
	n := 0
	for from, to := range runs(mask, rows) {
		active.norm.batchSums(c.sum, c.along, dy[from*cols:], x[from*cols:], c.mean, to-from)
		n += to - from
	}
	share := 1 / float64(max(n, 1))
	for j := range c.mean {
		scale := inverseRoot(moments[cols+j], epsilon)
		along := c.along[j] * float64(scale) // dy times the normalised value
		dbias[j] += float32(c.sum[j])
		dgain[j] += float32(along)
		c.factor[j] = gain[j] * scale
		c.level[j] = float32(c.sum[j] * share)
		c.slope[j] = float32(along * share * float64(scale))
	}
	for from, to := range runs(mask, rows) {
		active.norm.batchBackward(dx[from*cols:], dy[from*cols:], x[from*cols:], c.mean, c.factor, c.level, c.slope, to-from)
	}
	clearOthers(dx, mask, rows, cols)
}

// columnTables are rows of numbers, one for each column. Beyond their lengths
// they have room for whole vectors, which assembly reads and writes.
type columnTables struct {
	sum, along                 []float64 // cleared
	mean, factor, level, slope []float32
}

func (w *Workspace) columnTables(cols int) columnTables {
	const vector = 16 // values of the widest
	room := (cols + vector - 1) &^ (vector - 1)
	wide, narrow := grow(&w.wide, 2*room), grow(&w.table, 4*room)
	clear(wide)
	part := func(i int) []float32 { return narrow[i*room : i*room+cols] }
	return columnTables{wide[:cols], wide[room : room+cols], part(0), part(1), part(2), part(3)}
}

func inverseRoot(variance float32, epsilon float64) float32 {
	return float32(1 / math.Sqrt(float64(variance)+epsilon))
}

// kept is whether row i counts.
func kept(mask []float32, i int) bool { return mask == nil || mask[i] != 0 }

// runs yields the runs of rows that count: the first of each, and the one that
// follows it.
func runs(mask []float32, rows int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for to := 0; to < rows; to++ {
			from := to
			for to < rows && kept(mask, to) {
				to++
			}
			if from < to && !yield(from, to) {
				return
			}
		}
	}
}

// clearOthers zeroes the rows that do not count.
func clearOthers(dst, mask []float32, rows, cols int) {
	for i := range rows {
		if !kept(mask, i) {
			clear(dst[i*cols : (i+1)*cols])
		}
	}
}

func needBatchNorm(kernel string, dst, moments, x, gain, mask []float32, rows, cols int) {
	need(kernel, "dst or dx", len(dst), rows*cols)
	need(kernel, "moments", len(moments), 2*cols)
	need(kernel, "x", len(x), rows*cols)
	need(kernel, "gain", len(gain), cols)
	if mask != nil {
		need(kernel, "mask", len(mask), rows)
	}
}

// goColumnSums computes sums[j] += Σ_i x[i,j].
func goColumnSums(sums []float64, x []float32, rows int) {
	cols := len(sums)
	for i := range rows {
		for j, v := range x[i*cols:][:cols] {
			sums[j] += float64(v)
		}
	}
}

// goColumnSquares computes sums[j] += Σ_i (x[i,j] - mean[j])².
func goColumnSquares(sums []float64, x, mean []float32, rows int) {
	cols := len(sums)
	mean = mean[:cols]
	for i := range rows {
		for j, v := range x[i*cols:][:cols] {
			d := float64(v - mean[j])
			sums[j] += d * d
		}
	}
}

// goBatchNorm writes (x - mean)∘factor + bias.
func goBatchNorm(dst, x, mean, factor, bias []float32, rows int) {
	cols := len(mean)
	factor, bias = factor[:cols], bias[:cols]
	for i := range rows {
		out := dst[i*cols:][:cols]
		for j, v := range x[i*cols:][:cols] {
			out[j] = (v-mean[j])*factor[j] + bias[j]
		}
	}
}

// goBatchNormSums computes sum[j] += Σ_i dy[i,j] and
// along[j] += Σ_i dy[i,j]·(x[i,j] - mean[j]).
func goBatchNormSums(sum, along []float64, dy, x, mean []float32, rows int) {
	cols := len(sum)
	along, mean = along[:cols], mean[:cols]
	for i := range rows {
		d := dy[i*cols:][:cols]
		for j, v := range x[i*cols:][:cols] {
			sum[j] += float64(d[j])
			along[j] += float64(d[j]) * float64(v-mean[j])
		}
	}
}

// goBatchNormBackward writes factor∘(dy - level - (x - mean)∘slope).
func goBatchNormBackward(dx, dy, x, mean, factor, level, slope []float32, rows int) {
	cols := len(mean)
	factor, level, slope = factor[:cols], level[:cols], slope[:cols]
	for i := range rows {
		out, d := dx[i*cols:][:cols], dy[i*cols:][:cols]
		for j, v := range x[i*cols:][:cols] {
			out[j] = factor[j] * (d[j] - level[j] - (v-mean[j])*slope[j])
		}
	}
}
