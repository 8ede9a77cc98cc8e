package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// complaint is a journey of visits, alarms, complaints and solutions in any
// order, which ends badly where a complaint later than the first month is not solved, and
// seldom else.
func complaint(r *rand.Rand, customer int) (j *Journey, bad float32) {
	j = &Journey{Customer: fmt.Sprint(customer)}
	open, now := false, at0
	for range 4 + r.IntN(6) {
		now += r.Int64N(12 * Day)
		kind := []string{"visit", "alarm", "complaint", "solution"}[r.IntN(4)]
		values := []Value{Number(r.ExpFloat64())}
		switch kind {
		case "complaint":
			open = now > at0+30*Day
		case "solution":
			open = false
			values = append(values, Number(float64(1+r.IntN(5))))
		}
		j.Events = append(j.Events, Event{Time: now, Type: kind, Values: values})
	}
	if r.Float64() < 0.1 || open && r.Float64() < 0.8 {
		bad = 1
	}
	return j, bad
}

// fitComplaints fits a schema on journeys cut at one moment or at many.
func fitComplaints(t *testing.T, least int, oneMoment bool, backwards bool, change func(*Journey, []float32) []float32) *Schema {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	f := NewFitter(Layout{Event: []Field{{"price", Numeric}, {"stars", Numeric}, {"channel", Categorical}}}, Options{Detailed: least})
	var adds []func()
	for i := range 1500 {
		j, bad := complaint(r, i)
		labels := change(j, []float32{bad})
		at := at0 + 110*Day
		if !oneMoment {
			at += int64(i) * Hour
		}
		adds = append(adds, func() { f.Add(j, Cutoff{Time: at, Events: len(j.Events)}, labels...) })
	}
	if backwards {
		slices.Reverse(adds)
	}
	for _, add := range adds {
		add()
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func asIs(_ *Journey, labels []float32) []float32 { return labels }

func TestFewCustomersAreNotDetailed(t *testing.T) {
	for _, least := range []int{0, 1501} {
		if got := special(fitComplaints(t, least, true, false, asIs)); got != nil {
			t.Errorf("1500 customers, at least %d wanted: got %q, want none", least, got)
		}
	}
}

// special are the columns of answers and of dated attributes.
func special(s *Schema) (names []string) {
	for _, column := range s.Columns() {
		if strings.Contains(column.Name, "(") && strings.Contains(column.Name, "_days") {
			names = append(names, column.Name)
		}
	}
	return names
}

func TestAnswersAreFound(t *testing.T) {
	rated := []string{"attribute:stars/recency_days(below middle)", "attribute:stars/recency_days(above middle)"}
	answered := append([]string{"event:complaint/unanswered_days(solution)"}, rated...)
	unknown := float32(math.NaN())
	for _, test := range []struct {
		name   string
		one    bool
		change func(*Journey, []float32) []float32
		want   []string
	}{
		{"one moment", true, asIs, answered},
		{"many moments", false, asIs, nil},
		{"one target of several", true, func(j *Journey, labels []float32) []float32 {
			return []float32{unknown, float32(len(j.Customer) % 2), labels[0]}
		}, answered},
		{"half the labels", true, func(j *Journey, labels []float32) []float32 {
			if len(j.Events)%2 == 0 {
				return nil
			}
			return labels
		}, answered},
		{"no labels", true, func(*Journey, []float32) []float32 { return nil }, rated},
		{"unknown labels", true, func(*Journey, []float32) []float32 { return []float32{unknown} }, rated},
		{"complaints that matter solved or not", true, func(j *Journey, _ []float32) []float32 {
			recent := slices.ContainsFunc(j.Events, func(e Event) bool { return e.Type == "complaint" && e.Time > at0+50*Day })
			if recent != strings.HasSuffix(j.Customer, "3") {
				return []float32{1}
			}
			return []float32{0}
		}, rated},
		{"levels", true, func(j *Journey, labels []float32) []float32 {
			for i := range j.Events {
				j.Events[i].Values = []Value{Missing(), Missing(), Text([]string{"web", "app"}[i%2])}
			}
			return labels
		}, []string{"event:complaint/unanswered_days(solution)", "attribute:channel/recency_days(app)", "attribute:channel/recency_days(web)"}},
		{"too many types", true, func(j *Journey, labels []float32) []float32 {
			j.Events = append(j.Events, Event{Time: at0 + 109*Day, Type: "type " + j.Customer})
			return labels
		}, rated},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fitComplaints(t, 300, test.one, false, test.change)
			if got := special(s); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if other := fitComplaints(t, 300, test.one, true, test.change); test.one && other.Hash() != s.Hash() {
				t.Error("another order of the journeys, another schema")
			}
		})
	}
}

