package features

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validate checks everything an encoder relies on, so that a schema file that
// was damaged or tampered with is refused here and never fails later.
func (s *Schema) Validate() error {
	if s.Version != schemaVersion {
		return fmt.Errorf("features: schema has version %d, want %d", s.Version, schemaVersion)
	}
	steps := []func() error{s.Options.validate, s.validateFields, s.validateTypes, s.validateWindows, s.validateAnswers, s.validateRhythms, s.validateColumns, s.validateHabits}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	if s.Normalizer != nil {
		if err := s.Normalizer.validate(s.compiled); err != nil {
			return err
		}
	}
	if s.TokenNormalizer != nil {
		return s.TokenNormalizer.validate(s)
	}
	return nil
}

func (s *Schema) validateFields() error {
	if err := checkFields("profile", s.Layout.Profile, s.Profile); err != nil {
		return err
	}
	if err := checkFields("attributes", s.Layout.Event, s.Attributes); err != nil {
		return err
	}
	for _, a := range s.Attributes {
		if !(math.Abs(a.Middle) <= math.MaxFloat32) {
			return fmt.Errorf("features: schema: attribute %q has the middle %g, want a finite one", a.Name, a.Middle)
		}
		if a.Dated && len(a.Levels) > s.Options.LevelCounts {
			return fmt.Errorf("features: schema: attribute %q of %d levels is dated, want %d levels or fewer", a.Name, len(a.Levels), s.Options.LevelCounts)
		}
	}
	return nil
}

// checkFields compares the summaries with the layout.
func checkFields(what string, layout []Field, summaries []FieldSummary) error {
	if len(summaries) != len(layout) {
		return fmt.Errorf("features: schema has %d %s, want %d as in its layout", len(summaries), what, len(layout))
	}
	for i, field := range layout {
		got := summaries[i]
		where := fmt.Sprintf("%s %q", what, field.Name)
		switch {
		case got.Name != field.Name || got.Kind != field.Kind:
			return fmt.Errorf("features: schema: %s is the %s %q, want the %s of the layout", where, got.Kind, got.Name, field.Kind)
		case field.Kind != Numeric && field.Kind != Categorical:
			return fmt.Errorf("features: schema: %s is %q, want numeric or categorical", where, field.Kind)
		case field.Kind == Numeric && len(got.Levels) > 0:
			return fmt.Errorf("features: schema: %s is numeric and has %d levels, want none", where, len(got.Levels))
		}
		switch got.Dropped {
		case "", DroppedConstant, DroppedMissing, DroppedIdentifier:
		default:
			return fmt.Errorf("features: schema: %s is dropped as %q, want %s, %s or %s", where, got.Dropped, DroppedConstant, DroppedMissing, DroppedIdentifier)
		}
		if err := checkLevels(where, got.Levels); err != nil {
			return err
		}
	}
	return nil
}

// checkLevels wants non-empty distinct levels of valid text.
func checkLevels(where string, levels []string) error {
	seen := make(map[string]bool, len(levels))
	for _, level := range levels {
		if level == "" || seen[level] || !utf8.ValidString(level) {
			return fmt.Errorf("features: schema: %s has the level %q twice or damaged, want distinct UTF-8 texts", where, level)
		}
		seen[level] = true
	}
	return nil
}

func (s *Schema) validateTypes() error {
	if s.Journeys < 0 || s.Events < 0 {
		return fmt.Errorf("features: schema was fitted on %d journeys and %d events, want counts", s.Journeys, s.Events)
	}
	if s.Frequent < 0 || s.Frequent > len(s.Types) {
		return fmt.Errorf("features: schema has %d frequent event types, want 0 to %d", s.Frequent, len(s.Types))
	}
	return checkLevels("types", s.Types)
}

func (s *Schema) validateWindows() error {
	if len(s.Windows) > s.Options.MaxWindows {
		return fmt.Errorf("features: schema has %d windows, want %d or fewer", len(s.Windows), s.Options.MaxWindows)
	}
	before := int64(0)
	for _, window := range s.Windows {
		if window <= before || window > math.MaxInt64/8 {
			return fmt.Errorf("features: schema has a window of %d microseconds after %d, want ascending ones", window, before)
		}
		before = window
	}
	return nil
}

func (s *Schema) validateRhythms() error {
	mean, variance := s.Rhythms.LogGapMean, s.Rhythms.LogGapVariance
	if !(math.Abs(mean) < 1e3 && variance >= 0 && variance < 1e6) {
		return fmt.Errorf("features: schema has gaps of log mean %g and variance %g, want finite ones and the variance 0 or more", mean, variance)
	}
	return nil
}

// validateColumns draws the columns and wants distinct names.
func (s *Schema) validateColumns() error {
	s.compile()
	seen := make(map[string]bool)
	for _, column := range s.compiled.columns {
		if column.Name == "" || !utf8.ValidString(column.Name) {
			return fmt.Errorf("features: a column is named %q, want a UTF-8 text", column.Name)
		}
		if seen[column.Name] {
			return fmt.Errorf("features: two columns are named %q: rename the profile field or attribute", column.Name)
		}
		seen[column.Name] = true
	}
	return nil
}

// validText replaces damaged UTF-8, which JSON cannot hold.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

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
	case n.Ranks != nil && len(n.Quantiles) != len(n.Ranks):
		return wrong("%d quantiles and %d ranks, want as many", len(n.Quantiles), len(n.Ranks))
	case len(n.Quantiles) < 2 || len(n.Quantiles) > maxQuantiles:
		return wrong("%d quantiles, want 2 to %d", len(n.Quantiles), maxQuantiles)
	case !slices.IsSorted(n.Quantiles) || !allFinite(n.Quantiles) || n.Quantiles[0] == n.Quantiles[len(n.Quantiles)-1]:
		return wrong("quantiles that do not ascend")
	case n.Ranks != nil && (n.Ranks[0] != 0 || !ascends(n.Ranks) || n.Ranks[len(n.Ranks)-1] >= maxQuantiles):
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
	most := ZeroID
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
