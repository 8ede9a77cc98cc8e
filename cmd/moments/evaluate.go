package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"time"

	"moments/cmd/moments/table"
	"moments/datasets"
	"moments/features"
	"moments/train"
	"moments/weights"
)

// evaluateCommand cross-validates a task or evaluates a bundle.
type evaluateCommand struct {
	Subject     string `arg:"" name:"task|bundle" help:"A task file, which is cross-validated, or the folder of a bundle, which is tested."`
	Folds       int    `default:"5" help:"Of a task: number of folds."`
	Seeds       int    `default:"1" help:"Of a task: cross-validate so many times, each with other folds and other starting weights."`
	Task        string `type:"path" placeholder:"FILE" help:"Of a bundle: another task whose labelled examples it is tested on, all of them."`
	JSON        string `name:"json" placeholder:"FILE" help:"Write the figures as JSON; - is standard output."`
	Predictions string `type:"path" placeholder:"FILE" help:"Write the predictions of the test examples: .csv, .jsonl or .parquet."`
}

// Help says what the flags do not.
func (*evaluateCommand) Help() string {
	return `A task is cross-validated: for each fold the schema and the networks are fitted
anew, saved as a bundle, opened again and tested on customers that they have not
seen. With split: {by: time} the folds are rolling origins. Reported are mean and
standard deviation over the folds of AUROC, AUPRC, log-loss, Brier score and
expected calibration error (15 bins of equal mass), for each target and, where
the task has several cutoffs, for each of them. Where anomaly.labels say which
customers are anomalies, so are AUROC and AUPRC of the anomaly score, and precision,
recall and false alarms at the alert rate. Where there are events, so is the
AUROC of each kind of network alone, and of the blend when the order of the
events is shuffled: types and attributes are dealt out anew over the times.

A bundle is tested on the test split of the task it was trained for, or on every
labelled example of --task.

  moments evaluate task.yaml --folds 5 --json figures.json
  moments evaluate task.yaml --folds 5 --seeds 3 --predictions oof.csv
  moments evaluate weights/loans
  moments evaluate weights/loans --task loans-2026.yaml --json -`
}

// Run evaluates.
func (v *evaluateCommand) Run(ctx context.Context, c *console) error {
	if err := v.checkOutputs(); err != nil {
		return wrong(err)
	}
	info, err := os.Stat(v.Subject)
	if err != nil {
		return wrong(err)
	}
	began := time.Now()
	run := v.crossValidate
	if info.IsDir() {
		run = v.test
	}
	of, predictions, err := run(ctx, c)
	if err != nil {
		return err
	}
	if v.Predictions != "" {
		if err := writePredictions(v.Predictions, of.targets, predictions); err != nil {
			return err
		}
	}
	e := newEvaluation(of.name, of.targets, predictions, time.Since(began))
	e.Anomaly = newAnomalyReport(predictions, of.alertRate)
	return v.report(c, e)
}

// A subject is what is evaluated.
type subject struct {
	name      string
	targets   []string
	alertRate float64
}

// checkOutputs refuses paths that cannot be written to, before hours of work.
func (v *evaluateCommand) checkOutputs() error {
	if v.Predictions != "" {
		if err := table.Check(v.Predictions); err != nil {
			return err
		}
	}
	if v.JSON != "" && v.JSON != "-" {
		return table.CheckFile(v.JSON)
	}
	return nil
}

func (v *evaluateCommand) report(c *console, e evaluation) error {
	if v.JSON == "-" {
		return c.printJSON(e)
	}
	if v.JSON != "" {
		text, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			return err
		}
		if err := table.WriteFile(v.JSON, append(text, '\n')); err != nil {
			return err
		}
	}
	return e.print(c.out)
}

// crossValidate trains and tests one bundle for each fold and seed.
func (v *evaluateCommand) crossValidate(ctx context.Context, c *console) (of subject, all []prediction, err error) {
	switch {
	case v.Task != "":
		return of, nil, wrongf("evaluate: --task is for bundles; %s is a task itself", v.Subject)
	case v.Folds < 2:
		return of, nil, wrongf("evaluate: --folds is %d, want at least 2", v.Folds)
	case v.Seeds < 1:
		return of, nil, wrongf("evaluate: --seeds is %d, want at least 1", v.Seeds)
	}
	s, err := openTask(ctx, c, v.Subject, datasets.OpenOptions{})
	if err != nil {
		return of, nil, err
	}
	defer s.close(c)
	if len(s.data.TargetNames()) == 0 && s.task.Anomaly.Labels == nil {
		return of, nil, wrongf("evaluate: task %s has no targets and no anomaly.labels, want something to measure", s.task.Name)
	}
	for seed := range v.Seeds {
		predictions, err := v.oneSeed(ctx, c, s, seed)
		if err != nil {
			return of, nil, err
		}
		all = append(all, predictions...)
	}
	return subject{s.task.Name, s.data.TargetNames(), s.task.Anomaly.AlertRate}, all, nil
}

// oneSeed cross-validates once. The anomaly network is left out where it has no
// labels to be measured by.
func (v *evaluateCommand) oneSeed(ctx context.Context, c *console, s *source, seed int) ([]prediction, error) {
	spec := s.task.Split
	spec.Seed += uint64(seed)
	folds, err := datasets.Folds(s.refs, spec, v.Folds)
	if err != nil {
		return nil, wrong(err)
	}
	config, err := s.settings()
	if err != nil {
		return nil, err
	}
	labelled := s.task.Anomaly.Labels != nil
	config.Denoise, config.Foretell = config.Denoise && labelled, config.Foretell && labelled
	config.Seed += uint64(seed) << 32
	var all []prediction
	for k, parts := range folds {
		fold := seed*len(folds) + k
		bundle, test, err := s.fit(ctx, c, parts, config, train.Options{})
		if err != nil {
			return nil, err
		}
		predictions, err := measure(c, bundle, fold, test)
		if err != nil {
			return nil, err
		}
		all = append(all, predictions...)
		c.log.Info("tested", "fold", fold+1, "of", v.Seeds*len(folds), "rows", len(predictions))
	}
	return all, nil
}

