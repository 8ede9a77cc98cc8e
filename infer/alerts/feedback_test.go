package alerts

import (
	"maps"
	"testing"

	"moments/weights"
)

func verdicts(cause, verdict string, p ...float64) (list []weights.Verdict) {
	for _, x := range p {
		list = append(list, weights.Verdict{Customer: "c", Cause: cause, Verdict: verdict, PValue: x})
	}
	return list
}

func join(lists ...[]weights.Verdict) (all []weights.Verdict) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func TestTune(t *testing.T) {
	for _, test := range []struct {
		name      string
		verdicts  []weights.Verdict
		low, high float64 // of the threshold of cause a; 0 and 0 where it is left alone
	}{
		{"nothing wrong", join(verdicts("a", "true", 0.001, 0.01), verdicts("a", "false", 0.2)), 0, 0},
		{"false ones are weaker", join(verdicts("a", "true", 0.001, 0.002), verdicts("a", "false", 0.004, 0.006, 0.009)), 0.002, 0.00399999999999},
		{"one false alert far inside says little", verdicts("a", "false", 0.0005), 0, 0},
		{"several do", verdicts("a", "false", 0.0005, 0.0006, 0.003), 0.0001, 0.00049999999999},
		{"desirable ones count as ordinary", verdicts("a", "desirable", 0.005, 0.004, 0.008), 0.001, 0.00399999999999},
		{"missed ones loosen it", verdicts("a", "true", 0.02, 0.03, 0.03), 0.03, 0.030001},
		{"but not to anything", verdicts("a", "true", 0.9, 0.8, 0.95), 0, 0},
	} {
		got := Tune(weights.Alerts{Verdicts: test.verdicts}, 0.01)
		if test.high == 0 {
			if len(got) != 0 {
				t.Errorf("%s: %v, want none", test.name, got)
			}
			continue
		}
		if len(got) != 1 || !(got["a"] >= test.low && got["a"] <= test.high+1e-9) {
			t.Errorf("%s: %v, want a between %v and %v", test.name, got, test.low, test.high)
		}
	}
}

// Tuned thresholds never agree less with the verdicts than the alert rate, and
// causes do not touch each other.
func TestTuningHelps(t *testing.T) {
	a := weights.Alerts{Verdicts: join(
		verdicts("a", "false", 0.002, 0.004, 0.006, 0.01), verdicts("a", "true", 0.001),
		verdicts("b", "true", 0.015, 0.02, 0.03, 0.04), verdicts("b", "false", 0.5),
		verdicts("c", "true", 0.005),
	)}
	before := Judge(a, 0.01)
	a.Thresholds = Tune(a, 0.01)
	after := Judge(a, 0.01)
	if before != (Rates{5, 4, 6, 4}) {
		t.Errorf("before: %+v", before)
	}
	if after != (Rates{5, 0, 6, 0}) {
		t.Errorf("after: %+v with %v, want no mistake", after, a.Thresholds)
	}
	alone := Tune(weights.Alerts{Verdicts: a.Verdicts[:5]}, 0.01)
	if !maps.Equal(alone, map[string]float64{"a": a.Thresholds["a"]}) {
		t.Errorf("cause a alone: %v, want %v", alone, a.Thresholds["a"])
	}
}
