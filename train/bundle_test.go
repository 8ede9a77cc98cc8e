package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"moments/datasets"
	"moments/datasets/synthetic"
	"moments/features"
	"moments/infer"
	"moments/model"
	"moments/train/metric"
	"moments/weights"
)

// quick is a small network, for tests that ask how and not how well.
func quick() Config {
	c := DefaultConfig()
	c.Members, c.Width, c.Embedding, c.Ensemble, c.Epochs, c.ExtraCuts, c.DenoiseSteps, c.DenoiseWidth = 4, 16, 4, 2, 6, 0, 60, 16
	c.Recurrent, c.Foretell, c.Seed = 0, false, 3
	return c
}

// opened reads a task and opens its data until the test ends.
func opened(t *testing.T, taskFile string) (*datasets.Task, *datasets.Dataset) {
	t.Helper()
	task, err := datasets.LoadTask(taskFile)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := datasets.Open(t.Context(), task, datasets.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ds.Close() })
	return task, ds
}

// prepared opens a task and encodes the parts of its split.
func prepared(t *testing.T, taskFile string, c Config) *Prepared {
	t.Helper()
	task, ds := opened(t, taskFile)
	refs, err := Refs(t.Context(), ds)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := datasets.Split(refs, task.Split)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Prepare(t.Context(), ds, refs, parts, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// base writes a synthetic customer base and returns its task file.
func base(t *testing.T, customers int) string {
	t.Helper()
	c := synthetic.Default()
	c.Customers = customers
	folder := t.TempDir()
	if _, err := synthetic.Write(t.Context(), c, folder); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, synthetic.TaskFile)
}

// TestBundleScoresAsTheTrainer saves a bundle, opens it, scores with it, and
// compares with what the trainer's own graphs say of the same examples.
func TestBundleScoresAsTheTrainer(t *testing.T) {
	p := prepared(t, base(t, 500), quick())
	for _, architecture := range []string{"tabm", "mlp"} {
		c := quick()
		c.Architecture = architecture
		t.Run(architecture, func(t *testing.T) { compareScores(t, p, c) })
	}
}

func compareScores(t *testing.T, p *Prepared, c Config) {
	b, report, err := Fit(t.Context(), p, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Networks) != 4 || report.Rows != len(p.Train) {
		t.Errorf("the report has %d networks and %d rows, want 4 and %d", len(report.Networks), report.Rows, len(p.Train))
	}
	compareWithTrainer(t, b, p, p.Test)
}

// TestJourneyBundleScoresAsTheTrainer is the same for a blend with a network
// that follows the events; the trainer's graphs see 256 events of a journey.
func TestJourneyBundleScoresAsTheTrainer(t *testing.T) {
	c := quick()
	c.Denoise, c.Additive, c.Recurrent, c.State, c.Token, c.TypeSize = false, false, 2, 16, 4, 4
	p := prepared(t, base(t, 500), c)
	b, report, err := Fit(t.Context(), p, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Blend["events"].Share == 0 && report.Blend["events and table"].Share == 0 {
		t.Fatalf("no network that follows the events has a share in the blend: %+v", report.Blend)
	}
	compareWithTrainer(t, b, p, slices.DeleteFunc(slices.Clone(p.Test), func(ex features.Example) bool { return ex.Cutoff.Events > mostEvents }))
}

// compareWithTrainer saves and opens a bundle, and compares what it scores with
// what the trainer's graphs say.
func compareWithTrainer(t *testing.T, b *weights.Bundle, p *Prepared, examples []features.Example) {
	t.Helper()
	b.Name = "parity"
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	saved, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := infer.NewScorer(saved, infer.ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	scores, err := scorer.ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	want := trainersOwn(t, b, p, examples)
	for i, s := range scores {
		for k, got := range s.Probabilities {
			if math.Abs(float64(got)-want[i*len(p.Targets)+k]) > 1e-5 {
				t.Fatalf("%s, %s: the bundle scores %g, the trainer %g", s.Customer, p.Targets[k], got, want[i*len(p.Targets)+k])
			}
		}
	}
}

// trainersOwn is the blend of the classifiers as the training graphs compute it.
func trainersOwn(t *testing.T, b *weights.Bundle, p *Prepared, examples []features.Example) []float64 {
	t.Helper()
	test := newTable(p.Schema, examples, len(p.Targets))
	blend := make([]float64, test.rows*len(p.Targets))
	for _, n := range b.Networks {
		if n.Role != weights.Classifier {
			continue
		}
		g, err := n.Graph()
		if err != nil {
			t.Fatal(err)
		}
		tabular := &classification{graph: g, targets: len(p.Targets), validation: test}
		var own predicting = tabular
		if n.Saved.Kind == "journey" {
			followed := newJourneys(p.Schema, examples)
			own = &following{classification: tabular, training: followed, validating: followed}
		}
		predicted, err := predict(g, own, test, n.Params, 32)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range predicted {
			blend[i] += n.Weight * float64(v)
		}
	}
	return blend
}

// TestReadersAgree runs every architecture in both readers on random inputs.
func TestReadersAgree(t *testing.T) {
	for name, network := range architectures {
		g, err := model.Build(network)
		if err != nil {
			t.Fatal(err)
		}
		params := newParameters(g, 11)
		values := map[string][]float32{}
		for _, n := range g.Params() {
			values[n.Name] = params.of(n)
		}
		program, err := infer.Compile(g, values)
		if err != nil {
			t.Fatal(err)
		}
		session := program.NewJourneySession(threeJourneys.batch, threeJourneys.events)
		var outputs []string
		for output := range g.Outputs {
			outputs = append(outputs, output)
		}
		l, err := newPredictor(g, params, threeJourneys, outputs...)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		fillRandomly(l, g, rand.New(rand.NewPCG(1, 4)))
		for input, x := range l.inputs {
			copy(session.Input(input), x)
		}
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
		if err := session.RunJourneys(threeJourneys.batch, threeJourneys.steps); err != nil {
			t.Fatal(err)
		}
		for _, output := range outputs {
			got := session.Output(output)
			for i, want := range l.outputs[output].values() {
				if math.Abs(float64(got[i]-want)) > 1e-5*(1+math.Abs(float64(want))) {
					t.Errorf("%s: %s[%d] is %g in infer, %g in train", name, output, i, got[i], want)
				}
			}
		}
	}
}

// TestTheFutureIsNotSeen draws labels by chance and lets an event after the
// cutoff, and one at the cutoff's very instant, tell them. What is learned must
// be worth nothing.
func TestTheFutureIsNotSeen(t *testing.T) {
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(6, 6))
	var events, labels strings.Builder
	events.WriteString("customer,time,type,amount\n")
	labels.WriteString("customer,won\n")
	cutoff := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for c := range 2400 {
		won := random.IntN(2)
		fmt.Fprintf(&labels, "%d,%d\n", c, won)
		for range 1 + random.IntN(5) {
			fmt.Fprintf(&events, "%d,%s,visit,%d\n", c, cutoff.Add(-time.Duration(1+random.IntN(5000))*time.Minute).Format(time.RFC3339), random.IntN(9))
		}
		for _, after := range []time.Duration{0, 90 * time.Minute} {
			fmt.Fprintf(&events, "%d,%s,%s,%d\n", c, cutoff.Add(after).Format(time.RFC3339), []string{"lost", "won"}[won], 1000*won)
		}
	}
	for name, text := range map[string]string{
		"events.csv": events.String(), "labels.csv": labels.String(),
		"task.yaml": "name: leak\nevents:\n  - {source: events.csv, customer: customer, time: time, type: type}\ncutoffs: {at: 2025-03-01}\n" +
			"targets:\n  won:\n    labels: {source: labels.csv, customer: customer, value: won}\nsplit: {by: customer, test: 0.5, validation: 0.2}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := quick()
	c.Denoise = false
	p := prepared(t, filepath.Join(folder, "task.yaml"), c)
	b, _, err := Fit(t.Context(), p, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var predictions, outcomes []float32
	for i, v := range trainersOwn(t, b, p, p.Test) {
		predictions, outcomes = append(predictions, float32(v)), append(outcomes, p.Test[i].Labels[0])
	}
	if auroc := metric.AUROC(predictions, outcomes); math.Abs(auroc-0.5) > 0.06 { // 3.6 standard errors of 1,200 rows
		t.Errorf("AUROC is %.3f, want about 0.5: the future is seen", auroc)
	}
}

// TestFitResumes interrupts a whole run in its second network and resumes it.
func TestFitResumes(t *testing.T) {
	p := prepared(t, base(t, 300), quick())
	whole, _, err := Fit(t.Context(), p, quick(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := Options{Checkpoint: folder, Progress: func(p Progress) {
		if p.Network == "classifier-1" && p.Epoch == 3 {
			cancel()
		}
	}}
	if _, _, err := Fit(ctx, p, quick(), o); err == nil {
		t.Fatal("the interrupted run ends without an error")
	}
	resumed, _, err := Fit(t.Context(), p, quick(), Options{Checkpoint: folder, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(whole.Networks, resumed.Networks) {
		t.Error("the resumed run ends with other weights")
	}
}

func TestFitRefuses(t *testing.T) {
	p := prepared(t, base(t, 60), quick())
	for name, row := range map[string]struct {
		spoil func(p *Prepared, c *Config)
		want  string
	}{
		"one class": {func(p *Prepared, _ *Config) {
			p.Train = append([]features.Example{}, p.Train...)
			for i := range p.Train {
				p.Train[i].Labels = []float32{1, 0}
			}
		}, "target conversion has"},
		"no validation":               {func(p *Prepared, _ *Config) { p.Validation = nil }, "validation part is empty"},
		"denoiser without validation": {func(p *Prepared, _ *Config) { p.Targets, p.Validation = nil, nil }, "validation part is empty"},
		"nothing":                     {func(p *Prepared, c *Config) { p.Targets, c.Denoise = nil, false }, "nothing to train"},
		"learning rate":               {func(_ *Prepared, c *Config) { c.LearningRate = -1 }, "networks.learning_rate is -1, want above 0"},
	} {
		spoiled, c := *p, quick()
		row.spoil(&spoiled, &c)
		if _, _, err := Fit(t.Context(), &spoiled, c, Options{}); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got error %v, want %q", name, err, row.want)
		}
	}
}
