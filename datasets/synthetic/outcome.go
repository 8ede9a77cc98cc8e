package synthetic

import (
	"math"

	"moments/features"
)

// logits is the log-odds of both targets for the customer's history.
func (m *maker) logits() [2]float64 {
	score := m.intercepts
	for i := range m.terms.all {
		t := &m.terms.all[i]
		score[t.target] += m.share(t, -1)
	}
	return score
}

// share is what the term adds to the log-odds, in the absence of the event at
// position without (-1: none).
func (m *maker) share(t *term, without int) float64 {
	if t.typ == 0 {
		return t.profile(m.c.profile)
	}
	return t.logit * float64(t.count(m.c.events[:m.c.history], m.cutoff, without))
}

// An outcome is what is known of one target of one customer.
type outcome struct {
	logit       float64
	probability float64
	luck        float64 // uniform in [0, 1); the outcome is positive below the probability, in every counterfactual world
}

func (o outcome) positive() bool { return o.luck < o.probability }

// outcomes draws both outcomes, independently given the history.
func (m *maker) outcomes() (result [2]outcome) {
	m.reseed(streamOutcome, m.c.index)
	for target, logit := range m.logits() {
		result[target] = outcome{logit: logit, probability: sigmoid(logit), luck: m.random.Float64()}
	}
	return result
}

// future writes the events after the cutoff, so that they agree with the
// outcomes: see Targets and Activity.
func (m *maker) future(o [2]outcome) {
	m.until = m.end
	from, horizon := m.cutoff+features.Hour, m.cutoff+int64(m.config.Horizon)*features.Day-features.Hour
	left := m.end // when the customer leaves
	if o[Churn].positive() {
		left = m.moment(from+features.Hour, horizon)
		m.add(left, cancellation, web)
		m.until = left
	} else {
		m.stay(from, horizon)
	}
	if o[Conversion].positive() {
		channel := m.shoppingChannel()
		if o[Churn].positive() {
			channel = store
		}
		m.add(m.moment(from, min(left, horizon)), purchase, channel).amount = m.price(80)
	}
	m.advertising(from, left)
	m.c.order(m.c.history)
}

// stay is the activity of customers who do not leave: at least one event
// within the horizon, and no purchase, which is the other target's business.
func (m *maker) stay(from, horizon int64) {
	visit, rate := m.use, rateLogin
	if m.c.bought >= m.cutoff {
		visit, rate = m.session, rateBrowsing
	}
	m.c.bought = m.end
	visit(m.moment(from, horizon))
	m.times(rate*m.c.engagement, from, m.end-features.Hour, visit)
}

// moment is a time in [from, to) on the rhythm of the customer.
func (m *maker) moment(from, to int64) int64 {
	return m.c.rhythm.draw(m.random, m.c.zone, from, to)
}

// causeOver is the change of probability from which an event is recorded as
// the cause of an outcome's probability.
const causeOver = 0.05

// impacts is the change of both probabilities that each event of the history
// makes by being there: with it minus without it, all else equal.
func (m *maker) impacts(o [2]outcome) (impact [2][]float64) {
	n := m.c.history
	both := make([]float64, 2*n)
	impact[Conversion], impact[Churn] = both[:n:n], both[n:]
	for i := range n {
		touched := m.terms.touch[m.c.events[i].typ]
		if len(touched) == 0 {
			continue // a decoy
		}
		var moved [2]float64
		for _, j := range touched {
			t := &m.terms.all[j]
			moved[t.target] += m.share(t, -1) - m.share(t, i)
		}
		for target, d := range moved {
			if d != 0 {
				impact[target][i] = o[target].probability - sigmoid(o[target].logit-d)
			}
		}
	}
	return impact
}

// equal is the difference of two impacts up to which they are the same but for rounding.
const equal = 1e-9

// cause is the position of the event that moved the probability most, the
// latest of equals, or -1 when none moved it by more than causeOver.
func cause(impact []float64) int {
	best, size := -1, causeOver
	for i, d := range impact {
		if d := math.Abs(d); d > size || best >= 0 && d > size-equal {
			best, size = i, max(d, size)
		}
	}
	return best
}

// ties are the other events whose impact is that of the event at position i.
func ties(impact []float64, i int) (others []int) {
	for k, d := range impact {
		if k != i && math.Abs(d-impact[i]) < equal {
			others = append(others, k)
		}
	}
	return others
}

// stage is how far the relation has come at the cutoff, read off the history.
func (m *maker) stage() string {
	var n [endOfTypes]int
	for _, ev := range m.c.events[:m.c.history] {
		n[ev.typ]++
	}
	switch {
	case n[purchase] == 0 && n[productView]+n[cartAdd]+n[quote] == 0:
		return "awareness"
	case n[purchase] == 0:
		return "consideration"
	case n[referral] > 0 || n[purchase] >= 3:
		return "loyalty"
	case n[onboardingStep] == 0 && n[featureUse] == 0:
		return "purchase"
	case n[onboardingStep] < 4 && n[featureUse] < 3:
		return "onboarding"
	}
	return "adoption"
}
