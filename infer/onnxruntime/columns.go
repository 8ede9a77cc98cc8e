package onnxruntime

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"moments/features"
	"moments/infer"
	"moments/weights"
	"moments/weights/onnx"
)

// A column is one column of an input, in the form that its element type wants.
type column struct {
	name      string
	part      int // of infer.Rows; -1 for a constant
	at, width int // place in the part's rows
	constant  float64
	missing   float64
	codes     []float64 // of a categorical column given as numbers, by id
	texts     []string  // of a categorical column given as texts, by id
}

// newFiller compiles one input of the mapping for the model's input v.
func newFiller(schema *features.Schema, v onnx.Value, in weights.MappedInput) (filler, error) {
	if len(v.Shape) == 0 || v.Shape[0] != onnx.Free {
		return nil, fmt.Errorf("%s has no free first dimension, want one row for each example: export the model with a dynamic batch", v)
	}
	columns, err := newColumns(schema, v.Type == onnx.Text, in)
	if err != nil {
		return nil, err
	}
	width := 1
	for _, d := range v.Shape[1:] {
		width *= d
	}
	if width != len(columns) {
		return nil, fmt.Errorf("%s takes %d columns, the map gives %d", v, width, len(columns))
	}
	switch v.Type {
	case onnx.Float32:
		return fill(v.Name, columns, func(x float64) (float32, bool) { return float32(x), true }), nil
	case onnx.Float64:
		return fill(v.Name, columns, func(x float64) (float64, bool) { return x, true }), nil
	case onnx.Int32:
		return fill(v.Name, columns, whole[int32]), nil
	case onnx.Int64:
		return fill(v.Name, columns, whole[int64]), nil
	case onnx.Bool:
		return fill(v.Name, columns, func(x float64) (bool, bool) { return x != 0, x == x }), nil
	}
	return fillTexts(v.Name, columns), nil
}

// whole converts numbers that the type holds.
func whole[T int32 | int64](x float64) (T, bool) {
	return T(x), x == math.Trunc(x) && math.Abs(x) < 1<<31
}

func fill[T Element](name string, columns []column, convert func(float64) (T, bool)) filler {
	return func(s *Session, rows infer.Rows, n int) error {
		to := Input[T](s, name)
		for i := range n {
			for c := range columns {
				x := columns[c].number(rows, i)
				value, ok := convert(x)
				if !ok {
					return fmt.Errorf("onnxruntime: input %s: column %s is %v in row %d, which %T cannot hold: say missing: in the map", name, columns[c].name, x, i, value)
				}
				to[i*len(columns)+c] = value
			}
		}
		return nil
	}
}

func fillTexts(name string, columns []column) filler {
	return func(s *Session, rows infer.Rows, n int) error {
		to := Input[string](s, name)
		for i := range n {
			for c := range columns {
				to[i*len(columns)+c] = columns[c].texts[int(columns[c].cell(rows, i))]
			}
		}
		return nil
	}
}

func (c *column) cell(rows infer.Rows, i int) float32 { return rows[c.part][i*c.width+c.at] }

func (c *column) number(rows infer.Rows, i int) float64 {
	if c.part < 0 {
		return c.constant
	}
	x := c.cell(rows, i)
	switch {
	case c.codes != nil:
		return c.codes[int(x)]
	case x != x:
		return c.missing
	}
	return float64(x)
}

// newColumns compiles the columns of an input, of texts or of numbers.
func newColumns(schema *features.Schema, text bool, in weights.MappedInput) ([]column, error) {
	if in.Part != "" {
		return partColumns(schema, text, in.Part)
	}
	p := newPlaces(schema)
	columns := make([]column, 0, len(in.Columns))
	for i := range in.Columns {
		c, err := p.column(&in.Columns[i], text, in.Units)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// partColumns are all columns of a part of normalised rows.
func partColumns(schema *features.Schema, text bool, name string) ([]column, error) {
	if text {
		return nil, fmt.Errorf("part %s is of numbers, the model reads texts", name)
	}
	numeric, binary, cardinalities, _ := schema.Table()
	part := slices.Index([]string{"numeric", "binary", "category"}, name)
	width := []int{infer.Numeric: numeric, infer.Binary: binary, infer.Category: len(cardinalities)}[part]
	columns := make([]column, width)
	for at := range columns {
		columns[at] = column{name: fmt.Sprintf("%d of part %s", at, name), part: part, at: at, width: width}
	}
	return columns, nil
}

// places finds the schema's columns in infer.Rows.
type places struct {
	schema  *features.Schema
	columns []features.Column
	numeric int // of them, which come first
}

func newPlaces(schema *features.Schema) *places {
	p := &places{schema: schema, columns: schema.Columns()}
	p.numeric = len(p.columns) - len(schema.Levels())
	return p
}

func (p *places) column(m *weights.MappedColumn, text bool, units weights.Units) (column, error) {
	c := column{name: m.Column, part: -1, missing: math.NaN()}
	if m.Value != nil {
		c.name, c.constant = "of a constant", *m.Value
		if text {
			return c, fmt.Errorf("a constant %v, the model reads texts", *m.Value)
		}
		return c, nil
	}
	index := slices.IndexFunc(p.columns, func(s features.Column) bool { return s.Name == m.Column })
	if index >= p.numeric {
		c.part, c.at, c.width = infer.OwnCategory, index-p.numeric, len(p.columns)-p.numeric
		return c, p.categorical(&c, m, text)
	}
	if text {
		return c, fmt.Errorf("column %s is numeric, the model reads texts: make it categorical in the task", m.Column)
	}
	c.part, c.at, c.width = infer.OwnNumeric, index, p.numeric
	if units == weights.Normal {
		scales := p.schema.Normalizer.Numeric
		c.part, c.width = infer.Numeric, len(scales)
		c.at = slices.IndexFunc(scales, func(s features.NumericScale) bool { return s.Column == index })
		if c.at < 0 {
			return c, fmt.Errorf("column %s has no normal form, because it does not vary or repeats another", m.Column)
		}
	}
	return c, setNumber(&c.missing, m.Missing)
}

// categorical tabulates what each id of a categorical column becomes.
func (p *places) categorical(c *column, m *weights.MappedColumn, text bool) error {
	levels := p.schema.Levels()[c.at]
	if text {
		c.texts = append([]string{orText(m.Missing, ""), orText(m.Unseen, "(unseen)")}, levels...)
		if m.Codes != nil {
			return fmt.Errorf("column %s has codes, the model reads texts", m.Column)
		}
		return nil
	}
	if m.Codes == nil {
		return fmt.Errorf("column %s is categorical, the model reads numbers: give codes: for its levels, such as %q", m.Column, levels[:min(3, len(levels))])
	}
	if err := setNumber(&c.missing, m.Missing); err != nil {
		return err
	}
	unseen := c.missing
	if err := setNumber(&unseen, m.Unseen); err != nil {
		return err
	}
	c.codes = []float64{features.MissingID: c.missing, features.UnseenID: unseen}
	for _, level := range levels {
		code, ok := m.Codes[level]
		if !ok {
			code = unseen
		}
		c.codes = append(c.codes, code)
	}
	return nil
}

func orText(p *string, other string) string {
	if p == nil {
		return other
	}
	return *p
}

// setNumber reads a number of the map, where it is given.
func setNumber(to *float64, text *string) error {
	if text == nil {
		return nil
	}
	x, err := strconv.ParseFloat(*text, 64)
	if err != nil {
		return fmt.Errorf("%q in place of a value, want a number", *text)
	}
	*to = x
	return nil
}
