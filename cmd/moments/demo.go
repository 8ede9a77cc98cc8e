package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"moments/cmd/moments/table"
	"moments/datasets/synthetic"
	"moments/infer"
	"moments/weights"
)

// demoCommand shows the whole way on a base whose truth is known.
type demoCommand struct {
	Output    string  `short:"o" default:"demo" placeholder:"DIR" help:"Folder for the data, the bundle and the scores."`
	Customers int     `default:"4000" help:"Customers to train on; as many again, unseen, judge the result."`
	Seed      uint64  `default:"1" help:"Seed of the customer base."`
	Anomalies float64 `default:"0.02" placeholder:"SHARE" help:"Share of the customers with a planted anomaly."`
	Clean     bool    `help:"Plant anomalies only among the customers that judge the result: train on normal ones."`
	Unlabeled bool    `help:"Train on no targets, and judge the anomalies alone."`
	Full      bool    `help:"Train the networks that a task gets by default, at several times the demo's cost."`
	DataOnly  bool    `help:"Only make the customer base, to try other commands on."`
	JSON      bool    `name:"json" help:"Print the comparison as JSON."`
}

// Help says what the flags do not.
func (*demoCommand) Help() string {
	return `Makes a synthetic customer base with planted causes of conversion and churn and
planted anomalies, trains on it, saves the bundle, scores the base, and compares,
on as many customers again that training has not seen, what was found with what
was planted: the probabilities with the true ones, the events that moved them with
the events that truly did, the flagged journeys with the anomalous ones.

  moments demo
  moments demo -o /tmp/demo --customers 20000 --seed 7
  moments demo -o /tmp/large --customers 200000 --data-only`
}

// Run makes the base, trains, scores and compares.
func (v *demoCommand) Run(ctx context.Context, c *console) error {
	began := time.Now()
	base := synthetic.Default()
	base.Customers, base.Seed, base.Anomalies = v.Customers, v.Seed, v.Anomalies
	judging := base
	if v.Clean {
		base.Anomalies, base.Outages = 0, 0
	}
	if _, err := synthetic.Write(ctx, base, v.Output); err != nil {
		if base.Validate() != nil {
			return wrong(err)
		}
		return err
	}
	c.log.Info("made a customer base", "customers", v.Customers, "folder", v.Output)
	task, dir := filepath.Join(v.Output, synthetic.TaskFile), filepath.Join(v.Output, "bundle")
	if err := v.shrinkTask(task); err != nil || v.DataOnly {
		return err
	}
	if _, err := (&trainCommand{Task: task, Output: dir}).train(ctx, c); err != nil {
		return err
	}
	scores := filepath.Join(v.Output, "scores.parquet")
	scored, err := (&scoreCommand{Bundle: dir, Output: scores, Reasons: 3}).score(ctx, c)
	if err != nil {
		return err
	}
	bundle, err := weights.Open(dir)
	if err != nil {
		return err
	}
	found, err := comparePlanted(ctx, c, bundle, judging)
	if err != nil {
		return err
	}
	if v.JSON {
		return c.printJSON(found)
	}
	found.print(c.out)
	v.printNext(c, scored, task, dir, scores, time.Since(began))
	return nil
}

// quickNetworks is added to the demo's task: one network in place of an
// ensemble, which is trained in seconds.
const quickNetworks = `
# A small part of the default's cost, so that the demo takes seconds.
networks: {ensemble: 1, recurrent: 0}
`

func (v *demoCommand) shrinkTask(task string) error {
	text, err := os.ReadFile(task)
	if err != nil {
		return err
	}
	if v.Unlabeled {
		head, _, _ := bytes.Cut(text, []byte("\ntargets:"))
		_, tail, _ := bytes.Cut(text, []byte("\nsplit:"))
		text = slices.Concat(head, []byte("\nsplit:"), tail)
	}
	if !v.Full {
		text = append(text, quickNetworks...)
	}
	return table.WriteFile(task, text)
}

func (v *demoCommand) printNext(c *console, scored *scoring, task, dir, scores string, took time.Duration) {
	c.printf(`
Scored %d customers in %.1f s; the whole demo took %.0f s. What to do next:
  %-40s the scores, with their reasons
  %-40s the task file: copy it for your own data
  moments init YOUR-FILES... -o task.yaml  drafts one from your files
  moments evaluate %s --folds 5
  moments score %s -o scores.csv
`, scored.Customers, scored.Seconds, took.Seconds(), scores, task, task, dir)
}

// comparePlanted has the bundle judge customers that it has not seen, and
// compares with the truth about them.
func comparePlanted(ctx context.Context, c *console, bundle *weights.Bundle, base synthetic.Config) (*planted, error) {
	unseen, err := generateUnseen(base)
	if err != nil {
		return nil, err
	}
	if err := unseen.checkLayout(bundle); err != nil {
		return nil, err
	}
	c.log.Info("scoring customers that training has not seen", "customers", len(unseen.truths))
	unusual, err := unseen.score(ctx, bundle, infer.ScorerOptions{SkipTargets: true, Reasons: 2})
	if err != nil {
		return nil, err
	}
	result := &planted{
		Customers: len(unseen.truths),
		Anomalies: unseen.compareAnomalies(unusual, len(bundle.Reference.Conformal), bundle.AlertRate),
		Strict:    unseen.compareAnomalies(unusual, len(bundle.Reference.Conformal), 0.01),
	}
	if len(bundle.Targets) == 0 {
		return result, nil
	}
	scores, err := unseen.score(ctx, bundle, infer.ScorerOptions{SkipAnomaly: true})
	if err != nil {
		return nil, err
	}
	result.Targets = unseen.compareTargets(scores)
	return result, unseen.compareMoments(ctx, c, bundle, result)
}
