package train

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moments/datasets"
	"moments/datasets/synthetic"
	"moments/features"
	"moments/infer"
	"moments/train/metric"
	"moments/weights"
)

// faultTasks are logs of processes whose journeys are seen whole.
var faultTasks = []struct{ name, yaml string }{
	{"bpic2012_loans", `
events:
  - source: ${MOMENTS_DATA}/bpic2012_loans/bpic2012_events.csv.gz
    customer: "case:concept:name"
    time: "time:timestamp"
    type: "concept:name"
    attributes: ["lifecycle:transition", {name: "org:resource", kind: categorical}]
    profile: ["case:AMOUNT_REQ"]
split: {by: customer, test: 0.2, validation: 0.2, seed: %d}
`},
	{"bpic2020_travel Domestic", `
events:
  - source: ${MOMENTS_DATA}/bpic2020_travel/DomesticDeclarations_events.csv.gz
    customer: "case:concept:name"
    time: "time:timestamp"
    type: "concept:name"
    attributes: ["org:resource", "org:role"]
    profile: ["case:Amount"]
split: {by: customer, test: 0.2, validation: 0.2, seed: %d}
`},
}

// sides are what is compared: sets of detectors.
var sides = []struct {
	name      string
	detectors []string // nil for all
}{
	{"Markov chain of order 2", []string{"chain"}},
	{"network of the sequence", []string{"foreteller"}},
	{"both", []string{"foreteller", "chain"}},
	{"all, with the table's (default)", nil},
}

// A spoiled journey has a fault, or none.
type spoiled struct {
	example features.Example
	fault   synthetic.Fault
	events  []int // that are out of place
}

