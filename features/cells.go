package features

import (
	"math"
	"slices"
)

// A Cell is an attribute of an event as a network foretells it: one of a few
// values. The first is the type; then come the kept categorical attributes,
// whose values are vocabulary ids, and the numbers that vary: the time since the
// previous event, and the kept numeric attributes, cut into bins by their rank
// among training events. What follows from the events before and these, such as
// the time since the journey's start, is no cell.
type Cell struct {
	Name string // of the attribute, or CellType or CellGap
	Kind Kind
	Size int // how many values there are, whole numbers from 0 on; 0 is missing

	column int // in Schema.TokenColumns; -1 of categories
	scale  int // in TokenNormalizer.Numeric
}

// Names of the cells that are no attributes.
const (
	CellType = "type"
	CellGap  = "gap" // seconds since the previous event
)

// cellRanks are the shares of training events below which the bins of a number
// end: 32 of equal size, the outer ones cut finer, since what is unusual lies
// there.
var cellRanks = func() []float64 {
	tails := []float64{.0003, .001, .004, .012}
	ranks := slices.Clone(tails)
	for i := 1; i < 32; i++ {
		ranks = append(ranks, float64(i)/32)
	}
	for _, tail := range slices.Backward(tails) {
		ranks = append(ranks, 1-tail)
	}
	return ranks
}()

// Cells are the attributes of an event; none before FitTokens.
func (s *Schema) Cells() []Cell {
	_, _, sizes, _ := s.TokenTable()
	if s.TokenNormalizer == nil {
		return nil
	}
	cells := []Cell{{Name: CellType, Kind: Categorical, Size: sizes[0], column: -1}}
	for i, code := range s.compiled.categories {
		cells = append(cells, Cell{Name: code.Name, Kind: Categorical, Size: sizes[1+i], column: -1})
	}
	names := s.TokenColumns()
	for i := range s.TokenNormalizer.Numeric {
		column := s.TokenNormalizer.Numeric[i].Column
		if column == tokenGap || column >= tokenAmounts {
			cells = append(cells, Cell{Name: names[column], Kind: Numeric, Size: len(cellRanks) + 2, column: column, scale: i})
		}
	}
	return cells
}

// TokenCells writes the values of the i-th token's cells as whole floats; cells
// are the schema's, or the first of them. An id that the vocabulary does not
// have counts as unseen.
func (s *Schema) TokenCells(cells []Cell, t *Tokens, i int, values []float32) {
	ids, numbers := t.IDs[i*(1+len(s.compiled.categories)):], t.Values[i*(tokenAmounts+len(s.compiled.numbers)):]
	for c := range cells {
		switch column := cells[c].column; {
		case column >= 0:
			values[c] = s.TokenNormalizer.Numeric[cells[c].scale].bin(numbers[column])
		case ids[c] < 0 || int(ids[c]) >= cells[c].Size:
			values[c] = UnseenID
		default:
			values[c] = float32(ids[c])
		}
	}
}

// TokenNumber is the number of a cell of the i-th token as tokens hold it, 0
// where it is missing and of categories.
func (s *Schema) TokenNumber(cell Cell, t *Tokens, i int) float32 {
	if cell.column < 0 {
		return 0
	}
	if x := t.Values[i*(tokenAmounts+len(s.compiled.numbers))+cell.column]; finite(x) {
		return x
	}
	return 0
}

// CellValue is what a cell's value stands for: a vocabulary id, or the middle of
// a bin in the number's own units, NaN for missing.
func (s *Schema) CellValue(cell Cell, value int) float64 {
	if cell.column < 0 {
		return float64(value)
	}
	if value == 0 {
		return math.NaN()
	}
	low, high := 0.0, 1.0
	if value > 1 {
		low = cellRanks[value-2]
	}
	if value <= len(cellRanks) {
		high = cellRanks[value-1]
	}
	return cell.Own(s.TokenNormalizer.Numeric[cell.scale].quantile((low + high) / 2))
}

// Own turns a token's number, a signed logarithm, into the units of the data.
func (c Cell) Own(x float64) float64 {
	if c.column < 0 {
		return x
	}
	return math.Copysign(math.Expm1(math.Abs(x)), x)
}

// bin is the bin of a number, counted from 1; 0 is missing.
func (n *NumericScale) bin(x float32) float32 {
	if !finite(x) {
		return 0
	}
	below, _ := slices.BinarySearch(cellRanks, n.rank(x)/n.rankAt(len(n.Quantiles)-1))
	return float32(1 + below)
}

// quantile is the value below which a share of the training values lie.
func (n *NumericScale) quantile(share float64) float64 {
	last := len(n.Quantiles) - 1
	rank := share * n.rankAt(last)
	for i := range last {
		if from, to := n.rankAt(i), n.rankAt(i+1); rank < to {
			low, high := float64(n.Quantiles[i]), float64(n.Quantiles[i+1])
			return low + (high-low)*(rank-from)/(to-from)
		}
	}
	return float64(n.Quantiles[last])
}
