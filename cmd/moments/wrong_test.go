package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadData runs train on every fault that data is known to come with. Data
// that cannot be used ends with exit code 2 and a message that names the fault;
// data that can is used, and the fault is counted in the log.
func TestBadData(t *testing.T) {
	for name, test := range map[string]struct {
		journeys bool              // the folder with events, not the plain table
		files    map[string]string // file: its whole text
		swap     map[string]string // file: "old => new", once
		code     int
		want     []string // in standard error
	}{
		"empty file":                {files: map[string]string{"customers.csv": ""}, code: exitWrong, want: []string{"task.yaml:3", "customers.csv", "empty"}},
		"header only":               {files: map[string]string{"customers.csv": "id,age,plan,spend,churn\n"}, code: exitWrong, want: []string{"customers.csv", "no rows"}},
		"file is not there":         {swap: map[string]string{"task.yaml": "customers.csv => nowhere.csv"}, code: exitWrong, want: []string{"task.yaml:3", "nowhere.csv"}},
		"wrong delimiter":           {files: map[string]string{"customers.csv": strings.ReplaceAll(customersCSV(240), ",", "~")}, code: exitWrong, want: []string{"customers.csv", "id"}},
		"missing column":            {swap: map[string]string{"task.yaml": "customer: id => customer: ident"}, code: exitWrong, want: []string{"task.yaml:4", `"ident"`, "id, age, plan"}},
		"unknown key":               {swap: map[string]string{"task.yaml": "split: => splitt:"}, code: exitWrong, want: []string{"task.yaml:7", "splitt"}},
		"a share beyond 1":          {swap: map[string]string{"task.yaml": "test: 0.25 => test: 1.5"}, code: exitWrong, want: []string{"task.yaml:7", "1.5"}},
		"width below 1":             {swap: map[string]string{"task.yaml": "width: 8, layers => width: -8, layers"}, code: exitWrong, want: []string{"width", "-8"}},
		"one class only":            {files: map[string]string{"customers.csv": strings.ReplaceAll(customersCSV(240), ",yes", ",no")}, code: exitWrong, want: []string{"churn", "positive"}},
		"no time parses":            {journeys: true, files: map[string]string{"events.csv": strings.ReplaceAll(eventsCSV(240), "2025-01-", "2025/13/")}, code: exitWrong, want: []string{"time"}},
		"a time does not parse":     {journeys: true, swap: map[string]string{"events.csv": "2025-01-01T08:00:00Z => yesterday"}, want: []string{"quarantined 1: unparsable time"}},
		"mixed time zones":          {journeys: true, swap: map[string]string{"events.csv": "2025-01-01T08:00:00Z => 2025-01-01T08:00:00"}, want: []string{"1: time without a zone beside times with one"}},
		"a customer has 2 profiles": {swap: map[string]string{"customers.csv": "c1, => c0,"}, want: []string{"quarantined 1: customer has a profile already"}},
		"label of nobody":           {journeys: true, swap: map[string]string{"labels.csv": "c0, => stranger,"}, want: []string{"1: label of a customer without profile and events"}},
		"a row of the wrong shape":  {swap: map[string]string{"customers.csv": "c1, => c1,1,"}, want: []string{"quarantined 1: line of the wrong shape"}},
		"all-missing column":        {files: map[string]string{"customers.csv": withColumn("void", func(int) string { return "" })}},
		"constant column":           {files: map[string]string{"customers.csv": withColumn("same", func(int) string { return "7" })}},
		"infinite numbers": {files: map[string]string{"customers.csv": withColumn("wild", func(i int) string {
			return []string{"1", "inf", "3", "-Infinity"}[i%4]
		})}, want: []string{"120: infinite number (read as missing)"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := tableFolder(t)
			if test.journeys {
				folder = journeyFolder(t)
			}
			for file, text := range test.files {
				write(t, filepath.Join(folder, file), text)
			}
			for file, change := range test.swap {
				before, after, _ := strings.Cut(change, " => ")
				text := read(t, filepath.Join(folder, file))
				if !strings.Contains(text, before) {
					t.Fatalf("%s has no %q", file, before)
				}
				write(t, filepath.Join(folder, file), strings.Replace(text, before, after, 1))
			}
			bundle := filepath.Join(folder, "bundle")
			r := runArgs("train", filepath.Join(folder, "task.yaml"), "-o", bundle)
			if r.code != test.code {
				t.Errorf("exit code %d, want %d\n%s", r.code, test.code, r.stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("standard error has no %q:\n%s", want, r.stderr)
				}
			}
			if _, err := os.Stat(bundle); (err == nil) != (test.code == exitDone) {
				t.Errorf("bundle: %v, with exit code %d", err, r.code)
			}
		})
	}
}

