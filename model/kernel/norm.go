package kernel

import (
	"iter"
	"math"
)

// LayerNorm normalises every row of x (rows, cols) to mean 0 and variance 1 (Ba
// et al., Layer Normalization, 2016): dst = (x - mean)/√(variance + epsilon)∘gain
// + bias. gain and bias are cols long. saved (rows, 2) receives mean and
// 1/√(variance + epsilon) of each row for the way back. dst may be x.
func LayerNorm(dst, saved, x, gain, bias []float32, rows, cols int, epsilon float64, w *Workspace) {
	need("layer norm", "dst", len(dst), rows*cols)
	need("layer norm", "saved", len(saved), 2*rows)
	need("layer norm", "x", len(x), rows*cols)
	need("layer norm", "gain", len(gain), cols)
	need("layer norm", "bias", len(bias), cols)
	b := &w.rows
	for from, to := range layerBlocks(rows, cols) {
		n, row := to-from, saved[2*from:2*to]
		active.norm.rowSums(b.sum[:n], x[from*cols:], cols)
		for i, s := range b.sum[:n] {
			mean := s / float64(cols)
			row[2*i] = float32(mean)
			b.pair[2*i] = float32(mean - float64(row[2*i])) // what float32 loses of it
		}
		active.norm.rowSquares(b.sum[:n], x[from*cols:], row, cols)
		for i, s := range b.sum[:n] {
			// The squares are about the rounded mean; this moves them to the true one.
			rest := float64(b.pair[2*i])
			row[2*i+1] = float32(1 / math.Sqrt(max(s/float64(cols)-rest*rest, 0)+epsilon))
		}
		active.norm.layer(dst[from*cols:], x[from*cols:], gain, bias, row, b.pair[:2*n], cols)
	}
}

// LayerNormBackward writes the gradient of LayerNorm with respect to x to dx and
// adds those with respect to gain and bias to dgain and dbias. dx may be dy.
func LayerNormBackward(dx, dgain, dbias, dy, x, saved, gain []float32, rows, cols int, w *Workspace) {
	need("layer norm backward", "dx", len(dx), rows*cols)
	need("layer norm backward", "dgain", len(dgain), cols)
	need("layer norm backward", "dbias", len(dbias), cols)
	need("layer norm backward", "dy", len(dy), rows*cols)
	need("layer norm backward", "x", len(x), rows*cols)
	need("layer norm backward", "saved", len(saved), 2*rows)
	need("layer norm backward", "gain", len(gain), cols)
	b := &w.rows
	for from, to := range layerBlocks(rows, cols) {
		n, row := to-from, saved[2*from:2*to]
		active.norm.layerSums(b.sum[:n], b.along[:n], dgain, dbias, dy[from*cols:], x[from*cols:], gain, row, cols)
		for i, s := range b.sum[:n] {
			b.pair[2*i] = float32(s / float64(cols))
			b.pair[2*i+1] = row[2*i+1] * float32(b.along[i]/float64(cols))
		}
		active.norm.layerBackward(dx[from*cols:], dy[from*cols:], x[from*cols:], gain, row, b.pair[:2*n], cols)
	}
}

// layerRows is the most rows of a block.
const layerRows = 32

// A layerBlock is scratch memory of a block of rows, which passes through the
// parts of LayerNorm together: the sums of one row then hide behind another's.
type layerBlock struct {
	sum, along [layerRows]float64
	pair       [2 * layerRows]float32
}

// layerBlocks yields blocks of rows that stay in the level-1 cache: the first
// row of each, and the one that follows it.
func layerBlocks(rows, cols int) iter.Seq2[int, int] {
	const values = 4096
	return func(yield func(from, to int) bool) {
		if cols == 0 {
			return
		}
		step := min(max(values/cols, 1), layerRows)
		for from := 0; from < rows; from += step {
			if !yield(from, min(from+step, rows)) {
				return
			}
		}
	}
}

// goRowSums computes sums[i] = Σ_j x[i,j].
func goRowSums(sums []float64, x []float32, cols int) {
	for i := range sums {
		sums[i] = goSum(x[i*cols:][:cols])
	}
}

// goRowSquares computes sums[i] = Σ_j (x[i,j] - saved[i,0])², in two chains.
func goRowSquares(sums []float64, x, saved []float32, cols int) {
	even := cols &^ 1
	for i := range sums {
		row, mean := x[i*cols:][:cols], saved[2*i]
		var s0, s1 float64
		for j := 0; j < even; j += 2 {
			d0, d1 := float64(row[j]-mean), float64(row[j+1]-mean)
			s0 += d0 * d0
			s1 += d1 * d1
		}
		for _, v := range row[even:] {
			d := float64(v - mean)
			s0 += d * d
		}
		sums[i] = s0 + s1
	}
}

// goLayerNorm writes (x - saved[i,0] - rest[i,0])·saved[i,1]∘gain + bias.
func goLayerNorm(dst, x, gain, bias, saved, rest []float32, cols int) {
	gain, bias = gain[:cols], bias[:cols]
	for i := range len(saved) / 2 {
		out, mean, low, factor := dst[i*cols:][:cols], saved[2*i], rest[2*i], saved[2*i+1]
		for j, v := range x[i*cols:][:cols] {
			out[j] = (v-mean-low)*factor*gain[j] + bias[j]
		}
	}
}

// goLayerNormSums adds to dgain and dbias, and writes the sums over rows of
// dy∘gain and of that times the normalised value.
func goLayerNormSums(sum, along []float64, dgain, dbias, dy, x, gain, saved []float32, cols int) {
	gain, dgain, dbias = gain[:cols], dgain[:cols], dbias[:cols]
	for i := range sum {
		d, mean, factor := dy[i*cols:][:cols], saved[2*i], saved[2*i+1]
		var s, a float64
		for j, v := range x[i*cols:][:cols] {
			normal, g := (v-mean)*factor, d[j]*gain[j]
			s += float64(g)
			a += float64(g * normal)
			dgain[j] += d[j] * normal
			dbias[j] += d[j]
		}
		sum[i], along[i] = s, a
	}
}

// goLayerNormBackward writes
// saved[i,1]·(dy∘gain - lines[i,0] - (x - saved[i,0])·lines[i,1]).
func goLayerNormBackward(dx, dy, x, gain, saved, lines []float32, cols int) {
	gain = gain[:cols]
	for i := range len(saved) / 2 {
		out, d := dx[i*cols:][:cols], dy[i*cols:][:cols]
		mean, factor, level, slope := saved[2*i], saved[2*i+1], lines[2*i], lines[2*i+1]
		for j, v := range x[i*cols:][:cols] {
			out[j] = factor * (d[j]*gain[j] - level - (v-mean)*slope)
		}
	}
}