// TestPlantedFaults writes a report to the file MOMENTS_FAULTS: how well faults
// are found that are planted into journeys of the test part. Everything is
// fitted, chosen and calibrated on the others.
func TestPlantedFaults(t *testing.T) {
	report := os.Getenv("MOMENTS_FAULTS")
	if report == "" {
		t.Skip("MOMENTS_FAULTS names no file to write the report to")
	}
	if os.Getenv("MOMENTS_DATA") == "" {
		t.Skip("MOMENTS_DATA names no folder of data sets")
	}
	seeds, err := strconv.Atoi(cmp.Or(os.Getenv("MOMENTS_SEEDS"), "3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range faultTasks {
		f := findings{}
		for seed := range uint64(seeds) {
			file := filepath.Join(t.TempDir(), "task.yaml")
			if err := os.WriteFile(file, fmt.Appendf(nil, "name: faults"+task.yaml, seed+1), 0o600); err != nil {
				t.Fatal(err)
			}
			c := DefaultConfig()
			c.ExtraCuts, c.Recurrent, c.Seed = 0, 0, seed+1
			f.measure(t, file, c)
		}
		var text strings.Builder
		f.write(&text, task.name, seeds)
		appendFile(t, report, text.String())
	}
}

func appendFile(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// findings are figures by side and name, one for each seed.
type findings map[string]map[string][]float64

func (f findings) note(side, figure string, x float64) {
	if f[side] == nil {
		f[side] = map[string][]float64{}
	}
	f[side][figure] = append(f[side][figure], x)
}

// measure trains on a task and looks for faults planted into its test part.
func (f findings) measure(t *testing.T, file string, c Config) {
	t.Helper()
	p := prepared(t, file, c)
	b, _, err := Fit(t.Context(), p, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.Name, b.AlertRate = "faults", 0.01
	if err := infer.Calibrate(b, p.Normal(), p.Validation); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	saved, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tests := spoil(t, file, p, c.Seed)
	for _, side := range sides {
		f.judge(t, saved, side.name, side.detectors, p.Validation, tests)
	}
}

// spoil plants a fault into every second test journey.
func spoil(t *testing.T, file string, p *Prepared, seed uint64) (tests []spoiled) {
	t.Helper()
	test := map[string]bool{}
	for _, ex := range p.Test {
		test[ex.Customer] = true
	}
	encoder, random := p.Schema.NewEncoder(), rand.New(rand.NewPCG(seed, 7))
	for j := range journeysOf(t, file, test) {
		s := spoiled{}
		if n := len(tests); n%2 == 0 {
			fault := synthetic.Faults[n/2%len(synthetic.Faults)]
			for range 5 { // a fault that leaves nothing out of place is drawn again
				if k, events, err := synthetic.Inject(j, fault, random); err == nil && len(events) > 0 {
					j, s.fault, s.events = k, fault, events
					break
				}
			}
		}
		encoder.EncodeTokens(j, features.Cutoff{Time: j.Events[len(j.Events)-1].Time, Events: len(j.Events)}, &s.example)
		tests = append(tests, s)
	}
	return tests
}

// journeysOf reads the journeys of some customers that have events.
func journeysOf(t *testing.T, file string, customers map[string]bool) func(func(*features.Journey) bool) {
	t.Helper()
	_, ds := opened(t, file)
	return func(yield func(*features.Journey) bool) {
		for cut, err := range ds.Cuts(t.Context(), datasets.CutOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			j := *cut.Journey
			j.Events = j.Events[:cut.Cutoff.Events]
			if customers[j.Customer] && len(j.Events) > 0 && !yield(&j) {
				return
			}
		}
	}
}

// judge has some detectors score the test journeys, and their events.
func (f findings) judge(t *testing.T, b *weights.Bundle, side string, detectors []string, heldOut []features.Example, tests []spoiled) {
	t.Helper()
	s, err := infer.NewScorer(b, infer.ScorerOptions{Detectors: detectors, SkipTargets: true})
	if err != nil {
		t.Fatal(err)
	}
	calibration := scoresOf(t, s, heldOut)
	slices.Sort(calibration)
	examples := make([]features.Example, len(tests))
	for i := range tests {
		examples[i] = tests[i].example
	}
	scores := scoresOf(t, s, examples)
	var journeys, events judged
	byFault := map[synthetic.Fault]*judged{}
	for _, fault := range synthetic.Faults {
		byFault[fault] = &judged{}
	}
	for i := range tests {
		journeys.add(scores[i], calibration, tests[i].fault != "")
		for fault, of := range byFault {
			if tests[i].fault == "" || tests[i].fault == fault {
				of.add(scores[i], calibration, tests[i].fault != "")
			}
		}
		ofEvents, err := s.EventScores(&tests[i].example)
		if err != nil {
			t.Fatal(err)
		}
		for event, score := range ofEvents {
			events.add(score, calibration, slices.Contains(tests[i].events, event))
		}
	}
	journeys.note(f, side, "")
	events.note(f, side, "event ")
	for fault, of := range byFault {
		f.note(side, string(fault), metric.AUROC(of.scores, of.truth))
	}
}

func scoresOf(t *testing.T, s *infer.Scorer, examples []features.Example) []float32 {
	t.Helper()
	scores, err := s.AnomalyScores(examples)
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

// judged are scores beside the truth.
type judged struct {
	scores, truth []float32
	flagged       [2][3]float64 // by alert rate: true positives, false positives, false negatives
}

var faultRates = [2]float64{0.01, 0.05}

func (j *judged) add(score float32, calibration []float32, faulty bool) {
	y, missed := float32(0), 0.0
	if faulty {
		y, missed = 1, 1
	}
	j.scores, j.truth = append(j.scores, score), append(j.truth, y)
	for k, rate := range faultRates {
		if infer.PValue(calibration, score) <= rate {
			j.flagged[k][0] += missed
			j.flagged[k][1] += 1 - missed
		} else {
			j.flagged[k][2] += missed
		}
	}
}

func (j *judged) note(f findings, side, of string) {
	f.note(side, of+"AUROC", metric.AUROC(j.scores, j.truth))
	normal := 0.0
	for _, y := range j.truth {
		normal += 1 - float64(y)
	}
	for k, rate := range faultRates {
		hit, false_, missed := j.flagged[k][0], j.flagged[k][1], j.flagged[k][2]
		f.note(side, fmt.Sprintf("%sF1 %g", of, rate), 2*hit/max(1, 2*hit+false_+missed))
		f.note(side, fmt.Sprintf("%sflagged %g", of, rate), false_/max(1, normal))
	}
}

// write appends a table of means over the seeds.
func (f findings) write(out *strings.Builder, task string, seeds int) {
	fmt.Fprintf(out, "\n## %s, mean of %d seeds\n\n", task, seeds)
	columns := []struct{ head, figure string }{
		{"AUROC of journeys", "AUROC"}, {"F1 of journeys at 1 %", "F1 0.01"}, {"at 5 %", "F1 0.05"}, {"normal journeys flagged at 1 %", "flagged 0.01"}, {"at 5 %", "flagged 0.05"},
		{"AUROC of events", "event AUROC"}, {"F1 of events at 1 %", "event F1 0.01"}, {"at 5 %", "event F1 0.05"},
	}
	f.table(out, "detectors", columns)
	columns = columns[:0]
	for _, fault := range synthetic.Faults {
		columns = append(columns, struct{ head, figure string }{string(fault), string(fault)})
	}
	out.WriteString("\nAUROC of journeys with one fault beside normal ones:\n\n")
	f.table(out, "detectors", columns)
}

func (f findings) table(out *strings.Builder, first string, columns []struct{ head, figure string }) {
	fmt.Fprintf(out, "| %s |", first)
	for _, c := range columns {
		fmt.Fprintf(out, " %s |", c.head)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---:|", len(columns)))
	for _, side := range sides {
		fmt.Fprintf(out, "| %s |", side.name)
		for _, c := range columns {
			sum := 0.0
			for _, x := range f[side.name][c.figure] {
				sum += x
			}
			fmt.Fprintf(out, " %.3f |", sum/float64(len(f[side.name][c.figure])))
		}
		out.WriteString("\n")
	}
}

// process writes journeys that follow a plan, and returns their task file: each
// is registered, checked up to three times, decided and paid, every step by a
// clerk of its own and at its own pace.
func process(t *testing.T, journeys int) string {
	t.Helper()
	random := rand.New(rand.NewPCG(5, 5))
	var csv strings.Builder
	csv.WriteString("id,time,type,clerk\n")
	for i := range journeys {
		at := 1_600_000_000 + random.IntN(10_000_000)
		event := func(kind, clerk string, minutes int) {
			at += 60 * (minutes + random.IntN(minutes))
			fmt.Fprintf(&csv, "c%04d,%d,%s,%s\n", i, at, kind, clerk)
		}
		event("register", "ann", 5)
		for range 1 + random.IntN(3) {
			event("check", []string{"bob", "cid"}[random.IntN(2)], 60)
			event("note", "ann", 2)
		}
		event("decide", "dan", 600)
		event("pay", "eve", 1440)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"events.csv": csv.String(), "task.yaml": `name: process
events: [{source: events.csv, customer: id, time: time, type: type}]
`} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "task.yaml")
}

// TestForetellerFindsFaults plants faults into the journeys of a process.
func TestForetellerFindsFaults(t *testing.T) {
	c := quick()
	c.Foretell, c.ForetoldEvents, c.State, c.TypeSize = true, 150_000, 16, 8
	f := findings{}
	f.measure(t, process(t, 700), c)
	t.Log(f)
	for _, row := range []struct {
		side   int
		figure string
		least  float64
	}{
		{1, "AUROC", 0.95}, {1, "event AUROC", 0.9}, {2, "AUROC", 0.95}, {2, "event AUROC", 0.9}, {0, "skip", 0.95}, {1, "swap", 0.9},
	} {
		if got := f[sides[row.side].name][row.figure][0]; got < row.least {
			t.Errorf("%s: %s is %.3f, want at least %g", sides[row.side].name, row.figure, got, row.least)
		}
	}
	if flagged := f[sides[2].name]["flagged 0.05"][0]; flagged > 0.2 { // of 70
		t.Errorf("%.3f of the normal journeys are flagged at 5 %%", flagged)
	}
}
