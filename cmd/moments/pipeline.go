package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"moments/datasets"
	"moments/features"
	"moments/infer"
	"moments/train"
	"moments/weights"
)

// This file wires the rooms: data to train, what train made to weights, what
// weights opened to infer. The verbs are made of its steps.

// A source is a task with its data open.
type source struct {
	task *datasets.Task
	data *datasets.Dataset
	refs []datasets.Ref // of every labelled cut, in the data's order
}

// openTask reads a task file, opens its data and lists its cuts.
func openTask(ctx context.Context, c *console, path string, options datasets.OpenOptions) (*source, error) {
	task, err := datasets.LoadTask(path)
	if err != nil {
		return nil, wrong(err)
	}
	return openSource(ctx, c, task, options)
}

// quarantineOf is the file for the rows that were rejected on the way to an
// output.
func quarantineOf(output string) string { return output + ".quarantine.csv" }

// openSource opens the data of a task; close it after use.
func openSource(ctx context.Context, c *console, task *datasets.Task, options datasets.OpenOptions) (*source, error) {
	began := time.Now()
	c.log.Info("reading the data", "task", task.Name)
	data, err := openData(ctx, c, task, options)
	if err != nil {
		return nil, err
	}
	s := &source{task: task, data: data}
	if s.refs, err = train.Refs(ctx, data); err != nil {
		return nil, errors.Join(wrong(err), data.Close())
	}
	c.log.Info("read the data", "examples", len(s.refs), "targets", len(data.TargetNames()), "took", round(time.Since(began)))
	return s, nil
}

// openData opens the data of a task and logs what was wrong with it.
func openData(ctx context.Context, c *console, task *datasets.Task, options datasets.OpenOptions) (*datasets.Dataset, error) {
	data, err := datasets.Open(ctx, task, options)
	if err != nil {
		return nil, wrong(err)
	}
	if c.machine {
		c.log.Info("data quality", "report", data.Quality())
	} else {
		c.log.Info("data quality\n" + strings.TrimRight(data.Quality().String(), "\n"))
	}
	return data, nil
}

// close removes the temporary files of the data.
func (s *source) close(c *console) { closeData(c, s.data) }

func closeData(c *console, data *datasets.Dataset) {
	if err := data.Close(); err != nil {
		c.log.Warn("closing the data: " + err.Error())
	}
}

// settings returns how the task wants its networks trained.
func (s *source) settings() (train.Config, error) {
	config, err := train.ConfigOf(s.task)
	return config, wrong(err)
}

// fit trains the networks of a task on parts of its data and returns the
// bundle, complete but for its metrics, and what to test it on.
func (s *source) fit(ctx context.Context, c *console, parts []datasets.Part, config train.Config, options train.Options) (*weights.Bundle, tested, error) {
	prepared, err := train.Prepare(ctx, s.data, s.refs, parts, config)
	if err != nil {
		return nil, tested{}, wrong(err)
	}
	c.log.Info("encoded the examples", "train", len(prepared.Train), "validation", len(prepared.Validation), "test", len(prepared.Test), "columns", len(prepared.Schema.Columns()))
	if err := checkSenses(s.task, prepared.Schema); err != nil {
		return nil, tested{}, wrong(err)
	}
	shown := &trainingProgress{console: c}
	options.Progress, options.Log = shown.show, c.log
	bundle, _, err := train.Fit(ctx, prepared, config, options)
	shown.end()
	if err != nil {
		return nil, tested{}, wrong(err)
	}
	bundle.Name, bundle.TaskYAML, bundle.AlertRate = s.task.Name, s.task.Raw, s.task.Anomaly.AlertRate
	build := currentBuild()
	bundle.Versions = map[string]string{"moments": build.Version, "revision": build.Revision, "go": build.Go}
	if err := setSenses(bundle, s.task); err != nil {
		return nil, tested{}, err
	}
	if err := s.calibrate(ctx, c, bundle, prepared, config, options); err != nil {
		return nil, tested{}, err
	}
	test, err := s.test(ctx, prepared, parts)
	return bundle, test, err
}

// calibrate makes what anomalies are compared with. Where the task says that
// some of the unlabelled journeys are anomalies, the strangest of the training
// and validation parts are taken for them, and the anomaly network is trained
// again without them.
func (s *source) calibrate(ctx context.Context, c *console, b *weights.Bundle, p *train.Prepared, config train.Config, options train.Options) error {
	normal, heldOut := p.Normal(), normalOf(p.Validation)
	if err := infer.Calibrate(b, normal, heldOut); err != nil {
		return err
	}
	share := s.task.Anomaly.Contamination
	if share == 0 || !config.Denoise {
		return nil
	}
	scorer, err := infer.NewScorer(b, infer.ScorerOptions{})
	if err != nil {
		return err
	}
	if p.Trimmed, err = strangest(scorer, p.Train, share); err != nil {
		return err
	}
	trimmed, err := strangest(scorer, heldOut, share)
	if err != nil {
		return err
	}
	kept := heldOut[:0:0]
	for i := range heldOut {
		if !trimmed[i] {
			kept = append(kept, heldOut[i])
		}
	}
	c.log.Info("took the strangest examples for anomalies, and trains the anomaly network again without them",
		"contamination", share, "training", len(p.Trimmed), "of", len(p.Train), "calibration", len(trimmed), "of_calibration", len(heldOut))
	options.Checkpoint = "" // that of the first training
	if err := train.Refit(ctx, b, p, config, options); err != nil {
		return err
	}
	return infer.Calibrate(b, p.Normal(), kept)
}

