package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"moments/datasets"
	"moments/features"
	"moments/infer"
	"moments/infer/alerts"
	"moments/weights"
)

// feedbackCommand tunes thresholds by verdicts.
type feedbackCommand struct {
	Bundle   string   `arg:"" help:"Folder of the bundle; its thresholds change."`
	File     string   `xor:"what" placeholder:"FILE" help:"Verdicts, CSV with a header: customer, verdict (true, false or desirable) and, optionally, cutoff as in the score file."`
	Restore  bool     `xor:"what" help:"Put the thresholds back to the alert rate, and forget all verdicts."`
	Task     string   `placeholder:"FILE" help:"Read the data of this task, rather than of the one that the bundle was trained for."`
	Events   []string `sep:"none" placeholder:"FILE" help:"Read events from here, rather than from the task's source; once for each source, in their order."`
	Profiles []string `sep:"none" placeholder:"FILE" help:"Read profiles from here, in the same way."`
	DryRun   bool     `help:"Only print what would change."`
	JSON     bool     `name:"json" help:"Print the result as JSON."`
}

// Help says what the flags do not.
func (*feedbackCommand) Help() string {
	return `Reads what people found flagged, or overlooked, journeys to be, and tunes the
threshold of each cause by it: "true" is worth an alert, "false" is ordinary, and
"desirable" is unusual but welcome, and no cause for an alert. Nothing is trained
again and p-values stay what they are; "moments score" and "moments alerts" use the
thresholds for their alerts from then on. Verdicts add up over calls, the last one
on a journey counts. The alert rate of training is kept, and --restore goes back to
it.

  moments feedback weights/shop --file verdicts.csv
  moments feedback weights/shop --restore`
}

// Run tunes and prints.
func (v *feedbackCommand) Run(ctx context.Context, c *console) error {
	if v.File == "" && !v.Restore {
		return wrongf("feedback: want --file FILE with verdicts, or --restore")
	}
	bundle, err := weights.Open(v.Bundle)
	if err != nil {
		return wrong(err)
	}
	before, err := bundle.Alerts()
	if err != nil {
		return wrong(err)
	}
	after := weights.Alerts{Senses: before.Senses}
	judged := before.Verdicts
	if !v.Restore {
		if judged, err = v.verdicts(ctx, c, bundle, before.Verdicts); err != nil {
			return err
		}
		after.Verdicts = judged
		after.Thresholds = alerts.Tune(after, bundle.AlertRate)
	}
	result := newTuned(bundle, weights.Alerts{Thresholds: before.Thresholds, Verdicts: judged}, weights.Alerts{Thresholds: after.Thresholds, Verdicts: judged})
	if !v.DryRun {
		if err := bundle.SetAlerts(after); err != nil {
			return err
		}
		if err := bundle.Save(v.Bundle); err != nil {
			return err
		}
		c.log.Info("saved the thresholds", "bundle", v.Bundle, "verdicts", len(after.Verdicts), "thresholds", len(after.Thresholds))
	}
	if v.JSON {
		return c.printJSON(result)
	}
	result.print(c.out)
	return nil
}

// A verdict is a row of the file.
type verdict struct {
	customer string
	cutoff   int64 // microseconds; 0 for the end of the data
	verdict  string
	line     int
}

// readVerdicts reads the file; errors name its lines.
func readVerdicts(path string) ([]verdict, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("feedback: %s: header: %w", path, err)
	}
	customer, cutoff, what := slices.Index(header, "customer"), slices.Index(header, "cutoff"), slices.Index(header, "verdict")
	if customer < 0 || what < 0 {
		return nil, fmt.Errorf("feedback: %s: columns are %q, want customer, verdict and perhaps cutoff", path, header)
	}
	var list []verdict
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("feedback: %s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		v := verdict{customer: row[customer], verdict: row[what], line: line}
		if !slices.Contains([]string{weights.Confirmed, weights.Refuted, weights.Desirable}, v.verdict) {
			return nil, fmt.Errorf("feedback: %s:%d: verdict is %q, want %s, %s or %s", path, line, v.verdict, weights.Confirmed, weights.Refuted, weights.Desirable)
		}
		if cutoff >= 0 && row[cutoff] != "" {
			if v.cutoff, _, _, err = features.ParseTime(row[cutoff]); err != nil {
				return nil, fmt.Errorf("feedback: %s:%d: cutoff: %w", path, line, err)
			}
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("feedback: %s has no verdict", path)
	}
	return list, nil
}

// verdicts scores the journeys that the file judges and adds them to those
// known.
func (v *feedbackCommand) verdicts(ctx context.Context, c *console, bundle *weights.Bundle, known []weights.Verdict) ([]weights.Verdict, error) {
	rows, err := readVerdicts(v.File)
	if err != nil {
		return nil, wrong(err)
	}
	scoring := scoreCommand{Bundle: v.Bundle, Task: v.Task, Events: v.Events, Profiles: v.Profiles}
	task, err := scoring.task(bundle)
	if err != nil {
		return nil, err
	}
	scorer, err := c.newScorer(bundle, infer.ScorerOptions{Reasons: 1, SkipTargets: true})
	if err != nil {
		return nil, wrong(err)
	}
	data, err := openData(ctx, c, task, datasets.OpenOptions{Layout: &bundle.Layout, NoLabels: true, Cache: -1})
	if err != nil {
		return nil, err
	}
	defer closeData(c, data)
	now, err := scoring.moment(data)
	if err != nil {
		return nil, wrong(err)
	}
	byCustomer := map[string][]verdict{}
	for _, row := range rows {
		byCustomer[row.customer] = append(byCustomer[row.customer], row)
	}
	all := slices.Clone(known)
	end := newCut(task.Rule(), now)
	for j, err := range data.Journeys(ctx) {
		if err != nil {
			return nil, err
		}
		for _, row := range byCustomer[j.Customer] {
			judged, err := v.judge(scorer, j, row, end)
			if err != nil {
				return nil, wrong(err)
			}
			all = addVerdict(all, judged)
		}
		delete(byCustomer, j.Customer)
	}
	for _, row := range rows {
		if byCustomer[row.customer] != nil {
			return nil, wrongf("feedback: %s:%d: the data has no customer %q", v.File, row.line, row.customer)
		}
	}
	return all, nil
}

