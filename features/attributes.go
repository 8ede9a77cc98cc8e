package features

import "math"

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

// Per numeric attribute, over the whole journey, in its own unit: change is the
// mean absolute difference between neighbours, trend the least-squares slope
// per event, and variation the deviation in units of the mean.

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
			row = appendMissing(append(row, 0), 9)
			continue
		}
		spread := n.deviation()
		row = append(row, narrow(n.sum), narrow(n.mean), narrow(n.last), narrow(n.low), narrow(n.high),
			narrow(spread), ratio(spread, math.Abs(n.mean)), narrow(n.last-n.mean),
			ratio(n.changes, float64(n.count-1)), narrow(n.trend()))
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
