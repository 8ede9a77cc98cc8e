package train

import (
	"strings"
	"testing"

	"moments/datasets"
)

// TestConfigOf reads the choices of a task file over the defaults.
func TestConfigOf(t *testing.T) {
	const head = "name: x\nprofiles:\n  - {source: x.csv}\ntargets:\n  y:\n    labels: {column: y}\n"
	d := DefaultConfig()
	for name, row := range map[string]struct {
		yaml   string
		change func(c *Config)
		err    string
	}{
		"nothing": {"", func(*Config) {}, ""},
		"sizes": {"networks: {members: 4, width: 32, layers: 3, ensemble: 5, epochs: 7, patience: 2, batch: 64, threads: 1}", func(c *Config) {
			c.Members, c.Width, c.Layers, c.Ensemble, c.Epochs, c.Patience, c.Batch, c.Threads = 4, 32, 3, 5, 7, 2, 64, 1
		}, ""},
		"zeros count": {"networks: {embedding: 0, dropout: 0, weight_decay: 0, extra_cuts: 0, additive: false}", func(c *Config) {
			c.Embedding, c.Dropout, c.WeightDecay, c.EventsDecay, c.ExtraCuts, c.Additive = 0, 0, 0, 0, 0, false
		}, ""},
		"architecture": {"networks: {architecture: mlp, positive_weight: 3, learning_rate: 0.01, seed: 9}", func(c *Config) { c.Architecture, c.PositiveWeight, c.LearningRate, c.Seed = "mlp", 3, 0.01, 9 }, ""},
		"anomaly":      {"anomaly: {steps: 10, width: 20}", func(c *Config) { c.DenoiseSteps, c.DenoiseWidth = 10, 20 }, ""},
		"anomaly off":  {"anomaly: {off: true}", func(c *Config) { c.Denoise, c.Foretell = false, false }, ""},
		"table alone":  {"anomaly: {journey: false}", func(c *Config) { c.Foretell = false }, ""},
		"unknown":      {"networks: {architecture: transformer}", nil, `task.yaml:7: networks.architecture: got "transformer", want tabm or mlp`},
		"negative":     {"networks: {width: -1}", nil, "networks.width"},
	} {
		task, err := datasets.LoadTaskBytes([]byte(head+row.yaml), ".")
		var got Config
		if err == nil {
			got, err = ConfigOf(task)
		}
		if row.err != "" {
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: got error %v, want %q", name, err, row.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := d
		want.Seed = task.Networks.Seed
		row.change(&want)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
