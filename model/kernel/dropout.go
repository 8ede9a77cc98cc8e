package kernel

import (
	"fmt"
	"math"
)

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
