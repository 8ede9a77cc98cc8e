package onnxruntime

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"moments/features"
	"moments/infer"
	"moments/model"
	"moments/weights"
	"moments/weights/onnx"
)

// schema has the columns age (with gaps), visits and plan.
func schema(t *testing.T) (*features.Schema, []features.Example) {
	t.Helper()
	layout := features.Layout{Profile: []features.Field{{Name: "age", Kind: features.Numeric}, {Name: "visits", Kind: features.Numeric}, {Name: "plan", Kind: features.Categorical}}}
	fitter := features.NewFitter(layout, features.DefaultOptions())
	journeys := make([]features.Journey, 60)
	for i := range journeys {
		journeys[i].Customer = fmt.Sprint(i)
		journeys[i].Profile = []features.Value{features.Number(float64(20 + i%30)), features.Number(float64(i % 7)), features.Text([]string{"basic", "gold"}[i%2])}
		if i%10 == 3 {
			journeys[i].Profile[0] = features.Missing()
		}
		fitter.Add(&journeys[i], features.Cutoff{})
	}
	journeys[0].Profile[2] = features.Text("platinum") // after the fit: unseen
	journeys[1].Profile[2] = features.Missing()
	s, err := fitter.Schema()
	if err != nil {
		t.Fatal(err)
	}
	encoder, examples := s.NewEncoder(), make([]features.Example, len(journeys))
	for i := range journeys {
		encoder.EncodeJourney(&journeys[i], features.Cutoff{}, &examples[i])
	}
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	return s, examples
}

// bundle holds an exported network as if it came from elsewhere.
func bundle(t *testing.T, network model.Network, params map[string][]float32, mapping *weights.Mapping) (*weights.Bundle, []features.Example) {
	t.Helper()
	g := build(t, network)
	raw, err := onnx.Encode(g, params, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := weights.NewForeign("theirs", mapping, raw)
	if err != nil {
		t.Fatal(err)
	}
	s, examples := schema(t)
	return &weights.Bundle{
		Name: "test", Targets: []string{"churn"}, TaskYAML: []byte("name: test\n"), Schema: s, Layout: s.Layout,
		Networks: []weights.Network{n}, Reference: weights.Reference{Typical: weights.NewTypical(examples)},
	}, examples
}

// linear sums its inputs x (4) with weights 1, 10, 100, 1000.
var linear = draw(func(b model.Builder) model.Outputs {
	return model.Outputs{"y": model.Linear(b, b.Input("x", 4), 1, model.Identity)}
})

func linearParams(scale float32) map[string][]float32 {
	return map[string][]float32{"weight": {scale, 10 * scale, 100 * scale, 1000 * scale}, "bias": {0}}
}

func text(s string) *string { return &s }

func score(t *testing.T, b *weights.Bundle, examples []features.Example) ([]infer.Score, error) {
	t.Helper()
	scorer, err := infer.NewScorer(b, infer.ScorerOptions{Foreign: Opener(""), Reasons: 2})
	if err != nil {
		return nil, err
	}
	return scorer.ScoreExamples(examples)
}

// TestColumnsInTheirOwnUnits reads off what a model is given.
func TestColumnsInTheirOwnUnits(t *testing.T) {
	openRuntime(t)
	one := 1.0
	columns := []weights.MappedColumn{
		{Value: &one},
		{Column: "visits"},
		{Column: "plan", Codes: map[string]float64{"basic": 2, "gold": 3}, Missing: text("4"), Unseen: text("5")},
		{Column: "age", Missing: text("-1")},
	}
	b, examples := bundle(t, linear, linearParams(1e-5), &weights.Mapping{
		Inputs:  map[string]weights.MappedInput{"x": {Columns: columns}},
		Outputs: map[string]weights.MappedOutput{"churn": {Output: "y", Values: weights.Logit}},
	})
	scores, err := score(t, b, examples)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range scores {
		age, plan := float64(20+i%30), float64(2+i%2)
		if i%10 == 3 {
			age = -1
		}
		if i < 2 {
			plan = []float64{5, 4}[i]
		}
		want := 1 / (1 + math.Exp(-1e-5*(1+10*float64(i%7)+100*plan+1000*age)))
		if got := float64(s.Probabilities[0]); math.Abs(got-want) > 1e-6 {
			t.Errorf("example %d: got %v, want %v", i, got, want)
		}
	}
}

// TestNormalisedParts gives a foreign network what networks trained here read.
func TestNormalisedParts(t *testing.T) {
	openRuntime(t)
	s, examples := schema(t)
	numeric, binary, _, _ := s.Table()
	network := &model.MLP{Table: model.Table{Numeric: numeric, Binary: binary}, Targets: 1, Hidden: []int{5}}
	params := map[string][]float32{}
	for i, p := range build(t, network).Params() {
		params[p.Name] = make([]float32, p.RowSize())
		for k := range params[p.Name] {
			params[p.Name][k] = float32(math.Sin(float64(i + 3*k)))
		}
	}
	params["temperature"][0] = 1.5
	b, _ := bundle(t, network, params, &weights.Mapping{
		Inputs:  map[string]weights.MappedInput{"numeric": {Part: "numeric"}, "binary": {Part: "binary"}},
		Outputs: map[string]weights.MappedOutput{"churn": {Output: "probability"}},
	})
	foreign, err := score(t, b, examples)
	if err != nil {
		t.Fatal(err)
	}
	native := *b
	saved, err := model.Save(network)
	if err != nil {
		t.Fatal(err)
	}
	native.Networks = []weights.Network{{Name: "ours", Role: weights.Classifier, Weight: 1, Saved: saved, Params: map[string]weights.Tensor{}}}
	for _, p := range build(t, network).Params() {
		native.Networks[0].Params[p.Name] = weights.Tensor{Shape: p.Shape, Data: params[p.Name]}
	}
	want, err := score(t, &native, examples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Abs(float64(foreign[i].Probabilities[0]-want[i].Probabilities[0])) > 1e-6 {
			t.Errorf("example %d: got %v, want %v", i, foreign[i].Probabilities, want[i].Probabilities)
		}
	}
}

// TestOutputsThatAreNoProbabilities are refused, one by one, and the scorer
// lives on.
func TestOutputsThatAreNoProbabilities(t *testing.T) {
	openRuntime(t)
	columns := []weights.MappedColumn{{Column: "visits"}, {Column: "visits"}, {Column: "visits"}, {Column: "age", Missing: text("0")}}
	gaps := append([]weights.MappedColumn{}, columns...)
	gaps[3].Missing = nil
	for _, c := range []struct {
		name    string
		scale   float32
		columns []weights.MappedColumn
		want    string
	}{
		{"logits", 1, columns, "want a probability from 0 to 1"},
		{"not a number", 1e-6, gaps, "gives NaN"},
		{"infinite", math.MaxFloat32 / 1000, columns, "gives +Inf"},
	} {
		b, examples := bundle(t, linear, linearParams(c.scale), &weights.Mapping{
			Inputs:  map[string]weights.MappedInput{"x": {Columns: c.columns}},
			Outputs: map[string]weights.MappedOutput{"churn": {Output: "y"}},
		})
		for range 2 {
			if _, err := score(t, b, examples); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "onnxruntime: target churn") {
				t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
			}
		}
	}
}

