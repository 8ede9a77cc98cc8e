package main

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"moments/cmd/moments/table"
	"moments/datasets"
	"moments/features"
	"moments/infer"
	"moments/weights"
)

// scoreCommand scores every customer.
type scoreCommand struct {
	Bundle   string   `arg:"" help:"Folder of the bundle."`
	Output   string   `short:"o" required:"" placeholder:"FILE" help:"The file to write: .csv, .jsonl or .parquet."`
	Task     string   `placeholder:"FILE" help:"Read the data of this task, rather than of the one that the bundle was trained for."`
	Events   []string `sep:"none" placeholder:"FILE" help:"Read events from here, rather than from the task's source; once for each source, in their order."`
	Profiles []string `sep:"none" placeholder:"FILE" help:"Read profiles from here, in the same way."`
	At       string   `placeholder:"TIME" help:"Score as of this moment: only earlier events are seen. Default: the end of the data."`
	Reasons  int      `default:"3" placeholder:"N" help:"Reasons to give for each target and the anomaly; 0 is fastest."`
	JSON     bool     `name:"json" help:"Print a summary as JSON."`
}

// Help says what the flags do not.
func (*scoreCommand) Help() string {
	return `One row for each customer: customer, cutoff, a calibrated probability for each
target, anomaly (a conformal p-value: small is strange), anomaly_score,
anomaly_direction (positive, negative or mixed), reasons, a JSON list of the
groups of features that moved the scores most, in points of probability,
anomaly_alert, 1 where the p-value is within the alert rate or the threshold that
"moments feedback" tuned, and anomaly_causes, a JSON list of what made the journey
unusual, seen and expected side by side. Label files are not read. Customers
without any event before --at are left out and counted.

  moments score weights/loans -o scores.parquet
  moments score weights/loans --events june.csv --profiles customers.csv -o june.csv
  moments score weights/loans --at 2026-06-01 --reasons 0 -o scores.jsonl`
}

// A scoring is the summary of one run.
type scoring struct {
	Bundle    string  `json:"bundle"`
	Customers int     `json:"customers"` // scored
	LeftOut   int     `json:"left_out"`  // not begun at the moment asked for
	Flagged   int     `json:"flagged"`   // with an alert
	Seconds   float64 `json:"seconds"`   // of scoring, after the data was read
}

// Run scores.
func (v *scoreCommand) Run(ctx context.Context, c *console) error {
	summary, err := v.score(ctx, c)
	if err != nil {
		return err
	}
	c.log.Info("scored", "customers", summary.Customers, "left_out", summary.LeftOut, "flagged", summary.Flagged, "seconds", summary.Seconds,
		"per_second", math.Round(float64(summary.Customers)/max(summary.Seconds, 1e-3)), "file", v.Output)
	if v.JSON {
		return c.printJSON(summary)
	}
	return nil
}

func (v *scoreCommand) score(ctx context.Context, c *console) (*scoring, error) {
	if err := table.Check(v.Output); err != nil {
		return nil, wrong(err)
	}
	bundle, err := weights.Open(v.Bundle)
	if err != nil {
		return nil, wrong(err)
	}
	task, err := v.task(bundle)
	if err != nil {
		return nil, err
	}
	scorer, err := c.newScorer(bundle, infer.ScorerOptions{Reasons: v.Reasons})
	if err != nil {
		return nil, wrong(err)
	}
	data, err := openData(ctx, c, task, datasets.OpenOptions{Layout: &bundle.Layout, NoLabels: true, Cache: -1, Quarantine: quarantineOf(v.Output)})
	if err != nil {
		return nil, err
	}
	defer closeData(c, data)
	now, err := v.moment(data)
	if err != nil {
		return nil, wrong(err)
	}
	return writeScores(ctx, c, v.Output, bundle, scorer, data, newCut(task.Rule(), now))
}

// task is the bundle's task, or another, with its sources replaced.
func (v *scoreCommand) task(bundle *weights.Bundle) (*datasets.Task, error) {
	task, err := taskOf(bundle, v.Bundle)
	if v.Task != "" {
		task, err = datasets.LoadTask(v.Task)
	}
	if err != nil {
		return nil, wrong(err)
	}
	task, err = task.WithSources(v.Events, v.Profiles)
	return task, wrong(err)
}

// A cutFunc says where to cut a journey for scoring, or to leave it out.
type cutFunc func(*features.Journey) (features.Cutoff, bool)

// newCut cuts journeys for a score now, a moment in microseconds.
func newCut(rule features.CutoffRule, now int64) cutFunc {
	return func(j *features.Journey) (features.Cutoff, bool) { return rule.Present(j, now) }
}

