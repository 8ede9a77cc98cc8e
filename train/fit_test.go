package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"moments/model"
	"moments/train/metric"
)

// twoMoons is a small problem with an answer: the sign of a curved boundary.
func twoMoons(rows int, seed uint64, positiveShare float64) *table {
	random := rand.New(rand.NewPCG(seed, 9))
	t := &table{rows: rows, inputs: map[string][]float32{}}
	for range rows {
		var y float32
		if random.Float64() < positiveShare {
			y = 1
		}
		angle := math.Pi * random.Float64()
		a, b := math.Cos(angle), math.Sin(angle)
		if y == 1 {
			a, b = 1-a, 0.4-b
		}
		t.inputs[model.InputNumeric] = append(t.inputs[model.InputNumeric], float32(a+0.2*random.NormFloat64()), float32(b+0.2*random.NormFloat64()))
		t.labels, t.weights = append(t.labels, y), append(t.weights, 1)
	}
	return t
}

func moonNetwork(t *testing.T) *model.Graph {
	t.Helper()
	edges := []float32{-2, -1, -0.5, 0, 0.5, 1, 2}
	g, err := model.Build(model.TabM{
		Table: model.Table{Numeric: 2, Edges: [][]float32{edges, edges}}, Targets: 1, Members: 4, Width: 16, Layers: 2, Embedding: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func moonProblem(g *model.Graph) *classification {
	return &classification{graph: g, targets: 1, train: twoMoons(600, 1, 0.5), validation: twoMoons(300, 2, 0.5), positive: []float32{1}}
}

var moonSchedule = schedule{
	name: "moons", epochs: 12, patience: 12, batch: 64, micro: 16, threads: 2,
	learningRate: 5e-3, weightDecay: 1e-4, clip: 1, dropout: 0.1, seed: 7,
}

func TestFitLearns(t *testing.T) {
	g := moonNetwork(t)
	p := moonProblem(g)
	s := moonSchedule
	s.epochs, s.patience = 25, 25
	f, err := fit(t.Context(), g, p, s)
	if err != nil {
		t.Fatal(err)
	}
	if f.validationLoss > 0.2 {
		t.Errorf("validation log-loss is %g after %d epochs, want at most 0.2", f.validationLoss, f.epochs)
	}
}

// TestSameSeedSameBits trains twice, and with another seed.
func TestSameSeedSameBits(t *testing.T) {
	g := moonNetwork(t)
	s := moonSchedule
	s.epochs = 3
	var runs []*fitted
	for _, seed := range []uint64{7, 7, 8} {
		s.seed = seed
		f, err := fit(t.Context(), g, moonProblem(g), s)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, f)
	}
	if !reflect.DeepEqual(runs[0], runs[1]) {
		t.Error("two runs of one seed differ")
	}
	if reflect.DeepEqual(runs[0].params, runs[2].params) {
		t.Error("two seeds give the same parameters")
	}
}

// TestResume interrupts a run in the middle of several epochs, resumes it each
// time, and compares the end with a run that was left alone.
func TestResume(t *testing.T) {
	g := moonNetwork(t)
	whole, err := fit(t.Context(), g, moonProblem(g), moonSchedule)
	if err != nil {
		t.Fatal(err)
	}
	s := moonSchedule
	s.checkpoint = &checkpoint{path: filepath.Join(t.TempDir(), "deep", "moons.safetensors"), fingerprint: "a", resume: true}
	for _, stop := range []struct{ epoch, batch int }{{1, 3}, {4, 1}, {4, 9}, {9, 5}} {
		ctx, cancel := context.WithCancel(t.Context())
		s.progress = func(p Progress) {
			if p.Epoch == stop.epoch && p.Batch == stop.batch {
				cancel()
			}
		}
		if _, err := fit(ctx, g, moonProblem(g), s); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted in epoch %d: got error %v, want context canceled", stop.epoch, err)
		}
		cancel()
	}
	s.progress = nil
	for range 2 { // the second time, the run is done already
		resumed, err := fit(t.Context(), g, moonProblem(g), s)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(whole, resumed) {
			t.Error("the resumed run ends differently")
		}
	}
	s.checkpoint.fingerprint = "b"
	if _, err := fit(t.Context(), g, moonProblem(g), s); err == nil || !strings.Contains(err.Error(), "belongs to another task") {
		t.Errorf("another run's checkpoint: got error %v", err)
	}
	if err := os.Truncate(s.checkpoint.path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := fit(t.Context(), g, moonProblem(g), s); err == nil || !strings.Contains(err.Error(), "start again") {
		t.Errorf("a truncated checkpoint: got error %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.checkpoint.path), "*"))
	if len(left) != 1 {
		t.Errorf("the checkpoint's folder holds %v, want the checkpoint alone", left)
	}
}

// TestPositiveWeight weighs rare positives up and checks that the probabilities
// still mean what they say.
func TestPositiveWeight(t *testing.T) {
	g := moonNetwork(t)
	p := moonProblem(g)
	p.train, p.validation, p.positive = twoMoons(2000, 3, 0.1), twoMoons(2000, 4, 0.1), []float32{9}
	s := moonSchedule
	s.shift = []float32{float32(math.Log(9))}
	f, err := fit(t.Context(), g, p, s)
	if err != nil {
		t.Fatal(err)
	}
	params := newParameters(g, 0)
	if err := params.restore(f.params); err != nil {
		t.Fatal(err)
	}
	l, err := newPredictor(g, params, rows{batch: 32}, model.OutputProbability)
	if err != nil {
		t.Fatal(err)
	}
	c := hire([]*lane{l})
	defer c.dismiss()
	probabilities, err := p.probabilities(c, p.validation)
	if err != nil {
		t.Fatal(err)
	}
	var mean float64
	for _, v := range probabilities {
		mean += float64(v) / float64(len(probabilities))
	}
	if rate := metric.Score(probabilities, p.validation.labels).PositiveRate; math.Abs(mean-rate) > 0.03 {
		t.Errorf("mean probability is %.3f, want the positive rate %.3f", mean, rate)
	}
}

// TestUnknownLabelsDoNotCount hides half of the labels behind weight 0.
func TestUnknownLabelsDoNotCount(t *testing.T) {
	g := moonNetwork(t)
	p := moonProblem(g)
	for i := 0; i < p.train.rows; i += 2 {
		p.train.labels[i], p.train.weights[i] = float32(math.NaN()), 0
	}
	f, err := fit(t.Context(), g, p, moonSchedule)
	if err != nil {
		t.Fatal(err)
	}
	if f.validationLoss > 0.3 {
		t.Errorf("validation log-loss is %g, want at most 0.3", f.validationLoss)
	}
}

func TestDivergenceIsAnError(t *testing.T) {
	g := moonNetwork(t)
	p := moonProblem(g)
	p.train.inputs[model.InputNumeric][5] = float32(math.Inf(1))
	if _, err := fit(t.Context(), g, p, moonSchedule); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("an infinite input: got error %v", err)
	}
}

// TestTemperature sharpens true probabilities and checks that the fitted
// temperature undoes it.
func TestTemperature(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	const n, sharpened = 20000, 2.5
	validation := &table{rows: n, labels: make([]float32, n), weights: make([]float32, n)}
	p := make([]float32, n)
	for i := range p {
		z := random.NormFloat64()
		if random.Float64() < 1/(1+math.Exp(-z)) {
			validation.labels[i] = 1
		}
		validation.weights[i] = 1
		p[i] = float32(1 / (1 + math.Exp(-sharpened*z)))
	}
	if got := temperatures([][]float32{p, p}, []float64{0.3, 0.7}, validation, 1)[0]; math.Abs(float64(got)-sharpened) > 0.15 {
		t.Errorf("temperature is %g, want %g", got, sharpened)
	}
	if got := temperatures([][]float32{p}, []float64{1}, &table{rows: n, labels: validation.labels, weights: make([]float32, n)}, 1)[0]; got != 1 {
		t.Errorf("temperature without labels is %g, want 1", got)
	}
}

// TestDenoiserLearns trains on rows of which the second half repeats the first.
func TestDenoiserLearns(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	rows := func(n int) *table {
		t := &table{rows: n, inputs: map[string][]float32{}}
		for range n {
			a, b := float32(random.NormFloat64()), float32(random.NormFloat64())
			t.inputs[model.InputNumeric] = append(t.inputs[model.InputNumeric], a, b, a, b)
		}
		return t
	}
	config := model.Denoiser{Features: 4, Width: 32, Layers: 2, Steps: 50}
	g, err := model.Build(config)
	if err != nil {
		t.Fatal(err)
	}
	train, validation := rows(800), rows(200)
	first, last := moonSchedule, moonSchedule
	first.epochs, last.epochs, last.patience = 1, 15, 15
	var losses []float64
	for _, s := range []schedule{first, last} {
		s.dropout = 0
		f, err := fit(t.Context(), g, newDenoising(g, config, train, validation, 5), s)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, f.validationLoss)
	}
	if losses[1] > 0.15 || losses[1] > losses[0]/2 {
		t.Errorf("the error goes from %g to %g, want at most 0.15", losses[0], losses[1])
	}
}
