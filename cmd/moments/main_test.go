package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// asProgram, in the environment, makes the test binary the program itself: so
// tests send it signals and look at its exit code without a second build.
const asProgram = "MOMENTS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is what a run of the program left.
type result struct {
	code           int
	stdout, stderr string
}

func runWith(ctx context.Context, watch io.Writer, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, &stdout, io.MultiWriter(&stderr, watch))
	return result{code, stdout.String(), stderr.String()}
}

func runArgs(args ...string) result { return runWith(context.Background(), io.Discard, args...) }

// mustRun fails the test unless the program ends well.
func mustRun(t *testing.T, args ...string) result {
	t.Helper()
	r := runArgs(args...)
	if r.code != exitDone {
		t.Fatalf("moments %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// small are networks that train in a moment.
const small = `networks: {members: 2, width: 8, layers: 1, embedding: 2, ensemble: 2, epochs: 3, patience: 3, threads: 1}
anomaly: {alert_rate: 0.05, width: 8, steps: 300}
`

// customersCSV is a plain table in which the young leave and gold stays.
func customersCSV(rows int) string {
	var b strings.Builder
	b.WriteString("id,age,plan,spend,churn\n")
	for i := range rows {
		age, plan := 20+i*7%50, []string{"basic", "plus", "gold"}[i%3]
		churn := "no"
		if (age < 40) != (i%11 == 0) && plan != "gold" {
			churn = "yes"
		}
		fmt.Fprintf(&b, "c%d,%d,%s,%d.5,%s\n", i, age, plan, i*13%97, churn)
	}
	return b.String()
}

const tableTask = `name: shop
profiles:
  - source: customers.csv
    customer: id
targets:
  churn: {labels: {column: churn}}
split: {test: 0.25, validation: 0.25, seed: 1}
` + small

// tableFolder is a folder with a plain table and its task.
func tableFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "customers.csv"), customersCSV(240))
	write(t, filepath.Join(folder, "task.yaml"), tableTask)
	return folder
}

// eventsCSV holds journeys of two to seven events, in two time zones where
// zones says so; who buys early buys again.
func eventsCSV(customers int) string {
	var b strings.Builder
	b.WriteString("customer,time,type,amount\n")
	for i := range customers {
		for k := range 2 + i%6 {
			kind := "visit"
			if k == 1 && i%3 == 0 {
				kind = "purchase"
			}
			fmt.Fprintf(&b, "c%d,2025-01-%02dT%02d:00:00Z,%s,%d\n", i, 1+k, 8+i%9, kind, i%5)
		}
	}
	return b.String()
}

func labelsCSV(customers int) string {
	var b strings.Builder
	b.WriteString("customer,outcome\n")
	for i := range customers {
		fmt.Fprintf(&b, "c%d,%s\n", i, map[bool]string{true: "won", false: "lost"}[(i%3 == 0) != (i%10 == 0)])
	}
	return b.String()
}

const journeyTask = `name: journeys
events:
  - {source: events.csv, customer: customer, time: time, type: type}
cutoffs: {after_events: [1, 2]}
targets:
  won: {labels: {source: labels.csv, customer: customer, value: outcome, positive: [won], negative: [lost]}}
split: {by: customer, test: 0.25, validation: 0.25, seed: 1}
` + small

// journeyFolder is a folder with events, labels and their task.
func journeyFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "events.csv"), eventsCSV(240))
	write(t, filepath.Join(folder, "labels.csv"), labelsCSV(240))
	write(t, filepath.Join(folder, "task.yaml"), journeyTask)
	return folder
}

var trainedOnce = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "moments-test-")
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{"events.csv": eventsCSV(240), "labels.csv": labelsCSV(240), "task.yaml": journeyTask} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	if r := runArgs("train", filepath.Join(folder, "task.yaml"), "-o", filepath.Join(folder, "bundle")); r.code != exitDone {
		return "", fmt.Errorf("train: %s", r.stderr)
	}
	return folder, nil
})

// trainedFolder is journeyFolder with a trained bundle in bundle/, shared by
// the tests, which must not write to it.
func trainedFolder(t *testing.T) string {
	t.Helper()
	folder, err := trainedOnce()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// copyBundle gives a test a bundle of its own to spoil.
func copyBundle(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "bundle"), os.DirFS(filepath.Join(trainedFolder(t), "bundle"))); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "bundle")
}
