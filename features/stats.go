package features

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// levelStats counts in how many journeys each level appears.
type levelStats struct {
	levels   map[string]*levelCount
	values   int // non-empty cells
	overflow int // cells of levels beyond the most that are kept
}

type levelCount struct {
	journeys int
	call     int // the last Add that met the level
}

const maxCountedLevels = 1 << 20

func newLevelStats() levelStats { return levelStats{levels: make(map[string]*levelCount)} }

// add meets a level during one Add. fresh says that the cell was not part of
// an earlier cut of the same journey; a level counts when its first cell is.
func (s *levelStats) add(level string, call int, fresh bool) {
	if level == "" {
		return
	}
	if fresh {
		s.values++
	}
	count, ok := s.levels[level]
	if !ok {
		if len(s.levels) >= maxCountedLevels {
			s.overflow++
			return
		}
		count = new(levelCount)
		s.levels[strings.Clone(level)] = count // the caller's string may pin a whole row
	}
	if count.call != call {
		count.call = call
		if fresh {
			count.journeys++
		}
	}
}

// distinct is the number of different levels.
func (s *levelStats) distinct() int { return len(s.levels) + s.overflow }

// identifies says whether levels name rows: five or fewer cells a level leave
// nothing to learn about any of them.
func (s *levelStats) identifies() bool {
	return s.values >= 50 && 5*s.distinct() >= s.values
}

// vocabulary lists the levels of MinCount or more journeys by falling number
// of journeys, then by name, beside those numbers.
func (s *levelStats) vocabulary(o Options) (levels []string, journeys []int) {
	merged := make(map[string]int, len(s.levels)) // damaged texts may become equal
	for level, count := range s.levels {
		merged[validText(level)] += count.journeys
	}
	for level, count := range merged {
		if count >= o.MinCount {
			levels = append(levels, level)
		}
	}
	slices.SortFunc(levels, func(a, b string) int {
		return cmp.Or(cmp.Compare(merged[b], merged[a]), cmp.Compare(a, b))
	})
	levels = slices.Clip(levels[:min(len(levels), o.MaxLevels)])
	for _, level := range levels {
		journeys = append(journeys, merged[level])
	}
	return levels, journeys
}

// numberStats sees whether numbers vary and whether they number rows.
type numberStats struct {
	values   int
	low      float64
	high     float64
	whole    bool // so far all whole and all different
	distinct map[float64]struct{}
	grades   map[float64]struct{} // the different values while they may be those of a rating
	measures bool                 // they are not
}

const maxCountedNumbers = 1 << 17

func (s *numberStats) add(x float64) {
	if s.values == 0 {
		s.low, s.high, s.whole, s.distinct = x, x, true, make(map[float64]struct{})
	}
	s.values++
	s.grade(x)
	s.low, s.high = min(s.low, x), max(s.high, x)
	if !s.whole || len(s.distinct) >= maxCountedNumbers {
		return
	}
	if _, twice := s.distinct[x]; twice || x != math.Trunc(x) {
		s.whole, s.distinct = false, nil
		return
	}
	s.distinct[x] = struct{}{}
}

// maxGrades is the most values of a rating.
const maxGrades = 10

// grade remembers the values of what may be a rating: few whole numbers.
func (s *numberStats) grade(x float64) {
	if s.measures {
		return
	}
	if s.grades == nil {
		s.grades = make(map[float64]struct{})
	}
	s.grades[x] = struct{}{}
	if x != math.Trunc(x) || len(s.grades) > maxGrades {
		s.measures, s.grades = true, nil
	}
}

// rates says whether the numbers were those of a rating.
func (s *numberStats) rates() bool { return len(s.grades) > 1 }

// identifies says whether the numbers are whole and all different although
// chance would have repeated some: n draws from a range of r values are all
// different with a probability of about exp(-n²/2r), and of all distributions
// the even one repeats least. Customer and row numbers are found this way,
// amounts in cents and times of registration are not.
func (s *numberStats) identifies() bool {
	n := float64(len(s.distinct))
	return s.whole && n*n/(2*(s.high-s.low+1)) >= 20
}

// fieldStats gathers one field; which half it uses depends on the kind.
type fieldStats struct {
	kind    Kind
	missing int
	levels  levelStats
	numbers numberStats
}

func newFieldStats(fields []Field) []fieldStats {
	stats := make([]fieldStats, len(fields))
	for i, field := range fields {
		stats[i] = fieldStats{kind: field.Kind, levels: newLevelStats()}
	}
	return stats
}

func (f *fieldStats) add(v Value, call int, fresh bool) {
	x := number(v)
	empty := f.kind == Categorical && v.Text == "" || f.kind == Numeric && math.IsNaN(x)
	switch {
	case empty && fresh:
		f.missing++
	case empty:
	case f.kind == Categorical:
		f.levels.add(v.Text, call, fresh)
	case fresh:
		f.numbers.add(x)
	}
}

// dropped is the reason why the field gets no columns, "" when it does.
func (f *fieldStats) dropped() string {
	varies := f.levels.distinct() > 1 || f.numbers.low != f.numbers.high
	switch {
	case f.levels.values+f.numbers.values == 0:
		return DroppedMissing
	case !varies && f.missing == 0:
		return DroppedConstant
	case f.levels.identifies() || f.numbers.identifies():
		return DroppedIdentifier
	}
	return ""
}

// summarise closes the statistics of fields.
func summarise(stats []fieldStats, fields []Field, o Options) []FieldSummary {
	summaries := make([]FieldSummary, len(fields))
	for i, field := range fields {
		summary := FieldSummary{Name: field.Name, Kind: field.Kind, Dropped: stats[i].dropped()}
		if field.Kind == Categorical && summary.Dropped == "" {
			summary.Levels, _ = stats[i].levels.vocabulary(o)
		}
		summaries[i] = summary
	}
	return summaries
}

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
