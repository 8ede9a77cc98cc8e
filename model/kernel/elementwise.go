package kernel

import (
	"fmt"
	"math"
)

// Axpy computes y += alpha·x. y and x have the same length.
func Axpy(y []float32, alpha float32, x []float32) {
	need("axpy", "x", len(x), len(y))
	active.axpy(y, alpha, x)
}

// Scale computes x *= alpha.
func Scale(x []float32, alpha float32) { active.scale(x, alpha) }

// SquaredNorm returns Σ x², summed in float64 so that it neither overflows nor
// loses small values.
func SquaredNorm(x []float32) float64 { return active.squares(x) }

// AddSquaredNorm computes dst += x and returns Σ dst², as Axpy and SquaredNorm
// do in two passes. dst and x have the same length.
func AddSquaredNorm(dst, x []float32) float64 {
	need("add squared norm", "x", len(x), len(dst))
	return active.addSquares(dst, x)
}

// AddColumnSums computes sum[j] += Σ_i x[i,j]. x is (rows, cols).
func AddColumnSums(sum, x []float32, rows, cols int) {
	need("column sums", "sum", len(sum), cols)
	need("column sums", "x", len(x), rows*cols)
	if rows > 0 && cols > 0 {
		active.addRows(sum[:cols], x, rows)
	}
}

// ActivationBackwardSums computes dz = scale·dy·act'(z) where y = act(z), and
// sum[j] += Σ_i dz[i,j], in one pass: the gradients before an activation and of
// the bias that was added before it. After dropout of a ReLU's result, whose
// zeros tell what fell, scale is that of the values that stayed; elsewhere it is
// 1. dz may be dy. dz, dy and y are (rows, cols), sum is cols long.
func ActivationBackwardSums(dz, sum, dy, y []float32, rows, cols int, act Activation, scale float32) {
	need("activation backward", "dz", len(dz), rows*cols)
	need("activation backward", "sum", len(sum), cols)
	need("activation backward", "dy", len(dy), rows*cols)
	need("activation backward", "y", len(y), rows*cols)
	if rows > 0 && cols > 0 {
		active.activationRows(dz, sum[:cols], dy, y, scale, slopes[act], rows)
	}
}

// slopes are those of the activations below zero.
var slopes = [...]float32{Identity: 1, ReLU: 0, LeakyReLU: LeakySlope}

// MulRow multiplies every row of x by r: dst[i,j] = x[i,j]·r[j]. dst and x are
// (rows, cols), r is cols long. dst may be x.
func MulRow(dst, x, r []float32, rows, cols int) {
	need("multiply by row", "dst", len(dst), rows*cols)
	need("multiply by row", "x", len(x), rows*cols)
	need("multiply by row", "r", len(r), cols)
	for i := range rows {
		active.mul(dst[i*cols:(i+1)*cols], x[i*cols:], r)
	}
}

// MulRowBackward adds the gradients of MulRow: dx[i,j] += dy[i,j]·r[j] and
// dr[j] += Σ_i dy[i,j]·x[i,j]. dx, dy and x are (rows, cols), dr and r are cols
// long. dx or dr may be nil where it is not wanted.
func MulRowBackward(dx, dr, dy, x, r []float32, rows, cols int) {
	need("multiply by row backward", "dy", len(dy), rows*cols)
	if dx != nil {
		need("multiply by row backward", "dx", len(dx), rows*cols)
		need("multiply by row backward", "r", len(r), cols)
	}
	if dr != nil {
		need("multiply by row backward", "dr", len(dr), cols)
		need("multiply by row backward", "x", len(x), rows*cols)
	}
	for i := range rows {
		row := dy[i*cols : (i+1)*cols]
		if dx != nil {
			active.mulAdd(dx[i*cols:(i+1)*cols], row, r)
		}
		if dr != nil {
			active.mulAdd(dr[:cols], row, x[i*cols:])
		}
	}
}

func goAxpy(y []float32, alpha float32, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] += alpha * v
	}
}

func goScale(x []float32, alpha float32) {
	for i := range x {
		x[i] *= alpha
	}
}

