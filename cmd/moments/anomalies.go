package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"moments/features"
	"moments/infer"
	"moments/train/metric"
	"moments/weights"
)

// judged is what a saved bundle's detectors said of one test example, beside
// whether it is a labelled anomaly.
type judged struct {
	label  float32 // 1, 0, or NaN where unknown or not judged
	score  float32
	pValue float64
}

var notJudged = judged{label: float32(math.NaN())}

// judge measures how unusual examples are, where some are labelled anomalies
// and the bundle can tell.
func judge(c *console, b *weights.Bundle, examples []features.Example) ([]judged, error) {
	found := slices.Repeat([]judged{notJudged}, len(examples))
	isAnomaly := func(ex features.Example) bool { return ex.Anomaly == 1 }
	isDetector := func(n weights.Network) bool { return n.Role != weights.Classifier }
	if !slices.ContainsFunc(examples, isAnomaly) || !slices.ContainsFunc(b.Networks, isDetector) {
		return found, nil
	}
	scorer, err := c.newScorer(b, infer.ScorerOptions{})
	if err != nil {
		return nil, err
	}
	scores, err := scorer.ScoreExamples(examples)
	for i := range scores {
		found[i] = judged{examples[i].Anomaly, float32(scores[i].AnomalyScore), scores[i].Anomaly}
	}
	return found, err
}

// An anomalyReport holds the measures of labelled anomalies, each over the
// folds.
type anomalyReport struct {
	Rows      int    `json:"rows"` // with a known label
	Rate      figure `json:"rate"` // of anomalies among them
	AUROC     spread `json:"auroc"`
	AUPRC     spread `json:"auprc"`
	AlertRate figure `json:"alert_rate"` // asked for: the most normal examples that may be flagged

	// Of the examples flagged at the alert rate.
	Precision   spread `json:"precision"`    // share that are anomalies; not defined where none is flagged
	Recall      spread `json:"recall"`       // share of the anomalies that are flagged
	FalseAlarms spread `json:"false_alarms"` // share of the normal examples that are flagged
}

// newAnomalyReport is nil where no example was judged.
func newAnomalyReport(predictions []prediction, alertRate float64) *anomalyReport {
	type columns struct{ scores, flags, labels []float32 }
	var folds []columns
	r := &anomalyReport{AlertRate: figure(alertRate)}
	for _, p := range predictions {
		label := p.judged.label
		if label != label {
			continue
		}
		for len(folds) <= p.fold {
			folds = append(folds, columns{})
		}
		flag := float32(0)
		if p.judged.pValue <= alertRate {
			flag = 1
		}
		f := &folds[p.fold]
		f.scores, f.flags, f.labels = append(f.scores, p.judged.score), append(f.flags, flag), append(f.labels, label)
		r.Rows++
		r.Rate += figure(label)
	}
	if r.Rows == 0 {
		return nil
	}
	r.Rate /= figure(r.Rows)
	over := func(measure func(columns) float64) spread {
		var values []float64
		for _, f := range folds {
			values = append(values, measure(f))
		}
		return newSpread(values)
	}
	r.AUROC = over(func(f columns) float64 { return metric.AUROC(f.scores, f.labels) })
	r.AUPRC = over(func(f columns) float64 { return metric.AUPRC(f.scores, f.labels) })
	r.Precision = over(func(f columns) float64 { return metric.Precision(f.flags, f.labels) })
	r.Recall = over(func(f columns) float64 { return metric.Recall(f.flags, f.labels) })
	r.FalseAlarms = over(func(f columns) float64 { return metric.FalseAlarms(f.flags, f.labels) })
	return r
}

// print writes the table of anomalies.
func (r *anomalyReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "anomalies\trows\tlabelled\tAUROC\tAUPRC\talert rate\tprecision\trecall\tfalse alarms\t")
	fmt.Fprintf(w, "\t%d\t%.3f\t%s\t%s\t%g\t%s\t%s\t%s\t\n", r.Rows, r.Rate, r.AUROC, r.AUPRC, float64(r.AlertRate), r.Precision, r.Recall, r.FalseAlarms)
	return w.Flush()
}
