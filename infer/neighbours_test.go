package infer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/features"
	"moments/weights"
)

// neighbourScore is the score by its definition, one saved row after the other
// and in float64.
func neighbourScore(saved weights.Neighbours, x []float32, skip int) float64 {
	width, rows := len(x), slices.Concat(saved.Rows.Data, saved.HeldOut.Data)
	var distances []float64
	for i := range len(rows) / width {
		sum := softening * softening * float64(width)
		for c, v := range rows[i*width:][:width] {
			sum += (float64(x[c]) - float64(v)) * (float64(x[c]) - float64(v))
		}
		if i != skip {
			distances = append(distances, math.Log(sum)/2)
		}
	}
	slices.Sort(distances)
	total, n := 0.0, min(nearest, len(distances))
	for _, d := range distances[:n] {
		total += d
	}
	return math.Exp(total / float64(n))
}

func TestNeighboursMatchTheReference(t *testing.T) {
	_, journeys := testBundle(t, 260)
	schema, examples := fitSchema(t, journeys[:240])
	fresh := encodeAll(schema, journeys[240:])
	table := newTableEvidence(schema)
	for _, s := range spaces {
		saved := table.newNeighbours(s, examples[:200], examples[200:])
		reader := newSpaceReader(schema, s)
		d := newNeighbouring(table, s, saved).newDetector().(*neighbours)
		check := func(of []features.Example, score func(int) float32, skip func(int) int) {
			t.Helper()
			if err := d.run(of); err != nil {
				t.Fatal(err)
			}
			x := make([]float32, table.width)
			for i := range of {
				reader.read(&of[i], x)
				want := neighbourScore(saved, x, skip(i))
				if got := float64(score(i)); math.Abs(got-want) > 1e-5*want {
					t.Errorf("%s, example %d: %v, want %v", s.name, i, got, want)
				}
			}
		}
		check(fresh, d.score, func(int) int { return -1 })
		check(examples[200:], d.scoreOfMember, func(i int) int { return 200 + i })
	}
}

// What a row's neighbours are does not depend on the rows searched for with it.
func TestNeighboursDoNotDependOnTheBatch(t *testing.T) {
	b, journeys := testBundle(t, 300)
	examples := encodeAll(b.Schema, journeys)
	s := newScorer(t, b, ScorerOptions{Workers: 1, Reasons: 3})
	together, err := s.ScoreExamples(examples)
	if err != nil {
		t.Fatal(err)
	}
	for i := range examples[:40] {
		alone, err := s.ScoreExamples(examples[i : i+1])
		if err != nil {
			t.Fatal(err)
		}
		if !sameScore(&alone[0], &together[i]) {
			t.Errorf("alone %+v, among others %+v", alone[0], together[i])
		}
	}
}

// However few rows there are, there is a score.
func TestFewNeighbours(t *testing.T) {
	_, journeys := testBundle(t, 40)
	schema, examples := fitSchema(t, journeys)
	table := newTableEvidence(schema)
	for n := 1; n <= 7; n++ {
		saved := table.newNeighbours(spaces[0], examples[:n], nil)
		d := newNeighbouring(table, spaces[0], saved).newDetector().(*neighbours)
		if err := d.run(examples); err != nil {
			t.Fatal(err)
		}
		for i := range examples {
			if x := d.score(i); notFinite(x) || x <= 0 {
				t.Errorf("%d rows: score %v, want a number above 0", n, x)
			}
		}
	}
}

// P-values stay valid where the held-out examples are neighbours too: of fresh
// examples, no more than the share asked for are flagged, and not far fewer.
func TestJoinedCalibrationKeepsTheAlertRate(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	flagged, total := map[float64]int{}, 0
	for range 12 {
		b, journeys := testBundle(t, 60)
		schema, examples := b.Schema, encodeAll(b.Schema, journeys)
		calibrate(t, b, examples, encodeAll(schema, randomJourneys(random, 99)))
		scores, err := newScorer(t, b, ScorerOptions{}).ScoreExamples(encodeAll(schema, randomJourneys(random, 200)))
		if err != nil {
			t.Fatal(err)
		}
		total += len(scores)
		for _, s := range scores {
			for _, rate := range []float64{0.05, 0.1, 0.3} {
				if s.Anomaly <= rate {
					flagged[rate]++
				}
			}
		}
	}
	for _, rate := range []float64{0.05, 0.1, 0.3} {
		// Shares vary with the 12 calibrations of 99 examples and with the 2400 examples.
		got, deviation := float64(flagged[rate])/float64(total), math.Sqrt(rate*(1-rate)*(1./1188+1./2400))
		if got > rate+4*deviation || got < rate-6*deviation {
			t.Errorf("p <= %v for %.4f of fresh examples, want within %.4f above and little below", rate, got, 4*deviation)
		}
	}
}

func TestTailsByTheirDefinition(t *testing.T) {
	column := []float32{1, 2, 2, 3, 4, 5, 6, 7, 8}
	for _, test := range []struct {
		x        float32
		p, signs float64
	}{{0, 2. / 10, -1}, {1, 4. / 10, -1}, {2, 8. / 10, -1}, {4, 1, 0}, {7.5, 4. / 10, 1}, {8, 4. / 10, 1}, {9, 2. / 10, 1}} {
		absolute, signed := surprise(column, test.x)
		want := -math.Log(test.p)
		if math.Abs(float64(absolute)-want) > 1e-6 || math.Abs(float64(signed)-test.signs*want) > 1e-6 {
			t.Errorf("%v: %v and %v, want %v and %v", test.x, absolute, signed, want, test.signs*want)
		}
	}
}

// What the detectors of the table cost a journey, beside as many rows as are
// kept.
func BenchmarkDetectors(b *testing.B) {
	bundle, journeys := testBundle(b, 300)
	random := rand.New(rand.NewPCG(5, 5))
	training := encodeAll(bundle.Schema, randomJourneys(random, mostRows))
	calibrate(b, bundle, training, encodeAll(bundle.Schema, journeys))
	examples := encodeAll(bundle.Schema, journeys[:256])
	s := newScorer(b, bundle, ScorerOptions{Workers: 1})
	for _, e := range s.evidence {
		b.Run(e.name(), func(b *testing.B) {
			d := e.newDetector()
			b.ReportAllocs()
			for b.Loop() {
				if err := d.run(examples); err != nil {
					b.Fatal(err)
				}
				for i := range examples {
					d.score(i)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(examples)), "µs/journey")
		})
	}
	b.Logf("%d columns", bundle.Schema.StandardWidth())
}
