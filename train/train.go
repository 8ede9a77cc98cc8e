// Package train fits networks to prepared data. Gorgonia lives here and nowhere
// else: it keeps the symbolic graph and derives the gradients. What the nodes
// compute are coarse operations over package model/kernel, each of which owns
// its buffers; see lower and rules. A machine that allocates nothing runs them;
// see tape.
//
// The additive network alone is fitted otherwise, by boosting: see booster.
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
	"moments/model/kernel"
	"moments/weights"
)

// A Report says how the networks of a bundle came to be.
type Report struct {
	Networks []NetworkReport `json:"networks"`
	Rows     int             `json:"training_rows"`

	// Blend is what each kind of classifier weighs, as the validation split chose.
	Blend   map[string]Share `json:"blend,omitempty"`
	Seconds float64          `json:"seconds"`
}

// A Share is what one kind of classifier weighs in the blend, and the validation
// loss that it has alone.
type Share struct {
	Share          float64 `json:"share"`
	ValidationLoss float64 `json:"validation_loss"`
}

// A NetworkReport is the course of one network's training.
type NetworkReport struct {
	Name           string  `json:"name"`
	Kind           string  `json:"kind"`
	Parameters     int     `json:"parameters"`
	Epochs         int     `json:"epochs"` // of the additive network: steps of boosting
	BestEpoch      int     `json:"best_epoch"`
	ValidationLoss float64 `json:"validation_loss"`
	Seconds        float64 `json:"seconds"`
}

// Fit trains the networks of a prepared data set: the classifiers, if there is
// a target, and those that find anomalies. The bundle still lacks what is measured by
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
	if err := r.detectors(ctx, b); err != nil {
		return nil, nil, err
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
	t := &targeted{
		run: r, rates: rates,
		training: newTable(p.Schema, p.Train, len(p.Targets)), validation: newTable(p.Schema, p.Validation, len(p.Targets)),
	}
	if c.Additive {
		if err := t.fitAdditive(ctx); err != nil {
			return err
		}
	}
	for i := range c.Ensemble {
		if err := t.fitTabular(ctx, i); err != nil {
			return err
		}
	}
	if _, _, types, _ := p.Schema.TokenTable(); len(types) > 0 {
		if c.Pretrain {
			if t.pretrained, err = t.pretrain(ctx); err != nil {
				return err
			}
		}
		for i := range c.Recurrent {
			if err := t.fitRecurrent(ctx, i); err != nil {
				return err
			}
		}
	}
	b.Networks = append(b.Networks, t.blend()...)
	return nil
}

// A kind of classifier, simple ones first. Those that see different things err
// differently, which is what makes a blend better than its parts.
type kind int

const (
	additive kind = iota // adds up what each column of the table says at the cutoff
	tabular              // sees the table as a whole
	alone                // follows the events and sees nothing else
	beside               // follows the events, and sees the table too
	kinds
)

var kindNames = [kinds]string{"additive", "table", "events", "events and table"}

// targeted is the training of the classifiers.
type targeted struct {
	*run
	rates                []float64
	training, validation *table
	following            *following                // the journeys, once a network has followed them
	pretrained           map[string]weights.Tensor // of networks that follow events; nil without pretraining
	fitted               []candidate
}

// A candidate is a fitted classifier and what it says of the validation split.
type candidate struct {
	network   weights.Network
	kind      kind
	predicted []float32
}

func (t *targeted) classification(g *model.Graph) *classification {
	c := &classification{graph: g, targets: len(t.rates), train: t.training, validation: t.validation}
	for range t.rates {
		c.positive = append(c.positive, float32(t.config.PositiveWeight))
	}
	return c
}

func (t *targeted) fitTabular(ctx context.Context, i int) error {
	s := t.schedule(fmt.Sprintf("classifier-%d", i), mix(t.config.Seed, uint64(i)))
	s.weightDecay = t.config.WeightDecay
	network := t.tabular()
	g, err := model.Build(network)
	if err != nil {
		return err
	}
	return t.fit(ctx, network, g, t.classification(g), s, tabular)
}

// fitRecurrent trains a network that follows the events; every second one sees
// the table too.
func (t *targeted) fitRecurrent(ctx context.Context, i int) error {
	s := t.schedule(fmt.Sprintf("journey-%d", i), mix(t.config.Seed, 1<<33+uint64(i)))
	s.batch, s.micro = max(1, s.batch/2), journeyMicro
	kind := alone + kind(i%2)
	network := t.recurrent(kind)
	g, err := model.Build(network)
	if err != nil {
		return err
	}
	if t.following == nil {
		p := t.prepared
		t.following = &following{
			training: newJourneys(p.Schema, p.Train), validating: newJourneys(p.Schema, p.Validation), next: float32(t.config.Next),
		}
	}
	problem := *t.following
	problem.classification = t.classification(g)
	return t.fit(ctx, network, g, &problem, s, kind)
}

