package synthetic

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// files reads a folder, names to contents.
func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	result := map[string][]byte{}
	for _, e := range entries {
		result[e.Name()] = must(os.ReadFile(filepath.Join(folder, e.Name())))
	}
	return result
}

func write(t *testing.T, c Config) (map[string][]byte, *Summary) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "base")
	summary, err := Write(context.Background(), c, folder)
	if err != nil {
		t.Fatal(err)
	}
	return files(t, folder), summary
}

// table parses a CSV file into one map a row.
func table(t *testing.T, text []byte) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var result []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		result = append(result, m)
	}
	return result
}

func small() Config {
	c := Default()
	c.Customers = 520 // three blocks
	return c
}

func TestSameSeedSameBytes(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the golden hashes are those of amd64: other processors round sums of products differently")
	}
	var got strings.Builder
	for _, format := range []string{"csv", "jsonl"} {
		c := small()
		c.Format = format
		written, _ := write(t, c)
		names := make([]string, 0, len(written))
		for name := range written {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&got, "%s %s %x\n", format, name, sha256.Sum256(written[name]))
		}
	}
	path := filepath.Join("testdata", "hashes.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want := must(os.ReadFile(path)); got.String() != string(want) {
		t.Errorf("the files changed; when meant, run the tests with -update. got\n%swant\n%s", &got, want)
	}
}

func TestProcessorsDoNotMatter(t *testing.T) {
	many, _ := write(t, small())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, _ := write(t, small())
	for name := range many {
		if !bytes.Equal(many[name], one[name]) {
			t.Errorf("%s depends on GOMAXPROCS", name)
		}
	}
}

// The files say what the journeys in memory say.
func TestFilesMatchJourneys(t *testing.T) {
	c := small()
	written, summary := write(t, c)
	want := []string{"events.csv", "labels.csv", "profiles.csv", "task.yaml", "truth.json", "truth_customers.csv"}
	for _, name := range want {
		if written[name] == nil || len(written) != len(want) {
			t.Fatalf("wrote %d files, want %q", len(written), want)
		}
	}
	b := generate(c)
	events, labels, truths, profiles := table(t, written["events.csv"]), table(t, written["labels.csv"]), table(t, written["truth_customers.csv"]), table(t, written["profiles.csv"])
	row := 0
	for i, j := range b.journeys {
		for k, ev := range j.Events {
			got := events[row]
			row++
			at := must(time.Parse(time.RFC3339, got["time"]))
			_, offset := at.Zone()
			if got["customer"] != j.Customer || at.UnixMicro() != ev.Time || int32(offset) != ev.Offset || got["type"] != ev.Type ||
				got["event_id"] != fmt.Sprintf("%s-%d", j.Customer, k) || got["channel"] != ev.Values[0].Text || got["status"] != ev.Values[2].Text ||
				!sameNumber(got["amount"], ev.Values[1].Number) || !sameNumber(got["satisfaction"], ev.Values[3].Number) || !sameNumber(got["stars"], ev.Values[4].Number) {
				t.Fatalf("row %d is %v, want %+v", row, got, ev)
			}
		}
		truth := b.truths[i]
		for target, name := range Targets {
			yes := strconv.Itoa(map[bool]int{true: 1}[truth.Outcome[target]])
			if labels[i][name] != yes || truths[i][name+"_outcome"] != yes {
				t.Errorf("%s: %s is %s in the labels, %s in the truth, want %s", j.Customer, name, labels[i][name], truths[i][name+"_outcome"], yes)
			}
			if p := must(strconv.ParseFloat(truths[i][name+"_probability"], 64)); math.Abs(p-truth.Probability[target]) > 1e-6 {
				t.Errorf("%s: probability is %g, want %g", j.Customer, p, truth.Probability[target])
			}
			id, typ := "", ""
			if cause := truth.Cause[target]; cause != nil {
				id, typ = fmt.Sprintf("%s-%d", j.Customer, cause.Event), cause.Type
			}
			if truths[i][name+"_cause_event"] != id || truths[i][name+"_cause_type"] != typ {
				t.Errorf("%s: cause of %s is %q, want %q", j.Customer, name, truths[i][name+"_cause_event"], id)
			}
		}
		kind := ""
		if truth.Anomaly != nil {
			kind = truth.Anomaly.Kind
		}
		if truths[i]["anomaly"] != kind || profiles[i]["plan"] != j.Profile[3].Text || !sameNumber(profiles[i]["age"], j.Profile[0].Number) {
			t.Errorf("%s: anomaly is %q, want %q; profile is %v", j.Customer, truths[i]["anomaly"], kind, profiles[i])
		}
	}
	if row != len(events) || summary.Events != row || len(labels) != c.Customers || summary.Customers != c.Customers {
		t.Errorf("%d events, %d labels, summary %d and %d, want %d and %d", len(events), len(labels), summary.Events, summary.Customers, row, c.Customers)
	}
}

