package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"moments/train/metric"
)

// A prediction is what a saved bundle said of one test example, beside what
// happened.
type prediction struct {
	customer      string
	cutoff        int64  // µs
	group         string // of the cutoff rule; "" when there is one rule
	fold          int
	labels        []float32 // by target; NaN where unknown
	probabilities []float32 // by target

	others map[string][]float32 // the same by variant: see variants
	judged judged
}

// An evaluation is what evaluate reports. Its JSON is a contract.
type evaluation struct {
	Name    string                  `json:"name"`
	Rows    int                     `json:"rows"` // predictions, over all folds
	Seconds float64                 `json:"seconds"`
	Targets map[string]targetReport `json:"targets"`
	Anomaly *anomalyReport          `json:"anomaly,omitempty"` // where anomalies are labelled

	order []string // of the targets, as in the task
}

// A targetReport holds the measures of one target, each over the folds.
type targetReport struct {
	Rows         int    `json:"rows"` // with a known label
	PositiveRate figure `json:"positive_rate"`
	AUROC        spread `json:"auroc"`
	AUPRC        spread `json:"auprc"`
	LogLoss      spread `json:"log_loss"`
	Brier        spread `json:"brier"`
	ECE          spread `json:"ece"`

	// Others is the AUROC of variants of the test: see variants.
	Others   map[string]spread       `json:"auroc_of,omitempty"`
	ByCutoff map[string]targetReport `json:"by_cutoff,omitempty"`
}

// A spread is one measure over the folds. Folds in which it is not defined,
// such as the AUROC of one class, are null and left out of mean and sd.
type spread struct {
	Mean  figure   `json:"mean"`
	SD    figure   `json:"sd"`
	Folds []figure `json:"folds"`
}

// A figure is a number that may be undefined: NaN here, null in JSON.
type figure float64

// MarshalJSON writes null for what JSON has no number for.
func (f figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(f), 'g', 8, 64), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *figure) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*f = figure(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(f))
}

// newEvaluation measures predictions, fold by fold.
func newEvaluation(name string, targets []string, predictions []prediction, took time.Duration) evaluation {
	e := evaluation{
		Name: name, Rows: len(predictions), Seconds: math.Round(took.Seconds()*1000) / 1000,
		Targets: map[string]targetReport{}, order: targets,
	}
	groups := map[string][]prediction{}
	for _, p := range predictions {
		groups[p.group] = append(groups[p.group], p)
	}
	for t, target := range targets {
		report := newTargetReport(t, predictions)
		if len(groups) > 1 {
			report.ByCutoff = map[string]targetReport{}
			for group, members := range groups {
				report.ByCutoff[group] = newTargetReport(t, members)
			}
		}
		e.Targets[target] = report
	}
	return e
}

// newTargetReport measures target t over the folds of the predictions.
func newTargetReport(t int, predictions []prediction) targetReport {
	type columns struct {
		p, y   []float32
		others map[string][]float32
	}
	folds := map[int]*columns{}
	var positives float64
	rows := 0
	for _, p := range predictions {
		label := p.labels[t]
		if math.IsNaN(float64(label)) {
			continue
		}
		fold := folds[p.fold]
		if fold == nil {
			fold = &columns{others: map[string][]float32{}}
			folds[p.fold] = fold
		}
		for name, others := range p.others {
			fold.others[name] = append(fold.others[name], others[t])
		}
		fold.p, fold.y = append(fold.p, p.probabilities[t]), append(fold.y, label)
		positives += float64(label)
		rows++
	}
	var scores []metric.Scores
	aurocs := map[string][]float64{}
	for _, k := range slices.Sorted(maps.Keys(folds)) {
		fold := folds[k]
		scores = append(scores, metric.Score(fold.p, fold.y))
		for name, p := range fold.others {
			aurocs[name] = append(aurocs[name], metric.AUROC(p, fold.y))
		}
	}
	others := map[string]spread{}
	for name, values := range aurocs {
		others[name] = newSpread(values)
	}
	over := func(measure func(metric.Scores) float64) spread {
		values := make([]float64, len(scores))
		for i, s := range scores {
			values[i] = measure(s)
		}
		return newSpread(values)
	}
	return targetReport{
		Rows: rows, PositiveRate: figure(positives / float64(rows)),
		AUROC:   over(func(s metric.Scores) float64 { return s.AUROC }),
		AUPRC:   over(func(s metric.Scores) float64 { return s.AUPRC }),
		LogLoss: over(func(s metric.Scores) float64 { return s.LogLoss }),
		Brier:   over(func(s metric.Scores) float64 { return s.Brier }),
		ECE:     over(func(s metric.Scores) float64 { return s.ECE }),
		Others:  others,
	}
}

