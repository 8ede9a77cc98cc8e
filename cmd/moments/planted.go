package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"reflect"
	"slices"
	"text/tabwriter"

	"moments/datasets/synthetic"
	"moments/features"
	"moments/infer"
	"moments/train/metric"
	"moments/weights"
)

// planted compares what a bundle found with what was planted. Points are
// percentage points of probability.
type planted struct {
	Customers int             `json:"customers"` // unseen in training
	Targets   []plantedTarget `json:"targets"`
	Moments   []plantedMoment `json:"moments"` // by target, the largest planted effect first
	Causes    []plantedCause  `json:"causes"`
	Anomalies plantedAnomaly  `json:"anomalies"`
}

// A plantedTarget holds the model's figures beside those of the true
// probabilities, on the same customers.
type plantedTarget struct {
	Name      string `json:"name"`
	Rate      figure `json:"rate"`
	AUROC     figure `json:"auroc"`
	AUROCTrue figure `json:"auroc_of_truth"`
	Loss      figure `json:"log_loss"`
	LossTrue  figure `json:"log_loss_of_truth"`
	LossRate  figure `json:"log_loss_of_rate"` // of predicting the rate for everybody
	ECE       figure `json:"ece"`
}

// A plantedMoment is the mean effect of one event of a type: the probability
// with it minus the probability without it.
type plantedMoment struct {
	Target  string `json:"target"`
	Type    string `json:"type"`
	Events  int    `json:"events"`
	Planted figure `json:"planted_points"`
	Found   figure `json:"found_points"`
}

// A plantedCause says how often the event that the model is moved by most is
// the one that truly moved the outcome most, or one of equal effect.
type plantedCause struct {
	Target      string `json:"target"`
	Customers   int    `json:"customers"`   // with a cause of over 5 points
	Hits        figure `json:"hits"`        // share
	Chance      figure `json:"chance"`      // share that a random event would hit
	Correlation figure `json:"correlation"` // of planted and found effects, over all events
}

// plantedAnomaly says how well planted anomalies are flagged.
type plantedAnomaly struct {
	AlertRate   float64       `json:"alert_rate"` // promised: the most normal journeys flagged
	NormalRate  figure        `json:"normal_flagged"`
	Precision   figure        `json:"precision"`
	Recall      figure        `json:"recall"`
	AUROC       figure        `json:"auroc"` // of the anomaly score, planted against normal
	Kinds       []plantedKind `json:"kinds"`
	DirectionOK figure        `json:"direction_right"` // share of the flagged anomalies whose direction is right
}

type plantedKind struct {
	Kind    string `json:"kind"`
	Planted int    `json:"planted"`
	Flagged int    `json:"flagged"`
}

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

// compareAnomalies flags at the alert rate that the bundle promises.
func (u *unseen) compareAnomalies(scores []infer.Score, alertRate float64) plantedAnomaly {
	result := plantedAnomaly{AlertRate: alertRate}
	var size, labels []float32
	var normal, normalFlagged, odd, oddFlagged, right float64
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
			continue
		}
		labels = append(labels, 1)
		odd, oddFlagged = odd+1, oddFlagged+flagged
		kinds[truth.Kind].Planted++
		kinds[truth.Kind].Flagged += int(flagged)
		if flagged == 1 && string(scores[i].Direction) == truth.Direction {
			right++
		}
	}
	result.NormalRate, result.Recall = figure(normalFlagged/normal), figure(oddFlagged/odd)
	result.Precision = figure(oddFlagged / (oddFlagged + normalFlagged))
	result.DirectionOK = figure(right / oddFlagged)
	result.AUROC = figure(metric.AUROC(size, labels))
	return result
}

// removals is the most customers whose events are removed one by one.
const removals = 1000

// compareMoments removes every visible event of the first customers, one at a
// time, has the bundle score the journey again, and compares the changes of
// probability with the true ones.
func (u *unseen) compareMoments(ctx context.Context, c *console, bundle *weights.Bundle, scores []infer.Score, result *planted) error {
	scorer, err := infer.NewScorer(bundle, infer.ScorerOptions{SkipAnomaly: true})
	if err != nil {
		return err
	}
	n := min(removals, len(u.truths))
	total := 0
	for i := range n {
		total += u.truths[i].Cutoff.Events
	}
	shown := c.stage("removing events one by one", int64(total))
	defer shown.end()
	found := make([][2][]float64, n) // by customer, target, event
	customer, event := 0, 0
	cut := func(j *features.Journey) (features.Cutoff, bool) {
		return features.Cutoff{Time: u.truths[0].Cutoff.Time, Events: len(j.Events)}, true
	}
	err = scorer.Score(ctx, u.without(n), cut, func(s *infer.Score) error {
		for event == u.truths[customer].Cutoff.Events {
			customer, event = customer+1, 0
		}
		for t := range found[customer] {
			found[customer][t] = append(found[customer][t], float64(scores[customer].Probabilities[t]-s.Probabilities[t]))
		}
		event++
		shown.add()
		return nil
	})
	for t, target := range synthetic.Targets {
		result.Moments = append(result.Moments, u.meanEffects(t, found)...)
		result.Causes = append(result.Causes, u.hitCauses(t, target, found))
	}
	return err
}

