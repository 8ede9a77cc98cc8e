package onnxruntime

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"moments/features"
	"moments/infer"
	"moments/model"
	"moments/weights"
	"moments/weights/onnx"
)

// shopLayout describes customers and what they do.
var shopLayout = features.Layout{
	Profile: []features.Field{{Name: "age", Kind: features.Numeric}, {Name: "city", Kind: features.Categorical}},
	Event:   []features.Field{{Name: "amount", Kind: features.Numeric}, {Name: "channel", Kind: features.Categorical}},
}

// shopJourneys draws customers with and without events.
func shopJourneys(random *rand.Rand, n int) ([]features.Journey, []features.Cutoff) {
	all, cutoffs := make([]features.Journey, n), make([]features.Cutoff, n)
	for i := range all {
		j := &all[i]
		j.Customer = fmt.Sprint(i)
		j.Profile = []features.Value{features.Number(20 + 50*random.Float64()), features.Text(fmt.Sprintf("city-%d", random.IntN(15)))}
		at := int64(1.7e15)
		for range random.IntN(9) {
			at += random.Int64N(5 * features.Day)
			amount := features.Number(random.ExpFloat64() * 30)
			if random.IntN(3) == 0 {
				amount = features.Missing()
			}
			j.Events = append(j.Events, features.Event{
				Time: at, Type: []string{"visit", "purchase", "call"}[random.IntN(3)],
				Values: []features.Value{amount, features.Text([]string{"web", "shop"}[random.IntN(2)])},
			})
		}
		cutoffs[i] = features.Cutoff{Time: 1.8e15, Events: len(j.Events)}
	}
	return all, cutoffs
}

// shopBundle is a bundle of random networks of every kind, and the examples
// that its schema was fitted on.
func shopBundle(t *testing.T, n int) (*weights.Bundle, []features.Example) {
	t.Helper()
	random := rand.New(rand.NewPCG(9, 9))
	all, cutoffs := shopJourneys(random, n)
	fitter := features.NewFitter(shopLayout, features.DefaultOptions())
	for i := range all {
		fitter.Add(&all[i], cutoffs[i])
	}
	s, err := fitter.Schema()
	if err != nil {
		t.Fatal(err)
	}
	encoder, examples := s.NewEncoder(), make([]features.Example, n)
	var tokens []*features.Tokens
	for i := range all {
		encoder.EncodeTokens(&all[i], cutoffs[i], &examples[i])
		tokens = append(tokens, examples[i].Tokens)
	}
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.FitTokens(tokens, 1); err != nil {
		t.Fatal(err)
	}
	rows, events := tableOf(s.Table()), tableOf(s.TokenTable())
	b := &weights.Bundle{Name: "shop", Targets: []string{"buys", "leaves"}, TaskYAML: []byte("name: shop\n"), Schema: s, Layout: s.Layout}
	for name, network := range map[string]model.Network{
		"additive": &model.Additive{Table: rows, Targets: 2},
		"mlp":      &model.MLP{Table: rows, Targets: 2, Hidden: []int{9}, CategoryWidth: 3},
		"tabm":     &model.TabM{Table: rows, Targets: 2, Members: 3, Width: 8, Layers: 2, Embedding: 4, CategoryWidth: 3},
		"journey": &model.Journey{
			Events: events, Table: rows, Targets: 2, State: 7, Token: 3, TypeSize: 4, Members: 2, Width: 8, Layers: 1, Embedding: 3, CategoryWidth: 2,
		},
		"denoiser": &model.Denoiser{Features: s.StandardWidth(), Width: 8, Layers: 1, Steps: 5},
	} {
		b.Networks = append(b.Networks, drawn(t, random, name, network))
	}
	return b, examples
}

func tableOf(numeric, binary int, cardinalities []int, edges [][]float32) model.Table {
	t := model.Table{Numeric: numeric, Binary: binary, Cardinalities: cardinalities, Edges: edges}
	for _, e := range edges {
		t.Bins = max(t.Bins, len(e)-1)
	}
	return t
}

// drawn gives a network random parameters; four classifiers share the blend.
func drawn(t *testing.T, random *rand.Rand, name string, network model.Network) weights.Network {
	t.Helper()
	saved, err := model.Save(network)
	if err != nil {
		t.Fatal(err)
	}
	g := build(t, network)
	n := weights.Network{Name: name, Role: weights.Classifier, Weight: 1. / 4, Saved: saved, Params: map[string]weights.Tensor{}}
	if name == "denoiser" {
		n.Role, n.Weight = weights.Denoiser, 0
	}
	values := randomParams(g, random)
	for _, p := range g.Params() {
		n.Params[p.Name] = weights.Tensor{Shape: p.Shape, Data: values[p.Name]}
	}
	return n
}

