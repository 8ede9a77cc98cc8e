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
	add := func(name string, compiled term, err error) error {
		if err == nil && (name == "" || names[name]) {
			err = fmt.Errorf("the name is empty or given twice, want one of its own")
		}
		if err != nil {
			return fmt.Errorf("synthetic: effect %q: %w", name, err)
		}
		names[name] = true
		t.all = append(t.all, compiled)
		return nil
	}
	for i, e := range c.Effects {
		compiled, err := compileEffect(e, c.Strength)
		if err := add(e.Name, compiled, err); err != nil {
			return nil, err
		}
		touched := []word{compiled.typ, compiled.unless, compiled.after, compiled.near}
		slices.Sort(touched)
		for _, w := range slices.Compact(touched) {
			t.touch[w] = append(t.touch[w], i)
		}
	}
	for _, e := range c.ProfileEffects {
		compiled, err := compileProfile(e, c.Strength)
		if err := add(e.Name, compiled, err); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func compileEffect(e Effect, strength float64) (term, error) {
	target, err := checkTarget(e.Target, e.Logit)
	if err != nil {
		return term{}, err
	}
	if e.Most < 1 || min(e.Within, e.Apart) < 0 || max(e.Most, e.Within, e.Apart) > maxDays {
		return term{}, fmt.Errorf("most, within, apart are %d, %d, %d, want at least 1, 0, 0 and at most %d", e.Most, e.Within, e.Apart, maxDays)
	}
	if min(e.RatingFrom, e.RatingTo) < 0 || max(e.RatingFrom, e.RatingTo) > 5 {
		return term{}, fmt.Errorf("rating_from, rating_to are %d, %d, want 0 to 5", e.RatingFrom, e.RatingTo)
	}
	var words [4]word
	for i, name := range []string{e.Type, e.Unless, e.After, e.Near} {
		w, ok := find(typeNames[:cancellation], name)
		if !ok || i == 0 && w == 0 {
			return term{}, fmt.Errorf("type %q is unknown, want one of %q", name, typeNames[1:cancellation])
		}
		words[i] = w
	}
	status, ok := find(statusNames, e.Status)
	if !ok {
		return term{}, fmt.Errorf("status %q is unknown, want one of %q", e.Status, statusNames[1:])
	}
	return term{
		target: target, logit: e.Logit * strength, most: e.Most, status: status, from: word(e.RatingFrom), to: word(e.RatingTo),
		typ: words[0], unless: words[1], after: words[2], near: words[3],
		within: int64(e.Within) * features.Day, apart: int64(e.Apart) * features.Day,
	}, nil
}

// checkTarget returns the target's index and checks what all effects have.
func checkTarget(name string, logit float64) (int, error) {
	target := slices.Index(Targets[:], name)
	if target < 0 {
		return 0, fmt.Errorf("target is %q, want conversion or churn", name)
	}
	if !(math.Abs(logit) <= 20) { // NaN is not
		return 0, fmt.Errorf("logit is %g, want -20 to 20", logit)
	}
	return target, nil
}

// Profile fields that effects may read and their values, in the order of
// term.field; age has none.
var (
	profileFields = []string{"age", "region", "segment", "plan", "acquisition", "device"}
	profileValues = [][]string{{""}, regionNames, segmentNames, planNames, acquisitionNames, deviceNames}
)

func compileProfile(e ProfileEffect, strength float64) (term, error) {
	target, err := checkTarget(e.Target, e.Logit)
	if err != nil {
		return term{}, err
	}
	field, ok := find(profileFields, e.Field)
	if !ok {
		return term{}, fmt.Errorf("field %q is unknown, want one of %q", e.Field, profileFields)
	}
	value, ok := find(profileValues[field], e.Value)
	if !ok || field > 0 && value == 0 {
		return term{}, fmt.Errorf("value %q of %s is unknown, want one of %q", e.Value, e.Field, profileValues[field][1:])
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
