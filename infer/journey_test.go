package infer

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// journeyBundle is testBundle with two networks more, of different widths, that
// follow events; the second reads nothing else.
func journeyBundle(t testing.TB, n int) (*weights.Bundle, []features.Journey) {
	t.Helper()
	b, journeys := testBundle(t, n)
	var tokens []*features.Tokens
	for _, ex := range encodeTokens(b.Schema, journeys) {
		tokens = append(tokens, ex.Tokens)
	}
	if err := b.Schema.FitTokens(tokens, 1); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(17, 1))
	alone := followingNetwork(b.Schema, 9)
	alone.Table = model.Table{}
	b.Networks[0].Weight, b.Networks[1].Weight = 0.3, 0.1
	b.Networks = append(b.Networks,
		network(t, random, "journey-0", weights.Classifier, 0.4, followingNetwork(b.Schema, 24)),
		network(t, random, "journey-1", weights.Classifier, 0.2, alone))
	addForeteller(t, b, random, journeys)
	return b, journeys
}

func followingNetwork(schema *features.Schema, state int) *model.Journey {
	return &model.Journey{
		Events: tableOf(schema.TokenTable()), Table: tableOf(schema.Table()), Targets: 2, State: state, Token: 4, TypeSize: 5,
		Members: 3, Width: 16, Layers: 1, Embedding: 4, CategoryWidth: 3,
	}
}

// benchmarkScorer has a bundle as it is trained by default: three tabular
// networks and one that follows events.
func benchmarkScorer(b *testing.B) *Scorer {
	bundle, _ := journeyBundle(b, 300)
	random, schema := rand.New(rand.NewPCG(1, 9)), bundle.Schema
	tabular := &model.TabM{Table: tableOf(schema.Table()), Targets: 2, Members: 16, Width: 128, Layers: 2, Embedding: 8, CategoryWidth: 8}
	journey := &model.Journey{
		Events: tableOf(schema.TokenTable()), Table: tableOf(schema.Table()), Targets: 2, State: 64, Token: 8, TypeSize: 16,
		Members: 16, Width: 128, Layers: 2, Embedding: 8, CategoryWidth: 8,
	}
	bundle.Networks = []weights.Network{
		network(b, random, "tabm-0", weights.Classifier, 0.2, tabular), network(b, random, "tabm-1", weights.Classifier, 0.2, tabular),
		network(b, random, "tabm-2", weights.Classifier, 0.2, tabular), network(b, random, "journey-0", weights.Classifier, 0.4, journey),
	}
	return newScorer(b, bundle, ScorerOptions{})
}

func tableOf(numeric, binary int, cardinalities []int, edges [][]float32) model.Table {
	t := model.Table{Numeric: numeric, Binary: binary, Cardinalities: cardinalities, Edges: edges}
	for _, e := range edges {
		t.Bins = max(t.Bins, len(e)-1)
	}
	return t
}

func encodeTokens(schema *features.Schema, journeys []features.Journey) []features.Example {
	encoder, examples := schema.NewEncoder(), make([]features.Example, len(journeys))
	for i := range journeys {
		encoder.EncodeTokens(&journeys[i], end(&journeys[i]), &examples[i])
	}
	return examples
}

// wholeProbabilities runs every classifier of the bundle undivided, on one
// example at a time and through the obvious reference, and blends.
func wholeProbabilities(t *testing.T, b *weights.Bundle, ex *features.Example) []float64 {
	t.Helper()
	numeric, binary, cardinalities, _ := b.Schema.Table()
	inputs := map[string][]float32{
		model.InputNumeric: make([]float32, numeric), model.InputBinary: make([]float32, binary), model.InputCategory: make([]float32, len(cardinalities)),
	}
	b.Schema.Normalize(ex, inputs[model.InputNumeric], inputs[model.InputBinary], inputs[model.InputCategory])
	steps := slices.Repeat([]int{1}, ex.Cutoff.Events)
	numeric, binary, cardinalities, _ = b.Schema.TokenTable()
	for i := range steps {
		x, y, z := make([]float32, numeric), make([]float32, binary), make([]float32, len(cardinalities))
		b.Schema.NormalizeToken(ex.Tokens, i, x, y, z)
		for name, part := range map[string][]float32{model.InputEventNumeric: x, model.InputEventBinary: y, model.InputEventCategory: z} {
			inputs[name] = append(inputs[name], part...)
		}
	}
	inputs[model.InputRow] = []float32{float32(len(steps) - 1)}
	sum := make([]float64, len(b.Targets))
	for i := range b.Networks {
		n := &b.Networks[i]
		if n.Role != weights.Classifier || n.Weight == 0 {
			continue
		}
		g, err := n.Graph()
		if err != nil {
			t.Fatal(err)
		}
		values := reference(g, n.Values(), inputs, 1, steps...)[g.Outputs[model.OutputProbability].ID]
		for k, p := range values {
			sum[k] += n.Weight * p
		}
	}
	return sum
}

