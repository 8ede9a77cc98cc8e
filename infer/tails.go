package infer

import (
	"math"
	"slices"

	"moments/features"
	"moments/weights"
)

// tailing is evidence by single columns: how far out in the tails of the normal
// rows' distributions the values lie, as in Li et al., ECOD: Unsupervised Outlier
// Detection Using Empirical Cumulative Distribution Functions (TKDE 2022).
type tailing struct {
	tableEvidence
	columns [][]float32 // (F, n) values of the rows that training has seen, ascending
	middle  []float32   // (F) medians
}

func (*tailing) name() string { return "tails" }

func newTailing(t tableEvidence, rows weights.Tensor) *tailing {
	e := &tailing{tableEvidence: t}
	n := rows.Shape[0]
	for c := range t.width {
		column := make([]float32, n)
		for i := range column {
			column[i] = rows.Data[i*t.width+c]
		}
		slices.Sort(column)
		e.columns, e.middle = append(e.columns, column), append(e.middle, column[n/2])
	}
	return e
}

func (e *tailing) newDetector() detector {
	return &tails{tailing: e, row: make([]float32, e.width)}
}

// tails is one goroutine's tailing at work.
type tails struct {
	*tailing
	examples         []features.Example
	row              []float32 // scratch
	absolute, signed []float32 // (n, F)
}

func (d *tails) run(examples []features.Example) error {
	d.examples = examples
	d.absolute, d.signed = resize(d.absolute, len(examples)*d.width), resize(d.signed, len(examples)*d.width)
	for i := range examples {
		d.schema.Standardize(&examples[i], d.row)
		absolute, signed := row(d.absolute, i, d.width), row(d.signed, i, d.width)
		for c, x := range d.row {
			absolute[c], signed[c] = surprise(d.columns[c], x)
		}
	}
	return nil
}

// surprise is the negative logarithm of the probability of a value as far out on
// either side, and the same with the side's sign.
func surprise(column []float32, x float32) (absolute, signed float32) {
	below, found := slices.BinarySearch(column, x)
	to := below
	if found {
		to, _ = slices.BinarySearchFunc(column, x, func(have, want float32) int {
			if have <= want {
				return -1
			}
			return 1
		})
	}
	// Values up to x, and from x on, x itself among them.
	low, high := 1+to, 1+len(column)-below
	p := 2 * float64(min(low, high)) / float64(1+len(column))
	absolute = float32(-math.Log(min(1, p)))
	if low < high {
		return absolute, -absolute
	}
	return absolute, absolute
}

// score is the mean of the columns' surprises.
func (d *tails) score(i int) float32 { return meanOf(row(d.absolute, i, d.width)) }

// parts are the groups by their surprises.
func (d *tails) parts(i int, to []Part) []Part {
	return d.appendParts(to, &d.examples[i], deviations{row(d.absolute, i, d.width), row(d.signed, i, d.width), d.middle})
}
