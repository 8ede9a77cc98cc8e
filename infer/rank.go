package infer

import (
	"math"
	"slices"
)

// A ranking says what a detector's raw score is worth beside others': how
// unlikely it is among the calibration scores.
type ranking struct {
	scores []float32 // of calibration, ascending
}

func newRanking(calibration []float32) ranking { return ranking{calibration} }

// worth is the negative logarithm of the share of calibration scores, the score
// itself among them, that are as large or larger. Scores beyond the largest go
// on rising with the logarithm of how far beyond they are, so that they do not
// all tie.
func (r ranking) worth(score float32) float64 {
	n := len(r.scores)
	below, _ := slices.BinarySearch(r.scores, score)
	worth := -math.Log(float64(1+n-below) / float64(1+n))
	if below == n && n > 0 {
		worth += beyond(score, r.scores[n-1])
	}
	return worth
}

// worthOfMember is the worth of one of the calibration scores among the others,
// see [Calibrate].
func (r ranking) worthOfMember(score float32) float64 {
	n := len(r.scores)
	below, _ := slices.BinarySearch(r.scores, score)
	worth := -math.Log(float64(n-below) / float64(1+n))
	if below == n-1 && n > 1 {
		worth += beyond(score, r.scores[n-2])
	}
	return worth
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

// blend is the largest of the families' mean worths, and a part of the others:
// detectors of one kind check each other, but what one kind alone can see must
// not be voted down by the others.
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
		mean := sum / float64(len(members))
		most, all = max(most, mean), all+mean
	}
	return float32(most + otherFamilies*(all-most))
}

// beyond is the worth of being above the largest of the other scores.
func beyond(score, largest float32) float64 {
	if largest <= 0 {
		return 0
	}
	return math.Log(float64(score) / float64(largest))
}