func TestJourneyNetworksMatchTheReference(t *testing.T) {
	b, journeys := journeyBundle(t, 120)
	examples := encodeTokens(b.Schema, journeys)
	scores, err := newScorer(t, b, ScorerOptions{}).ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[int]bool{}
	for i := range examples {
		lengths[min(examples[i].Cutoff.Events, 2)] = true
		want := wholeProbabilities(t, b, &examples[i])
		for k, p := range scores[i].Probabilities {
			if math.Abs(float64(p)-want[k]) > 1e-5 {
				t.Errorf("journey of %d events: probability %d is %v, want %v", examples[i].Cutoff.Events, k, p, want[k])
			}
		}
	}
	if len(lengths) != 3 {
		t.Errorf("lengths %v, want journeys of 0, 1 and more events", lengths)
	}
}

// Scores depend neither on the door nor on what is scored beside a journey.
func TestJourneysThroughEveryDoor(t *testing.T) {
	b, journeys := journeyBundle(t, 700)
	examples := encodeTokens(b.Schema, journeys)
	options := ScorerOptions{Workers: 2, Reasons: 2}
	s := newScorer(t, b, options)
	want, err := s.ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	if err := s.Score(t.Context(), stream(journeys), endAlways, func(got *Score) error {
		if !sameScore(got, &want[i]) {
			t.Errorf("customer %s: streamed %v, want %v", got.Customer, *got, want[i])
		}
		i++
		return nil
	}); err != nil || i != len(want) {
		t.Errorf("streamed %d scores, error %v, want %d", i, err, len(want))
	}
	for i := range journeys[:40] {
		got, err := s.ScoreJourney(&journeys[i], end(&journeys[i]))
		if err != nil || !sameScore(&got, &want[i]) {
			t.Errorf("alone: got %v and %v, want %v", got, err, want[i])
		}
	}
	order := rand.New(rand.NewPCG(2, 2)).Perm(len(examples))
	shuffled := make([]features.Example, len(examples))
	for to, from := range order {
		shuffled[to] = examples[from]
	}
	got, err := s.ScoreExamples(shuffled)
	if err != nil {
		t.Fatal(err)
	}
	for to, from := range order {
		if !sameScore(&got[to], &want[from]) {
			t.Errorf("in another order: got %v, want %v", got[to], want[from])
		}
	}
}

