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
	// found. Planted asks less: that it truly moved the outcome, by however little,
	// with the sign found. Largest asks more: that it is the planted cause of the
	// largest effect, or one of equal effect. The chances are those of an event drawn
	// at random.
	Precision       figure `json:"precision_at_1"`
	Planted         figure `json:"planted_at_1"`
	PrecisionChance figure `json:"precision_chance"`
	Largest         figure `json:"largest"`
	LargestChance   figure `json:"largest_chance"`

	// Strength is the mean of the true effect of the event found to matter most over
	// the largest one of the customer: 1 where it is that one, 0 where it is of the
	// other sign than found. Close is the share of the customers for whom it is at
	// least nine tenths of the largest, or within a point of it: events whose effects
	// nearly tie are told apart by Precision and Largest and not by these.
	Strength figure `json:"effect_over_largest"`
	Close    figure `json:"close_to_largest"`

	Signs figure `json:"sign_accuracy"` // share of the events with a planted effect of over 5 points whose sign is found
	// Touchpoints are ranked by the mean size of their effects. Tau compares all
	// pairs of them, also those without any planted effect, which no truth orders:
	// it cannot reach 1. Ordered is Somers' D: the pairs that the truth orders.
	Tau     figure `json:"kendall_tau"`
	Ordered figure `json:"somers_d"`

	Correlation figure `json:"correlation"` // of planted and found effects, over all events
}

// largeEffect is what makes an event a cause, in probability.
const largeEffect = 0.05

func (c *plantedCause) print(out io.Writer) {
	fmt.Fprintf(out, "%s: of %d customers with a planted cause of over 5 points, the event found to matter most is one for %.0f %% (by chance %.0f %%), the largest of all for %.0f %% (%.0f %%)\n",
		c.Target, c.Customers, 100*c.Precision, 100*c.PrecisionChance, 100*c.Largest, 100*c.LargestChance)
	fmt.Fprintf(out, "%s: its true effect over the largest is %.2f on average, and at least 0.9 or within a point for %.0f %%\n", c.Target, c.Strength, 100*c.Close)
	fmt.Fprintf(out, "%s: signs found right %.1f %%; touchpoints ranked as planted, Kendall's tau %.2f, in the pairs that are planted apart %.2f; correlation over all events %.2f\n",
		c.Target, 100*c.Signs, c.Tau, c.Ordered, c.Correlation)
}

// hitCauses compares the event found to move a customer most with the planted
// causes.
func (u *unseen) hitCauses(t int, target string, found [][2][]float64) plantedCause {
	var planted, seen []float64
	var precision, precisionChance, moved, hits, chance, near share
	strength := 0.0
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
		effect := effectAs(found[i][t][top], truth[top])
		moved.add(effect > 0)
		strength += effect / math.Abs(cause.Impact)
		near.add(isClose(effect, math.Abs(cause.Impact)))
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
		Target: target, Customers: precision.of, Precision: precision.figure(), Planted: moved.figure(), PrecisionChance: precisionChance.figure(),
		Largest: hits.figure(), LargestChance: chance.figure(), Strength: figure(strength / float64(near.of)), Close: near.figure(),
		Signs: signs.figure(), Correlation: figure(metric.Correlation(planted, seen)),
	}
}

// isCause says whether an event's true effect is large and of the sign found.
func isCause(effect, found float64) bool { return math.Abs(effect) > largeEffect && effect*found > 0 }

// effectAs is the size of a true effect where it is of the sign found, or else 0.
func effectAs(found, effect float64) float64 {
	if found*effect > 0 {
		return math.Abs(effect)
	}
	return 0
}

// isClose says whether an effect is as large as the largest but for a tenth of
// it or a point.
func isClose(effect, largest float64) bool { return effect >= min(0.9*largest, largest-0.01) }

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

// rank compares the planted and the found sizes of touchpoints.
func (c *plantedCause) rank(moments []plantedMoment) {
	moments = slices.DeleteFunc(slices.Clone(moments), func(m plantedMoment) bool { return m.Events < rankedEvents })
	slices.SortFunc(moments, func(a, b plantedMoment) int { return cmp.Compare(a.Type, b.Type) })
	var planted, found []float64
	for _, m := range moments {
		planted, found = append(planted, m.sizePlanted), append(found, m.sizeFound)
	}
	c.Tau, c.Ordered = figure(metric.KendallTau(planted, found)), figure(metric.SomersD(planted, found))
}
