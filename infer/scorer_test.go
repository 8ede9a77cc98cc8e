package infer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// What a saved bundle says must be what the bundle in memory said, bit for bit,
// by whichever door and on however many workers.
func TestEveryDoorGivesTheSameBits(t *testing.T) {
	b, journeys := testBundle(t, 900)
	dir := filepath.Join(t.TempDir(), "test")
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	opened, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := newScorer(t, b, ScorerOptions{Workers: 1, Reasons: 3}).ScoreExamples(encodeAll(b.Schema, journeys))
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 2, 5} {
		s := newScorer(t, opened, ScorerOptions{Workers: workers, Reasons: 3})
		var got []Score
		err := s.Score(t.Context(), stream(journeys), endAlways, func(score *Score) error {
			got = append(got, clone(score))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, want, func(a, b Score) bool { return sameScore(&a, &b) }) {
			t.Errorf("%d workers: streamed scores of the saved bundle differ from those in memory", workers)
		}
		for i := 0; i < len(journeys); i += 97 {
			one, err := s.ScoreJourney(&journeys[i], end(&journeys[i]))
			if err != nil || !sameScore(&one, &want[i]) {
				t.Errorf("customer %d alone: %v, error %v, want %v", i, one, err, want[i])
			}
		}
	}
}

func TestJourneysScoredTogetherScoreAsAlone(t *testing.T) {
	b, journeys := testBundle(t, 600) // more than a worker takes at a time
	s := newScorer(t, b, ScorerOptions{Reasons: 2})
	want, err := s.ScoreExamples(encodeAll(b.Schema, journeys))
	if err != nil {
		t.Fatal(err)
	}
	cutoffs := make([]features.Cutoff, len(journeys))
	for i := range journeys {
		cutoffs[i] = end(&journeys[i])
	}
	for _, n := range []int{0, 1, 7, len(journeys)} {
		got, err := s.ScoreJourneys(journeys[:n], cutoffs[:n])
		if err != nil || !slices.EqualFunc(got, want[:n], func(a, b Score) bool { return sameScore(&a, &b) }) {
			t.Errorf("%d together: scores differ from those of examples (%v)", n, err)
		}
	}
	if _, err := s.ScoreJourneys(journeys, cutoffs[:1]); err == nil {
		t.Error("one cutoff for many journeys was accepted")
	}
}

// A server scores from many goroutines at once.
func TestScorerIsSafeForConcurrentUse(t *testing.T) {
	b, journeys := testBundle(t, 100)
	s := newScorer(t, b, ScorerOptions{Reasons: 2})
	want, err := s.ScoreExamples(encodeAll(b.Schema, journeys))
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for i := caller; i < len(journeys); i += 2 {
				got, err := s.ScoreJourney(&journeys[i], end(&journeys[i]))
				if err != nil || !sameScore(&got, &want[i]) {
					t.Errorf("customer %d: got %v, error %v, want %v", i, got, err, want[i])
				}
			}
		})
	}
	callers.Wait()
}

// The blend of the classifiers is the weighted mean of what the reference
// interpreter says about each.
func TestProbabilitiesMatchTheReference(t *testing.T) {
	b, journeys := testBundle(t, 200)
	examples := encodeAll(b.Schema, journeys)[:20]
	got, err := newScorer(t, b, ScorerOptions{}).ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range examples {
		r := newRows(rowWidths(b.Schema, false), 1)
		r.fill(b.Schema, &examples[i])
		inputs := map[string][]float32{}
		for part, name := range partInputs {
			inputs[name] = r[part]
		}
		want := make([]float64, 2)
		for n := range b.Networks[:2] {
			g, err := b.Networks[n].Graph()
			if err != nil {
				t.Fatal(err)
			}
			values := reference(g, b.Networks[n].Values(), inputs, 1)
			for k, p := range values[g.Outputs["probability"].ID] {
				want[k] += b.Networks[n].Weight * p
			}
		}
		for k, p := range got[i].Probabilities {
			if math.Abs(float64(p)-want[k]) > 1e-5 {
				t.Errorf("customer %d: probability %d is %v, want %v", i, k, p, want[k])
			}
		}
	}
}