// normalOf leaves out labelled anomalies.
func normalOf(examples []features.Example) []features.Example {
	return slices.DeleteFunc(slices.Clone(examples), func(ex features.Example) bool { return ex.Anomaly == 1 })
}

// strangest is the share of the examples with the highest anomaly scores, by
// index; labelled ones are left alone.
func strangest(scorer *infer.Scorer, examples []features.Example, share float64) (map[int]bool, error) {
	scores, err := scorer.AnomalyScores(examples)
	if err != nil {
		return nil, err
	}
	var order []int
	for i := range examples {
		if examples[i].Anomaly != 1 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	strange := map[int]bool{}
	for _, i := range order[:int(math.Round(share*float64(len(order))))] {
		strange[i] = true
	}
	return strange, nil
}

// checkSenses demands that the task's senses name columns or groups that the
// schema has.
func checkSenses(task *datasets.Task, schema *features.Schema) error {
	known, like := map[string]bool{}, []string(nil)
	for _, column := range append(schema.HabitColumns(), schema.Columns()...) {
		if known[column.Name], known[column.Group] = true, true; len(like) < 3 {
			like = append(like, column.Group, column.Name)
		}
	}
	return task.CheckSenses(func(name string) bool { return known[name] }, like)
}

// setSenses puts the task's senses in the bundle.
func setSenses(b *weights.Bundle, task *datasets.Task) error {
	alerts := weights.Alerts{Senses: map[string]weights.Sense{}}
	for name, sense := range task.Anomaly.Senses {
		alerts.Senses[name] = weights.Sense(sense)
	}
	return b.SetAlerts(alerts)
}

// test returns the test examples of prepared data, with every label.
func (s *source) test(ctx context.Context, prepared *train.Prepared, parts []datasets.Part) (tested, error) {
	if len(prepared.Targets) == 0 {
		return tested{examples: prepared.Test}, nil
	}
	columns := make([]int, len(prepared.Targets))
	for i := range columns {
		columns[i] = i
	}
	other, err := shuffled(ctx, s.data, prepared.Schema, columns, func(i int) bool { return parts[i] == datasets.Test })
	return tested{prepared.Test, other}, err
}

// origin is an attachment of a bundle: where the task file lay, seen from the
// bundle, so that evaluate finds the data again.
type origin struct {
	Task string `json:"task"`
}

const originFile = "origin.json"

// attachOrigin notes where the task lies.
func attachOrigin(b *weights.Bundle, dir, task string) error {
	from, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(task)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(from, to)
	if err != nil {
		return nil // on another drive: evaluate will ask for --task
	}
	text, err := json.Marshal(origin{filepath.ToSlash(relative)})
	if b.Attachments == nil {
		b.Attachments = map[string][]byte{}
	}
	b.Attachments[originFile] = text
	return err
}

// taskOf loads the task that a bundle was trained for, with its paths relative
// to where the task file lay.
func taskOf(b *weights.Bundle, dir string) (*datasets.Task, error) {
	var o origin
	if text, ok := b.Attachments[originFile]; ok {
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, fmt.Errorf("%s of bundle %s: %w", originFile, dir, err)
		}
	}
	return datasets.LoadTaskBytes(b.TaskYAML, filepath.Dir(filepath.Join(dir, filepath.FromSlash(o.Task))))
}

// trainingProgress shows train's progress, one stage for each network.
type trainingProgress struct {
	console *console
	stage   *stage
	network string
}

func (t *trainingProgress) show(p train.Progress) {
	if t.stage == nil || t.network != p.Network {
		t.end()
		t.network, t.stage = p.Network, t.console.stage("training "+p.Network, int64(p.Epochs)*int64(p.Batches))
	}
	t.stage.set(int64(p.Epoch-1)*int64(p.Batches)+int64(p.Batch), "epoch", p.Epoch, "loss", p.TrainLoss, "validation_loss", p.ValidationLoss, "best_epoch", p.BestEpoch)
}

func (t *trainingProgress) end() {
	if t.stage != nil {
		t.stage.end()
		t.stage = nil
	}
}

// round shortens a duration for people.
func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