func newSpread(values []float64) spread {
	s := spread{Mean: figure(math.NaN()), SD: figure(math.NaN()), Folds: []figure{}}
	var defined []float64
	for _, value := range values {
		s.Folds = append(s.Folds, figure(value))
		if !math.IsNaN(value) {
			defined = append(defined, value)
		}
	}
	if len(defined) > 0 {
		mean, sd := metric.MeanSD(defined)
		s.Mean, s.SD = figure(mean), figure(sd)
	}
	return s
}

// print writes the evaluation as tables for people; nothing where the task has
// neither targets nor labelled anomalies.
func (e evaluation) print(out io.Writer) error {
	if len(e.order) > 0 {
		if err := e.printTargets(out); err != nil {
			return err
		}
	}
	if e.Anomaly == nil {
		return nil
	}
	if len(e.order) > 0 {
		fmt.Fprintln(out)
	}
	return e.Anomaly.print(out)
}

func (e evaluation) printTargets(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "target\trows\tpositive\tAUROC\tAUPRC\tlog-loss\tBrier\tECE\t")
	for _, target := range e.order {
		report := e.Targets[target]
		report.printRow(w, target)
		for _, group := range slices.SortedFunc(maps.Keys(report.ByCutoff), byNumber) {
			report.ByCutoff[group].printRow(w, group)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return e.printOthers(out)
}

// printOthers writes the table of variants, where there are any.
func (e evaluation) printOthers(out io.Writer) error {
	first := e.Targets[e.order[0]]
	names := slices.SortedFunc(maps.Keys(first.Others), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, shuffledOrder), strings.Count(b, shuffledOrder)), strings.Compare(a, b))
	})
	if len(names) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nAUROC of\tthe blend\t%s\t\n", strings.Join(names, "\t"))
	row := func(name string, r targetReport) {
		fmt.Fprintf(w, "%s\t%s\t", name, r.AUROC)
		for _, other := range names {
			fmt.Fprintf(w, "%s\t", r.Others[other])
		}
		fmt.Fprintln(w)
	}
	for _, target := range e.order {
		row(target, e.Targets[target])
		for _, group := range slices.SortedFunc(maps.Keys(e.Targets[target].ByCutoff), byNumber) {
			row(group, e.Targets[target].ByCutoff[group])
		}
	}
	return w.Flush()
}

func (r targetReport) printRow(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%d\t%.3f\t%s\t%s\t%s\t%s\t%s\t\n", name, r.Rows, r.PositiveRate, r.AUROC, r.AUPRC, r.LogLoss, r.Brier, r.ECE)
}

// String is the mean, with the standard deviation where there are folds.
func (s spread) String() string {
	if math.IsNaN(float64(s.Mean)) {
		return "-"
	}
	if len(s.Folds) < 2 {
		return fmt.Sprintf("%.4f", s.Mean)
	}
	return fmt.Sprintf("%.4f ±%.4f", s.Mean, s.SD)
}

// byNumber orders "after 5 events" before "after 10 events": shorter names
// first, then by the alphabet.
func byNumber(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }
