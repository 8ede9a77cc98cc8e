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

// A family is one kind of evidence, by its name in weights.Reference.Blend.
type family string

const (
	ofTypes    family = "types"
	ofTable    family = "table"
	ofHabits   family = "habits"
	ofSequence family = "events"
)

// others is the name of the part of what the families say that are not the
// strangest.
const others = "others"

// blendOf is how families count in bundles that are calibrated now. Their
// weights are what p-values are divided by (Genovese et al., False Discovery
// Control with p-Value Weighting, Biometrika 2006): all share one alert rate,
// and the more a kind of evidence knows of what befalls journeys, the larger is
// its part. A network that foretells events knows most, an order of types is a
// part of that. The larger the part of the others, the better is found what
// shows a little everywhere, and the worse what shows in one place alone.
func blendOf() map[string]float32 {
	return map[string]float32{string(ofTypes): 1, string(ofTable): 2, string(ofHabits): 4, string(ofSequence): 6, others: 0.15}
}

// A blending gathers detectors by the kind of their evidence.
type blending struct {
	others   float64
	families []relatives
}

// relatives are the detectors of one family.
type relatives struct {
	family
	weight  float64
	members []int
}

// newBlending goes by what a bundle was calibrated with.
func newBlending(all []evidence, with map[string]float32) blending {
	part := func(name string, before float64) float64 {
		if x, ok := with[name]; ok {
			return float64(x)
		}
		return before
	}
	b := blending{others: part(others, 0.3)}
	for k, e := range all {
		at := slices.IndexFunc(b.families, func(r relatives) bool { return r.family == e.family() })
		if at < 0 {
			at = len(b.families)
			b.families = append(b.families, relatives{family: e.family(), weight: part(string(e.family()), 1)})
		}
		b.families[at].members = append(b.families[at].members, k)
	}
	return b
}

// score is the largest of what the families say, and a part of the others. What
// a family says is the weighted mean of its members' worths, given with their
// weights, and the logarithm of its own: detectors of one kind check each other,
// but what one kind alone can see must not be voted down by the others.
func (b *blending) score(worth func(k int) float64) float32 {
	most, all := math.Inf(-1), 0.0
	for _, one := range b.families {
		sum := math.Log(one.weight)
		for _, k := range one.members {
			sum += worth(k)
		}
		if sum != sum {
			return float32(sum) // not a number, which the caller looks for
		}
		most, all = max(most, sum), all+sum
	}
	return float32(most + b.others*(all-most))
}

// beyond is the worth of being above the largest of the other scores.
func (r *ranking) beyond(score, largest float32) float64 {
	if largest <= 0 || r.deviation <= 0 {
		return 0
	}
	return math.Log(float64(score)/float64(largest)) / r.deviation
}