// predicting is a problem whose network says probabilities.
type predicting interface {
	problem
	probabilities(predict *crew, t *table) ([]float32, error)
}

func (t *targeted) fit(ctx context.Context, network model.Network, g *model.Graph, p predicting, s schedule, kind kind) error {
	for range t.rates {
		s.shift = append(s.shift, float32(math.Log(t.config.PositiveWeight)))
	}
	s.start = func(p *parameters) {
		p.startAtRates(t.rates)
		p.adopt(t.pretrained)
	}
	params, err := t.train(ctx, network, g, p, s)
	if err != nil {
		return err
	}
	predicted, err := predict(g, p, t.validation, params, s.micro)
	if err != nil {
		return err
	}
	t.fitted = append(t.fitted, candidate{
		weights.Network{Name: s.name, Role: weights.Classifier, Saved: t.saved(network), Params: params}, kind, predicted,
	})
	return nil
}

// predict returns what saved parameters say of a table.
func predict(g *model.Graph, p predicting, of *table, saved map[string]weights.Tensor, micro int) ([]float32, error) {
	params := newParameters(g, 0)
	if err := params.restore(saved); err != nil {
		return nil, err
	}
	l, err := newPredictor(g, params, p.room(micro), model.OutputProbability)
	if err != nil {
		return nil, err
	}
	c := hire([]*lane{l})
	defer c.dismiss()
	return p.probabilities(c, of)
}

// blend weighs the candidates and tempers them. Those of a kind weigh the same;
// the kinds' shares are the multiples of a tenth that have the lowest log-loss on
// the validation split. Of several as good, the simplest counts. Kinds without a
// share stay in the bundle, with weight 0: those that follow events foretell the
// next one, and evaluate says of each what it is worth alone.
func (t *targeted) blend() []weights.Network {
	c := &classification{targets: len(t.rates)}
	var chosen [kinds]float64
	best := math.Inf(1)
	for _, shares := range t.shares() {
		if loss := c.logLoss(t.mean(shares), t.validation); loss < best {
			chosen, best = shares, loss
		}
	}
	count := t.counts()
	var networks []weights.Network
	var predictions [][]float32
	var kept []float64
	for _, c := range t.fitted {
		c.network.Weight = chosen[c.kind] / count[c.kind]
		networks = append(networks, c.network)
		if c.network.Weight > 0 {
			predictions, kept = append(predictions, c.predicted), append(kept, c.network.Weight)
		}
	}
	temperature := temperatures(predictions, kept, t.validation, len(t.rates))
	for _, n := range networks {
		copy(n.Params["temperature"].Data, temperature)
	}
	t.note(chosen, best, temperature)
	return networks
}

// note says what the blend is made of, and why: what each kind is worth alone.
func (t *targeted) note(chosen [kinds]float64, loss float64, temperature []float32) {
	count, c := t.counts(), &classification{targets: len(t.rates)}
	t.report.Blend = map[string]Share{}
	said := []any{"validation_loss", float32(loss), "temperatures", temperature}
	for k, name := range kindNames {
		if count[k] == 0 {
			continue
		}
		var only [kinds]float64
		only[k] = 1
		s := Share{chosen[k], c.logLoss(t.mean(only), t.validation)}
		t.report.Blend[name] = s
		said = append(said, name, fmt.Sprintf("share %.1f, alone %.4f", s.Share, s.ValidationLoss))
	}
	t.options.Log.Info("blended", said...)
}

// counts are the numbers of candidates by kind.
func (t *targeted) counts() (count [kinds]float64) {
	for _, c := range t.fitted {
		count[c.kind]++
	}
	return count
}

// shares are all divisions of ten tenths among the kinds that there are, the
// largest shares of the first kinds first.
func (t *targeted) shares() (all [][kinds]float64) {
	count := t.counts()
	var tenths [kinds]int
	var divide func(k kind, left int)
	divide = func(k kind, left int) {
		if k == kinds {
			if left == 0 {
				all = append(all, sharesOf(tenths))
			}
			return
		}
		most := left
		if count[k] == 0 {
			most = 0
		}
		for n := most; n >= 0; n-- {
			tenths[k] = n
			divide(k+1, left-n)
		}
	}
	divide(0, 10)
	return all
}

func sharesOf(tenths [kinds]int) (shares [kinds]float64) {
	for k, n := range tenths {
		shares[k] = float64(n) / 10
	}
	return shares
}

