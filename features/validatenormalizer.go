package features

import (
	"fmt"
	"math"
	"slices"
)

// validate checks the normalizer against the columns it is for.
func (n *Normalizer) validate(c *compiled) error {
	before := -1
	for i := range n.Numeric {
		scale := &n.Numeric[i]
		if scale.Column <= before || scale.Column >= c.numeric {
			return fmt.Errorf("features: normalizer: numeric column %d after %d, want ascending ones below %d", scale.Column, before, c.numeric)
		}
		before = scale.Column
		if err := scale.validate(c.columns[scale.Column].Name); err != nil {
			return err
		}
	}
	for i := range n.Binary {
		if err := n.Binary[i].validate(c); err != nil {
			return err
		}
	}
	before = c.numeric - 1
	for _, column := range n.Category {
		if column <= before || column >= len(c.columns) {
			return fmt.Errorf("features: normalizer: categorical column %d after %d, want ascending ones below %d", column, before, len(c.columns))
		}
		before = column
	}
	return nil
}

func (n *NumericScale) validate(name string) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("features: normalizer: column %q has %s", name, fmt.Sprintf(format, args...))
	}
	switch {
	case len(n.Quantiles) != len(n.Ranks):
		return wrong("%d quantiles and %d ranks, want as many", len(n.Quantiles), len(n.Ranks))
	case len(n.Ranks) < 2 || len(n.Ranks) > maxQuantiles:
		return wrong("%d quantiles, want 2 to %d", len(n.Ranks), maxQuantiles)
	case !slices.IsSorted(n.Quantiles) || !allFinite(n.Quantiles) || n.Quantiles[0] == n.Quantiles[len(n.Quantiles)-1]:
		return wrong("quantiles that do not ascend")
	case n.Ranks[0] != 0 || !ascends(n.Ranks) || n.Ranks[len(n.Ranks)-1] >= maxQuantiles:
		return wrong("ranks that do not ascend from 0 to %d or fewer", maxQuantiles-1)
	case len(n.Edges) < 2 || len(n.Edges) > maxBins+1 || !allFinite(n.Edges) || !ascends(n.Edges):
		return wrong("%d bin edges, want 2 to %d that ascend", len(n.Edges), maxBins+1)
	}
	return checkMoments(wrong, n.Mean, n.Deviation)
}

func (b *Indicator) validate(c *compiled) error {
	if b.Column < 0 || b.Column >= len(c.columns) {
		return fmt.Errorf("features: normalizer: indicator of column %d, want 0 to %d", b.Column, len(c.columns)-1)
	}
	most := MissingID
	if b.Column >= c.numeric {
		most = len(c.levelsOf(b.Column)) + FirstKnownID - 1
	}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("features: normalizer: indicator of column %q has %s", c.columns[b.Column].Name, fmt.Sprintf(format, args...))
	}
	if b.ID < 0 || int(b.ID) > most {
		return wrong("id %d, want 0 to %d", b.ID, most)
	}
	return checkMoments(wrong, b.Mean, b.Deviation)
}

func checkMoments(wrong func(string, ...any) error, mean, deviation float64) error {
	if math.IsNaN(mean) || math.IsInf(mean, 0) || !(deviation > 0) || math.IsInf(deviation, 0) {
		return wrong("mean %g and deviation %g, want finite ones and the deviation above 0", mean, deviation)
	}
	return nil
}

// ascends says whether values grow strictly.
func ascends[T int | float32](values []T) bool {
	for i := 1; i < len(values); i++ {
		if !(values[i] > values[i-1]) {
			return false
		}
	}
	return true
}

func allFinite(values []float32) bool {
	return !slices.ContainsFunc(values, func(x float32) bool { return !finite(x) })
}
