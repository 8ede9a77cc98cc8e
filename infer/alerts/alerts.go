// Package alerts says what is unusual about a whole base: which touchpoint
// broke, and whom flagged journeys have in common.
//
// It looks at two things. Touchpoints: in each period, the share of the
// customers with one event who have another one right after it is compared with
// that of all other periods; a checkout that fails for everybody on Tuesday shows
// there, even where no single journey is unusual enough to be flagged. Journeys:
// those that a scorer flagged are grouped by cause, and the share of each cause
// within a cohort, a stage or a period is compared with that outside it. What
// rises, or falls, beyond chance is reported as systemic, after correction for
// the number of comparisons.
//
// It neither reads nor scores journeys.
package alerts

import (
	"fmt"
	"math"

	"moments/features"
)

// Options choose what is looked at. The zero value of a member stands for its
// default.
type Options struct {
	From, To int64   // events and cutoffs in [From, To) count, in microseconds
	Every    int64   // length of a period; default a day
	Within   int64   // how soon another event follows a touchpoint; default an hour
	Rate     float64 // share of false findings that is accepted; default 0.01
	Least    int     // customers that a finding concerns at least, beyond those expected; default 3
}

func (o Options) withDefaults() (Options, error) {
	if o.Every == 0 {
		o.Every = features.Day
	}
	if o.Within == 0 {
		o.Within = features.Hour
	}
	if o.Rate == 0 {
		o.Rate = 0.01
	}
	if o.Least == 0 {
		o.Least = 3
	}
	const mostPeriods = 10_000
	switch {
	case o.To <= o.From:
		return o, fmt.Errorf("alerts: from %d to %d, want a span of time", o.From, o.To)
	case o.Every < 0 || o.Within < 0 || o.Least < 0:
		return o, fmt.Errorf("alerts: every %d, within %d, least %d, want positive numbers", o.Every, o.Within, o.Least)
	case (o.To-o.From)/o.Every >= mostPeriods:
		return o, fmt.Errorf("alerts: %d periods, want fewer than %d: make them longer", (o.To-o.From)/o.Every+1, mostPeriods)
	case !(o.Rate > 0 && o.Rate < 1):
		return o, fmt.Errorf("alerts: rate is %v, want a share between 0 and 1", o.Rate)
	}
	return o, nil
}

func (o Options) periods() int { return int((o.To - o.From + o.Every - 1) / o.Every) }

// period is the period of a moment; false outside all of them.
func (o Options) period(at int64) (int, bool) {
	if at < o.From || at >= o.To {
		return 0, false
	}
	return int((at - o.From) / o.Every), true
}

// A Finding is a group that stands out beyond chance.
type Finding struct {
	Customers int     // concerned
	Of        int     // customers in the group
	Expected  float64 // concerned, were the group like the others
	Chance    float64 // probability of so many or more, or so few or fewer, by chance
	Adjusted  float64 // the same after correction for the number of comparisons
}

// Share of the group that is concerned.
func (f *Finding) Share() float64 { return float64(f.Customers) / float64(max(f.Of, 1)) }

// Excess is the number of customers beyond those expected, negative where fewer
// were concerned.
func (f *Finding) Excess() float64 { return float64(f.Customers) - f.Expected }

// compare tests k of n against a rate on both sides. spread is by how much the
// counts vary more than independent ones do, at least 1.
func compare(k, n int, rate, spread float64) Finding {
	f := Finding{Customers: k, Of: n, Expected: rate * float64(n)}
	scaledN := int(math.Ceil(float64(n) / spread))
	scaledK := float64(k) / spread
	p := 1.0
	if float64(k) > f.Expected {
		p = AtLeast(int(math.Floor(scaledK)), scaledN, rate)
	} else {
		p = AtMost(int(math.Ceil(scaledK)), scaledN, rate)
	}
	f.Chance = min(1, 2*p)
	return f
}
