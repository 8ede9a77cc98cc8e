package infer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// probabilitiesAt scores a journey of its own.
func probabilitiesAt(t *testing.T, s *Scorer, j *features.Journey, events []features.Event, at int64) []float32 {
	t.Helper()
	score, err := s.ScoreJourney(&features.Journey{Profile: j.Profile, Events: events}, features.Cutoff{Time: at, Events: len(events)})
	if err != nil {
		t.Fatal(err)
	}
	return score.Probabilities
}

// withoutEvent is a copy of the events but one.
func withoutEvent(events []features.Event, i int) []features.Event {
	return slices.Delete(slices.Clone(events), i, i+1)
}

// probabilitiesWithout scores a journey without an event. That of the first
// leaves the start where it was.
func probabilitiesWithout(t *testing.T, s *Scorer, j *features.Journey, events []features.Event, i int, at int64) []float32 {
	t.Helper()
	if i > 0 || len(events) == 1 {
		return probabilitiesAt(t, s, j, withoutEvent(events, i), at)
	}
	return probabilitiesFrom(t, s, j, &events[0], events[1:], at)
}

// probabilitiesFrom scores a journey that began with an event which is no part
// of it.
func probabilitiesFrom(t *testing.T, s *Scorer, j *features.Journey, began *features.Event, events []features.Event, at int64) []float32 {
	t.Helper()
	w := s.workers.Get().(*worker)
	defer s.workers.Put(w)
	v, e := w.newVariants(), s.bundle.Schema.NewEncoder()
	e.Start(j.Profile)
	row, err := v.add(prefix{encoder: e, states: v.nothing, began: began}, events, at)
	if err == nil {
		err = v.flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(v.row(row))
}

// checkExplanation compares an explanation, to the bit, with scoring every
// prefix of the journey, and the journey without each event, from the start.
func checkExplanation(t *testing.T, s *Scorer, j *features.Journey, c features.Cutoff, o ExplainOptions) *Explanation {
	t.Helper()
	e, err := s.Explain(j, c, o)
	if err != nil {
		t.Fatal(err)
	}
	events := j.Events[:c.Events]
	start := c.Time
	if len(events) > 0 {
		start = events[0].Time
	}
	if want := probabilitiesAt(t, s, j, nil, start); !slices.Equal(e.Start, want) {
		t.Errorf("starts at %v, want %v", e.Start, want)
	}
	if want := probabilitiesAt(t, s, j, events, c.Time); !slices.Equal(e.Final, want) {
		t.Errorf("ends at %v, want %v", e.Final, want)
	}
	if len(e.Events) != len(events) || e.Customer != j.Customer || e.Cutoff != c.Time || !slices.Equal(e.Targets, s.bundle.Targets) {
		t.Fatalf("%d events of %s at %d, want %d of %s at %d", len(e.Events), e.Customer, e.Cutoff, len(events), j.Customer, c.Time)
	}
	for i := range events {
		checkMoment(t, s, j, c, e, i, o)
	}
	return e
}

func checkMoment(t *testing.T, s *Scorer, j *features.Journey, c features.Cutoff, e *Explanation, i int, o ExplainOptions) {
	t.Helper()
	m, events, n := &e.Events[i], j.Events[:c.Events], c.Events
	if m.Time != events[i].Time || m.Type != events[i].Type || len(m.Values) != len(events[i].Values) {
		t.Errorf("event %d is %s at %d, want %s at %d", i, m.Type, m.Time, events[i].Type, events[i].Time)
	}
	if inCourse := o.Course == 0 || i >= n-max(o.Course, o.Last); !inCourse {
		if m.After != nil {
			t.Errorf("event %d is before the course and has probabilities %v", i, m.After)
		}
	} else if want := probabilitiesAt(t, s, j, events[:i+1], events[i].Time); !slices.Equal(m.After, want) {
		t.Errorf("after event %d: %v, want %v", i, m.After, want)
	}
	if last := o.Last == 0 || i >= n-o.Last; !last {
		if !math.IsNaN(m.Impact[0]) {
			t.Errorf("event %d is not among the last and has the impact %v", i, m.Impact)
		}
		return
	}
	want := probabilitiesWithout(t, s, j, events, i, c.Time)
	for k, impact := range m.Impact {
		if impact != float64(e.Final[k])-float64(want[k]) {
			t.Errorf("impact of event %d on target %d is %v, want %v - %v", i, k, impact, e.Final[k], want[k])
		}
	}
}

func TestExplainMatchesScoringEveryVariant(t *testing.T) {
	b, journeys := journeyBundle(t, 150)
	tabular, _ := testBundle(t, 150)
	for name, s := range map[string]*Scorer{"blend": newScorer(t, b, ScorerOptions{Reasons: 3}), "tabular": newScorer(t, tabular, ScorerOptions{})} {
		t.Run(name, func(t *testing.T) {
			lengths := map[int]bool{}
			for i := range journeys[:25] {
				checkExplanation(t, s, &journeys[i], end(&journeys[i]), ExplainOptions{})
				lengths[min(2, len(journeys[i].Events))] = true
			}
			if len(lengths) != 3 {
				t.Errorf("lengths %v, want journeys of 0, 1 and more events", lengths)
			}
			long := longJourney(70)
			checkExplanation(t, s, long, end(long), ExplainOptions{Last: 9, Course: 20})
			checkExplanation(t, s, long, features.Cutoff{Time: long.Events[50].Time, Events: 40}, ExplainOptions{Last: 40, Course: 5})
		})
	}
}

// Events at the same time, of unknown types and out of order are explained like
// all others.
func TestExplainOddEvents(t *testing.T) {
	b, _ := journeyBundle(t, 150)
	s := newScorer(t, b, ScorerOptions{})
	j := longJourney(12)
	for i := 3; i < 9; i++ {
		j.Events[i].Time = j.Events[3].Time
	}
	j.Events[4].Type, j.Events[5].Type, j.Events[6].Values = "", "never seen", nil
	j.Events[10].Time = j.Events[2].Time
	checkExplanation(t, s, j, end(j), ExplainOptions{})
}

// More removals than a batch holds, of a journey longer than memory should
// grow with.
func TestExplainLongJourney(t *testing.T) {
	events := 100_000
	if testing.Short() {
		events = 5_000
	}
	b, _ := journeyBundle(t, 150)
	s := newScorer(t, b, ScorerOptions{})
	j := longJourney(events)
	e, err := s.Explain(j, end(j), ExplainOptions{Last: 300, Course: 600})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{events - 300, events - 100, events - 1} {
		checkMoment(t, s, j, end(j), e, i, ExplainOptions{Last: 300, Course: 600})
	}
	if e.Events[events-601].After != nil || e.Events[events-600].After == nil || !math.IsNaN(e.Events[events-301].Impact[0]) {
		t.Error("the course is not that of the last 600 events, with the impacts of the last 300")
	}
}

func TestSuggestions(t *testing.T) {
	b, journeys := journeyBundle(t, 150)
	only := *b // networks without weight foretell, too
	only.Networks = slices.Clone(b.Networks)
	only.Networks[0].Weight, only.Networks[1].Weight, only.Networks[3].Weight, only.Networks[4].Weight = 0.8, 0.2, 0, 0
	var likelihoods []float64
	for name, bundle := range map[string]*weights.Bundle{"blended": b, "without weight": &only} {
		t.Run(name, func(t *testing.T) {
			s := newScorer(t, bundle, ScorerOptions{})
			j := &journeys[slices.IndexFunc(journeys, func(j features.Journey) bool { return len(j.Events) > 5 })]
			e := checkExplanation(t, s, j, end(j), ExplainOptions{Next: 2})
			if len(e.Next) != 2 || e.Next[0].Likelihood < e.Next[1].Likelihood {
				t.Fatalf("suggestions %v, want the two likeliest", e.Next)
			}
			want := nextTypes(t, bundle, j)
			for _, n := range e.Next {
				id := features.FirstKnownID + slices.Index(bundle.Schema.Types, n.Type)
				if math.Abs(n.Likelihood-want[id]) > 1e-5 || n.Likelihood < slices.Min(want[features.FirstKnownID:]) {
					t.Errorf("likelihood of %s is %v, want %v", n.Type, n.Likelihood, want[id])
				}
				event := features.Event{Time: 1.8e15, Type: n.Type}
				for _, before := range j.Events {
					if before.Type == n.Type {
						event.Values = before.Values
					}
				}
				if p := probabilitiesAt(t, s, j, append(slices.Clone(j.Events), event), 1.8e15); !slices.Equal(n.Probability, p) {
					t.Errorf("if %s came next: %v, want %v", n.Type, n.Probability, p)
				}
			}
			likelihoods = append(likelihoods, e.Next[0].Likelihood)
			if e, err := s.Explain(&features.Journey{}, features.Cutoff{Time: 1.8e15}, ExplainOptions{Next: 3}); err != nil || e.Next != nil {
				t.Errorf("after no event: got %v and error %v, want no suggestion", e, err)
			}
		})
	}
	if likelihoods[0] != likelihoods[1] {
		t.Errorf("likelihoods %v depend on the weights in the blend", likelihoods)
	}
}

// nextTypes is the mean of what the undivided networks say comes after the
// journey, by type id.
func nextTypes(t *testing.T, b *weights.Bundle, j *features.Journey) []float64 {
	ex := encodeTokens(b.Schema, []features.Journey{*j})[0]
	var mean []float64
	for _, n := range b.Networks[3:5] {
		g, err := n.Graph()
		if err != nil {
			t.Fatal(err)
		}
		s := compile(t, g, n.Values()).NewJourneySession(1, ex.Tokens.Events)
		numeric, binary, cardinalities, _ := b.Schema.TokenTable()
		for i := range ex.Tokens.Events {
			b.Schema.NormalizeToken(ex.Tokens, i, row(s.Input(model.InputEventNumeric), i, numeric), row(s.Input(model.InputEventBinary), i, binary), row(s.Input(model.InputEventCategory), i, len(cardinalities)))
		}
		if err := s.RunJourneys(1, slices.Repeat([]int{1}, ex.Tokens.Events)); err != nil {
			t.Fatal(err)
		}
		logits := row(s.Output(model.OutputNextType), ex.Tokens.Events-1, cardinalities[0])
		total := 0.0
		for _, x := range logits {
			total += math.Exp(float64(x))
		}
		mean = append(mean, make([]float64, len(logits)-len(mean))...)
		for id, x := range logits {
			mean[id] += math.Exp(float64(x)) / total / 2
		}
	}
	return mean
}

func TestExplainRefuses(t *testing.T) {
	b, journeys := journeyBundle(t, 150)
	untold, _ := testBundle(t, 150)
	aimless := *untold
	aimless.Targets, aimless.Networks = nil, untold.Networks[2:]
	j := &journeys[0]
	for name, row := range map[string]struct {
		bundle *weights.Bundle
		c      features.Cutoff
		o      ExplainOptions
		want   string
	}{
		"negative":      {b, end(j), ExplainOptions{Shapley: -1}, "want none below 0"},
		"no targets":    {&aimless, end(j), ExplainOptions{}, "bundle test has no targets to explain"},
		"no foreteller": {untold, end(j), ExplainOptions{Next: 1}, "no network that foretells events"},
		"no gradient":   {untold, end(j), ExplainOptions{Gradients: 1}, "there is no gradient to take"},
		"many gates":    {b, end(j), ExplainOptions{Gradients: 1, Last: 600}, "want at most 511"},
		"cutoff":        {b, features.Cutoff{Events: 1000}, ExplainOptions{}, "cutoff after 1000 events"},
	} {
		if _, err := newScorer(t, row.bundle, ScorerOptions{}).Explain(j, row.c, row.o); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got error %v, want %q", name, err, row.want)
		}
	}
}

