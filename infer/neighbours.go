package infer

import (
	"math"
	"slices"

	"moments/features"
	"moments/model/kernel"
	"moments/weights"
)

// nearest is the number of normal rows that a row is compared with (Ramaswamy et
// al., Efficient Algorithms for Mining Outliers from Large Data Sets, SIGMOD
// 2000; 5 is what anomaly benchmarks use).
const nearest = 5

// softening is the distance, in deviations of each column, that is added to all,
// so that repeated rows are not infinitely near.
const softening = 0.05

// neighbouring is evidence by distance: a row is strange that has no normal rows
// near it. The search is exact, through one matrix product: the saved rows are
// extended so that the product of an extended row with them is squared distances.
type neighbouring struct {
	tableEvidence
	space    space
	rows     []float32 // (n, F)
	standard []float32 // (n, F) the same rows standardised
	packed   kernel.Packed
	n        int
	soft     float32 // softening of a squared distance
}

func (e *neighbouring) name() string    { return e.space.name }
func (e *neighbouring) weight() float64 { return e.space.weight }

// newNeighbouring compiles saved rows.
func newNeighbouring(t tableEvidence, space space, saved weights.Neighbours) *neighbouring {
	e := &neighbouring{tableEvidence: t, space: space, soft: softening * softening * float32(t.width)}
	e.rows = slices.Concat(saved.Rows.Data, saved.HeldOut.Data)
	e.standard, e.n = e.rows, len(e.rows)/t.width
	extended := make([]float32, e.n*(e.width+2))
	for i := range e.n {
		from, to := row(e.rows, i, e.width), row(extended, i, e.width+2)
		copy(to, from)
		to[e.width], to[e.width+1] = 1, float32(kernel.SquaredNorm(from))+e.soft
	}
	kernel.Pack(&e.packed, true, e.n, e.width+2, extended, e.width+2)
	return e
}

func (e *neighbouring) newDetector() detector {
	return &neighbours{
		neighbouring: e,
		reader:       newSpaceReader(e.schema, e.space),
		queries:      make([]float32, searched*(e.width+2)), distances: make([]float32, searched*e.n),
		absolute: make([]float32, e.width), signed: make([]float32, e.width), expected: make([]float32, e.width),
	}
}

// searched is the number of rows that are compared with all saved ones at once:
// their distances stay in a core's cache.
const searched = 16

// neighbours is one goroutine's neighbouring at work.
type neighbours struct {
	*neighbouring
	workspace kernel.Workspace
	reader    spaceReader
	examples  []features.Example
	rows      []float32 // (examples, F)
	queries   []float32 // (searched, F + 2)
	distances []float32 // (searched, n) squared
	found     []found   // (examples)

	absolute, signed, expected []float32 // (F) scratch of parts
}

// found are a row's nearest saved rows.
type found struct {
	count int
	index [nearest + 1]int32
	value [nearest + 1]float32 // squared distance, ascending
}

// run finds the neighbours of all examples.
func (d *neighbours) run(examples []features.Example) error {
	d.examples = examples
	d.rows = resize(d.rows, len(examples)*d.width)
	for i := range examples {
		d.reader.read(&examples[i], row(d.rows, i, d.width))
	}
	d.search(d.rows, len(examples))
	return nil
}

// search fills found for n rows.
func (d *neighbours) search(rows []float32, n int) {
	d.found = append(d.found[:0], make([]found, n)...)
	for start := 0; start < n; start += searched {
		count := min(searched, n-start)
		for i := range count {
			d.ask(row(d.queries, i, d.width+2), row(rows, start+i, d.width))
		}
		d.workspace.GemmPacked(false, count, d.queries, d.width+2, &d.packed, d.distances, d.n, nil, kernel.Identity, false)
		for i := range count {
			d.found[start+i].pick(row(d.distances, i, d.n))
			d.measure(&d.found[start+i], row(rows, start+i, d.width))
		}
	}
}

// ask makes a row the left operand whose products are squared distances:
// |x-r|² = |r|² - 2x·r + |x|².
func (d *neighbours) ask(to, x []float32) {
	for c, v := range x {
		to[c] = -2 * v
	}
	to[d.width], to[d.width+1] = float32(kernel.SquaredNorm(x)), 1
}

// pick keeps the smallest of all distances, one more than counts: the first may
// be the row itself.
func (f *found) pick(distances []float32) {
	limit := float32(math.Inf(1))
	for i, v := range distances {
		if !(v < limit) {
			continue
		}
		if f.count < len(f.value) {
			f.count++
		}
		at := f.count - 1
		for ; at > 0 && f.value[at-1] > v; at-- {
			f.value[at], f.index[at] = f.value[at-1], f.index[at-1]
		}
		f.value[at], f.index[at] = v, int32(i)
		if f.count == len(f.value) {
			limit = f.value[f.count-1]
		}
	}
}

// measure computes the distances of the rows found anew: those of the product
// are differences of large numbers where rows are near.
func (d *neighbours) measure(f *found, x []float32) {
	for k := range f.count {
		i := int(f.index[k])
		sum := float64(d.soft)
		for c, v := range row(d.neighbouring.rows, i, d.width) {
			difference := float64(x[c]) - float64(v)
			sum += difference * difference
		}
		v, at := float32(sum), k
		for ; at > 0 && f.value[at-1] > v; at-- {
			f.value[at], f.index[at] = f.value[at-1], f.index[at-1]
		}
		f.value[at], f.index[at] = v, int32(i)
	}
}

// distance is the geometric mean of the distances from one on, of as many as
// count.
func (f *found) distance(from int) float32 {
	sum, end := 0.0, min(from+nearest, f.count)
	if from >= end {
		from = end - 1 // a single row, which is its own neighbour
	}
	for _, v := range f.value[from:end] {
		sum += math.Log(float64(v))
	}
	return float32(math.Exp(sum / float64(2*(end-from))))
}

// score is the geometric mean of the distances to the nearest rows.
func (d *neighbours) score(i int) float32 { return d.found[i].distance(0) }

// scoreOfMember is the score of a row that is one of the saved ones.
func (d *neighbours) scoreOfMember(i int) float32 { return d.found[i].distance(1) }

// parts are the groups by squared differences from the mean of the neighbours.
func (d *neighbours) parts(i int, to []Part) []Part {
	d.mean(&d.found[i], d.neighbouring.rows)
	for c, v := range row(d.rows, i, d.width) {
		difference := v - d.expected[c]
		d.absolute[c] = difference * difference
		d.signed[c] = difference * float32(math.Abs(float64(difference)))
	}
	d.mean(&d.found[i], d.standard)
	return d.appendParts(to, &d.examples[i], deviations{d.absolute, d.signed, d.expected})
}

// mean sets expected to the mean of the rows found.
func (d *neighbours) mean(f *found, rows []float32) {
	clear(d.expected)
	n := min(nearest, f.count)
	for _, at := range f.index[:n] {
		kernel.Axpy(d.expected, 1/float32(n), row(rows, int(at), d.width))
	}
}
