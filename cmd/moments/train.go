package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"moments/datasets"
	"moments/train"
	"moments/weights"
)

// trainCommand trains a task and saves the bundle.
type trainCommand struct {
	Task   string `arg:"" help:"The task file."`
	Output string `short:"o" placeholder:"DIR" help:"Folder of the bundle; default weights/<name of the task>."`
	Resume bool   `help:"Go on where an interrupted run of the same task stood."`
	JSON   bool   `name:"json" help:"Print the evaluation on the test split as JSON."`
}

// Help says what the flags do not.
func (*trainCommand) Help() string {
	d := train.DefaultConfig()
	return `Reads and checks the data, fits the schema and the networks on the training
split, calibrates them on the validation split, evaluates the saved bundle on
the test split, and saves it. Ctrl-C keeps a checkpoint in <bundle>.checkpoint
and leaves an older bundle as it was; --resume goes on from there. Rows that
cannot be used go to <bundle>.quarantine.csv with the reason.

  moments train task.yaml
  moments train task.yaml -o weights/loans --json > loans.json
  moments train task.yaml --resume

Keys of "networks" in the task file, with their defaults:

` + describeKeys([]key{
		{"architecture", d.Architecture, "tabm or mlp"},
		{"members", d.Members, "predictions averaged inside one network; tabm only"},
		{"ensemble", d.Ensemble, "independently seeded networks"},
		{"additive", d.Additive, "one more network, that adds up what each column says, fitted by boosting; the blend takes of it what helps on the validation split"},
		{"width", d.Width, "units a layer"},
		{"layers", d.Layers, "hidden layers"},
		{"embedding", "by size", "units that a numeric column is embedded in; 0 for none; tabm only"},
		{"epochs", d.Epochs, "passes over the training split at most"},
		{"patience", d.Patience, "passes without a better validation loss before the end"},
		{"batch", d.Batch, "examples a step"},
		{"learning_rate", d.LearningRate, "of AdamW, constant"},
		{"weight_decay", d.WeightDecay, fmt.Sprintf("of AdamW; by default %g of networks that read events one by one", d.EventsDecay)},
		{"dropout", d.Dropout, "share of the units left out in a step"},
		{"positive_weight", d.PositiveWeight, "of positive examples in the loss; probabilities are corrected for it"},
		{"recurrent", d.Recurrent, "further networks that follow the events one by one, every second one beside the table; the blend takes those that help on the validation split; 0 for none"},
		{"state", d.State, "units that remember the events"},
		{"pretrain", d.Pretrain, "they first learn to foretell the next event, on journeys without label too"},
		{"label_share", d.LabelShare, "share of the customers whose labels are trained on; below 1 it shows what labels are worth"},
		{"extra_cuts", d.ExtraCuts, "further random cuts of a training journey, where its label holds"},
		{"seed", d.Seed, "of starting weights and batches"},
		{"threads", d.Threads, "results repeat for equal threads"},
	}) + `
Keys of "anomaly":

` + describeKeys([]key{
		{"alert_rate", 0.01, "share of normal journeys that may be flagged"},
		{"labels", "none", "like a target's: positive customers are known anomalies, kept out of training and calibration; evaluate measures by them"},
		{"contamination", 0.0, "share of unlabelled journeys that are anomalies all the same; the strangest are left out and the network is trained again"},
		{"off", false, "train no anomaly network"},
		{"journey", d.Foretell, "look for strange events in the sequence, too, where the task has events"},
		{"width", d.DenoiseWidth, "units a layer"},
		{"steps", d.DenoiseSteps, "steps of the optimiser, 64 examples each"},
		{"senses", "{}", "what more of a column or group means, positive, negative or mixed, such as {event:payment_failed: negative}; docs/anomalies.md"},
	})
}

// A key is one choice of the task file.
type key struct {
	name  string
	value any // default
	means string
}

func describeKeys(keys []key) string {
	var text strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&text, "  %-15s %-8v %s\n", k.name, k.value, k.means)
	}
	return text.String()
}

// Run trains.
func (v *trainCommand) Run(ctx context.Context, c *console) error {
	evaluation, err := v.train(ctx, c)
	return c.report(evaluation, v.JSON, err)
}

// report prints what a verb that makes a bundle ends with, unless it failed.
func (c *console) report(e *evaluation, asJSON bool, err error) error {
	if err != nil {
		return err
	}
	if asJSON {
		return c.printJSON(e)
	}
	return e.print(c.out)
}

// train returns the evaluation on the test split.
func (v *trainCommand) train(ctx context.Context, c *console) (*evaluation, error) {
	began := time.Now()
	task, err := datasets.LoadTask(v.Task)
	if err != nil {
		return nil, wrong(err)
	}
	if v.Output == "" {
		v.Output = filepath.Join("weights", task.Name)
	}
	if err := prepareBundle("train", v.Output); err != nil {
		return nil, err
	}
	s, err := openSource(ctx, c, task, datasets.OpenOptions{Quarantine: quarantineOf(v.Output)})
	if err != nil {
		return nil, err
	}
	defer s.close(c)
	parts, err := datasets.Split(s.refs, s.task.Split)
	if err != nil {
		return nil, wrong(err)
	}
	config, err := s.settings()
	if err != nil {
		return nil, err
	}
	checkpoint := v.Output + ".checkpoint"
	bundle, test, err := s.fit(ctx, c, parts, config, train.Options{Checkpoint: checkpoint, Resume: v.Resume})
	if err != nil {
		return nil, v.interrupted(c, ctx, err)
	}
	predictions, err := measure(c, bundle, 0, test)
	if err != nil {
		return nil, err
	}
	result := newEvaluation(s.task.Name, bundle.Targets, predictions, time.Since(began))
	result.Anomaly = newAnomalyReport(predictions, bundle.AlertRate)
	if err := c.saveMeasured(bundle, &result, v.Output, v.Task, began); err != nil {
		return nil, err
	}
	return &result, os.RemoveAll(checkpoint)
}

// saveMeasured saves a bundle with its figures and the task file it came from.
func (c *console) saveMeasured(b *weights.Bundle, figures *evaluation, folder, task string, began time.Time) (err error) {
	if b.Metrics, err = json.Marshal(figures); err != nil {
		return err
	}
	if err := attachOrigin(b, folder, task); err != nil {
		return err
	}
	if err := b.Save(folder); err != nil {
		return err
	}
	c.log.Info("saved the bundle", "folder", folder, "took", round(time.Since(began)))
	return nil
}

// prepareBundle makes the folder that a verb's bundle will lie in, and refuses
// to work for a folder that holds something else than a bundle.
func prepareBundle(verb, output string) error {
	entries, err := os.ReadDir(output)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return wrong(err)
	}
	isManifest := func(e os.DirEntry) bool { return e.Name() == "manifest.json" }
	if len(entries) > 0 && !slices.ContainsFunc(entries, isManifest) {
		return wrongf("%s: folder %s holds something else than a bundle; choose another with -o", verb, output)
	}
	return os.MkdirAll(filepath.Dir(output), 0o755)
}

// interrupted adds to the error of a cancelled run how to go on.
func (v *trainCommand) interrupted(c *console, ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		c.log.Warn("interrupted; go on with: moments train " + v.Task + " -o " + v.Output + " --resume")
	}
	return err
}
