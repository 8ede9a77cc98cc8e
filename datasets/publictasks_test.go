package datasets

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// dataFolder is where the public data sets are; a test that needs one that is
// not there skips and says which.
func dataFolder(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("MOMENTS_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, name)); err != nil {
		t.Skipf("data set %s is not in %s", name, root)
	}
	t.Setenv("MOMENTS_DATA", root)
	return root
}

// openTask loads a task file and opens its data.
func openTask(t *testing.T, path string, options OpenOptions) *Dataset {
	t.Helper()
	task, err := LoadTask(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(context.Background(), task, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// The populations of the public task files are those of the data catalogue.
func TestPublicTasks(t *testing.T) {
	type count struct{ cuts, positive int }
	tests := []struct {
		file      string
		customers int64
		events    int64
		groups    map[string]count
	}{
		{"telco_churn_ibm", 7043, 0, map[string]count{"": {7043, 1869}}},
		{"online_shoppers", 12330, 0, map[string]count{"": {12330, 1908}}},
		{"bank_churn_modelling", 10000, 0, map[string]count{"": {10000, 2037}}},
		{"cdnow", 23570, 69659, map[string]count{"": {23570, 16512}}},
		{"mobile_game_kim2017", 25955, 153920, map[string]count{"": {13503, 11907}}},
		{"telecom_billing_suspension", 5989, 139405, map[string]count{"": {5989, 634}}},
		{"bpic2012_loans", 13087, 262200, map[string]count{"after 5 events": {7387, 2246}, "after 10 events": {6105, 2246}, "after 20 events": {4641, 2095}}},
		{"bpic2020_travel", 10500, 56437, map[string]count{"": {10500, 1301}}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			dataFolder(t, test.file)
			d := openTask(t, filepath.Join("..", "docs", "tasks", test.file+".yaml"), OpenOptions{})
			t.Log(d.Quality())
			t.Log(d.Layout())
			if q := d.Quality(); q.Customers != test.customers || q.Events != test.events {
				t.Errorf("got %d customers and %d events, want %d and %d", q.Customers, q.Events, test.customers, test.events)
			}
			got := map[string]count{}
			for cut, err := range d.Cuts(t.Context(), CutOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				if math.IsNaN(float64(cut.Labels[0])) {
					t.Fatalf("customer %s: a cut without a known label", cut.Journey.Customer)
				}
				c := got[cut.Cutoff.Group]
				got[cut.Cutoff.Group] = count{c.cuts + 1, c.positive + int(cut.Labels[0])}
			}
			for name, want := range test.groups {
				if got[name] != want {
					t.Errorf("cutoff %q: got %d cuts, %d of them positive, want %d and %d", name, got[name].cuts, got[name].positive, want.cuts, want.positive)
				}
			}
			if len(got) != len(test.groups) {
				t.Errorf("got cutoffs %v, want %v", got, test.groups)
			}
		})
	}
}

// The label file of cdnow and silence in the events themselves agree for every
// customer.
func TestCDNOWLabelsAreInactivity(t *testing.T) {
	dataFolder(t, "cdnow")
	raw, err := os.ReadFile(filepath.Join("..", "docs", "tasks", "cdnow.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	task, err := LoadTaskBytes(append(raw, "\n  silent:\n    inactivity: {for: 39w}\n"...), ".")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), task, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	n := 0
	for cut, err := range d.Cuts(t.Context(), CutOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if cut.Labels[0] != cut.Labels[1] {
			t.Fatalf("customer %s: the file says %v, the events say %v", cut.Journey.Customer, cut.Labels[0], cut.Labels[1])
		}
	}
	if n != 23570 {
		t.Errorf("got %d cuts, want 23570", n)
	}
}

// The plays that the label file counts in the first five days are the events
// that are seen at the cutoff.
func TestMobileGameObservation(t *testing.T) {
	root := dataFolder(t, "mobile_game_kim2017")
	d := openTask(t, filepath.Join("..", "docs", "tasks", "mobile_game_kim2017.yaml"), OpenOptions{})
	f, err := os.Open(filepath.Join(root, "mobile_game_kim2017", "labels_churn_op5_cp10.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	plays := map[string]string{}
	for _, r := range rows[1:] {
		plays[r[0]] = r[2]
	}
	n := 0
	for cut, err := range d.Cuts(t.Context(), CutOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if want := plays[cut.Journey.Customer]; strconv.Itoa(cut.Cutoff.Events) != want {
			t.Fatalf("player %s: %d events are seen, the file counts %s", cut.Journey.Customer, cut.Cutoff.Events, want)
		}
	}
	if n != 13503 {
		t.Errorf("got %d cuts, want 13503", n)
	}
}

// Nothing at or after the outcome is seen: not one cut of the loans holds an
// event that comes with a decision.
func TestLoansDoNotSeeTheirOutcome(t *testing.T) {
	dataFolder(t, "bpic2012_loans")
	d := openTask(t, filepath.Join("..", "docs", "tasks", "bpic2012_loans.yaml"), OpenOptions{})
	leaks := map[string]bool{"A_ACTIVATED": true, "A_APPROVED": true, "A_REGISTERED": true, "A_DECLINED": true, "A_CANCELLED": true}
	refs := []Ref{}
	for cut, err := range d.Cuts(t.Context(), CutOptions{Extra: 3, Seed: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range cut.Journey.Events[:cut.Cutoff.Events] {
			if leaks[e.Type] || e.Time > cut.Cutoff.Time {
				t.Fatalf("application %s: %s is seen at a cutoff of %s", cut.Journey.Customer, e.Type, rfc3339(cut.Cutoff.Time))
			}
		}
		if !cut.Extra {
			refs = append(refs, Ref{Customer: cut.Journey.Customer, Time: cut.Cutoff.Time, Labels: cut.Labels})
		}
	}
	parts, err := Split(refs, d.Task().Split)
	if err != nil {
		t.Fatal(err)
	}
	checkDisjoint(t, refs, parts)
	checkPast(t, refs, parts)
	count := map[Part]int{}
	for _, p := range parts {
		count[p]++
	}
	t.Logf("split by time: %v", count)
}
