package datasets

import (
	"fmt"
	"strings"
	"testing"
)

// Labels of anomalies come beside those of targets and are none of them; their
// column is no attribute.
func TestAnomalyLabels(t *testing.T) {
	for _, test := range []struct{ name, rest, want string }{
		{"without targets, every cut", "anomaly: {labels: {source: l.csv, customer: c, value: v}}", "ann:1 bob:0 cid:NaN"},
		{"beside a target, what is known", "targets: {x: {labels: {source: l.csv, customer: c, value: w}}}\nanomaly: {labels: {source: l.csv, customer: c, value: v}}", "ann1:1 bobNaN:0"},
		{"none", "targets: {x: {labels: {source: l.csv, customer: c, value: w}}}", "ann1:NaN"},
	} {
		d := mustOpen(t, map[string]string{"task.yaml": simpleTask + test.rest, "e.csv": cutEvents, "l.csv": "c,v,w\nann,1,1\nbob,0,\n"}, OpenOptions{})
		var got []string
		for cut, err := range d.Cuts(t.Context(), CutOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			labels := strings.Trim(fmt.Sprint(cut.Labels), "[]")
			got = append(got, fmt.Sprintf("%s%s:%v", cut.Journey.Customer, labels, cut.Anomaly))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %v, want %s", test.name, got, test.want)
		}
	}
}

// A labelled anomaly is its own stratum: each part gets its share.
func TestSplitIsStratifiedByAnomalies(t *testing.T) {
	var refs []Ref
	for i := range 100 {
		refs = append(refs, Ref{Customer: fmt.Sprint(i), Anomalous: i%10 == 0})
	}
	parts, err := Split(refs, SplitSpec{By: "customer", Test: 0.5, Validation: 0.2, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	count := map[Part]int{}
	for i, part := range parts {
		if refs[i].Anomalous {
			count[part]++
		}
	}
	if count[Test] != 5 || count[Validation] != 1 || count[Train] != 4 {
		t.Errorf("10 anomalies fall into %v, want 5 test, 1 validation, 4 train", count)
	}
}