// mean is what the candidates say of the validation split, weighed by kind.
func (t *targeted) mean(shares [kinds]float64) []float32 {
	count := t.counts()
	sum := make([]float32, len(t.fitted[0].predicted))
	for _, c := range t.fitted {
		if share := float32(shares[c.kind] / count[c.kind]); share > 0 {
			kernel.Axpy(sum, share, c.predicted)
		}
	}
	return sum
}

// tabular returns the classifier's network.
func (r *run) tabular() model.Network {
	c, shape := r.config, tableShape(r.prepared.Schema)
	if c.Architecture == "mlp" {
		return &model.MLP{Table: shape, Targets: len(r.prepared.Targets), Hidden: slices.Repeat([]int{c.Width}, c.Layers), CategoryWidth: c.Category}
	}
	return &model.TabM{
		Table: shape, Targets: len(r.prepared.Targets),
		Members: c.Members, Width: c.Width, Layers: c.Layers, Embedding: c.embedding(shape.Numeric), CategoryWidth: c.Category,
	}
}

// recurrent returns the network that follows the events.
func (r *run) recurrent(kind kind) model.Network {
	c, schema := r.config, r.prepared.Schema
	numeric, binary, cardinalities, edges := schema.TokenTable()
	var table model.Table
	if kind == beside {
		table = tableShape(schema)
	}
	return &model.Journey{
		Events: shape(numeric, binary, cardinalities, edges), Table: table, Targets: len(r.prepared.Targets),
		State: c.State, Token: c.Token, TypeSize: c.TypeSize,
		Members: c.Members, Width: c.Width, Layers: c.Layers, Embedding: c.embedding(table.Numeric), CategoryWidth: c.Category,
	}
}

// embedding is the width of a numeric column's embedding among so many.
func (c Config) embedding(numeric int) int {
	if c.Embedding < 0 {
		return embeddingWidth(numeric)
	}
	return c.Embedding
}

// embeddingWidth is 8, half of what is published, and less where there are so
// many numeric columns that the first layer would take most of the time.
func embeddingWidth(numeric int) int { return min(8, max(4, 512/max(1, numeric))) }

// detectors trains the anomaly networks.
func (r *run) detectors(ctx context.Context, b *weights.Bundle) error {
	if r.config.Denoise {
		if err := r.denoiser(ctx, b); err != nil {
			return err
		}
	}
	if _, _, types, _ := r.prepared.Schema.TokenTable(); r.config.Foretell && len(types) > 0 {
		return r.foreteller(ctx, b)
	}
	return nil
}

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
	normal := p.Normal()
	if len(normal) == 0 {
		return fmt.Errorf("train: no training example is normal, want some for the anomaly network")
	}
	s.epochs = max(1, c.DenoiseSteps*s.batch/max(s.batch, min(len(normal), mostEpochRows)))
	s.patience, s.last = s.epochs, true // the validation part calibrates: it may choose nothing
	problem := newDenoising(g, *network, standardTable(p.Schema, normal), standardTable(p.Schema, p.Validation), s.seed)
	params, err := r.train(ctx, network, g, problem, s)
	if err != nil {
		return err
	}
	b.Networks = append(b.Networks, weights.Network{Name: s.name, Role: weights.Denoiser, Saved: r.saved(network), Params: params})
	return nil
}

// Refit trains the anomaly networks of a bundle anew, on [Prepared.Normal].
func Refit(ctx context.Context, b *weights.Bundle, p *Prepared, c Config, o Options) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b.Networks = slices.DeleteFunc(b.Networks, func(n weights.Network) bool { return n.Role != weights.Classifier })
	b.Reference.Transitions = nil
	return (&run{prepared: p, config: c, options: o, report: &Report{}}).detectors(ctx, b)
}

// schedule returns the settings that all networks share.
func (r *run) schedule(name string, seed uint64) schedule {
	c := r.config
	s := schedule{
		name: name, epochs: c.Epochs, patience: c.Patience, batch: c.Batch, micro: c.MicroBatch, threads: c.Threads,
		learningRate: c.LearningRate, weightDecay: c.EventsDecay, clip: c.Clip, dropout: float32(c.Dropout), seed: seed,
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
	r.conclude(report)
	return f.params, nil
}

// conclude reports how a network came to be.
func (r *run) conclude(n NetworkReport) {
	r.report.Networks = append(r.report.Networks, n)
	r.options.Log.Info("trained", "network", n.Name, "parameters", n.Parameters, "epochs", n.Epochs, "best_epoch", n.BestEpoch,
		"validation_loss", float32(n.ValidationLoss), "seconds", float32(n.Seconds))
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
	for _, part := range [][]features.Example{r.prepared.Train, r.prepared.Validation, r.prepared.Unlabelled} {
		for _, ex := range part {
			fmt.Fprintln(h, ex.Customer, ex.Cutoff.Time, ex.Cutoff.Events, ex.Labels, ex.Anomaly)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
