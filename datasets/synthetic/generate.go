package synthetic

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"moments/features"
)

// Truth is what the generator knows of one customer and no journey tells.
// Pairs are indexed by [Conversion] and [Churn].
type Truth struct {
	Customer    string
	Cutoff      features.Cutoff // Time is the last microsecond before [Config.Cutoff]
	Stage       string          // at the cutoff: awareness, consideration, purchase, onboarding, adoption or loyalty
	Probability [2]float64      // of each outcome, at the cutoff
	Outcome     [2]bool         // as drawn
	Impact      [2][]float64    // of each visible event: probability with it minus without it
	Cause       [2]*Cause       // the visible event of largest impact; nil when none is over 5 points
	Anomaly     *Anomaly        // nil for normal journeys
}

// A Cause is a planted moment of truth.
type Cause struct {
	Event  int     // position in the journey
	Time   int64   // microseconds since the Unix epoch
	Type   string  // event type
	Impact float64 // probability with the event minus without it
	Ties   []int   // positions of other events with the same impact: nobody can tell which one it was
}

// Generate yields the customers one after the other, history and future in one
// journey, with the truth about each. What it yields is the caller's to keep.
// It fails at once when the configuration is refused.
func Generate(c Config) (iter.Seq2[*features.Journey, *Truth], error) {
	w, err := newWorld(c)
	if err != nil {
		return nil, err
	}
	return func(yield func(*features.Journey, *Truth) bool) {
		m := w.newMaker()
		for i := range c.Customers {
			o, impact := m.make(i)
			if !yield(m.journey(), m.truth(o, impact)) {
				return
			}
		}
	}, nil
}

// make builds the whole customer of that number.
func (m *maker) make(index int) ([2]outcome, [2][]float64) {
	m.history(index)
	o := m.outcomes()
	impact := m.impacts(o)
	m.future(o)
	return o, impact
}

// newWorld validates the configuration and draws what all customers share.
func newWorld(c Config) (*world, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Effects, c.ProfileEffects = slices.Clone(c.Effects), slices.Clone(c.ProfileEffects)
	c.Start = c.Start.UTC()
	t, err := compile(c)
	if err != nil {
		return nil, err
	}
	w := &world{config: c, terms: t, start: c.Start.UnixMicro(), cutoff: c.Cutoff().UnixMicro()}
	// A week more than the horizon, so that the data covers every horizon entirely.
	w.end = w.cutoff + int64(c.Horizon+7)*features.Day
	w.zones = newZones(c.Start.Year()-1, c.Cutoff().AddDate(0, 0, c.Horizon+7).Year()+1)
	random := rand.New(rand.NewPCG(scramble(c.Seed), streamWorld))
	for at := w.start; at < w.end; at += int64(14+random.IntN(12)) * features.Day {
		w.campaigns = append(w.campaigns, at)
	}
	for range c.Outages {
		back := int64(2 + random.IntN(58))
		w.outages = append(w.outages, w.cutoff-back*features.Day)
	}
	slices.Sort(w.outages)
	w.outages = slices.Compact(w.outages)
	w.calibrate()
	return w, nil
}

// pilots is the number of customers by which the intercepts are set. It does
// not depend on Config.Customers, so a customer is the same in a larger base.
const pilots = 3000

// calibrate sets the intercepts so that the mean probability of the pilot
// customers is the configured rate.
func (w *world) calibrate() {
	m := w.newMaker()
	scores := [2][]float64{make([]float64, pilots), make([]float64, pilots)}
	for i := range pilots {
		m.history(i)
		for target, logit := range m.logits() {
			scores[target][i] = logit
		}
	}
	for target, rate := range [2]float64{w.config.Conversion, w.config.Churn} {
		low, high := -200.0, 200.0
		for range 60 {
			middle := (low + high) / 2
			mean := 0.0
			for _, s := range scores[target] {
				mean += sigmoid(s + middle)
			}
			if mean/pilots < rate {
				low = middle
			} else {
				high = middle
			}
		}
		w.intercepts[target] = low
	}
}

// name is the identifier of the customer of that number.
func name(index int) string { return fmt.Sprintf("c%08d", index) }

// journey converts the customer under construction.
func (m *maker) journey() *features.Journey {
	j := &features.Journey{Customer: name(m.c.index), Profile: m.c.profile.values(), Events: make([]features.Event, len(m.c.events))}
	width := len(Layout().Event)
	values := make([]features.Value, width*len(m.c.events))
	for i := range m.c.events {
		ev := &m.c.events[i]
		row := values[width*i : width*(i+1) : width*(i+1)]
		row[0], row[1], row[2] = features.Text(channelNames[ev.channel]), features.Number(ev.amount), features.Text(statusNames[ev.status])
		row[3], row[4] = features.Missing(), features.Missing()
		if ev.rating > 0 {
			row[ratingColumn(ev)] = features.Number(float64(ev.rating))
		}
		j.Events[i] = features.Event{Time: ev.at, Offset: m.c.zone.offset(ev.at), Type: typeNames[ev.typ], Values: row}
	}
	return j
}

// ratingColumn is the position in Layout().Event that holds the event's rating.
func ratingColumn(ev *event) int {
	if ev.typ == review {
		return 4
	}
	return 3
}

// truth converts what is known about the customer under construction.
func (m *maker) truth(o [2]outcome, impact [2][]float64) *Truth {
	t := &Truth{
		Customer: name(m.c.index), Cutoff: features.Cutoff{Time: m.cutoff - 1, Events: m.c.history}, Stage: m.stage(),
		Impact: impact, Anomaly: m.c.anomaly,
	}
	for target := range o {
		t.Probability[target], t.Outcome[target] = o[target].probability, o[target].positive()
		if i := cause(impact[target]); i >= 0 {
			t.Cause[target] = &Cause{
				Event: i, Time: m.c.events[i].at, Type: typeNames[m.c.events[i].typ], Impact: impact[target][i], Ties: ties(impact[target], i),
			}
		}
	}
	if t.Anomaly != nil {
		for i, ev := range m.c.events[:m.c.history] {
			if ev.planted {
				t.Anomaly.Events = append(t.Anomaly.Events, i)
			}
		}
	}
	return t
}
