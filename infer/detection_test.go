package infer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/features"
)

// scripted is a detector whose scores are given.
type scripted struct {
	scores []float32
	found  []Part
}

func (s *scripted) run([]features.Example) error  { return nil }
func (s *scripted) score(i int) float32           { return s.scores[i] }
func (s *scripted) parts(i int, to []Part) []Part { return append(to, s.found...) }
func scriptedDetection(detectors ...detector) *detection {
	d := &detection{}
	for _, each := range detectors {
		d.take(each)
	}
	return d
}

// rankedIn gives the detectors calibration scores, ascending.
func (d *detection) rankedIn(scores ...[]float32) *detection {
	for _, s := range scores {
		d.ranks = append(d.ranks, ranking{1 / float64(len(scores)), s, 0.5})
	}
	d.blending = blending{families: []relatives{oneOf(1, 0, 1)}}
	return d
}

// One detector counts as it is; of several, the rank of each.
func TestDetectorsAreBlendedByRank(t *testing.T) {
	first, second := &scripted{scores: []float32{3, 1, 9}}, &scripted{scores: []float32{100, 700, 50}}
	examples := make([]features.Example, 3)
	alone := scriptedDetection(first)
	if err := alone.run(examples, nil); err != nil || !slices.Equal(alone.scores, first.scores) {
		t.Fatalf("one detector: %v and %v, want its scores", alone.scores, err)
	}
	both := scriptedDetection(first, second).rankedIn([]float32{1, 2, 4}, []float32{100, 200, 300})
	if err := both.run(examples, nil); err != nil {
		t.Fatal(err)
	}
	// Shares of 4: 2.5/4, for 3 is half-way from 2 to 4, and 4/4; 4/4 and 2/4, beyond by 700/300; 2/4, beyond by 9/4, and 4/4.
	want := []float64{math.Log(4/2.5) / 2, (math.Log(2) + math.Log(7./3)/0.5) / 2, (math.Log(2) + math.Log(9./4)/0.5) / 2}
	for i := range want {
		if math.Abs(float64(both.score(i))-want[i]) > 1e-6 {
			t.Errorf("example %d: %v, want %v", i, both.score(i), want[i])
		}
	}
}

// oneOf is a family of some detectors.
func oneOf(weight float64, members ...int) relatives {
	return relatives{weight: weight, members: members}
}

// Detectors of one family share a say; what one family alone sees counts whole,
// and the others for a part. Weights count like likelier evidence.
func TestFamiliesAreBlendedByTheLargest(t *testing.T) {
	worths := []float64{1, 3, 5, math.NaN()}
	worth := func(k int) float64 { return worths[k] }
	for _, test := range []struct {
		families []relatives
		want     float64
	}{
		{[]relatives{oneOf(1, 0, 1)}, 4},
		{[]relatives{oneOf(1, 0, 1), oneOf(1, 2)}, 5.6},
		{[]relatives{oneOf(1, 2), oneOf(1, 0, 1)}, 5.6},
		{[]relatives{oneOf(1, 0), oneOf(1, 1)}, 3.15},
		{[]relatives{oneOf(math.Exp(3), 0), oneOf(1, 1)}, 4.45},
	} {
		if got := (&blending{0.15, test.families}).score(worth); math.Abs(float64(got)-test.want) > 1e-6 {
			t.Errorf("%v: %v, want %v", test.families, got, test.want)
		}
	}
	if got := (&blending{0.15, []relatives{oneOf(1, 0, 3), oneOf(1, 2)}}).score(worth); !notFinite(got) {
		t.Errorf("a worth that is no number: %v, want none", got)
	}
}

// A bundle's p-values are of the blend that it was calibrated with: all kinds
// counted alike before they had weights.
func TestBundlesKeepTheirBlend(t *testing.T) {
	all := []evidence{&tailing{}, &neighbouring{}, &habitual{}}
	worth := func(int) float64 { return 1 }
	for _, test := range []struct {
		with map[string]float32
		want float64
	}{
		{nil, 2 + 0.3*1},
		{map[string]float32{"habits": 4, "table": 2, others: 0.5}, 2 + math.Log(2) + 0.5*(1+math.Log(4))},
	} {
		b := newBlending(all, test.with)
		if got := b.score(worth); len(b.families) != 2 || math.Abs(float64(got)-test.want) > 1e-6 {
			t.Errorf("%v: %v of %d families, want %v of 2", test.with, got, len(b.families), test.want)
		}
	}
}

func TestPartsOfDetectorsAreJoined(t *testing.T) {
	first := &scripted{[]float32{3}, []Part{{Group: "timing", Event: -1, Column: 4, Seen: 1, Size: 0.5, Sign: -1}, {Group: "age", Event: -1, Column: 0, Seen: 2, Size: 0.5, Sign: 1}}}
	second := &scripted{[]float32{3}, []Part{{Group: "timing", Event: -1, Column: 5, Seen: 3, Size: 0.5, Sign: 1}, {Group: "timing", Event: 2, Size: 0.5}}}
	d := scriptedDetection(first, second).rankedIn([]float32{1, 2, 4}, []float32{1, 2, 4})
	want := []Part{
		{Group: "timing", Event: -1, Column: 4, Seen: 1, Size: 0.5, Sign: -1}, // of equals the first
		{Group: "age", Event: -1, Column: 0, Seen: 2, Size: 0.25, Sign: 1},
		{Group: "timing", Event: 2, Size: 0.25},
	}
	if got := d.parts(0); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Full conformal p-values by their definition: every example, the fresh one
// among them, is ranked among all others, and those as strange are counted.
// Calibrate may only be more cautious.
func TestCalibrationIsValid(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	const n = 40
	for range 300 {
		all := make([][]float32, 3)
		for k := range all {
			for range n + 1 {
				all[k] = append(all[k], 1+float32(random.IntN(30))) // with ties
			}
		}
		raw, ranks := make([][]float32, len(all)), rankings(all, n)
		blend := 0.0
		for k, r := range ranks {
			raw[k] = all[k][:n]
			blend += r.weight * r.worth(all[k][n])
		}
		var calibration []float32
		for i := range n {
			calibration = append(calibration, blendMember(&blending{families: []relatives{oneOf(1, 0, 1, 2)}}, ranks, raw, i))
		}
		slices.Sort(calibration)
		got, want := PValue(calibration, float32(blend)), fullConformal(all)
		if got < want-1e-12 {
			t.Fatalf("p-value %v, less than the full conformal %v", got, want)
		}
		if got > want+0.15 {
			t.Fatalf("p-value %v, far more than the full conformal %v", got, want)
		}
	}
}

// rankings are those of the first n scores of each detector.
func rankings(all [][]float32, n int) (ranks []ranking) {
	for _, scores := range all {
		ranks = append(ranks, ranking{1 / float64(len(all)), slices.Sorted(slices.Values(scores[:n])), 0.5})
	}
	return ranks
}

// fullConformal is the p-value of the last of all examples.
func fullConformal(all [][]float32) float64 {
	n := len(all[0])
	blends := make([]float32, n)
	for i := range blends {
		for _, scores := range all {
			others := slices.Delete(slices.Clone(scores), i, i+1)
			slices.Sort(others)
			r := ranking{1 / float64(len(all)), others, 0.5}
			blends[i] += float32(r.weight * r.worth(scores[i]))
		}
	}
	above := 0
	for _, b := range blends {
		if b >= blends[n-1]-1e-6 {
			above++
		}
	}
	return float64(above) / float64(n)
}
