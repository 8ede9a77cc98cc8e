package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"

	"moments/datasets/synthetic"
	"moments/features"
	"moments/infer"
	"moments/infer/alerts"
	"moments/train/metric"
	"moments/weights"
)

// unseen are customers that were not in the training base, with the truth.
type unseen struct {
	journeys []*features.Journey
	truths   []*synthetic.Truth
}

// generateUnseen makes as many customers again as the base has: the same world
// and habits, other people.
func generateUnseen(base synthetic.Config) (*unseen, error) {
	seen := base.Customers
	base.Customers *= 2
	all, err := synthetic.Generate(base)
	if err != nil {
		return nil, wrong(err)
	}
	u, i := &unseen{}, 0
	for journey, truth := range all {
		if i++; i > seen {
			u.journeys, u.truths = append(u.journeys, journey), append(u.truths, truth)
		}
	}
	return u, nil
}

// score scores all customers.
func (u *unseen) score(ctx context.Context, bundle *weights.Bundle, o infer.ScorerOptions) (scores []infer.Score, err error) {
	scorer, err := infer.NewScorer(bundle, o)
	if err != nil {
		return nil, err
	}
	err = scorer.Score(ctx, u.all(), u.cutoffs(), func(s *infer.Score) error {
		kept := *s
		kept.Probabilities, kept.Causes, kept.Reasons = slices.Clone(s.Probabilities), slices.Clone(s.Causes), nil
		scores = append(scores, kept)
		return nil
	})
	return scores, err
}

// checkLayout demands that the files and the generator agree on the columns.
func (u *unseen) checkLayout(b *weights.Bundle) error {
	if want := synthetic.Layout(); !reflect.DeepEqual(b.Layout, want) {
		return fmt.Errorf("demo: the bundle's columns are %v, want %v", b.Layout, want)
	}
	return nil
}

func (u *unseen) all() iter.Seq2[*features.Journey, error] {
	return func(yield func(*features.Journey, error) bool) {
		for _, j := range u.journeys {
			if !yield(j, nil) {
				return
			}
		}
	}
}

// cutoffs returns the cutoff of each of all customers in turn.
func (u *unseen) cutoffs() func(*features.Journey) (features.Cutoff, bool) {
	at := 0
	return func(*features.Journey) (features.Cutoff, bool) {
		at++
		return u.truths[at-1].Cutoff, true
	}
}

func (u *unseen) compareTargets(scores []infer.Score) []plantedTarget {
	var targets []plantedTarget
	for t, name := range synthetic.Targets {
		found, truth, labels := make([]float32, len(scores)), make([]float32, len(scores)), make([]float32, len(scores))
		for i := range scores {
			found[i], truth[i] = scores[i].Probabilities[t], float32(u.truths[i].Probability[t])
			if u.truths[i].Outcome[t] {
				labels[i] = 1
			}
		}
		model, oracle := metric.Score(found, labels), metric.Score(truth, labels)
		constant := slices.Repeat([]float32{float32(model.PositiveRate)}, len(labels))
		targets = append(targets, plantedTarget{
			Name: name, Rate: figure(model.PositiveRate), AUROC: figure(model.AUROC), AUROCTrue: figure(oracle.AUROC),
			Loss: figure(model.LogLoss), LossTrue: figure(oracle.LogLoss), LossRate: figure(metric.LogLoss(constant, labels)), ECE: figure(model.ECE),
		})
	}
	return targets
}

// compareAnomalies flags at an alert rate; calibration is the number of journeys
// behind the p-values.
func (u *unseen) compareAnomalies(scores []infer.Score, calibration int, alertRate float64) plantedAnomaly {
	result := plantedAnomaly{AlertRate: alertRate}
	var size, labels []float32
	var normal, normalFlagged, odd, oddFlagged float64
	var normalP []float64
	kinds := map[string]*plantedKind{}
	for _, kind := range synthetic.AnomalyKinds {
		result.Kinds = append(result.Kinds, plantedKind{Kind: kind})
	}
	for i := range result.Kinds {
		kinds[result.Kinds[i].Kind] = &result.Kinds[i]
	}
	for i := range scores {
		flagged := 0.
		if scores[i].Anomaly <= alertRate {
			flagged = 1
		}
		size = append(size, float32(scores[i].AnomalyScore))
		truth := u.truths[i].Anomaly
		if truth == nil {
			labels = append(labels, 0)
			normal, normalFlagged = normal+1, normalFlagged+flagged
			normalP = append(normalP, scores[i].Anomaly)
			continue
		}
		labels = append(labels, 1)
		odd, oddFlagged = odd+1, oddFlagged+flagged
		kinds[truth.Kind].judge(&scores[i], truth, flagged == 1)
	}
	result.NormalRate, result.Recall = figure(normalFlagged/normal), figure(oddFlagged/odd)
	result.Precision = figure(oddFlagged / (oddFlagged + normalFlagged))
	directions, causes := 0, 0
	for _, k := range result.Kinds {
		directions, causes = directions+k.Direction, causes+k.Cause
	}
	result.DirectionOK, result.CauseOK = figure(float64(directions)/oddFlagged), figure(float64(causes)/oddFlagged)
	for _, rate := range []float64{0.001, 0.01, 0.05} {
		result.Rates = append(result.Rates, rateOf(normalP, calibration, rate))
	}
	result.AUROC = figure(metric.AUROC(size, labels))
	return result
}

