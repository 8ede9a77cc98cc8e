package infer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"moments/model"
)

// recurrentNetwork reads events only, and picks one for each example.
type recurrentNetwork struct{ in, width int }

func (n recurrentNetwork) Forward(b model.Builder) model.Outputs {
	h := model.Recurrent(b.In("recurrent"), b.EventInput("events", n.in), n.width)
	last := model.SelectRow(b, h, b.Input("row", 1))
	return model.Outputs{"states": h, "last": model.Linear(b.In("head"), last, 3, model.Identity)}
}

// packRows returns the steps of journeys of falling lengths, and the row of
// each journey's last event.
func packRows(lengths []int) (steps []int, last []float32) {
	last = make([]float32, len(lengths))
	row := 0
	for t := range lengths[0] {
		journeys := 0
		for j, length := range lengths {
			if length > t {
				last[j] = float32(row + j)
				journeys++
			}
		}
		steps, row = append(steps, journeys), row+journeys
	}
	return steps, last
}

func TestRecurrentMatchesTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	for _, lengths := range [][]int{{1}, {5}, {7, 7, 7}, {9, 4, 4, 2, 1}, slices.Repeat([]int{3}, 150), append(slices.Repeat([]int{40}, 20), 2, 1)} {
		g := build(t, recurrentNetwork{5, 19})
		params := randomParams(g, random)
		steps, last := packRows(lengths)
		events := 0
		for _, n := range steps {
			events += n
		}
		inputs := map[string][]float32{"events": randomValues(random, events*5), "row": last}
		want := reference(g, params, inputs, len(lengths), steps...)
		s := compile(t, g, params).NewJourneySession(len(lengths), events+3)
		fill(s, inputs)
		if err := s.RunJourneys(len(lengths), steps); err != nil {
			t.Fatal(err)
		}
		for name, n := range g.Outputs {
			for i, w := range want[n.ID] {
				if got := float64(s.Output(name)[i]); !near(got, w, 2e-5) {
					t.Fatalf("lengths %v: %s[%d] is %v, want %v", lengths, name, i, got, w)
				}
			}
		}
	}
}

// TestJourneysGoOn checks that events given one by one, or in two parts, leave
// every journey where the whole of them does, to the bit.
func TestJourneysGoOn(t *testing.T) {
	const in, width = 6, 24
	random := rand.New(rand.NewPCG(4, 1))
	g := build(t, recurrentNetwork{in, width})
	p := compile(t, g, randomParams(g, random))
	lengths := []int{8, 8, 5, 3}
	steps, last := packRows(lengths)
	events := randomValues(random, 24*in)
	whole := p.NewJourneySession(4, 24)
	fill(whole, map[string][]float32{"events": events, "row": last})
	if err := whole.RunJourneys(4, steps); err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{1, 3, 4} {
		s := p.NewJourneySession(4, 24)
		row := 0
		for at := 0; at < len(steps); at += cut {
			part := steps[at:min(at+cut, len(steps))]
			rows := 0
			for _, n := range part {
				rows += n
			}
			copy(s.Input("events"), events[row*in:(row+rows)*in])
			s.Input("row")[0] = 0
			run := s.Resume
			if at == 0 {
				run = s.RunJourneys
			}
			if err := run(1, part); err != nil {
				t.Fatal(err)
			}
			if got, want := s.Output("states")[:rows*width], whole.Output("states")[row*width:(row+rows)*width]; !slices.Equal(got, want) {
				t.Fatalf("in parts of %d steps, the states of steps %d on differ from the whole run's", cut, at)
			}
			row += rows
		}
	}
}

func TestRunsOfEventsAreRefused(t *testing.T) {
	g := build(t, recurrentNetwork{2, 3})
	s := compile(t, g, randomParams(g, rand.New(rand.NewPCG(5, 1)))).NewJourneySession(2, 4)
	for name, c := range map[string]struct {
		steps []int
		row   float32
		want  string
	}{
		"rising steps":     {[]int{1, 2}, 0, "no more than the step before"},
		"an empty step":    {[]int{1, 0}, 0, "at least 1"},
		"too many events":  {[]int{2, 2, 1}, 0, "want at most 4"},
		"no such row":      {[]int{2, 1}, 3, "want a whole number below 3"},
		"half a row":       {[]int{2, 1}, 0.5, "want a whole number below 3"},
		"before the start": {[]int{2, 1}, -2, "or -1 for no event"},
		"no events":        {nil, 0, "want a whole number below 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s.Input("row")[0] = c.row
			if err := s.RunJourneys(1, c.steps); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestRecurrentRunsAllocateNothing(t *testing.T) {
	g := build(t, recurrentNetwork{32, 64})
	s := compile(t, g, randomParams(g, rand.New(rand.NewPCG(6, 1)))).NewJourneySession(8, 64)
	steps, last := packRows([]int{8, 8, 8, 8, 8, 8, 8, 8})
	copy(s.Input("row"), last)
	if n := testing.AllocsPerRun(20, func() {
		if err := s.RunJourneys(8, steps); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a run allocates %v times, want 0", n)
	}
}

// unitNetwork is a recurrent unit and nothing else.
type unitNetwork struct{}

func (unitNetwork) Forward(b model.Builder) model.Outputs {
	return model.Outputs{"states": model.Recurrent(b, b.EventInput("events", 32), 64)}
}

// BenchmarkGRUStep is one event of one journey: 32 values, a state of 64.
func BenchmarkGRUStep(b *testing.B) {
	random := rand.New(rand.NewPCG(7, 1))
	g := build(b, unitNetwork{})
	s := compile(b, g, randomParams(g, random)).NewJourneySession(1, 1)
	copy(s.Input("events"), randomValues(random, 32))
	steps := []int{1}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Resume(0, steps); err != nil {
			b.Fatal(err)
		}
	}
}