func TestWrongShapes(t *testing.T) {
	r := openRuntime(t)
	s, _ := schema(t)
	m := export(t, r, build(t, linear), linearParams(1))
	v := m.Inputs[0]
	fixed := v
	fixed.Shape = []int{1, 4}
	in := weights.MappedInput{Columns: make([]weights.MappedColumn, 4)}
	for i := range in.Columns {
		in.Columns[i].Column = "visits"
	}
	for _, c := range []struct {
		name, want string
		v          onnx.Value
		in         weights.MappedInput
	}{
		{"too few columns", "takes 4 columns, the map gives 3", v, weights.MappedInput{Columns: in.Columns[:3]}},
		{"a fixed batch", "dynamic batch", fixed, in},
		{"another part", "takes 4 columns, the map gives", v, weights.MappedInput{Part: "binary"}},
	} {
		if _, err := newFiller(s, c.v, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := m.NewSession(1, nil, "z"); err == nil || !strings.Contains(err.Error(), `no output "z"`) {
		t.Errorf("got error %v, want one about the name", err)
	}
	session := newSession(t, m, 3, nil)
	for _, rows := range []int{0, 4, -1} {
		if err := session.Run(rows); err == nil || !strings.Contains(err.Error(), "want 1 to 3") {
			t.Errorf("%d rows: got error %v", rows, err)
		}
	}
	if Input[float64](session, "x") != nil || Input[float32](session, "y") != nil || len(Input[float32](session, "x")) != 12 {
		t.Error("want the memory of input x, and of no other")
	}
}

// TestManyBatchSizes runs more sizes than a session keeps tensors for.
func TestManyBatchSizes(t *testing.T) {
	r := openRuntime(t)
	s := newSession(t, export(t, r, build(t, linear), linearParams(1)), 200, nil)
	x := Input[float32](s, "x")
	for i := range x {
		x[i] = float32(i % 4)
	}
	for rows := range 200 {
		if err := s.Run(rows + 1); err != nil {
			t.Fatal(err)
		}
		if got := Output[float32](s, "y")[rows]; got != 3210 {
			t.Fatalf("row %d of %d is %v, want 3210", rows, rows+1, got)
		}
	}
}
