package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
)

// Settings of boosting, chosen on validation rows.
const (
	boostRate     = 0.2  // share of a step that is taken (shrinkage; Friedman, Greedy Function Approximation, 2001)
	boostRounds   = 3000 // most steps
	boostPatience = 50   // steps without a better validation loss before the end
	boostRidge    = 20.0 // added to the curvature of a step, so that few rows decide little
)

// boostBlock is the number of rows that are summed up apart: sums must not
// depend on the number of threads.
const boostBlock = 4096

// positions are the places in a bin that boosting tells apart.
const positions = 8

// A boosted column says where each row of a table stands: in positions counted
// from the lowest edge of the bins, or at which level of a category. Most
// columns of events say the same of most customers: of those, only the rows that
// stand elsewhere than at the most frequent place are listed.
type boosted struct {
	bins     int
	levels   bool // whether every place has an effect of its own
	frequent int32
	rows, at []int32 // the other rows, and where they stand; or no rows, and where all stand
}

// newBoosted lists the rows of a column; at has a place below places for each.
func newBoosted(at []int32, bins, places int, levels bool) boosted {
	c := boosted{bins: bins, levels: levels}
	counts := make([]int, places)
	for _, place := range at {
		counts[place]++
	}
	for place, n := range counts {
		if n > counts[c.frequent] {
			c.frequent = int32(place)
		}
	}
	others := len(at) - counts[c.frequent]
	if 2*others > len(at) {
		c.at = slices.Clone(at)
		return c
	}
	c.rows, c.at = make([]int32, 0, others), make([]int32, 0, others)
	for row, place := range at {
		if place != c.frequent {
			c.rows, c.at = append(c.rows, int32(row)), append(c.at, place)
		}
	}
	return c
}

// places is the number of places where a row of the column can stand.
func (c *boosted) places() int {
	if c.levels {
		return c.bins
	}
	return c.bins*positions + 1
}

// effect is what the weight of a bin or level counts for in a row that stands at
// a place: whether it is that level, or how much of the bin lies below.
func (c *boosted) effect(bin int, place int32) float64 {
	if !c.levels {
		return float64(min(max(int(place)-bin*positions, 0), positions)) / positions
	}
	if int(place) == bin {
		return 1
	}
	return 0
}

// An increment is a step of boosting: what it adds to the logit, everywhere and
// by a bin or level of a column.
type increment struct {
	column, bin      int
	constant, weight float64
}

// outcomes are what one target is in the rows of a split.
type outcomes struct {
	columns         []boosted
	labels, weights []float32 // 0 where the label is not known
	logits          []float64
}

// add adds an increment to the logits.
func (o *outcomes) add(n increment) {
	c := &o.columns[n.column]
	if c.rows == nil {
		for row, place := range c.at {
			o.logits[row] += n.constant + n.weight*c.effect(n.bin, place)
		}
		return
	}
	frequent := c.effect(n.bin, c.frequent)
	for row := range o.logits {
		o.logits[row] += n.constant + n.weight*frequent
	}
	for i, row := range c.rows {
		o.logits[row] += n.weight * (c.effect(n.bin, c.at[i]) - frequent)
	}
}

// A logLoss is a sum over rows.
type logLoss struct {
	sum, product float64 // of logarithms, and of the probabilities since the last one
	rows         int
}

// add adds a row by the probability that its label had.
func (l *logLoss) add(p float64) {
	const least, together = 1e-13, 16 // their product is a float64, and a logarithm takes longer than all else
	if l.rows%together == 0 {
		l.sum, l.product = l.value(), 1
	}
	l.product *= max(p, least)
	l.rows++
}

// value is the sum.
func (l *logLoss) value() float64 {
	if l.rows == 0 {
		return 0
	}
	return l.sum - math.Log(l.product)
}

// meanLoss is the mean over blocks; 0 without rows.
func meanLoss(blocks []block) float64 {
	sum, rows := 0.0, 0
	for i := range blocks {
		sum, rows = sum+blocks[i].loss.value(), rows+blocks[i].loss.rows
	}
	return sum / float64(max(rows, 1))
}

// A booster fits an additive model of one target's logit by componentwise
// gradient boosting (Bühlmann and Yu, Boosting with the L2 loss, JASA 2003; here
// with steps of Newton's method on the log-loss): it adds up steps, each a bin or
// level of the one column that lowers the loss most. The model is sparse, for of
// many columns that say nearly the same one is taken, and keeps the sharp edges
// that an event has which counts for 30 days; gradient descent on all weights at
// once yields neither.
type booster struct {
	training, validation outcomes
	shift                float64 // of the logits that weighted positives teach
	points               []point // by training row
	blocks               []block // of rows
	searches             []search
}

// A point is the slope and the curvature of the likelihood at a row's logit.
type point struct{ slope, curve float64 }

// A block is what so many rows sum up to.
type block struct {
	total point
	loss  logLoss // where the label is known
}

// A search goes through a share of the columns for the best step.
type search struct {
	sums []point // by place
	best increment
	gain float64
}

func newBooster(training, validation outcomes, shift float64, lanes int) *booster {
	b := &booster{training: training, validation: validation, shift: shift}
	b.points, b.searches = make([]point, len(training.labels)), make([]search, max(lanes, 1))
	b.blocks = make([]block, (max(len(training.labels), len(validation.labels))+boostBlock-1)/boostBlock)
	most := 0
	for i := range training.columns {
		most = max(most, training.columns[i].places())
	}
	for i := range b.searches {
		b.searches[i].sums = make([]point, most)
	}
	return b
}

