package synthetic

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moments/features"
)

// A base is a generated base, kept for the tests that only look.
type base struct {
	journeys []*features.Journey
	truths   []*Truth
}

// half is the default base with half as many customers.
func half() Config {
	c := Default()
	c.Customers = 4000
	return c
}

var halfBase = sync.OnceValue(func() base { return generate(half()) })

// generate panics on refused configurations: the tests that want the error call Generate.
func generate(c Config) (b base) {
	seq, err := Generate(c)
	if err != nil {
		panic(err)
	}
	for j, truth := range seq {
		b.journeys = append(b.journeys, j)
		b.truths = append(b.truths, truth)
	}
	return b
}

func TestValidateNamesTheFault(t *testing.T) {
	effect := Effect{Name: "x", Target: "churn", Type: "login", Logit: 1, Most: 1}
	cases := []struct {
		name   string
		change func(*Config)
		want   string // part of the error
	}{
		{"no customers", func(c *Config) { c.Customers = 0 }, "customers is 0, want 1 to"},
		{"few days", func(c *Config) { c.Days = 30 }, "days is 30, want 90 to"},
		{"no horizon", func(c *Config) { c.Horizon = 0 }, "horizon is 0"},
		{"negative outages", func(c *Config) { c.Outages = -1 }, "outages is -1"},
		{"no start", func(c *Config) { c.Start = time.Time{} }, "start is 0001-01-01"},
		{"fraction of a second", func(c *Config) { c.Start = c.Start.Add(1) }, "want a whole second"},
		{"format", func(c *Config) { c.Format = "xml" }, `format is "xml", want csv, csv.gz or jsonl`},
		{"rate above one", func(c *Config) { c.Conversion = 1.5 }, "conversion is 1.5, want 0.001 to 0.999"},
		{"rate not a number", func(c *Config) { c.Churn = math.NaN() }, "churn is NaN"},
		{"activity", func(c *Config) { c.Activity = 0 }, "activity is 0"},
		{"strength", func(c *Config) { c.Strength = -1 }, "strength is -1"},
		{"effect's target", func(c *Config) { effect := effect; effect.Target = "sales"; c.Effects = []Effect{effect} }, `effect "x": target is "sales"`},
		{"effect without a type", func(c *Config) { effect := effect; effect.Type = ""; c.Effects = []Effect{effect} }, `type "" is unknown`},
		{"effect's type", func(c *Config) { effect := effect; effect.Unless = "visit"; c.Effects = []Effect{effect} }, `type "visit" is unknown`},
		{"effect of the future", func(c *Config) { effect := effect; effect.Type = "cancellation"; c.Effects = []Effect{effect} }, `type "cancellation" is unknown`},
		{"effect's status", func(c *Config) { effect := effect; effect.Status = "lost"; c.Effects = []Effect{effect} }, `status "lost" is unknown`},
		{"effect counts nothing", func(c *Config) { effect := effect; effect.Most = 0; c.Effects = []Effect{effect} }, "most, within, apart are 0, 0, 0"},
		{"effect's rating", func(c *Config) { effect := effect; effect.RatingTo = 6; c.Effects = []Effect{effect} }, "want 0 to 5"},
		{"effect's logit", func(c *Config) { effect := effect; effect.Logit = math.Inf(1); c.Effects = []Effect{effect} }, "logit is +Inf"},
		{"effect twice", func(c *Config) { c.Effects = []Effect{effect, effect} }, `effect "x": the name is empty or given twice`},
		{"profile field", func(c *Config) {
			c.ProfileEffects = []ProfileEffect{{Name: "y", Target: "churn", Field: "shoe", Logit: 1}}
		}, `field "shoe" is unknown`},
		{"profile value", func(c *Config) {
			c.ProfileEffects = []ProfileEffect{{Name: "y", Target: "churn", Field: "plan", Value: "gold", Logit: 1}}
		}, `value "gold" of plan is unknown`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := Default()
			tc.change(&c)
			err := c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), "synthetic: ") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
			if _, got := Generate(c); got == nil {
				t.Error("Generate accepts what Validate refuses")
			}
		})
	}
	if err := Default().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

