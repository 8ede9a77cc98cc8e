package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moments/datasets"
	"moments/infer"
	"moments/model"
	"moments/train"
	"moments/weights/onnx"
)

// TestOpTables fails when an op of the graph has no row in a reader's table.
func TestOpTables(t *testing.T) {
	for op := range model.Specs {
		if !train.HasRule(op) {
			t.Errorf("train has no rule for %s", op)
		}
		if _, ok := infer.Kernels[op]; !ok {
			t.Errorf("infer has no kernel for %s", op)
		}
		if onnx.Rules[op] == nil {
			t.Errorf("weights/onnx has no rule for %s", op)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, verb := range []string{"demo", "init", "train", "evaluate", "features", "score", "alerts", "feedback", "explain", "export", "import", "onnxruntime"} {
		r := runArgs(verb, "--help")
		if r.code != exitDone || !strings.Contains(r.stdout, "\n    moments "+verb) {
			t.Errorf("%s --help: exit code %d, want 0 and an example:\n%s%s", verb, r.code, r.stdout, r.stderr)
		}
	}
	if r := runArgs(); r.code != exitDone || !strings.Contains(r.stdout, "moments demo") {
		t.Errorf("no arguments: exit code %d, want 0 and the help", r.code)
	}
}

// TestTrainHelpListsEveryKey keeps the help in step with the task file.
func TestTrainHelpListsEveryKey(t *testing.T) {
	help := runArgs("train", "--help").stdout
	for _, keys := range []reflect.Type{reflect.TypeFor[datasets.Networks](), reflect.TypeFor[datasets.Anomaly]()} {
		for i := range keys.NumField() {
			if key := keys.Field(i).Tag.Get("yaml"); !strings.Contains(help, "\n    "+key+" ") {
				t.Errorf("train --help has no key %q of %s", key, keys.Name())
			}
		}
	}
}

func TestVersion(t *testing.T) {
	var b build
	if r := runArgs("version", "--json"); r.code != exitDone || json.Unmarshal([]byte(r.stdout), &b) != nil || b.Go == "" {
		t.Errorf("version --json: got %+v", r)
	}
}

func TestInitDraftsATaskThatTrains(t *testing.T) {
	folder := tableFolder(t)
	task := filepath.Join(folder, "drafted.yaml")
	mustRun(t, "init", filepath.Join(folder, "customers.csv"), "-o", task)
	write(t, task, read(t, task)+"\n"+small)
	mustRun(t, "train", task, "-o", filepath.Join(folder, "bundle"))
	if r := runArgs("init", filepath.Join(folder, "customers.csv"), "-o", task); r.code != exitWrong || !strings.Contains(r.stderr, "exists") {
		t.Errorf("init over an existing file: got %+v, want exit code 2", r)
	}
}

func TestTrainSavesWhatEvaluateMeasures(t *testing.T) {
	folder := trainedFolder(t)
	var evaluated evaluation
	r := mustRun(t, "evaluate", filepath.Join(folder, "bundle"), "--json", "-", "--quiet")
	if err := json.Unmarshal([]byte(r.stdout), &evaluated); err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Metrics evaluation }
	if err := json.Unmarshal([]byte(read(t, filepath.Join(folder, "bundle", "manifest.json"))), &manifest); err != nil {
		t.Fatal(err)
	}
	saved, now := manifest.Metrics.Targets["won"], evaluated.Targets["won"]
	if saved.Rows == 0 || saved.Rows != now.Rows || saved.LogLoss.Mean != now.LogLoss.Mean || len(now.ByCutoff) != 2 {
		t.Errorf("evaluate: got %+v, want what train saved, %+v", now, saved)
	}
	if r.stderr != "" {
		t.Errorf("--quiet logs %q", r.stderr)
	}
	if _, err := os.Stat(filepath.Join(folder, "bundle.checkpoint")); err == nil {
		t.Error("train left its checkpoints")
	}
}

func TestEvaluateOnAnotherTask(t *testing.T) {
	folder := journeyFolder(t)
	r := mustRun(t, "evaluate", filepath.Join(trainedFolder(t), "bundle"), "--json", "-", "--task", renamed(t, folder))
	var e evaluation
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil || e.Rows != 480 {
		t.Errorf("got %d rows (%v), want all 480 cuts of the other task", e.Rows, err)
	}
}

// renamed gives the folder's task another name, so that it is another task.
func renamed(t *testing.T, folder string) string {
	t.Helper()
	path := filepath.Join(folder, "other.yaml")
	write(t, path, strings.Replace(journeyTask, "name: journeys", "name: other", 1))
	return path
}

func TestCrossValidation(t *testing.T) {
	folder := journeyFolder(t)
	figures, predictions := filepath.Join(folder, "figures.json"), filepath.Join(folder, "oof.csv")
	r := mustRun(t, "evaluate", filepath.Join(folder, "task.yaml"), "--folds", "3", "--json", figures, "--predictions", predictions)
	if !strings.Contains(r.stdout, "±") {
		t.Errorf("the table has no spread:\n%s", r.stdout)
	}
	var e evaluation
	if err := json.Unmarshal([]byte(read(t, figures)), &e); err != nil {
		t.Fatal(err)
	}
	won := e.Targets["won"]
	if e.Name != "journeys" || e.Rows != 480 || won.Rows != 480 || len(won.AUROC.Folds) != 3 || len(won.ByCutoff) != 2 || e.Seconds <= 0 {
		t.Errorf("got %+v, want every cut once, in 3 folds and 2 groups", e)
	}
	rows := records(t, predictions)
	if want := []string{"customer", "cutoff", "group", "fold", "target", "label", "probability", "score"}; !slices.Equal(rows[0], want) {
		t.Errorf("columns %v, want %v", rows[0], want)
	}
	seen, fold := map[string]bool{}, map[string]string{}
	for _, row := range rows[1:] {
		p, err := strconv.ParseFloat(row[6], 32)
		if key := row[0] + row[2]; seen[key] || err != nil || p <= 0 || p >= 1 {
			t.Errorf("row %v: want each cut once with a probability", row)
		}
		seen[row[0]+row[2]] = true
		if other, ok := fold[row[0]]; ok && other != row[3] {
			t.Errorf("customer %s is tested in folds %s and %s", row[0], other, row[3])
		}
		fold[row[0]] = row[3]
	}
	if len(seen) != 480 {
		t.Errorf("%d predictions, want 480", len(seen))
	}
}

func TestSeedsRepeatTheFolds(t *testing.T) {
	folder := journeyFolder(t)
	predictions := filepath.Join(folder, "oof.jsonl")
	r := mustRun(t, "evaluate", filepath.Join(folder, "task.yaml"), "--folds", "2", "--seeds", "2", "--json", "-", "--predictions", predictions)
	var e evaluation
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
		t.Fatal(err)
	}
	losses := e.Targets["won"].LogLoss.Folds
	if e.Rows != 960 || len(losses) != 4 || losses[0] == losses[2] {
		t.Errorf("got %d rows and log-losses %v, want 960 rows in 4 different folds", e.Rows, losses)
	}
	if lines := strings.Count(read(t, predictions), "\n"); lines != 960 {
		t.Errorf("%d predictions, want 960", lines)
	}
}

