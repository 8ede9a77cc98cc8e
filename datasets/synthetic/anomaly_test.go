package synthetic

import (
	"slices"
	"testing"

	"moments/features"
)

func TestAnomaliesAreAsRareAsConfigured(t *testing.T) {
	n := map[string]int{}
	total := 0.0
	for _, truth := range halfBase().truths {
		if truth.Anomaly != nil {
			n[truth.Anomaly.Kind]++
			total++
		}
	}
	if share := total / float64(half().Customers); share < 0.02 || share > 0.033 {
		t.Errorf("%.4f of the customers are anomalous, want 0.02 to 0.033: %v", share, n)
	}
	for _, kind := range AnomalyKinds {
		if n[kind] < 6 {
			t.Errorf("%d journeys with %s, want at least 6", n[kind], kind)
		}
	}
	c := Default()
	c.Customers, c.Anomalies, c.Outages = 200, 0, 0
	for _, truth := range generate(c).truths {
		if truth.Anomaly != nil {
			t.Fatalf("%s has an anomaly with rate 0", truth.Customer)
		}
	}
}

func TestAnomaliesAreWhatTheySay(t *testing.T) {
	directions := map[string]string{
		"engagement_drop": "negative", "account_takeover": "negative", "unusual_transactions": "mixed", "duplicate_accounts": "negative", "surge": "positive", "broken_checkout": "negative",
	}
	w := must(newWorld(Default()))
	for i, truth := range halfBase().truths {
		a, j := truth.Anomaly, halfBase().journeys[i]
		if a == nil {
			continue
		}
		visible := j.Events[:truth.Cutoff.Events]
		if a.Direction != directions[a.Kind] || a.Time > truth.Cutoff.Time || a.Time < Default().Start.UnixMicro() {
			t.Errorf("%s: %s is %s and begins at %d", j.Customer, a.Kind, a.Direction, a.Time)
		}
		if a.Kind == "engagement_drop" {
			silent := func(ev features.Event) bool { return ev.Time < a.Time || !slices.Contains(Activity, ev.Type) }
			if len(a.Events) > 0 || !slices.ContainsFunc(visible, func(ev features.Event) bool { return ev.Type == a.Type }) {
				t.Errorf("%s: a drop of %s with %d planted events", j.Customer, a.Type, len(a.Events))
			}
			if k := slices.IndexFunc(visible, func(ev features.Event) bool { return !silent(ev) }); k >= 0 {
				t.Errorf("%s: %s after going silent", j.Customer, visible[k].Type)
			}
			continue
		}
		ofType := 0
		for _, k := range a.Events {
			if visible[k].Time < a.Time {
				t.Errorf("%s: planted event %d is before the %s begins", j.Customer, k, a.Kind)
			}
			if visible[k].Type == a.Type {
				ofType++
			}
			if a.Kind == "broken_checkout" && !slices.ContainsFunc(w.outages, func(day int64) bool {
				return visible[k].Time >= day && visible[k].Time < day+features.Day+features.Hour
			}) {
				t.Errorf("%s: payment fails at %d, outages are %v", j.Customer, visible[k].Time, w.outages)
			}
		}
		if ofType < 2 {
			t.Errorf("%s: %s with %d events of its type %s", j.Customer, a.Kind, ofType, a.Type)
		}
	}
}
