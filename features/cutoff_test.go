package features

import (
	"math"
	"testing"
)

// at reads a time that the tests write as text.
func at(t testing.TB, text string) int64 {
	t.Helper()
	micros, _, _, err := ParseTime(text)
	if err != nil {
		t.Fatal(err)
	}
	return micros
}

// journeyAt has one event at each of the times.
func journeyAt(t testing.TB, times ...string) *Journey {
	t.Helper()
	j := &Journey{Customer: "c"}
	for _, text := range times {
		j.Events = append(j.Events, Event{Time: at(t, text), Type: "visit"})
	}
	return j
}

func TestCutFollowsItsRule(t *testing.T) {
	four := journeyAt(t, "2020-01-01", "2020-01-02", "2020-01-02", "2020-01-05")
	none := &Journey{Customer: "c"}
	day := func(n int64) int64 { return at(t, "2020-01-01") + (n-1)*Day }
	for _, test := range []struct {
		name    string
		rule    CutoffRule
		journey *Journey
		until   int64
		column  int64
		want    []Cutoff
	}{
		{"end of the journey", CutoffRule{}, four, NoLimit, 0, []Cutoff{{day(5), 4, ""}}},
		{"end before the outcome", CutoffRule{}, four, day(5), 0, []Cutoff{{day(2), 3, ""}}},
		{"end of a journey that is all outcome", CutoffRule{}, four, day(1), 0, []Cutoff{{day(1) - 1, 0, ""}}},
		{"end of a profile", CutoffRule{}, none, NoLimit, 0, []Cutoff{{0, 0, ""}}},
		{"after one number of events", CutoffRule{AfterEvents: []int{2}}, four, NoLimit, 0, []Cutoff{{day(2), 2, ""}}},
		{"after several, sorted", CutoffRule{AfterEvents: []int{4, 1, 9, 0, -1}}, four, NoLimit, 0,
			[]Cutoff{{day(1), 1, "after 1 events"}, {day(5), 4, "after 4 events"}}},
		{"after more than are visible", CutoffRule{AfterEvents: []int{4}}, four, day(5), 0, nil},
		{"at a moment excludes it", CutoffRule{At: day(2)}, four, NoLimit, 0, []Cutoff{{day(2) - 1, 1, ""}}},
		{"at a moment before the journey", CutoffRule{At: day(1)}, four, NoLimit, 0, nil},
		{"at a moment, profile only", CutoffRule{At: day(1)}, none, NoLimit, 0, []Cutoff{{day(1) - 1, 0, ""}}},
		{"at a moment after the outcome", CutoffRule{At: day(4)}, four, day(3), 0, nil},
		{"at the moment of the outcome", CutoffRule{At: day(3)}, four, day(3), 0, []Cutoff{{day(3) - 1, 3, ""}}},
		{"after the first event", CutoffRule{AfterFirst: Day}, four, NoLimit, 0, []Cutoff{{day(2) - 1, 1, ""}}},
		{"after the first event of none", CutoffRule{AfterFirst: Day}, none, NoLimit, 0, nil},
		{"after the first event and the outcome", CutoffRule{AfterFirst: 4 * Day}, four, day(2), 0, nil},
		{"every two days", CutoffRule{Every: 2 * Day, From: day(-3), To: day(7)}, four, NoLimit, 0,
			[]Cutoff{{day(3) - 1, 3, ""}, {day(5) - 1, 3, ""}, {day(7) - 1, 4, ""}}},
		{"every day until the outcome", CutoffRule{Every: Day, From: day(1), To: day(9)}, four, day(3), 0,
			[]Cutoff{{day(2) - 1, 1, ""}, {day(3) - 1, 3, ""}}},
		{"every day of a profile", CutoffRule{Every: Day, From: day(1), To: day(9)}, none, NoLimit, 0, nil},
		{"every, from a moment in the journey", CutoffRule{Every: Day, From: day(4), To: day(5)}, four, NoLimit, 0,
			[]Cutoff{{day(4) - 1, 3, ""}, {day(5) - 1, 3, ""}}},
		{"the row's own, inclusive", CutoffRule{Column: true}, four, NoLimit, day(2), []Cutoff{{day(2), 3, ""}}},
		{"the row's own, before the journey", CutoffRule{Column: true}, four, NoLimit, day(0), nil},
		{"the row's own, none", CutoffRule{Column: true}, four, NoLimit, NoLimit, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.rule.Cut(test.journey, test.until, test.column)
			if len(got) != len(test.want) {
				t.Fatalf("got %v, want %v", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("cut %d: got %+v, want %+v", i, got[i], test.want[i])
				}
			}
		})
	}
}

// The moment "five days after the first event" is a distance in time, not a
// reading of the local clock: a day of 23 hours does not shift it.
func TestCutAfterFirstAcrossAShortDay(t *testing.T) {
	j := journeyAt(t, "2021-03-27T12:00:00+01:00", "2021-03-28T12:30:00+02:00", "2021-03-28T13:30:00+02:00")
	cuts := CutoffRule{AfterFirst: Day}.Cut(j, NoLimit, 0)
	if len(cuts) != 1 || cuts[0].Events != 2 {
		t.Fatalf("got %v, want one cut after 2 events: the second is 23 hours 30 minutes after the first", cuts)
	}
}

