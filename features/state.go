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
	days, hours       int   // distinct local days and hours with events
	lastDay, lastHour int64 // the latest of them, counted from 1970
	sessions          int
	firstSession      int // events of the first session
	lastSession       int // events of the latest session
	gaps              int
	mean              float64 // of the gaps, in days
	squares           float64 // sum of squared deviations, by Welford's update, which keeps its digits on long journeys
	min, max, last    float64
	openings          [2]float64 // the first two gaps
	early             []int32    // events within each window after the first event
}

// add meets an event; gap is the time since the one before in microseconds, or
// negative for the first event.
func (r *rhythmState) add(now, first instant, gap int64, windows []int64) {
	if day := now.day(); r.sessions == 0 || day > r.lastDay {
		r.days, r.lastDay = r.days+1, day
	}
	if hour := floorDiv(now.local(), Hour); r.sessions == 0 || hour > r.lastHour {
		r.hours, r.lastHour = r.hours+1, hour
	}
	for i, window := range windows {
		if now.time-first.time < window {
			r.early[i]++
		}
	}
	if gap >= 0 {
		r.addGap(inDays(gap))
	}
	if gap < 0 || gap > sessionGap {
		r.sessions, r.lastSession = r.sessions+1, 0
	}
	r.lastSession++
	if r.sessions == 1 {
		r.firstSession++
	}
}

func (r *rhythmState) addGap(days float64) {
	if r.gaps == 0 {
		r.min, r.max = days, days
	}
	if r.gaps < len(r.openings) {
		r.openings[r.gaps] = days
	}
	r.gaps++
	delta := days - r.mean
	r.mean += delta / float64(r.gaps)
	r.squares += delta * (days - r.mean)
	r.min, r.max, r.last = min(r.min, days), max(r.max, days), days
}

// reset forgets all but the room for the windows.
func (r *rhythmState) reset() {
	clear(r.early)
	*r = rhythmState{early: r.early}
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
	count     int
	sum, mean float64
	squares   float64 // sum of squared deviations
	low, high float64
	last      float64
	changes   float64 // sum of the absolute differences between neighbours
	slope     float64 // sum of the products of the deviations of value and position
}

func (n *numberState) add(x float64) {
	if math.IsNaN(x) {
		return
	}
	if n.count == 0 {
		n.low, n.high, n.last = x, x, x
	}
	n.count++
	count := float64(n.count)
	n.sum += x
	n.low, n.high = min(n.low, x), max(n.high, x)
	n.changes += math.Abs(x - n.last)
	n.last = x
	delta := x - n.mean
	// Positions are 1, 2, ..., so those before this one have the mean count/2.
	n.slope += (count - count/2) * delta * (count - 1) / count
	n.mean += delta / count
	n.squares += delta * (x - n.mean)
}

// deviation is the standard deviation; NaN below two values.
func (n *numberState) deviation() float64 { return deviation(n.squares, n.count) }

// deviation is the root of the mean squared deviation; NaN below two values.
func deviation(squares float64, count int) float64 {
	if count < 2 {
		return math.NaN()
	}
	return math.Sqrt(max(squares, 0) / float64(count))
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
