package metrics

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"moments/features"
	"moments/weights"
)

const (
	driftBins   = 10   // of a numeric column, of about equal mass in training
	driftWindow = 5000 // examples; what is reported covers the last one to two windows
	driftLeast  = 200  // examples before anything is reported
	driftFloor  = 1e-4 // share that an empty bin is taken to have: the logarithm of 0 is no number
)

// A Drift is how far one column of the examples that are scored has moved from
// those of training.
type Drift struct {
	Column string `json:"column"` // of the schema
	Group  string `json:"group"`

	// PSI is the population stability index, the sum over bins of
	// (now - then) ln(now / then): below 0.1 nothing has moved, above 0.25 much
	// has (Siddiqi, Credit Risk Scorecards, 2006). Bins are about tenths of the
	// training examples, levels, and a place for missing values where training saw
	// some.
	PSI float64 `json:"psi"`
}

// A tracker compares the examples of one version of a model with those that its
// schema was fitted on.
type tracker struct {
	columns []driftColumn

	mu       sync.Mutex
	encoder  *features.Encoder
	example  features.Example
	seen     int        // in the present window
	complete bool       // the window before is whole
	counts   [2][][]int // by window, the present one first, column and bin; after the bins, missing values that have none
}

// A driftColumn sorts one column's values into bins.
type driftColumn struct {
	name, group string
	at          int       // in Example.Numeric or Example.Category
	edges       []float32 // upper ends of a numeric column's bins but the last; nil of a categorical one
	missing     bool      // the last bin of a numeric column is for missing values
	atMostHalf  bool      // else: at most half of the training values were missing, and that is all that is known of it
	ids         []int32   // of a categorical column's bins but the last, which has all others
	expected    []float64 // shares in training, by bin
}

// newTracker compares with what a schema knows of training, and with the typical
// values of training, where there are any: a column that has one missed at most
// half of its values.
func newTracker(schema *features.Schema, typical weights.Typical) *tracker {
	t := &tracker{encoder: schema.NewEncoder()}
	if schema.Normalizer != nil {
		t.columns = driftColumns(schema)
	}
	for i := range t.columns {
		c := &t.columns[i]
		c.atMostHalf = c.ids == nil && !c.missing && c.at < len(typical.Numeric) && typical.Numeric[c.at] == typical.Numeric[c.at]
		for w := range t.counts {
			t.counts[w] = append(t.counts[w], make([]int, len(c.expected)+1))
		}
	}
	return t
}

// driftColumns are the columns of whose training values the schema knows the
// distribution: all but categories of many levels.
func driftColumns(schema *features.Schema) []driftColumn {
	columns := schema.Columns()
	numeric := 0
	for _, c := range columns {
		if c.Kind == features.Numeric {
			numeric++
		}
	}
	var all []driftColumn
	for i := range schema.Normalizer.Numeric {
		scale := &schema.Normalizer.Numeric[i]
		c := driftColumn{name: columns[scale.Column].Name, group: columns[scale.Column].Group, at: scale.Column}
		c.edges, c.expected = numericBins(scale)
		for _, ind := range schema.Normalizer.Binary {
			if ind.Column == scale.Column && ind.ID == features.MissingID {
				c.expectMissing(ind.Mean)
			}
		}
		all = append(all, c)
	}
	for i := 0; i < len(schema.Normalizer.Binary); i++ {
		ind := schema.Normalizer.Binary[i]
		if ind.Column < numeric {
			continue
		}
		if n := len(all); n == 0 || all[n-1].ids == nil || all[n-1].name != columns[ind.Column].Name {
			all = append(all, driftColumn{name: columns[ind.Column].Name, group: columns[ind.Column].Group, at: ind.Column - numeric})
		}
		c := &all[len(all)-1]
		c.ids, c.expected = append(c.ids, ind.ID), append(c.expected, ind.Mean)
	}
	for i := range all {
		if all[i].ids != nil {
			all[i].expectOthers()
		}
	}
	return all
}

// expectMissing adds a bin for missing values.
func (c *driftColumn) expectMissing(share float64) {
	for i := range c.expected {
		c.expected[i] *= 1 - share
	}
	c.missing, c.expected = true, append(c.expected, share)
}

// expectOthers adds a bin for the ids that have none.
func (c *driftColumn) expectOthers() {
	rest := 1.0
	for _, share := range c.expected {
		rest -= share
	}
	c.expected = append(c.expected, max(rest, 0))
}

