package synthetic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"moments/features"
)

// A Fault is a way to spoil one journey, of any data set, in order to see
// whether it is found.
type Fault string

// The faults that [Inject] knows, after BINet (Nolle et al., Information
// Systems, 2022).
const (
	Skip   Fault = "skip"   // an event is missing
	Insert Fault = "insert" // an event of another place is repeated here
	Rework Fault = "rework" // two or three events in a row happen twice
	Early  Fault = "early"  // an event happens before ones it used to follow
	Late   Fault = "late"   // an event happens after ones it used to precede
	Swap   Fault = "swap"   // one attribute has the value of another event
)

// Faults are all of them.
var Faults = []Fault{Skip, Insert, Rework, Early, Late, Swap}

// Inject returns a copy of the journey with the fault in it, and the positions
// of the events that are out of place: the inserted or repeated ones, the one
// that was moved, the one with the wrong attribute; of a skipped event, the one
// that follows it, which is none when the last was skipped. The journey itself
// is left alone. Copied and moved events take the time of the event before their
// new place, so time order holds. It fails when the journey is too short, or
// when no two events differ in what the fault would exchange.
func Inject(j *features.Journey, fault Fault, random *rand.Rand) (*features.Journey, []int, error) {
	n := len(j.Events)
	if n < 2 {
		return nil, nil, fmt.Errorf("synthetic: journey %s has %d events, want at least 2 for the fault %s", j.Customer, n, fault)
	}
	at, faulty, ok := 0, 1, true
	events := slices.Clone(j.Events)
	switch fault {
	case Skip:
		at = random.IntN(n)
		events = slices.Delete(events, at, at+1)
		faulty = min(1, len(events)-at)
	case Insert:
		at = 1 + random.IntN(n)
		events = repeat(events, random.IntN(n), 1, at)
	case Rework:
		length := min(2+random.IntN(2), n)
		first := random.IntN(n - length + 1)
		at, faulty = first+length, length
		events = repeat(events, first, length, at)
	case Early, Late:
		at, ok = move(events, fault, random)
	case Swap:
		at, ok = swap(events, random)
	default:
		return nil, nil, fmt.Errorf("synthetic: fault is %q, want one of %q", fault, Faults)
	}
	if !ok {
		return nil, nil, fmt.Errorf("synthetic: journey %s: all events are alike, want two that differ for the fault %s", j.Customer, fault)
	}
	var positions []int
	for i := range faulty {
		positions = append(positions, at+i)
	}
	return &features.Journey{Customer: j.Customer, Profile: j.Profile, Events: events}, positions, nil
}

// repeat inserts a copy of the events [first, first+length) at position at, 1 or more.
func repeat(events []features.Event, first, length, at int) []features.Event {
	copies := slices.Clone(events[first : first+length])
	for i := range copies {
		copies[i].Time, copies[i].Offset = events[at-1].Time, events[at-1].Offset
	}
	return slices.Insert(events, at, copies...)
}

// move exchanges the places of two events of different types: the later one
// comes early, or the earlier one late, and those between move up. The times
// stay where they are. The place of the moved event is returned.
func move(events []features.Event, fault Fault, random *rand.Rand) (int, bool) {
	first, second, ok := pair(len(events), random, func(i, k int) bool { return events[i].Type != events[k].Type })
	if !ok {
		return 0, false
	}
	clock := slices.Clone(events[first : second+1])
	moved := slices.Clone(clock)
	if fault == Early {
		moved = append(moved[len(moved)-1:], moved[:len(moved)-1]...)
	} else {
		moved = append(moved[1:], moved[0])
	}
	for i := range moved {
		moved[i].Time, moved[i].Offset = clock[i].Time, clock[i].Offset
	}
	copy(events[first:], moved)
	if fault == Late {
		return second, true
	}
	return first, true
}

// swap gives one event another one's value of an attribute.
func swap(events []features.Event, random *rand.Rand) (int, bool) {
	fields := len(events[0].Values)
	for _, field := range random.Perm(fields) {
		differ := func(i, k int) bool { return !same(events[i].Values[field], events[k].Values[field]) }
		if first, second, ok := pair(len(events), random, differ); ok {
			events[first].Values = slices.Clone(events[first].Values)
			events[first].Values[field] = events[second].Values[field]
			return first, true
		}
	}
	return 0, false
}

func same(a, b features.Value) bool {
	return a.Text == b.Text && (a.Number == b.Number || math.IsNaN(a.Number) && math.IsNaN(b.Number))
}

// pair is a random pair of positions, first < second, that differ; every pair
// is tried, in an order that chance begins.
func pair(n int, random *rand.Rand, differ func(i, k int) bool) (first, second int, ok bool) {
	begin := random.IntN(n)
	step := 1 + random.IntN(n-1)
	for turn := range n {
		for shift := range n - 1 {
			i := (begin + turn) % n
			k := (i + 1 + (step-1+shift)%(n-1)) % n
			if differ(i, k) {
				return min(i, k), max(i, k), true
			}
		}
	}
	return 0, 0, false
}
