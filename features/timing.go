package features

import (
	"math"
	"slices"
	"sort"
	"time"
)

// How much happened.

func volume(e *Encoder, row []float32) []float32 {
	return append(row, float32(e.count), float32(e.rhythm.days), ratio(float64(e.count), float64(e.rhythm.days)))
}

// How long the journey is and how long ago its last event was.

func tenure(e *Encoder, row []float32) []float32 {
	if e.count == 0 {
		return appendMissing(row, 2)
	}
	return append(row, narrow(inDays(e.at-e.start.time)), narrow(inDays(e.at-e.last.time)))
}

// The days between events. The median is that of the last Options.Tail events.

func gaps(e *Encoder, row []float32) []float32 {
	r := &e.rhythm
	if r.gaps == 0 {
		return appendMissing(row, 5)
	}
	return append(row, narrow(inDays(r.last)), narrow(e.meanGap()), narrow(inDays(r.min)), narrow(inDays(r.max)), narrow(e.medianGap()))
}

// meanGap is in days; there must be a gap.
func (e *Encoder) meanGap() float64 {
	return inDays(e.last.time-e.first.time) / float64(e.rhythm.gaps)
}

// medianGap is in days; the mean of the two middle ones where there are two.
func (e *Encoder) medianGap() float64 {
	times := e.tail.recent()
	e.gaps = e.gaps[:0]
	for i := 1; i < len(times); i++ {
		e.gaps = append(e.gaps, times[i].time-times[i-1].time)
	}
	if len(e.gaps) == 0 {
		return math.NaN()
	}
	slices.Sort(e.gaps)
	return (inDays(e.gaps[(len(e.gaps)-1)/2]) + inDays(e.gaps[len(e.gaps)/2])) / 2
}

// The present silence in units of the journey's own rhythm: of its mean and of
// its longest gap; the share of the tenure between the first and the last
// event; the events per day; that share's logarithm times the number of
// repetitions, which is how silence enters the odds of being alive in the
// Pareto/NBD model (Schmittlein, Morrison and Colombo, "Counting Your
// Customers", 1987); and the logarithm of the silence in deviations from the
// mean logarithm of the gaps, to which two gaps as in training are added.

func silence(e *Encoder, row []float32) []float32 {
	if e.count == 0 {
		return appendMissing(row, 6)
	}
	tenure, span, recency := e.at-e.start.time, e.last.time-e.start.time, e.at-e.last.time
	toMean, toMax := missing, missing
	if e.rhythm.gaps > 0 {
		toMean, toMax = ratio(inDays(recency), e.meanGap()), ratio(float64(recency), float64(e.rhythm.max))
	}
	alive := float64(e.count-1) * math.Log(float64(max(span, Second))/float64(max(tenure, Second)))
	return append(row, toMean, toMax, ratio(float64(span), float64(tenure)),
		ratio(float64(e.count), inDays(tenure)), narrow(alive), narrow(e.silenceScore(recency)))
}

// silenceScore is in deviations.
func (e *Encoder) silenceScore(recency int64) float64 {
	const prior = 2
	r, training := &e.rhythm, &e.rhythms
	n := float64(r.gaps)
	mean := (r.logs + prior*training.LogGapMean) / (n + prior)
	squares := r.logSquares + prior*(training.LogGapVariance+training.LogGapMean*training.LogGapMean)
	variance := max(0, squares/(n+prior)-mean*mean)
	return (logSeconds(recency) - mean) / math.Sqrt(variance+1e-9)
}

// Sessions, which half an hour of silence parts: how many, the events of a
// session, of the last one and of the first one. A first session of which
// nothing is left is none to count, but tells how the journey began.

func sessions(e *Encoder, row []float32) []float32 {
	r := &e.rhythm
	left := r.sessions
	if e.begun && r.firstSession == 1 {
		left--
	}
	return append(row, float32(left), ratio(float64(e.count), float64(left)),
		float32(r.lastSession), float32(r.firstSession))
}

// The local time of day and weekday of the last event, and of the first one
// where it is not the last as well. Dates alone have no clock, and their
// weekdays were found to be noise.

func hasClock(s *Schema) bool { return s.Rhythms.Clock }

func clock(e *Encoder, row []float32) []float32 {
	if e.count == 0 {
		return appendMissing(row, 4)
	}
	row = append(row, float32(e.last.hour()), float32(e.last.weekday()))
	if e.start.time == e.last.time {
		return appendMissing(row, 2)
	}
	return append(row, float32(e.start.hour()), float32(e.start.weekday()))
}

// The local day of the month, 1 to 31, and the month, 1 to 12, of the last
// event, where training saw them repeat; else they would only date it.

func seasonColumns(s *Schema) []Column {
	var columns []Column
	if s.Rhythms.MonthDays {
		columns = grouped("timing", "last_month_day")
	}
	if s.Rhythms.Months {
		columns = append(columns, grouped("timing", "last_month")...)
	}
	return columns
}

func season(e *Encoder, row []float32) []float32 {
	month, day := missing, missing
	if e.count > 0 {
		_, m, d := time.UnixMicro(e.last.local()).UTC().Date()
		month, day = float32(m), float32(d)
	}
	if e.rhythms.MonthDays {
		row = append(row, day)
	}
	if e.rhythms.Months {
		row = append(row, month)
	}
	return row
}

// The events in each quarter of the tenure, oldest first. Of a journey of more
// events than Options.Tail the oldest count to the first quarter.

func quarters(e *Encoder, row []float32) []float32 {
	times := e.tail.recent()
	before, quarter := 0, (e.at-e.start.time)/4
	for k := range int64(4) {
		after := e.count
		if k < 3 {
			end := e.start.time + quarter*(k+1)
			after -= len(times) - sort.Search(len(times), func(i int) bool { return times[i].time >= end })
		}
		row = append(row, float32(after-before))
		before = after
	}
	return row
}
