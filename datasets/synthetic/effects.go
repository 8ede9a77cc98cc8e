package synthetic

import (
	"fmt"
	"math"
	"slices"

	"moments/features"
)

// An Effect is one term of the logistic model that outcomes are drawn from: a
// touchpoint, the circumstances under which it counts, and what each counted
// event adds to the log-odds of its target.
type Effect struct {
	Name   string  `json:"name"`
	Target string  `json:"target"` // conversion or churn
	Type   string  `json:"type"`   // the touchpoint
	Logit  float64 `json:"logit"`  // of each counted event, before Config.Strength
	Most   int     `json:"most"`   // the latest so many events count, at least 1

	Within     int    `json:"within,omitempty"`      // only in the last so many days before the cutoff; 0: ever
	Status     string `json:"status,omitempty"`      // only with this status
	RatingFrom int    `json:"rating_from,omitempty"` // only with a rating of at least this
	RatingTo   int    `json:"rating_to,omitempty"`   // only with a rating of at most this
	Unless     string `json:"unless,omitempty"`      // an event of this type, coming later, undoes it
	After      string `json:"after,omitempty"`       // only after an event of this type, at most Apart days earlier
	Near       string `json:"near,omitempty"`        // only with an event of this type before or after it, at most Apart days away
	Apart      int    `json:"apart,omitempty"`       // days
}

// A ProfileEffect is a term of the same model that reads the profile.
type ProfileEffect struct {
	Name   string  `json:"name"`
	Target string  `json:"target"`
	Field  string  `json:"field"` // a categorical field, or age
	Value  string  `json:"value,omitempty"`
	Logit  float64 `json:"logit"` // where Field has the Value; for age, per ten years above 40
}

// Decoys are event types that change no outcome by themselves. Some of them go
// along with types that do: active customers have more of all.
func Decoys(c Config) []string {
	var decoys []string
	for _, name := range typeNames[1:cancellation] {
		mentioned := func(e Effect) bool {
			return e.Type == name || e.Unless == name || e.After == name || e.Near == name
		}
		if !slices.ContainsFunc(c.Effects, mentioned) {
			decoys = append(decoys, name)
		}
	}
	return decoys
}

// DefaultEffects are the planted moments of truth.
func DefaultEffects() []Effect {
	return []Effect{
		{Name: "quote_pending", Target: "conversion", Type: "quote", Logit: 2.6, Most: 1, Within: 30, Unless: "purchase"},
		{Name: "cart_abandoned", Target: "conversion", Type: "cart_add", Logit: 1.6, Most: 1, Within: 14, Unless: "purchase"},
		{Name: "products_viewed", Target: "conversion", Type: "product_view", Logit: 0.5, Most: 4, Within: 30},
		{Name: "ad_clicked", Target: "conversion", Type: "ad_click", Logit: 0.7, Most: 1, Within: 30},
		{Name: "call_after_cart", Target: "conversion", Type: "service_call", Logit: 1.3, Most: 1, Within: 30, After: "cart_add", Apart: 14},
		{Name: "just_bought", Target: "conversion", Type: "purchase", Logit: -1.3, Most: 1, Within: 30},
		{Name: "late_delivery_deters", Target: "conversion", Type: "delivery", Logit: -1.2, Most: 1, Within: 90, Status: "late"},
		{Name: "payment_failed_deters", Target: "conversion", Type: "payment_failed", Logit: -1.4, Most: 1, Within: 30},
		{Name: "helped_well", Target: "conversion", Type: "ticket_resolved", Logit: 0.9, Most: 1, Within: 90, RatingFrom: 4},
		{Name: "recommends", Target: "conversion", Type: "referral", Logit: 0.8, Most: 2},

		{Name: "ticket_open", Target: "churn", Type: "ticket_opened", Logit: 2.3, Most: 1, Within: 90, Unless: "ticket_resolved"},
		{Name: "ticket_open_at_renewal", Target: "churn", Type: "ticket_opened", Logit: 1.8, Most: 1, Within: 90,
			Unless: "ticket_resolved", Near: "renewal_notice", Apart: 14},
		{Name: "helped_badly", Target: "churn", Type: "ticket_resolved", Logit: 2.2, Most: 1, Within: 90, RatingTo: 2},
		{Name: "late_delivery", Target: "churn", Type: "delivery", Logit: 2.2, Most: 1, Within: 90, Status: "late"},
		{Name: "price_raised", Target: "churn", Type: "price_increase", Logit: 2.6, Most: 1, Within: 90},
		{Name: "payment_failed", Target: "churn", Type: "payment_failed", Logit: 1.4, Most: 2, Within: 30},
		{Name: "had_to_call", Target: "churn", Type: "service_call", Logit: 1.3, Most: 1, Within: 90, After: "ticket_opened", Apart: 14},
		{Name: "visited", Target: "churn", Type: "site_visit", Logit: -0.9, Most: 2, Within: 30},
		{Name: "product_used", Target: "churn", Type: "feature_use", Logit: -0.9, Most: 4, Within: 30},
		{Name: "onboarded", Target: "churn", Type: "onboarding_step", Logit: -0.45, Most: 4},
		{Name: "loyal_advocate", Target: "churn", Type: "referral", Logit: -0.9, Most: 2},
		{Name: "praised", Target: "churn", Type: "review", Logit: -0.8, Most: 1, RatingFrom: 4},
	}
}

// DefaultProfileEffects are the planted effects of who the customer is.
func DefaultProfileEffects() []ProfileEffect {
	return []ProfileEffect{
		{Name: "came_by_referral", Target: "conversion", Field: "acquisition", Value: "referral", Logit: 0.7},
		{Name: "came_by_ads", Target: "conversion", Field: "acquisition", Value: "ads", Logit: -0.5},
		{Name: "enterprise_buys", Target: "conversion", Field: "segment", Value: "enterprise", Logit: 0.8},
		{Name: "premium_buys", Target: "conversion", Field: "plan", Value: "premium", Logit: 0.6},
		{Name: "older_buys_less", Target: "conversion", Field: "age", Logit: -0.2},
		{Name: "ads_leave", Target: "churn", Field: "acquisition", Value: "ads", Logit: 0.8},
		{Name: "free_leaves", Target: "churn", Field: "plan", Value: "free", Logit: 0.3},
		{Name: "premium_stays", Target: "churn", Field: "plan", Value: "premium", Logit: -0.7},
		{Name: "older_stays", Target: "churn", Field: "age", Logit: -0.3},
	}
}

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