// TestExportedBundleScoresAsTheScorer runs the files of a bundle as a stranger
// would, by their metadata alone, and blends them.
func TestExportedBundleScoresAsTheScorer(t *testing.T) {
	r := openRuntime(t)
	b, examples := shopBundle(t, 150)
	scorer, err := infer.NewScorer(b, infer.ScorerOptions{SkipAnomaly: true})
	if err != nil {
		t.Fatal(err)
	}
	want, err := scorer.ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	files, err := onnx.Export(b, "test")
	if err != nil || len(files) != 5 {
		t.Fatalf("got %d files, error %v", len(files), err)
	}
	blend := make([]float64, 2*len(examples))
	for _, f := range files {
		checkDescription(t, &f)
		if f.Metadata[onnx.MetadataRole] == string(weights.Denoiser) {
			continue
		}
		var share float64
		if _, err := fmt.Sscan(f.Metadata[onnx.MetadataWeight], &share); err != nil {
			t.Fatal(err)
		}
		for i, p := range runExported(t, r, &f, b.Schema, examples) {
			blend[i] += share * float64(p)
		}
	}
	for i := range examples {
		for k, p := range want[i].Probabilities {
			if math.Abs(blend[2*i+k]-float64(p)) > tolerance {
				t.Errorf("example %d, target %d: got %v, want %v", i, k, blend[2*i+k], p)
			}
		}
	}
}

// checkDescription demands a description as wide as each input.
func checkDescription(t *testing.T, f *onnx.File) {
	t.Helper()
	var inputs map[string]onnx.InputDescription
	if err := json.Unmarshal([]byte(f.Metadata[onnx.MetadataInputs]), &inputs); err != nil {
		t.Fatal(err)
	}
	for _, in := range f.Inputs {
		d := inputs[in.Name]
		if width := in.Shape[len(in.Shape)-1]; in.Name != onnx.InputLengths && (len(d.Columns) != width || d.Values == "") {
			t.Errorf("%s: %s is described as %+v", f.Name, in, d)
		}
		if d.Levels != nil && len(d.Levels) != len(d.Columns) {
			t.Errorf("%s: levels of %d columns for %q", f.Name, len(d.Levels), d.Columns)
		}
	}
}

// runExported fills the inputs of a file for all examples.
func runExported(t *testing.T, r *Runtime, f *onnx.File, s *features.Schema, examples []features.Example) []float32 {
	t.Helper()
	m, err := r.Load(f.Model, Options{})
	if err != nil {
		t.Fatal(err)
	}
	steps, n := 1, len(examples)
	for i := range examples {
		steps = max(steps, examples[i].Tokens.Events)
	}
	session := newSession(t, m, n, map[string]int{onnx.TimeAxis: steps})
	in := func(name string, rows, width, i int) []float32 {
		if x := Input[float32](session, name); x != nil && len(x) == rows*width {
			return x[i*width:][:width]
		}
		return make([]float32, width) // of no interest to this network
	}
	numeric, binary, categories, _ := s.Table()
	eventNumeric, eventBinary, eventCategories, _ := s.TokenTable()
	for i := range examples {
		ex := &examples[i]
		s.Normalize(ex, in(model.InputNumeric, n, numeric, i), in(model.InputBinary, n, binary, i), in(model.InputCategory, n, len(categories), i))
		in(model.InputRow, n, 1, i)[0] = float32(ex.Tokens.Events - 1)
		if lengths := Input[int32](session, onnx.InputLengths); lengths != nil {
			lengths[i] = int32(ex.Tokens.Events)
		}
		for e := range ex.Tokens.Events {
			at := e*n + i
			s.NormalizeToken(ex.Tokens, e, in(model.InputEventNumeric, n*steps, eventNumeric, at),
				in(model.InputEventBinary, n*steps, eventBinary, at), in(model.InputEventCategory, n*steps, len(eventCategories), at))
		}
	}
	if err := session.Run(n); err != nil {
		t.Fatal(err)
	}
	return Output[float32](session, model.OutputProbability)
}
