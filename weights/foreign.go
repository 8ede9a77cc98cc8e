package weights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"moments/features"
	"moments/model"
)

// KindONNX is the Saved.Kind of a network that was trained elsewhere: its
// Saved.Config is a [Mapping], and Network.ONNX holds the model's file.
const KindONNX = "onnx"

// A Mapping says how a network that was trained elsewhere reads examples, and
// which of its outputs are which targets' probabilities.
type Mapping struct {
	Inputs  map[string]MappedInput  `json:"inputs" yaml:"inputs"`   // by the model's name of the input; all that it has
	Outputs map[string]MappedOutput `json:"outputs" yaml:"outputs"` // by target
}

// A MappedInput fills one input: with columns, or with a part of the rows that
// networks trained here read.
type MappedInput struct {
	Columns []MappedColumn `json:"columns,omitempty" yaml:"columns"` // in the input's order
	Part    string         `json:"part,omitempty" yaml:"part"`       // model.InputNumeric, InputBinary or InputCategory, whole
	Units   Units          `json:"units,omitempty" yaml:"units"`     // of the columns; "" is Own
}

// A MappedColumn is one column of an input: a column of the schema, or a
// constant.
type MappedColumn struct {
	Column  string             `json:"column,omitempty" yaml:"column"`
	Value   *float64           `json:"value,omitempty" yaml:"value"`     // a constant, in place of a column
	Missing *string            `json:"missing,omitempty" yaml:"missing"` // in place of a missing value; nil for NaN, of texts for ""
	Codes   map[string]float64 `json:"codes,omitempty" yaml:"codes"`     // of a categorical column: the number of each level
	Unseen  *string            `json:"unseen,omitempty" yaml:"unseen"`   // in place of a level that training did not see or that has no code; nil for what Missing is, of texts for "(unseen)"
}

// A MappedOutput finds a target's probability: a column of an output, by
// position or by the name of its class.
type MappedOutput struct {
	Output string `json:"output" yaml:"output"`
	Column int    `json:"column,omitempty" yaml:"column"`
	Class  string `json:"class,omitempty" yaml:"class"` // in place of Column
	Values Values `json:"values,omitempty" yaml:"values"`
}

// UnmarshalYAML reads a bare name or the keys of a MappedColumn.
func (c *MappedColumn) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&c.Column); err == nil {
		return nil
	}
	type plain MappedColumn
	return unmarshal((*plain)(c))
}

// Units says in which form numeric columns are given.
type Units string

// The units. Normal is what networks trained here read; see
// features.Schema.Normalize.
const (
	Own    Units = "own"
	Normal Units = "normal"
)

// Values says what an output's numbers are.
type Values string

// The kinds of values; "" is Probability.
const (
	Probability Values = "probability"
	Logit       Values = "logit"   // the sigmoid of the number is the probability
	Softmax     Values = "softmax" // the softmax over the output's row has the probability
)

// Foreign says whether the network was trained elsewhere.
func (n *Network) Foreign() bool { return n.Saved.Kind == KindONNX }

// Mapping reads the mapping of a foreign network.
func (n *Network) Mapping() (*Mapping, error) {
	d := json.NewDecoder(bytes.NewReader(n.Saved.Config))
	d.DisallowUnknownFields()
	m := &Mapping{}
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("weights: %s: mapping: %w", n.Name, err)
	}
	return m, nil
}

// NewForeign makes the network of a model that was trained elsewhere, the only
// classifier of its bundle. raw is the model's file.
func NewForeign(name string, m *Mapping, raw []byte) (Network, error) {
	config, err := json.Marshal(m)
	if err != nil {
		return Network{}, fmt.Errorf("weights: %s: mapping: %w", name, err)
	}
	return Network{Name: name, Role: Classifier, Weight: 1, Saved: model.Saved{Kind: KindONNX, Config: config}, ONNX: raw}, nil
}

// Validate demands that the schema has the columns, of the right kinds, and
// that every target has an output. What the model has is for those to check who
// can read it.
func (m *Mapping) Validate(schema *features.Schema, targets []string) error {
	columns := map[string]features.Kind{}
	for _, c := range schema.Columns() {
		columns[c.Name] = c.Kind
	}
	for _, name := range slices.Sorted(maps.Keys(m.Inputs)) {
		in := m.Inputs[name]
		if err := in.validate(columns); err != nil {
			return fmt.Errorf("weights: mapping: input %q: %w", name, err)
		}
	}
	for name, out := range m.Outputs {
		if !slices.Contains(targets, name) {
			return fmt.Errorf("weights: mapping: output for %q, want the targets %q", name, targets)
		}
		switch {
		case out.Output == "" || out.Column < 0 || out.Class != "" && out.Column != 0:
			return fmt.Errorf("weights: mapping: target %q: want the name of an output, and a column from 0 or a class", name)
		case !slices.Contains([]Values{"", Probability, Logit, Softmax}, out.Values):
			return fmt.Errorf("weights: mapping: target %q: values are %q, want %s, %s or %s", name, out.Values, Probability, Logit, Softmax)
		}
	}
	if len(m.Outputs) != len(targets) {
		return fmt.Errorf("weights: mapping: outputs of %d targets, want one for each of %q", len(m.Outputs), targets)
	}
	return nil
}

func (in *MappedInput) validate(columns map[string]features.Kind) error {
	parts := []string{model.InputNumeric, model.InputBinary, model.InputCategory}
	switch {
	case (in.Part == "") == (len(in.Columns) == 0):
		return fmt.Errorf("want columns or a part, one of them")
	case in.Part != "" && (!slices.Contains(parts, in.Part) || in.Units != ""):
		return fmt.Errorf("part %q with units %q, want one of %q without", in.Part, in.Units, parts)
	case !slices.Contains([]Units{"", Own, Normal}, in.Units):
		return fmt.Errorf("units are %q, want %s or %s", in.Units, Own, Normal)
	}
	for i := range in.Columns {
		c := &in.Columns[i]
		kind, ok := columns[c.Column]
		switch {
		case (c.Column == "") == (c.Value == nil):
			return fmt.Errorf("column %d: want the name of a column or a value, one of them", i)
		case c.Value == nil && !ok:
			return fmt.Errorf("the schema has no column %q: a constant column has none, say value: instead; moments features lists the columns", c.Column)
		case len(c.Codes) > 0 && kind != features.Categorical:
			return fmt.Errorf("codes for %q, which is no categorical column", c.Column)
		case c.Value == nil && in.Units == Normal && kind != features.Numeric:
			return fmt.Errorf("units are %s and %q is no numeric column", Normal, c.Column)
		}
	}
	return nil
}

// checkForeign checks all of a foreign network but the model's file.
func (b *Bundle) checkForeign(n *Network) error {
	switch {
	case n.Role != Classifier:
		return fmt.Errorf("weights: %s is a %s of kind %s, want a %s", n.Name, n.Role, KindONNX, Classifier)
	case len(n.ONNX) == 0 || n.Params != nil:
		return fmt.Errorf("weights: %s: %d bytes of model and %d parameters, want the model alone", n.Name, len(n.ONNX), len(n.Params))
	}
	m, err := n.Mapping()
	if err != nil {
		return err
	}
	return m.Validate(b.Schema, b.Targets)
}
