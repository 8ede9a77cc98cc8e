package features

import (
	"math"
	"slices"
)

// windowLadder are the windows to choose from.
var windowLadder = [windowRungs - 2]int64{
	Minute, 5 * Minute, 15 * Minute, Hour, 3 * Hour, 6 * Hour, 12 * Hour,
	Day, 2 * Day, 3 * Day, 7 * Day, 14 * Day, 30 * Day, 60 * Day, 90 * Day, 180 * Day, 365 * Day, 730 * Day,
}

// windowRungs are the ladder with the instant of the cutoff before it and the
// whole lifetime behind it.
const windowRungs = 20

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
		rung = rungFrom(rung, age)
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

// rungFrom is the first rung from one on that holds an age.
func rungFrom(rung int, age int64) int {
	for rung < windowRungs-1 && age >= rungLength(rung) {
		rung++
	}
	return rung
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

// windowSums counts and sums the tail over the windows at one moment.
//
// They are summed anew at each Encode, from the newest event to the oldest:
// sums kept by adding and subtracting would depend on when Encode was called.
type windowSums struct {
	edges []int64      // ascending ages at which a window, or the one before it, ends
	ends  [][2]int     // of each window: the edges of it and of twice its length
	types int          // event types that are counted, the first ones
	width int          // numeric attributes
	cells []windowCell // (edges, 1+types+width): all events, each type, each attribute
}

// A windowCell counts and sums from age 0 to an edge.
type windowCell struct {
	count int
	sum   float64
}

func (w *windowSums) init(s *Schema) {
	w.types, w.width = s.windowTypes(), len(s.compiled.numbers)
	for _, window := range s.Windows {
		w.edges = append(w.edges, window, 2*window)
	}
	slices.Sort(w.edges)
	w.edges = slices.Compact(w.edges)
	for _, window := range s.Windows {
		w.ends = append(w.ends, [2]int{slices.Index(w.edges, window), slices.Index(w.edges, 2*window)})
	}
	w.cells = make([]windowCell, len(w.edges)*w.stride())
}

func (w *windowSums) stride() int { return 1 + w.types + w.width }

// sum fills the cells for the encoder's moment.
func (w *windowSums) sum(e *Encoder) {
	clear(w.cells)
	if len(w.edges) == 0 {
		return
	}
	t, edge, stride := &e.tail, 0, w.stride()
	for i := len(t.times) - 1; i >= len(t.times)-len(t.recent()); i-- {
		age := e.at - t.times[i].time
		for edge < len(w.edges) && age >= w.edges[edge] {
			edge++
		}
		if edge == len(w.edges) {
			break
		}
		cells := w.row(edge)
		cells[0].count++
		if k := int(t.types[i]) - FirstKnownID; k >= 0 && k < w.types && e.open(k, t.times[i].time) {
			cells[1+k].count++
		}
		for k, x := range t.row(i) {
			if !math.IsNaN(x) {
				cells[1+w.types+k].count++
				cells[1+w.types+k].sum += x
			}
		}
	}
	for i := stride; i < len(w.cells); i++ { // from bands of age to everything younger than the edge
		w.cells[i].count += w.cells[i-stride].count
		w.cells[i].sum += w.cells[i-stride].sum
	}
}

// row is the cells of one edge: all events, the types, the attributes.
func (w *windowSums) row(edge int) []windowCell {
	return w.cells[edge*w.stride() : (edge+1)*w.stride()]
}

// windowTypes is the number of event types counted per window.
func (s *Schema) windowTypes() int { return min(s.Frequent, s.Options.WindowTypes) }

// Per window before the cutoff: the events, those of the most frequent types
// that are not answered, and the sum of each numeric attribute; then how much
// the events and the sums exceed those of the window before that one.

func windowColumns(s *Schema) []Column {
	var columns []Column
	for _, window := range s.Windows {
		columns = append(columns, grouped("timing", "events_"+FormatDuration(window))...)
	}
	return columns
}

func windowCounts(e *Encoder, row []float32) []float32 {
	w := &e.windows
	for _, end := range w.ends {
		row = append(row, float32(w.row(end[0])[0].count))
	}
	return row
}

// fewTypesAtOneMoment is where counts per type and window were found to help:
// with one cutoff for all, which no journey's own course has chosen. Without
// them, what an event did is shared out among the types that come along with it.
func fewTypesAtOneMoment(s *Schema) bool {
	return s.Rhythms.OneMoment && s.Frequent <= s.Options.WindowTypes
}

func windowTypeColumns(s *Schema) []Column {
	var columns []Column
	for _, window := range s.Windows {
		length := FormatDuration(window)
		columns = append(columns, typeColumnsUnless(s, s.windowTypes(), "count_"+length, "unanswered_"+length)...)
	}
	return columns
}

func windowTypeCounts(e *Encoder, row []float32) []float32 {
	w := &e.windows
	for _, end := range w.ends {
		for _, cell := range w.row(end[0])[1 : 1+w.types] {
			row = append(row, float32(cell.count))
		}
	}
	return row
}

func windowSumColumns(infix string) func(*Schema) []Column {
	return func(s *Schema) []Column {
		var columns []Column
		for _, window := range s.Windows {
			for _, code := range s.compiled.numbers {
				columns = append(columns, grouped("attribute:"+code.Name, "sum_"+infix+FormatDuration(window))...)
			}
		}
		return columns
	}
}

func windowTotals(e *Encoder, row []float32) []float32 {
	w := &e.windows
	for _, end := range w.ends {
		for _, cell := range w.row(end[0])[1+w.types:] {
			row = append(row, narrow(cell.sum))
		}
	}
	return row
}

func windowTrendColumns(s *Schema) []Column {
	var columns []Column
	for _, window := range s.Windows {
		columns = append(columns, grouped("timing", "events_growth_"+FormatDuration(window))...)
	}
	return append(columns, windowSumColumns("growth_")(s)...)
}

func windowTrends(e *Encoder, row []float32) []float32 {
	w := &e.windows
	for _, end := range w.ends {
		row = append(row, float32(2*w.row(end[0])[0].count-w.row(end[1])[0].count))
	}
	for _, end := range w.ends {
		now, both := w.row(end[0]), w.row(end[1])
		for k := 1 + w.types; k < len(now); k++ {
			row = append(row, narrow(2*now[k].sum-both[k].sum))
		}
	}
	return row
}
