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

// A family is one kind of evidence, whose detectors share a say in the blend.
// Its weight is what its p-values are divided by (Genovese et al., False
// Discovery Control with p-Value Weighting, Biometrika 2006): all kinds share
// one alert rate, and the more a kind knows of what befalls journeys, the larger
// is its part. A network that foretells events knows most, an order of types is
// a part of that.
type family struct {
	name   string
	weight float64
}

var (
	ofTypes    = family{"types", 1}
	ofTable    = family{"table", 2}
	ofHabits   = family{"habits", 4}
	ofSequence = family{"events", 6}
)

// otherFamilies is the part of what the families say that are not the strangest.
// The larger it is, the better is found what shows a little everywhere, and the
// worse what shows in one place alone.
const otherFamilies = 0.15

// families gathers detectors by the kind of their evidence.
type families []relatives

// relatives are the detectors of one family.
type relatives struct {
	family
	members []int
}

func newFamilies(all []evidence) (f families) {
	for k, e := range all {
		at := slices.IndexFunc(f, func(r relatives) bool { return r.family == e.family() })
		if at < 0 {
			at, f = len(f), append(f, relatives{family: e.family()})
		}
		f[at].members = append(f[at].members, k)
	}
	return f
}

// blend is the largest of what the families say, and a part of the others. What
// a family says is the weighted mean of its members' worths, given with their
// weights, and the logarithm of its own: detectors of one kind check each other,
// but what one kind alone can see must not be voted down by the others.
func (f families) blend(worth func(k int) float64) float32 {
	most, all := math.Inf(-1), 0.0
	for _, one := range f {
		sum := math.Log(one.weight)
		for _, k := range one.members {
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
