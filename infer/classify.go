package infer

import (
	"moments/features"
	"moments/model"
)

// blend is the classifiers of a bundle, compiled, and the size of batch that
// keeps their buffers in the cache.
type blend struct {
	schema   *features.Schema
	programs []*Program
	weights  []float64
	targets  int
	batch    int
}

// tableInputs are the parts of a normalised row, in the order that
// features.Schema.Normalize fills them.
var tableInputs = [3]string{model.InputNumeric, model.InputBinary, model.InputCategory}

// tableRow is one normalised row, by part.
type tableRow [3][]float32

// newTableRow makes rows of the schema's widths, one after the other.
func newTableRow(schema *features.Schema, rows int) (r tableRow, widths [3]int) {
	numeric, binary, cardinalities, _ := schema.Table()
	widths = [3]int{numeric, binary, len(cardinalities)}
	for part, width := range widths {
		r[part] = make([]float32, rows*width)
	}
	return r, widths
}

// A classifier is one goroutine's blend at work. Rows are added one by one and
// computed whenever a batch is full.
type classifier struct {
	*blend
	sessions []*Session
	rows     tableRow // (batch, width of the part)
	widths   [3]int
	waiting  int       // rows not yet computed
	sums     []float64 // (batch, T)

	probabilities []float32 // (rows since reset, T)
}

func (b *blend) newClassifier() *classifier {
	c := &classifier{blend: b, sums: make([]float64, b.batch*b.targets)}
	c.rows, c.widths = newTableRow(b.schema, b.batch)
	for _, p := range b.programs {
		c.sessions = append(c.sessions, p.NewSession(b.batch))
	}
	return c
}

// reset forgets all rows.
func (c *classifier) reset() {
	c.waiting, c.probabilities = 0, c.probabilities[:0]
}

// next is the row to fill before push.
func (c *classifier) next() (r tableRow) {
	for part, width := range c.widths {
		r[part] = row(c.rows[part], c.waiting, width)
	}
	return r
}

// push adds the row that next returned.
func (c *classifier) push() error {
	if c.waiting++; c.waiting == c.batch {
		return c.flush()
	}
	return nil
}

// flush computes the rows that wait.
func (c *classifier) flush() error {
	n := c.waiting
	sums := c.sums[:n*c.targets]
	clear(sums)
	for i, s := range c.sessions {
		for part, input := range tableInputs {
			copy(s.Input(input), c.rows[part][:n*c.widths[part]])
		}
		if err := s.Run(n); err != nil {
			return err
		}
		for j, p := range s.Output(model.OutputProbability)[:n*c.targets] {
			sums[j] += c.weights[i] * float64(p)
		}
	}
	for _, sum := range sums {
		c.probabilities = append(c.probabilities, float32(min(sum, 1))) // the weights add up to 1 but for rounding
	}
	c.waiting = 0
	return nil
}

func row(values []float32, i, width int) []float32 { return values[i*width : (i+1)*width] }