// moment is --at or, without it, the end of the data: that which the task
// declares, or its last event where that is later, as it is in newer files.
func (v *scoreCommand) moment(data *datasets.Dataset) (int64, error) {
	if v.At != "" {
		return data.Task().Moment(v.At)
	}
	if data.Quality().Events == 0 {
		return features.NoLimit, nil
	}
	last, err := time.Parse(time.RFC3339, data.Quality().Last)
	return max(data.End()+1, last.Add(time.Second).UnixMicro()), err
}

// writeScores streams the scores of all journeys to a file.
func writeScores(ctx context.Context, c *console, path string, bundle *weights.Bundle, scorer *infer.Scorer, data *datasets.Dataset, cut cutFunc) (*scoring, error) {
	out, err := table.Create(path, scoreColumns(bundle.Targets))
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	summary := &scoring{Bundle: bundle.Name}
	counted := func(j *features.Journey) (features.Cutoff, bool) {
		cutoff, ok := cut(j)
		if !ok {
			summary.LeftOut++
		}
		return cutoff, ok
	}
	shown := c.stage("scoring", data.Quality().Customers)
	var row []table.Cell
	err = scorer.Score(ctx, data.Journeys(ctx), counted, func(s *infer.Score) error {
		shown.add()
		if s.Alert {
			summary.Flagged++
		}
		var err error
		if row, err = appendScore(row[:0], s); err != nil {
			return err
		}
		return out.Write(row)
	})
	summary.Seconds = math.Round(shown.end().Seconds()*1000) / 1000
	if err != nil {
		return nil, err
	}
	summary.Customers = out.Rows()
	return summary, out.Commit()
}

func scoreColumns(targets []string) []table.Column {
	columns := []table.Column{{Name: "customer"}, {Name: "cutoff", Type: table.Time}}
	for _, target := range targets {
		columns = append(columns, table.Column{Name: target, Type: table.Single})
	}
	return append(columns,
		table.Column{Name: "anomaly", Type: table.Real}, table.Column{Name: "anomaly_score", Type: table.Real},
		table.Column{Name: "anomaly_direction"}, table.Column{Name: "reasons", Type: table.JSON},
		table.Column{Name: "anomaly_alert", Type: table.Integer}, table.Column{Name: "anomaly_causes", Type: table.JSON})
}

// A reason is infer.Reason as the score file holds it.
type reason struct {
	Target string  `json:"target"`
	Group  string  `json:"group"`
	Impact float64 `json:"impact"`
}

// appendScore appends the cells of one score.
func appendScore(row []table.Cell, s *infer.Score) ([]table.Cell, error) {
	row = append(row, table.String(s.Customer), cutoffCell(s.Cutoff))
	for _, p := range s.Probabilities {
		row = append(row, table.Float(float64(p)))
	}
	direction := table.Cell{}
	if s.Direction != "" {
		direction = table.String(string(s.Direction))
	}
	reasons := make([]reason, len(s.Reasons))
	for i, r := range s.Reasons {
		reasons[i] = reason{r.Target, r.Group, math.Round(r.Impact*1e4) / 1e4}
	}
	text, err := json.Marshal(reasons)
	if err != nil {
		return row, err
	}
	causes, err := json.Marshal(causesOf(s.Causes))
	alert := table.Int(0)
	if s.Alert {
		alert = table.Int(1)
	}
	if s.Direction == "" {
		alert, causes = table.Cell{}, []byte("[]")
	}
	return append(row, table.Float(s.Anomaly), table.Float(s.AnomalyScore), direction, table.Document(text), alert, table.Document(causes)), err
}

// A cause is infer.Cause as files and JSON hold it.
type cause struct {
	Group     string  `json:"group"`
	Column    string  `json:"column"`
	Event     *int    `json:"event,omitempty"` // index of the journey's event, where it is about one
	What      string  `json:"what"`
	Seen      string  `json:"seen"`
	Expected  string  `json:"expected"`
	Share     float64 `json:"share"` // of the evidence
	Direction string  `json:"direction"`
}

func causesOf(causes []infer.Cause) []cause {
	list := make([]cause, len(causes))
	for i := range causes {
		c := &causes[i]
		list[i] = cause{
			Group: c.Group, Column: c.Column, What: c.What(), Seen: c.SeenWords, Expected: c.ExpectedWords,
			Share: math.Round(c.Share*1e4) / 1e4, Direction: string(c.Direction),
		}
		if event := c.Event; event >= 0 {
			list[i].Event = &event
		}
	}
	return list
}
