package synthetic

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"moments/features"
)

// plain is a journey of types a, b, ... at times 0, 10, ..., each with its own amount.
func plain(types ...string) *features.Journey {
	j := &features.Journey{Customer: "x"}
	for i, typ := range types {
		j.Events = append(j.Events, features.Event{Time: int64(10 * i), Type: typ, Values: []features.Value{features.Number(float64(i))}})
	}
	return j
}

func TestFaultsAreWhatTheySay(t *testing.T) {
	growth := map[Fault]int{Skip: -1, Insert: 1, Early: 0, Late: 0, Swap: 0}
	for _, fault := range Faults {
		for seed := range uint64(200) {
			j := plain("a", "b", "c", "d", "e")
			random := rand.New(rand.NewPCG(seed, 1))
			got, faulty, err := Inject(j, fault, random)
			if err != nil {
				t.Fatalf("%s: %v", fault, err)
			}
			if !sameEvents(j.Events, plain("a", "b", "c", "d", "e").Events) {
				t.Fatalf("%s changed the journey it was given", fault)
			}
			n := len(got.Events) - len(j.Events)
			if want, known := growth[fault]; known && n != want || !known && (n < 2 || n > 3) {
				t.Errorf("%s: %d more events", fault, n)
			}
			if !slices.IsSortedFunc(got.Events, func(a, b features.Event) int { return int(a.Time - b.Time) }) {
				t.Errorf("%s: out of time order", fault)
			}
			at := len(got.Events)
			if len(faulty) > 0 {
				at = faulty[0]
			}
			if want := map[Fault]int{Rework: n}[fault]; want > 0 && len(faulty) != want || want == 0 && len(faulty) != 1 && at < len(got.Events) {
				t.Errorf("%s: faulty events %v", fault, faulty)
			}
			if fault == Late { // the events that it came after have moved up
				if at == 0 || got.Events[at].Type >= got.Events[at-1].Type {
					t.Errorf("late: %s at position %d follows %s", got.Events[at].Type, at, got.Events[at-1].Type)
				}
				continue
			}
			if !sameEvents(got.Events[:at], j.Events[:at]) {
				t.Errorf("%s: an event before position %d differs", fault, at)
			}
			if at < min(len(got.Events), len(j.Events)) && sameEvents(got.Events[at:at+1], j.Events[at:at+1]) {
				t.Errorf("%s: the event at position %d is what it was", fault, at)
			}
			if sameEvents(got.Events, j.Events) {
				t.Errorf("%s: nothing changed", fault)
			}
		}
	}
}

func TestFaultsThatCannotBe(t *testing.T) {
	alike := plain("a", "a", "a")
	for i := range alike.Events {
		alike.Events[i].Values = nil
	}
	cases := []struct {
		name    string
		journey *features.Journey
		fault   Fault
		want    string
	}{
		{"one event", plain("a"), Skip, "has 1 events, want at least 2"},
		{"no event", plain(), Insert, "has 0 events"},
		{"one type", alike, Early, "all events are alike"},
		{"no attributes", alike, Swap, "all events are alike"},
		{"unknown", plain("a", "b"), "fold", `fault is "fold", want one of`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := Inject(tc.journey, tc.fault, rand.New(rand.NewPCG(1, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
