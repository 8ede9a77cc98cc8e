package infer

import (
	"math"

	"moments/features"
)

// A detector measures how unusual examples are by one kind of evidence; larger
// is stranger. It belongs to one goroutine.
type detector interface {
	// run measures examples, which may not change before score and parts have been
	// asked for.
	run(examples []features.Example) error
	// score is example i's raw score. It is a float32 because calibration scores
	// are: equal journeys must tie.
	score(i int) float32
	// parts appends what makes example i strange. The sizes add up to 1, or to 0
	// where nothing does.
	parts(i int, to []Part) []Part
}

// evidence is what the detectors of all goroutines share.
type evidence interface {
	name() string // of its calibration scores in weights.Reference.Detectors
	family() family
	weight() float64 // in its family, relative to the others'
	newDetector() detector
}

// evidenceOfEvents is evidence that grows with every event: what it needs of a
// journey, and what it has found so far, is a row of finite numbers, which a
// live journey carries.
type evidenceOfEvents interface {
	evidence
	width() int                           // of the row
	begin(row []float32)                  // the row of a journey without events
	valid(row []float32, events int) bool // whether a row that comes from elsewhere can be one after so many events
}

func ofEvents(e evidence) bool {
	_, is := e.(evidenceOfEvents)
	return is
}

// detectorOfEvents is such evidence at work. Its run walks journeys whole.
type detectorOfEvents interface {
	detector
	step(token *features.Tokens, row []float32) error // walks one event
	resume(row []float32)                             // makes the row that a live journey carries example 0 of a run
	observe(f func(Surprise))                         // has runs tell of every event; nil for not
}

// A Part is a piece of the evidence that an example is strange: what was seen,
// and what was expected instead.
type Part struct {
	Group  string // features.Column.Group, such as "event:login", "timing" or "attribute:status"; of an event, that of its type
	Event  int    // index of the journey's event; -1 for aggregates
	Column int    // in features.Schema.Columns followed by HabitColumns, the most deviating of the group; -1 of an event

	Attribute string // of the event, what deviates most: a features.Cell.Name; "" for aggregates

	// Seen and Expected are in the own units of the column or the event's
	// attribute, NaN where missing or not known; of categories and types,
	// vocabulary ids.
	Seen, Expected float64

	Size float64 // share of the evidence, 0 to 1
	Sign float64 // -1 to 1: how one-sidedly the group has more, above 0, or less, below 0, than expected
}

// family of the detectors that read the table.
func (*tableEvidence) family() family  { return ofTable }
func (*tableEvidence) weight() float64 { return 1 }

// tableEvidence is how detectors read the table: as standardised rows. It is
// what schema.Standardize says of their positions.
type tableEvidence struct {
	schema    *features.Schema
	width     int        // F, of a row
	positions []position // (F)
	groups    []string
	columns   []features.Column
}

// A position of a standardised row.
type position struct {
	column, group   int
	id              int32 // of an indicator's level; -1 for a number
	mean, deviation float64
}

func newTableEvidence(schema *features.Schema) tableEvidence {
	t := tableEvidence{schema: schema, width: schema.StandardWidth(), columns: schema.Columns()}
	if n := schema.Normalizer; n != nil {
		for _, x := range n.Numeric {
			t.positions = append(t.positions, position{column: x.Column, id: -1, mean: x.Mean, deviation: x.Deviation})
		}
		for _, x := range n.Binary {
			t.positions = append(t.positions, position{column: x.Column, id: x.ID, mean: x.Mean, deviation: x.Deviation})
		}
	}
	index := map[string]int{}
	for i := range t.positions {
		group := t.columns[t.positions[i].column].Group
		if _, known := index[group]; !known {
			index[group] = len(t.groups)
			t.groups = append(t.groups, group)
		}
		t.positions[i].group = index[group]
	}
	return t
}

// deviations is what a detector found in one row, by position.
type deviations struct {
	absolute []float32 // evidence, at least 0
	signed   []float32 // above 0 where more than expected was seen
	expected []float32 // standardised
}

// appendParts appends one part for each group with evidence, in the order of
// the groups.
func (t *tableEvidence) appendParts(to []Part, ex *features.Example, d deviations) []Part {
	start, total := len(to), 0.0
	for _, group := range t.groups {
		to = append(to, Part{Group: group, Event: -1, Column: -1})
	}
	parts := to[start:]
	for p, e := range d.absolute {
		part := &parts[t.positions[p].group]
		// Squares: many columns that deviate a little make no cause.
		part.Size += float64(e) * float64(e)
		part.Sign += float64(e) * float64(d.signed[p])
		total += float64(e) * float64(e)
	}
	t.fillColumns(parts, ex, d)
	kept := to[:start]
	for _, part := range parts {
		if part.Size > 0 {
			part.Sign = min(max(part.Sign/part.Size, -1), 1)
			part.Size /= total
			kept = append(kept, part)
		}
	}
	return kept
}

// fillColumns finds each group's most deviating column, and what was seen and
// expected there.
func (t *tableEvidence) fillColumns(parts []Part, ex *features.Example, d deviations) {
	for p, e := range d.absolute {
		at := &t.positions[p]
		part := &parts[at.group]
		if part.Column < 0 || e > d.absolute[part.Column] {
			part.Column = p // a position for now
		}
	}
	for i := range parts {
		if part := &parts[i]; part.Column >= 0 {
			part.Column = t.positions[part.Column].column
			part.Seen, part.Expected = t.seen(part.Column, ex), t.expect(part.Column, d.expected)
		}
	}
}

func (t *tableEvidence) seen(column int, ex *features.Example) float64 {
	if column < len(ex.Numeric) {
		return float64(ex.Numeric[column])
	}
	return float64(ex.Category[column-len(ex.Numeric)])
}

// expect is what a standardised row expects of a column: a number, or the level
// that it finds likeliest; NaN where it has no position that says.
func (t *tableEvidence) expect(column int, row []float32) float64 {
	best, likeliest := math.NaN(), math.Inf(-1)
	for p := range t.positions {
		at := &t.positions[p]
		if at.column != column {
			continue
		}
		value := at.mean + at.deviation*float64(row[p])
		if at.id < 0 {
			return value
		}
		if t.columns[column].Kind != features.Numeric && value > likeliest {
			best, likeliest = float64(at.id), value
		}
	}
	return best
}
