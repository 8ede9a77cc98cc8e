package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// fitProfiles fits a schema on profiles of one field.
func fitProfiles(t testing.TB, kind Kind, values []Value) *Schema {
	t.Helper()
	f := NewFitter(Layout{Profile: []Field{{"x", kind}}}, Options{})
	for i, v := range values {
		f.Add(&Journey{Customer: fmt.Sprint(i), Profile: []Value{v}}, Cutoff{})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// repeat makes n values.
func repeat(n int, value func(i int) Value) []Value {
	values := make([]Value, n)
	for i := range values {
		values[i] = value(i)
	}
	return values
}

func TestFieldsWithoutUseAreDroppedAndSaidSo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sample := r.Perm(5000)
	for _, test := range []struct {
		name   string
		kind   Kind
		values []Value
		want   string
	}{
		{"age", Numeric, repeat(400, func(i int) Value { return Number(float64(18 + i%60)) }), ""},
		{"integers of few levels", Numeric, repeat(400, func(i int) Value { return Number(float64(i % 3)) }), ""},
		{"row number", Numeric, repeat(400, func(i int) Value { return Number(float64(i)) }), DroppedIdentifier},
		{"sampled customer number", Numeric, repeat(1000, func(i int) Value { return Number(float64(15_000_000 + sample[i])) }), DroppedIdentifier},
		{"amount in cents, all different", Numeric, repeat(400, func(i int) Value { return Number(float64(i*99991 + i*i)) }), ""},
		{"fractions, all different", Numeric, repeat(400, func(i int) Value { return Number(float64(i) + .5) }), ""},
		{"one number", Numeric, repeat(400, func(int) Value { return Number(7) }), DroppedConstant},
		{"one number or none", Numeric, repeat(400, func(i int) Value { return Number([]float64{7, math.NaN()}[i%2]) }), ""},
		{"infinite numbers alone", Numeric, repeat(400, func(i int) Value { return Number(math.Inf(1)) }), DroppedMissing},
		{"no number", Numeric, repeat(400, func(int) Value { return Missing() }), DroppedMissing},
		{"country", Categorical, repeat(400, func(i int) Value { return Text(fmt.Sprint(i % 40)) }), ""},
		{"surname", Categorical, repeat(900, func(i int) Value { return Text(fmt.Sprint(i % 300)) }), DroppedIdentifier},
		{"identifier", Categorical, repeat(400, func(i int) Value { return Text(fmt.Sprint(i)) }), DroppedIdentifier},
		{"too few to tell", Categorical, repeat(20, func(i int) Value { return Text(fmt.Sprint(i)) }), ""},
		{"one level", Categorical, repeat(400, func(int) Value { return Text("a") }), DroppedConstant},
		{"one level or none", Categorical, repeat(400, func(i int) Value { return Text([]string{"a", ""}[i%2]) }), ""},
		{"no level", Categorical, repeat(400, func(int) Value { return Text("") }), DroppedMissing},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fitProfiles(t, test.kind, test.values)
			if got := s.Profile[0].Dropped; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := len(s.Columns()) == 0; got != (test.want != "") {
				t.Errorf("columns %v", s.Columns())
			}
		})
	}
}

func TestVocabularyIsSortedByFrequencyThenName(t *testing.T) {
	s := fitProfiles(t, Categorical, repeat(400, func(i int) Value {
		switch {
		case i < 2:
			return Text("rare") // below MinCount
		case i < 5:
			return Text("broken\xff\xfe")
		case i < 8:
			return Text("broken\xff")
		}
		return Text([]string{"b", "c", "a", "b"}[i%4])
	}))
	want := []string{"b", "a", "c", "broken\uFFFD"}
	if got := s.Profile[0].Levels; !slices.Equal(got, want) {
		t.Fatalf("levels %q, want %q", got, want)
	}
	e := s.NewEncoder()
	var ex Example
	for text, want := range map[string]int32{"": 0, "rare": 1, "xyz": 1, "b": 2, "a": 3, "c": 4, "broken\xff": 5, "other\xff": 1} {
		e.Start([]Value{Text(text)})
		if e.Encode(0, &ex); ex.Category[0] != want {
			t.Errorf("%q has id %d, want %d", text, ex.Category[0], want)
		}
	}
}