func sameNumber(text string, x float64) bool {
	if text == "" {
		return math.IsNaN(x)
	}
	return must(strconv.ParseFloat(text, 64)) == x
}

func TestFormatsHoldTheSameEvents(t *testing.T) {
	c := small()
	plain, _ := write(t, c)
	c.Format = "csv.gz"
	zipped, _ := write(t, c)
	z := must(gzip.NewReader(bytes.NewReader(zipped["events.csv.gz"])))
	if !bytes.Equal(must(io.ReadAll(z)), plain["events.csv"]) {
		t.Error("events.csv.gz holds something else than events.csv")
	}
	c.Format = "jsonl"
	lines, _ := write(t, c)
	decoder := json.NewDecoder(bytes.NewReader(lines["events.jsonl"]))
	for i, want := range table(t, plain["events.csv"]) {
		var got map[string]any
		if err := decoder.Decode(&got); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		for name, value := range want {
			if value == "" && got[name] == nil {
				continue
			}
			number, isNumber := got[name].(float64)
			if got[name] != value && !(isNumber && sameNumber(value, number)) {
				t.Fatalf("line %d: %s is %v, want %q", i+1, name, got[name], value)
			}
		}
	}
}

// The truth.json of the default base: what the demo compares itself with.
func TestSummaryOfTheDefaults(t *testing.T) {
	written, summary := write(t, Default())
	var read Summary
	if err := json.Unmarshal(written["truth.json"], &read); err != nil || read.Customers != summary.Customers || read.Config.Seed != 1 {
		t.Fatalf("truth.json: %v, %d customers", err, read.Customers)
	}
	for _, target := range summary.Targets {
		if o := target.Oracle; o.AUROC < 0.85 || o.AUROC > 0.90 || o.LogLoss > 0.45 || o.Brier > 0.15 {
			t.Errorf("%s: oracle is %+v, want an AUROC of 0.85 to 0.90", target.Name, o)
		}
		if target.Causes < 2000 {
			t.Errorf("%s: %d customers have a cause, want at least 2,000", target.Name, target.Causes)
		}
	}
	for _, e := range summary.Effects {
		if e.Exposed < 80 {
			t.Errorf("%s applies to %d customers, want at least 80", e.Name, e.Exposed)
		}
		// The simulated effect is a mean of -1, 0 and 1, so 4 standard errors are at most 400 points over the square root of n.
		if tolerance := 400 * math.Sqrt(math.Abs(e.Points)/100/float64(e.Exposed)); math.Abs(e.SimulatedPoints-e.Points) > tolerance+0.1 {
			t.Errorf("%s: simulated %.2f points, expected %.2f within %.2f", e.Name, e.SimulatedPoints, e.Points, tolerance)
		}
		if e.Touchpoint != "age" && e.Points*e.Logit <= 0 {
			t.Errorf("%s: logit %g but %g points", e.Name, e.Logit, e.Points)
		}
	}
	for _, p := range summary.Touchpoints {
		if slices.Contains(summary.Decoys, p.Type) && (p.AbsPoints != 0 || p.Events == 0) {
			t.Errorf("the decoy %s has %d events of %g points", p.Type, p.Events, p.AbsPoints)
		}
	}
}

// The oracle's AUROC by histogram is that of comparing every pair.
func TestOracleMatchesPairs(t *testing.T) {
	w := must(newWorld(small()))
	m := w.newMaker()
	var s scorer
	var all []outcome
	for i := range 400 {
		m.history(i)
		o := m.outcomes()[Churn]
		s.add(o)
		all = append(all, o)
	}
	wins, pairs := 0.0, 0.0
	for _, a := range all {
		for _, b := range all {
			if !a.positive() || b.positive() {
				continue
			}
			pairs++
			if a.probability > b.probability {
				wins++
			}
		}
	}
	if got, _ := s.auroc(); math.Abs(got-wins/pairs) > 1e-3 {
		t.Errorf("AUROC is %.5f, by pairs %.5f", got, wins/pairs)
	}
	if got, _ := new(scorer).auroc(); got != 0.5 {
		t.Errorf("AUROC of nothing is %g, want 0.5", got)
	}
}

func TestCancelledWriteLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	former := filepath.Join(folder, "labels.csv")
	if err := os.WriteFile(former, []byte("former"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Write(ctx, Default(), folder); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v, want the context's error", err)
	}
	if left := files(t, folder); len(left) != 1 || string(left["labels.csv"]) != "former" {
		t.Errorf("%d files are left, want the former labels alone", len(left))
	}
}

func TestWriteRefusesAFolderThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(context.Background(), Default(), path); err == nil || !strings.HasPrefix(err.Error(), "synthetic: ") {
		t.Errorf("got %v, want an error", err)
	}
}
