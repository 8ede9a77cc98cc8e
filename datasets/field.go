package datasets

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"moments/features"
)

// A fieldInfo is one field of the layout while the data is read: what is known
// of its values decides its kind.
type fieldInfo struct {
	name     string
	kind     features.Kind // declared; "" is inferred
	fed      bool          // a source has the column
	present  int64         // values that are not missing
	numbers  int64         // of them, those that are numbers
	first    string        // the first value
	other    string        // the first value that is no number
	constant bool          // all values equal the first
}

// observe takes note of one value and reports whether it is an infinite number.
func (f *fieldInfo) observe(text string) (infinite bool) {
	if text == "" {
		return false
	}
	x, ok := features.ParseNumber(text)
	switch {
	case ok && x != x:
		return false // a spelling of missing; counts for neither kind
	case ok:
		f.numbers++
	case f.other == "":
		f.other = strings.Clone(text)
	}
	if f.present == 0 {
		f.first, f.constant = strings.Clone(text), true
	} else if f.constant {
		f.constant = text == f.first
	}
	f.present++
	return math.IsInf(x, 0)
}

// infer settles the kind: numeric when every value is a number.
func (f *fieldInfo) infer() features.Kind {
	if f.kind == "" {
		f.kind = features.Categorical
		if f.present > 0 && f.numbers == f.present {
			f.kind = features.Numeric
		}
	}
	return f.kind
}

// note says what somebody should know of the column; "" when it is plain.
func (f *fieldInfo) note(inferred bool) string {
	switch {
	case f.present == 0:
		return fmt.Sprintf("column %q has no value at all", f.name)
	case f.constant && f.present > 1:
		return fmt.Sprintf("column %q has one value only: %q", f.name, f.first)
	case !inferred || f.kind != features.Categorical:
		return ""
	case f.numbers >= 9*(f.present-f.numbers):
		return fmt.Sprintf("column %q is read as categorical, though %d of %d values are numbers, because of such as %q; "+
			"{name: %s, kind: numeric} quarantines the other rows", f.name, f.numbers, f.present, f.other, f.name)
	}
	if _, _, _, err := features.ParseTime(f.other); err == nil {
		return fmt.Sprintf("column %q looks like times (%q) and is read as categorical: an SQL source can turn it into a number of days", f.name, f.other)
	}
	return ""
}

// numericValue is the cell of a numeric field; what is no finite number is
// missing, and was counted when it was observed.
func numericValue(text string) features.Value {
	if text == "" {
		return features.Missing()
	}
	x, ok := features.ParseNumber(text)
	if !ok || math.IsInf(x, 0) {
		return features.Missing()
	}
	return features.Number(x)
}

// A fieldSet is one side of the layout while sources are added to it.
type fieldSet struct {
	fields []*fieldInfo
	fixed  bool // the fields of a bundle: others are not read
}

// fixedFields are the fields that a bundle was trained on.
func fixedFields(fields []features.Field) fieldSet {
	set := fieldSet{fixed: true}
	for _, f := range fields {
		set.fields = append(set.fields, &fieldInfo{name: f.Name, kind: f.Kind})
	}
	return set
}

func (s *fieldSet) index(name string) int {
	return slices.IndexFunc(s.fields, func(f *fieldInfo) bool { return f.name == name })
}

// field is the place of an attribute; a new name gets a new one.
func (s *fieldSet) field(a Attribute) (int, error) {
	i := s.index(a.Name)
	if i < 0 {
		s.fields = append(s.fields, &fieldInfo{name: a.Name, kind: a.Kind, fed: true})
		return len(s.fields) - 1, nil
	}
	f := s.fields[i]
	f.fed = true
	if s.fixed || a.Kind == "" || a.Kind == f.kind {
		return i, nil
	}
	if f.kind != "" {
		return 0, fmt.Errorf("column %q is %s here and %s in another source, want one kind", a.Name, a.Kind, f.kind)
	}
	f.kind = a.Kind
	return i, nil
}

// settle infers the kinds and returns the fields and the notes about them.
func (s *fieldSet) settle() (fields []features.Field, notes []string) {
	for _, f := range s.fields {
		inferred := f.kind == ""
		fields = append(fields, features.Field{Name: f.name, Kind: f.infer()})
		if note := f.note(inferred); note != "" {
			notes = append(notes, note)
		}
	}
	return fields, notes
}

// A valueSet holds label values so that 1, 1.0 and "1", and TRUE and true, are
// the same.
type valueSet map[string]bool

func newValueSet(values []any) valueSet {
	set := valueSet{}
	for _, v := range values {
		set[canonical(fmt.Sprint(v))] = true
	}
	return set
}

// canonical is the shortest spelling of a number and the lower case of a text.
func canonical(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return ""
	}
	if x, ok := features.ParseNumber(text); ok && !math.IsNaN(x) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return text
}
