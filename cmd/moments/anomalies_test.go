package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// oddCSV is a table in which y follows x but in every tenth row, which is odd.
func oddCSV(rows int) string {
	var b strings.Builder
	b.WriteString("id,x,y,odd\n")
	for i := range rows {
		x := math.Sin(float64(i))
		y, odd := 2*x+0.1*math.Cos(float64(7*i)), 0
		if i%10 == 0 {
			y, odd = 3-y, 1
		}
		fmt.Fprintf(&b, "%d,%.4f,%.4f,%d\n", i, x, y, odd)
	}
	return b.String()
}

func oddTask(t *testing.T, anomaly string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "rows.csv"), oddCSV(400))
	task := filepath.Join(folder, "task.yaml")
	write(t, task, "name: odd\nprofiles:\n  - {source: rows.csv, customer: id"+anomaly)
	return task
}

// Labelled anomalies are kept out of what is learned, are all tested in every
// fold, and are measured in figures, table and predictions.
func TestEvaluateMeasuresAnomalies(t *testing.T) {
	task := oddTask(t, "}\nanomaly: {labels: {column: odd}, alert_rate: 0.1, steps: 200, width: 16}\n")
	predictions := filepath.Join(filepath.Dir(task), "oof.csv")
	r := mustRun(t, "evaluate", task, "--folds", "2", "--json", "-", "--predictions", predictions)
	var e evaluation
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
		t.Fatal(err)
	}
	a := e.Anomaly
	if a == nil || a.Rows != 360+2*40 || len(a.AUROC.Folds) != 2 || a.AlertRate != 0.1 {
		t.Fatalf("got %+v, want every normal row once and every anomaly in both folds", a)
	}
	if a.AUROC.Mean < 0.9 || a.AUPRC.Mean < 0.7 || a.Precision.Mean < 0.5 || a.Recall.Mean < 0.5 || a.FalseAlarms.Mean > 0.2 {
		t.Errorf("got %+v, want the odd rows to be found", a)
	}
	rows := records(t, predictions)
	if len(rows) != 1+a.Rows || rows[1][4] != "anomaly" || rows[1][7] == "" {
		t.Errorf("%d predictions such as %v, want one a row, with its score", len(rows)-1, rows[1])
	}
}

// A saved bundle is measured by the labels of its own task and of another.
func TestEvaluateBundleByAnomalies(t *testing.T) {
	task := oddTask(t, "}\nanomaly: {labels: {column: odd}, alert_rate: 0.1, steps: 200, width: 16}\n")
	bundle := filepath.Join(filepath.Dir(task), "bundle")
	mustRun(t, "train", task, "-o", bundle)
	if r := mustRun(t, "evaluate", bundle); !strings.Contains(r.stdout, "false alarms") || strings.Contains(r.stdout, "log-loss") {
		t.Errorf("want the table of anomalies alone:\n%s", r.stdout)
	}
	unlabelled := oddTask(t, ", ignore: [odd]}\n")
	if r := runArgs("evaluate", bundle, "--task", unlabelled); r.code != exitWrong || !strings.Contains(r.stderr, "no anomaly.labels") {
		t.Errorf("nothing to measure: got %+v, want exit code 2", r)
	}
}

// Where some rows are said to be anomalies without labels, the strangest are
// left out, and said to be, and fewer of the odd rows pass for normal.
func TestContaminationIsTrimmed(t *testing.T) {
	flagged := func(contamination string) int {
		task := oddTask(t, ", ignore: [odd]}\nanomaly: {alert_rate: 0.05, steps: 200, width: 16"+contamination+"}\n")
		bundle, scores := filepath.Join(filepath.Dir(task), "bundle"), filepath.Join(filepath.Dir(task), "scores.csv")
		r := mustRun(t, "train", task, "-o", bundle)
		if said := strings.Contains(r.stderr, "took the strangest"); said != (contamination != "") {
			t.Errorf("%q: said that examples are left out: %v", contamination, said)
		}
		mustRun(t, "score", bundle, "-o", scores)
		n := 0
		for _, row := range records(t, scores)[1:] {
			var id int
			var p float64
			fmt.Sscan(row[0], &id)
			fmt.Sscan(row[2], &p)
			if id%10 == 0 && p <= 0.05 {
				n++
			}
		}
		return n
	}
	if as, trimmed := flagged(""), flagged(", contamination: 0.1"); trimmed <= as {
		t.Errorf("%d odd rows flagged with trimming, %d without, want more", trimmed, as)
	}
}
