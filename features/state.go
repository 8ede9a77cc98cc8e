package features

import (
	"math"
	"math/bits"
)

// gapState follows the days between events: count, mean and squared deviations
// by Welford's update, which keeps its digits on long journeys.
type gapState struct {
	count     int
	mean      float64
	squares   float64 // sum of squared deviations
	max, last float64
}

func (g *gapState) add(days float64) {
	g.count++
	delta := days - g.mean
	g.mean += delta / float64(g.count)
	g.squares += delta * (days - g.mean)
	g.max, g.last = max(g.max, days), days
}

// typeState follows the events of one type.
type typeState struct {
	count       int
	first, last int64 // microseconds; undefined while count is 0
}

func (t *typeState) add(time int64) {
	if t.count == 0 {
		t.first = time
	}
	t.count++
	t.last = time
}

// numberState follows the values of one numeric attribute; missing ones are
// left out everywhere.
type numberState struct {
	count          int
	sum            float64
	mean           float64
	low, high      float64
	last, previous float64
	slope          float64 // covariance of value and position, times count
}

func (n *numberState) add(x float64) {
	if math.IsNaN(x) {
		return
	}
	if n.count == 0 {
		n.low, n.high = x, x
	}
	n.count++
	n.sum += x
	n.low, n.high = min(n.low, x), max(n.high, x)
	n.previous, n.last = n.last, x
	// Positions are 1, 2, ..., so their mean before this value is count/2.
	deviation := float64(n.count) - float64(n.count)/2
	n.slope += deviation * (x - n.mean) * float64(n.count-1) / float64(n.count)
	n.mean += (x - n.mean) / float64(n.count)
}

// trend is the least-squares slope of the values over their position, in the
// attribute's unit per event; NaN below two values.
func (n *numberState) trend() float64 {
	if n.count < 2 {
		return math.NaN()
	}
	count := float64(n.count)
	return n.slope / (count * (count*count - 1) / 12) // the positions' squared deviations
}

// categoryState follows the ids of one categorical attribute.
type categoryState struct {
	last     int32    // the last id that was not missing
	met      []uint64 // bit set of the ids met, all unseen levels being one
	distinct int      // set bits
	counts   []int32  // occurrences of each known level when there are few, else empty
}

func (c *categoryState) init(levels, counted int) {
	c.met = make([]uint64, (levels+FirstKnownID+63)/64)
	if levels <= counted {
		c.counts = make([]int32, levels)
	}
}

func (c *categoryState) reset() {
	c.last, c.distinct = MissingID, 0
	clear(c.met)
	clear(c.counts)
}

func (c *categoryState) add(id int32) {
	if id == MissingID {
		return
	}
	c.last = id
	word, bit := id/64, uint64(1)<<(id%64)
	c.distinct += bits.OnesCount64(bit &^ c.met[word])
	c.met[word] |= bit
	if k := int(id) - FirstKnownID; k >= 0 && k < len(c.counts) {
		c.counts[k]++
	}
}
