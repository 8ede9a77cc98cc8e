package train

import (
	"fmt"
	"log/slog"
	"runtime"

	"moments/datasets"
)

// Config is how networks are trained. DefaultConfig is one set for every data
// set: published values (see the fields), or what held up on validation rows.
type Config struct {
	Architecture string  // "tabm", or "mlp" for a plain perceptron
	Members      int     // k of TabM-mini; published 32, a quarter of the cost at 16
	Width        int     // d, hidden width; published 512; on tables of some thousand rows 128 validates as well, at a fraction of the cost
	Layers       int     // hidden layers
	Embedding    int     // width of a numeric column's piecewise-linear embedding; 0 for none, below 0 by their number
	Category     int     // width of a many-levelled category's embedding
	Additive     bool    // one more classifier, that adds up what each column of the table says
	Ensemble     int     // independently seeded classifiers whose probabilities are averaged
	Recurrent    int     // further classifiers that follow the events, where the task has any; 0 for none
	State        int     // width of their recurrent unit
	Token        int     // width of the piecewise-linear embedding of an event's number
	TypeSize     int     // width of the embedding of an event's type and categories
	Next         float64 // weight of what they say of the next event in their loss
	Pretrain     bool    // what follows the events first learns to foretell them, on journeys without label too

	// LabelShare is the share of the customers whose labels training sees; the
	// others' journeys are there for pretraining. Below 1 it shows what labels are
	// worth.
	LabelShare float64

	Epochs, Patience int     // most epochs; epochs without a better validation loss before the end; see epochRows
	Batch            int     // rows between two steps of the optimiser
	MicroBatch       int     // rows that one lane computes at once: a matter of caches, not of results
	Threads          int     // lanes; gradients are added in lane order, so results repeat for equal Threads
	LearningRate     float64 // of AdamW, constant
	WeightDecay      float64 // of the tabular networks; published up to 0.1; at 0.3 columns that say nothing fade, which validates as well and names fewer wrong causes
	EventsDecay      float64 // of those that read events one by one
	Dropout          float64 // published 0.1; 0.2 validates better at this width
	Clip             float64 // most norm of a gradient
	PositiveWeight   float64 // of positives in the loss; probabilities are corrected for it; 1 for none
	ExtraCuts        int     // further random cuts of each training journey, where its label holds at any of them

	Denoise      bool // train the anomaly network
	DenoiseWidth int
	DenoiseSteps int // optimiser steps, batches of 64

	Foretell       bool // train the anomaly network of the sequence, where the task has events
	ForetoldEvents int  // events that it is trained on, each as often as it is seen; more find more planted faults, up to about the default

	Seed uint64
}

// DefaultConfig returns the defaults of the tabular networks: TabM-mini with
// piecewise-linear embeddings (Gorishniy et al., ICLR 2025) and a
// diffusion-scheduled denoising autoencoder.
func DefaultConfig() Config {
	return Config{
		Architecture: "tabm", Members: 16, Width: 128, Layers: 2, Embedding: -1, Category: 8, Additive: true, Ensemble: 3,
		Recurrent: 2, State: 64, Token: 8, TypeSize: 16, Next: 0.1, LabelShare: 1,
		Epochs: 200, Patience: 8, Batch: 256, MicroBatch: 32, Threads: min(runtime.NumCPU(), 8),
		LearningRate: 2e-3, WeightDecay: 0.3, EventsDecay: 3e-4, Dropout: 0.2, Clip: 1, PositiveWeight: 1, ExtraCuts: 2,
		Denoise: true, DenoiseWidth: 256, DenoiseSteps: 3000, Foretell: true, ForetoldEvents: 3_000_000,
	}
}