// judge counts one anomalous journey.
func (k *plantedKind) judge(s *infer.Score, truth *synthetic.Anomaly, flagged bool) {
	k.Planted++
	if !flagged {
		return
	}
	k.Flagged++
	if string(s.Direction) == truth.Direction {
		k.Direction++
	}
	named := func(c infer.Cause) bool { return slices.Contains(truth.Groups(), c.Group) }
	if slices.ContainsFunc(s.Causes[:min(2, len(s.Causes))], named) {
		k.Cause++
	}
}

// rateOf compares what is flagged of normal journeys with what was asked.
func rateOf(p []float64, calibration int, asked float64) plantedRate {
	flagged := 0
	for _, x := range p {
		if x <= asked {
			flagged++
		}
	}
	share := func(count int) figure { return figure(float64(count) / float64(len(p))) }
	low, high := alerts.Interval(len(p), asked, 0.95)
	lowest, highest := alerts.ConformalInterval(len(p), calibration, asked, 0.95)
	return plantedRate{asked, share(flagged), share(low), share(high), share(lowest), share(highest)}
}

// removals is the most customers whose events are taken away one by one.
const removals = 1000

// compareMoments explains the first customers as moments explain does, every
// visible event of theirs taken away, and compares the impacts with the true ones.
func (u *unseen) compareMoments(ctx context.Context, c *console, bundle *weights.Bundle, result *planted) error {
	scorer, err := infer.NewScorer(bundle, infer.ScorerOptions{SkipAnomaly: true})
	if err != nil {
		return err
	}
	n, most := min(removals, len(u.truths)), 1
	first := unseen{u.journeys[:n], u.truths[:n]}
	for _, truth := range first.truths {
		most = max(most, truth.Cutoff.Events)
	}
	shown := c.stage("explaining", int64(n))
	defer shown.end()
	found := make([][2][]float64, 0, n) // by customer, target, event
	err = scorer.ExplainEach(ctx, first.all(), first.cutoffs(), infer.ExplainOptions{Last: most}, func(e *infer.Explanation) error {
		found = append(found, impactsOf(e))
		shown.add()
		return nil
	})
	if err != nil {
		return err
	}
	for t, target := range synthetic.Targets {
		moments := u.meanEffects(t, found)
		cause := u.hitCauses(t, target, found)
		cause.rank(moments)
		result.Moments, result.Causes = append(result.Moments, moments...), append(result.Causes, cause)
	}
	return nil
}

// impactsOf are the impacts of every event, by target.
func impactsOf(e *infer.Explanation) (impacts [2][]float64) {
	for _, ev := range e.Events {
		for t := range impacts {
			impacts[t] = append(impacts[t], ev.Impact[t])
		}
	}
	return impacts
}

// meanEffects averages planted and found effects by event type.
func (u *unseen) meanEffects(t int, found [][2][]float64) []plantedMoment {
	byType := map[string]*plantedMoment{}
	for i := range found {
		for e, points := range found[i][t] {
			kind := u.journeys[i].Events[e].Type
			m := byType[kind]
			if m == nil {
				m = &plantedMoment{Target: synthetic.Targets[t], Type: kind}
				byType[kind] = m
			}
			planted := u.truths[i].Impact[t][e]
			m.Events++
			m.Found += figure(100 * points)
			m.Planted += figure(100 * planted)
			m.sizeFound += math.Abs(points)
			m.sizePlanted += math.Abs(planted)
		}
	}
	var all []plantedMoment
	for _, m := range byType {
		m.Found /= figure(m.Events)
		m.Planted /= figure(m.Events)
		m.sizeFound /= float64(m.Events)
		m.sizePlanted /= float64(m.Events)
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b plantedMoment) int {
		return cmp.Or(cmp.Compare(math.Abs(float64(b.Planted)), math.Abs(float64(a.Planted))), cmp.Compare(a.Type, b.Type))
	})
	return all
}