// randomAnswers are journeys of many types that mean nothing.
func randomAnswers(n int) (s answerStats, types []string) {
	r := rand.New(rand.NewPCG(3, 4))
	for k := range 20 {
		types = append(types, fmt.Sprint("type ", k))
	}
	for i := range n {
		var events []Event
		now := at0
		for range r.IntN(30) {
			now += r.Int64N(10 * Day)
			events = append(events, Event{Time: now, Type: types[r.IntN(len(types))]})
		}
		s.add(hashText(fmt.Sprint(i)), events, at0+300*Day, []float32{float32(r.IntN(2)), float32(r.IntN(5) / 4)})
	}
	return s, types
}

func TestNothingAnswersByChance(t *testing.T) {
	s, types := randomAnswers(2000)
	if got := s.choose(types); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

// The fit is where the log-likelihood less the prior is flat: no effect that is
// moved a little makes it larger.
func TestAnswerModelIsFitted(t *testing.T) {
	s, types := randomAnswers(500)
	m := s.model(0, types)
	m.fit()
	penalised := func(factor, level int, by float64) float64 {
		odds, sum := slices.Clone(m.odds), 0.0
		for i, l := range m.levels[factor] {
			if int(l) == level {
				odds[i] += by
			}
		}
		for f := range m.effects {
			for l, effect := range m.effects[f] {
				if f == factor && l == level {
					effect += by
				}
				sum += effect * effect / 2
			}
		}
		return m.likelihood(odds) - sum
	}
	for factor := range m.levels {
		for level := range answerLevels {
			best := penalised(factor, level, 0)
			for _, by := range []float64{-0.02, 0.02} {
				if other := penalised(factor, level, by); other > best {
					t.Fatalf("factor %d, level %d: %v when moved by %v, want no more than %v", factor, level, other, by, best)
				}
			}
		}
	}
}

// Which journeys are looked at for answers depends on the customers alone, and
// they are never more than answerJourneys.
func TestAnswerSample(t *testing.T) {
	const customers = 2*answerJourneys + 100
	var kept [2][]uint64
	for way := range kept {
		var s answerStats
		for i := range customers {
			if way == 1 {
				i = customers - 1 - i
			}
			s.add(hashText(fmt.Sprint(i)), nil, 0, []float32{1})
		}
		for _, row := range s.rows {
			kept[way] = append(kept[way], row.key)
		}
		slices.Sort(kept[way])
	}
	if n := len(kept[0]); n > answerJourneys || n < answerJourneys/3 || !slices.Equal(kept[0], kept[1]) {
		t.Errorf("kept %d and %d of %d journeys, want the same ones, at most %d", n, len(kept[1]), customers, answerJourneys)
	}
}

func TestUnanswered(t *testing.T) {
	s := fitComplaints(t, 300, true, false, asIs)
	column := slices.IndexFunc(s.Columns(), func(c Column) bool { return c.Name == "event:complaint/unanswered_days(solution)" })
	for _, test := range []struct {
		kinds string
		want  float32 // 0 for missing
	}{
		{"", 0}, {"complaint", 9}, {"complaint solution", 0}, {"complaint complaint", 8}, {"solution visit complaint", 7},
		{"complaint solution complaint visit", 7}, {"complaint complaint solution", 0}, {"visit", 0},
	} {
		j := &Journey{}
		for i, kind := range strings.Fields(test.kinds) {
			j.Events = append(j.Events, Event{Time: at0 + int64(i+1)*Day, Type: kind})
		}
		var ex Example
		s.NewEncoder().EncodeJourney(j, Cutoff{Time: at0 + 10*Day, Events: len(j.Events)}, &ex)
		if got := ex.Numeric[column]; got != test.want && (test.want != 0 || got == got) {
			t.Errorf("%s: %v days, want %v", test.kinds, got, test.want)
		}
	}
}

func TestDatesThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Schema){
		"want a finite one":       func(s *Schema) { s.Attributes[3].Middle = math.Inf(1) },
		"want 1 levels or fewer":  func(s *Schema) { s.Options.LevelCounts = 1 },
		"want 10 levels or fewer": func(s *Schema) { s.Attributes[2].Dated = true },
	} {
		s, _, _ := fitShop(t, Options{}, 300)
		change(s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

func TestAnswersThatCannotBe(t *testing.T) {
	for _, answers := range [][]Answer{{{0, 0}}, {{-1, 0}}, {{0, 99}}, {{1, 0}, {0, 1}}, {{1, 0}, {1, 2}}} {
		s, _, _ := fitShop(t, Options{}, 50)
		s.Answers = answers
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "is answered by") {
			t.Errorf("%v: got error %v", answers, err)
		}
	}
}