// judge scores one journey where the verdict looked at it.
func (v *feedbackCommand) judge(scorer *infer.Scorer, j *features.Journey, row verdict, end cutFunc) (weights.Verdict, error) {
	cut := end
	if row.cutoff != 0 {
		cut = func(j *features.Journey) (features.Cutoff, bool) {
			return newCut(features.CutoffRule{At: row.cutoff + 1}, row.cutoff+1)(j)
		}
	}
	at, ok := cut(j)
	if !ok {
		return weights.Verdict{}, fmt.Errorf("feedback: %s:%d: the journey of customer %q begins after its cutoff", v.File, row.line, row.customer)
	}
	s, err := scorer.ScoreJourney(j, at)
	if err != nil {
		return weights.Verdict{}, err
	}
	if s.Direction == "" {
		return weights.Verdict{}, fmt.Errorf("feedback: the bundle looks for no anomalies")
	}
	judged := weights.Verdict{Customer: j.Customer, Cutoff: at.Time, Verdict: row.verdict, PValue: s.Anomaly}
	if len(s.Causes) > 0 {
		judged.Cause = s.Causes[0].Key()
	}
	return judged, nil
}

// addVerdict replaces an earlier verdict on the same journey.
func addVerdict(all []weights.Verdict, v weights.Verdict) []weights.Verdict {
	same := func(o weights.Verdict) bool { return o.Customer == v.Customer && o.Cutoff == v.Cutoff }
	if at := slices.IndexFunc(all, same); at >= 0 {
		all[at] = v
		return all
	}
	return append(all, v)
}

// tuned is what the verb prints.
type tuned struct {
	AlertRate  float64          `json:"alert_rate"`
	Verdicts   int              `json:"verdicts"`
	Before     mistakes         `json:"before"`
	After      mistakes         `json:"after"`
	Thresholds []tunedThreshold `json:"thresholds"` // that differ from the alert rate, before or after
}

// mistakes are alerts.Rates as they are printed.
type mistakes struct {
	FalsePositive figure `json:"false_positive_rate"`
	FalseNegative figure `json:"false_negative_rate"`
	Ordinary      int    `json:"ordinary"`
	FalseAlerts   int    `json:"false_alerts"`
	True          int    `json:"true"`
	Missed        int    `json:"missed"`
}

type tunedThreshold struct {
	Cause  string  `json:"cause"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

func newTuned(b *weights.Bundle, before, after weights.Alerts) *tuned {
	t := &tuned{
		AlertRate: b.AlertRate, Verdicts: len(before.Verdicts),
		Before: mistakesOf(alerts.Judge(before, b.AlertRate)), After: mistakesOf(alerts.Judge(after, b.AlertRate)), Thresholds: []tunedThreshold{},
	}
	causes := []string{}
	for _, of := range []weights.Alerts{before, after} {
		for cause := range of.Thresholds {
			causes = append(causes, cause)
		}
	}
	slices.Sort(causes)
	threshold := func(a weights.Alerts, cause string) float64 {
		if p, ok := a.Thresholds[cause]; ok {
			return p
		}
		return b.AlertRate
	}
	for _, cause := range slices.Compact(causes) {
		t.Thresholds = append(t.Thresholds, tunedThreshold{cause, threshold(before, cause), threshold(after, cause)})
	}
	return t
}

func mistakesOf(r alerts.Rates) mistakes {
	return mistakes{figure(r.FalsePositive()), figure(r.FalseNegative()), r.Ordinary, r.FalseAlerts, r.True, r.Missed}
}

// print writes the result for people.
func (t *tuned) print(out io.Writer) {
	fmt.Fprintf(out, "%d verdicts; alerts up to a p-value of %g where nothing else is said\n", t.Verdicts, t.AlertRate)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tbefore\tafter\t")
	fmt.Fprintf(w, "false-positive rate\t%s\t%s\t\n", rate(t.Before.FalseAlerts, t.Before.Ordinary), rate(t.After.FalseAlerts, t.After.Ordinary))
	fmt.Fprintf(w, "false-negative rate\t%s\t%s\t\n", rate(t.Before.Missed, t.Before.True), rate(t.After.Missed, t.After.True))
	for _, x := range t.Thresholds {
		fmt.Fprintf(w, "threshold of %s\t%.3g\t%.3g\t\n", x.Cause, x.Before, x.After)
	}
	w.Flush()
}

// rate writes k of n.
func rate(k, n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f %% (%d of %d)", 100*float64(k)/float64(n), k, n)
}
