package infer

import "math"

// gaussian is a standard normal number that depends on its arguments alone, so
// that anomaly scores repeat on every machine, in any order and batch.
func gaussian(seed uint64, step, column int) float32 {
	key := mix(mix(seed)+uint64(step)) + uint64(column)
	// Box and Muller 1958; the first uniform is never 0.
	u := (float64(mix(key)>>11) + 1) / (1 << 53)
	v := float64(mix(key^math.MaxUint64)>>11) / (1 << 53)
	return float32(math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v))
}

// mix is the finaliser of SplitMix64 (Steele et al., Fast Splittable
// Pseudorandom Number Generators, OOPSLA 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
