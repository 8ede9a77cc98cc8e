package infer

import (
	"moments/features"
	"moments/model"
)

// Rows are examples as classifiers read them, by part; every part is (rows,
// width), row-major.
type Rows [parts][]float32

// The parts of Rows. The first three are what networks trained here read; see
// features.Schema.Normalize.
const (
	Numeric     = iota // normalised numeric columns, none missing
	Binary             // one-hot levels and missing-value indicators
	Category           // ids of many-levelled categories
	OwnNumeric         // every numeric column in its own units, NaN where missing; empty where no network reads it
	OwnCategory        // the vocabulary id of every categorical column; empty where no network reads it
	State              // what the networks that follow events keep of them, one after the other; empty where there is none
	parts
)

// partInputs are the inputs of networks trained here that a part fills.
var partInputs = [...]string{Numeric: model.InputNumeric, Binary: model.InputBinary, Category: model.InputCategory}

// rowWidths are the widths of the parts but State, own ones included where own.
func rowWidths(schema *features.Schema, own bool) (widths [parts]int) {
	numeric, binary, cardinalities, _ := schema.Table()
	widths[Numeric], widths[Binary], widths[Category] = numeric, binary, len(cardinalities)
	for _, c := range schema.Columns() {
		switch {
		case own && c.Kind == features.Numeric:
			widths[OwnNumeric]++
		case own:
			widths[OwnCategory]++
		}
	}
	return widths
}

func newRows(widths [parts]int, n int) (r Rows) {
	for part, width := range widths {
		r[part] = make([]float32, n*width)
	}
	return r
}

// fill writes one example to one row, whose State it leaves alone.
func (r Rows) fill(schema *features.Schema, ex *features.Example) {
	schema.Normalize(ex, r[Numeric], r[Binary], r[Category])
	copy(r[OwnNumeric], ex.Numeric)
	for i := range r[OwnCategory] {
		r[OwnCategory][i] = float32(ex.Category[i])
	}
}
