package features

import (
	"math"
	"slices"
)

// rhythmStats gathers what training shows of time.
type rhythmStats struct {
	clock   bool
	first   int64 // the first cutoff met
	moments bool  // the cutoffs differ
	cuts    int
	cutoffs map[int64]int // cutoffs by day
	// Sums over gaps are kept as whole numbers, which add up alike in any order.
	gaps, logs, logSquares int64
}

// gapUnit is one in the sums of logarithms. Squares of logarithms stay below
// 1000, so that a billion gaps fit.
const gapUnit = 1 << 16

// add meets an example with events, of which the first seen ones are known
// from earlier cuts of the journey.
func (s *rhythmStats) add(events []Event, seen int, at int64) {
	if len(events) == 0 {
		return
	}
	if s.cuts == 0 {
		s.first = at
	}
	s.moments = s.moments || at != s.first
	s.cuts++
	s.cutoffs[floorDiv(at, Day)]++
	for i := seen; i < len(events); i++ {
		now := instant{events[i].Time, events[i].Offset}
		s.clock = s.clock || now.hour() != 0
		if i > 0 {
			log := logSeconds(max(0, boundTime(now.time)-boundTime(events[i-1].Time)))
			s.gaps++
			s.logs += int64(math.Round(log * gapUnit))
			s.logSquares += int64(math.Round(log * log * gapUnit))
		}
	}
}

// close sums up.
func (s *rhythmStats) close() Rhythms {
	days := s.covered()
	r := Rhythms{
		Clock: s.clock, MonthDays: days >= 45, Months: days >= 548, OneMoment: s.cuts > 0 && !s.moments,
		LogGapVariance: 1,
	}
	if s.gaps > 0 {
		n := float64(s.gaps) * gapUnit
		r.LogGapMean = float64(s.logs) / n
		r.LogGapVariance = max(0, float64(s.logSquares)/n-r.LogGapMean*r.LogGapMean)
	}
	return r
}

// covered is the number of days that the cutoffs span, without the first and
// the last hundredth of them, where wrong dates gather.
func (s *rhythmStats) covered() int64 {
	var days []int64
	for day := range s.cutoffs {
		days = append(days, day)
	}
	slices.Sort(days)
	below, low, high := 0, int64(0), int64(0)
	for _, day := range days {
		if below <= s.cuts/100 {
			low = day
		}
		if below < s.cuts-s.cuts/100 {
			high = day
		}
		below += s.cutoffs[day]
	}
	return high - low
}