// share does jobs side by side.
func (b *booster) share(jobs int, do func(i int)) {
	var wait sync.WaitGroup
	for first := range b.searches {
		wait.Go(func() {
			for i := first; i < jobs; i += len(b.searches) {
				do(i)
			}
		})
	}
	wait.Wait()
}

// sum sums blocks of rows up.
func (b *booster) sum(rows int, of func(at *block, row int)) []block {
	blocks := b.blocks[:(rows+boostBlock-1)/boostBlock]
	b.share(len(blocks), func(i int) {
		blocks[i] = block{}
		for row := i * boostBlock; row < min((i+1)*boostBlock, rows); row++ {
			of(&blocks[i], row)
		}
	})
	return blocks
}

// observe sets the points of the training rows, and returns their sum and the
// log-loss.
func (b *booster) observe() (total point, loss float64) {
	t := &b.training
	blocks := b.sum(len(t.logits), func(at *block, row int) {
		p, w, y := logistic(t.logits[row]), float64(t.weights[row]), float64(t.labels[row])
		x := point{w * (y - p), w * p * (1 - p)}
		b.points[row] = x
		at.total.slope, at.total.curve = at.total.slope+x.slope, at.total.curve+x.curve
		if w > 0 {
			at.loss.add(1 - math.Abs(y-p))
		}
	})
	for i := range blocks {
		total.slope, total.curve = total.slope+blocks[i].total.slope, total.curve+blocks[i].total.curve
	}
	return total, meanLoss(blocks)
}

// validate is the log-loss of the validation rows; 0 where no label is known.
func (b *booster) validate() float64 {
	v := &b.validation
	return meanLoss(b.sum(len(v.logits), func(at *block, row int) {
		if v.weights[row] > 0 {
			at.loss.add(1 - math.Abs(float64(v.labels[row])-logistic(v.logits[row]-b.shift)))
		}
	}))
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// fit boosts from a logit that all rows have, and returns the steps up to the
// lowest validation loss, and how many there were in all. It tells progress of
// each: its number, that of the best, the training loss before it and the
// validation loss after it.
func (b *booster) fit(ctx context.Context, start float64, progress func(step, best int, training, validation float64)) (path []increment, steps int, err error) {
	for _, o := range []*outcomes{&b.training, &b.validation} {
		o.logits = slices.Repeat([]float64{start}, len(o.labels))
	}
	taken, least := 0, b.validate()
	for len(path) < boostRounds && len(path)-taken < boostPatience {
		if err := ctx.Err(); err != nil {
			return nil, 0, fmt.Errorf("interrupted after step %d: %w", len(path), err)
		}
		next, before, ok := b.next()
		if !ok {
			break
		}
		b.training.add(next)
		b.validation.add(next)
		path = append(path, next)
		loss := b.validate()
		if loss < least {
			least, taken = loss, len(path)
		}
		progress(len(path), taken, before, loss)
	}
	return path[:taken], len(path), nil
}

// next is the best step, and the training loss before it; there is none where no
// column tells rows apart.
func (b *booster) next() (step increment, loss float64, ok bool) {
	total, loss := b.observe()
	if total.curve <= 0 {
		return increment{}, loss, false
	}
	columns := b.training.columns
	b.share(len(b.searches), func(i int) {
		s := &b.searches[i]
		s.gain = 0
		for column := i; column < len(columns); column += len(b.searches) {
			s.try(column, &columns[column], b.points, total)
		}
	})
	best := &b.searches[0]
	for i := range b.searches {
		// Of equal ones the first column, whatever the number of searches.
		if s := &b.searches[i]; s.gain > best.gain || s.gain == best.gain && s.best.column < best.best.column {
			best = s
		}
	}
	return best.best, loss, best.gain > 0
}

// try looks for a better step in a column.
func (s *search) try(column int, c *boosted, points []point, total point) {
	sums := s.gather(c, points, total)
	var above point // beyond the bin
	for bin := c.bins - 1; bin >= 0; bin-- {
		var slope, curve, square float64 // of the weight: sums over rows of their points times the effect, or its square
		if c.levels {
			slope, curve, square = sums[bin].slope, sums[bin].curve, sums[bin].curve
		} else {
			above.slope, above.curve = above.slope+sums[(bin+1)*positions].slope, above.curve+sums[(bin+1)*positions].curve
			slope, curve, square = above.slope, above.curve, above.curve
			for i := 1; i < positions; i++ {
				p, share := sums[bin*positions+i], float64(i)/positions
				slope, curve, square = slope+share*p.slope, curve+share*p.curve, square+share*share*p.curve
				above.slope, above.curve = above.slope+p.slope, above.curve+p.curve
			}
		}
		// Less what a constant says as well.
		rise, bend := slope-total.slope*curve/total.curve, square-curve*curve/total.curve+boostRidge
		if gain := rise * rise / bend; gain > s.gain {
			weight := rise / bend
			s.gain, s.best = gain, increment{column, bin, boostRate * (total.slope - weight*curve) / total.curve, boostRate * weight}
		}
	}
}

// gather adds the rows up by where they stand.
func (s *search) gather(c *boosted, points []point, total point) []point {
	sums := s.sums[:c.places()]
	clear(sums)
	if c.rows == nil {
		for row, place := range c.at {
			p, sum := points[row], &sums[place]
			sum.slope, sum.curve = sum.slope+p.slope, sum.curve+p.curve
		}
		return sums
	}
	rest := total
	for i, row := range c.rows {
		p, sum := points[row], &sums[c.at[i]]
		sum.slope, sum.curve = sum.slope+p.slope, sum.curve+p.curve
		rest.slope, rest.curve = rest.slope-p.slope, rest.curve-p.curve
	}
	sums[c.frequent] = rest
	return sums
}