// validate refuses settings that cannot train, in words of the task file.
func (c Config) validate() error {
	for _, check := range []struct {
		key  string
		got  float64
		ok   bool
		want string
	}{
		{"members", float64(c.Members), c.Members >= 1, "at least 1"},
		{"width", float64(c.Width), c.Width >= 1, "at least 1"},
		{"layers", float64(c.Layers), c.Layers >= 1, "at least 1"},
		{"ensemble", float64(c.Ensemble), c.Ensemble >= 1, "at least 1"},
		{"recurrent", float64(c.Recurrent), c.Recurrent >= 0, "at least 0"},
		{"state", float64(c.State), c.State >= 1, "at least 1"},
		{"label_share", c.LabelShare, c.LabelShare > 0 && c.LabelShare <= 1, "above 0 and at most 1"},
		{"epochs", float64(c.Epochs), c.Epochs >= 1, "at least 1"},
		{"patience", float64(c.Patience), c.Patience >= 1, "at least 1"},
		{"batch", float64(c.Batch), c.Batch >= 1, "at least 1"},
		{"threads", float64(c.Threads), c.Threads >= 1, "at least 1"},
		{"learning_rate", c.LearningRate, c.LearningRate > 0, "above 0"},
		{"weight_decay", c.WeightDecay, c.WeightDecay >= 0, "at least 0"},
		{"weight_decay", c.EventsDecay, c.EventsDecay >= 0, "at least 0"},
		{"dropout", c.Dropout, c.Dropout >= 0 && c.Dropout < 1, "from 0 to below 1"},
		{"positive_weight", c.PositiveWeight, c.PositiveWeight > 0, "above 0"},
	} {
		if !check.ok {
			return fmt.Errorf("train: networks.%s is %g, want %s", check.key, check.got, check.want)
		}
	}
	if c.Pretrain && c.Recurrent == 0 {
		return fmt.Errorf("train: networks.pretrain without networks.recurrent, want at least 1 network that follows events")
	}
	return nil
}

// Options is what surrounds a training run.
type Options struct {
	Checkpoint string         // folder to keep checkpoints in; "" for none
	Resume     bool           // go on from the checkpoints in that folder
	Progress   func(Progress) // called after every batch; nil for silence
	Log        *slog.Logger   // nil for silence
}

// ConfigOf returns the defaults with what the task file says instead.
func ConfigOf(task *datasets.Task) (Config, error) {
	c, n := DefaultConfig(), task.Networks
	for _, choice := range []struct{ said, to *int }{
		{&n.Members, &c.Members}, {&n.Width, &c.Width}, {&n.Layers, &c.Layers}, {&n.State, &c.State},
		{&n.Ensemble, &c.Ensemble}, {&n.Epochs, &c.Epochs}, {&n.Patience, &c.Patience}, {&n.Batch, &c.Batch},
		{&n.Threads, &c.Threads}, {&task.Anomaly.Width, &c.DenoiseWidth}, {&task.Anomaly.Steps, &c.DenoiseSteps},
	} {
		choose(choice.to, choice.said, *choice.said != 0)
	}
	for _, choice := range []struct{ said, to *float64 }{{&n.LearningRate, &c.LearningRate}, {&n.Positive, &c.PositiveWeight}, {&n.LabelShare, &c.LabelShare}} {
		choose(choice.to, choice.said, *choice.said != 0)
	}
	// Of these, 0 is a choice of its own.
	choose(&c.Additive, n.Additive, n.Additive != nil)
	choose(&c.Recurrent, n.Recurrent, n.Recurrent != nil)
	choose(&c.ExtraCuts, n.ExtraCuts, n.ExtraCuts != nil)
	choose(&c.Embedding, n.Embedding, n.Embedding != nil)
	choose(&c.WeightDecay, n.WeightDecay, n.WeightDecay != nil)
	choose(&c.EventsDecay, n.WeightDecay, n.WeightDecay != nil)
	choose(&c.Dropout, n.Dropout, n.Dropout != nil)
	choose(&c.Architecture, &n.Architecture, n.Architecture != "")
	c.Seed, c.Pretrain, c.Denoise = n.Seed, n.Pretrain, !task.Anomaly.Off
	choose(&c.Foretell, task.Anomaly.Journey, task.Anomaly.Journey != nil)
	c.Foretell = c.Foretell && c.Denoise
	return c, c.validate()
}

// choose sets a setting to what was said about it, if anything was.
func choose[T any](to, said *T, any bool) {
	if any {
		*to = *said
	}
}
