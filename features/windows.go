package features

import "slices"

// windowLadder are the windows to choose from.
var windowLadder = []int64{Hour, 6 * Hour, Day, 7 * Day, 30 * Day, 90 * Day, 180 * Day, 365 * Day}

// windowRungs are the ladder with the instant of the cutoff before it and the
// whole lifetime behind it.
const windowRungs = 10

// windowStats counts the examples in which two windows hold different numbers
// of events: windows that nearly never differ say the same.
type windowStats struct {
	examples int
	differ   [windowRungs][windowRungs]int // [a][b] for a < b
}

// add compares the windows of one example that has events.
func (s *windowStats) add(events []Event, at int64) {
	if len(events) == 0 {
		return
	}
	s.examples++
	var counts [windowRungs]int
	counts[windowRungs-1] = len(events)
	rung := 0
	for i := len(events) - 1; i >= 0; i-- {
		age := at - events[i].Time
		for rung < windowRungs-1 && age >= rungLength(rung) {
			rung++
		}
		if rung == windowRungs-1 {
			break
		}
		counts[rung]++
	}
	for a := range windowRungs - 1 {
		if a > 0 {
			counts[a] += counts[a-1]
		}
	}
	for a := range windowRungs {
		for b := a + 1; b < windowRungs; b++ {
			if counts[a] != counts[b] {
				s.differ[a][b]++
			}
		}
	}
}

// rungLength is a rung in microseconds; the first holds the instant alone.
func rungLength(rung int) int64 {
	if rung == 0 {
		return 1
	}
	return windowLadder[rung-1]
}

// choose keeps the windows that differ from each other, from the instant and
// from the lifetime in a twentieth of the examples, and of those the most
// different ones.
func (s *windowStats) choose(most int) []int64 {
	least := max(1, s.examples/20)
	const lifetime = windowRungs - 1
	kept := []int{0}
	for rung := 1; rung < lifetime; rung++ {
		if s.differ[kept[len(kept)-1]][rung] >= least && s.differ[rung][lifetime] >= least {
			kept = append(kept, rung)
		}
	}
	kept = append(kept, lifetime)
	for len(kept)-2 > most {
		kept = slices.Delete(kept, s.dullest(kept), s.dullest(kept)+1)
	}
	var windows []int64
	for _, rung := range kept[1 : len(kept)-1] {
		windows = append(windows, rungLength(rung))
	}
	return windows
}

// dullest is the position of the inner rung closest to one of its neighbours.
func (s *windowStats) dullest(kept []int) int {
	best, at := s.examples+1, 1
	for i := 1; i < len(kept)-1; i++ {
		near := min(s.differ[kept[i-1]][kept[i]], s.differ[kept[i]][kept[i+1]])
		if near < best {
			best, at = near, i
		}
	}
	return at
}
