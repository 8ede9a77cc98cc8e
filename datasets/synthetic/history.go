package synthetic

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"moments/features"
)

// A maker makes customers one after the other. Every worker has its own; they
// share the world, which is read only.
type maker struct {
	*world
	random *rand.Rand
	source *rand.PCG
	c      customer
	until  int64 // where the part of the journey being made ends
	void   event // what add returns beyond it
}

// A world is what all customers have in common.
type world struct {
	config             Config
	terms              *terms
	zones              []zone
	start, cutoff, end int64      // microseconds; end is the last moment of the simulation, a week after the horizon
	campaigns          []int64    // starts of advertising days
	outages            []int64    // starts of days on which the app's checkout is broken
	intercepts         [2]float64 // log-odds of each target when no term applies
}

// A customer under construction. Its slices are reused for the next one.
type customer struct {
	index   int
	profile profile
	zone    *zone
	rhythm  *rhythm
	joined  int64 // the first contact
	bought  int64 // the first purchase, or the cutoff when there was none

	engagement float64 // habits that last: multiplies the rate of activity
	recent     float64 // the same in the last 30 days alone

	events  []event
	history int // number of events before the cutoff
	anomaly *Anomaly
}

// Streams of random numbers, one per purpose, so that a change in one leaves
// the others as they are (common random numbers).
const (
	streamWorld uint64 = iota + 1
	streamHistory
	streamAnomaly
	streamOutcome
)

// reseed starts the stream of one customer from its number alone.
func (m *maker) reseed(stream uint64, index int) {
	m.source.Seed(scramble(m.config.Seed+stream*0x9e3779b97f4a7c15), scramble(uint64(index)))
}

// scramble is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (w *world) newMaker() *maker {
	source := rand.NewPCG(0, 0)
	return &maker{world: w, source: source, random: rand.New(source)}
}

// history draws the profile and everything before the cutoff.
func (m *maker) history(index int) {
	m.reseed(streamHistory, index)
	m.c = customer{index: index, events: m.c.events[:0]}
	m.until = m.cutoff - features.Minute // order moves crowded events by seconds
	m.person()
	m.contact(m.c.joined)
	m.prospect(m.c.joined, m.c.bought)
	if m.c.bought < m.cutoff {
		m.client(m.c.bought, m.cutoff)
	}
	m.advertising(m.c.joined, m.cutoff)
	m.plantAnomaly()
	m.c.order(0)
	m.c.history = len(m.c.events)
}

// person draws the profile and the habits.
func (m *maker) person() {
	c, r := &m.c, m.random
	c.profile = profile{
		age:             math.Round(min(max(42+14*r.NormFloat64(), 18), 88)),
		region:          m.pick(0.4, 0.25, 0.25),
		segment:         m.pick(0.7, 0.22),
		acquisition:     m.pick(0.38, 0.3, 0.15),
		device:          m.pick(0.4, 0.35),
		hideAge:         r.Float64() < m.config.Missing,
		hideAcquisition: r.Float64() < m.config.Missing,
		hideDevice:      r.Float64() < m.config.Missing,
	}
	c.zone = &m.zones[c.profile.region]
	c.rhythm = &rhythms[1]
	if c.profile.segment == consumer {
		c.rhythm = &rhythms[0]
	}
	c.engagement = m.config.Activity * math.Exp(0.45*r.NormFloat64())
	c.recent = math.Exp(0.7 * r.NormFloat64())

	latest := m.cutoff - 14*features.Day
	c.joined = c.rhythm.draw(r, c.zone, m.start, latest)
	wait := int64(30 * r.ExpFloat64() * float64(features.Day))
	c.bought = m.cutoff
	if at := c.joined + wait; r.Float64() < 0.7 && at < m.cutoff-3*features.Day {
		c.bought = at - at%features.Second
	}
	c.profile.plan = free
	if c.bought < m.cutoff {
		c.profile.plan = basic + m.pick(0.6) - 1
	}
}

// pick is 1, 2, ... with those shares, and one more with what is left.
func (m *maker) pick(shares ...float64) word {
	u := m.random.Float64()
	for i, share := range shares {
		if u -= share; u < 0 {
			return word(i + 1)
		}
	}
	return word(len(shares) + 1)
}

// chance is true with that probability.
func (m *maker) chance(p float64) bool { return m.random.Float64() < p }

// add appends an event and returns it to be filled in; beyond the moment until,
// the event goes nowhere.
func (m *maker) add(at int64, typ, channel word) *event {
	at -= at % features.Second
	if at >= m.until {
		m.void = event{}
		return &m.void
	}
	m.c.events = append(m.c.events, event{at: at, typ: typ, channel: channel, amount: math.NaN()})
	return &m.c.events[len(m.c.events)-1]
}

// times calls visit at the moments of a Poisson process of that many events a
// day over [from, to), shaped by the customer's week.
func (m *maker) times(rate float64, from, to int64, visit func(at int64)) {
	if to <= from {
		return
	}
	for n := m.poisson(rate * float64(to-from) / float64(features.Day)); n > 0; n-- {
		visit(m.c.rhythm.draw(m.random, m.c.zone, from, to))
	}
}

// poisson is Knuth's method in steps of means up to 16, which keeps exp(-mean)
// far from zero.
func (m *maker) poisson(mean float64) int {
	n := 0
	for ; mean > 0; mean -= 16 {
		limit, product := math.Exp(-min(mean, 16)), m.random.Float64()
		for product > limit {
			product *= m.random.Float64()
			n++
		}
	}
	return n
}

// active is times at the customer's own engagement, which is another one in
// the 30 days before the cutoff.
func (m *maker) active(rate float64, from, to int64, visit func(at int64)) {
	turn := min(max(m.cutoff-30*features.Day, from), to)
	m.times(rate*m.c.engagement, from, turn, visit)
	m.times(rate*m.c.engagement*m.c.recent, turn, to, visit)
}

// order sorts the events from position on by time and moves those of the same second
// apart, so that time and type name an event.
func (c *customer) order(from int) {
	events := c.events[from:]
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	for i := 1; i < len(events); i++ {
		events[i].at = max(events[i].at, events[i-1].at+features.Second)
	}
}
