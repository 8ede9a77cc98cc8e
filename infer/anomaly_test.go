package infer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// The anomaly score by its definition, in float64 and with the reference
// interpreter: the sum over the steps of mean |x - x0hat(signal·x + noise·e, t)|.
func TestAnomalyScoreMatchesTheReference(t *testing.T) {
	b, journeys := testBundle(t, 200)
	b = withoutHabits(b)
	examples := encodeAll(b.Schema, journeys)[:10]
	calibrate(t, b, nil, examples) // without neighbours
	got, err := newScorer(t, b, ScorerOptions{}).AnomalyScores(examples)
	if err != nil {
		t.Fatal(err)
	}
	n := &b.Networks[2]
	g, err := n.Graph()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := n.Saved.Load()
	if err != nil {
		t.Fatal(err)
	}
	d := loaded.(*model.Denoiser)
	signal, noise := d.Schedule()
	for i := range examples {
		x := make([]float32, d.Features)
		b.Schema.Standardize(&examples[i], x)
		want := 0.0
		for _, step := range d.StepsScored() {
			noisy, time := make([]float32, d.Features), model.TimeEmbedding(step)
			for c := range x {
				noisy[c] = signal[step]*x[c] + noise[step]*gaussian(b.NoiseSeed, step, c)
			}
			values := reference(g, n.Values(), map[string][]float32{model.InputNumeric: noisy, model.InputTime: time[:]}, 1)
			for c, x0 := range values[g.Outputs[model.OutputReconstruction].ID] {
				want += math.Abs(float64(x[c])-x0) / float64(d.Features)
			}
		}
		if math.Abs(float64(got[i])-want) > 1e-4*want {
			t.Errorf("customer %d: score %v, want %v", i, got[i], want)
		}
	}
}

func TestStepsScored(t *testing.T) {
	for _, test := range []struct {
		steps, scored int
		want          []int
	}{
		{4, 0, []int{0, 1, 2, 3}}, {4, 9, []int{0, 1, 2, 3}}, {50, 5, []int{5, 15, 25, 35, 45}}, {50, 1, []int{25}}, {3, 2, []int{0, 2}},
	} {
		if got := (model.Denoiser{Steps: test.steps, ScoreSteps: test.scored}).StepsScored(); !slices.Equal(got, test.want) {
			t.Errorf("%d of %d steps: got %v, want %v", test.scored, test.steps, got, test.want)
		}
	}
}

// half gives the bundle a denoiser that returns half of its input, so that
// residuals have known signs.
func half(t *testing.T, b *weights.Bundle) *weights.Bundle {
	t.Helper()
	width := b.Schema.StandardWidth()
	n := network(t, rand.New(rand.NewPCG(1, 1)), "half", weights.Denoiser, 0, &model.Denoiser{Features: width, Width: 2 * width, Layers: 1, Steps: 1})
	for name := range n.Params {
		clear(n.Params[name].Data)
	}
	// LeakyReLU(x) - LeakyReLU(-x) = (1 + slope)·x
	for c := range width {
		n.Params["trunk/0/weight"].Data[c*2*width+c] = 1
		n.Params["trunk/0/weight"].Data[c*2*width+width+c] = -1
		n.Params["head/weight"].Data[c*width+c] = 0.5 / (1 + model.LeakySlope)
		n.Params["head/weight"].Data[(width+c)*width+c] = -0.5 / (1 + model.LeakySlope)
	}
	c := *withoutHabits(b)
	c.Networks = append(slices.Clone(b.Networks[:2]), n)
	return &c
}

// withoutHabits leaves the denoiser alone.
func withoutHabits(b *weights.Bundle) *weights.Bundle {
	c, schema := *b, *b.Schema
	schema.Habits, c.Schema = nil, &schema
	return &c
}