func TestJourneysAreWellFormed(t *testing.T) {
	checkJourneys(t, half(), halfBase())
	total := 0
	for _, truth := range halfBase().truths {
		total += truth.Cutoff.Events
	}
	if mean := float64(total) / float64(half().Customers); mean < 20 || mean > 31 {
		t.Errorf("%.1f events a customer before the cutoff, want 20 to 31", mean)
	}
}

// checkJourneys demands time order, a clean cut at the cutoff and values as the layout says.
func checkJourneys(t *testing.T, c Config, b base) {
	t.Helper()
	layout, cutoff := Layout(), c.Cutoff().UnixMicro()
	end := cutoff + int64(c.Horizon+7)*features.Day
	for i, j := range b.journeys {
		truth := b.truths[i]
		if truth.Customer != j.Customer || truth.Cutoff.Time != cutoff-1 {
			t.Fatalf("%s: truth is about %s at %d", j.Customer, truth.Customer, truth.Cutoff.Time)
		}
		if len(j.Profile) != len(layout.Profile) || truth.Cutoff.Events < 1 {
			t.Fatalf("%s: %d profile values, %d visible events", j.Customer, len(j.Profile), truth.Cutoff.Events)
		}
		for k, ev := range j.Events {
			if k > 0 && ev.Time <= j.Events[k-1].Time {
				t.Fatalf("%s: event %d is not after the one before it", j.Customer, k)
			}
			if visible := k < truth.Cutoff.Events; visible != (ev.Time < cutoff) {
				t.Fatalf("%s: event %d lies %d µs after the cutoff, visible is %v", j.Customer, k, ev.Time-cutoff, visible)
			}
			if ev.Time < c.Start.UnixMicro() || ev.Time >= end || len(ev.Values) != len(layout.Event) {
				t.Fatalf("%s: event %d at %d with %d values", j.Customer, k, ev.Time, len(ev.Values))
			}
			if ev.Type == "cancellation" && k < truth.Cutoff.Events {
				t.Fatalf("%s: left before the cutoff", j.Customer)
			}
		}
	}
}

func TestFutureAgreesWithOutcomes(t *testing.T) { checkFuture(t, half(), halfBase()) }

// checkFuture demands that the label, the purchase or cancellation that follows
// and the silence that follows tell the same story, for every customer.
func checkFuture(t *testing.T, c Config, b base) {
	t.Helper()
	horizon := c.Cutoff().UnixMicro() + int64(c.Horizon)*features.Day
	for i, j := range b.journeys {
		truth := b.truths[i]
		counts := map[string]int{}
		active := 0
		for _, ev := range j.Events[truth.Cutoff.Events:] {
			if ev.Time < horizon {
				counts[ev.Type]++
			}
			if slices.Contains(Activity, ev.Type) && ev.Time < horizon {
				active++
			}
		}
		want := map[bool]int{true: 1}
		if counts["purchase"] != want[truth.Outcome[Conversion]] || counts["cancellation"] != want[truth.Outcome[Churn]] {
			t.Errorf("%s: outcomes are %v, the future has %v", j.Customer, truth.Outcome, counts)
		}
		if truth.Outcome[Churn] != (active == 0) {
			t.Errorf("%s: churn is %v with %d activities in the horizon", j.Customer, truth.Outcome[Churn], active)
		}
		if truth.Outcome[Churn] && j.Events[len(j.Events)-1].Type != "cancellation" {
			t.Errorf("%s: something follows the cancellation", j.Customer)
		}
	}
}