// numericBins cuts a column's training values into tenths, fewer where values
// repeat, and says what share each bin has.
func numericBins(n *features.NumericScale) (edges []float32, shares []float64) {
	below := 0.0
	for k := 1; k < driftBins; k++ {
		x := quantileAt(n, float64(k)/driftBins)
		share := shareUpTo(n, x)
		if share <= below || share >= 1 {
			continue
		}
		edges, shares, below = append(edges, x), append(shares, share-below), share
	}
	return edges, append(shares, 1-below)
}

// rankAt is the rank of a quantile as a share of all.
func rankAt(n *features.NumericScale, i int) float64 {
	last := len(n.Quantiles) - 1
	if n.Ranks == nil {
		return float64(i) / float64(last)
	}
	return float64(n.Ranks[i]) / float64(n.Ranks[last])
}

// quantileAt is the value below which a share of the training values lies.
func quantileAt(n *features.NumericScale, share float64) float32 {
	i := 0
	for i+2 < len(n.Quantiles) && rankAt(n, i+1) <= share {
		i++
	}
	low, high := rankAt(n, i), rankAt(n, i+1)
	a, b := float64(n.Quantiles[i]), float64(n.Quantiles[i+1])
	return float32(a + (b-a)*min(max((share-low)/(high-low), 0), 1))
}

// shareUpTo is the share of the training values that are x or smaller.
func shareUpTo(n *features.NumericScale, x float32) float64 {
	i := len(n.Quantiles) - 1
	for i >= 0 && n.Quantiles[i] > x {
		i--
	}
	switch {
	case i < 0:
		return 0
	case i == len(n.Quantiles)-1 || n.Quantiles[i] == x:
		return rankAt(n, i)
	}
	low, high := rankAt(n, i), rankAt(n, i+1)
	a, b := float64(n.Quantiles[i]), float64(n.Quantiles[i+1])
	return low + (high-low)*(float64(x)-a)/(b-a)
}

// bin is the bin of an example's value; that after the last for missing ones
// that have none.
func (c *driftColumn) bin(ex *features.Example) int {
	if c.ids != nil {
		if at := slices.Index(c.ids, ex.Category[c.at]); at >= 0 {
			return at
		}
		return len(c.ids)
	}
	x := ex.Numeric[c.at]
	if x != x {
		if c.missing {
			return len(c.expected) - 1
		}
		return len(c.expected)
	}
	at, _ := slices.BinarySearch(c.edges, x)
	return at
}

// add counts a journey as seen at a cutoff.
func (t *tracker) add(j *features.Journey, c features.Cutoff) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.encoder.EncodeJourney(j, c, &t.example)
	for i := range t.columns {
		t.counts[0][i][t.columns[i].bin(&t.example)]++
	}
	if t.seen++; t.seen < driftWindow {
		return
	}
	t.counts[0], t.counts[1] = t.counts[1], t.counts[0]
	for i := range t.counts[0] {
		clear(t.counts[0][i])
	}
	t.seen, t.complete = 0, true
}

// report lists the columns by falling drift; none before enough examples.
func (t *tracker) report() []Drift {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen < driftLeast && !t.complete {
		return nil
	}
	drifts := make([]Drift, len(t.columns))
	for i := range t.columns {
		c := &t.columns[i]
		counts := slices.Clone(t.counts[0][i])
		for bin, n := range t.counts[1][i] {
			counts[bin] += n
		}
		drifts[i] = Drift{c.name, c.group, c.psi(counts)}
	}
	slices.SortFunc(drifts, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(b.PSI, a.PSI), cmp.Compare(a.Column, b.Column))
	})
	return drifts
}

// psi is the index of a column. Where it is not known how many training values
// were missing, but that at most half were, more than that count as if half had
// been.
func (c *driftColumn) psi(counts []int) float64 {
	bins := len(c.expected)
	index, present := psi(c.expected, counts[:bins]), 0
	for _, n := range counts[:bins] {
		present += n
	}
	if c.atMostHalf && counts[bins] > present {
		index += psi([]float64{0.5, 0.5}, []int{present, counts[bins]})
	}
	return index
}

// psi is the population stability index of counts; 0 without any.
func psi(expected []float64, counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return 0
	}
	sum := 0.0
	for i, then := range expected {
		now := max(float64(counts[i])/float64(total), driftFloor)
		then = max(then, driftFloor)
		sum += (now - then) * math.Log(now/then)
	}
	return sum
}
