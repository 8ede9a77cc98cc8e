package features

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// drawn says which columns of a schema fitted on n journeys contain a text.
// Journey i has one event at the time that when says and is cut as it says.
func drawn(t *testing.T, n int, text string, when func(i int) (event, cut int64)) []string {
	t.Helper()
	f := NewFitter(Layout{}, Options{})
	for i := range n {
		event, cut := when(i)
		j := &Journey{Customer: fmt.Sprint(i), Events: []Event{{Time: event - 40*Day, Type: "visit"}, {Time: event - int64(i%9)*Day, Type: "visit"}, {Time: event, Type: "buy"}}}
		f.Add(j, Cutoff{Time: cut, Events: 3})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, column := range s.Columns() {
		if strings.Contains(column.Name, text) {
			names = append(names, column.Name)
		}
	}
	return names
}

// Columns of the calendar are drawn only where training shows that they say
// more than when something happened.
func TestFamiliesSuitTheData(t *testing.T) {
	start := at(t, "2020-01-01")
	for _, test := range []struct {
		name string
		text string
		when func(i int) (event, cut int64)
		want []string
	}{
		{"dates have no clock", "hour", func(i int) (int64, int64) { return start, start }, nil},
		{"times have one", "last_hour", func(i int) (int64, int64) { return start + Hour, start + Hour }, []string{"timing/last_hour"}},
		{"a month is no season", "month", func(i int) (int64, int64) { return start, start + int64(i%30)*Day }, nil},
		{"two months repeat days", "month", func(i int) (int64, int64) { return start, start + int64(i%60)*Day }, []string{"timing/last_month_day"}},
		{"two years repeat months", "month", func(i int) (int64, int64) { return start, start + int64(i%700)*Day }, []string{"timing/last_month_day", "timing/last_month"}},
		{"one wrong date is no season", "month", func(i int) (int64, int64) {
			if i == 0 {
				return start, start + 9000*Day
			}
			return start, start + int64(i%30)*Day
		}, nil},
		{"one moment counts types per window", "visit/count_", func(i int) (int64, int64) { return start, start + Hour }, []string{"event:visit/count_3d", "event:visit/count_7d", "event:visit/count_14d"}},
		{"many moments do not", "visit/count_", func(i int) (int64, int64) { return start, start + int64(i) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := drawn(t, 1400, test.text, test.when)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestMonthsAreReadAtTheLocalClock(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	s.Rhythms.Months = true
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	e := s.NewEncoder()
	var ex Example
	e.Append(&Event{Time: at(t, "2024-02-29T22:30:00Z"), Offset: 2 * 3600})
	e.Encode(at(t, "2024-03-05"), &ex)
	want := map[string]float32{"timing/last_month_day": 1, "timing/last_month": 3, "timing/last_hour": .5, "timing/last_weekday": 4}
	for i, column := range s.Columns() {
		if x, ok := want[column.Name]; ok && ex.Numeric[i] != x {
			t.Errorf("%s is %g, want %g: half past midnight on Friday, 1 March 2024", column.Name, ex.Numeric[i], x)
		}
	}
}

// A day of 23 hours is one active day like any other.
func TestActiveDaysAcrossAShortDay(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	e := s.NewEncoder()
	for _, text := range []string{"2021-03-28T00:30:00+01:00", "2021-03-28T03:30:00+02:00", "2021-03-28T23:30:00+02:00", "2021-03-29T00:10:00+02:00"} {
		micros, offset, _, err := ParseTime(text)
		if err != nil {
			t.Fatal(err)
		}
		e.Append(&Event{Time: micros, Offset: offset, Type: "view"})
	}
	var ex Example
	e.Encode(0, &ex)
	i := slices.IndexFunc(s.Columns(), func(c Column) bool { return c.Name == "timing/active_days" })
	if ex.Numeric[i] != 2 {
		t.Errorf("%g active days, want 2", ex.Numeric[i])
	}
}

// A number that is often exactly zero among many others has an indicator.
func TestZerosThatStandApart(t *testing.T) {
	for name, test := range map[string]struct {
		zeros, values int // of 1000, and different others
		want          bool
	}{
		"a tenth":      {100, 200, true},
		"too few":      {5, 200, false},
		"most":         {600, 200, false},
		"among counts": {100, 20, false},
	} {
		values := make([]float64, 1000)
		for i := range values {
			if i >= test.zeros {
				values[i] = 1.5 + float64(i%test.values)
			}
		}
		s := normalizeColumn(t, values)
		if got := slices.Contains(s.StandardColumns(), "x=0"); got != test.want {
			t.Errorf("%s: indicator %v, want %v", name, got, test.want)
			continue
		}
		if test.want {
			if _, bits := normalized(s, 0); bits[0] != 1 {
				t.Errorf("%s: zero has the indicator %g, want 1", name, bits[0])
			}
			if _, bits := normalized(s, 7); bits[0] != 0 {
				t.Errorf("%s: seven has the indicator %g, want 0", name, bits[0])
			}
		}
	}
}
