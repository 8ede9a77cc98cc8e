package features

import (
	"math"
	"slices"
)

// A family is one row of the table of features: its columns, and the functions
// that write them in the same order. Adding an aggregate is adding a row.
type family struct {
	name    string
	events  bool                 // drawn only where training had events
	suits   func(s *Schema) bool // whether it is drawn unless Options say otherwise; nil for always
	columns func(s *Schema) []Column
	numbers func(e *Encoder, row []float32) []float32 // appends the numeric columns; nil for none
	ids     func(e *Encoder, row []int32) []int32     // appends the categorical columns; nil for none
	levels  func(s *Schema) [][]string                // known levels of the categorical columns
}

// families lists all features. Durations are in days, times of day in hours.
// A number that does not exist yet (the first purchase before any purchase,
// the median of no gap) is missing.
//
// The choice was measured on public logs of purchases, games, bills and loan
// applications: this compact set did as well as three times its columns, and
// families that helped nowhere are drawn on request only.
//
// It is filled by init because the functions in it look at schemas, which look
// at the table.
var families []family

func init() {
	families = []family{
		{name: "profile", columns: profileColumns, numbers: profileNumbers, ids: profileIDs, levels: profileLevels},
		{name: "volume", events: true, columns: timing("events", "active_days", "events_per_active_day"), numbers: volume},
		{name: "tenure", events: true, columns: timing("tenure_days", "recency_days"), numbers: tenure},
		{name: "gaps", events: true, columns: timing("gap_last_days", "gap_mean_days", "gap_min_days", "gap_max_days", "gap_median_days"), numbers: gaps},
		{name: "silence", events: true, columns: timing("recency_to_gap_mean", "recency_to_gap_max", "active_share", "events_per_day", "alive_log", "silence_score"), numbers: silence},
		{name: "quarters", events: true, columns: timing("events_quarter_1", "events_quarter_2", "events_quarter_3", "events_quarter_4"), numbers: quarters},
		{name: "sessions", events: true, columns: timing("sessions", "events_per_session", "events_last_session", "events_first_session"), numbers: sessions},
		{name: "clock", events: true, suits: hasClock, columns: timing("last_hour", "last_weekday", "first_hour", "first_weekday"), numbers: clock},
		{name: "season", events: true, columns: seasonColumns, numbers: season},
		{name: "last type", events: true, columns: lastTypeColumns, ids: lastTypeID, levels: lastTypeLevels},
		{name: "type counts", events: true, columns: typeCountColumns, numbers: typeCounts},
		{name: "type firsts", events: true, columns: typeColumns("first_days"), numbers: typeFirsts},
		{name: "type recencies", events: true, columns: typeRecencyColumns, numbers: typeRecencies},
		{name: "numbers", events: true, columns: numberColumns("sum", "mean", "last", "min", "max", "sd", "variation",
			"last_less_mean", "change_mean", "change_last", "rises"), numbers: numberAggregates},
		{name: "last category", events: true, columns: lastCategoryColumns, ids: lastCategoryIDs, levels: lastCategoryLevels},
		{name: "category counts", events: true, columns: categoryCountColumns, numbers: categoryCounts},
		{name: "level recencies", events: true, columns: levelRecencyColumns, numbers: levelRecencies},
		{name: "windows", events: true, columns: windowColumns, numbers: windowCounts},
		{name: "window types", events: true, suits: fewTypesAtOneMoment, columns: windowTypeColumns, numbers: windowTypeCounts},
		{name: "window sums", events: true, suits: onRequest, columns: windowSumColumns(""), numbers: windowTotals},
		{name: "window trends", events: true, suits: onRequest, columns: windowTrendColumns, numbers: windowTrends},
	}
}

// onRequest is for families that Options.With must name.
func onRequest(*Schema) bool { return false }

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

// missing marks what does not exist.
var missing = float32(math.NaN())

// appendMissing appends n missing numbers.
func appendMissing(row []float32, n int) []float32 {
	for range n {
		row = append(row, missing)
	}
	return row
}

// ratio is a/b, missing where b is 0.
func ratio(a, b float64) float32 {
	if b == 0 {
		return missing
	}
	return narrow(a / b)
}
