package infer

import (
	"fmt"
	"math"
	"slices"

	"moments/features"
	"moments/weights"
)

// Calibrate makes what the anomaly scores of a bundle are compared with:
// neighbours among the training examples, which its networks and schema were
// fitted to, and the scores of held-out examples, which neither has seen. All of
// them should be normal. It does nothing to a bundle without an anomaly network.
//
// The held-out examples serve three times: they rank each detector's scores,
// they calibrate the blend, and, where there is room, later examples are
// compared with them too. P-values are valid all the same. Were a fresh normal
// example x one of them, all would be exchangeable, and the share of those as
// strange as x a valid p-value (full conformal prediction; Vovk et al.,
// Algorithmic Learning in a Random World, 2005, section 2.2). An example is
// measured here among the others but without x. With x there, its neighbours
// could only be nearer, and its rank among the others only less strange: so its
// score could only be lower, and the p-value of x is at least the valid one.
func Calibrate(b *weights.Bundle, training, heldOut []features.Example) error {
	r := &b.Reference
	r.Conformal, r.Detectors, r.Deviations, r.Blend, r.Neighbours = nil, nil, nil, nil, nil
	if !slices.ContainsFunc(b.Networks, func(n weights.Network) bool { return n.Role != weights.Classifier }) {
		return nil
	}
	table := newTableEvidence(b.Schema)
	sample := thin(training, roomFor(table.width))
	table.compareWith(r, sample, nil)
	var err error
	if r.Deviations, err = deviationsAmong(b, sample); err != nil {
		return err
	}
	joined := len(training)+len(heldOut) <= roomFor(table.width)
	if joined {
		table.compareWith(r, sample, heldOut)
	}
	return calibrateBlend(b, heldOut, joined)
}

// compareWith sets the rows of every space.
func (t *tableEvidence) compareWith(r *weights.Reference, training, heldOut []features.Example) {
	if t.width == 0 || len(training) == 0 {
		return
	}
	r.Neighbours = map[string]weights.Neighbours{}
	for _, s := range spaces {
		r.Neighbours[s.name] = t.newNeighbours(s, training, heldOut)
	}
}

// deviationsAmong are the standard deviations of the logarithms of the
// detectors' scores of training examples.
func deviationsAmong(b *weights.Bundle, training []features.Example) (map[string]float32, error) {
	const enough, least = 1000, 1e-3
	s, err := NewScorer(b, ScorerOptions{})
	if err != nil || len(training) == 0 {
		return nil, err
	}
	raw, err := s.rawScores(thin(training, enough), true)
	if err != nil {
		return nil, err
	}
	deviations := map[string]float32{}
	for k, e := range s.evidence {
		deviations[e.name()] = max(least, logDeviation(raw[k]))
	}
	return deviations, nil
}

// logDeviation is the standard deviation of the logarithms of the scores above 0.
func logDeviation(scores []float32) float32 {
	var n, sum, squares float64
	for _, x := range scores {
		if x > 0 {
			l := math.Log(float64(x))
			n, sum, squares = n+1, sum+l, squares+l*l
		}
	}
	if n == 0 {
		return 0
	}
	return float32(math.Sqrt(max(0, squares/n-sum/n*sum/n)))
}

// calibrateBlend sets the detectors' scores of held-out examples, which are
// among the neighbours where joined, and those of their blend.
func calibrateBlend(b *weights.Bundle, heldOut []features.Example, joined bool) error {
	s, err := NewScorer(b, ScorerOptions{})
	if err != nil {
		return err
	}
	raw, err := s.rawScores(heldOut, joined)
	if err != nil {
		return err
	}
	b.Reference.Blend = blendOf()
	b.Reference.Detectors, b.Reference.Conformal = map[string][]float32{}, make([]float32, len(heldOut))
	for k, e := range s.evidence {
		b.Reference.Detectors[e.name()] = slices.Sorted(slices.Values(raw[k]))
	}
	var ranks []ranking
	for _, e := range s.evidence {
		ranks = append(ranks, s.ranking(e))
	}
	together := newBlending(s.evidence, b.Reference.Blend)
	for i := range heldOut {
		b.Reference.Conformal[i] = blendMember(&together, ranks, raw, i)
	}
	slices.Sort(b.Reference.Conformal)
	return nil
}

// blendMember is the blend of calibration example i.
func blendMember(b *blending, ranks []ranking, raw [][]float32, i int) float32 {
	if len(ranks) == 1 {
		return raw[0][i]
	}
	return b.score(func(k int) float64 { return ranks[k].weight * ranks[k].worthOfMember(raw[k][i]) })
}

// A comparing detector compares with saved examples.
type comparing interface {
	// scoreOfMember is the score of an example that is one of them, and is not to
	// be compared with itself.
	scoreOfMember(i int) float32
}

// rawScores are the scores of each detector, by example. Where they are members,
// the examples are among those that others are compared with.
func (s *Scorer) rawScores(examples []features.Example, members bool) ([][]float32, error) {
	raw := make([][]float32, len(s.evidence))
	for k := range raw {
		raw[k] = make([]float32, len(examples))
	}
	err := s.spread(len(examples), func(w *worker, from, to int) error {
		if err := w.checkExamples(examples[from:to]); err != nil {
			return err
		}
		for k, d := range w.detect.detectors {
			if err := rawScoresOf(d, examples[from:to], raw[k][from:to], members); err != nil {
				return fmt.Errorf("%w (by the %s)", err, s.evidence[k].name())
			}
		}
		return nil
	})
	return raw, err
}

func rawScoresOf(d detector, examples []features.Example, to []float32, members bool) error {
	if err := d.run(examples); err != nil {
		return err
	}
	score := d.score
	if c, compares := d.(comparing); compares && members {
		score = c.scoreOfMember
	}
	for i := range examples {
		if to[i] = score(i); notFinite(to[i]) {
			return fmt.Errorf("infer: customer %q: anomaly score is %v, want a finite number", examples[i].Customer, to[i])
		}
	}
	return nil
}