// withColumn adds a column to the plain table.
func withColumn(name string, value func(row int) string) string {
	lines := strings.Split(strings.TrimSpace(customersCSV(240)), "\n")
	for i := range lines {
		if i == 0 {
			lines[i] = name + "," + lines[i]
		} else {
			lines[i] = value(i-1) + "," + lines[i]
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestBadBundles spoils a bundle in every way that should be noticed.
func TestBadBundles(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, bundle string)
		want  string
	}{
		"truncated weights": {func(t *testing.T, bundle string) {
			path := filepath.Join(bundle, "classifier-0.safetensors")
			if err := os.Truncate(path, int64(len(read(t, path))/2)); err != nil {
				t.Fatal(err)
			}
		}, "classifier-0.safetensors"},
		"tampered weights": {func(t *testing.T, bundle string) {
			path := filepath.Join(bundle, "classifier-0.safetensors")
			text := []byte(read(t, path))
			text[len(text)-3] ^= 1
			write(t, path, string(text))
		}, "classifier-0.safetensors"},
		"edited schema": {func(t *testing.T, bundle string) {
			path := filepath.Join(bundle, "schema.json")
			write(t, path, strings.Replace(read(t, path), "visit", "vizit", 1))
		}, "schema.json"},
		"edited manifest": {func(t *testing.T, bundle string) {
			path := filepath.Join(bundle, "manifest.json")
			write(t, path, strings.Replace(read(t, path), `"name": "journeys"`, `"name": "others"`, 1))
		}, "manifest.json"},
		"a file is gone": {func(t *testing.T, bundle string) {
			if err := os.Remove(filepath.Join(bundle, "reference.safetensors")); err != nil {
				t.Fatal(err)
			}
		}, "reference.safetensors"},
		"no bundle at all": {func(t *testing.T, bundle string) {
			if err := os.RemoveAll(bundle); err != nil {
				t.Fatal(err)
			}
		}, "bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := copyBundle(t)
			test.spoil(t, bundle)
			out := filepath.Join(t.TempDir(), "s.csv")
			r := runArgs("score", bundle, "-o", out)
			if r.code != exitWrong || !strings.Contains(r.stderr, test.want) {
				t.Errorf("score: exit code %d, want 2 and %q:\n%s", r.code, test.want, r.stderr)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("score wrote a file")
			}
		})
	}
}

// TestWrongUsage says what cannot be asked for.
func TestWrongUsage(t *testing.T) {
	folder := trainedFolder(t)
	task, bundle := filepath.Join(folder, "task.yaml"), filepath.Join(folder, "bundle")
	out := filepath.Join(t.TempDir(), "x.csv")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown verb":               {[]string{"trian"}, "trian"},
		"unknown flag":               {[]string{"train", task, "--fast"}, "--fast"},
		"missing argument":           {[]string{"train"}, "<task>"},
		"missing output":             {[]string{"score", bundle}, "--output"},
		"unknown format":             {[]string{"score", bundle, "-o", "scores.xls"}, ".csv, .jsonl or .parquet"},
		"figures into nowhere":       {[]string{"evaluate", task, "--json", filepath.Join(folder, "nowhere", "f.json")}, "nowhere"},
		"training into other files":  {[]string{"train", task, "-o", folder}, "holds something else than a bundle"},
		"folder of the file is gone": {[]string{"score", bundle, "-o", filepath.Join(folder, "nowhere", "s.csv")}, "nowhere"},
		"time that is none":          {[]string{"score", bundle, "-o", out, "--at", "soon"}, "soon"},
		"too many event files":       {[]string{"score", bundle, "-o", out, "--events", "a.csv", "--events", "b.csv"}, "got 2 event files, want 1"},
		"one fold":                   {[]string{"evaluate", task, "--folds", "1"}, "want at least 2"},
		"more folds than customers":  {[]string{"evaluate", task, "--folds", "1000"}, "1000"},
		"no seeds":                   {[]string{"evaluate", task, "--seeds", "0"}, "want at least 1"},
		"a task for a task":          {[]string{"evaluate", task, "--task", task}, "--task is for bundles"},
		"evaluating nothing":         {[]string{"evaluate", filepath.Join(folder, "nothing")}, "nothing"},
		"log format":                 {[]string{"--log-format", "xml", "version"}, "xml"},
		"demo of nobody":             {[]string{"demo", "--customers", "0", "-o", filepath.Join(t.TempDir(), "d")}, "customers is 0"},
		"init of an empty file":      {[]string{"init", os.DevNull}, os.DevNull},
		"bundle without the target":  {[]string{"evaluate", bundle, "--task", otherTarget(t)}, `want "won"`},
	} {
		r := runArgs(test.args...)
		if r.code != exitWrong || !strings.Contains(r.stderr, test.want) {
			t.Errorf("%s: exit code %d, want 2 and %q:\n%s", name, r.code, test.want, r.stderr)
		}
		if r.stdout != "" {
			t.Errorf("%s: standard output has %q, want nothing", name, r.stdout)
		}
	}
}

// otherTarget is a task over the same columns with a target of another name.
func otherTarget(t *testing.T) string {
	folder := journeyFolder(t)
	path := filepath.Join(folder, "lost.yaml")
	write(t, path, strings.Replace(journeyTask, "  won: {", "  sold: {", 1))
	return path
}
