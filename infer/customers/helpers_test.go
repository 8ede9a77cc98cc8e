package customers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"moments/features"
	"moments/infer"
	"moments/infer/internal/testbundle"
)

// scorers are made once for all tests.
var scorers = map[uint64]*infer.Scorer{}

func newScorer(t testing.TB, seed uint64) *infer.Scorer {
	t.Helper()
	if scorers[seed] == nil {
		scorers[seed] = anotherScorer(t, seed)
	}
	return scorers[seed]
}

// anotherScorer is of the same weights as newScorer's.
func anotherScorer(t testing.TB, seed uint64) *infer.Scorer {
	t.Helper()
	s, err := infer.NewScorer(testbundle.New(t, seed), infer.ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens a store and closes it with the test.
func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, s *Store, sc *infer.Scorer, r Request) Result {
	t.Helper()
	result, err := s.Append(t.Context(), sc, &r)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

const later = 1.8e15

// checkScore demands of a stored customer the score of the whole journey, to the
// bit.
func checkScore(t testing.TB, s *Store, sc *infer.Scorer, j *features.Journey) {
	t.Helper()
	got, info, err := s.Score(context.Background(), sc, j.Customer, later)
	if err != nil {
		t.Fatal(err)
	}
	if info.Events != len(j.Events) {
		t.Fatalf("customer %s: %d events are stored, want %d", j.Customer, info.Events, len(j.Events))
	}
	if want := whole(t, sc, j, later); !same(&got, &want) {
		t.Fatalf("customer %s after %d events: got %+v, want %+v", j.Customer, len(j.Events), got, want)
	}
}

// whole scores a journey that is not stored.
func whole(t testing.TB, sc *infer.Scorer, j *features.Journey, at int64) infer.Score {
	t.Helper()
	score, err := sc.ScoreJourney(j, features.Cutoff{Time: at, Events: len(j.Events)})
	if err != nil {
		t.Fatal(err)
	}
	return score
}

func same(a, b *infer.Score) bool {
	return a.Customer == b.Customer && a.Cutoff == b.Cutoff && slices.Equal(a.Probabilities, b.Probabilities) &&
		math.Float64bits(a.Anomaly) == math.Float64bits(b.Anomaly) && math.Float64bits(a.AnomalyScore) == math.Float64bits(b.AnomalyScore)
}

// checkJourney demands what is stored of a customer, to the bit.
func checkJourney(t testing.TB, s *Store, sc *infer.Scorer, want *features.Journey) {
	t.Helper()
	got, err := s.Journey(context.Background(), sc, want.Customer, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got.Profile, want.Profile, sameValue) {
		t.Fatalf("customer %s: profile %v, want %v", want.Customer, got.Profile, want.Profile)
	}
	if len(got.Events) != len(want.Events) {
		t.Fatalf("customer %s: %d events, want %d", want.Customer, len(got.Events), len(want.Events))
	}
	for i := range got.Events {
		if !sameEvent(&got.Events[i], &want.Events[i]) {
			t.Fatalf("customer %s: event %d is %+v, want %+v", want.Customer, i, got.Events[i], want.Events[i])
		}
	}
}

func sameEvent(a, b *features.Event) bool {
	return a.Time == b.Time && a.Offset == b.Offset && a.Type == b.Type && slices.EqualFunc(a.Values, b.Values, sameValue)
}

func sameValue(a, b features.Value) bool {
	return a.Text == b.Text && (a.Number == b.Number || math.IsNaN(a.Number) && math.IsNaN(b.Number))
}

// longJourney has so many events, a minute apart.
func longJourney(customer string, events int) *features.Journey {
	j := &features.Journey{Customer: customer, Profile: []features.Value{features.Number(40), features.Text("city-3"), features.Text("plus")}}
	for i := range events {
		j.Events = append(j.Events, minuteEvent(i))
	}
	return j
}

func minuteEvent(i int) features.Event {
	return features.Event{
		Time: 1.7e15 + int64(i)*features.Minute, Offset: int32(i % 3 * 3600), Type: []string{"visit", "purchase", "unheard of"}[i%3],
		Values: []features.Value{features.Number(float64(i%7) / 4), features.Text(fmt.Sprint("c", i%5))},
	}
}

func customer(c int) string { return fmt.Sprintf("customer-%07d", c) }
