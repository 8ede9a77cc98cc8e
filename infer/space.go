package infer

import (
	"moments/features"
	"moments/weights"
)

// A space is a way to measure distances between rows of the table. Each shows
// what the other hides: in units, one value far outside the others; by ranks, a
// strange combination of columns of which some have long tails.
type space struct {
	name   string // of the detector
	weight float64
	ranked bool // numbers by rank, as normal quantiles, in place of deviations
}

var spaces = []space{{"neighbours", 4, false}, {"ranked-neighbours", 1, true}}

// rankLimit is where normal quantiles end: a value beyond all others is then not
// as strange as ten columns together.
const rankLimit = 4

// spaceReader reads examples as rows of a space.
type spaceReader struct {
	schema                    *features.Schema
	ranked                    bool
	numeric, binary, category []float32 // scratch
}

func newSpaceReader(schema *features.Schema, s space) spaceReader {
	r := spaceReader{schema: schema, ranked: s.ranked}
	numeric, binary, cardinalities, _ := schema.Table()
	if s.ranked {
		r.numeric, r.binary, r.category = make([]float32, numeric), make([]float32, binary), make([]float32, len(cardinalities))
	}
	return r
}

// read fills a row as wide as standardised ones.
func (r *spaceReader) read(ex *features.Example, row []float32) {
	r.schema.Standardize(ex, row)
	if !r.ranked {
		return
	}
	r.schema.Normalize(ex, r.numeric, r.binary, r.category)
	for i, x := range r.numeric {
		row[i] = min(max(x, -rankLimit), rankLimit)
	}
}

// mostRowValues and the bounds beside it keep the search short, whatever the
// table: so many values are multiplied for an example, within tens of
// microseconds.
const (
	mostRowValues       = 1 << 19
	leastRows, mostRows = 1 << 10, 1 << 13
)

// roomFor is the number of rows of a width that examples are compared with.
func roomFor(width int) int {
	return min(max(mostRowValues/max(width, 1), leastRows), mostRows)
}

// thin is a sample of at most n examples, evenly spaced.
func thin(examples []features.Example, n int) []features.Example {
	if len(examples) <= n {
		return examples
	}
	kept := make([]features.Example, n)
	for i := range kept {
		kept[i] = examples[i*len(examples)/n]
	}
	return kept
}

// newNeighbours are the rows of a space: those of training examples, and, where
// there are any, of held-out ones.
func (t *tableEvidence) newNeighbours(s space, training, heldOut []features.Example) weights.Neighbours {
	reader := newSpaceReader(t.schema, s)
	return weights.Neighbours{Rows: t.readRows(&reader, training), HeldOut: t.readRows(&reader, heldOut)}
}

func (t *tableEvidence) readRows(reader *spaceReader, examples []features.Example) weights.Tensor {
	rows := weights.Tensor{Shape: []int{len(examples), t.width}, Data: make([]float32, len(examples)*t.width)}
	for i := range examples {
		reader.read(&examples[i], row(rows.Data, i, t.width))
	}
	return rows
}
