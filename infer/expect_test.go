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

// addForeteller adds the detectors of the sequence to a bundle whose schema was
// fitted to events, and calibrates it.
func addForeteller(t testing.TB, b *weights.Bundle, random *rand.Rand, journeys []features.Journey) {
	t.Helper()
	var sizes []int
	for _, cell := range b.Schema.Cells() {
		sizes = append(sizes, cell.Size)
	}
	net := &model.BINet{Cells: sizes, Embedding: 3, State: 7, Width: 12}
	b.Networks = append(b.Networks, network(t, random, "foreteller", weights.Foreteller, 0, net))
	examples := encodeTokens(b.Schema, journeys)
	b.Reference.Transitions = transitionsOf(examples)
	if err := Calibrate(b, nil, examples); err != nil {
		t.Fatal(err)
	}
}

// transitionsOf counts as training does, slowly.
func transitionsOf(examples []features.Example) (transitions []weights.Transition) {
	for _, ex := range examples {
		before := [2]int32{}
		for i := range ex.Tokens.Events {
			h := weights.Transition{Before: before, Type: ex.Tokens.IDs[i*len(ex.Tokens.IDs)/ex.Tokens.Events], Count: 1}
			at := slices.IndexFunc(transitions, func(o weights.Transition) bool { return o.Before == h.Before && o.Type == h.Type })
			if at < 0 {
				transitions = append(transitions, h)
			} else {
				transitions[at].Count++
			}
			before = [2]int32{before[1], h.Type}
		}
	}
	slices.SortFunc(transitions, weights.CompareTransitions)
	return transitions
}

// TestSurprisesMatchTheReference computes every event's p-value from the
// network's logits over the whole journey.
func TestSurprisesMatchTheReference(t *testing.T) {
	b, journeys := journeyBundle(t, 40)
	s := newScorer(t, b, ScorerOptions{})
	n := b.Networks[slices.IndexFunc(b.Networks, func(n weights.Network) bool { return n.Role == weights.Foreteller })]
	g, err := n.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for _, ex := range encodeTokens(b.Schema, journeys) {
		want := slowSurprises(g, &n, b.Schema, &ex)
		surprises, err := s.Surprises(&ex)
		if err != nil {
			t.Fatal(err)
		}
		got := surprises["foreteller"]
		if len(surprises["chain"]) != len(want) || len(got) != len(want) {
			t.Fatalf("%d surprises of %d events", len(got), len(want))
		}
		for i := range want {
			if got[i].Event != i || !near(math.Log(got[i].P), math.Log(want[i]), 1e-3) {
				t.Fatalf("event %d of %s: p-value %v, want %v", i, ex.Customer, got[i].P, want[i])
			}
		}
	}
}

// TestEventScoresAreOnTheScaleOfJourneys compares the score of a journey, to
// which the most surprising event leads, with those of its events.
func TestEventScoresAreOnTheScaleOfJourneys(t *testing.T) {
	b, journeys := journeyBundle(t, 40)
	examples := encodeTokens(b.Schema, journeys)
	if err := Calibrate(b, examples[:20], examples[20:]); err != nil {
		t.Fatal(err)
	}
	for _, detectors := range [][]string{{"foreteller"}, {"chain"}, {"foreteller", "chain"}} {
		s := newScorer(t, b, ScorerOptions{Detectors: detectors})
		journey, err := s.AnomalyScores(examples)
		if err != nil {
			t.Fatal(err)
		}
		for i := range examples {
			events, err := s.EventScores(&examples[i])
			if err != nil || len(events) != examples[i].Cutoff.Events {
				t.Fatalf("%d events of %d, %v", len(events), examples[i].Cutoff.Events, err)
			}
			if len(events) == 0 {
				continue
			}
			most := slices.Max(events)
			if most > journey[i]+1e-4 || len(detectors) == 1 && most < journey[i]-1e-4 {
				t.Errorf("%v: an event scores %v, its journey %v", detectors, most, journey[i])
			}
		}
	}
	s := newScorer(t, b, ScorerOptions{Detectors: []string{"tails"}})
	if events, err := s.EventScores(&examples[0]); events != nil || err != nil {
		t.Errorf("%v, %v of the table's detectors, want none", events, err)
	}
}

