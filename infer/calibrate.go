package infer

import (
	"fmt"
	"slices"

	"moments/features"
	"moments/weights"
)

// Calibrate sets what the anomaly scores of a bundle are compared with: those
// of normal examples that neither its networks nor its schema have seen. It
// does nothing to a bundle without a detector.
//
// The same examples serve twice, to rank each detector's scores and to calibrate
// their blend, and p-values are valid all the same. Were a fresh normal example
// x one of them, all would be exchangeable, and the share of those as strange as
// x a valid p-value (full conformal prediction; Vovk et al., Algorithmic
// Learning in a Random World, 2005, section 2.2). An example is ranked here
// among the others but without x, as though x were less strange by every
// detector: that can only raise its blend, and so the p-value of x.
func Calibrate(b *weights.Bundle, heldOut []features.Example) error {
	b.Reference.Conformal, b.Reference.Detectors = nil, nil
	s, err := NewScorer(b, ScorerOptions{})
	if err != nil || len(s.evidence) == 0 {
		return err
	}
	raw, err := s.rawScores(heldOut)
	if err != nil {
		return err
	}
	b.Reference.Detectors = map[string][]float32{}
	b.Reference.Conformal = make([]float32, len(heldOut))
	var rankings []ranking
	for k, e := range s.evidence {
		sorted := slices.Sorted(slices.Values(raw[k]))
		b.Reference.Detectors[e.name()] = sorted
		rankings = append(rankings, newRanking(sorted))
	}
	for i := range heldOut {
		b.Reference.Conformal[i] = blendMember(newFamilies(s.evidence), rankings, raw, i)
	}
	slices.Sort(b.Reference.Conformal)
	return nil
}

// blendMember is the blend of calibration example i.
func blendMember(f families, rankings []ranking, raw [][]float32, i int) float32 {
	if len(rankings) == 1 {
		return raw[0][i]
	}
	return f.blend(func(k int) float64 { return rankings[k].worthOfMember(raw[k][i]) })
}

// rawScores are the scores of each detector, by example.
func (s *Scorer) rawScores(examples []features.Example) ([][]float32, error) {
	raw := make([][]float32, len(s.evidence))
	for k := range raw {
		raw[k] = make([]float32, len(examples))
	}
	err := s.spread(len(examples), func(w *worker, from, to int) error {
		if err := w.checkExamples(examples[from:to]); err != nil {
			return err
		}
		for k, d := range w.detect.detectors {
			if err := d.run(examples[from:to]); err != nil {
				return err
			}
			for i := from; i < to; i++ {
				if raw[k][i] = d.score(i - from); notFinite(raw[k][i]) {
					return fmt.Errorf("infer: customer %q: score of the %s is %v, want a finite number", examples[i].Customer, s.evidence[k].name(), raw[k][i])
				}
			}
		}
		return nil
	})
	return raw, err
}
