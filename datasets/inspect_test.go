package datasets

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// shopFiles are an event log with a second time and identifiers, profiles, and
// labels with the time of their outcome.
func shopFiles() map[string]string {
	var events, profiles, labels strings.Builder
	events.WriteString("event_id,Customer ID,timestamp,event type,amount,delivered_at\n")
	profiles.WriteString("customer_id,email,country,age\n")
	labels.WriteString("customer_id,converted,converted_at\n")
	for c := range 30 {
		for e := range 4 {
			fmt.Fprintf(&events, "e%d,%d,2024-03-%02dT12:00:00Z,%s,%d.5,2024-04-%02d\n", c*4+e, c, 1+c%20+e, []string{"view", "cart"}[e%2], c*e, 1+c%20)
		}
		fmt.Fprintf(&profiles, "%d,user%d@example.com,%s,%d\n", c, c, []string{"NL", "BE", "DE"}[c%3], 20+c%9)
		fmt.Fprintf(&labels, "%d,%s,2024-05-01\n", c, []string{"no", "no", "yes"}[c%3])
	}
	return map[string]string{"shop.csv": events.String(), "customers.csv": profiles.String(), "labels.csv": labels.String()}
}

func TestInspect(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		order []string
		cuts  int
	}{
		{"events_profiles_labels", shopFiles(), []string{"shop.csv", "customers.csv", "labels.csv"}, 30},
		{"events_only", shopFiles(), []string{"shop.csv"}, 27},
		{"jsonl", map[string]string{"log.jsonl": `{"user_id":"a","ts":1719869400,"action":"view","page":{"id":3}}
{"user_id":"b","ts":1719869500,"action":"view"}
{"user_id":"a","ts":1720869400,"action":"buy"}
{"user_id":"b","ts":1729869400,"action":"view"}
`}, []string{"log.jsonl"}, 2},
		{"table", map[string]string{"bank.csv": "CustomerId,Age,Exited\n1,20,0\n2,30,1\n3,40,0\n"}, []string{"bank.csv"}, 3},
		{"table_without_customer", map[string]string{"visits.csv": "pages,Revenue\n1,FALSE\n1,TRUE\n2,FALSE\n"}, []string{"visits.csv"}, 3},
		{"table_without_outcome", map[string]string{"visits.csv": "pages,weight\n1,2.5\n1,3.5\n2,4.5\n"}, []string{"visits.csv"}, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := files(t, test.files)
			var paths []string
			for _, f := range test.order {
				paths = append(paths, filepath.Join(dir, f))
			}
			got, err := Inspect(t.Context(), paths, dir)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "inspect", test.name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			// The file works as it is.
			if err := os.WriteFile(filepath.Join(dir, "task.yaml"), got, 0o644); err != nil {
				t.Fatal(err)
			}
			d := openTask(t, filepath.Join(dir, "task.yaml"), OpenOptions{Now: testNow})
			if n := len(cuts(t, d, CutOptions{})); n != test.cuts {
				t.Errorf("got %d cuts, want %d", n, test.cuts)
			}
		})
	}
}

func TestInspectRefuses(t *testing.T) {
	dir := files(t, map[string]string{"empty.csv": "", "header.csv": "a,b\n", "x.csv": "id,n\n1,2\n", "odd.csv": "a,b\n1,2\n1,3\n"})
	tests := []struct {
		files []string
		want  string
	}{
		{nil, "got no file"},
		{[]string{"missing.csv"}, "does not exist"},
		{[]string{"empty.csv"}, "is empty"},
		{[]string{"header.csv"}, "has no rows"},
		{[]string{"x.csv", "odd.csv"}, "looks like a customer"},
	}
	for _, test := range tests {
		var paths []string
		for _, f := range test.files {
			paths = append(paths, filepath.Join(dir, f))
		}
		if _, err := Inspect(t.Context(), paths, dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want ...%s...", test.files, err, test.want)
		}
	}
}

// A guess about the public files is one that opens.
func TestInspectPublicFiles(t *testing.T) {
	tests := []struct {
		folder string
		files  []string
		roles  string
	}{
		{"bpic2020_travel", []string{"DomesticDeclarations_events.csv.gz", "DomesticDeclarations_outcomes.csv"}, "events labels"},
		{"telecom_billing_suspension", []string{"charges.csv.gz", "suspensions.csv.gz", "labels_suspension_20170701.csv"}, "events events labels"},
		{"telco_churn_ibm", []string{"Telco-Customer-Churn.csv"}, "profiles"},
	}
	for _, test := range tests {
		t.Run(test.folder, func(t *testing.T) {
			root := dataFolder(t, test.folder)
			var paths []string
			for _, f := range test.files {
				paths = append(paths, filepath.Join(root, test.folder, f))
			}
			dir := t.TempDir()
			raw, err := Inspect(t.Context(), paths, dir)
			if err != nil {
				t.Fatal(err)
			}
			task, err := LoadTaskBytes(raw, dir)
			if err != nil {
				t.Fatal(err)
			}
			roles := slices.Concat(slices.Repeat([]string{"events"}, len(task.Events)), slices.Repeat([]string{"profiles"}, len(task.Profiles)))
			if len(task.Targets) == 1 && task.Targets[0].Labels.Source != "" {
				roles = append(roles, "labels")
			}
			if got := strings.Join(roles, " "); got != test.roles {
				t.Errorf("got %s, want %s:\n%s", got, test.roles, raw)
			}
		})
	}
}
