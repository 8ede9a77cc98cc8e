package alerts

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"moments/features"
)

// Anything stands for no touchpoint in particular: all customers whose journey
// has begun.
const Anything = "anything"

// An Incident is a touchpoint after which something happened more, or less,
// often than in other periods, from First to Last.
type Incident struct {
	After     string // event type, or Anything
	Attribute string // of that event, with the Level, where those events alone are concerned; "" for all
	Level     string
	Event     string // event type that followed
	Rise      bool   // more often; false for less often

	First, Last int64 // microseconds: of the events that followed; of the periods where fewer did
	Periods     int   // in which it stands out
	Finding           // of these periods together; the chances are those of the strongest one

	Also int // further touchpoints that show the same
}

// Touchpoints counts what follows what in each period. The zero value is not
// ready; see NewTouchpoints.
type Touchpoints struct {
	options Options
	fields  []attributeField
	series  map[seriesKey]*series
	hits    map[hit]bool // scratch: of one journey
}

// attributeField is a categorical attribute by whose levels touchpoints are
// told apart.
type attributeField struct {
	at     int // in Layout.Event
	name   string
	levels map[string]bool
}

// seriesKey is a touchpoint: an event type, or all, and perhaps an attribute's
// level. Event is "" in the series that counts the customers who were there.
type seriesKey struct{ after, attribute, level, event string }

// A hit is one customer in one period.
type hit struct {
	key    seriesKey
	period int
}

// series counts customers by period.
type series struct {
	count       []int
	first, last []int64 // of the events counted
}

// NewTouchpoints makes a counter for journeys that the schema describes.
func NewTouchpoints(schema *features.Schema, o Options) (*Touchpoints, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Touchpoints{options: o, series: map[seriesKey]*series{}, hits: map[hit]bool{}}
	for i, field := range schema.Attributes {
		if field.Kind != features.Categorical || field.Dropped != "" || len(field.Levels) > schema.Options.LevelCounts {
			continue
		}
		f := attributeField{at: i, name: field.Name, levels: map[string]bool{}}
		for _, level := range field.Levels {
			f.levels[level] = true
		}
		t.fields = append(t.fields, f)
	}
	return t, nil
}

// Add counts the events of a journey up to a cutoff. A customer counts once for
// each touchpoint, event after it and period: one who tries ten times is one.
func (t *Touchpoints) Add(j *features.Journey, c features.Cutoff) {
	clear(t.hits)
	events := j.Events[:min(max(c.Events, 0), len(j.Events))]
	if len(events) == 0 {
		return
	}
	begun := t.begin(events[0].Time)
	from := sort.Search(len(events), func(i int) bool { return events[i].Time >= t.options.From })
	for i := from; i < len(events); i++ {
		ev := &events[i]
		period, in := t.options.period(ev.Time)
		if !in {
			break
		}
		if period >= begun {
			t.count(seriesKey{after: Anything, event: ev.Type}, period, ev.Time)
		}
		for _, key := range t.keys(ev) {
			t.count(key, period, ev.Time)
			for k := i + 1; k < len(events) && events[k].Time-ev.Time <= t.options.Within; k++ {
				key.event = events[k].Type
				t.count(key, period, events[k].Time)
			}
		}
	}
}

// begin counts the customer as one to whom anything may happen from a moment on.
// Those to whom something did would not do: a campaign for everybody would be a
// day on which a smaller share comes. The period in which the journey begins is
// left out, for something happens in it to everybody. It returns the first one.
func (t *Touchpoints) begin(at int64) int {
	first, in := 0, true
	if at >= t.options.From {
		if first, in = t.options.period(at); !in {
			return t.options.periods()
		}
		first++
	}
	for period := first; period < t.options.periods(); period++ {
		t.count(seriesKey{after: Anything}, period, t.options.From+int64(period)*t.options.Every)
	}
	return first
}

// keys are the touchpoints that an event is.
func (t *Touchpoints) keys(ev *features.Event) []seriesKey {
	keys := []seriesKey{{after: ev.Type}}
	for _, f := range t.fields {
		if f.at < len(ev.Values) && f.levels[ev.Values[f.at].Text] {
			keys = append(keys, seriesKey{after: ev.Type, attribute: f.name, level: ev.Values[f.at].Text})
		}
	}
	return keys
}

// count notes that the customer was there in the period.
func (t *Touchpoints) count(key seriesKey, period int, at int64) {
	s := t.series[key]
	if s == nil {
		n := t.options.periods()
		s = &series{count: make([]int, n), first: make([]int64, n), last: make([]int64, n)}
		t.series[key] = s
	}
	if h := (hit{key, period}); !t.hits[h] {
		t.hits[h] = true
		s.count[period]++
	}
	if s.first[period] == 0 || at < s.first[period] {
		s.first[period] = at
	}
	s.last[period] = max(s.last[period], at)
}

// leastCustomers is how many customers a touchpoint needs in a period for a
// comparison.
const leastCustomers = 5

