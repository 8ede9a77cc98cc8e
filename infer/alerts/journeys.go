package alerts

import (
	"cmp"
	"math"
	"slices"
	"time"

	"moments/features"
	"moments/infer"
)

// A Group is what flagged journeys with the same cause have in common.
type Group struct {
	Cause     string // infer.Cause.Key of the first cause; "" for all causes together
	Dimension string // Period, Stage, Cohort or a profile field; "" for the whole base
	Level     string // such as "2025-03" of Cohort

	First, Last int64 // cutoffs, or the events that caused it where they are known
	Finding
	Severity float64  // mean of -log10 of the p-values
	Examples []string // some of the customers, the strangest first
}

// Dimensions that are no profile fields.
const (
	Period = "period" // of the cutoff, by the day it begins
	Stage  = "stage"  // time since the first event
	Cohort = "cohort" // month of the first event
)

// stages are the ends of the first stages of a journey.
var stages = []struct {
	name string
	end  int64
}{{"first week", features.Week}, {"first month", 30 * features.Day}, {"first quarter", 90 * features.Day}, {"later", math.MaxInt64}}

// Journeys counts scored journeys by cause and by what they have in common.
type Journeys struct {
	options Options
	layout  features.Layout
	fields  []int // categorical profile fields of few levels
	rate    float64
	scored  int
	all     map[place]int // journeys by place
	groups  map[groupKey]*flagged
}

// A place is one level of one dimension.
type place struct{ dimension, level string }

type groupKey struct {
	cause string
	place
}

// flagged are the flagged journeys of a group.
type flagged struct {
	count       int
	first, last int64
	surprise    float64
	examples    []example
}

type example struct {
	customer string
	p        float64
}

// mostExamples is the number of customers named.
const mostExamples = 5

// NewJourneys makes a counter of journeys that the schema describes, of which
// alertRate are flagged by chance.
func NewJourneys(schema *features.Schema, alertRate float64, o Options) (*Journeys, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Journeys{options: o, layout: schema.Layout, rate: alertRate, all: map[place]int{}, groups: map[groupKey]*flagged{}}
	for i, field := range schema.Profile {
		if field.Kind == features.Categorical && field.Dropped == "" && len(field.Levels) <= schema.Options.LevelCounts {
			g.fields = append(g.fields, i)
		}
	}
	return g, nil
}

// Add counts a journey and its score.
func (g *Journeys) Add(j *features.Journey, s *infer.Score) {
	g.scored++
	places := append(g.places(j, s.Cutoff), place{})
	for _, p := range places {
		g.all[p]++
	}
	if !s.Alert {
		return
	}
	at, cause := s.Cutoff, ""
	if len(s.Causes) > 0 {
		first := &s.Causes[0]
		cause = first.Key()
		if first.Event >= 0 && first.Event < len(j.Events) {
			at = j.Events[first.Event].Time
		}
	}
	for _, p := range places {
		g.group(groupKey{"", p}).add(s, at)
		if cause != "" {
			g.group(groupKey{cause, p}).add(s, at)
		}
	}
}

func (g *Journeys) group(key groupKey) *flagged {
	f := g.groups[key]
	if f == nil {
		f = &flagged{first: math.MaxInt64, last: math.MinInt64}
		g.groups[key] = f
	}
	return f
}

func (f *flagged) add(s *infer.Score, at int64) {
	f.count++
	f.first, f.last = min(f.first, at), max(f.last, at)
	f.surprise -= math.Log10(s.Anomaly)
	f.examples = append(f.examples, example{s.Customer, s.Anomaly})
	slices.SortStableFunc(f.examples, func(a, b example) int { return cmp.Compare(a.p, b.p) })
	f.examples = f.examples[:min(mostExamples, len(f.examples))]
}

// places are the levels that a journey belongs to.
func (g *Journeys) places(j *features.Journey, cutoff int64) []place {
	var places []place
	if period, in := g.options.period(cutoff); in && g.options.periods() > 1 {
		places = append(places, place{Period, day(g.options.From + int64(period)*g.options.Every)})
	}
	if len(j.Events) > 0 {
		first := j.Events[0].Time
		for _, stage := range stages {
			if cutoff-first < stage.end {
				places = append(places, place{Stage, stage.name})
				break
			}
		}
		places = append(places, place{Cohort, day(first)[:len("2006-01")]})
	}
	for _, i := range g.fields {
		if i < len(j.Profile) && j.Profile[i].Text != "" {
			places = append(places, place{g.layout.Profile[i].Name, j.Profile[i].Text})
		}
	}
	return places
}

// day is a moment as its date.
func day(at int64) string { return time.UnixMicro(at).UTC().Format(time.DateOnly) }

// Groups are all causes over the whole base, by falling number of journeys, and
// those groups of it that rise beyond chance, by the chance.
func (g *Journeys) Groups() (causes, risen []Group) {
	var candidates []Group
	made := 0
	for key, f := range g.groups {
		group := f.group(key)
		switch {
		case key.place == (place{}) && key.cause == "":
			group.Finding = compare(f.count, g.scored, g.rate, 1)
			candidates, made = append(candidates, group), made+1
		case key.place == (place{}):
			group.Of, group.Customers = g.scored, f.count
			causes = append(causes, group)
		default:
			n, everywhere := g.all[key.place], g.groups[groupKey{cause: key.cause}]
			if rest := g.scored - n; n >= leastCustomers && rest >= leastCustomers {
				made++
				group.Finding = compare(f.count, n, (float64(everywhere.count-f.count)+0.5)/(float64(rest)+1), 1)
				candidates = append(candidates, group)
			}
		}
	}
	byCount := func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Customers, a.Customers), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Level, b.Level))
	}
	slices.SortFunc(causes, byCount)
	slices.SortFunc(candidates, byCount)
	return causes, g.risen(candidates, made)
}

func (f *flagged) group(key groupKey) Group {
	g := Group{Cause: key.cause, Dimension: key.dimension, Level: key.level, First: f.first, Last: f.last, Severity: f.surprise / float64(f.count)}
	for _, e := range f.examples {
		g.Examples = append(g.Examples, e.customer)
	}
	return g
}

// risen keeps what rises beyond chance.
func (g *Journeys) risen(candidates []Group, made int) (risen []Group) {
	p := make([]float64, len(candidates))
	for i := range candidates {
		p[i] = candidates[i].Chance
	}
	for i, adjusted := range adjust(p, made) {
		c := &candidates[i]
		if c.Adjusted = adjusted; adjusted <= g.options.Rate && c.Excess() >= float64(g.options.Least) {
			risen = append(risen, *c)
		}
	}
	slices.SortStableFunc(risen, func(a, b Group) int { return cmp.Compare(a.Adjusted, b.Adjusted) })
	return risen
}
