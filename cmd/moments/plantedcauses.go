package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"moments/train/metric"
)

// A plantedCause says how often the event that the model is moved by most truly
// moved the outcome.
type plantedCause struct {
	Target    string `json:"target"`
	Customers int    `json:"customers"` // with a cause of over 5 points

	// Precision is the share of these customers for whom the event found to matter
	// most is a planted cause: its true effect is over 5 points, and of the sign
	// found. Largest asks more: that it is the planted cause of the largest effect,
	// or one of equal effect. The chances are those of an event drawn at random.
	Precision       figure `json:"precision_at_1"`
	PrecisionChance figure `json:"precision_chance"`
	Largest         figure `json:"largest"`
	LargestChance   figure `json:"largest_chance"`

	Signs       figure `json:"sign_accuracy"` // share of the events with a planted effect of over 5 points whose sign is found
	Tau         figure `json:"kendall_tau"`   // of the touchpoints, ranked by the mean size of their effects
	Correlation figure `json:"correlation"`   // of planted and found effects, over all events
}

// largeEffect is what makes an event a cause, in probability.
const largeEffect = 0.05

func (c *plantedCause) print(out io.Writer) {
	fmt.Fprintf(out, "%s: of %d customers with a planted cause of over 5 points, the event found to matter most is one for %.0f %% (by chance %.0f %%), the largest of all for %.0f %% (%.0f %%)\n",
		c.Target, c.Customers, 100*c.Precision, 100*c.PrecisionChance, 100*c.Largest, 100*c.LargestChance)
	fmt.Fprintf(out, "%s: signs found right %.1f %%; touchpoints ranked as planted, Kendall's tau %.2f; correlation over all events %.2f\n",
		c.Target, 100*c.Signs, c.Tau, c.Correlation)
}

// hitCauses compares the event found to move a customer most with the planted
// causes.
func (u *unseen) hitCauses(t int, target string, found [][2][]float64) plantedCause {
	var planted, seen []float64
	var precision, precisionChance, hits, chance share
	for i := range found {
		truth := u.truths[i].Impact[t]
		planted, seen = append(planted, truth...), append(seen, found[i][t]...)
		cause := u.truths[i].Cause[t]
		if cause == nil {
			continue
		}
		top := largest(found[i][t])
		equals := append([]int{cause.Event}, cause.Ties...)
		precision.add(isCause(truth[top], found[i][t][top]))
		hits.add(slices.Contains(equals, top))
		for e, effect := range truth {
			precisionChance.add(math.Abs(effect) > largeEffect)
			chance.add(slices.Contains(equals, e))
		}
	}
	var signs share
	for e, effect := range planted {
		if math.Abs(effect) > largeEffect {
			signs.add(isCause(effect, seen[e]))
		}
	}
	return plantedCause{
		Target: target, Customers: precision.of, Precision: precision.figure(), PrecisionChance: precisionChance.figure(),
		Largest: hits.figure(), LargestChance: chance.figure(), Signs: signs.figure(), Correlation: figure(metric.Correlation(planted, seen)),
	}
}

// isCause says whether an event's true effect is large and of the sign found.
func isCause(effect, found float64) bool { return math.Abs(effect) > largeEffect && effect*found > 0 }

// A share counts what holds among what was looked at.
type share struct{ holds, of int }

func (s *share) add(holds bool) {
	s.of++
	if holds {
		s.holds++
	}
}

func (s share) figure() figure { return figure(float64(s.holds) / float64(s.of)) }

// largest is the position of the value of largest size.
func largest(values []float64) int {
	best := 0
	for i, v := range values {
		if math.Abs(v) > math.Abs(values[best]) {
			best = i
		}
	}
	return best
}

// rankedEvents is the fewest events of a touchpoint that has a rank: the mean of
// fewer says nothing.
const rankedEvents = 30

// rankAgreement is Kendall's tau of the planted and the found sizes of
// touchpoints.
func rankAgreement(moments []plantedMoment) figure {
	moments = slices.DeleteFunc(slices.Clone(moments), func(m plantedMoment) bool { return m.Events < rankedEvents })
	slices.SortFunc(moments, func(a, b plantedMoment) int { return cmp.Compare(a.Type, b.Type) })
	var planted, found []float64
	for _, m := range moments {
		planted, found = append(planted, m.sizePlanted), append(found, m.sizeFound)
	}
	return figure(metric.KendallTau(planted, found))
}
