package features

import (
	"math"
	"slices"
)

// A family is one row of the table of features: its columns, and the functions
// that write them in the same order. Adding an aggregate is adding a row.
type family struct {
	name    string
	events  bool // drawn only where training had events
	columns func(s *Schema) []Column
	numbers func(e *Encoder, row []float32) []float32 // appends the numeric columns; nil for none
	ids     func(e *Encoder, row []int32) []int32     // appends the categorical columns; nil for none
	levels  func(s *Schema) [][]string                // known levels of the categorical columns
}

// families lists all features. Durations are in days, times of day in hours.
// A number that does not exist yet (the first purchase before any purchase,
// the deviation of one gap) is missing.
var families []family

func init() {
	families = []family{
		{name: "profile", columns: profileColumns, numbers: profileNumbers, ids: profileIDs, levels: profileLevels},
		{name: "volume", events: true, columns: timing("events", "active_days", "event_types"), numbers: volume},
		{name: "tenure", events: true, columns: timing("tenure_days", "recency_days"), numbers: tenure},
		{name: "gaps", events: true, columns: timing("gap_mean_days", "gap_sd_days", "gap_max_days", "gap_last_days", "gap_last_to_mean", "recency_to_gap_mean"), numbers: gaps},
		{name: "clock", events: true, columns: timing("last_hour", "last_weekday", "first_hour", "first_weekday"), numbers: clock},
		{name: "last type", events: true, columns: lastTypeColumns, ids: lastTypeID, levels: lastTypeLevels},
		{name: "type counts", events: true, columns: typeCountColumns, numbers: typeCounts},
		{name: "type firsts", events: true, columns: typeColumns("first_days"), numbers: typeFirsts},
		{name: "type recencies", events: true, columns: typeColumns("recency_days"), numbers: typeRecencies},
		{name: "numbers", events: true, columns: numberColumns("sum", "mean", "last", "min", "max", "trend"), numbers: numberAggregates},
		{name: "last category", events: true, columns: lastCategoryColumns, ids: lastCategoryIDs, levels: lastCategoryLevels},
		{name: "category counts", events: true, columns: categoryCountColumns, numbers: categoryCounts},
		{name: "windows", events: true, columns: windowColumns(""), numbers: windowAggregates},
		{name: "window trends", events: true, columns: windowColumns("change_"), numbers: windowTrends},
	}
}

// Families names the families of features, in column order.
func Families() []string {
	var names []string
	for _, f := range families {
		names = append(names, f.name)
	}
	return names
}

func isFamily(name string) bool { return slices.Contains(Families(), name) }

// timing makes columns of the journey's own rhythm.
func timing(names ...string) func(*Schema) []Column {
	return func(*Schema) []Column { return grouped("timing", names...) }
}

// grouped names numeric columns of one group.
func grouped(group string, names ...string) []Column {
	var columns []Column
	for _, name := range names {
		columns = append(columns, Column{Name: group + "/" + name, Group: group, Kind: Numeric})
	}
	return columns
}

// The static profile, in its own units.

func profileColumns(s *Schema) []Column {
	var columns []Column
	for _, code := range s.compiled.profile {
		columns = append(columns, Column{Name: code.Name, Group: code.Name, Kind: code.Kind})
	}
	return columns
}

func profileNumbers(e *Encoder, row []float32) []float32 {
	for i := range e.profile {
		if e.schema.profile[i].Kind == Numeric {
			row = append(row, narrow(number(e.profile[i])))
		}
	}
	return row
}

func profileIDs(e *Encoder, row []int32) []int32 {
	for i := range e.profile {
		if code := &e.schema.profile[i]; code.Kind == Categorical {
			row = append(row, idOf(code.ids, e.profile[i].Text))
		}
	}
	return row
}

func profileLevels(s *Schema) [][]string {
	var levels [][]string
	for _, code := range s.compiled.profile {
		if code.Kind == Categorical {
			levels = append(levels, code.Levels)
		}
	}
	return levels
}

// How much happened.

func volume(e *Encoder, row []float32) []float32 {
	met := 0
	for i := range e.types {
		if e.types[i].count > 0 {
			met++ // all infrequent types together are one
		}
	}
	return append(row, float32(e.count), float32(e.days), float32(met))
}

// How long the journey is and how long ago its last event was.

func tenure(e *Encoder, row []float32) []float32 {
	if e.count == 0 {
		return append(row, missing, missing)
	}
	return append(row, narrow(inDays(e.at-e.first.time)), narrow(inDays(e.at-e.last.time)))
}

// The rhythm: days between events, and the last gap and the present silence in
// units of the mean gap.

func gaps(e *Encoder, row []float32) []float32 {
	g := &e.gaps
	if g.count == 0 {
		return append(row, missing, missing, missing, missing, missing, missing)
	}
	deviation := missing
	if g.count > 1 {
		deviation = narrow(math.Sqrt(g.squares / float64(g.count)))
	}
	return append(row, narrow(g.mean), deviation, narrow(g.max), narrow(g.last),
		ratio(g.last, g.mean), ratio(inDays(e.at-e.last.time), g.mean))
}

// The local time of day and weekday of the last and of the first event.

func clock(e *Encoder, row []float32) []float32 {
	if e.count == 0 {
		return append(row, missing, missing, missing, missing)
	}
	return append(row, float32(e.last.hour()), float32(e.last.weekday()), float32(e.first.hour()), float32(e.first.weekday()))
}

// The type of the last event.

