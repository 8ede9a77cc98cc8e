package infer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moments/features"
)

// explanationOf has events of the given types with one impact each on the first
// target and its negative on the second.
func explanationOf(customer string, types []string, impacts []float64) *Explanation {
	e := &Explanation{Customer: customer, Targets: []string{"conversion", "churn"}, Start: []float32{0.25, 0.5}}
	p := float32(0.25)
	for i, kind := range types {
		p += 0.125
		channel := features.Text([]string{"web", "shop"}[i%2])
		e.Events = append(e.Events, EventMoment{
			Type: kind, Values: []features.Value{features.Number(1), channel}, After: []float32{p, 0.5}, Impact: []float64{impacts[i], -impacts[i]},
		})
	}
	e.Final = []float32{p, 0.25}
	return e
}

func newTouchpoints(t *testing.T, o TouchpointOptions) *Touchpoints {
	t.Helper()
	b, _ := testBundle(t, 60)
	points, err := newScorer(t, b, ScorerOptions{}).NewTouchpoints(o)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func add(t *testing.T, to *Touchpoints, explanations ...*Explanation) {
	t.Helper()
	for _, e := range explanations {
		if err := to.Add(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTouchpoints(t *testing.T) {
	points := newTouchpoints(t, TouchpointOptions{Channel: "channel"})
	add(t, points,
		explanationOf("a", []string{"visit", "call", "visit", "visit"}, []float64{0.25, -0.5, 0.5, 0.75}),
		explanationOf("b", []string{"call"}, []float64{0}),
		explanationOf("c", nil, nil),
		explanationOf("d", []string{"visit", "call"}, []float64{math.NaN(), 1}),
	)
	r := points.Report()
	all := func(mean, size, positive, negative float64) []Estimate {
		return []Estimate{{mean, size, positive, -1, 1}, {-mean, size, negative, -1, 1}}
	}
	third := 1.0 / 3
	want := &TouchpointReport{
		Targets: []string{"conversion", "churn"}, Journeys: 4, Final: []float64{(0.75 + 0.375 + 0.25 + 0.5) / 4, 0.25},
		Types:    []Touchpoint{{"call", 3, 3, all(0.5/3, 0.5, third, third)}, {"visit", 1, 3, all(0.5, 0.5, 1, 0)}},
		Channels: []Touchpoint{{"shop", 2, 3, all(1.25/3, 2.25/3, 2*third, third)}, {"web", 2, 3, all(0.25, 0.25, 2*third, 0)}},
		Stages:   []Touchpoint{{"first", 2, 2, all(0.125, 0.125, 0.5, 0)}, {"early", 1, 1, all(-0.5, 0.5, 0, 1)}, {"middle", 2, 2, all(0.75, 0.75, 1, 0)}, {"late", 1, 1, all(0.75, 0.75, 1, 0)}},
	}
	flows := r.Flows
	r.Flows = nil
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got\n%+v\nwant\n%+v", r, want)
	}
	mean := 1.875 / 4
	wantFlows := []Flow{
		{"(start)", "visit", 2, 2 * third, []float64{0.125, 0}, []float64{0.625 / mean, 1}},
		{"call", "(end)", 2, 2 * third, []float64{0, -0.25}, []float64{0.4375 / mean, 1}},
		{"visit", "call", 2, 0.5, []float64{0.125, 0}, []float64{0.625 / mean, 1}},
		{"(start)", "call", 1, third, []float64{0.125, 0}, []float64{0.375 / mean, 1}},
		{"call", "visit", 1, third, []float64{0.125, 0}, []float64{0.75 / mean, 1}},
		{"visit", "(end)", 1, 0.25, []float64{0, -0.25}, []float64{0.75 / mean, 1}},
		{"visit", "visit", 1, 0.25, []float64{0.125, 0}, []float64{0.75 / mean, 1}},
	}
	if !reflect.DeepEqual(flows, wantFlows) {
		t.Errorf("flows are\n%+v\nwant\n%+v", flows, wantFlows)
	}
}

// Intervals are as wide as the spread between customers says, not that between
// events, and hold the true mean about as often as they claim.
func TestTouchpointIntervals(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	const customers, truth, deviation = 100, 0.04, 0.1
	held, width := 0, 0.0
	for seed := range 100 {
		points := emptyTouchpoints(seed)
		for c := range customers {
			impact := truth + deviation*random.NormFloat64()
			add(t, points, explanationOf(fmt.Sprint(c), []string{"visit", "visit", "visit"}, []float64{impact, impact, impact}))
		}
		e := points.Report().Types[0].Impact[0]
		if e.Low <= truth && truth <= e.High {
			held++
		}
		width += (e.High - e.Low) / 100
	}
	if want := 2 * 1.96 * deviation / math.Sqrt(customers); math.Abs(width-want) > want/10 {
		t.Errorf("intervals are %.4f wide, want about %.4f", width, want)
	}
	if held < 88 || held == 100 {
		t.Errorf("%d of 100 intervals hold the mean, want about 95", held)
	}
}

func emptyTouchpoints(seed int) *Touchpoints {
	return &Touchpoints{
		targets: []string{"conversion", "churn"}, channel: -1, seed: uint64(seed), resamples: defaultBootstrap, final: make([]float64, 2),
		types: tallies{}, stages: tallies{}, flows: map[[2]string]*flowTally{},
	}
}

// The same base gives the same report; the order of customers only rounds
// differently.
func TestTouchpointsRepeat(t *testing.T) {
	b, journeys := journeyBundle(t, 60)
	s := newScorer(t, b, ScorerOptions{})
	var explanations []*Explanation
	for i := range journeys {
		e, err := s.Explain(&journeys[i], end(&journeys[i]), ExplainOptions{})
		if err != nil {
			t.Fatal(err)
		}
		explanations = append(explanations, e)
	}
	report := func() *TouchpointReport {
		points, err := s.NewTouchpoints(TouchpointOptions{Channel: "channel", Seed: 4})
		if err != nil {
			t.Fatal(err)
		}
		add(t, points, explanations...)
		return points.Report()
	}
	first, again := report(), report()
	if !reflect.DeepEqual(first, again) {
		t.Error("two reports of the same explanations differ")
	}
	slices.Reverse(explanations)
	for i, p := range report().Types {
		for k, e := range p.Impact {
			want := first.Types[i].Impact[k]
			if p.Name != first.Types[i].Name || math.Abs(e.Mean-want.Mean) > 1e-12 || math.Abs(e.Low-want.Low) > 1e-12 || math.Abs(e.High-want.High) > 1e-12 {
				t.Errorf("backwards, %s has %+v, want %s with %+v", p.Name, e, first.Types[i].Name, want)
			}
			if !(e.Low <= e.Mean && e.Mean <= e.High) || e.High-e.Low >= 2 {
				t.Errorf("%s: interval %v to %v around %v", p.Name, e.Low, e.High, e.Mean)
			}
		}
	}
}

func TestTouchpointsAreBounded(t *testing.T) {
	points := emptyTouchpoints(1)
	points.resamples = 1
	for i := range 3000 {
		add(t, points, explanationOf("a", []string{fmt.Sprint(i), fmt.Sprint(7 * i), fmt.Sprint(11 * i), "x", fmt.Sprint(3 * i), "y", fmt.Sprint(-i), "z", fmt.Sprint(13 * i)}, make([]float64, 9)))
	}
	r, events, flows := points.Report(), 0, 0
	for _, p := range r.Types {
		events += p.Events
	}
	for _, f := range r.Flows {
		flows += f.Count
	}
	if len(r.Types) != mostTouchpoints+1 || events != 27_000 {
		t.Errorf("%d types with %d events, want %d and the rest together, with 27000", len(r.Types), events, mostTouchpoints)
	}
	if len(r.Flows) > mostFlows+1 || flows != 30_000 {
		t.Errorf("%d flows taken %d times, want at most %d and the rest, 30000 times", len(r.Flows), flows, mostFlows)
	}
}

func TestTouchpointsRefuse(t *testing.T) {
	b, _ := testBundle(t, 60)
	s := newScorer(t, b, ScorerOptions{})
	for _, o := range []TouchpointOptions{{Channel: "amount"}, {Channel: "nothing"}, {Bootstrap: -1}} {
		if _, err := s.NewTouchpoints(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	if err := emptyTouchpoints(1).Add(&Explanation{Targets: []string{"profit"}}); err == nil || !strings.Contains(err.Error(), `targets ["profit"]`) {
		t.Errorf("other targets: got error %v", err)
	}
	if r := emptyTouchpoints(1).Report(); r.Journeys != 0 || len(r.Types)+len(r.Flows)+len(r.Stages) != 0 {
		t.Errorf("report of nothing: %+v", r)
	}
}

func ExampleTouchpoints() {
	// Explanations come from Scorer.Explain or Scorer.ExplainEach; these are made up.
	points := emptyTouchpoints(1)
	for i := range 40 {
		call := 0.02 + 0.001*float64(i%5)
		if err := points.Add(explanationOf(fmt.Sprint("customer ", i), []string{"visit", "call"}, []float64{-0.01, call})); err != nil {
			fmt.Println(err)
		}
	}
	for _, p := range points.Report().Types {
		e := p.Impact[0]
		fmt.Printf("%s: %+.1f points on conversion, %+.1f to %+.1f, in %d journeys\n", p.Name, 100*e.Mean, 100*e.Low, 100*e.High, p.Journeys)
	}
	// Output:
	// call: +2.2 points on conversion, +2.2 to +2.2, in 40 journeys
	// visit: -1.0 points on conversion, -1.0 to -1.0, in 40 journeys
}
