package train

import (
	"math"
)

// temperatures fits one temperature for each target on the validation split, so
// that the mean of the networks' tempered probabilities has the least log-loss
// (Guo et al., ICML 2017). shares are the networks' weights in that mean. All
// networks of the blend get the same ones.
func temperatures(predictions [][]float32, shares []float64, validation *table, targets int) []float32 {
	result := make([]float32, targets)
	for t := range targets {
		var logits [][]float64 // by network
		var labels []float32
		for _, p := range predictions {
			pt, yt := known(p, validation, t, targets)
			z := make([]float64, len(pt))
			for i, v := range pt {
				z[i] = logit(min(max(float64(v), 1e-7), 1-1e-7))
			}
			logits, labels = append(logits, z), yt
		}
		result[t] = 1
		if len(labels) > 0 {
			result[t] = float32(math.Exp(goldenSection(-1.5, 1.5, func(logT float64) float64 { return blendLoss(logits, shares, labels, math.Exp(logT)) })))
		}
	}
	return result
}

// blendLoss is the log-loss of the mean of the networks' probabilities at a
// temperature.
func blendLoss(logits [][]float64, shares []float64, labels []float32, temperature float64) float64 {
	var loss float64
	for i, y := range labels {
		p := 0.0
		for k, z := range logits {
			p += shares[k] / (1 + math.Exp(-z[i]/temperature))
		}
		if y == 0 {
			p = 1 - p
		}
		loss -= math.Log(max(p, 1e-12))
	}
	return loss
}

// goldenSection returns where a function of one valley is lowest in [a, b].
func goldenSection(a, b float64, f func(float64) float64) float64 {
	ratio := (math.Sqrt(5) - 1) / 2
	x, y := b-ratio*(b-a), a+ratio*(b-a)
	fx, fy := f(x), f(y)
	for b-a > 1e-4 {
		if fx < fy {
			b, y, fy = y, x, fx
			x = b - ratio*(b-a)
			fx = f(x)
		} else {
			a, x, fx = x, y, fy
			y = a + ratio*(b-a)
			fy = f(y)
		}
	}
	return (a + b) / 2
}
