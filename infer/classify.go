package infer

// blend is the classifiers of a bundle, compiled, and the size of batch that
// keeps their buffers in the cache.
type blend struct {
	widths   [parts]int
	networks []Foreign
	weights  []float64
	targets  int
	batch    int
}

// A classifier is one goroutine's blend at work. Rows are added one by one and
// computed whenever a batch is full.
type classifier struct {
	*blend
	sessions []ForeignSession
	rows     Rows      // (batch, width of the part)
	waiting  int       // rows not yet computed
	sums     []float64 // (batch, T)

	probabilities []float32 // (rows since reset, T)
}

func (b *blend) newClassifier() (*classifier, error) {
	c := &classifier{blend: b, rows: newRows(b.widths, b.batch), sums: make([]float64, b.batch*b.targets)}
	for _, n := range b.networks {
		s, err := n.NewSession(b.batch)
		if err != nil {
			return nil, err
		}
		c.sessions = append(c.sessions, s)
	}
	return c, nil
}

// reset forgets all rows.
func (c *classifier) reset() {
	c.waiting, c.probabilities = 0, c.probabilities[:0]
}

// next is the row to fill before push.
func (c *classifier) next() (r Rows) {
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
		probabilities, err := s.Run(c.rows, n)
		if err != nil {
			return err
		}
		for j, p := range probabilities[:n*c.targets] {
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
