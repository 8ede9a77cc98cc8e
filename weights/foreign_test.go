package weights

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"moments/model"
)

// foreignBundle is a bundle with one network that was trained elsewhere.
func foreignBundle(t *testing.T) (*Bundle, *Mapping) {
	t.Helper()
	zero, missing := 0.5, "-1"
	m := &Mapping{
		Inputs: map[string]MappedInput{
			"x": {Columns: []MappedColumn{{Column: "age"}, {Column: "plan", Codes: map[string]float64{"a": 1, "b": 2}, Missing: &missing}, {Value: &zero}}},
			"z": {Part: model.InputNumeric},
		},
		Outputs: map[string]MappedOutput{"churn": {Output: "p", Class: "yes", Values: Softmax}},
	}
	n, err := NewForeign("theirs", m, []byte("a model"))
	if err != nil {
		t.Fatal(err)
	}
	b := testBundle(t, 1)
	b.Networks, b.Reference.Conformal = []Network{n}, nil
	return b, m
}

func TestForeignBundleRoundTrip(t *testing.T) {
	b, mapping := foreignBundle(t)
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := &opened.Networks[0]
	got, err := n.Mapping()
	if err != nil || !n.Foreign() || !bytes.Equal(n.ONNX, b.Networks[0].ONNX) || !reflect.DeepEqual(got, mapping) {
		t.Errorf("got %+v with mapping %+v, error %v", n, got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "theirs.onnx"), []byte("b model"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "theirs.onnx does not match its checksum") {
		t.Errorf("another model: got error %v", err)
	}
}

func TestValidateRefusesForeignNetworks(t *testing.T) {
	input := func(in MappedInput) func(*Bundle, *Mapping) {
		return func(_ *Bundle, m *Mapping) { m.Inputs["x"] = in }
	}
	output := func(out MappedOutput) func(*Bundle, *Mapping) {
		return func(_ *Bundle, m *Mapping) { m.Outputs["churn"] = out }
	}
	one := 1.0
	for _, c := range []struct {
		name, want string
		spoil      func(*Bundle, *Mapping)
	}{
		{"no model", "0 bytes of model", func(b *Bundle, _ *Mapping) { b.Networks[0].ONNX = nil }},
		{"parameters", "want the model alone", func(b *Bundle, _ *Mapping) { b.Networks[0].Params = map[string]Tensor{} }},
		{"a denoiser", "of kind onnx, want a classifier", func(b *Bundle, _ *Mapping) {
			b.Networks = append(testBundle(t, 1).Networks[:2:2], b.Networks[0])
			b.Networks[2].Role = Denoiser
		}},
		{"an empty input", "want columns or a part", input(MappedInput{})},
		{"columns and a part", "want columns or a part", input(MappedInput{Part: "numeric", Columns: []MappedColumn{{Value: &one}}})},
		{"another part", `part "time"`, input(MappedInput{Part: "time"})},
		{"a part with units", "want one of", input(MappedInput{Part: "numeric", Units: Own})},
		{"other units", `units are "feet"`, input(MappedInput{Units: "feet", Columns: []MappedColumn{{Column: "age"}}})},
		{"a column of nothing", "a column or a value", input(MappedInput{Columns: []MappedColumn{{}}})},
		{"a column and a value", "a column or a value", input(MappedInput{Columns: []MappedColumn{{Column: "age", Value: &one}}})},
		{"an unknown column", `no column "wealth"`, input(MappedInput{Columns: []MappedColumn{{Column: "wealth"}}})},
		{"codes of a number", "no categorical column", input(MappedInput{Columns: []MappedColumn{{Column: "age", Codes: map[string]float64{"a": 1}}}})},
		{"a normalised category", "no numeric column", input(MappedInput{Units: Normal, Columns: []MappedColumn{{Column: "plan"}}})},
		{"no output", "the name of an output", output(MappedOutput{})},
		{"a negative column", "a column from 0", output(MappedOutput{Output: "p", Column: -1})},
		{"a column and a class", "or a class", output(MappedOutput{Output: "p", Column: 1, Class: "yes"})},
		{"other values", `values are "odds"`, output(MappedOutput{Output: "p", Values: "odds"})},
		{"another target", `output for "sales"`, func(_ *Bundle, m *Mapping) { m.Outputs["sales"] = MappedOutput{Output: "p"} }},
		{"a target without", "want one for each", func(_ *Bundle, m *Mapping) { clear(m.Outputs) }},
	} {
		b, m := foreignBundle(t)
		c.spoil(b, m)
		config, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		b.Networks[len(b.Networks)-1].Saved.Config = config
		if err := b.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	b, _ := foreignBundle(t)
	b.Networks[0].Saved.Config = json.RawMessage(`{"inputs":{},"extra":1}`)
	if err := b.Validate(); err == nil || !strings.Contains(err.Error(), "extra") {
		t.Errorf("an unknown key: got error %v", err)
	}
}
