package synthetic

import "slices"

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
	RatingFrom int    `json:"rating_from,omitempty"` // only with a satisfaction, or stars, of at least this
	RatingTo   int    `json:"rating_to,omitempty"`   // only with a satisfaction, or stars, of at most this
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
