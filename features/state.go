package features

import (
	"math"
	"math/bits"
)

// sessionGap parts sessions: half an hour of silence, as is usual in web
// analytics.
const sessionGap = 30 * Minute

// rhythmState follows when events happen.
type rhythmState struct {
	days         int   // distinct local days with events
	lastDay      int64 // the latest of them, counted from 1970
	sessions     int
	firstSession int // events of the first session
	lastSession  int // events of the latest session
	gaps         int
	min, max     int64   // microseconds, as the gaps are
	last         int64   // the latest gap
	logs         float64 // sum of the gaps' logSeconds
	logSquares   float64
}

// begin opens the first session with an event that is left out.
func (r *rhythmState) begin() { r.sessions, r.firstSession = 1, 1 }

// add meets an event; gap is the time since the one before in microseconds, or
// negative for the first event, and silence that since what the journey began
// with where that is left out, or else gap.
func (r *rhythmState) add(now instant, gap, silence int64) {
	if day := now.day(); r.days == 0 || day > r.lastDay {
		r.days, r.lastDay = r.days+1, day
	}
	if gap >= 0 {
		r.addGap(gap)
	}
	if silence < 0 || silence > sessionGap {
		r.sessions, r.lastSession = r.sessions+1, 0
	}
	r.lastSession++
	if r.sessions == 1 {
		r.firstSession++
	}
}

func (r *rhythmState) addGap(gap int64) {
	if r.gaps == 0 {
		r.min = gap
	}
	r.gaps++
	r.min, r.max, r.last = min(r.min, gap), max(r.max, gap), gap
	log := logSeconds(gap)
	r.logs += log
	r.logSquares += log * log
}

// logSeconds is log1p of microseconds as seconds.
func logSeconds(micros int64) float64 {
	return math.Log1p(float64(micros) / float64(Second))
}

// typeState follows the events of one type.
type typeState struct {
	count       int
	first, last int64 // microseconds; undefined while count is 0, but for first of the type that the journey began with
	begun       bool  // the journey began with an event of the type, which is left out
}

func (t *typeState) begin(time int64) { t.first, t.begun = time, true }

func (t *typeState) add(time int64) {
	if t.count == 0 && !t.begun {
		t.first = time
	}
	t.count++
	t.last = time
}

// numberState follows the values of one numeric attribute; missing ones are
// left out everywhere.
type numberState struct {
	count     int
	sum, mean float64
	squares   float64 // sum of squared deviations, by Welford's update, which keeps its digits on long journeys
	low, high float64
	last      float64
	change    float64 // the last value less the one before
	changes   float64 // sum of the absolute differences between neighbours
	rises     int     // values above the one before

	// Of a dated attribute: the values on either side of its middle, and the time
	// of the last of them, undefined while there is none.
	below, above         int
	lastBelow, lastAbove int64
}

// date meets a value that lies so far above the middle.
func (n *numberState) date(over float64, time int64) {
	switch {
	case over < 0:
		n.below, n.lastBelow = n.below+1, time
	case over > 0:
		n.above, n.lastAbove = n.above+1, time
	}
}

func (n *numberState) add(x float64) {
	if math.IsNaN(x) {
		return
	}
	if n.count == 0 {
		n.low, n.high, n.last = x, x, x
	}
	n.count++
	n.sum += x
	n.low, n.high = min(n.low, x), max(n.high, x)
	n.change = x - n.last
	n.changes += math.Abs(n.change)
	if n.change > 0 {
		n.rises++
	}
	n.last = x
	delta := x - n.mean
	n.mean += delta / float64(n.count)
	n.squares += delta * (x - n.mean)
}

// deviation is the standard deviation; NaN below two values.
func (n *numberState) deviation() float64 {
	if n.count < 2 {
		return math.NaN()
	}
	return math.Sqrt(max(n.squares, 0) / float64(n.count))
}

// categoryState follows the ids of one categorical attribute.
type categoryState struct {
	last     int32    // the last id that was not missing
	met      []uint64 // bit set of the ids met, all unseen levels being one
	distinct int      // set bits
	counted  bool     // there are few levels
	counts   []int32  // occurrences of each known level then
	lasts    []int64  // and the last time of each, undefined while there is none; none where the attribute is not dated
}

func (c *categoryState) init(levels, counted int, dated bool) {
	c.met = make([]uint64, (levels+FirstKnownID+63)/64)
	if c.counted = levels <= counted; !c.counted {
		return
	}
	c.counts = make([]int32, levels)
	if dated {
		c.lasts = make([]int64, levels)
	}
}

func (c *categoryState) reset() {
	c.last, c.distinct = MissingID, 0
	clear(c.met)
	clear(c.counts)
	clear(c.lasts)
}

func (c *categoryState) add(id int32, time int64) {
	if id == MissingID {
		return
	}
	c.last = id
	word, bit := id/64, uint64(1)<<(id%64)
	c.distinct += bits.OnesCount64(bit &^ c.met[word])
	c.met[word] |= bit
	if k := int(id) - FirstKnownID; k >= 0 && k < len(c.counts) {
		c.counts[k]++
		if c.lasts != nil {
			c.lasts[k] = time
		}
	}
}
