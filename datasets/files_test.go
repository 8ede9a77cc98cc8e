package datasets

import (
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"moments/features"
)

// files writes named texts to a folder of the test; a name that ends in .gz is
// compressed.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			z := gzip.NewWriter(f)
			if _, err := z.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
		} else if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// testNow is the clock of the tests.
var testNow = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// open writes the files, among them task.yaml, and opens the task.
func open(t *testing.T, texts map[string]string, options OpenOptions) (*Dataset, error) {
	t.Helper()
	dir := files(t, texts)
	task, err := LoadTask(filepath.Join(dir, "task.yaml"))
	if err != nil {
		return nil, err
	}
	if options.Now.IsZero() {
		options.Now = testNow
	}
	d, err := Open(t.Context(), task, options)
	if err == nil {
		t.Cleanup(func() { d.Close() })
	}
	return d, err
}

func mustOpen(t *testing.T, texts map[string]string, options OpenOptions) *Dataset {
	t.Helper()
	d, err := open(t, texts, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range d.Quality().Sources {
		reasons := int64(0)
		for _, n := range s.Reasons {
			reasons += n
		}
		if s.Read != s.Kept+s.Quarantined || reasons != s.Quarantined {
			t.Errorf("%s: read %d, kept %d, quarantined %d (%v): rows are lost", s.Name, s.Read, s.Kept, s.Quarantined, s.Reasons)
		}
	}
	return d
}

// journeys collects every journey, in memory of its own.
func journeys(t *testing.T, d *Dataset) []features.Journey {
	t.Helper()
	var all []features.Journey
	for j, err := range d.Journeys(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, clone(j))
	}
	return all
}

func clone(j *features.Journey) features.Journey {
	c := features.Journey{Customer: j.Customer, Profile: append([]features.Value(nil), j.Profile...)}
	for _, e := range j.Events {
		e.Values = append([]features.Value(nil), e.Values...)
		c.Events = append(c.Events, e)
	}
	return c
}

// ownCut is a Cut in memory of its own.
type ownCut struct {
	Customer string
	Cutoff   features.Cutoff
	Labels   string
	Extra    bool
}

func cuts(t *testing.T, d *Dataset, options CutOptions) []ownCut {
	t.Helper()
	var all []ownCut
	for c, err := range d.Cuts(context.Background(), options) {
		if err != nil {
			t.Fatal(err)
		}
		labels := ""
		for _, l := range c.Labels {
			switch l {
			case 0:
				labels += "0"
			case 1:
				labels += "1"
			default:
				labels += "?"
			}
		}
		all = append(all, ownCut{c.Journey.Customer, c.Cutoff, labels, c.Extra})
	}
	return all
}

func micros(text string) int64 {
	at, _, _, err := features.ParseTime(text)
	if err != nil {
		panic(err)
	}
	return at
}

// render writes values in a form that compares: numbers, texts, and - for
// missing.
func render(fields []features.Field, values []features.Value) string {
	var parts []string
	for i, v := range values {
		switch {
		case fields[i].Kind == features.Categorical && v.Text != "":
			parts = append(parts, v.Text)
		case fields[i].Kind == features.Numeric && v.Number == v.Number:
			parts = append(parts, trimFloat(v.Number))
		default:
			parts = append(parts, "-")
		}
	}
	return strings.Join(parts, " ")
}

func trimFloat(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