// without yields, for each of the first n customers, the history without each
// of its events in turn. The journey is valid until the next.
func (u *unseen) without(n int) iter.Seq2[*features.Journey, error] {
	return func(yield func(*features.Journey, error) bool) {
		for i := range n {
			history := u.journeys[i].Events[:u.truths[i].Cutoff.Events]
			shorter := features.Journey{Customer: u.journeys[i].Customer, Profile: u.journeys[i].Profile}
			for gone := range history {
				shorter.Events = append(append(shorter.Events[:0], history[:gone]...), history[gone+1:]...)
				if !yield(&shorter, nil) {
					return
				}
			}
		}
	}
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
			m.Events++
			m.Found += figure(100 * points)
			m.Planted += figure(100 * u.truths[i].Impact[t][e])
		}
	}
	var all []plantedMoment
	for _, m := range byType {
		m.Found /= figure(m.Events)
		m.Planted /= figure(m.Events)
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b plantedMoment) int {
		return cmp.Or(cmp.Compare(math.Abs(float64(b.Planted)), math.Abs(float64(a.Planted))), cmp.Compare(a.Type, b.Type))
	})
	return all
}

// hitCauses compares the event found to move a customer most with the planted
// cause.
func (u *unseen) hitCauses(t int, target string, found [][2][]float64) plantedCause {
	var x, y []float64
	customers, hits, chance := 0, 0, 0.
	for i := range found {
		x, y = append(x, u.truths[i].Impact[t]...), append(y, found[i][t]...)
		cause := u.truths[i].Cause[t]
		if cause == nil {
			continue
		}
		equals := append([]int{cause.Event}, cause.Ties...)
		slices.Sort(equals)
		equals = slices.Compact(equals)
		customers++
		chance += float64(len(equals)) / float64(len(found[i][t]))
		if slices.Contains(equals, largest(found[i][t])) {
			hits++
		}
	}
	return plantedCause{
		Target: target, Customers: customers, Hits: figure(float64(hits) / float64(customers)),
		Chance: figure(chance / float64(customers)), Correlation: figure(correlation(x, y)),
	}
}

// largest is the position of the value of largest size.
func largest(values []float64) int {
	best := 0
	for i, v := range values {
		if math.Abs(v) > math.Abs(values[best]) {
			best = i
		}
	}
	return best
}

// correlation is Pearson's.
func correlation(x, y []float64) float64 {
	mx, _ := metric.MeanSD(x)
	my, _ := metric.MeanSD(y)
	var xy, xx, yy float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}

// momentsShown is how many event types of each target the table lists.
const momentsShown = 6

// print writes the comparison for people.
func (p *planted) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "Found against planted, on %d customers that training has not seen\n\n", p.Customers)
	fmt.Fprintln(w, "outcome\trate\tAUROC\tof the truth\tlog-loss\tof the truth\tof the rate\tECE\t")
	for _, t := range p.Targets {
		fmt.Fprintf(w, "%s\t%.3f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t\n", t.Name, t.Rate, t.AUROC, t.AUROCTrue, t.Loss, t.LossTrue, t.LossRate, t.ECE)
	}
	w.Flush()

	fmt.Fprintln(out, "\nMoments of truth: mean effect of one event, in points of probability, by removing it")
	fmt.Fprintln(w, "outcome\tevent\tevents\tplanted\tfound\t")
	shown := map[string]int{}
	for _, m := range p.Moments {
		if shown[m.Target]++; shown[m.Target] <= momentsShown {
			fmt.Fprintf(w, "%s\t%s\t%d\t%+.1f\t%+.1f\t\n", m.Target, m.Type, m.Events, m.Planted, m.Found)
		}
	}
	w.Flush()
	for _, c := range p.Causes {
		fmt.Fprintf(out, "%s: the event found to matter most is the planted cause for %.0f %% of %d customers (by chance %.0f %%); correlation over all events %.2f\n",
			c.Target, 100*c.Hits, c.Customers, 100*c.Chance, c.Correlation)
	}

	a := p.Anomalies
	fmt.Fprintf(out, "\nAnomalies, flagged at a promised alert rate of %.1f %%\n", 100*a.AlertRate)
	fmt.Fprintln(w, "planted\tjourneys\tflagged\t")
	for _, k := range a.Kinds {
		fmt.Fprintf(w, "%s\t%d\t%d\t\n", k.Kind, k.Planted, k.Flagged)
	}
	w.Flush()
	fmt.Fprintf(out, "normal journeys flagged %.1f %%; of the flagged %.0f %% are planted, of the planted %.0f %% are flagged; AUROC of the anomaly score %.3f\n",
		100*a.NormalRate, 100*a.Precision, 100*a.Recall, a.AUROC)
}
