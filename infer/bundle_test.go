package infer

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/features"
	"moments/model"
	"moments/weights"
)

var testLayout = features.Layout{
	Profile: []features.Field{{Name: "age", Kind: features.Numeric}, {Name: "city", Kind: features.Categorical}, {Name: "plan", Kind: features.Categorical}},
	Event:   []features.Field{{Name: "amount", Kind: features.Numeric}, {Name: "channel", Kind: features.Categorical}},
}

// randomJourneys draws customers with and without gaps in what is known.
func randomJourneys(random *rand.Rand, n int) []features.Journey {
	journeys := make([]features.Journey, n)
	for i := range journeys {
		j := &journeys[i]
		j.Customer = fmt.Sprintf("c%05d", i)
		j.Profile = []features.Value{
			features.Number(20 + 50*random.Float64()),
			features.Text(fmt.Sprintf("city-%d", random.IntN(30))),
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

func end(j *features.Journey) features.Cutoff {
	return features.Cutoff{Time: 1.8e15, Events: len(j.Events)}
}

func endAlways(j *features.Journey) (features.Cutoff, bool) { return end(j), true }

func encodeAll(schema *features.Schema, journeys []features.Journey) []features.Example {
	encoder, examples := schema.NewEncoder(), make([]features.Example, len(journeys))
	for i := range journeys {
		encoder.EncodeJourney(&journeys[i], end(&journeys[i]), &examples[i])
	}
	return examples
}

// fitSchema fits a schema on journeys as training would.
func fitSchema(t testing.TB, journeys []features.Journey) (*features.Schema, []features.Example) {
	t.Helper()
	fitter := features.NewFitter(testLayout, features.DefaultOptions())
	for i := range journeys {
		fitter.Add(&journeys[i], end(&journeys[i]))
	}
	schema, err := fitter.Schema()
	if err != nil {
		t.Fatal(err)
	}
	examples := encodeAll(schema, journeys)
	if err := schema.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	return schema, examples
}

// network draws random parameters for an architecture.
func network(t testing.TB, random *rand.Rand, name string, role weights.Role, share float64, config model.Network) weights.Network {
	t.Helper()
	saved, err := model.Save(config)
	if err != nil {
		t.Fatal(err)
	}
	g := build(t, config)
	values, params := randomParams(g, random), map[string]weights.Tensor{}
	for _, p := range g.Params() {
		params[p.Name] = weights.Tensor{Shape: p.Shape, Data: values[p.Name]}
	}
	return weights.Network{Name: name, Role: role, Saved: saved, Weight: share, Params: params}
}

// testBundle is a bundle of random networks on a schema fitted to n journeys.
func testBundle(t testing.TB, n int) (*weights.Bundle, []features.Journey) {
	t.Helper()
	random := rand.New(rand.NewPCG(11, 11))
	journeys := randomJourneys(random, n)
	schema, examples := fitSchema(t, journeys)
	numeric, binary, cardinalities, edges := schema.Table()
	table := model.Table{Numeric: numeric, Binary: binary, Cardinalities: cardinalities, Edges: edges}
	for _, e := range edges {
		table.Bins = max(table.Bins, len(e)-1)
	}
	b := &weights.Bundle{
		Name: "test", Targets: []string{"conversion", "churn"}, TaskYAML: []byte("name: test\n"),
		Layout: testLayout, Schema: schema, AlertRate: 0.01, NoiseSeed: 7,
		Metrics: json.RawMessage(`{"auroc":0.5}`),
		Networks: []weights.Network{
			network(t, random, "tabm-0", weights.Classifier, 0.7, &model.TabM{Table: table, Targets: 2, Members: 4, Width: 32, Layers: 2, Embedding: 4, CategoryWidth: 3}),
			network(t, random, "mlp-0", weights.Classifier, 0.3, &model.MLP{Table: table, Targets: 2, Hidden: []int{24}, CategoryWidth: 3}),
			network(t, random, "denoiser", weights.Denoiser, 0, &model.Denoiser{Features: schema.StandardWidth(), Width: 32, Layers: 2, Steps: 20, ScoreSteps: 5}),
		},
		Reference: weights.Reference{Typical: weights.NewTypical(examples)},
	}
	calibrate(t, b, examples[:n/2], examples[n/2:])
	return b, journeys
}

func calibrate(t testing.TB, b *weights.Bundle, training, heldOut []features.Example) {
	t.Helper()
	if err := Calibrate(b, training, heldOut); err != nil {
		t.Fatal(err)
	}
}

func newScorer(t testing.TB, b *weights.Bundle, o ScorerOptions) *Scorer {
	t.Helper()
	s, err := NewScorer(b, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stream yields every journey in the same memory and spoils what it yielded
// before, as datasets may.
func stream(journeys []features.Journey) iter.Seq2[*features.Journey, error] {
	return func(yield func(*features.Journey, error) bool) {
		var j features.Journey
		var values []features.Value
		for i := range journeys {
			j.Customer = journeys[i].Customer
			j.Profile = append(j.Profile[:0], journeys[i].Profile...)
			j.Events, values = append(j.Events[:0], journeys[i].Events...), values[:0]
			for k := range j.Events {
				values = append(values, j.Events[k].Values...)
				j.Events[k].Values = values[len(values)-len(j.Events[k].Values):]
			}
			if !yield(&j, nil) {
				return
			}
			for k := range j.Events {
				j.Events[k].Type = "spoilt"
				clear(j.Events[k].Values)
			}
		}
	}
}

func clone(s *Score) Score {
	c := *s
	c.Probabilities, c.Reasons = slices.Clone(s.Probabilities), slices.Clone(s.Reasons)
	c.Causes = slices.Clone(s.Causes)
	return c
}

func sameCause(a, b Cause) bool {
	same := func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y }
	return a.String() == b.String() && a.Group == b.Group && a.Event == b.Event && same(a.Seen, b.Seen) &&
		same(a.Expected, b.Expected) && same(a.Share, b.Share) && a.Direction == b.Direction
}

func sameScore(a, b *Score) bool {
	same := func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }
	return a.Customer == b.Customer && a.Cutoff == b.Cutoff && slices.Equal(a.Probabilities, b.Probabilities) &&
		same(a.Anomaly, b.Anomaly) && same(a.AnomalyScore, b.AnomalyScore) && a.Direction == b.Direction && slices.Equal(a.Reasons, b.Reasons) &&
		a.Alert == b.Alert && slices.EqualFunc(a.Causes, b.Causes, sameCause)
}
