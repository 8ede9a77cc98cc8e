package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"moments/datasets"
	"moments/features"
	"moments/train"
	"moments/weights"
	"moments/weights/onnx"
)

// importCommand makes a bundle of a model that was trained elsewhere.
type importCommand struct {
	Model  string `arg:"" help:"The ONNX file."`
	Task   string `required:"" placeholder:"FILE" help:"The task that the model answers: its data, targets and split."`
	Map    string `required:"" placeholder:"FILE" help:"YAML: which columns feed which input, and which output is which target's probability."`
	Output string `short:"o" required:"" placeholder:"DIR" help:"Folder of the bundle."`
	JSON   bool   `name:"json" help:"Print the evaluation on the test split as JSON."`
}

// Help says what the flags do not.
func (*importCommand) Help() string {
	return `Fits the schema on the training split of the task, as train and features do,
puts it into a bundle together with the model, evaluates the saved bundle on the
test split, and saves it. The bundle is then scored, evaluated and served like any
other; it needs the library of ONNX Runtime (moments onnxruntime --install).

  moments features task.yaml -o features.csv      # train elsewhere on these columns
  moments import model.onnx --task task.yaml --map map.yaml -o weights/theirs

The map, of which docs/onnx.md says more:

  inputs:
    X:                                  # the model's name of the input
      columns:                          # of moments features, in the input's order
        - age
        - {column: income, missing: 0}
        - {column: plan, codes: {basic: 0, gold: 1}, missing: -1}
  outputs:
    churn: {output: probabilities, class: "1"}   # by target`
}

// Run imports.
func (v *importCommand) Run(ctx context.Context, c *console) error {
	result, err := v.importModel(ctx, c)
	return c.report(result, v.JSON, err)
}

func (v *importCommand) importModel(ctx context.Context, c *console) (*evaluation, error) {
	began := time.Now()
	network, err := v.network()
	if err != nil {
		return nil, wrong(err)
	}
	if err := prepareBundle("import", v.Output); err != nil {
		return nil, err
	}
	s, err := openTask(ctx, c, v.Task, datasets.OpenOptions{Quarantine: quarantineOf(v.Output)})
	if err != nil {
		return nil, err
	}
	defer s.close(c)
	prepared, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	bundle := foreignBundle(s.task, prepared, network)
	predictions, err := measure(c, bundle, 0, tested{examples: prepared.Test})
	if err != nil {
		return nil, wrong(err)
	}
	result := newEvaluation(s.task.Name, bundle.Targets, predictions, time.Since(began))
	if err := c.saveMeasured(bundle, &result, v.Output, v.Task, began); err != nil {
		return nil, err
	}
	return &result, nil
}

// network reads the model and its map.
func (v *importCommand) network() (weights.Network, error) {
	parsed, err := onnx.Load(v.Model)
	if err != nil {
		return weights.Network{}, err
	}
	raw, err := parsed.Bytes()
	if err != nil {
		return weights.Network{}, err
	}
	mapping, err := readMapping(v.Map)
	if err != nil {
		return weights.Network{}, err
	}
	return weights.NewForeign(networkName(v.Model), mapping, raw)
}

// readMapping reads the map file; an unknown key is an error with its line.
func readMapping(path string) (*weights.Mapping, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	mapping := &weights.Mapping{}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(mapping); err != nil {
		return nil, fmt.Errorf("import: %s: %w", path, err)
	}
	return mapping, nil
}

// networkName is the model's file name, in the letters that files of a bundle
// may have.
func networkName(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), onnx.Suffix)
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
}

// prepare encodes the data by the task's split.
func (s *source) prepare(ctx context.Context) (*train.Prepared, error) {
	parts, err := datasets.Split(s.refs, s.task.Split)
	if err != nil {
		return nil, wrong(err)
	}
	config, err := s.settings()
	if err != nil {
		return nil, err
	}
	prepared, err := train.Prepare(ctx, s.data, s.refs, parts, config)
	return prepared, wrong(err)
}

func foreignBundle(task *datasets.Task, prepared *train.Prepared, network weights.Network) *weights.Bundle {
	build := currentBuild()
	return &weights.Bundle{
		Name: task.Name, Targets: prepared.Targets, PositiveRates: positiveRates(prepared.Train, len(prepared.Targets)),
		TaskYAML: task.Raw, Layout: prepared.Layout, Schema: prepared.Schema, AlertRate: task.Anomaly.AlertRate,
		Networks:  []weights.Network{network},
		Reference: weights.Reference{Typical: weights.NewTypical(prepared.Train)},
		Versions:  map[string]string{"moments": build.Version, "revision": build.Revision, "go": build.Go},
	}
}

// positiveRates are the shares of positives among known labels; 0 where none is
// known.
func positiveRates(examples []features.Example, targets int) []float64 {
	rates := make([]float64, targets)
	for t := range rates {
		positives, known := 0.0, 0.0
		for i := range examples {
			if y := float64(examples[i].Labels[t]); !math.IsNaN(y) {
				positives, known = positives+y, known+1
			}
		}
		rates[t] = positives / max(known, 1)
	}
	return rates
}
