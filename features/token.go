package features

import (
	"fmt"
	"math"
)

// Tokens are the events of one journey as a recurrent network reads them: what
// was known when each happened, whatever the cutoff. Both slices are row-major
// with a row for each event.
type Tokens struct {
	Events int
	IDs    []int32   // (Events, 1+C): of the type, and of the kept categorical attributes
	Values []float32 // (Events, V): in the order of Schema.TokenColumns, NaN missing
}

// Numbers of a token before the kept numeric attributes.
const (
	tokenGap      = iota // log1p of the seconds since the previous event, 0 for the journey's first
	tokenElapsed         // log1p of the seconds since the journey's first event
	tokenPosition        // log1p of the number of events before
	tokenHour            // local time of day in hours, 0 to 24
	tokenWeekday         // 0 on Monday to 6 on Sunday, local
	tokenAmounts         // from here on signed log1p of the attributes
)

var tokenNames = [tokenAmounts]string{"gap", "elapsed", "position", "hour", "weekday"}

// maxTokenBins is the most bins of a token's piecewise-linear embedding.
const maxTokenBins = 32

// TokenColumns names the numbers of a token.
func (s *Schema) TokenColumns() []string {
	names := tokenNames[:]
	for _, code := range s.compiled.numbers {
		names = append(names[:len(names):len(names)], code.Name)
	}
	return names
}

// AppendToken adds the last event to t. There must be one.
func (e *Encoder) AppendToken(t *Tokens) {
	t.Events++
	t.IDs = append(t.IDs, e.lastIDs...)
	t.Values = append(t.Values,
		float32(logSeconds(e.lastGap)), float32(logSeconds(e.last.time-e.start.time)), float32(math.Log1p(float64(e.count-1))),
		float32(e.last.hour()), float32(e.last.weekday()))
	for _, x := range e.tail.row(len(e.tail.times) - 1) {
		t.Values = append(t.Values, float32(math.Copysign(math.Log1p(math.Abs(x)), x)))
	}
}

// Reset empties t and keeps its memory.
func (t *Tokens) Reset() { t.Events, t.IDs, t.Values = 0, t.IDs[:0], t.Values[:0] }

// A TokenNormalizer turns tokens into the rows that networks read.
type TokenNormalizer struct {
	Numeric []NumericScale `json:"numeric"` // of the numbers that vary; Column counts in Schema.TokenColumns
	Missing []int          `json:"missing"` // the numbers that are missing in some events: one indicator each
}

// FitTokens fits the normalizer of tokens on those of training journeys and
// stores it in the schema. Journeys without events count for nothing; without
// any event there is no normalizer, and TokenTable is empty. seed chooses the
// events that quantiles are taken from where there are more than 200,000.
func (s *Schema) FitTokens(journeys []*Tokens, seed uint64) error {
	s.TokenNormalizer = nil
	width, events := tokenAmounts+len(s.compiled.numbers), 0
	for i, t := range journeys {
		if len(t.IDs) != t.Events*(1+len(s.compiled.categories)) || len(t.Values) != t.Events*width {
			return fmt.Errorf("features: tokens of journey %d have %d ids and %d numbers for %d events, want %d and %d each: make them with this schema",
				i, len(t.IDs), len(t.Values), t.Events, 1+len(s.compiled.categories), width)
		}
		events += t.Events
	}
	if events == 0 {
		return nil
	}
	n := &TokenNormalizer{Numeric: []NumericScale{}, Missing: []int{}}
	fit := &normalizerFit{rows: quantileRows(events, seed)}
	for column := range width {
		all := make([]float32, 0, events)
		for _, t := range journeys {
			for i := range t.Events {
				all = append(all, t.Values[i*width+column])
			}
		}
		sorted := fit.sorted(all)
		mean, deviation := moments(all)
		if len(sorted) == 0 || sorted[0] == sorted[len(sorted)-1] || !(deviation > 0) {
			continue
		}
		scale := NumericScale{Column: column, Mean: mean, Deviation: deviation}
		scale.Quantiles, scale.Ranks = quantiles(sorted, len(fit.rows))
		scale.Edges = scale.bins(sorted, maxTokenBins)
		n.Numeric = append(n.Numeric, scale)
		if len(sorted) < len(fit.rows) {
			n.Missing = append(n.Missing, column)
		}
	}
	if err := n.validate(s); err != nil {
		return err
	}
	s.TokenNormalizer = n
	return nil
}

// TokenTable is the shape of normalised tokens, as [Schema.Table] is that of
// examples; cardinalities are those of the type and of the kept categorical
// attributes. All are empty before FitTokens.
func (s *Schema) TokenTable() (numeric, binary int, cardinalities []int, edges [][]float32) {
	n := s.TokenNormalizer
	if n == nil {
		return 0, 0, nil, nil
	}
	for i := range n.Numeric {
		edges = append(edges, n.Numeric[i].Edges)
	}
	cardinalities = append(cardinalities, len(s.Types)+FirstKnownID)
	for _, code := range s.compiled.categories {
		cardinalities = append(cardinalities, len(code.Levels)+FirstKnownID)
	}
	return len(n.Numeric), len(n.Missing), cardinalities, edges
}

// NormalizeToken writes the i-th token into rows of the widths that
// [Schema.TokenTable] says.
func (s *Schema) NormalizeToken(t *Tokens, i int, numeric, binary, category []float32) {
	n, width := s.TokenNormalizer, tokenAmounts+len(s.compiled.numbers)
	values, ids := t.Values[i*width:][:width], t.IDs[i*len(category):][:len(category)]
	for k := range n.Numeric {
		numeric[k] = n.Numeric[k].score(values[n.Numeric[k].Column])
	}
	for k, column := range n.Missing {
		binary[k] = 0
		if !finite(values[column]) {
			binary[k] = 1
		}
	}
	for k, id := range ids {
		category[k] = float32(id)
	}
}

// validate checks the normalizer against the schema it is for.
func (n *TokenNormalizer) validate(s *Schema) error {
	columns, before := s.TokenColumns(), -1
	for i := range n.Numeric {
		scale := &n.Numeric[i]
		if scale.Column <= before || scale.Column >= len(columns) {
			return fmt.Errorf("features: tokens: number %d after %d, want ascending ones below %d", scale.Column, before, len(columns))
		}
		before = scale.Column
		if err := scale.validate(columns[scale.Column]); err != nil {
			return err
		}
	}
	before = -1
	for _, column := range n.Missing {
		if column <= before || column >= len(columns) {
			return fmt.Errorf("features: tokens: indicator of number %d after %d, want ascending ones below %d", column, before, len(columns))
		}
		before = column
	}
	return nil
}