// Incidents are the touchpoints that stand out, the largest excess first.
func (t *Touchpoints) Incidents() []Incident {
	var tests []test
	made := 0
	for _, key := range t.sorted() {
		s := t.series[key]
		base := t.series[seriesKey{key.after, key.attribute, key.level, ""}]
		spread := dispersion(s.count, base.count)
		hits, all := total(s.count), total(base.count)
		for period, n := range base.count {
			if n < leastCustomers || all-n < leastCustomers {
				continue
			}
			made++
			k := s.count[period]
			rate := (float64(hits-k) + 0.5) / (float64(all-n) + 1)
			f := compare(k, n, rate, spread)
			if excess := f.Excess(); max(excess, -excess) >= float64(t.options.Least) && f.Chance <= t.options.Rate {
				tests = append(tests, test{key, period, f})
			}
		}
	}
	p := make([]float64, len(tests))
	for i := range tests {
		p[i] = tests[i].Chance
	}
	var kept []test
	for i, adjusted := range adjust(p, made) {
		if tests[i].Adjusted = adjusted; adjusted <= t.options.Rate {
			kept = append(kept, tests[i])
		}
	}
	return t.incidents(kept)
}

// A test is one touchpoint in one period.
type test struct {
	key    seriesKey
	period int
	Finding
}

// sorted are the keys of what followed, in an order of their own.
func (t *Touchpoints) sorted() []seriesKey {
	var keys []seriesKey
	for key := range t.series {
		if key.event != "" {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b seriesKey) int {
		return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.attribute, b.attribute), cmp.Compare(a.level, b.level), cmp.Compare(a.event, b.event))
	})
	return keys
}

func total(xs []int) (sum int) {
	for _, x := range xs {
		sum += x
	}
	return sum
}

// dispersion is by how much the shares of the periods vary more than those of
// independent customers would, at least 1: weekends and campaigns are no
// incidents. It is the median of the squared deviations, in units of what it is
// for independent ones, so that incidents do not hide themselves.
func dispersion(hits, all []int) float64 {
	rate := (float64(total(hits)) + 0.5) / (float64(total(all)) + 1)
	var squares []float64
	for i, n := range all {
		if n < leastCustomers {
			continue
		}
		d := float64(hits[i]) - rate*float64(n)
		squares = append(squares, d*d/(rate*(1-rate)*float64(n)))
	}
	if len(squares) == 0 || rate >= 1 {
		return 1
	}
	slices.Sort(squares)
	const medianOfChiSquare = 0.4549
	return max(1, squares[len(squares)/2]/medianOfChiSquare)
}

// sharpness is by how much the share differs from the expected one, beyond what
// the few customers of a narrow touchpoint make uncertain.
func (x *test) sharpness() float64 {
	n := float64(x.Of)
	return abs(x.Excess())/n - 1/math.Sqrt(n)
}

// incidents joins neighbouring periods, and touchpoints that show the same: the
// same event more, or less, often in the same periods. The sharpest leads: of
// all that fills a broken checkout's day with failures, the checkout.
func (t *Touchpoints) incidents(tests []test) []Incident {
	slices.SortStableFunc(tests, func(a, b test) int {
		return cmp.Or(cmp.Compare(b.sharpness(), a.sharpness()), cmp.Compare(a.Adjusted, b.Adjusted))
	})
	var found []Incident
	keys := []seriesKey{}
	for _, x := range tests {
		at := slices.IndexFunc(found, func(i Incident) bool {
			return i.Event == x.key.event && i.Rise == (x.Excess() > 0) && t.near(&i, x.period)
		})
		switch {
		case at < 0:
			found, keys = append(found, t.incident(x)), append(keys, x.key)
		case keys[at] == x.key:
			found[at].join(t.incident(x))
		default:
			found[at].Also++
		}
	}
	slices.SortStableFunc(found, func(a, b Incident) int { return cmp.Compare(abs(b.Excess()), abs(a.Excess())) })
	return found
}

func abs(x float64) float64 { return max(x, -x) }

// near says whether a period touches those of an incident.
func (t *Touchpoints) near(i *Incident, period int) bool {
	first, _ := t.options.period(i.First)
	last, _ := t.options.period(i.Last)
	return period >= first-1 && period <= last+1
}

func (t *Touchpoints) incident(x test) Incident {
	i := Incident{
		After: x.key.after, Attribute: x.key.attribute, Level: x.key.level, Event: x.key.event,
		Rise: x.Excess() > 0, Periods: 1, Finding: x.Finding,
	}
	i.First = t.options.From + int64(x.period)*t.options.Every
	i.Last = min(i.First+t.options.Every, t.options.To) - 1
	if s := t.series[x.key]; i.Rise {
		i.First, i.Last = s.first[x.period], max(s.first[x.period], min(s.last[x.period], i.Last))
	}
	return i
}

// join takes in the same touchpoint in another period.
func (i *Incident) join(o Incident) {
	i.First, i.Last = min(i.First, o.First), max(i.Last, o.Last)
	i.Periods++
	i.Customers += o.Customers
	i.Of += o.Of
	i.Expected += o.Expected
}
