package features

import "math"

// A Normalizer turns encoded examples into the rows that networks read. It is
// fitted on training examples by [Schema.FitNormalizer].
type Normalizer struct {
	Numeric  []NumericScale `json:"numeric"`  // the numeric columns that vary, without those that repeat another
	Binary   []Indicator    `json:"binary"`   // one position of the binary row each
	Category []int          `json:"category"` // columns given as ids, those of more than nine levels
}

// A NumericScale normalises one numeric column in two ways: by quantiles to a
// normal distribution, and to mean 0 and deviation 1.
type NumericScale struct {
	Column    int       `json:"column"`          // in Schema.Columns
	Quantiles []float32 `json:"quantiles"`       // ascending; a repeated value stands at both ends of its ranks
	Ranks     []int     `json:"ranks,omitempty"` // of the quantiles, from 0 on, where those on a straight line between others are left out; nil for 0, 1, 2, ...
	Edges     []float32 `json:"edges"`           // of the bins of the normalised values, strictly ascending
	Mean      float64   `json:"mean"`
	Deviation float64   `json:"deviation"`
}

// An Indicator is 1 where a categorical column has the id, or where a numeric
// column is missing (id [MissingID]) or zero (id [ZeroID]), and else 0.
type Indicator struct {
	Column    int     `json:"column"`
	ID        int32   `json:"id"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
}

// ZeroID is the id of an indicator of zeros in a numeric column.
const ZeroID = 1

const (
	maxOneHot      = 9                 // categorical columns of up to so many levels are one-hot
	maxBins        = 48                // of a piecewise-linear embedding
	normalLimit    = 5.199337582605575 // the normal quantile of 1-1e-7, where quantile scores end
	standardLimit  = 10                // deviations at which standardised values end
	maxQuantiles   = 1000
	minQuantiles   = 10
	rowsByQuantile = 30
)

// Table is the shape of normalised rows: the widths of the numeric and the
// binary part, the number of ids of each categorical column, and for each
// numeric column the edges of up to 48 bins of about equal mass in its
// normalised values, as piecewise-linear embeddings use them (Gorishniy et al.,
// "On Embeddings for Numerical Features in Tabular Deep Learning", 2022). All
// are empty before FitNormalizer.
func (s *Schema) Table() (numeric, binary int, cardinalities []int, edges [][]float32) {
	n := s.normalizer()
	for i := range n.Numeric {
		edges = append(edges, n.Numeric[i].Edges)
	}
	for _, column := range n.Category {
		cardinalities = append(cardinalities, len(s.compiled.levelsOf(column))+FirstKnownID)
	}
	return len(n.Numeric), len(n.Binary), cardinalities, edges
}

// normalizer is the fitted one or an empty one.
func (s *Schema) normalizer() *Normalizer {
	if s.Normalizer == nil {
		return &Normalizer{}
	}
	return s.Normalizer
}

// levelsOf are the known levels of a categorical column.
func (c *compiled) levelsOf(column int) []string { return c.levels[column-c.numeric] }

// Normalize writes one example into rows of the widths that [Schema.Table]
// says: numbers mapped by quantiles to a normal distribution with missing ones
// at 0 (its median), one-hot levels and missing indicators, and vocabulary ids.
func (s *Schema) Normalize(ex *Example, numeric, binary, category []float32) {
	n := s.normalizer()
	for i := range n.Numeric {
		numeric[i] = n.Numeric[i].score(ex.Numeric[n.Numeric[i].Column])
	}
	for i := range n.Binary {
		binary[i] = n.Binary[i].value(ex, s.compiled.numeric)
	}
	for i, column := range n.Category {
		category[i] = float32(s.compiled.id(ex, column))
	}
}

// id is the example's id in a categorical column; one that the vocabulary does
// not have counts as unseen.
func (c *compiled) id(ex *Example, column int) int32 {
	id := ex.Category[column-c.numeric]
	if id < 0 || int(id) >= len(c.levelsOf(column))+FirstKnownID {
		return UnseenID
	}
	return id
}

// value is 0 or 1; numeric is the number of numeric columns.
func (b *Indicator) value(ex *Example, numeric int) float32 {
	var on bool
	switch {
	case b.Column >= numeric:
		on = ex.Category[b.Column-numeric] == b.ID
	case b.ID == ZeroID:
		on = ex.Numeric[b.Column] == 0
	default:
		on = !finite(ex.Numeric[b.Column])
	}
	if on {
		return 1
	}
	return 0
}

// score is the normal quantile of x's rank, within ±5.2; a value that covers
// several ranks gets the middle one. Missing is 0.
func (n *NumericScale) score(x float32) float32 {
	if !finite(x) {
		return 0
	}
	return float32(normalQuantile(n.rank(x) / n.rankAt(len(n.Quantiles)-1)))
}

// rankAt is the rank of a quantile.
func (n *NumericScale) rankAt(i int) float64 {
	if n.Ranks == nil {
		return float64(i)
	}
	return float64(n.Ranks[i])
}

// rank is the rank of x, interpolated between quantiles.
func (n *NumericScale) rank(x float32) float64 {
	low, high := 0, len(n.Quantiles) // the first quantile of x or more lies in [low, high]
	for low < high {
		if middle := (low + high) / 2; n.Quantiles[middle] < x {
			low = middle + 1
		} else {
			high = middle
		}
	}
	switch {
	case low == len(n.Quantiles):
		return n.rankAt(low - 1)
	case n.Quantiles[low] == x:
		for high+1 < len(n.Quantiles) && n.Quantiles[high+1] == x {
			high++
		}
		return (n.rankAt(low) + n.rankAt(high)) / 2
	case low == 0:
		return 0
	}
	from, to := float64(n.Quantiles[low-1]), float64(n.Quantiles[low])
	start := n.rankAt(low - 1)
	return start + (float64(x)-from)/(to-from)*(n.rankAt(low)-start)
}

// normalQuantile is the inverse of the normal distribution function, cut at
// 1e-7 from either end.
func normalQuantile(p float64) float64 {
	z := math.Sqrt2 * math.Erfinv(2*p-1)
	return min(max(z, -normalLimit), normalLimit)
}

func finite(x float32) bool { return math.Abs(float64(x)) <= math.MaxFloat32 }

// StandardWidth is the length of a standardised row.
func (s *Schema) StandardWidth() int {
	return len(s.normalizer().Numeric) + len(s.normalizer().Binary)
}

// Standardize writes one example with mean 0 and deviation 1 over the training
// examples: numeric columns in their own units and then the binary ones, cut at
// ±10 deviations. Missing numbers are 0. row has the length StandardWidth.
func (s *Schema) Standardize(ex *Example, row []float32) {
	n := s.normalizer()
	for i := range n.Numeric {
		scale := &n.Numeric[i]
		row[i] = 0
		if x := ex.Numeric[scale.Column]; finite(x) {
			row[i] = standard(float64(x), scale.Mean, scale.Deviation)
		}
	}
	row = row[len(n.Numeric):]
	for i := range n.Binary {
		bit := &n.Binary[i]
		row[i] = standard(float64(bit.value(ex, s.compiled.numeric)), bit.Mean, bit.Deviation)
	}
}

func standard(x, mean, deviation float64) float32 {
	return float32(min(max((x-mean)/deviation, -standardLimit), standardLimit))
}

// StandardColumns names the positions of a standardised row: the column's
// name, or column=level for one level of it, where a level may be (missing),
// (unseen) or, of a number, 0.
func (s *Schema) StandardColumns() []string {
	n := s.normalizer()
	var names []string
	for i := range n.Numeric {
		names = append(names, s.compiled.columns[n.Numeric[i].Column].Name)
	}
	for _, bit := range n.Binary {
		names = append(names, s.compiled.columns[bit.Column].Name+"="+s.compiled.levelName(bit))
	}
	return names
}

func (c *compiled) levelName(b Indicator) string {
	switch {
	case b.ID == MissingID:
		return "(missing)"
	case b.Column < c.numeric:
		return "0"
	case b.ID == UnseenID:
		return "(unseen)"
	}
	return c.levelsOf(b.Column)[b.ID-FirstKnownID]
}
