package features

import (
	"math"
	"sort"
)

// How much happened.

func volume(e *Encoder, row []float32) []float32 {
	met := 0
	for i := range e.types {
		if e.types[i].count > 0 {
			met++ // all infrequent types together are one
		}
	}
	return append(row, float32(e.count), float32(e.rhythm.days), float32(e.rhythm.hours), float32(met))
}

// How long the journey is, how long ago its last event was, and two readings of
// that silence: the share of the tenure that lies between the first event and
// the last, and that share's logarithm times the number of repetitions. The
// latter is how the silence enters the odds of being alive in the Pareto/NBD
// model (Schmittlein, Morrison and Colombo, "Counting Your Customers", 1987).

func tenure(e *Encoder, row []float32) []float32 {
	if e.count == 0 {
		return appendMissing(row, 4)
	}
	tenure, span := e.at-e.first.time, e.last.time-e.first.time
	alive := float64(e.count-1) * math.Log(float64(max(span, Second))/float64(max(tenure, Second)))
	return append(row, narrow(inDays(tenure)), narrow(inDays(e.at-e.last.time)),
		ratio(float64(span), float64(tenure)), narrow(alive))
}

// The rhythm: days between events, and the last gap and the present silence in
// units of the mean gap.

func gaps(e *Encoder, row []float32) []float32 {
	r := &e.rhythm
	if r.gaps == 0 {
		return appendMissing(row, 9)
	}
	second := missing
	if r.gaps > 1 {
		second = narrow(r.openings[1])
	}
	return append(row, narrow(r.mean), narrow(deviation(r.squares, r.gaps)), narrow(r.min), narrow(r.max),
		narrow(r.last), narrow(r.openings[0]), second,
		ratio(r.last, r.mean), ratio(inDays(e.at-e.last.time), r.mean))
}

// Sessions, which half an hour of silence parts: how many, the events of a
// session, of the first one and of the last one.

func sessions(e *Encoder, row []float32) []float32 {
	r := &e.rhythm
	return append(row, float32(r.sessions), ratio(float64(e.count), float64(r.sessions)),
		float32(r.firstSession), float32(r.lastSession))
}

// The local time of day and weekday of the last and of the first event.

func clock(e *Encoder, row []float32) []float32 {
	if e.count == 0 {
		return appendMissing(row, 4)
	}
	return append(row, float32(e.last.hour()), float32(e.last.weekday()), float32(e.first.hour()), float32(e.first.weekday()))
}

// The events in each quarter of the tenure, oldest first. Of a journey of more
// events than Options.Tail the oldest count to the first quarter.

func quarters(e *Encoder, row []float32) []float32 {
	times := e.tail.times[e.tail.head:]
	before, quarter := 0, (e.at-e.first.time)/4
	for k := range int64(4) {
		after := e.count
		if k < 3 {
			end := e.first.time + quarter*(k+1)
			after -= len(times) - sort.Search(len(times), func(i int) bool { return times[i].time >= end })
		}
		row = append(row, float32(after-before))
		before = after
	}
	return row
}

// The events within each window after the first event.

func earlyColumns(s *Schema) []Column {
	var columns []Column
	for _, window := range s.Windows {
		columns = append(columns, grouped("timing", "events_first_"+FormatDuration(window))...)
	}
	return columns
}

func early(e *Encoder, row []float32) []float32 {
	for _, count := range e.rhythm.early {
		row = append(row, float32(count))
	}
	return row
}