func TestExtremesAreWellFormed(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Config)
	}{
		{"short", func(c *Config) { c.Days, c.Horizon = minDays, 1 }},
		{"long", func(c *Config) { c.Days, c.Horizon, c.Customers = 900, 400, 50 }},
		{"hardly anything happens", func(c *Config) { c.Activity = 0.01 }},
		{"crowded", func(c *Config) { c.Activity, c.Customers = 6, 60 }},
		{"anomalies everywhere", func(c *Config) { c.Anomalies, c.Outages = 0.5, 30 }},
		{"hardly anything known", func(c *Config) { c.Missing = 0.99 }},
		{"certain outcomes", func(c *Config) { c.Strength = 10 }},
		{"pure chance", func(c *Config) { c.Strength, c.Effects, c.ProfileEffects = 0, nil, nil }},
		{"all convert and churn", func(c *Config) { c.Conversion, c.Churn = 0.999, 0.999 }},
		{"long ago, from another zone", func(c *Config) {
			c.Start = time.Date(1980, 2, 29, 23, 30, 0, 0, time.FixedZone("x", -3*3600))
		}},
		{"largest seed", func(c *Config) { c.Seed = math.MaxUint64 }},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := Default()
			c.Customers = 150
			tc.change(&c)
			b := generate(c)
			checkJourneys(t, c, b)
			checkFuture(t, c, b)
		})
	}
}

// The history must not depend on what follows: another luck and other effects
// leave it as it is.
func TestHistoryIgnoresOutcomes(t *testing.T) {
	c := Default()
	c.Customers = 200
	other := c
	other.Conversion, other.Churn, other.Effects, other.Strength = 0.6, 0.5, nil, 0
	a, b := generate(c), generate(other)
	for i := range a.journeys {
		n := a.truths[i].Cutoff.Events
		if n != b.truths[i].Cutoff.Events || !sameEvents(a.journeys[i].Events[:n], b.journeys[i].Events[:n]) {
			t.Fatalf("%s: the history differs", a.journeys[i].Customer)
		}
	}
}

// A customer is the same in a small and a large base.
func TestCustomersDoNotDependOnTheirNumber(t *testing.T) {
	c := Default()
	c.Customers = 50
	small := generate(c)
	for i, j := range small.journeys {
		if large := halfBase(); !sameEvents(j.Events, large.journeys[i].Events) || !reflect.DeepEqual(small.truths[i], large.truths[i]) {
			t.Fatalf("%s differs from the same customer in a larger base", j.Customer)
		}
	}
}

func sameEvents(a, b []features.Event) bool {
	return slices.EqualFunc(a, b, func(x, y features.Event) bool {
		return x.Time == y.Time && x.Offset == y.Offset && x.Type == y.Type && slices.EqualFunc(x.Values, y.Values, func(v, w features.Value) bool {
			return v.Text == w.Text && math.Float64bits(v.Number) == math.Float64bits(w.Number)
		})
	})
}

func TestSeedsDiffer(t *testing.T) {
	c := Default()
	c.Customers, c.Seed = 1, 2
	if sameEvents(generate(c).journeys[0].Events, halfBase().journeys[0].Events) {
		t.Error("seeds 1 and 2 make the same customer")
	}
}

func TestRatesAreThoseConfigured(t *testing.T) {
	c := half()
	var rate [2]float64
	missing := 0
	for i, truth := range halfBase().truths {
		for target, yes := range truth.Outcome {
			if yes {
				rate[target]++
			}
		}
		if math.IsNaN(halfBase().journeys[i].Profile[0].Number) {
			missing++
		}
	}
	n := float64(c.Customers)
	for target, want := range [2]float64{c.Conversion, c.Churn} {
		if got := rate[target] / n; math.Abs(got-want) > 0.02 {
			t.Errorf("%s: rate is %.3f, want %.2f within 0.02", Targets[target], got, want)
		}
	}
	if got := float64(missing) / n; math.Abs(got-c.Missing) > 0.01 {
		t.Errorf("%.3f of the ages are missing, want %.2f", got, c.Missing)
	}
}

func TestEveryStageIsReached(t *testing.T) {
	n := map[string]int{}
	for _, truth := range halfBase().truths {
		n[truth.Stage]++
	}
	for _, stage := range []string{"awareness", "consideration", "purchase", "onboarding", "adoption", "loyalty"} {
		if n[stage] < 50 {
			t.Errorf("%d customers in %s, want at least 50", n[stage], stage)
		}
	}
	if len(n) != 6 {
		t.Errorf("stages are %v, want six", n)
	}
}
