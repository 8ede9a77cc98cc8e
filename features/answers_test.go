package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// complaint is a journey of visits and complaints of which some are solved and
// rated.
func complaint(r *rand.Rand, customer int) *Journey {
	j, now := &Journey{Customer: fmt.Sprint(customer)}, at0
	add := func(kind string, values ...Value) {
		now += 1 + r.Int64N(Day)
		j.Events = append(j.Events, Event{Time: now, Type: kind, Values: values})
	}
	for range 1 + r.IntN(6) {
		switch r.IntN(4) {
		case 0:
			add("complaint", Number(r.ExpFloat64()))
			if r.IntN(3) > 0 {
				if r.IntN(2) > 0 {
					add("visit")
				}
				add("solution", Number(r.ExpFloat64()), Number(float64(1+r.IntN(5))))
			}
		case 1:
			add("alarm")
		default:
			add("visit", Number(r.ExpFloat64()))
		}
	}
	return j
}

// fitComplaints fits a schema on journeys cut at one moment or at many.
func fitComplaints(t *testing.T, least int, oneMoment bool, backwards bool, change func(*Journey)) *Schema {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	var journeys []*Journey
	for i := range 300 {
		j := complaint(r, i)
		change(j)
		journeys = append(journeys, j)
	}
	if backwards {
		slices.Reverse(journeys)
	}
	f := NewFitter(Layout{Event: []Field{{"price", Numeric}, {"stars", Numeric}, {"channel", Categorical}}}, Options{Detailed: least})
	for i, j := range journeys {
		at := at0 + 100*Day
		if !oneMoment {
			at += int64(i) * Hour
		}
		f.Add(j, Cutoff{Time: at, Events: len(j.Events)})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFewCustomersAreNotDetailed(t *testing.T) {
	for _, least := range []int{0, 301} {
		if got := special(fitComplaints(t, least, true, false, func(*Journey) {})); got != nil {
			t.Errorf("300 customers, at least %d wanted: got %q, want none", least, got)
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
	none := func(*Journey) {}
	rated := []string{"attribute:stars/recency_days(below middle)", "attribute:stars/recency_days(above middle)"}
	answered := append([]string{"event:complaint/unanswered_days(solution)"}, rated...)
	for _, test := range []struct {
		name   string
		one    bool
		change func(*Journey)
		want   []string
	}{
		{"one moment", true, none, answered},
		{"many moments", false, none, nil},
		{"solutions without complaint", true, func(j *Journey) {
			j.Events = slices.DeleteFunc(j.Events, func(e Event) bool { return e.Type == "complaint" && len(j.Customer) < 3 })
		}, rated},
		{"levels", true, func(j *Journey) {
			for i := range j.Events {
				j.Events[i].Values = []Value{Missing(), Missing(), Text([]string{"web", "app"}[i%2])}
			}
		}, []string{"event:complaint/unanswered_days(solution)", "attribute:channel/recency_days(web)", "attribute:channel/recency_days(app)"}},
		{"few are answered", true, func(j *Journey) {
			j.Events = slices.DeleteFunc(j.Events, func(e Event) bool { return e.Type == "solution" && len(j.Customer) > 2 })
		}, rated},
		{"all are answered", true, func(j *Journey) {
			j.Events = slices.DeleteFunc(j.Events, func(e Event) bool { return e.Type == "complaint" || e.Type == "solution" })
			for i := range len(j.Customer) {
				at := at0 + int64(20+2*i)*Day
				j.Events = append(j.Events, Event{Time: at, Type: "complaint"}, Event{Time: at + Day, Type: "solution", Values: []Value{Missing(), Number(float64(1 + i))}})
			}
		}, rated},
		{"too many types", true, func(j *Journey) {
			j.Events = append(j.Events, Event{Time: at0 + 50*Day, Type: "type " + j.Customer})
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

func TestUnanswered(t *testing.T) {
	s := fitComplaints(t, 300, true, false, func(*Journey) {})
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
