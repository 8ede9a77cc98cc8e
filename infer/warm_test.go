package infer

import (
	"reflect"
	"testing"
)

// A scorer that is given reasons later is the one that had them from the start.
func TestWithReasons(t *testing.T) {
	b, journeys := journeyBundle(t, 80)
	plain := newScorer(t, b, ScorerOptions{})
	later, err := plain.WithReasons(3)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]*Scorer{
		"with":    {later, newScorer(t, b, ScorerOptions{Reasons: 3})},
		"without": {mustReasons(t, later, 0), plain},
	} {
		got, want := reflect.ValueOf(pair[0]).Elem(), reflect.ValueOf(pair[1]).Elem()
		for i := range want.NumField() {
			if got.Field(i).IsZero() != want.Field(i).IsZero() {
				t.Errorf("%s reasons: field %s is zero: %v, want %v", name, want.Type().Field(i).Name, got.Field(i).IsZero(), want.Field(i).IsZero())
			}
		}
		for i := range journeys[:20] {
			j := &journeys[i]
			a, err := pair[0].ScoreJourney(j, end(j))
			if err != nil {
				t.Fatal(err)
			}
			b, err := pair[1].ScoreJourney(j, end(j))
			if err != nil || !sameScore(&a, &b) {
				t.Fatalf("%s reasons: got %+v, want %+v, %v", name, a, b, err)
			}
		}
	}
	if _, err := plain.WithReasons(-1); err == nil {
		t.Error("-1 reasons are no error")
	}
}

func mustReasons(t *testing.T, s *Scorer, reasons int) *Scorer {
	t.Helper()
	c, err := s.WithReasons(reasons)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
