package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/features"
	"moments/infer/internal/testbundle"
	"moments/weights"
)

// trained are the journeys that schemas here are fitted on.
var trained = testbundle.Journeys(1, 3000)

func fitted(t *testing.T) (*features.Schema, weights.Typical) {
	t.Helper()
	schema, examples := testbundle.Fit(t, trained)
	return schema, weights.NewTypical(examples)
}

// feed counts the journeys of training, each changed first.
func feed(tr *tracker, change func(j *features.Journey)) {
	for i := range trained {
		j := trained[i].Clone(len(trained[i].Events))
		if change != nil {
			change(&j)
		}
		tr.add(&j, testbundle.Cutoff(&j))
	}
}

// What was trained on has not drifted, and a change shows in its own columns.
func TestDrift(t *testing.T) {
	schema, typical := fitted(t)
	same := newTracker(schema, typical)
	feed(same, nil)
	for _, d := range same.report() {
		if d.PSI > 0.02 {
			t.Errorf("training examples: %s has drifted by %v", d.Column, d.PSI)
		}
	}
	for name, test := range map[string]struct {
		group  string
		change func(j *features.Journey)
	}{
		"a number":   {"age", func(j *features.Journey) { j.Profile[0].Number += 15 }},
		"gaps":       {"age", func(j *features.Journey) { j.Profile[0] = features.Missing() }},
		"a level":    {"plan", func(j *features.Journey) { j.Profile[2] = features.Text("gold") }},
		"attributes": {"attribute:amount", func(j *features.Journey) { scale(j, 20) }},
	} {
		tr := newTracker(schema, typical)
		feed(tr, test.change)
		all := tr.report()
		if all[0].Group != test.group || all[0].PSI < 0.25 {
			t.Errorf("%s: the farthest is %+v, want %s beyond 0.25", name, all[0], test.group)
		}
		for _, d := range all {
			if d.Group != test.group && d.PSI > 0.02 {
				t.Errorf("%s: %s has drifted too, by %v", name, d.Column, d.PSI)
			}
		}
	}
}

func scale(j *features.Journey, by float64) {
	for i := range j.Events {
		j.Events[i].Values[0].Number *= by
	}
}

// A column of whose gaps in training only the half is known to be the most.
func TestDriftOfUnknownGaps(t *testing.T) {
	c := driftColumn{expected: []float64{0.5, 0.5}}
	known := c
	known.atMostHalf = true
	for _, test := range []struct {
		counts       []int
		least, other float64
	}{
		{[]int{50, 50, 0}, 0, 0},
		{[]int{50, 50, 100}, 0, 0},
		{[]int{5, 5, 90}, 0.25, 0},
		{[]int{0, 0, 100}, 1, 0},
	} {
		if got, other := known.psi(test.counts), c.psi(test.counts); got < test.least || (test.least == 0) != (got == 0) || other != test.other {
			t.Errorf("%v: got %v and, where nothing is known, %v, want at least %v and %v", test.counts, got, other, test.least, test.other)
		}
	}
}

func TestDriftWaitsAndForgets(t *testing.T) {
	tr := newTracker(fitted(t))
	j := testbundle.Journeys(1, 1)[0]
	for range driftLeast - 1 {
		tr.add(&j, testbundle.Cutoff(&j))
	}
	if got := tr.report(); got != nil {
		t.Errorf("too early: got %v", got)
	}
	for range 2*driftWindow - driftLeast {
		tr.add(&j, testbundle.Cutoff(&j))
	}
	before := tr.report()
	if len(before) == 0 || before[0].PSI < 0.25 {
		t.Fatalf("one journey over and over: got %v", before)
	}
	for range 2*driftWindow/len(trained) + 1 {
		feed(tr, nil)
	}
	if after := tr.report(); after[0].PSI > 0.05 {
		t.Errorf("two windows later: got %+v", after[0])
	}
}

// Shares of bins are those of the values that the quantiles were taken of.
func TestNumericBins(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	draws := map[string]func() float64{
		"normal":  random.NormFloat64,
		"uniform": random.Float64,
		"counts":  func() float64 { return math.Floor(random.ExpFloat64() * 2) },
		"zeros":   func() float64 { return math.Max(0, random.NormFloat64()-1) },
		"binary":  func() float64 { return float64(random.IntN(2)) },
	}
	for name, draw := range draws {
		values := make([]float32, 4000)
		for i := range values {
			values[i] = float32(draw())
		}
		slices.Sort(values)
		scale := &features.NumericScale{}
		const quantiles = 200
		for rank := range quantiles {
			scale.Quantiles = append(scale.Quantiles, values[rank*(len(values)-1)/(quantiles-1)])
		}
		edges, shares := numericBins(scale)
		counts := make([]int, len(shares))
		c := driftColumn{edges: edges, expected: shares}
		for _, x := range values {
			counts[c.bin(&features.Example{Numeric: []float32{x}})]++
		}
		for bin, share := range shares {
			if got := float64(counts[bin]) / float64(len(values)); math.Abs(got-share) > 0.006 {
				t.Errorf("%s: bin %d of %v has a share of %v, want %v", name, bin, edges, got, share)
			}
		}
		if !slices.IsSorted(edges) || len(shares) != len(edges)+1 {
			t.Errorf("%s: edges %v, shares %v", name, edges, shares)
		}
	}
}

func TestPSI(t *testing.T) {
	for _, test := range []struct {
		expected []float64
		counts   []int
		want     float64
	}{
		{[]float64{0.5, 0.5}, []int{7, 7}, 0},
		{[]float64{0.5, 0.5}, []int{0, 0}, 0},
		{[]float64{0.5, 0.5}, []int{1, 3}, -0.25*math.Log(0.5) + 0.25*math.Log(1.5)},
		{[]float64{1, 0}, []int{0, 1}, 2 * (1 - driftFloor) * math.Log(1/driftFloor)},
	} {
		if got := psi(test.expected, test.counts); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%v against %v: got %v, want %v", test.counts, test.expected, got, test.want)
		}
	}
}