// TestMeaningOfEvents asks what deviations of single events mean, by default and
// where the task has a word about their type.
func TestMeaningOfEvents(t *testing.T) {
	b, _ := journeyBundle(t, 4)
	group := "event:" + b.Schema.Types[0]
	for _, test := range []struct {
		attribute string
		sign      float64
		wish      weights.Sense
		want      Direction
	}{
		{features.CellType, 0, "", Mixed},
		{features.CellType, 0, weights.Good, Positive},
		{features.CellType, 0, weights.Bad, Negative},
		{features.CellGap, 1, "", Negative},
		{features.CellGap, 1, weights.Bad, Positive},
		{"amount", 1, "", Positive},
		{"amount", -1, weights.Bad, Positive},
		{"amount", 0, weights.Bad, Mixed},
	} {
		s, err := newSenses(b.Schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.wish != "" {
			s.groups[group] = signOf(test.wish)
		}
		if got := s.meaning(&Part{Group: group, Column: -1, Attribute: test.attribute, Sign: test.sign}); got != test.want {
			t.Errorf("%s %+g where the type is %q: %s, want %s", test.attribute, test.sign, test.wish, got, test.want)
		}
	}
}

func slowSurprises(g *model.Graph, n *weights.Network, schema *features.Schema, ex *features.Example) (p []float64) {
	cells, events := schema.Cells(), ex.Tokens.Events
	truth := make([]float32, events*len(cells))
	inputs := map[string][]float32{model.InputEventBefore: make([]float32, events*len(cells)), model.InputEventType: make([]float32, events)}
	steps := []int{}
	for i := range events {
		schema.TokenCells(cells, ex.Tokens, i, row(truth, i, len(cells)))
		if i > 0 {
			copy(row(inputs[model.InputEventBefore], i, len(cells)), row(truth, i-1, len(cells)))
		}
		inputs[model.InputEventType][i] = truth[i*len(cells)]
		steps = append(steps, 1)
	}
	logits := reference(g, n.Values(), inputs, events, steps...)[g.Outputs[model.OutputCells].ID]
	for i := range events {
		least := 1.0
		for c, cell := range cells {
			z := logits[:cell.Size]
			logits = logits[cell.Size:]
			all, tail := 0.0, 0.0
			for _, x := range z {
				all += math.Exp(x)
				if x <= z[int(truth[i*len(cells)+c])] {
					tail += math.Exp(x)
				}
			}
			least = min(least, tail/all)
		}
		p = append(p, 1-math.Pow(1-least, float64(len(cells))))
	}
	return p
}

// TestChainBacksOff checks probabilities by hand.
func TestChainBacksOff(t *testing.T) {
	b, _ := journeyBundle(t, 40)
	visit, call := int32(features.FirstKnownID), int32(features.FirstKnownID+1)
	h := newChaining(b.Schema, []weights.Transition{
		{Before: [2]int32{0, 0}, Type: visit, Count: 6}, {Before: [2]int32{0, visit}, Type: visit, Count: 1}, {Before: [2]int32{0, visit}, Type: call, Count: 3},
	})
	size := float64(len(b.Schema.Types) + features.FirstKnownID)
	// Ten events of two types; after the start six visits; after one visit, four events of two types.
	all := func(count float64) float64 { return (count + 2/size) / 12 }
	one := func(count, all float64) float64 { return (count + 2*all) / 6 }
	for kind, want := range map[int32]float64{visit: (1 + 2*one(1, all(7))) / 6, call: (3 + 2*one(3, all(3))) / 6, 0: (2 * one(0, all(0))) / 6} {
		p := slices.Clone(h.all)
		h.one[visit].mix(p)
		h.two[[2]int32{0, visit}].mix(p)
		if !near(float64(p[kind]), want, 1e-6) {
			t.Errorf("type %d after a first visit: %v, want %v", kind, p[kind], want)
		}
	}
	sum := 0.0
	for _, p := range h.all {
		sum += float64(p)
	}
	if !near(sum, 1, 1e-6) {
		t.Errorf("probabilities add up to %v", sum)
	}
}

func TestTrailKeepsTheMostSurprising(t *testing.T) {
	tr := make(trail, trailWidth)
	for i, surprise := range []float32{1, 0, 5, 2, 5, 3, 0.5} {
		if tr.admits(surprise) {
			tr.keep([entryWidth]float32{entrySurprise: surprise})
		} else if surprise > 1 {
			t.Errorf("event %d was not kept", i)
		}
	}
	for k, want := range []float32{2, 4, 5, 3} {
		if got := tr.entry(k)[entryEvent]; got != want {
			t.Errorf("entry %d is event %v, want %v", k, got, want)
		}
	}
	if want := -math.Log(1 - math.Pow(1-math.Exp(-5), 7)); !near(float64(tr.score()), want, 1e-6) {
		t.Errorf("score %v, want %v", tr.score(), want)
	}
	if empty := make(trail, trailWidth); empty.score() != 0 || empty.taken() != 0 {
		t.Errorf("a journey without events scores %v", empty.score())
	}
}

// TestStrangeEventIsFound plants one type where transitions have never seen it.
func TestStrangeEventIsFound(t *testing.T) {
	b, journeys := journeyBundle(t, 40)
	b.Networks = slices.DeleteFunc(b.Networks, func(n weights.Network) bool { return n.Role != weights.Classifier })
	examples := encodeTokens(b.Schema, journeys)
	visits := journeys[slices.IndexFunc(journeys, func(j features.Journey) bool { return len(j.Events) > 8 })]
	visits.Events = slices.Clone(visits.Events)
	for i := range visits.Events {
		visits.Events[i].Type = "visit"
	}
	normal := []features.Journey{visits}
	b.Reference.Transitions = transitionsOf(encodeTokens(b.Schema, normal))
	if err := Calibrate(b, nil, examples[:1]); err != nil {
		t.Fatal(err)
	}
	strange := visits
	strange.Events = slices.Clone(visits.Events)
	strange.Events[5].Type = "call"
	s := newScorer(t, b, ScorerOptions{Reasons: 2})
	score, err := s.ScoreJourney(&strange, end(&strange))
	if err != nil {
		t.Fatal(err)
	}
	usual, err := s.ScoreJourney(&visits, end(&visits))
	if err != nil || !(score.AnomalyScore > usual.AnomalyScore) {
		t.Fatalf("strange %v, usual %v: %v", score.AnomalyScore, usual.AnomalyScore, err)
	}
	w := s.newWorker()
	if err := w.detect.run(encodeTokens(b.Schema, []features.Journey{strange}), nil); err != nil {
		t.Fatal(err)
	}
	parts := w.detect.parts(0)
	if len(parts) == 0 || parts[0].Event != 5 || parts[0].Group != "event:call" || parts[0].Attribute != features.CellType ||
		parts[0].Seen != float64(features.FirstKnownID+slices.Index(b.Schema.Types, "call")) || parts[0].Expected != float64(features.FirstKnownID+slices.Index(b.Schema.Types, "visit")) {
		t.Errorf("got parts %+v, want the call at event 5 instead of a visit first", parts)
	}
	if at := slices.IndexFunc(score.Reasons, func(r Reason) bool { return r.Target == AnomalyTarget }); at < 0 || score.Reasons[at].Group != "event:call" {
		t.Errorf("got reasons %+v, want event:call first", score.Reasons)
	}
	strange.Events[5].Type = "carrier pigeon"
	if err := w.detect.run(encodeTokens(b.Schema, []features.Journey{strange}), nil); err != nil {
		t.Fatal(err)
	}
	if parts := w.detect.parts(0); len(parts) == 0 || parts[0].Group != "event:(never seen)" {
		t.Errorf("got parts %+v, want an event of a type that training never saw", parts)
	}
}

func TestEventDetectorsDemandTokens(t *testing.T) {
	b, journeys := journeyBundle(t, 40)
	b.Networks = slices.DeleteFunc(b.Networks, func(n weights.Network) bool { return strings.HasPrefix(n.Name, "journey") })
	b.Networks[0].Weight, b.Networks[1].Weight = 0.6, 0.4
	s := newScorer(t, b, ScorerOptions{})
	if _, err := s.ScoreExamples(encodeAll(b.Schema, journeys)); err == nil || !strings.Contains(err.Error(), "without tokens, which the foreteller reads") {
		t.Errorf("got error %v", err)
	}
	if _, err := s.ScoreJourney(&journeys[0], end(&journeys[0])); err != nil {
		t.Error(err)
	}
	hostile := encodeTokens(b.Schema, journeys)
	for _, ex := range hostile {
		for i := range ex.Tokens.IDs {
			ex.Tokens.IDs[i] += 1 << 20 * int32(i%3-1)
		}
	}
	if _, err := s.ScoreExamples(hostile); err != nil { // unseen types, nothing worse
		t.Error(err)
	}
}

// BenchmarkJourneyAnomaly scores journeys of 20 events of three attributes with
// the sequence's detectors alone.
func BenchmarkJourneyAnomaly(b *testing.B) {
	bundle, _ := journeyBundle(b, 300)
	random, schema := rand.New(rand.NewPCG(1, 9)), bundle.Schema
	var sizes []int
	for _, cell := range schema.Cells() {
		sizes = append(sizes, cell.Size)
	}
	bundle.Networks = []weights.Network{
		network(b, random, "foreteller", weights.Foreteller, 0, &model.BINet{Cells: sizes, Embedding: 16, State: 64, Width: 128}),
	}
	bundle.Targets, bundle.PositiveRates, bundle.AlertRate = nil, nil, 0.01
	examples := encodeTokens(schema, longJourneys(256, 20))
	if err := Calibrate(bundle, nil, examples); err != nil {
		b.Fatal(err)
	}
	w := newScorer(b, bundle, ScorerOptions{}).newWorker()
	for b.Loop() {
		if err := w.detect.run(examples, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(examples)), "µs/journey")
}

func longJourneys(n, events int) (journeys []features.Journey) {
	for i := range n {
		j := *longJourney(events)
		j.Customer += string(rune('a' + i%26))
		journeys = append(journeys, j)
	}
	return journeys
}

// TestOneDetector scores with one of several.
func TestOneDetector(t *testing.T) {
	b, journeys := journeyBundle(t, 60)
	s := newScorer(t, b, ScorerOptions{Detectors: []string{"chain"}, SkipTargets: true})
	examples := encodeTokens(b.Schema, journeys)
	scores, err := s.ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	var raw []float32
	for _, score := range scores {
		raw = append(raw, float32(score.AnomalyScore))
	}
	slices.Sort(raw)
	if !slices.Equal(raw, b.Reference.Detectors["chain"]) {
		t.Error("one detector's scores are not those that it was calibrated with")
	}
	if _, err := NewScorer(b, ScorerOptions{Detectors: []string{"oracle"}}); err == nil || !strings.Contains(err.Error(), `no detector named "oracle"`) {
		t.Errorf("unknown detector: got error %v", err)
	}
}

// TestImpossibleStatesAreRefused spoils what a live journey carries, with the
// checksum made anew: it is refused, or scores without harm.
func TestImpossibleStatesAreRefused(t *testing.T) {
	b, journeys := journeyBundle(t, 60)
	s := newScorer(t, b, ScorerOptions{Reasons: 2})
	random := rand.New(rand.NewPCG(4, 4))
	j := journeys[slices.IndexFunc(journeys, func(j features.Journey) bool { return len(j.Events) > 5 })]
	refused := 0
	for range 600 {
		l := follow(t, s, j.Customer, j.Profile)
		appendAll(t, l, j.Events)
		row := l.carried[random.IntN(len(l.carried))]
		row[random.IntN(len(row))] = []float32{-1, 0.5, 1e9, 3, 7, float32(math.NaN()), float32(random.NormFloat64())}[random.IntN(7)]
		data, err := l.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		restored, err := s.Restore(data)
		if err != nil {
			refused++
			continue
		}
		appendAll(t, restored, j.Events[len(j.Events)-1:])
		if _, err := restored.Score(1.8e15); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 100 {
		t.Errorf("%d of 600 spoiled states were refused", refused)
	}
}
