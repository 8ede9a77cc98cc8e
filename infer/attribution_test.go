package infer

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moments/features"
)

// explained is a journey of random events beside the scorer of a blend.
func explained(t *testing.T, events int, o ExplainOptions) (*Scorer, *features.Journey, *Explanation) {
	t.Helper()
	b, journeys := journeyBundle(t, 150)
	s := newScorer(t, b, ScorerOptions{})
	j := &journeys[slices.IndexFunc(journeys, func(j features.Journey) bool { return len(j.Events) == events })]
	e, err := s.Explain(j, end(j), o)
	if err != nil {
		t.Fatal(err)
	}
	return s, j, e
}

// With a pair of orders and two events, what is sampled is all there is.
func TestShapleyOfTwoEvents(t *testing.T) {
	s, j, e := explained(t, 9, ExplainOptions{Last: 2, Shapley: 2})
	n := len(j.Events)
	both := probabilitiesAt(t, s, j, j.Events, 1.8e15)
	first, second := probabilitiesAt(t, s, j, j.Events[:n-1], 1.8e15), probabilitiesAt(t, s, j, withoutEvent(j.Events, n-2), 1.8e15)
	none := probabilitiesAt(t, s, j, j.Events[:n-2], 1.8e15)
	for k := range both {
		want := [2]float64{
			(float64(first[k]-none[k]) + float64(both[k]-second[k])) / 2,
			(float64(second[k]-none[k]) + float64(both[k]-first[k])) / 2,
		}
		for i, w := range want {
			if got := e.Events[n-2+i].Shapley[k]; math.Abs(got-w) > 1e-7 {
				t.Errorf("event %d, target %d: Shapley value %v, want %v", n-2+i, k, got, w)
			}
		}
	}
	if e.Events[0].Shapley != nil {
		t.Error("an event that was not among the last has a Shapley value")
	}
}

func TestShapleyAddsUp(t *testing.T) {
	s, j, e := explained(t, 12, ExplainOptions{Shapley: 5})
	none := probabilitiesAt(t, s, j, nil, 1.8e15)
	for k := range none {
		sum := 0.0
		for i := range e.Events {
			sum += e.Events[i].Shapley[k]
		}
		if want := float64(e.Final[k]) - float64(none[k]); math.Abs(sum-want) > 1e-6 {
			t.Errorf("target %d: Shapley values add up to %v, want %v", k, sum, want)
		}
	}
	again, err := s.Explain(j, end(j), ExplainOptions{Shapley: 5})
	if err != nil || !reflect.DeepEqual(e.Events, again.Events) {
		t.Errorf("explained again, other values, error %v", err)
	}
	one := &features.Journey{Events: j.Events[:1]}
	if e, err = s.Explain(one, end(one), ExplainOptions{Shapley: 3, Gradients: 4}); err != nil || math.Abs(e.Events[0].Shapley[0]-e.Events[0].Impact[0]) > 1e-9 {
		t.Errorf("one event: got %+v and error %v, want the impact as its Shapley value", e, err)
	}
}

// Integrated gradients add up to what opening all gates does.
func TestGradientsAddUp(t *testing.T) {
	for _, last := range []int{0, 5} {
		s, j, e := explained(t, 12, ExplainOptions{Last: last, Gradients: 40})
		closed, open := gatedScore(t, s, j, 12-min(12, cmp.Or(last, 12)), 0), gatedScore(t, s, j, 0, 1)
		for k := range open {
			if math.Abs(float64(open[k]-e.Final[k])) > 1e-6 {
				t.Errorf("target %d with all gates open: %v, want %v", k, open[k], e.Final[k])
			}
			sum, size := 0.0, 0.0
			for i := range e.Events {
				if e.Events[i].Gradient != nil {
					sum += e.Events[i].Gradient[k]
					size += math.Abs(e.Events[i].Gradient[k])
				}
			}
			if want := float64(open[k]) - float64(closed[k]); math.Abs(sum-want) > 0.05*size+1e-5 || size == 0 {
				t.Errorf("last %d, target %d: gradients add up to %v of %v in size, want %v", last, k, sum, size, want)
			}
		}
	}
}

