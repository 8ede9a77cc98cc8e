package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// maxQuantileRows is the most training rows that quantiles are taken from;
// of more than that, a random choice.
const maxQuantileRows = 200_000

// FitNormalizer fits quantiles, bins, means, deviations and the scales of habits
// on encoded training examples and stores them in the schema, which is complete
// then.
//
// Numeric columns that are constant, and those equal to an earlier column in
// every example, get no place in normalised rows. seed chooses the rows that
// quantiles are taken from where there are more than 200,000.
//
// The published recipe (Gorishniy et al., "TabM", 2025) adds noise to the
// numbers before taking quantiles, so that a value which many rows share lands
// in the middle of its ranks and not at an end. The middle is computed exactly
// here, which is the limit of vanishing noise.
func (s *Schema) FitNormalizer(examples []Example, seed uint64) error {
	if len(examples) == 0 {
		return fmt.Errorf("features: no encoded training example to fit a normalizer on, want at least one")
	}
	c := s.compiled
	for i := range examples {
		numeric, category := len(examples[i].Numeric), len(examples[i].Category)
		if numeric != c.numeric || category != len(c.levels) {
			return fmt.Errorf("features: example %d has %d numbers and %d categories, want %d and %d: encode it with this schema", i, numeric, category, c.numeric, len(c.levels))
		}
	}
	fit := &normalizerFit{schema: c, examples: examples, rows: quantileRows(len(examples), seed)}
	n := &Normalizer{Numeric: fit.numeric(), Binary: fit.binary(), Category: fit.category()}
	if err := n.validate(c); err != nil {
		return err
	}
	s.Normalizer = n
	return s.fitHabits(examples)
}

// quantileRows chooses the rows that quantiles are taken from.
func quantileRows(n int, seed uint64) []int {
	rows := rand.New(rand.NewPCG(seed, 0x7175616e74696c65)).Perm(n)
	rows = rows[:min(n, maxQuantileRows)]
	slices.Sort(rows)
	return rows
}

// A normalizerFit holds what the steps of one fit share.
type normalizerFit struct {
	schema   *compiled
	examples []Example
	rows     []int
}

// numeric fits the numeric columns that say something of their own.
func (f *normalizerFit) numeric() []NumericScale {
	scales := []NumericScale{}
	alike := make(map[uint64][]int) // kept columns by the hash of their bits
	for column := range f.schema.numeric {
		all := f.column(column)
		sorted := f.sorted(all)
		mean, deviation := moments(all)
		if len(sorted) == 0 || sorted[0] == sorted[len(sorted)-1] || !(deviation > 0) {
			continue
		}
		hash := hashNumbers(all)
		if slices.ContainsFunc(alike[hash], func(other int) bool { return sameBits(all, f.column(other)) }) {
			continue
		}
		alike[hash] = append(alike[hash], column)
		scale := NumericScale{Column: column, Mean: mean, Deviation: deviation}
		scale.Quantiles, scale.Ranks = quantiles(sorted, len(f.rows))
		scale.Edges = scale.bins(sorted, maxBins)
		scales = append(scales, scale)
	}
	return scales
}

// column gathers a numeric column.
func (f *normalizerFit) column(column int) []float32 {
	values := make([]float32, len(f.examples))
	for i := range f.examples {
		values[i] = f.examples[i].Numeric[column]
	}
	return values
}

// sorted are the numbers of the chosen rows in ascending order.
func (f *normalizerFit) sorted(all []float32) []float32 {
	var values []float32
	for _, row := range f.rows {
		if finite(all[row]) {
			values = append(values, all[row])
		}
	}
	slices.Sort(values)
	return values
}

// moments are the mean and the deviation of the numbers, in two passes.
func moments(values []float32) (mean, deviation float64) {
	count := 0
	for _, x := range values {
		if finite(x) {
			count++
			mean += float64(x)
		}
	}
	if count == 0 {
		return 0, 0
	}
	mean /= float64(count)
	for _, x := range values {
		if finite(x) {
			deviation += (float64(x) - mean) * (float64(x) - mean)
		}
	}
	return mean, math.Sqrt(deviation / float64(count))
}

// hashNumbers hashes the bits of a column.
func hashNumbers(values []float32) uint64 {
	hash := uint64(14695981039346656037)
	for _, x := range values {
		hash = (hash ^ uint64(math.Float32bits(x))) * 1099511628211
	}
	return hash
}

// sameBits compares two columns, missing numbers too.
func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// quantiles are max(min(rows/30, 1000), 10) values at even ranks, compacted.
func quantiles(sorted []float32, rows int) (values []float32, ranks []int) {
	n := max(min(rows/rowsByQuantile, maxQuantiles), minQuantiles)
	for rank := range n {
		values = append(values, quantile(sorted, float64(rank)/float64(n-1)))
		ranks = append(ranks, rank)
	}
	return compact(values, ranks)
}

