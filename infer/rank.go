package infer

import (
	"math"
	"slices"
)

// A ranking says what a detector's raw score is worth beside others': how
// unlikely it is among the calibration scores.
type ranking struct {
	weight    float64   // share of the detector in the blend
	scores    []float32 // of calibration, ascending
	deviation float64   // of the logarithm of scores, by which those beyond all others go on growing
}

// worth is the negative logarithm of the share of calibration scores, the score
// itself among them, that are as large or larger. Between two calibration
// scores it rises with the score, and beyond all of them with its logarithm, so
// that few calibration scores do not make many ties.
func (r *ranking) worth(score float32) float64 {
	return r.among(score, len(r.scores), func(i int) float32 { return r.scores[i] })
}

// worthOfMember is the worth of one of the calibration scores among the others,
// see [Calibrate].
func (r *ranking) worthOfMember(score float32) float64 {
	own, _ := slices.BinarySearch(r.scores, score)
	return r.among(score, len(r.scores)-1, func(i int) float32 {
		if i >= own {
			i++
		}
		return r.scores[i]
	})
}

// among is the worth of a score among n others, which ascend.
func (r *ranking) among(score float32, n int, other func(i int) float32) float64 {
	if n < 1 {
		return 0
	}
	low, high := 0, n // the first as large or larger lies in [low, high]
	for low < high {
		if middle := (low + high) / 2; other(middle) < score {
			low = middle + 1
		} else {
			high = middle
		}
	}
	total := float64(1 + len(r.scores))
	if low == n {
		return -math.Log(2/total) + r.beyond(score, other(n-1))
	}
	above := float64(n - low)
	if low > 0 {
		before, after := float64(other(low-1)), float64(other(low))
		above += (after - float64(score)) / (after - before)
	}
	return -math.Log((1 + above) / total)
}

// otherFamilies is what the families say that are not the strangest.
const otherFamilies = 0.3

// families gathers detectors by the kind of their evidence.
type families [][]int

func newFamilies(all []evidence) families {
	var f families
	at := map[string]int{}
	for k, e := range all {
		i, known := at[e.family()]
		if !known {
			i = len(f)
			at[e.family()], f = i, append(f, nil)
		}
		f[i] = append(f[i], k)
	}
	return f
}

// blend is the largest of what the families say, and a part of the others. What
// a family says is the weighted mean of its members' worths, given with their
// weights: detectors of one kind check each other, but what one kind alone can
// see must not be voted down by the others.
func (f families) blend(worth func(k int) float64) float32 {
	most, all := math.Inf(-1), 0.0
	for _, members := range f {
		sum := 0.0
		for _, k := range members {
			sum += worth(k)
		}
		if sum != sum {
			return float32(sum) // not a number, which the caller looks for
		}
		most, all = max(most, sum), all+sum
	}
	return float32(most + otherFamilies*(all-most))
}

// beyond is the worth of being above the largest of the other scores.
func (r *ranking) beyond(score, largest float32) float64 {
	if largest <= 0 || r.deviation <= 0 {
		return 0
	}
	return math.Log(float64(score)/float64(largest)) / r.deviation
}