func lastTypeColumns(*Schema) []Column {
	return []Column{{Name: "timing/last_type", Group: "timing", Kind: Categorical}}
}

func lastTypeID(e *Encoder, row []int32) []int32 { return append(row, e.lastType) }

func lastTypeLevels(s *Schema) [][]string { return [][]string{s.Types} }

// Per frequent event type: how often, how long after the journey's start for
// the first time, how long ago for the last time. All other types count
// together.

func typeColumns(name string) func(*Schema) []Column {
	return func(s *Schema) []Column {
		var columns []Column
		for _, kind := range s.Types[:s.Frequent] {
			columns = append(columns, grouped("event:"+kind, name)...)
		}
		return columns
	}
}

func typeCountColumns(s *Schema) []Column {
	return append(typeColumns("count")(s), grouped("timing", "other_events")...)
}

func typeCounts(e *Encoder, row []float32) []float32 {
	for i := range e.types {
		row = append(row, float32(e.types[i].count))
	}
	return row
}

func typeFirsts(e *Encoder, row []float32) []float32 {
	for i := range e.types[:len(e.types)-1] {
		if t := &e.types[i]; t.count > 0 {
			row = append(row, narrow(inDays(t.first-e.first.time)))
		} else {
			row = append(row, missing)
		}
	}
	return row
}

func typeRecencies(e *Encoder, row []float32) []float32 {
	for i := range e.types[:len(e.types)-1] {
		if t := &e.types[i]; t.count > 0 {
			row = append(row, narrow(inDays(e.at-t.last)))
		} else {
			row = append(row, missing)
		}
	}
	return row
}

// Per numeric attribute, over the whole journey; the trend is the least-squares
// slope per event.

func numberColumns(names ...string) func(*Schema) []Column {
	return func(s *Schema) []Column {
		var columns []Column
		for _, code := range s.compiled.numbers {
			columns = append(columns, grouped("attribute:"+code.Name, names...)...)
		}
		return columns
	}
}

func numberAggregates(e *Encoder, row []float32) []float32 {
	for i := range e.numbers {
		n := &e.numbers[i]
		if n.count == 0 {
			row = append(row, 0, missing, missing, missing, missing, missing)
			continue
		}
		row = append(row, narrow(n.sum), narrow(n.mean), narrow(n.last), narrow(n.low), narrow(n.high), narrow(n.trend()))
	}
	return row
}

// Per categorical attribute: the last value, the number of different ones and,
// where there are few, how often each occurred.

func lastCategoryColumns(s *Schema) []Column {
	var columns []Column
	for _, code := range s.compiled.categories {
		group := "attribute:" + code.Name
		columns = append(columns, Column{Name: group + "/last", Group: group, Kind: Categorical})
	}
	return columns
}

func lastCategoryIDs(e *Encoder, row []int32) []int32 {
	for i := range e.categories {
		row = append(row, e.categories[i].last)
	}
	return row
}

func lastCategoryLevels(s *Schema) [][]string {
	var levels [][]string
	for _, code := range s.compiled.categories {
		levels = append(levels, code.Levels)
	}
	return levels
}

func categoryCountColumns(s *Schema) []Column {
	var columns []Column
	for _, code := range s.compiled.categories {
		group := "attribute:" + code.Name
		columns = append(columns, grouped(group, "distinct")...)
		if len(code.Levels) > s.Options.LevelCounts {
			continue // many sparse counts are noise: they cost accuracy
		}
		for _, level := range code.Levels {
			columns = append(columns, grouped(group, "count("+level+")")...)
		}
	}
	return columns
}

func categoryCounts(e *Encoder, row []float32) []float32 {
	for i := range e.categories {
		row = append(row, float32(e.categories[i].distinct))
		for _, count := range e.categories[i].counts {
			row = append(row, float32(count))
		}
	}
	return row
}

// Per window before the cutoff: the events, those of the most frequent types,
// and the sum of each numeric attribute; and how much each exceeds its value
// in the window before that one.

func windowColumns(prefix string) func(*Schema) []Column {
	return func(s *Schema) []Column {
		var columns []Column
		for _, window := range s.Windows {
			suffix := "_" + FormatDuration(window)
			columns = append(columns, grouped("timing", prefix+"events"+suffix)...)
			for _, kind := range s.Types[:s.windowTypes()] {
				columns = append(columns, grouped("event:"+kind, prefix+"count"+suffix)...)
			}
			for _, code := range s.compiled.numbers {
				columns = append(columns, grouped("attribute:"+code.Name, prefix+"sum"+suffix)...)
			}
		}
		return columns
	}
}

func windowAggregates(e *Encoder, row []float32) []float32 {
	return e.windows.write(row, e.windows.cell)
}

func windowTrends(e *Encoder, row []float32) []float32 {
	w := &e.windows
	return w.write(row, func(window, position int) windowCell {
		now, before := w.cell(window, position), w.before(window, position)
		return windowCell{now.count - before.count, now.sum - before.sum}
	})
}

// write appends one number a cell: a count for events and types, a sum for
// attributes.
func (w *windowSums) write(row []float32, cell func(window, position int) windowCell) []float32 {
	for window := range w.windows {
		for position := range w.stride() {
			if c := cell(window, position); position <= w.types {
				row = append(row, float32(c.count))
			} else {
				row = append(row, narrow(c.sum))
			}
		}
	}
	return row
}

// missing marks what does not exist.
var missing = float32(math.NaN())

// ratio is a/b, missing where b is 0.
func ratio(a, b float64) float32 {
	if b == 0 {
		return missing
	}
	return narrow(a / b)
}
