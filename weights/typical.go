package weights

import (
	"math"
	"slices"

	"moments/features"
)

// Typical is the middle of the training examples, column by column: what takes
// the place of a group of columns when its influence is measured.
type Typical struct {
	Numeric  []float32 // median in the column's own units; NaN where most examples miss the value
	Category []int32   // most frequent vocabulary id, the smaller of equals
}

// NewTypical finds the typical values of examples, which must share one schema.
// It returns the zero Typical for no examples.
func NewTypical(examples []features.Example) Typical {
	if len(examples) == 0 {
		return Typical{}
	}
	t := Typical{
		Numeric:  make([]float32, len(examples[0].Numeric)),
		Category: make([]int32, len(examples[0].Category)),
	}
	column := make([]float32, len(examples))
	for c := range t.Numeric {
		for i := range examples {
			column[i] = examples[i].Numeric[c]
		}
		t.Numeric[c] = median(column)
	}
	for c := range t.Category {
		counts := map[int32]int{}
		for i := range examples {
			counts[examples[i].Category[c]]++
		}
		t.Category[c] = mostFrequent(counts)
	}
	return t
}

// median sorts xs. Missing values count: where they are the majority, missing
// is what is typical. Of an even number the lower middle is taken, a value that
// did occur.
func median(xs []float32) float32 {
	slices.Sort(xs) // NaN first
	missing := 0
	for missing < len(xs) && math.IsNaN(float64(xs[missing])) {
		missing++
	}
	if 2*missing > len(xs) {
		return float32(math.NaN())
	}
	known := xs[missing:]
	return known[(len(known)-1)/2]
}

func mostFrequent(counts map[int32]int) int32 {
	best, most := int32(0), 0
	for id, n := range counts {
		if n > most || n == most && id < best {
			best, most = id, n
		}
	}
	return best
}