// BenchmarkExplain50 explains a journey of 50 events, with the size of bundle
// that is trained by default.
func BenchmarkExplain50(b *testing.B) {
	s := benchmarkScorer(b)
	j := longJourney(50)
	for name, o := range map[string]ExplainOptions{"removals": {}, "next3": {Next: 3}, "shapley8": {Shapley: 8}, "gradients16": {Gradients: 16}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Explain(j, end(j), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Explanations of a stream are those of its journeys, in their order, and end
// with the first that fails.
func TestExplainEach(t *testing.T) {
	b, journeys := journeyBundle(t, 100)
	s, o := newScorer(t, b, ScorerOptions{Workers: 3}), ExplainOptions{Last: 20, Next: 1}
	i := 0
	check := func(got *Explanation) error {
		want, err := s.Explain(&journeys[i], end(&journeys[i]), o)
		if text := fmt.Sprintf("%+v", want); err != nil || fmt.Sprintf("%+v", got) != text { // NaN is not itself
			t.Errorf("got %+v, want %s, error %v", got, text, err)
		}
		i++
		return nil
	}
	if err := s.ExplainEach(t.Context(), stream(journeys), endAlways, o, check); err != nil || i != len(journeys) {
		t.Errorf("%d explanations and error %v, want %d", i, err, len(journeys))
	}
	i = 0
	if err := s.ExplainEach(t.Context(), failing(journeys, 11), endAlways, o, check); err != errTest || i != 11 {
		t.Errorf("%d explanations and error %v, want 11 and %v", i, err, errTest)
	}
	i, journeys[5].Profile = 0, make([]features.Value, 9)
	if err := s.ExplainEach(t.Context(), stream(journeys), endAlways, o, check); err == nil || !strings.Contains(err.Error(), "profile has 9 values") || i != 5 {
		t.Errorf("%d explanations and error %v, want 5 and one of the profile", i, err)
	}
	if err := s.ExplainEach(t.Context(), stream(journeys), endAlways, ExplainOptions{Last: -1}, check); err == nil {
		t.Error("options below 0: no error")
	}
}
