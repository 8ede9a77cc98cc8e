package features

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// A journey whose first event is left out keeps its age, and what it began
// with; all else is that of the journey that begins with the second event.
func TestBegin(t *testing.T) {
	s, journeys, cuts := fitShop(t, Options{}, 200)
	begun, whole, rest := s.NewEncoder(), s.NewEncoder(), s.NewEncoder()
	compared := 0
	for i, j := range journeys {
		if len(j.Events) < 3 {
			continue
		}
		compared++
		first, later := j.Events[0], &Journey{Profile: j.Profile, Events: slices.Clone(j.Events[1:])}
		for k := range later.Events { // none is older than the start
			later.Events[k].Time = max(later.Events[k].Time, first.Time)
		}
		begun.Start(j.Profile)
		begun.Begin(&first)
		for k := range later.Events {
			begun.Append(&j.Events[1+k])
		}
		var got, all, without Example
		begun.Encode(cuts[i].Time, &got)
		whole.EncodeJourney(j, Cutoff{Time: cuts[i].Time, Events: len(j.Events)}, &all)
		rest.EncodeJourney(later, Cutoff{Time: cuts[i].Time, Events: len(later.Events)}, &without)
		for k, column := range s.Columns()[:len(got.Numeric)] {
			want := without.Numeric[k]
			switch {
			case ofStart(column.Name, first.Type):
				want = all.Numeric[k]
			case countsFromStart(column.Name):
				continue // of neither journey: the events of one over the age of the other
			}
			if math.Float32bits(got.Numeric[k]) != math.Float32bits(want) {
				t.Errorf("journey %d: %s is %v, want %v (%v of the whole)", i, column.Name, got.Numeric[k], want, all.Numeric[k])
			}
		}
	}
	if compared < 50 {
		t.Errorf("compared %d journeys, want at least 50", compared)
	}
}

// ofStart are the columns that the first event alone decides.
func ofStart(name, kind string) bool {
	switch name {
	case "timing/tenure_days", "timing/first_hour", "timing/first_weekday", "timing/active_share", "timing/events_first_session", "event:" + kind + "/first_days":
		return true
	}
	return false
}

// countsFromStart are the columns that compare events with the journey's age.
func countsFromStart(name string) bool {
	return strings.HasSuffix(name, "/first_days") || strings.HasPrefix(name, "timing/events_quarter_") ||
		name == "timing/alive_log" || name == "timing/events_per_day"
}