func goMul(dst, x, r []float32) {
	x, r = x[:len(dst)], r[:len(dst)]
	for i := range dst {
		dst[i] = x[i] * r[i]
	}
}

func goMulAdd(dst, x, r []float32) {
	x, r = x[:len(dst)], r[:len(dst)]
	for i := range dst {
		dst[i] += x[i] * r[i]
	}
}

func goAddRows(sum, x []float32, rows int) {
	for i := range rows {
		goAxpy(sum, 1, x[i*len(sum):])
	}
}

func goActivationRows(dz, sum, dy, y []float32, scale, slope float32, rows int) {
	dz = dz[:rows*len(sum)]
	dy, y = dy[:len(dz)], y[:len(dz)]
	factors := [2]float32{slope, 1} // looked up, for which way y lies nothing could predict
	for i := range dz {
		above := 0
		if y[i] > 0 {
			above = 1
		}
		dz[i] = scale * dy[i] * factors[above]
	}
	goAddRows(sum, dz, rows)
}

// chains is how many partial sums goSquares keeps.
const chains = 32

// goSquares adds in interleaved chains, joined in halves, and then what is left
// beyond a multiple of them: the order that vectors impose.
func goSquares(x []float32) float64 {
	var s [chains]float64
	whole := len(x) &^ (chains - 1)
	for i := 0; i < whole; i += chains {
		for j, v := range x[i : i+chains : i+chains] {
			s[j] += float64(v) * float64(v)
		}
	}
	return joined(&s) + restSquares(x[whole:])
}

func goAddSquares(dst, x []float32) float64 {
	goAxpy(dst, 1, x)
	return goSquares(dst)
}

func goDifference(dst, x, y []float32, alpha float32) float64 {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] - y[i]
	}
	sum := goSquares(dst)
	goScale(dst, alpha)
	return sum
}

// joined adds chains up in halves.
func joined(s *[chains]float64) float64 {
	for half := chains / 2; half > 0; half /= 2 {
		for i := range half {
			s[i] += s[i+half]
		}
	}
	return s[0]
}

func restSquares(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// Dropout zeroes each value with probability rate in [0, 1) and scales the rest
// by 1/(1-rate) (Srivastava et al., Dropout, JMLR 2014). Which values fall is a
// pure function of key and index, so a second call with the same key, on
// gradients, repeats the mask. A rate of 0 copies. dst may be x. Slices have
// fewer than 2^32 values.
func Dropout(dst, x []float32, rate float32, key uint64) {
	need("dropout", "x", len(x), len(dst))
	if rate >= 1 {
		panic(fmt.Sprintf("kernel: dropout: rate is %v, want at least 0 and below 1", rate))
	}
	if !(rate > 0) {
		copy(dst, x)
		return
	}
	active.dropout(dst, x, newMask(rate, key), 0)
}

// A mask is the parameters of one dropout mask.
type mask struct {
	k0, k1    uint32  // key, mixed
	threshold uint32  // hashes below it fall
	scale     float32 // of values that stay
}

func newMask(rate float32, key uint64) mask {
	// The finaliser of SplitMix64 spreads neighbouring keys.
	key += 0x9e3779b97f4a7c15
	key = (key ^ key>>30) * 0xbf58476d1ce4e5b9
	key = (key ^ key>>27) * 0x94d049bb133111eb
	key ^= key >> 31
	threshold := min(float64(rate)*(1<<32), math.MaxUint32)
	return mask{uint32(key), uint32(key >> 32), uint32(threshold), 1 / (1 - rate)}
}

// hash mixes an index: a 32-bit hash of two multiplications (C. Wellons,
// Prospecting for hash functions, 2018), with the second half of the key
// between them.
func (d mask) hash(i uint32) uint32 {
	h := i + d.k0
	h = (h ^ h>>16) * 0x7feb352d
	h ^= d.k1
	h = (h ^ h>>15) * 0x846ca68b
	return h ^ h>>16
}

// goDropout drops dst[i] by the hash of first+i.
func goDropout(dst, x []float32, d mask, first uint32) {
	for i, v := range x[:len(dst)] {
		if d.hash(first+uint32(i)) < d.threshold {
			v = 0
		} else {
			v *= d.scale
		}
		dst[i] = v
	}
}