// Cuts of one journey share tokens, and may come in any order.
func TestCutsOfOneJourney(t *testing.T) {
	b, journeys := journeyBundle(t, 200)
	s, encoder := newScorer(t, b, ScorerOptions{}), b.Schema.NewEncoder()
	j := &journeys[slices.IndexFunc(journeys, func(j features.Journey) bool { return len(j.Events) >= 15 })]
	whole := encodeTokens(b.Schema, []features.Journey{*j})[0].Tokens
	var examples []features.Example
	var want []Score
	for _, events := range []int{0, 3, 3, 15, 7, 0, 1, 14} {
		c, ex := features.Cutoff{Time: 1.8e15, Events: events}, features.Example{}
		encoder.EncodeJourney(j, c, &ex)
		ex.Tokens = whole
		score, err := s.ScoreJourney(j, c)
		if err != nil {
			t.Fatal(err)
		}
		examples, want = append(examples, ex), append(want, score)
	}
	got, err := s.ScoreExamples(examples)
	if err != nil || !slices.EqualFunc(got, want, func(a, b Score) bool { return sameScore(&a, &b) }) {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
}

// longJourney has so many events, a minute apart.
func longJourney(events int) *features.Journey {
	j := &features.Journey{Customer: "long"}
	values := []features.Value{features.Number(3), features.Text("web")}
	for i := range events {
		j.Events = append(j.Events, features.Event{Time: 1.7e15 + int64(i)*features.Minute, Type: []string{"visit", "purchase", "unheard of"}[i%3], Values: values})
	}
	return j
}

// A journey of 100,000 events, alone and beside short ones, is the sum of its
// parts: the follower's states are those of single steps.
func TestLongJourneys(t *testing.T) {
	events := 100_000
	if testing.Short() {
		events = 10_000
	}
	b, _ := journeyBundle(t, 150)
	s := newScorer(t, b, ScorerOptions{Workers: 1})
	long := longJourney(events)
	examples := encodeTokens(b.Schema, []features.Journey{*longJourney(1), *long, {Customer: "none"}, *longJourney(700)})
	scores, err := s.ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := s.ScoreJourney(long, end(long))
	if err != nil || !sameScore(&alone, &scores[1]) {
		t.Errorf("alone: got %v and error %v, want %v", alone, err, scores[1])
	}
	one := s.following[0].steps.NewJourneySession(1, 1)
	copy(one.carried(model.OutputState), s.following[0].first)
	for i := range events {
		b.Schema.NormalizeToken(examples[1].Tokens, i, one.Input(model.InputEventNumeric), one.Input(model.InputEventBinary), one.Input(model.InputEventCategory))
		if err := one.Resume(0, []int{1}); err != nil {
			t.Fatal(err)
		}
	}
	f := newFollower(b.Schema, s.following)
	states := make([]float32, len(examples)*f.width)
	if err := f.states(examples, states, &walking{}); err != nil {
		t.Fatal(err)
	}
	if got, want := states[f.width:][:s.following[0].width], one.Output(model.OutputState); !slices.Equal(got, want) {
		t.Errorf("after %d events the state is %v, step by step %v", events, got, want)
	}
}

func TestTokensAreDemanded(t *testing.T) {
	b, journeys := journeyBundle(t, 150)
	s := newScorer(t, b, ScorerOptions{})
	for name, row := range map[string]struct {
		spoil func(ex *features.Example)
		want  string
	}{
		"none":         {func(ex *features.Example) { ex.Tokens = nil }, "without tokens, which network journey-0 reads"},
		"too few":      {func(ex *features.Example) { ex.Cutoff.Events = ex.Tokens.Events + 1 }, "events, want 0 to the"},
		"other schema": {func(ex *features.Example) { ex.Tokens.IDs = ex.Tokens.IDs[1:] }, "make them with the bundle's schema"},
		"no such id":   {func(ex *features.Example) { ex.Tokens.IDs[0] = 99 }, "want a whole number below"},
	} {
		examples := encodeTokens(b.Schema, []features.Journey{*longJourney(3), journeys[0]})
		row.spoil(&examples[0])
		if _, err := s.ScoreExamples(examples); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got error %v, want %q", name, err, row.want)
		}
	}
}

// A network without weight has no say, and needs no tokens.
func TestNetworkWithoutWeight(t *testing.T) {
	b, journeys := journeyBundle(t, 150)
	with := *b
	with.Networks, with.Reference.Transitions = slices.Clone(b.Networks[:5]), nil // nor detectors of events
	with.Networks[0].Weight, with.Networks[1].Weight = 0.8, 0.2
	with.Networks[3].Weight, with.Networks[4].Weight = 0, 0
	without := with
	without.Networks = with.Networks[:3]
	examples := encodeAll(b.Schema, journeys)
	got, err := newScorer(t, &with, ScorerOptions{}).ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	want, err := newScorer(t, &without, ScorerOptions{}).ScoreExamples(examples)
	if err != nil || !slices.EqualFunc(got, want, func(a, b Score) bool { return sameScore(&a, &b) }) {
		t.Errorf("networks without weight change the scores, error %v", err)
	}

	// The same holds for a network that reads the table alone.
	with.Networks[0].Weight, with.Networks[1].Weight = 0, 1
	got, err = newScorer(t, &with, ScorerOptions{}).ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	without = with
	without.Networks = with.Networks[1:3]
	want, err = newScorer(t, &without, ScorerOptions{}).ScoreExamples(examples)
	if err != nil || !slices.EqualFunc(got, want, func(a, b Score) bool { return sameScore(&a, &b) }) {
		t.Errorf("a network of the table without weight changes the scores, error %v", err)
	}
}
