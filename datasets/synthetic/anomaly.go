package synthetic

import (
	"slices"

	"moments/features"
)

// An Anomaly says why a journey is unlike the others.
type Anomaly struct {
	Kind      string // one of AnomalyKinds
	Direction string // for the company: positive, negative or mixed
	Type      string // the event type that stands out, by its number, its absence or its values
	Attribute string // the attribute of it that stands out; "" where the number of events does
	Time      int64  // microseconds since the Unix epoch: where it begins
	Events    []int  // positions of the planted events in the journey; nil where events are missing

	Types []string // all event types that it consists of, or lacks: whoever names one of them, or the attribute, has the cause
}

// AnomalyKinds are the planted kinds. The last one befalls everybody who fills
// a cart in the app on a day of outage; the others befall single customers.
var AnomalyKinds = []string{"engagement_drop", "account_takeover", "unusual_transactions", "duplicate_accounts", "surge", "broken_checkout"}

// Groups are the groups of features (see features.Column) that name the cause.
// That a customer fell silent can be told by the time since any event as well.
func (a *Anomaly) Groups() []string {
	var groups []string
	for _, typ := range a.Types {
		groups = append(groups, "event:"+typ)
	}
	if a.Attribute != "" {
		groups = append(groups, "attribute:"+a.Attribute)
	}
	if a.Kind == AnomalyKinds[0] {
		groups = append(groups, "timing")
	}
	return groups
}

// types names event types.
func types(words ...word) (names []string) {
	for _, w := range words {
		names = append(names, typeNames[w])
	}
	return names
}

// plantAnomaly changes the history of some customers, before it is ordered.
func (m *maker) plantAnomaly() {
	m.reseed(streamAnomaly, m.c.index)
	if !m.chance(m.config.Anomalies) {
		m.sufferOutage()
		return
	}
	kind := int(m.pick(0.28, 0.18, 0.18, 0.18)) - 1
	lively := m.cutoff - m.c.joined
	if kind == 0 && lively < 75*features.Day {
		kind = 1 + m.random.IntN(4) // too short a journey to go silent
	}
	first := len(m.c.events)
	var a Anomaly
	switch kind {
	case 0:
		a = m.drop()
	case 1:
		a = m.takeover()
	case 2:
		a = m.transactions()
	case 3:
		a = m.duplicates()
	case 4:
		a = m.surge()
	}
	a.Kind = AnomalyKinds[kind]
	for i := first; i < len(m.c.events) && kind != 0; i++ {
		m.c.events[i].planted = true
	}
	m.c.anomaly = &a
}

// drop is a customer who came every other day, and then not at all for four to
// six weeks.
func (m *maker) drop() Anomaly {
	silence := m.cutoff - int64(28+m.random.IntN(14))*features.Day
	typ, visit := siteVisit, m.session
	if m.c.bought < m.cutoff {
		typ, visit = login, m.use
	}
	m.times(0.5, max(m.c.joined, silence-60*features.Day), silence, visit)
	m.c.events = slices.DeleteFunc(m.c.events, func(e event) bool { return e.at >= silence && own(e.typ) })
	return Anomaly{Direction: "negative", Type: typeNames[typ], Time: silence, Types: Activity}
}

// own says whether customers start events of that type alone (see Activity).
func own(typ word) bool {
	switch typ {
	case siteVisit, productView, cartAdd, login, featureUse:
		return true
	}
	return false
}

// takeover is an hour of logins, failing payments and expensive purchases in
// the small hours.
func (m *maker) takeover() Anomaly {
	at := m.lately(45)
	local := at + int64(m.c.zone.offset(at))*features.Second
	at += 2*features.Hour - local%features.Day // between two and three on the customer's clock
	at = max(at, m.c.joined)
	begin := at
	for range 6 + m.random.IntN(6) {
		at += m.pause(20, 200)
		m.add(at, login, web)
	}
	for range 2 + m.random.IntN(3) {
		at += m.pause(20, 200)
		m.add(at, paymentFailed, web).status = billing
		at += m.pause(20, 100)
		m.add(at, purchase, web).amount = m.price(700)
	}
	return Anomaly{Direction: "negative", Type: typeNames[login], Time: begin, Types: types(login, paymentFailed, purchase)}
}

// transactions are large purchases of one and the same amount, every other day
// in the store.
func (m *maker) transactions() Anomaly {
	at, amount := max(m.lately(30)-12*features.Day, m.c.joined), m.price(1200)
	begin := at
	for range 5 + m.random.IntN(4) {
		m.add(at, purchase, store).amount = amount
		at += m.pause(30*3600, 50*3600)
	}
	return Anomaly{Direction: "mixed", Type: typeNames[purchase], Attribute: "amount", Time: begin, Types: types(purchase)}
}

// duplicates is one person who signs up again and again within an hour or two,
// under the same card, to be paid for referring the other accounts.
func (m *maker) duplicates() Anomaly {
	at := m.lately(60)
	begin := at
	for range 5 + m.random.IntN(5) {
		m.add(at, siteVisit, web)
		at += m.pause(60, 300)
		m.add(at, onboardingStep, web).status = setup
		at += m.pause(30, 200)
		m.add(at, login, web)
		at += m.pause(10, 100)
		m.add(at, referral, web)
		at += m.pause(100, 500)
	}
	return Anomaly{Direction: "negative", Type: typeNames[onboardingStep], Time: begin, Types: types(onboardingStep, referral, login, siteVisit)}
}

// surge is a week of delight: heavy use, referrals and the best review.
func (m *maker) surge() Anomaly {
	begin := max(m.lately(40)-7*features.Day, m.c.joined)
	to := begin + 7*features.Day
	for range 10 + m.random.IntN(8) {
		m.use(m.c.rhythm.draw(m.random, m.c.zone, begin, to))
	}
	for range 3 + m.random.IntN(3) {
		m.add(m.c.rhythm.draw(m.random, m.c.zone, begin, to), referral, app)
	}
	m.add(to-m.pause(3600, 86400), review, app).rating = 5
	return Anomaly{Direction: "positive", Type: typeNames[referral], Time: begin, Types: types(login, featureUse, referral, review)}
}

// lately is a moment in the last so many days of the journey, a day before the cutoff at the latest.
func (m *maker) lately(days int) int64 {
	at := m.cutoff - features.Day - m.random.Int64N(int64(days)*features.Day)
	return max(at-at%features.Second, m.c.joined)
}

// sufferOutage lets payments fail again and again after carts filled in the app
// on a day of outage.
func (m *maker) sufferOutage() {
	carts := len(m.c.events)
	for i := range carts {
		ev := m.c.events[i]
		if ev.typ != cartAdd || ev.channel != app || !m.out(ev.at) {
			continue
		}
		if m.c.anomaly == nil {
			m.c.anomaly = &Anomaly{
				Kind: AnomalyKinds[5], Direction: "negative", Type: typeNames[paymentFailed], Attribute: "status", Time: ev.at, Types: types(paymentFailed),
			}
		}
		for at, n := ev.at, 3+m.random.IntN(3); n > 0; n-- {
			at += m.pause(10, 90)
			failed := m.add(at, paymentFailed, app)
			failed.status, failed.planted = technical, true
		}
	}
}

// out says whether the app's checkout is broken at that moment.
func (m *maker) out(at int64) bool {
	return slices.ContainsFunc(m.outages, func(day int64) bool { return at >= day && at < day+features.Day })
}