// gatedScore is the blend's probability with the gates of the events from first
// on all at one height.
func gatedScore(t *testing.T, s *Scorer, j *features.Journey, first int, gate float32) []float32 {
	t.Helper()
	var scores []float32
	err := s.newWorker().explainWith(j, end(j), ExplainOptions{}, func(x *explainer) error {
		x.options.Course = len(j.Events) - first
		if err := x.walkCourse(); err != nil {
			return err
		}
		states := make([]float32, (1+len(j.Events)-first)*x.follow.width)
		if err := x.follow.gate(x.tokens, first, x.stateBefore(first), gate, states); err != nil {
			return err
		}
		var ex features.Example
		x.encoder.Encode(1.8e15, &ex)
		p, err := x.headsOf(&ex, states)
		scores = slices.Clone(p[:x.blend.targets])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

func TestDeletionAndInsertion(t *testing.T) {
	s, j, e := explained(t, 10, ExplainOptions{})
	for name, order := range map[string][]int{
		"by impact": e.Order(ByImpact, 1), "last first": {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, "some": {7, 3, 8}, "none": nil,
	} {
		deletion, err := s.Deletion(j, end(j), order)
		if err != nil {
			t.Fatal(err)
		}
		insertion, err := s.Insertion(j, end(j), order)
		if err != nil {
			t.Fatal(err)
		}
		if len(deletion) != len(order)+1 || len(insertion) != len(order)+1 {
			t.Fatalf("%s: curves of %d and %d points, want %d", name, len(deletion), len(insertion), len(order)+1)
		}
		for k := range deletion {
			with := func(gone []int) []float32 {
				var events []features.Event
				for i, ev := range j.Events {
					if !slices.Contains(gone, i) {
						events = append(events, ev)
					}
				}
				if len(events) > 0 && slices.Contains(gone, 0) {
					return probabilitiesFrom(t, s, j, &j.Events[0], events, 1.8e15)
				}
				return probabilitiesAt(t, s, j, events, 1.8e15)
			}
			if want := with(order[:k]); !slices.Equal(deletion[k], want) {
				t.Errorf("%s without %d events: %v, want %v", name, k, deletion[k], want)
			}
			if want := with(order[k:]); !slices.Equal(insertion[k], want) {
				t.Errorf("%s with %d events: %v, want %v", name, k, insertion[k], want)
			}
		}
	}
	for _, order := range [][]int{{10}, {-1}, {3, 3}} {
		if _, err := s.Deletion(j, end(j), order); err == nil || !strings.Contains(err.Error(), "want each of 0 to 9 at most once") {
			t.Errorf("order %v: got error %v", order, err)
		}
	}
}

// What an event says alone is what it does to the journey without the others.
func TestAlone(t *testing.T) {
	for _, last := range []int{3, 100} {
		s, j, e := explained(t, 9, ExplainOptions{Last: last, Alone: true})
		kept := len(j.Events) - min(last, len(j.Events))
		none := probabilitiesAt(t, s, j, j.Events[:kept], 1.8e15)
		for i := range j.Events {
			if i < kept {
				if e.Events[i].Alone != nil {
					t.Errorf("event %d was not among the last %d and has an effect alone", i, last)
				}
				continue
			}
			events := append(slices.Clone(j.Events[:kept]), j.Events[i])
			with := probabilitiesAt(t, s, j, events, 1.8e15)
			if kept == 0 && i > 0 {
				with = probabilitiesFrom(t, s, j, &j.Events[0], events, 1.8e15)
			}
			for k := range with {
				if want := float64(with[k]) - float64(none[k]); e.Events[i].Alone[k] != want {
					t.Errorf("last %d, event %d, target %d: alone %v, want %v", last, i, k, e.Events[i].Alone[k], want)
				}
			}
		}
	}
	_, _, e := explained(t, 9, ExplainOptions{})
	if e.Events[3].Alone != nil || e.Order(ByBoth, 0) != nil {
		t.Error("effects alone that nobody asked for")
	}
}

func TestOrder(t *testing.T) {
	e := &Explanation{Events: []EventMoment{
		{Impact: []float64{0, math.NaN()}, Shapley: []float64{1, 1}}, {Impact: []float64{0, -1}, Alone: []float64{0, 4}}, {Impact: []float64{0, 2}, Shapley: []float64{1, 3}}, {Impact: []float64{0, 0}, Alone: []float64{0, 5}},
	}}
	for by, want := range map[Attribution][]int{ByImpact: {2, 3, 1}, ByShapley: {2, 0}, ByGradient: nil, ByBoth: {3, 1}} {
		if got := e.Order(by, 1); !slices.Equal(got, want) {
			t.Errorf("order %d is %v, want %v", by, got, want)
		}
	}
}
