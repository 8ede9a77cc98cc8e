package features

import "math"

// The type of the last event.

func lastTypeColumns(*Schema) []Column {
	return []Column{{Name: "timing/last_type", Group: "timing", Kind: Categorical}}
}

func lastTypeID(e *Encoder, row []int32) []int32 { return append(row, e.lastIDs[0]) }

func lastTypeLevels(s *Schema) [][]string { return [][]string{s.Types} }

// Per frequent event type: how often, how long after the journey's start for
// the first time, how long ago for the last time, if it is not answered. All
// other types count together.

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
		if t := &e.types[i]; t.count > 0 || t.begun {
			row = append(row, narrow(inDays(t.first-e.start.time)))
		} else {
			row = append(row, missing)
		}
	}
	return row
}

func typeRecencyColumns(s *Schema) []Column {
	return typeColumnsUnless(s, s.Frequent, "recency_days", "unanswered_days")
}

func typeRecencies(e *Encoder, row []float32) []float32 {
	for i := range e.types[:len(e.types)-1] {
		t := &e.types[i]
		row = append(row, e.daysSince(t.last, t.count > 0 && e.open(i, t.last)))
	}
	return row
}

// Per numeric attribute, over the whole journey, in its own unit: variation is
// the deviation in units of the mean, the changes are differences between
// neighbours (the mean one in size, the last one with its sign), and rises is
// the share of them that are positive.

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
			row = appendMissing(append(row, 0), 10)
			continue
		}
		spread, steps, last := n.deviation(), float64(n.count-1), missing
		if n.count > 1 {
			last = narrow(n.change)
		}
		row = append(row, narrow(n.sum), narrow(n.mean), narrow(n.last), narrow(n.low), narrow(n.high),
			narrow(spread), ratio(spread, math.Abs(n.mean)), narrow(n.last-n.mean),
			ratio(n.changes, steps), last, ratio(float64(n.rises), steps))
	}
	return row
}

// Per categorical attribute: the last value and, where there are few levels,
// how often each occurred; else the number of different ones, since many sparse
// counts are noise that costs accuracy.

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
		if len(code.Levels) > s.Options.LevelCounts {
			columns = append(columns, grouped(group, "distinct")...)
			continue
		}
		for _, level := range code.Levels {
			columns = append(columns, grouped(group, "count("+level+")")...)
		}
	}
	return columns
}

// Per level of the attributes that are dated: how long ago it was met last. A
// rating has two, what lies below the middle of its range and what lies above.

func levelRecencyColumns(s *Schema) []Column {
	var columns []Column
	for _, code := range s.compiled.categories {
		if !code.Dated {
			continue
		}
		for _, level := range code.Levels {
			columns = append(columns, grouped("attribute:"+code.Name, "recency_days("+level+")")...)
		}
	}
	for _, code := range s.compiled.numbers {
		if code.Dated {
			columns = append(columns, grouped("attribute:"+code.Name, "recency_days(below middle)", "recency_days(above middle)")...)
		}
	}
	return columns
}

func levelRecencies(e *Encoder, row []float32) []float32 {
	for i := range e.categories {
		for k, last := range e.categories[i].lasts {
			row = append(row, e.daysSince(last, e.categories[i].counts[k] > 0))
		}
	}
	for i := range e.numbers {
		if n := &e.numbers[i]; e.schema.numbers[i].Dated {
			row = append(row, e.daysSince(n.lastBelow, n.below > 0), e.daysSince(n.lastAbove, n.above > 0))
		}
	}
	return row
}

// daysSince is how long ago something was, missing where it never was.
func (e *Encoder) daysSince(time int64, was bool) float32 {
	if !was {
		return missing
	}
	return narrow(inDays(e.at - time))
}

func categoryCounts(e *Encoder, row []float32) []float32 {
	for i := range e.categories {
		c := &e.categories[i]
		if !c.counted {
			row = append(row, float32(c.distinct))
		}
		for _, count := range c.counts {
			row = append(row, float32(count))
		}
	}
	return row
}
