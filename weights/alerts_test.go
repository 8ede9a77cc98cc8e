package weights

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Alerts come back from disk as they were, and the rest of the bundle does not
// change with them.
func TestAlertsAreKept(t *testing.T) {
	b := testBundle(t, 1)
	dir := filepath.Join(t.TempDir(), "bundle")
	want := Alerts{
		Senses:     map[string]Sense{"event:login": Bad},
		Thresholds: map[string]float64{"event:login negative": 0.002},
		Verdicts:   []Verdict{{Customer: "c1", Cutoff: 5, Verdict: Refuted, Cause: "event:login negative", PValue: 0.004}},
	}
	if got, err := b.Alerts(); err != nil || !reflect.DeepEqual(got, Alerts{}) {
		t.Errorf("a bundle without alerts: %+v and %v", got, err)
	}
	before := b.Attachments
	if err := b.SetAlerts(want); err != nil {
		t.Fatal(err)
	}
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := opened.Alerts(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	if err := opened.SetAlerts(Alerts{}); err != nil || !reflect.DeepEqual(len(opened.Attachments), len(before)) {
		t.Errorf("without alerts: %d attachments and %v, want %d", len(opened.Attachments), err, len(before))
	}
}

func TestWrongAlertsAreRefused(t *testing.T) {
	for want, a := range map[string]Alerts{
		`sense of "x" is "bad"`: {Senses: map[string]Sense{"x": "bad"}},
		`threshold of "x" is 2`: {Thresholds: map[string]float64{"x": 2}},
		`verdict 0 is "maybe"`:  {Verdicts: []Verdict{{Verdict: "maybe"}}},
		`with p-value -1`:       {Verdicts: []Verdict{{Verdict: Confirmed, PValue: -1}}},
	} {
		b := testBundle(t, 1)
		if err := b.SetAlerts(a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %q", a, err, want)
		}
	}
	b := testBundle(t, 1)
	b.Attachments = map[string][]byte{alertsFile: []byte(`{"thresholds": {}, "surprise": 1}`)}
	if _, err := b.Alerts(); err == nil || !strings.Contains(err.Error(), "surprise") {
		t.Errorf("unknown key: got error %v", err)
	}
}