// The impact of a group is what scoring the journey with the group's columns
// typical says it is.
func TestReasonsMatchScoringTheOccludedExample(t *testing.T) {
	b, journeys := testBundle(t, 200)
	s := newScorer(t, b, ScorerOptions{Reasons: 1000})
	examples := encodeAll(b.Schema, journeys)[:10]
	scores, err := s.ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	columns, seen := b.Schema.Columns(), 0
	for i, score := range scores {
		for _, reason := range score.Reasons {
			target := slices.Index(b.Targets, reason.Target)
			if target < 0 {
				continue
			}
			hidden := features.Example{Numeric: slices.Clone(examples[i].Numeric), Category: slices.Clone(examples[i].Category), Habits: examples[i].Habits}
			numeric := len(hidden.Numeric)
			for c, column := range columns {
				if column.Group != reason.Group {
					continue
				}
				if c < numeric {
					hidden.Numeric[c] = b.Reference.Typical.Numeric[c]
				} else {
					hidden.Category[c-numeric] = b.Reference.Typical.Category[c-numeric]
				}
			}
			other, err := s.ScoreExamples([]features.Example{hidden})
			if err != nil {
				t.Fatal(err)
			}
			want := float64(score.Probabilities[target]) - float64(other[0].Probabilities[target])
			if reason.Impact != want {
				t.Fatalf("customer %d: %s moves %s by %v, want %v", i, reason.Group, reason.Target, reason.Impact, want)
			}
			seen++
		}
	}
	if seen < 50 {
		t.Errorf("checked %d reasons, want more", seen)
	}
}

func TestTopReasons(t *testing.T) {
	b, journeys := testBundle(t, 200)
	examples := encodeAll(b.Schema, journeys)
	all, err := newScorer(t, b, ScorerOptions{Reasons: 1000}).ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	top, err := newScorer(t, b, ScorerOptions{Reasons: 2}).ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		for _, target := range []string{"conversion", "churn", AnomalyTarget} {
			of := func(s Score) []Reason {
				return slices.DeleteFunc(slices.Clone(s.Reasons), func(r Reason) bool { return r.Target != target })
			}
			every, two := of(all[i]), of(top[i])
			if !slices.Equal(two, every[:min(2, len(every))]) {
				t.Fatalf("customer %d: top reasons of %s are %v, want the first two of %v", i, target, two, every)
			}
			if !slices.IsSortedFunc(every, func(a, b Reason) int { return int(math.Copysign(1, math.Abs(b.Impact)-math.Abs(a.Impact))) }) {
				t.Fatalf("customer %d: reasons of %s do not fall: %v", i, target, every)
			}
		}
		sum := 0.0
		for _, r := range all[i].Reasons {
			if r.Target == AnomalyTarget {
				sum += math.Abs(r.Impact)
			}
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Fatalf("customer %d: shares of the anomaly score add up to %v, want 1", i, sum)
		}
	}
}