func TestFitDoesNotDependOnTheOrderOfCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	type example struct {
		j *Journey
		c Cutoff
	}
	var examples []example
	for i := range 300 {
		j := randomJourney(r, i, 30)
		for _, c := range (CutoffRule{AfterEvents: []int{1, 5, 10}}).Cut(j, NoLimit, 0) {
			examples = append(examples, example{j, c})
		}
	}
	fit := func() string {
		f := NewFitter(shopLayout, Options{})
		for _, ex := range examples {
			f.Add(ex.j, ex.c)
		}
		s, err := f.Schema()
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash()
	}
	want := fit()
	for range 3 {
		r.Shuffle(len(examples), func(a, b int) { examples[a], examples[b] = examples[b], examples[a] })
		if fit() != want {
			t.Fatal("the schema depends on the order of Add")
		}
	}
}

func TestACustomerCutSeveralTimesCountsOnce(t *testing.T) {
	f := NewFitter(shopLayout, Options{})
	j := &Journey{Customer: "one", Events: []Event{{Type: "view"}, {Type: "cart"}, {Type: "view"}}}
	for k := range 4 {
		f.Add(j, Cutoff{Events: k})
		f.Add(j, Cutoff{Events: k})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if s.Journeys != 1 || s.Events != 3 || len(s.Types) != 0 {
		t.Errorf("got %d journeys, %d events and the types %v, want 1, 3 and none", s.Journeys, s.Events, s.Types)
	}
}

func TestWindowsFitTheTimeScale(t *testing.T) {
	fit := func(step int64, most int) []int64 {
		r := rand.New(rand.NewPCG(5, 6))
		f := NewFitter(Layout{}, Options{MaxWindows: most})
		for i := range 200 {
			j := &Journey{Customer: fmt.Sprint(i)}
			now := at0
			for range 20 {
				now += int64(r.ExpFloat64() * float64(step))
				j.Events = append(j.Events, Event{Time: now, Type: "view"})
			}
			f.Add(j, Cutoff{Events: 20, Time: now})
		}
		s, err := f.Schema()
		if err != nil {
			t.Fatal(err)
		}
		return s.Windows
	}
	for _, test := range []struct {
		step      int64
		low, high int64
	}{{Minute, Minute, Hour}, {Hour, 15 * Minute, 2 * Day}, {10 * Day, 2 * Day, 365 * Day}} {
		windows := fit(test.step, 5)
		if len(windows) < 3 || len(windows) > 5 || windows[0] < test.low || windows[len(windows)-1] > test.high {
			t.Errorf("events every %s: windows %v, want 3 to 5 from %s to %s", FormatDuration(test.step), windows, FormatDuration(test.low), FormatDuration(test.high))
		}
	}
	if got := fit(Day, 2); len(got) != 2 {
		t.Errorf("got the windows %v, want 2", got)
	}
}

func TestSchemaNeedsExamplesAndGoodNames(t *testing.T) {
	if _, err := NewFitter(Layout{}, Options{}).Schema(); err == nil {
		t.Error("a schema was fitted on nothing")
	}
	for want, layout := range map[string]Layout{
		"two columns":            {Profile: []Field{{"x", Numeric}, {"x", Numeric}}},
		`a column is named ""`:   {Profile: []Field{{"", Numeric}}},
		"\"x\\xff\"":             {Profile: []Field{{"x\xff", Numeric}}},
		"numeric or categorical": {Profile: []Field{{"x", "date"}}},
	} {
		f := NewFitter(layout, Options{})
		for i := range 9 {
			f.Add(&Journey{Customer: fmt.Sprint(i), Profile: []Value{Number(float64(i % 4)), Number(float64(i % 3))}}, Cutoff{})
		}
		if _, err := f.Schema(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("layout %v: got error %v, want one about %s", layout, err, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, options := range map[string]Options{
		"min_count is -1": {MinCount: -1}, "tail is 2000000": {Tail: 2_000_000},
		"type_share is NaN": {TypeShare: math.NaN()}, "max_windows is 99": {MaxWindows: 99},
	} {
		f := NewFitter(Layout{}, options)
		f.Add(&Journey{}, Cutoff{})
		if _, err := f.Schema(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q in it", err, want)
		}
	}
}
