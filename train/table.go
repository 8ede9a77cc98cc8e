package train

import (
	"fmt"
	"math"

	"moments/features"
	"moments/model"
)

// tableShape is the schema's row as the networks declare it.
func tableShape(s *features.Schema) model.Table {
	return shape(s.Table())
}

func shape(numeric, binary int, cardinalities []int, edges [][]float32) model.Table {
	bins := 1
	for _, e := range edges {
		bins = max(bins, len(e)-1)
	}
	return model.Table{Numeric: numeric, Binary: binary, Cardinalities: cardinalities, Edges: edges, Bins: bins}
}

// newTable normalises examples for a classifier.
func newTable(s *features.Schema, examples []features.Example, targets int) *table {
	shape := tableShape(s)
	n, categories := len(examples), len(shape.Cardinalities)
	t := &table{
		rows: n,
		inputs: map[string][]float32{
			model.InputNumeric:  make([]float32, n*shape.Numeric),
			model.InputBinary:   make([]float32, n*shape.Binary),
			model.InputCategory: make([]float32, n*categories),
		},
		labels: make([]float32, n*targets), weights: make([]float32, n*targets),
	}
	for i := range examples {
		ex := &examples[i]
		s.Normalize(ex, row(t.inputs[model.InputNumeric], i, shape.Numeric),
			row(t.inputs[model.InputBinary], i, shape.Binary), row(t.inputs[model.InputCategory], i, categories))
		for k, y := range ex.Labels {
			if y == y { // not NaN: the outcome is known
				t.labels[i*targets+k], t.weights[i*targets+k] = y, 1
			}
		}
	}
	return t
}

// standardTable standardises examples for the denoiser.
func standardTable(s *features.Schema, examples []features.Example) *table {
	width := s.StandardWidth()
	t := &table{rows: len(examples), inputs: map[string][]float32{model.InputNumeric: make([]float32, len(examples)*width)}}
	for i := range examples {
		s.Standardize(&examples[i], row(t.inputs[model.InputNumeric], i, width))
	}
	return t
}

// positiveRates returns the share of positives of every target. A target of
// one class only cannot be learned.
func positiveRates(examples []features.Example, targets []string) ([]float64, error) {
	rates := make([]float64, len(targets))
	for t, name := range targets {
		var positives, rows float64
		for _, ex := range examples {
			if y := float64(ex.Labels[t]); !math.IsNaN(y) {
				positives, rows = positives+y, rows+1
			}
		}
		if positives == 0 || positives == rows {
			return nil, fmt.Errorf("train: target %s has %d positive and %d negative training examples, want some of each", name, int(positives), int(rows-positives))
		}
		rates[t] = positives / rows
	}
	return rates, nil
}