func TestScoreSkipsAndCuts(t *testing.T) {
	b, journeys := testBundle(t, 300)
	s := newScorer(t, b, ScorerOptions{Workers: 3})
	cut := func(j *features.Journey) (features.Cutoff, bool) {
		return features.Cutoff{Time: j.Events[min(2, len(j.Events)-1)].Time, Events: 3}, len(j.Events) >= 3
	}
	journeys = slices.DeleteFunc(journeys, func(j features.Journey) bool { return len(j.Events) == 0 })
	i := 0
	err := s.Score(t.Context(), stream(journeys), cut, func(got *Score) error {
		for len(journeys[i].Events) < 3 {
			i++
		}
		short := journeys[i]
		short.Events = short.Events[:3]
		want, err := s.ScoreJourney(&short, features.Cutoff{Time: short.Events[2].Time, Events: 3})
		if err != nil || !sameScore(got, &want) {
			return fmt.Errorf("got %v, want %v, error %v", *got, want, err)
		}
		i++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

var errTest = errors.New("test")

// failing yields n journeys and then an error.
func failing(journeys []features.Journey, n int) iter.Seq2[*features.Journey, error] {
	return func(yield func(*features.Journey, error) bool) {
		for i := range n {
			if !yield(&journeys[i%len(journeys)], nil) {
				return
			}
		}
		yield(nil, errTest)
	}
}

func TestScoreStopsAtTheFirstError(t *testing.T) {
	b, journeys := testBundle(t, 100)
	s := newScorer(t, b, ScorerOptions{Workers: 2})
	emitted := 0
	err := s.Score(t.Context(), failing(journeys, 700), endAlways, func(*Score) error { emitted++; return nil })
	if !errors.Is(err, errTest) || emitted != 700 {
		t.Errorf("iterator's error: got %v after %d scores, want it after 700", err, emitted)
	}
	emitted = 0
	err = s.Score(t.Context(), failing(journeys, 1e6), endAlways, func(*Score) error {
		if emitted++; emitted == 10 {
			return errTest
		}
		return nil
	})
	if !errors.Is(err, errTest) || emitted != 10 {
		t.Errorf("emit's error: got %v after %d scores, want it after 10", err, emitted)
	}
	emitted = 0
	bad := func(j *features.Journey) (features.Cutoff, bool) {
		return features.Cutoff{Events: len(j.Events) + 1}, true
	}
	err = s.Score(t.Context(), stream(journeys), bad, func(*Score) error { emitted++; return nil })
	if err == nil || !strings.Contains(err.Error(), `customer "c00000": cutoff after`) || emitted != 0 {
		t.Errorf("impossible cutoff: got %v after %d scores", err, emitted)
	}
}

func TestScoreCanBeCancelled(t *testing.T) {
	b, journeys := testBundle(t, 100)
	s := newScorer(t, b, ScorerOptions{Workers: 2})
	ctx, cancel := context.WithCancel(t.Context())
	emitted, running := 0, false
	endless := func(yield func(*features.Journey, error) bool) {
		running = true
		defer func() { running = false }()
		for i := 0; yield(&journeys[i%len(journeys)], nil); i++ {
		}
	}
	err := s.Score(ctx, endless, endAlways, func(*Score) error {
		if emitted++; emitted == 1000 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || emitted != 1000 || running {
		t.Errorf("got error %v after %d scores, iterator running %v; want context canceled after 1000, stopped", err, emitted, running)
	}
}

func TestAnomalyIsOptional(t *testing.T) {
	b, journeys := testBundle(t, 100)
	for name, s := range map[string]*Scorer{
		"skipped": newScorer(t, b, ScorerOptions{SkipAnomaly: true, Reasons: 2}),
		"absent":  newScorer(t, without(b, weights.Denoiser), ScorerOptions{Reasons: 2}),
	} {
		score, err := s.ScoreJourney(&journeys[0], end(&journeys[0]))
		if err != nil || !math.IsNaN(score.Anomaly) || !math.IsNaN(score.AnomalyScore) || score.Direction != "" {
			t.Errorf("%s: got %+v, error %v; want no anomaly", name, score, err)
		}
		if _, err := s.AnomalyScores(nil); err == nil {
			t.Errorf("%s: AnomalyScores has no error", name)
		}
	}
	alone := *b
	alone.Targets, alone.Networks = nil, b.Networks[2:]
	score, err := newScorer(t, &alone, ScorerOptions{Reasons: 2}).ScoreJourney(&journeys[0], end(&journeys[0]))
	if err != nil || len(score.Probabilities) != 0 || len(score.Reasons) != 2 || !(score.Anomaly > 0) {
		t.Errorf("denoiser alone: got %+v, error %v", score, err)
	}
}

func without(b *weights.Bundle, role weights.Role) *weights.Bundle {
	c := *b
	c.Networks = slices.DeleteFunc(slices.Clone(b.Networks), func(n weights.Network) bool { return n.Role == role })
	return &c
}

func TestNewScorerRefuses(t *testing.T) {
	b, _ := testBundle(t, 100)
	untypical := *b
	untypical.Reference.Typical = weights.Typical{}
	if _, err := NewScorer(&untypical, ScorerOptions{Reasons: 1}); err == nil {
		t.Error("reasons without typical values: got no error")
	}
	if _, err := NewScorer(&untypical, ScorerOptions{}); err != nil {
		t.Errorf("no reasons without typical values: %v", err)
	}
	if _, err := NewScorer(b, ScorerOptions{Workers: -1}); err == nil {
		t.Error("-1 workers: got no error")
	}
	for _, steps := range []int{0, 20_000} {
		d := *without(b, weights.Denoiser)
		d.Networks = append(d.Networks, network(t, rand.New(rand.NewPCG(1, 1)), "d", weights.Denoiser, 0, &model.Denoiser{Features: b.Schema.StandardWidth(), Width: 1, Layers: 1, Steps: steps}))
		if _, err := NewScorer(&d, ScorerOptions{}); err == nil || !strings.Contains(err.Error(), "1 to 10000 steps") {
			t.Errorf("%d steps: got error %v", steps, err)
		}
	}
	if _, err := NewScorer(without(b, weights.Classifier), ScorerOptions{}); err == nil {
		t.Error("targets without classifiers: got no error")
	}
}

func TestWrongJourneysAreRefused(t *testing.T) {
	b, journeys := testBundle(t, 100)
	s := newScorer(t, b, ScorerOptions{})
	j := journeys[slices.IndexFunc(journeys, func(j features.Journey) bool { return len(j.Events) > 1 })]
	wide := j
	wide.Profile = make([]features.Value, 9)
	if _, err := s.ScoreJourney(&wide, end(&wide)); err == nil || !strings.Contains(err.Error(), "profile has 9 values, want 3") {
		t.Errorf("wide profile: got error %v", err)
	}
	odd := j
	odd.Events = slices.Clone(j.Events)
	odd.Events[1].Values = make([]features.Value, 1)
	if _, err := s.ScoreJourney(&odd, end(&odd)); err == nil || !strings.Contains(err.Error(), "event 1 has 1 values, want 2") {
		t.Errorf("short event: got error %v", err)
	}
	examples := encodeAll(b.Schema, journeys[:3])
	examples[2].Category = nil
	if _, err := s.ScoreExamples(examples); err == nil || !strings.Contains(err.Error(), `customer "c00002": example of`) {
		t.Errorf("short example: got error %v", err)
	}
	if _, err := s.AnomalyScores(examples); err == nil {
		t.Error("short example: AnomalyScores has no error")
	}
	bare := features.Journey{Customer: "nobody"}
	if _, err := s.ScoreJourney(&bare, features.Cutoff{}); err != nil {
		t.Errorf("a customer of whom nothing is known: %v", err)
	}
}

// A bundle that does not yield numbers is an error rather than a NaN.
func TestScoresThatAreNotNumbers(t *testing.T) {
	b, journeys := testBundle(t, 100)
	for network, test := range map[int]struct {
		spoil map[string]float32
		want  string
	}{
		1: {map[string]float32{"head/weight": 0, "head/bias": 0, "temperature": 0}, "probability of conversion"}, // 0/0
		2: {map[string]float32{"head/weight": math.MaxFloat32, "head/bias": math.MaxFloat32}, "anomaly score"},
	} {
		broken := *b
		broken.Networks = slices.Clone(b.Networks)
		broken.Networks[network].Params = maps.Clone(b.Networks[network].Params)
		for name, value := range test.spoil {
			p := b.Networks[network].Params[name]
			p.Data = slices.Repeat([]float32{value}, len(p.Data))
			broken.Networks[network].Params[name] = p
		}
		_, err := newScorer(t, &broken, ScorerOptions{}).ScoreJourney(&journeys[0], end(&journeys[0]))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("network %d: got error %v, want %q", network, err, test.want)
		}
	}
}

func ExampleScorer_Score() {
	bundle, err := weights.Open("weights/loan-acceptance")
	if err != nil {
		log.Fatal(err)
	}
	scorer, err := NewScorer(bundle, ScorerOptions{Reasons: 3})
	if err != nil {
		log.Fatal(err)
	}
	var journeys iter.Seq2[*features.Journey, error] // such as datasets.Dataset.Journeys
	last := func(j *features.Journey) (features.Cutoff, bool) {
		n := len(j.Events)
		return features.Cutoff{Time: j.Events[max(n-1, 0)].Time, Events: n}, n > 0
	}
	err = scorer.Score(context.Background(), journeys, last, func(s *Score) error {
		fmt.Println(s.Customer, s.Probabilities, s.Anomaly, s.Reasons)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

func BenchmarkScore(b *testing.B) {
	bundle, _ := testBundle(b, 500)
	journeys := randomJourneys(rand.New(rand.NewPCG(1, 2)), 2000)
	for _, o := range []ScorerOptions{{Workers: 1, SkipAnomaly: true}, {Workers: 1}, {Workers: 2}, {Workers: 2, Reasons: 3}} {
		b.Run(fmt.Sprintf("workers=%d,anomaly=%v,reasons=%d", o.Workers, !o.SkipAnomaly, o.Reasons), func(b *testing.B) {
			s := newScorer(b, bundle, o)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Score(b.Context(), stream(journeys), endAlways, func(*Score) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(journeys))*float64(b.N)/b.Elapsed().Seconds(), "journeys/s")
		})
	}
}