func records(t *testing.T, path string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(read(t, path))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestFeaturesMatchEvaluate demands that the folds of features are those of
// evaluate, and that every example has one row a fold.
func TestFeaturesMatchEvaluate(t *testing.T) {
	folder := journeyFolder(t)
	task, file, predictions := filepath.Join(folder, "task.yaml"), filepath.Join(folder, "f.csv"), filepath.Join(folder, "oof.csv")
	mustRun(t, "features", task, "--folds", "2", "-o", file)
	mustRun(t, "evaluate", task, "--folds", "2", "--predictions", predictions)
	tested := map[string]string{} // customer, group and fold
	for _, row := range records(t, predictions)[1:] {
		tested[row[0]+row[2]] = row[3] + row[5]
	}
	rows := records(t, file)
	if want := []string{"customer", "cutoff", "group", "fold", "part", "label_won"}; !slices.Equal(rows[0][:6], want) || len(rows[0]) < 10 {
		t.Fatalf("columns %v, want %v and features", rows[0], want)
	}
	if len(rows)-1 != 2*480 {
		t.Errorf("%d rows, want 480 examples in 2 folds", len(rows)-1)
	}
	tests := 0
	for _, row := range rows[1:] {
		if row[4] == "test" {
			tests++
			if tested[row[0]+row[2]] != row[3]+row[5] {
				t.Errorf("%v: evaluate tests it with fold and label %q", row[:6], tested[row[0]+row[2]])
			}
		}
	}
	if tests != 480 {
		t.Errorf("%d test rows, want each example once", tests)
	}
}

func TestFeaturesOfTheSplit(t *testing.T) {
	folder := journeyFolder(t)
	plain, extra := filepath.Join(folder, "f.csv"), filepath.Join(folder, "extra.csv")
	mustRun(t, "features", filepath.Join(folder, "task.yaml"), "-o", plain)
	mustRun(t, "features", filepath.Join(folder, "task.yaml"), "--extra-cuts", "-o", extra)
	count := func(path string) map[string]int {
		parts := map[string]int{}
		for _, row := range records(t, path)[1:] {
			parts[row[4]]++
		}
		return parts
	}
	got, more := count(plain), count(extra)
	if got["train"]+got["validation"]+got["test"] != 480 || got["test"] < 90 || got["validation"] < 60 || got["extra"] != 0 {
		t.Errorf("parts %v, want 480 rows in the shares of the split", got)
	}
	if more["train"] != got["train"] || more["extra"] == 0 {
		t.Errorf("with extra cuts: parts %v, want some of part extra beside %v", more, got)
	}
}

func TestScoreFormatsAgree(t *testing.T) {
	folder := trainedFolder(t)
	out := t.TempDir()
	var summary scoring
	for _, ending := range []string{".csv", ".jsonl", ".parquet"} {
		r := mustRun(t, "score", filepath.Join(folder, "bundle"), "-o", filepath.Join(out, "s"+ending), "--json")
		if err := json.Unmarshal([]byte(r.stdout), &summary); err != nil || summary.Customers != 240 || summary.LeftOut != 0 {
			t.Errorf("%s: summary %+v (%v), want 240 customers", ending, summary, err)
		}
	}
	rows := records(t, filepath.Join(out, "s.csv"))
	want := []string{"customer", "cutoff", "won", "anomaly", "anomaly_score", "anomaly_direction", "reasons", "anomaly_alert", "anomaly_causes"}
	if !slices.Equal(rows[0], want) || len(rows) != 241 {
		t.Fatalf("got columns %v and %d rows, want %v and 241", rows[0], len(rows), want)
	}
	flagged := 0
	for i, line := range strings.Split(strings.TrimSpace(read(t, filepath.Join(out, "s.jsonl"))), "\n") {
		var s struct {
			Customer string
			Cutoff   string
			Won      float64
			Anomaly  float64
			Reasons  []reason
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		row := rows[i+1]
		if s.Customer != row[0] || s.Cutoff != row[1] || strconv.FormatFloat(s.Won, 'g', -1, 32) != row[2] || len(s.Reasons) == 0 {
			t.Errorf("JSON %s and CSV %v differ", line, row)
		}
		if s.Anomaly <= 0.05 {
			flagged++
		}
	}
	if flagged != summary.Flagged {
		t.Errorf("%d rows at or under the alert rate, the summary says %d", flagged, summary.Flagged)
	}
}

// TestScoreNewLevels scores customers of a plan that training never saw, of no
// plan at all, and of an infinite age.
func TestScoreNewLevels(t *testing.T) {
	folder := tableFolder(t)
	bundle, out := filepath.Join(folder, "bundle"), filepath.Join(folder, "s.csv")
	mustRun(t, "train", filepath.Join(folder, "task.yaml"), "-o", bundle)
	profiles := filepath.Join(folder, "new.csv")
	write(t, profiles, "id,age,plan,spend\na,30,platinum,5.5\nb,30,,5.5\nc,inf,basic,5.5\n")
	mustRun(t, "score", bundle, "--profiles", profiles, "-o", out)
	rows := records(t, out)
	if len(rows) != 4 {
		t.Fatalf("got %v, want a header and 3 customers", rows)
	}
	for _, row := range rows[1:] {
		if p, err := strconv.ParseFloat(row[2], 64); err != nil || p <= 0 || p >= 1 {
			t.Errorf("row %v has no probability", row)
		}
	}
}

func TestScoreAtAMoment(t *testing.T) {
	folder := trainedFolder(t)
	bundle, out := filepath.Join(folder, "bundle"), filepath.Join(t.TempDir(), "s.csv")
	r := mustRun(t, "score", bundle, "--at", "2025-01-01T10:30:00Z", "-o", out, "--json")
	var summary scoring
	if err := json.Unmarshal([]byte(r.stdout), &summary); err != nil {
		t.Fatal(err)
	}
	// Customers start at 8 to 16 o'clock, and three of nine before half past ten.
	if summary.Customers+summary.LeftOut != 240 || summary.Customers != 81 {
		t.Errorf("got %+v, want 81 of 240 to have begun", summary)
	}
	for _, row := range records(t, out)[1:] {
		if row[1] > "2025-01-01T10:30:00" {
			t.Errorf("row %v was cut after the moment asked for", row)
		}
	}
}

// TestScoreOtherFiles scores customers of other files, among them values that
// training has not seen.
func TestScoreOtherFiles(t *testing.T) {
	bundle, out := filepath.Join(trainedFolder(t), "bundle"), t.TempDir()
	events := filepath.Join(out, "new.csv")
	write(t, events, "customer,time,type,amount\nx,2025-02-01T10:00:00Z,teleport,3\nx,2025-02-02T10:00:00Z,visit,1e30\ny,2025-02-01T10:00:00Z,visit,\n")
	mustRun(t, "score", bundle, "--events", events, "-o", filepath.Join(out, "s.csv"))
	rows := records(t, filepath.Join(out, "s.csv"))
	if len(rows) != 3 || rows[1][0] != "x" || rows[2][0] != "y" {
		t.Fatalf("got %v, want customers x and y", rows)
	}
	for _, row := range rows[1:] {
		if p, err := strconv.ParseFloat(row[2], 64); err != nil || p <= 0 || p >= 1 {
			t.Errorf("row %v has no probability", row)
		}
	}
}

// TestDemoFindsWhatWasPlanted runs the demo small and looks at its findings.
func TestDemoFindsWhatWasPlanted(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	r := mustRun(t, "demo", "--customers", "1500", "--json", "-o", filepath.Join(t.TempDir(), "demo"))
	var found planted
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
		t.Fatal(err)
	}
	for _, target := range found.Targets {
		if target.AUROC < 0.72 || target.AUROC > target.AUROCTrue || target.Loss > target.LossRate-0.04 || target.Loss < target.LossTrue {
			t.Errorf("%+v: want AUROC 0.72 up to the truth's, and log-loss between the truth's and well under the rate's", target)
		}
	}
	for _, cause := range found.Causes {
		if cause.Largest < 3*cause.LargestChance || cause.Precision < cause.Largest || cause.Signs < 0.9 || cause.Correlation < 0.3 {
			t.Errorf("%+v: want the planted causes found, far above chance", cause)
		}
	}
	if found.Anomalies.AUROC < 0.75 || found.Anomalies.NormalRate > 0.05 {
		t.Errorf("%+v: want anomalies to stand out, and few normal journeys flagged", found.Anomalies)
	}
}
