// Package train fits networks to prepared data. Gorgonia lives here and nowhere
// else: it keeps the symbolic graph and derives the gradients. What the nodes
// compute are coarse operations over package model/kernel, each of which owns
// its buffers; see lower and rules. A machine that allocates nothing runs them;
// see tape.
//
// A network runs on fixed micro-batches, in one lane (graph, machine, buffers)
// for each core. The same seed and the same number of threads give the same
// weights, bit for bit.
//
// The package neither reads files nor scores: [Prepare] takes a data set from
// package datasets, [Fit] returns a bundle for package weights, and package
// infer scores that.
package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"time"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// A Report says how the networks of a bundle came to be.
type Report struct {
	Networks []NetworkReport `json:"networks"`
	Rows     int             `json:"training_rows"`
	Seconds  float64         `json:"seconds"`
}

// A NetworkReport is the course of one network's training.
type NetworkReport struct {
	Name           string  `json:"name"`
	Kind           string  `json:"kind"`
	Parameters     int     `json:"parameters"`
	Epochs         int     `json:"epochs"`
	BestEpoch      int     `json:"best_epoch"`
	ValidationLoss float64 `json:"validation_loss"`
	Seconds        float64 `json:"seconds"`
}

// Fit trains the networks of a prepared data set: the classifiers, if there is
// a target, and the denoiser. The bundle still lacks what is measured by
// scoring: conformal scores and metrics.
func Fit(ctx context.Context, p *Prepared, c Config, o Options) (*weights.Bundle, *Report, error) {
	if err := c.validate(); err != nil {
		return nil, nil, err
	}
	if len(p.Validation) == 0 { // every network is judged on it
		return nil, nil, fmt.Errorf("train: the validation part is empty; raise split.validation")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	began := time.Now()
	r := &run{prepared: p, config: c, options: o, report: &Report{Rows: len(p.Train)}}
	b := &weights.Bundle{
		Targets: p.Targets, Layout: p.Layout, Schema: p.Schema, NoiseSeed: c.Seed,
		Reference: weights.Reference{Typical: weights.NewTypical(p.Train)},
	}
	if len(p.Targets) > 0 {
		if err := r.classifiers(ctx, b); err != nil {
			return nil, nil, err
		}
	}
	if c.Denoise {
		if err := r.denoiser(ctx, b); err != nil {
			return nil, nil, err
		}
	}
	if len(b.Networks) == 0 {
		return nil, nil, fmt.Errorf("train: nothing to train: the task has no targets and the anomaly network is off")
	}
	r.report.Seconds = time.Since(began).Seconds()
	return b, r.report, nil
}

// run is one call of Fit.
type run struct {
	prepared *Prepared
	config   Config
	options  Options
	report   *Report
}

// classifiers trains the ensemble and tempers it.
func (r *run) classifiers(ctx context.Context, b *weights.Bundle) error {
	p, c := r.prepared, r.config
	rates, err := positiveRates(p.Train, p.Targets)
	if err != nil {
		return err
	}
	b.PositiveRates = rates
	training, validation := newTable(p.Schema, p.Train, len(p.Targets)), newTable(p.Schema, p.Validation, len(p.Targets))
	var predictions [][]float32
	for i := range c.Ensemble {
		s := r.schedule(fmt.Sprintf("classifier-%d", i), mix(c.Seed, uint64(i)))
		network := r.tabular()
		g, err := model.Build(network)
		if err != nil {
			return err
		}
		problem := &classification{graph: g, targets: len(p.Targets), train: training, validation: validation}
		for range p.Targets {
			problem.positive = append(problem.positive, float32(c.PositiveWeight))
			s.shift = append(s.shift, float32(math.Log(c.PositiveWeight)))
		}
		s.start = func(p *parameters) { p.startAtRates(rates) }
		params, err := r.train(ctx, network, g, problem, s)
		if err != nil {
			return err
		}
		b.Networks = append(b.Networks, weights.Network{Name: s.name, Role: weights.Classifier, Saved: r.saved(network), Weight: 1 / float64(c.Ensemble), Params: params})
		predicted, err := r.predict(g, problem, params)
		if err != nil {
			return err
		}
		predictions = append(predictions, predicted)
	}
	temperature := temperatures(predictions, validation, len(p.Targets))
	for _, n := range b.Networks {
		copy(n.Params["temperature"].Data, temperature)
	}
	r.options.Log.Info("calibrated", "temperatures", temperature)
	return nil
}

// tabular returns the classifier's network.
func (r *run) tabular() model.Network {
	c, shape := r.config, tableShape(r.prepared.Schema)
	if c.Architecture == "mlp" {
		return &model.MLP{Table: shape, Targets: len(r.prepared.Targets), Hidden: slices.Repeat([]int{c.Width}, c.Layers), CategoryWidth: c.Category}
	}
	embedding := c.Embedding
	if embedding < 0 {
		embedding = embeddingWidth(shape.Numeric)
	}
	return &model.TabM{
		Table: shape, Targets: len(r.prepared.Targets),
		Members: c.Members, Width: c.Width, Layers: c.Layers, Embedding: embedding, CategoryWidth: c.Category,
	}
}

// embeddingWidth is 8, half of what is published, and less where there are so
// many numeric columns that the first layer would take most of the time.
func embeddingWidth(numeric int) int { return min(8, max(4, 512/max(1, numeric))) }

// denoiser trains the anomaly network on the training part.
func (r *run) denoiser(ctx context.Context, b *weights.Bundle) error {
	p, c := r.prepared, r.config
	network := &model.Denoiser{Features: p.Schema.StandardWidth(), Width: c.DenoiseWidth, Layers: 2, Steps: 50, ScoreSteps: 10}
	g, err := model.Build(network)
	if err != nil {
		return err
	}
	s := r.schedule("denoiser", mix(c.Seed, 1<<32))
	s.batch, s.learningRate, s.weightDecay, s.dropout = 64, 1e-3, 0, 0
	s.epochs = max(1, c.DenoiseSteps*s.batch/max(s.batch, min(len(p.Train), mostEpochRows)))
	s.patience = s.epochs
	problem := newDenoising(g, *network, standardTable(p.Schema, p.Train), standardTable(p.Schema, p.Validation), s.seed)
	params, err := r.train(ctx, network, g, problem, s)
	if err != nil {
		return err
	}
	b.Networks = append(b.Networks, weights.Network{Name: s.name, Role: weights.Denoiser, Saved: r.saved(network), Params: params})
	return nil
}

// schedule returns the settings that all networks share.
func (r *run) schedule(name string, seed uint64) schedule {
	c := r.config
	s := schedule{
		name: name, epochs: c.Epochs, patience: c.Patience, batch: c.Batch, micro: c.MicroBatch, threads: c.Threads,
		learningRate: c.LearningRate, weightDecay: c.WeightDecay, clip: c.Clip, dropout: float32(c.Dropout), seed: seed,
		progress: r.options.Progress,
	}
	if r.options.Checkpoint != "" {
		s.checkpoint = &checkpoint{
			path: filepath.Join(r.options.Checkpoint, name+".safetensors"), fingerprint: r.fingerprint(name),
			resume: r.options.Resume, every: 5 * time.Second,
		}
	}
	return s
}

// train fits one network and reports on it.
func (r *run) train(ctx context.Context, network model.Network, g *model.Graph, p problem, s schedule) (map[string]weights.Tensor, error) {
	began := time.Now()
	f, err := fit(ctx, g, p, s)
	if err != nil {
		return nil, err
	}
	report := NetworkReport{
		Name: s.name, Kind: r.saved(network).Kind, Parameters: parametersOf(g),
		Epochs: f.epochs, BestEpoch: f.bestEpoch, ValidationLoss: f.validationLoss, Seconds: time.Since(began).Seconds(),
	}
	r.report.Networks = append(r.report.Networks, report)
	r.options.Log.Info("trained", "network", s.name, "parameters", report.Parameters, "epochs", f.epochs, "best_epoch", f.bestEpoch,
		"validation_loss", float32(f.validationLoss), "seconds", float32(report.Seconds))
	return f.params, nil
}

// predict returns the validation probabilities of saved parameters.
func (r *run) predict(g *model.Graph, p *classification, saved map[string]weights.Tensor) ([]float32, error) {
	params := newParameters(g, 0)
	if err := params.restore(saved); err != nil {
		return nil, err
	}
	l, err := newPredictor(g, params, rows{batch: r.config.MicroBatch}, model.OutputProbability)
	if err != nil {
		return nil, err
	}
	c := hire([]*lane{l})
	defer c.dismiss()
	return p.probabilities(c, p.validation)
}

// saved describes one of this package's own networks, which are registered.
func (r *run) saved(network model.Network) model.Saved {
	s, err := model.Save(network)
	if err != nil {
		panic(err)
	}
	return s
}

// fingerprint names everything that decides a network's weights.
func (r *run) fingerprint(name string) string {
	h := sha256.New()
	settings, _ := json.Marshal(r.config) // a struct of numbers
	fmt.Fprintf(h, "%s %s %s %d %d\n", name, settings, r.prepared.Schema.Hash(), len(r.prepared.Train), len(r.prepared.Validation))
	for _, part := range [][]features.Example{r.prepared.Train, r.prepared.Validation} {
		for _, ex := range part {
			fmt.Fprintln(h, ex.Customer, ex.Cutoff.Time, ex.Cutoff.Events, ex.Labels)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
