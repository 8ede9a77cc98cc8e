package kernel

import "math"

// Tiny keeps probabilities off 0 and 1 where their logit is taken: logits
// reach ±16, as far as float32 resolves probabilities near 1.
const Tiny = 1.1920929e-07

// MeanMembers averages an ensemble: x (rows, members, targets) to dst
// (rows, targets).
func MeanMembers(dst, x []float32, rows, members, targets int) {
	need("mean of members", "dst", len(dst), rows*targets)
	need("mean of members", "x", len(x), rows*members*targets)
	scale := 1 / float32(members)
	if targets == 1 {
		for r := range rows {
			dst[r] = scale * float32(active.sum(x[r*members:(r+1)*members]))
		}
		return
	}
	for r := range rows {
		out := dst[r*targets:][:targets]
		clear(out)
		for k := range members {
			for t, v := range x[(r*members+k)*targets:][:targets] {
				out[t] += v
			}
		}
		for t := range out {
			out[t] *= scale
		}
	}
}

// Temper calibrates probabilities by temperature scaling: dst = σ(logit(p)/T)
// with one temperature T for each target. p and dst are (rows, targets).
func Temper(dst, p, temperature []float32, rows, targets int) {
	need("temper", "dst", len(dst), rows*targets)
	need("temper", "p", len(p), rows*targets)
	need("temper", "temperature", len(temperature), targets)
	for i, v := range p[:rows*targets] {
		q := float64(min(max(v, Tiny), 1-Tiny))
		z := math.Log(q/(1-q)) / float64(temperature[i%targets])
		dst[i] = float32(1 / (1 + math.Exp(-z)))
	}
}

// Softmax turns every row of x (rows, cols) into probabilities
// e^x / Σ e^x in dst. dst may be x.
func Softmax(dst, x []float32, rows, cols int) {
	need("softmax", "dst", len(dst), rows*cols)
	need("softmax", "x", len(x), rows*cols)
	if cols == 0 {
		return
	}
	for i := range rows {
		softmax(dst[i*cols:(i+1)*cols], x[i*cols:(i+1)*cols])
	}
}

// softmax returns log Σ e^x.
func softmax(dst, x []float32) (logSum float64) {
	most := active.most(x)
	active.exp(dst, x, most)
	sum := active.sum(dst)
	active.scale(dst, float32(1/sum))
	return float64(most) + math.Log(sum)
}

// goMost is the largest of x, which is not empty. NaN may hide: its exponential
// does not.
func goMost(x []float32) float32 {
	most := x[0]
	for _, v := range x {
		if v > most {
			most = v
		}
	}
	return most
}

// goSum adds in two chains.
func goSum(x []float32) float64 {
	var s0, s1 float64
	even := len(x) &^ 1
	for j := 0; j < even; j += 2 {
		s0 += float64(x[j])
		s1 += float64(x[j+1])
	}
	if even < len(x) {
		s0 += float64(x[even])
	}
	return s0 + s1
}