// test has a saved bundle score labelled examples.
func (v *evaluateCommand) test(ctx context.Context, c *console) (of subject, predictions []prediction, err error) {
	bundle, err := weights.Open(v.Subject)
	if err != nil {
		return of, nil, wrong(err)
	}
	test, err := v.testExamples(ctx, c, bundle)
	if err != nil {
		return of, nil, err
	}
	predictions, err = predict(c, bundle, 0, test)
	return subject{bundle.Name, bundle.Targets, bundle.AlertRate}, predictions, err
}

// testExamples encodes, with the bundle's schema, the test split of its own
// task or every labelled example of another.
func (v *evaluateCommand) testExamples(ctx context.Context, c *console, bundle *weights.Bundle) (test tested, err error) {
	var task *datasets.Task
	if v.Task != "" {
		task, err = datasets.LoadTask(v.Task)
	} else {
		task, err = taskOf(bundle, v.Subject)
	}
	if err != nil {
		return test, wrong(err)
	}
	if len(bundle.Targets) == 0 && task.Anomaly.Labels == nil {
		return test, wrongf("evaluate: bundle %s has no targets and task %s no anomaly.labels, want something to measure", bundle.Name, task.Name)
	}
	own := bytes.Equal(task.Raw, bundle.TaskYAML)
	s, err := openSource(ctx, c, task, datasets.OpenOptions{Layout: &bundle.Layout})
	if err != nil {
		return test, err
	}
	defer s.close(c)
	columns, err := labelColumns(bundle.Targets, s.data.TargetNames())
	if err != nil {
		return test, err
	}
	wanted := func(int) bool { return true }
	if own {
		parts, err := datasets.Split(s.refs, task.Split)
		if err != nil {
			return test, wrong(err)
		}
		onlyAnomalies := len(bundle.Targets) == 0
		wanted = func(i int) bool { return parts[i] == datasets.Test || onlyAnomalies && s.refs[i].Anomalous }
	}
	if test.examples, err = encodeCuts(ctx, s.data, bundle.Schema, columns, wanted, nil); err != nil {
		return test, err
	}
	test.shuffled, err = shuffled(ctx, s.data, bundle.Schema, columns, wanted)
	return test, err
}

// labelColumns finds each of the bundle's targets among the task's.
func labelColumns(want, have []string) ([]int, error) {
	at := map[string]int{}
	for i, name := range have {
		at[name] = i
	}
	columns := make([]int, len(want))
	for i, name := range want {
		column, ok := at[name]
		if !ok {
			return nil, wrongf("evaluate: the task has the targets %q, want %q, which the bundle predicts", have, name)
		}
		columns[i] = column
	}
	return columns, nil
}

// encodeCuts encodes the wanted cuts of a data set; columns says which of its
// labels to keep, in which order, and change, if any, what a journey becomes
// that is cut after a number of events.
func encodeCuts(ctx context.Context, data *datasets.Dataset, schema *features.Schema, columns []int, wanted func(cut int) bool,
	change func(*features.Journey, int) *features.Journey) ([]features.Example, error) {
	encoder := schema.NewEncoder()
	var examples []features.Example
	i := 0
	for cut, err := range data.Cuts(ctx, datasets.CutOptions{}) {
		if err != nil {
			return nil, wrong(err)
		}
		if wanted(i) {
			ex := features.Example{Customer: cut.Journey.Customer, Cutoff: cut.Cutoff, Anomaly: cut.Anomaly}
			for _, column := range columns {
				ex.Labels = append(ex.Labels, cut.Labels[column])
			}
			journey := cut.Journey
			if change != nil {
				journey = change(journey, cut.Cutoff.Events)
			}
			if schema.TokenNormalizer != nil { // some network follows the events
				encoder.EncodeTokens(journey, cut.Cutoff, &ex)
			} else {
				encoder.EncodeJourney(journey, cut.Cutoff, &ex)
			}
			examples = append(examples, ex)
		}
		i++
	}
	return examples, nil
}

// writePredictions writes one row for each example and target, and one for each
// example with a known anomaly label, whose probability is 1 minus the p-value.
func writePredictions(path string, targets []string, predictions []prediction) error {
	w, err := table.Create(path, []table.Column{
		{Name: "customer"}, {Name: "cutoff", Type: table.Time}, {Name: "group"}, {Name: "fold", Type: table.Integer},
		{Name: "target"}, {Name: "label", Type: table.Single}, {Name: "probability", Type: table.Single}, {Name: "score", Type: table.Single},
	})
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, p := range predictions {
		write := func(target string, label float32, probability float64, score table.Cell) error {
			return w.Write([]table.Cell{
				table.String(p.customer), cutoffCell(p.cutoff), table.String(p.group), table.Int(int64(p.fold)),
				table.String(target), table.Float(float64(label)), table.Float(probability), score,
			})
		}
		for t, target := range targets {
			if err := write(target, p.labels[t], float64(p.probabilities[t]), table.Cell{}); err != nil {
				return err
			}
		}
		if j := p.judged; j.label == j.label {
			if err := write("anomaly", j.label, 1-j.pValue, table.Float(float64(j.score))); err != nil {
				return err
			}
		}
	}
	return w.Commit()
}
