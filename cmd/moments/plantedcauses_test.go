package main

import (
	"math"
	"strings"
	"testing"

	"moments/datasets/synthetic"
	"moments/features"
)

// plantedUnseen are customers of whose conversion nothing is known but the true
// effect of each event.
func plantedUnseen(effects ...[]float64) *unseen {
	u := &unseen{}
	for _, impact := range effects {
		cause := &synthetic.Cause{}
		for i, x := range impact {
			if math.Abs(x) > math.Abs(cause.Impact) {
				cause.Event, cause.Impact = i, x
			}
		}
		if math.Abs(cause.Impact) <= largeEffect {
			cause = nil
		}
		u.journeys = append(u.journeys, &features.Journey{Events: make([]features.Event, len(impact))})
		u.truths = append(u.truths, &synthetic.Truth{Impact: [2][]float64{impact, nil}, Cause: [2]*synthetic.Cause{cause, nil}})
	}
	return u
}

// What the strict figures count as missed is told apart by how near the largest
// effect it came.
func TestCausesThatNearlyTie(t *testing.T) {
	effects := []float64{0.06, -0.058, 0.052, 0.049, 0}
	for _, test := range []struct {
		name                                         string
		found                                        []float64
		precision, planted, largest, strength, close float64
	}{
		{"the largest", []float64{0.1, -0.05, 0, 0, 0}, 1, 1, 1, 1, 1},
		{"one within a point, downwards", []float64{0.01, -0.1, 0, 0, 0}, 1, 1, 0, 0.058 / 0.06, 1},
		{"another cause", []float64{0, 0, 0.02, 0, 0}, 1, 1, 0, 0.052 / 0.06, 1},
		{"no cause, by a hair", []float64{0, 0, 0, 0.02, 0}, 0, 1, 0, 0.049 / 0.06, 0},
		{"the wrong sign", []float64{-0.1, 0, 0, 0, 0}, 0, 0, 1, 0, 0},
		{"one without effect", []float64{0, 0, 0, 0, 0.1}, 0, 0, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := plantedUnseen(effects, []float64{0.01, 0.02}).hitCauses(0, "won", [][2][]float64{{test.found}, {{1, 1}}})
			if got.Customers != 1 {
				t.Fatalf("judged by %d customers, want the one with a cause of over 5 points", got.Customers)
			}
			for name, pair := range map[string][2]float64{
				"precision": {float64(got.Precision), test.precision}, "planted": {float64(got.Planted), test.planted}, "largest": {float64(got.Largest), test.largest},
				"strength": {float64(got.Strength), test.strength}, "close": {float64(got.Close), test.close},
			} {
				if math.Abs(pair[0]-pair[1]) > 1e-12 {
					t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
				}
			}
		})
	}
}

// Touchpoints without any planted effect have no order that could be found.
func TestTouchpointsAreRankedByThoseThatHaveEffects(t *testing.T) {
	moments := make([]plantedMoment, 5)
	for i, sizes := range [][2]float64{{0.2, 0.3}, {0.1, 0.2}, {0, 0.03}, {0, 0.01}, {0, 0.02}} {
		moments[i] = plantedMoment{Events: rankedEvents, sizePlanted: sizes[0], sizeFound: sizes[1]}
		moments[i].Type = string(rune('a' + i))
	}
	rare := plantedMoment{Events: rankedEvents - 1, sizePlanted: 1}
	var c plantedCause
	c.rank(append(moments, rare))
	if c.Ordered != 1 || math.Abs(float64(c.Tau)-7/math.Sqrt(70)) > 1e-12 {
		t.Errorf("D %v and tau %v, want 1 and %v", c.Ordered, c.Tau, 7/math.Sqrt(70))
	}
}

func TestCausesArePrintedStrictAndLenient(t *testing.T) {
	var text strings.Builder
	c := plantedCause{Target: "won", Customers: 7, Precision: 0.75, Largest: 0.5, Strength: 0.876, Close: 0.625, Tau: 0.8, Ordered: 0.91}
	c.print(&text)
	for _, want := range []string{"of 7 customers", "is one for 75 %", "largest of all for 50 %", "over the largest is 0.88 on average", "within a point for 62 %", "tau 0.80, in the pairs that are planted apart 0.91"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("printed %q, want %q in it", text.String(), want)
		}
	}
}