func TestLabels(t *testing.T) {
	j := journeyAt(t, "2020-01-01", "2020-01-02", "2020-01-02", "2020-01-05")
	j.Events[2].Type = "purchase"
	end := at(t, "2020-01-31")
	nan := float32(math.NaN())
	purchase := func(within int64) func(Cutoff) float32 {
		return func(c Cutoff) float32 { return EventTarget{"purchase", within}.Label(j, c, end) }
	}
	quiet := func(span int64, types ...string) func(Cutoff) float32 {
		return func(c Cutoff) float32 { return Inactivity{span, types}.Label(j, c, end) }
	}
	day := func(n int64) int64 { return at(t, "2020-01-01") + (n-1)*Day }
	for _, test := range []struct {
		name  string
		label func(Cutoff) float32
		cut   Cutoff
		want  float32
	}{
		{"purchase at the horizon's last instant", purchase(Day), Cutoff{Time: day(1), Events: 1}, 1},
		{"purchase just beyond the horizon", purchase(Day - 1), Cutoff{Time: day(1), Events: 1}, 0},
		{"purchase at the cutoff's instant, not seen", purchase(Hour), Cutoff{Time: day(2), Events: 2}, 1},
		{"purchase at the cutoff's instant, seen", purchase(Hour), Cutoff{Time: day(2), Events: 3}, 0},
		{"exclusive cutoff counts from its moment on", purchase(Hour), Cutoff{Time: day(2) - 1, Events: 1}, 1},
		{"horizon that ends with the data", purchase(29 * Day), Cutoff{Time: day(2), Events: 3}, 0},
		{"horizon beyond the data", purchase(29*Day + 1), Cutoff{Time: day(2), Events: 3}, nan},
		{"censored although a purchase is known", purchase(40 * Day), Cutoff{Time: day(1), Events: 1}, nan},
		{"quiet", quiet(2 * Day), Cutoff{Time: day(2), Events: 3}, 1},
		{"not quiet", quiet(3 * Day), Cutoff{Time: day(2), Events: 3}, 0},
		{"quiet but for other types", quiet(3*Day, "purchase"), Cutoff{Time: day(2), Events: 3}, 1},
		{"not quiet in one of two types", quiet(3*Day, "purchase", "visit"), Cutoff{Time: day(2), Events: 3}, 0},
		{"quiet, censored", quiet(30 * Day), Cutoff{Time: day(5), Events: 4}, nan},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.label(test.cut)
			if got != test.want && !(got != got && test.want != test.want) {
				t.Errorf("got %g, want %g", got, test.want)
			}
		})
	}
}

func TestLabelWithoutEndOfData(t *testing.T) {
	j := journeyAt(t, "1960-01-01")
	if got := (Inactivity{For: Day}).Label(j, Cutoff{Time: j.Events[0].Time, Events: 1}, NoLimit); got != 1 {
		t.Errorf("got %g, want 1", got)
	}
}

func TestPresentCutsForAScoreNow(t *testing.T) {
	three := journeyAt(t, "2020-01-01", "2020-01-02", "2020-01-05")
	none := &Journey{Customer: "c"}
	day := func(n int64) int64 { return at(t, "2020-01-01") + (n-1)*Day }
	for _, test := range []struct {
		name    string
		rule    CutoffRule
		journey *Journey
		now     int64
		want    Cutoff
		ok      bool
	}{
		{"the end of what came before", CutoffRule{}, three, day(5), Cutoff{Time: day(2), Events: 2}, true},
		{"after events sees all", CutoffRule{AfterEvents: []int{1, 2}}, three, day(9), Cutoff{Time: day(5), Events: 3}, true},
		{"not begun", CutoffRule{}, three, day(1), Cutoff{Time: day(1) - 1}, false},
		{"a profile", CutoffRule{}, none, day(1), Cutoff{Time: day(1) - 1}, true},
		{"a moment is now", CutoffRule{At: day(2)}, three, day(9), Cutoff{Time: day(9) - 1, Events: 3}, true},
		{"a grid is now", CutoffRule{Every: Day, From: day(1), To: day(3)}, three, day(5), Cutoff{Time: day(5) - 1, Events: 2}, true},
		{"a column is now", CutoffRule{Column: true}, none, day(5), Cutoff{Time: day(5) - 1}, true},
		{"a moment before the journey", CutoffRule{At: day(2)}, three, day(1), Cutoff{}, false},
		{"the epoch is a moment", CutoffRule{At: day(2)}, none, 0, Cutoff{Time: -1}, true},
		{"a while after the first, passed", CutoffRule{AfterFirst: 2 * Day}, three, day(9), Cutoff{Time: day(3) - 1, Events: 2}, true},
		{"a while after the first, not passed", CutoffRule{AfterFirst: 8 * Day}, three, day(3), Cutoff{Time: day(3) - 1, Events: 2}, true},
		{"a while after the first of none", CutoffRule{AfterFirst: Day}, none, day(3), Cutoff{Time: day(3) - 1}, true},
		{"a while after the first, not begun", CutoffRule{AfterFirst: Day}, three, day(1), Cutoff{}, false},
	} {
		if got, ok := test.rule.Present(test.journey, test.now); ok != test.ok || ok && got != test.want {
			t.Errorf("%s: got %+v, %t, want %+v, %t", test.name, got, ok, test.want, test.ok)
		}
	}
}
