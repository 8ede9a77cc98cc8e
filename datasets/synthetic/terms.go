package synthetic

import (
	"fmt"
	"math"
	"slices"

	"moments/features"
)

// A term is an Effect compiled to words and microseconds; a profile effect is a
// term without a type.
type term struct {
	target                   int
	logit                    float64
	typ, unless, after, near word
	status, from, to         word
	most                     int
	within, apart            int64
	field, value             word
}

// A plan of terms: the events first, in the order of Config.Effects, then the profile.
type terms struct {
	all    []term
	events int               // how many of them read events
	touch  [endOfTypes][]int // the event terms that an event type can change
}

// compile turns the configured effects into terms and refuses unknown words.
func compile(c Config) (*terms, error) {
	t := &terms{events: len(c.Effects)}
	names := map[string]bool{}
	for i, e := range c.Effects {
		compiled, err := compileEffect(e, c.Strength)
		if err != nil {
			return nil, err
		}
		if names[e.Name] {
			return nil, fmt.Errorf("synthetic: effect %q is given twice", e.Name)
		}
		names[e.Name] = true
		t.all = append(t.all, compiled)
		touched := []word{compiled.typ, compiled.unless, compiled.after, compiled.near}
		slices.Sort(touched)
		for _, w := range slices.Compact(touched) {
			t.touch[w] = append(t.touch[w], i)
		}
	}
	for _, e := range c.ProfileEffects {
		compiled, err := compileProfile(e, c.Strength)
		if err != nil {
			return nil, err
		}
		if names[e.Name] {
			return nil, fmt.Errorf("synthetic: effect %q is given twice", e.Name)
		}
		names[e.Name] = true
		t.all = append(t.all, compiled)
	}
	return t, nil
}

func compileEffect(e Effect, strength float64) (term, error) {
	fault := func(format string, args ...any) (term, error) {
		return term{}, fmt.Errorf("synthetic: effect %q: %s", e.Name, fmt.Sprintf(format, args...))
	}
	target := slices.Index(Targets[:], e.Target)
	if target < 0 {
		return fault("target is %q, want conversion or churn", e.Target)
	}
	if e.Type == "" {
		return fault("type is empty, want one of %q", typeNames[1:cancellation])
	}
	if math.IsNaN(e.Logit) || math.Abs(e.Logit) > 20 {
		return fault("logit is %g, want -20 to 20", e.Logit)
	}
	if e.Most < 1 || e.Within < 0 || e.Apart < 0 {
		return fault("most, within, apart are %d, %d, %d, want at least 1, 0, 0", e.Most, e.Within, e.Apart)
	}
	if e.RatingFrom < 0 || e.RatingFrom > 5 || e.RatingTo < 0 || e.RatingTo > 5 {
		return fault("rating_from, rating_to are %d, %d, want 0 to 5", e.RatingFrom, e.RatingTo)
	}
	var words [4]word
	for i, name := range []string{e.Type, e.Unless, e.After, e.Near} {
		w, ok := find(typeNames[:cancellation], name)
		if !ok {
			return fault("type %q is unknown, want one of %q", name, typeNames[1:cancellation])
		}
		words[i] = w
	}
	status, ok := find(statusNames, e.Status)
	if !ok {
		return fault("status %q is unknown, want one of %q", e.Status, statusNames[1:])
	}
	return term{
		target: target, logit: e.Logit * strength, most: e.Most, status: status, from: word(e.RatingFrom), to: word(e.RatingTo),
		typ: words[0], unless: words[1], after: words[2], near: words[3],
		within: int64(e.Within) * features.Day, apart: int64(e.Apart) * features.Day,
	}, nil
}

// Profile fields that effects may read, in the order of term.field.
var profileFields = []string{"age", "region", "segment", "plan", "acquisition", "device"}

func compileProfile(e ProfileEffect, strength float64) (term, error) {
	target := slices.Index(Targets[:], e.Target)
	if target < 0 {
		return term{}, fmt.Errorf("synthetic: effect %q: target is %q, want conversion or churn", e.Name, e.Target)
	}
	if math.IsNaN(e.Logit) || math.Abs(e.Logit) > 20 {
		return term{}, fmt.Errorf("synthetic: effect %q: logit is %g, want -20 to 20", e.Name, e.Logit)
	}
	field, ok := find(profileFields, e.Field)
	if !ok {
		return term{}, fmt.Errorf("synthetic: effect %q: field %q is unknown, want one of %q", e.Name, e.Field, profileFields)
	}
	lists := [][]string{{""}, regionNames, segmentNames, planNames, acquisitionNames, deviceNames}
	value, ok := find(lists[field], e.Value)
	if !ok || field > 0 && value == 0 {
		return term{}, fmt.Errorf("synthetic: effect %q: value %q is unknown, want one of %q", e.Name, e.Value, lists[field][1:])
	}
	return term{target: target, logit: e.Logit * strength, field: field, value: value}, nil
}

// profile is the term's share of the log-odds for a profile.
func (t *term) profile(p profile) float64 {
	if t.field == 0 {
		return t.logit * (p.age - 40) / 10
	}
	if [...]word{0, p.region, p.segment, p.plan, p.acquisition, p.device}[t.field] == t.value {
		return t.logit
	}
	return 0
}

// count is the number of events, up to most, that the term counts in the
// history; the event at position without is taken for absent (-1: none).
func (t *term) count(history []event, cutoff int64, without int) int {
	n := 0
	for i := len(history) - 1; i >= 0; i-- {
		ev := &history[i]
		if t.within > 0 && cutoff-ev.at > t.within {
			return n
		}
		if i == without {
			continue
		}
		if ev.typ == t.typ && t.counts(history, i, without) {
			if n++; n == t.most {
				return n
			}
		}
		if ev.typ == t.unless && t.unless != 0 {
			return n // everything earlier is undone
		}
	}
	return n
}

// counts says whether the circumstances of the event at position i are met.
func (t *term) counts(history []event, i, without int) bool {
	ev := &history[i]
	if t.status != 0 && ev.status != t.status || ev.rating < t.from || t.to != 0 && (ev.rating == 0 || ev.rating > t.to) {
		return false
	}
	if t.after != 0 && !t.has(history[:i], ev.at, without, t.after) {
		return false
	}
	return t.near == 0 || t.has(history, ev.at, without, t.near)
}

// has says whether an event of that type lies at most apart away from at.
func (t *term) has(history []event, at int64, without int, typ word) bool {
	for i := range history {
		gap := max(at-history[i].at, history[i].at-at)
		if history[i].typ == typ && i != without && (t.apart == 0 || gap <= t.apart) {
			return true
		}
	}
	return false
}