// One extreme column decides the direction and is named first, with its sign.
func TestDirectionAndCauseOfAnAnomaly(t *testing.T) {
	b, journeys := testBundle(t, 300)
	calibrate(t, b, nil, encodeAll(b.Schema, journeys))
	aged := half(t, b)
	if err := aged.SetAlerts(weights.Alerts{Senses: map[string]weights.Sense{"age": weights.Good}}); err != nil {
		t.Fatal(err)
	}
	s := newScorer(t, aged, ScorerOptions{Reasons: 1})
	columns, examples := b.Schema.Columns(), encodeAll(b.Schema, journeys)
	at := slices.IndexFunc(columns, func(c features.Column) bool { return c.Name == "age" })
	if at < 0 {
		t.Fatalf("no column age in %v", columns)
	}
	ordinary := slices.IndexFunc(examples, func(ex features.Example) bool { return ex.Numeric[at] > 40 && ex.Numeric[at] < 50 })
	for _, test := range []struct {
		age  float32
		want Direction
	}{{1e6, Positive}, {-1e6, Negative}} {
		strange := examples[ordinary]
		strange.Numeric = slices.Clone(b.Reference.Typical.Numeric)
		for c, x := range strange.Numeric {
			if x != x {
				strange.Numeric[c] = 0
			}
		}
		strange.Numeric[at] = test.age
		scores, err := s.ScoreExamples([]features.Example{examples[ordinary], strange})
		if err != nil {
			t.Fatal(err)
		}
		got := scores[1]
		cause := got.Reasons[len(got.Reasons)-1]
		if got.Direction != test.want || cause.Target != AnomalyTarget || cause.Group != "age" || (cause.Impact > 0) != (test.want == Positive) {
			t.Errorf("age %v: direction %s because of %+v, want %s because of age", test.age, got.Direction, cause, test.want)
		}
	}
}

func TestPValue(t *testing.T) {
	calibration := []float32{1, 2, 2, 3}
	for _, test := range []struct {
		calibration []float32
		score       float32
		want        float64
	}{
		{calibration, 0, 1}, {calibration, 1, 1}, {calibration, 1.5, 0.8}, {calibration, 2, 0.8},
		{calibration, 2.5, 0.4}, {calibration, 3, 0.4}, {calibration, 9, 0.2}, {nil, 9, 1},
	} {
		if got := PValue(test.calibration, test.score); got != test.want {
			t.Errorf("p-value of %v among %v is %v, want %v", test.score, test.calibration, got, test.want)
		}
	}
}

// Among exchangeable journeys, p-values are uniform: each alert rate flags that
// share of journeys the scorer has not seen.
func TestPValuesAreUniform(t *testing.T) {
	b, journeys := testBundle(t, 300)
	random := rand.New(rand.NewPCG(21, 21))
	fresh := *b
	calibrate(t, &fresh, encodeAll(b.Schema, journeys), encodeAll(b.Schema, randomJourneys(random, 3000)))
	scores, err := newScorer(t, &fresh, ScorerOptions{}).ScoreExamples(encodeAll(b.Schema, randomJourneys(random, 3000)))
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range []float64{0.01, 0.05, 0.2, 0.5, 0.9} {
		flagged := 0
		for _, s := range scores {
			if s.Anomaly <= rate {
				flagged++
			}
		}
		// Four deviations of the two binomial shares of 3000.
		got, limit := float64(flagged)/3000, 4*math.Sqrt(2*rate*(1-rate)/3000)
		if math.Abs(got-rate) > limit {
			t.Errorf("p <= %v for %v of the journeys, want within %.3f", rate, got, limit)
		}
	}
}

func TestNoiseIsStandardNormalAndRepeats(t *testing.T) {
	const n = 20000
	sum, squares, lagged, before := 0.0, 0.0, 0.0, 0.0
	for i := range n {
		e := float64(gaussian(3, i%50, i/50))
		sum, squares, lagged = sum+e, squares+e*e, lagged+e*before
		before = e
	}
	for name, got := range map[string]float64{"mean": sum / n, "variance - 1": squares/n - 1, "autocorrelation": lagged / n} {
		if math.Abs(got) > 0.04 {
			t.Errorf("%s of the noise is %v, want 0", name, got)
		}
	}
	// Bundles carry the seed alone: another generator would change their scores.
	got := []float32{gaussian(0, 0, 0), gaussian(7, 3, 2), gaussian(7, 2, 3), gaussian(math.MaxUint64, 49, 1000)}
	for i, want := range []float32{-0.4358428, -0.854757, -2.0443544, 0.89200515} {
		if math.Abs(float64(got[i]-want)) > 1e-6 {
			t.Errorf("noise %d is %v, want %v", i, got[i], want)
		}
	}
}

func ExamplePValue() {
	calibration := []float32{0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6}
	fmt.Println(PValue(calibration, 1.55), PValue(calibration, 4))
	// Output: 0.2 0.1
}
