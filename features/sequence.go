package features

import "math"

// A Sequence is the last T events of a journey, oldest first, as ids and
// numbers for a recurrent network. Every slice is row-major with T rows.
type Sequence struct {
	Steps    int       // T, up to Options.Sequence
	Type     []int32   // (T) ids of the event types
	Category []int32   // (T, C) ids of the kept categorical attributes
	Amount   []float32 // (T, A) signed log1p of the kept numeric attributes, NaN missing
	Gap      []float32 // (T) log1p of the seconds since the previous event, 0 for the journey's first
	Elapsed  []float32 // (T) log1p of the seconds since the journey's first event
	ToCutoff []float32 // (T) log1p of the seconds until the cutoff
	Hour     []float32 // (T) local time of day in hours, 0 to 24
	Weekday  []float32 // (T) 0 on Monday to 6 on Sunday, local
}

// sequence writes the last events.
func (t *tail) sequence(e *Encoder, s *Sequence) {
	*s = Sequence{
		Type: s.Type[:0], Category: s.Category[:0], Amount: s.Amount[:0], Gap: s.Gap[:0],
		Elapsed: s.Elapsed[:0], ToCutoff: s.ToCutoff[:0], Hour: s.Hour[:0], Weekday: s.Weekday[:0],
	}
	steps := min(max(t.steps-1, 0), len(t.times)-t.head)
	if steps == 0 {
		return
	}
	from := len(t.times) - steps
	s.Steps = steps
	s.Type = append(s.Type, t.types[from:]...)
	s.Category = append(s.Category, t.ids[from*t.depth:]...)
	for _, x := range t.numbers[from*t.width:] {
		s.Amount = append(s.Amount, float32(math.Copysign(math.Log1p(math.Abs(x)), x)))
	}
	for i := from; i < len(t.times); i++ {
		now, gap := t.times[i], int64(0)
		if i > t.head {
			gap = now.time - t.times[i-1].time
		}
		s.Gap = append(s.Gap, logSeconds(gap))
		s.Elapsed = append(s.Elapsed, logSeconds(now.time-e.first.time))
		s.ToCutoff = append(s.ToCutoff, logSeconds(e.at-now.time))
		s.Hour = append(s.Hour, float32(now.hour()))
		s.Weekday = append(s.Weekday, float32(now.weekday()))
	}
}

// logSeconds is log1p of microseconds as seconds.
func logSeconds(micros int64) float32 {
	return float32(math.Log1p(float64(micros) / float64(Second)))
}