// quantile is the value at a share of the sorted ones, between two of them by
// linear interpolation.
func quantile(sorted []float32, share float64) float32 {
	at := share * float64(len(sorted)-1)
	low := min(int(at), len(sorted)-1)
	high := min(low+1, len(sorted)-1)
	a, b := float64(sorted[low]), float64(sorted[high])
	return min(max(float32(a+(b-a)*(at-float64(low))), sorted[low]), sorted[high])
}

// compact drops the quantiles that interpolation between their neighbours
// gives back: all but the ends of a repeated value, and points on a straight
// line.
func compact(values []float32, ranks []int) (kept []float32, keptRanks []int) {
	corner := 0 // the last point kept
	for i := range values {
		if i > 0 && i+1 < len(values) && onLine(values, ranks, corner, i+1) {
			continue
		}
		corner = i
		kept, keptRanks = append(kept, values[i]), append(keptRanks, ranks[i])
	}
	if len(kept) == len(values) {
		return kept, nil
	}
	return kept, keptRanks
}

// onLine says whether all points between two lie on the line from one to the
// other, to a millionth of its height.
func onLine(values []float32, ranks []int, from, to int) bool {
	a, b := float64(values[from]), float64(values[to])
	for i := from + 1; i < to; i++ {
		if a != b && (values[i] == values[from] || values[i] == values[to]) {
			return false // the end of a repeated value is a corner
		}
		line := a + (b-a)*float64(ranks[i]-ranks[from])/float64(ranks[to]-ranks[from])
		if math.Abs(float64(values[i])-line) > 1e-6*(b-a) {
			return false
		}
	}
	return true
}

// bins are the edges of up to so many bins of equal mass in the normalised
// values.
func (n *NumericScale) bins(sorted []float32, most int) []float32 {
	var edges []float32
	for i := range most + 1 {
		edges = append(edges, n.score(quantile(sorted, float64(i)/float64(most))))
	}
	slices.Sort(edges) // in order already but for rounding
	return slices.Compact(edges)
}

// binary fits the indicators of missing numbers, of zeros that stand apart and
// of the levels of small vocabularies, each once and only those that vary.
func (f *normalizerFit) binary() []Indicator {
	indicators := []Indicator{}
	seen := make(map[string]bool) // the bits over all examples
	add := func(b Indicator) {
		ones, bits := f.indicate(b)
		if ones == 0 || ones == len(f.examples) || seen[bits] {
			return
		}
		seen[bits] = true
		b.Mean = float64(ones) / float64(len(f.examples))
		b.Deviation = math.Sqrt(b.Mean * (1 - b.Mean))
		indicators = append(indicators, b)
	}
	for column := range f.schema.columns {
		switch {
		case column < f.schema.numeric:
			add(Indicator{Column: column, ID: MissingID})
			if f.zeroStandsApart(column) {
				add(Indicator{Column: column, ID: ZeroID})
			}
		case len(f.schema.levelsOf(column)) <= maxOneHot:
			for id := range int32(len(f.schema.levelsOf(column)) + FirstKnownID) {
				add(Indicator{Column: column, ID: id})
			}
		}
	}
	return indicators
}

// zeroStandsApart says whether a number as the source gave it, rather than an
// aggregate, is often zero among many other values: an amount of exactly 0
// tends to mean something else than a small one.
func (f *normalizerFit) zeroStandsApart(column int) bool {
	c := f.schema.columns[column]
	if c.Name != c.Group && c.Name != c.Group+"/last" {
		return false
	}
	sorted, zeros := f.sorted(f.column(column)), 0
	for _, x := range sorted {
		if x == 0 {
			zeros++
		}
	}
	return 100*zeros >= len(f.rows) && 2*zeros <= len(f.rows) && len(slices.Compact(sorted)) >= 50
}

// indicate counts an indicator's ones and packs its bits.
func (f *normalizerFit) indicate(b Indicator) (ones int, bits string) {
	packed := make([]byte, (len(f.examples)+7)/8)
	for i := range f.examples {
		if b.value(&f.examples[i], f.schema.numeric) == 1 {
			ones++
			packed[i/8] |= 1 << (i % 8)
		}
	}
	return ones, string(packed)
}

// category lists the columns whose vocabulary is too large for one-hot.
func (f *normalizerFit) category() []int {
	columns := []int{}
	for column := f.schema.numeric; column < len(f.schema.columns); column++ {
		if len(f.schema.levelsOf(column)) > maxOneHot {
			columns = append(columns, column)
		}
	}
	return columns
}
