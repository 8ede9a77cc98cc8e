package synthetic

import (
	"math"
	"slices"
	"testing"

	"moments/features"
)

// day returns an event of that type so many days before the cutoff 0.
func day(typ word, daysBefore float64) event {
	return event{typ: typ, at: -int64(daysBefore * float64(features.Day))}
}

func rated(ev event, rating word) event { ev.rating = rating; return ev }

func TestTermCounts(t *testing.T) {
	within := Effect{Type: "quote", Most: 2, Within: 30}
	unless := Effect{Type: "ticket_opened", Most: 3, Unless: "ticket_resolved"}
	after := Effect{Type: "service_call", Most: 1, After: "cart_add", Apart: 14}
	near := Effect{Type: "ticket_opened", Most: 1, Near: "renewal_notice", Apart: 14}
	badly := Effect{Type: "ticket_resolved", Most: 1, RatingTo: 2}
	cases := []struct {
		name    string
		effect  Effect
		history []event
		without int
		want    int
	}{
		{"nothing", within, nil, -1, 0},
		{"inside the window", within, []event{day(quote, 29)}, -1, 1},
		{"outside the window", within, []event{day(quote, 31)}, -1, 0},
		{"no more than most", within, []event{day(quote, 3), day(quote, 2), day(quote, 1)}, -1, 2},
		{"another takes its place", within, []event{day(quote, 3), day(quote, 2), day(quote, 1)}, 2, 2},
		{"removed", within, []event{day(quote, 3)}, 0, 0},
		{"undone by a later event", unless, []event{day(ticketOpened, 9), day(ticketResolved, 8)}, -1, 0},
		{"not undone by an earlier one", unless, []event{day(ticketResolved, 9), day(ticketOpened, 8)}, -1, 1},
		{"no longer undone", unless, []event{day(ticketOpened, 9), day(ticketResolved, 8)}, 1, 1},
		{"order kept", after, []event{day(cartAdd, 9), day(serviceCall, 8)}, -1, 1},
		{"order reversed", after, []event{day(serviceCall, 9), day(cartAdd, 8)}, -1, 0},
		{"too long after", after, []event{day(cartAdd, 30), day(serviceCall, 8)}, -1, 0},
		{"reason removed", after, []event{day(cartAdd, 9), day(serviceCall, 8)}, 0, 0},
		{"near, before", near, []event{day(renewalNotice, 20), day(ticketOpened, 8)}, -1, 1},
		{"near, after", near, []event{day(ticketOpened, 20), day(renewalNotice, 8)}, -1, 1},
		{"not near", near, []event{day(ticketOpened, 30), day(renewalNotice, 8)}, -1, 0},
		{"bad rating", badly, []event{rated(day(ticketResolved, 1), 2)}, -1, 1},
		{"good rating", badly, []event{rated(day(ticketResolved, 1), 3)}, -1, 0},
		{"no rating", badly, []event{day(ticketResolved, 1)}, -1, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tc.effect.Name, tc.effect.Target = tc.name, "churn"
			term, err := compileEffect(tc.effect, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got := term.count(tc.history, 0, tc.without); got != tc.want {
				t.Errorf("counts %d events, want %d", got, tc.want)
			}
		})
	}
}

// The fast impacts recount only the terms that an event can touch; the slow
// ones take the event out of the journey and score it anew.
func TestImpactsMatchRemoval(t *testing.T) {
	c := Default()
	w, err := newWorld(c)
	if err != nil {
		t.Fatal(err)
	}
	m := w.newMaker()
	nonzero := 0
	for i := range 150 {
		m.history(i)
		o := m.outcomes()
		impact := m.impacts(o)
		whole := slices.Clone(m.c.events)
		for k := range whole {
			m.c.events = slices.Delete(slices.Clone(whole), k, k+1)
			m.c.history = len(whole) - 1
			for target, logit := range m.logits() {
				want := o[target].probability - sigmoid(logit)
				if got := impact[target][k]; math.Abs(got-want) > 1e-12 {
					t.Fatalf("customer %d event %d (%s) on %s: impact %g, removal says %g", i, k, typeNames[whole[k].typ], Targets[target], got, want)
				}
				if want != 0 {
					nonzero++
				}
			}
		}
		m.c.events = whole
	}
	if nonzero < 500 {
		t.Errorf("only %d events matter", nonzero)
	}
}

func TestCauses(t *testing.T) {
	for i, truth := range halfBase().truths {
		j := halfBase().journeys[i]
		for target, cause := range truth.Cause {
			largest := 0.0
			for _, d := range truth.Impact[target] {
				largest = max(largest, math.Abs(d))
			}
			if cause == nil {
				if largest > 0.05+1e-9 {
					t.Fatalf("%s: an event moves %s by %g, but no cause is named", j.Customer, Targets[target], largest)
				}
				continue
			}
			ev := j.Events[cause.Event]
			if ev.Time != cause.Time || ev.Type != cause.Type || math.Abs(math.Abs(cause.Impact)-largest) > 1e-9 || largest <= 0.05 {
				t.Fatalf("%s: cause of %s is %+v, event is %s at %d, largest impact %g", j.Customer, Targets[target], *cause, ev.Type, ev.Time, largest)
			}
			if slices.Contains(Decoys(Default()), cause.Type) {
				t.Fatalf("%s: the decoy %s is a cause", j.Customer, cause.Type)
			}
			for _, k := range cause.Ties {
				if k >= cause.Event || math.Abs(truth.Impact[target][k]-cause.Impact) > 1e-9 {
					t.Fatalf("%s: event %d ties with %d but has impact %g", j.Customer, k, cause.Event, truth.Impact[target][k])
				}
			}
		}
	}
}

func TestDecoysOfTheDefaults(t *testing.T) {
	got := Decoys(Default())
	want := []string{"ad_impression", "newsletter", "push_notification", "login", "invoice"}
	if !slices.Equal(got, want) {
		t.Errorf("decoys are %q, want %q", got, want)
	}
}

// A randomised experiment recovers a planted effect: with one effect alone,
// the log-odds between exposed and other customers is its logit.
func TestPlantedLogitIsRecovered(t *testing.T) {
	c := Default()
	c.Customers, c.ProfileEffects = 6000, nil
	c.Effects = []Effect{{Name: "late", Target: "churn", Type: "delivery", Status: "late", Most: 1, Logit: 1.5}}
	var n, churned [2]float64 // by exposure
	for j, truth := range must(Generate(c)) {
		exposed := 0
		for _, ev := range j.Events[:truth.Cutoff.Events] {
			if ev.Type == "delivery" && ev.Values[2].Text == "late" {
				exposed = 1
			}
		}
		n[exposed]++
		if truth.Outcome[Churn] {
			churned[exposed]++
		}
	}
	odds := func(i int) float64 { return math.Log(churned[i] / (n[i] - churned[i])) }
	if got := odds(1) - odds(0); math.Abs(got-1.5) > 0.3 { // the standard error is about 0.08
		t.Errorf("log-odds ratio is %.3f over %v customers, want 1.5", got, n)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
