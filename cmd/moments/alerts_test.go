package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scoredOnce scores a bundle and returns the rows by column name.
func scoredRows(t *testing.T, bundle, task string) []map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scores.csv")
	mustRun(t, "score", bundle, "--task", task, "-o", path, "--reasons", "2")
	rows := records(t, path)
	var list []map[string]string
	for _, row := range rows[1:] {
		named := map[string]string{}
		for i, name := range rows[0] {
			named[name] = row[i]
		}
		list = append(list, named)
	}
	return list
}

func alerting(rows []map[string]string) (customers []string) {
	for _, row := range rows {
		if row["anomaly_alert"] == "1" {
			customers = append(customers, row["customer"])
		}
	}
	return customers
}

// Verdicts that alerts were false silence them without a change of any p-value,
// and restoring brings them back.
func TestFeedback(t *testing.T) {
	bundle, task := copyBundle(t), filepath.Join(trainedFolder(t), "task.yaml")
	before := scoredRows(t, bundle, task)
	flagged := alerting(before)
	if len(flagged) < 3 {
		t.Fatalf("%d of %d customers alert, want some to judge", len(flagged), len(before))
	}
	file := filepath.Join(t.TempDir(), "verdicts.csv")
	text := "customer,cutoff,verdict\n"
	for _, row := range before {
		if row["anomaly_alert"] == "1" {
			text += fmt.Sprintf("%s,%s,false\n", row["customer"], row["cutoff"])
		}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "feedback", bundle, "--task", task, "--file", file, "--dry-run")
	if again := alerting(scoredRows(t, bundle, task)); len(again) != len(flagged) {
		t.Fatalf("%d alerts after a dry run, want %d", len(again), len(flagged))
	}
	var result tuned
	if err := json.Unmarshal([]byte(mustRun(t, "feedback", bundle, "--task", task, "--file", file, "--json").stdout), &result); err != nil {
		t.Fatal(err)
	}
	if result.Verdicts != len(flagged) || result.Before.FalseAlerts != len(flagged) || result.After.FalseAlerts >= result.Before.FalseAlerts || len(result.Thresholds) == 0 {
		t.Errorf("got %+v, want %d false alerts before and fewer after", result, len(flagged))
	}
	after := scoredRows(t, bundle, task)
	if got := len(alerting(after)); got != result.After.FalseAlerts {
		t.Errorf("%d alerts after tuning, want %d", got, result.After.FalseAlerts)
	}
	for i := range after {
		if after[i]["anomaly"] != before[i]["anomaly"] || after[i]["anomaly_causes"] != before[i]["anomaly_causes"] {
			t.Fatalf("customer %s: p-value %s because of %s, was %s because of %s", after[i]["customer"], after[i]["anomaly"],
				after[i]["anomaly_causes"], before[i]["anomaly"], before[i]["anomaly_causes"])
		}
	}
	restored := mustRun(t, "feedback", bundle, "--restore")
	if !strings.Contains(restored.stdout, "false-positive rate") || strings.Join(alerting(scoredRows(t, bundle, task)), " ") != strings.Join(flagged, " ") {
		t.Errorf("restored: other alerts than at first\n%s", restored.stdout)
	}
}

func TestWrongFeedback(t *testing.T) {
	bundle, task := copyBundle(t), filepath.Join(trainedFolder(t), "task.yaml")
	for text, want := range map[string]string{
		"":                                      "header",
		"customer,verdict\n":                    "no verdict",
		"who,verdict\nc,true\n":                 `columns are ["who" "verdict"], want customer`,
		"customer,verdict\nc,maybe\n":           `:2: verdict is "maybe", want true, false or desirable`,
		"customer,verdict\nnobody,true\n":       `:2: the data has no customer "nobody"`,
		"customer,cutoff,verdict\nc,never,true": ":2: cutoff: features: time",
		"customer,verdict\nc,true\nd,true,more": "wrong number of fields",
	} {
		file := filepath.Join(t.TempDir(), "verdicts.csv")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := runArgs("feedback", bundle, "--task", task, "--file", file)
		if r.code != exitWrong || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: exit code %d and %s, want 2 and %q", text, r.code, r.stderr, want)
		}
	}
	if r := runArgs("feedback", bundle); r.code != exitWrong {
		t.Errorf("neither file nor restore: exit code %d", r.code)
	}
}

func TestAlerts(t *testing.T) {
	bundle, task := filepath.Join(trainedFolder(t), "bundle"), filepath.Join(trainedFolder(t), "task.yaml")
	var report baseAlerts
	if err := json.Unmarshal([]byte(mustRun(t, "alerts", bundle, "--task", task, "--times", "2", "--json").stdout), &report); err != nil {
		t.Fatal(err)
	}
	rows := scoredRows(t, bundle, task)
	if report.Scored < len(rows) || report.Scored > 2*len(rows) || report.Alerts < len(alerting(rows)) {
		t.Errorf("%d scored and %d alerts at two moments, want at least the %d and %d of the last", report.Scored, report.Alerts, len(rows), len(alerting(rows)))
	}
	counted := 0
	for _, cause := range report.Causes {
		counted += cause.Customers
	}
	if counted != report.Alerts {
		t.Errorf("causes of %d alerts, want %d: %+v", counted, report.Alerts, report.Causes)
	}
	text := mustRun(t, "alerts", bundle, "--task", task).stdout
	for _, want := range []string{"Touchpoints from", "Journeys: ", "Groups of journeys"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, wrong := range [][]string{{"--every", "soon"}, {"--times", "0"}, {"--rate", "2"}, {"--from", "2100-01-01"}, {"--every", "1s"}} {
		if r := runArgs(append([]string{"alerts", bundle, "--task", task}, wrong...)...); r.code != exitWrong {
			t.Errorf("%v: exit code %d, want 2\n%s", wrong, r.code, r.stderr)
		}
	}
}
