// Package testbundle makes small bundles of networks with random parameters,
// and journeys that they can score, for the tests of packages that serve
// bundles. It is no part of any program.
package testbundle

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
)

// Layout is that of every bundle and journey here.
var Layout = features.Layout{
	Profile: []features.Field{{Name: "age", Kind: features.Numeric}, {Name: "city", Kind: features.Categorical}, {Name: "plan", Kind: features.Categorical}},
	Event:   []features.Field{{Name: "amount", Kind: features.Numeric}, {Name: "channel", Kind: features.Categorical}},
}

// Journeys draws n customers, with and without gaps in what is known of them.
func Journeys(seed uint64, n int) []features.Journey {
	random := rand.New(rand.NewPCG(seed, 1))
	journeys := make([]features.Journey, n)
	for i := range journeys {
		j := &journeys[i]
		j.Customer = fmt.Sprintf("c%05d", i)
		j.Profile = []features.Value{
			features.Number(20 + math.Floor(50*random.Float64())),
			features.Text(fmt.Sprintf("city-%d", random.IntN(12))),
			features.Text([]string{"basic", "plus", ""}[random.IntN(3)]),
		}
		if random.IntN(5) == 0 {
			j.Profile[0] = features.Missing()
		}
		at := int64(1.7e15)
		for range random.IntN(20) {
			at += random.Int64N(9 * features.Day)
			j.Events = append(j.Events, features.Event{
				Time: at, Type: []string{"visit", "visit", "purchase", "call"}[random.IntN(4)],
				Values: []features.Value{features.Number(math.Exp(3 * random.NormFloat64())), features.Text([]string{"web", "shop"}[random.IntN(2)])},
			})
		}
	}
	return journeys
}

// Cutoff is after the last event of all of a journey.
func Cutoff(j *features.Journey) features.Cutoff {
	return features.Cutoff{Time: 1.8e15, Events: len(j.Events)}
}

// New makes a bundle with the targets conversion and churn: a tabular network,
// one that follows events and foretells them, and a denoiser. Bundles of
// different seeds score differently; their schema is the same.
func New(t testing.TB, seed uint64) *weights.Bundle {
	t.Helper()
	journeys := Journeys(1, 120)
	schema, examples := Fit(t, journeys)
	random := rand.New(rand.NewPCG(seed, 2))
	table := tableOf(schema.Table())
	b := &weights.Bundle{
		Name: "test", Targets: []string{"conversion", "churn"}, TaskYAML: []byte("name: test\n"),
		PositiveRates: []float64{0.25, 0.125},
		Layout:        Layout, Schema: schema, AlertRate: 0.02, NoiseSeed: 7, Metrics: json.RawMessage(`{"auroc":0.5}`),
		Networks: []weights.Network{
			network(t, random, "mlp", weights.Classifier, 0.5, &model.MLP{Table: table, Targets: 2, Hidden: []int{16}, CategoryWidth: 3}),
			network(t, random, "journey", weights.Classifier, 0.5, &model.Journey{
				Events: tableOf(schema.TokenTable()), Table: table, Targets: 2, State: 8, Token: 4, TypeSize: 3,
				Members: 2, Width: 8, Layers: 1, Embedding: 4, CategoryWidth: 3,
			}),
			network(t, random, "denoiser", weights.Denoiser, 0, &model.Denoiser{Features: schema.StandardWidth(), Width: 8, Layers: 1, Steps: 5, ScoreSteps: 2}),
		},
		Reference: weights.Reference{Typical: weights.NewTypical(examples)},
	}
	check(t, infer.Calibrate(b, examples[:60], examples[60:]))
	return b
}

// Save makes a bundle and saves it to dir.
func Save(t testing.TB, seed uint64, dir string) *weights.Bundle {
	t.Helper()
	b := New(t, seed)
	check(t, b.Save(dir))
	return b
}

// Fit fits a schema on journeys, as training would, and encodes them.
func Fit(t testing.TB, journeys []features.Journey) (*features.Schema, []features.Example) {
	t.Helper()
	fitter := features.NewFitter(Layout, features.DefaultOptions())
	for i := range journeys {
		fitter.Add(&journeys[i], Cutoff(&journeys[i]))
	}
	schema, err := fitter.Schema()
	check(t, err)
	encoder, examples := schema.NewEncoder(), make([]features.Example, len(journeys))
	tokens := make([]*features.Tokens, len(journeys))
	for i := range journeys {
		encoder.EncodeTokens(&journeys[i], Cutoff(&journeys[i]), &examples[i])
		tokens[i] = examples[i].Tokens
	}
	check(t, schema.FitNormalizer(examples, 1))
	check(t, schema.FitTokens(tokens, 1))
	return schema, examples
}

func tableOf(numeric, binary int, cardinalities []int, edges [][]float32) model.Table {
	t := model.Table{Numeric: numeric, Binary: binary, Cardinalities: cardinalities, Edges: edges}
	for _, e := range edges {
		t.Bins = max(t.Bins, len(e)-1)
	}
	return t
}

// network draws parameters of about unit gain for an architecture.
func network(t testing.TB, random *rand.Rand, name string, role weights.Role, share float64, config model.Network) weights.Network {
	t.Helper()
	saved, err := model.Save(config)
	check(t, err)
	g, err := model.Build(config)
	check(t, err)
	params := map[string]weights.Tensor{}
	for _, p := range g.Params() {
		values := make([]float32, p.RowSize())
		for i := range values {
			values[i] = float32(random.NormFloat64() / math.Sqrt(float64(p.Shape[0])))
			if p.Init.Kind == model.Constant {
				values[i] = 0.5 + random.Float32()
			}
		}
		if p.Init.Kind == model.Data {
			copy(values, p.Init.Values)
		}
		params[p.Name] = weights.Tensor{Shape: p.Shape, Data: values}
	}
	return weights.Network{Name: name, Role: role, Saved: saved, Weight: share, Params: params}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
