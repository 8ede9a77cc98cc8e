package synthetic

import (
	"math"

	"moments/features"
)

// Rates of a customer with average habits, per day.
const (
	rateBrowsing     = 0.075 // sessions of prospects
	rateReturning    = 0.022 // shopping sessions of clients
	rateLogin        = 0.06
	rateQuote        = 0.007
	rateTicket       = 0.012
	rateCall         = 0.004
	rateReferral     = 0.003
	ratePush         = 0.010
	ratePriceNotice  = 0.0035
	ratePaymentFails = 0.005
)

// contact is how the customer found the company.
func (m *maker) contact(at int64) {
	if acquisitionNames[m.c.profile.acquisition] == "ads" {
		m.add(at, adImpression, ads)
		m.add(at+m.pause(5, 60), adClick, ads)
		return
	}
	m.add(at, siteVisit, m.device())
}

// prospect is awareness and consideration: visits, products, carts, quotes.
func (m *maker) prospect(from, to int64) {
	m.active(rateBrowsing, from, to, m.session)
	m.active(rateQuote, from, to, m.askQuote)
	m.times(rateCall*m.config.Activity, from, to, m.call)
}

// client is what follows the first purchase: onboarding, use, service, loyalty.
func (m *maker) client(from, to int64) {
	m.buy(from, m.shoppingChannel())
	m.onboard(from, to)
	m.active(rateReturning, from, to, m.session)
	m.active(rateLogin, from, to, m.use)
	m.active(rateReferral, from, to, func(at int64) { m.add(at, referral, app) })
	m.times(rateQuote/2*m.config.Activity, from, to, m.askQuote)
	m.times(rateTicket*m.config.Activity, from, to, m.ticket)
	m.times(rateCall*m.config.Activity, from, to, m.call)
	m.times(ratePaymentFails*m.config.Activity, from, to, func(at int64) { m.add(at, paymentFailed, m.device()).status = billing })
	m.times(ratePriceNotice*m.config.Activity, from, to, func(at int64) { m.add(at, priceIncrease, email) })
	m.bills(from, to)
}

// session is one visit: products looked at within minutes, perhaps a cart, and
// for clients perhaps another purchase.
func (m *maker) session(at int64) {
	channel := m.device()
	m.add(at, siteVisit, channel)
	views := 0
	for ; views < 6 && m.chance(0.45); views++ {
		at += m.pause(20, 240)
		m.add(at, productView, channel).amount = m.price(40)
	}
	if views == 0 || !m.chance(0.3) {
		return
	}
	at += m.pause(10, 120)
	m.add(at, cartAdd, channel).amount = m.price(60)
	if m.chance(0.12) {
		m.add(at+m.pause(3600, 3*86400), serviceCall, phone)
	}
	// A first purchase is bought's business: sessions before it never end in one.
	if at > m.c.bought && m.chance(0.35) {
		m.buy(at+m.pause(30, 300), channel)
	}
}

// buy is a purchase, its delivery, and perhaps a review.
func (m *maker) buy(at int64, channel word) {
	m.add(at, purchase, channel).amount = m.price(80)
	arrival := at + 2*features.Day
	status := onTime
	if m.chance(0.2) {
		status, arrival = late, arrival+5*features.Day
	}
	arrival = m.c.rhythm.draw(m.random, m.c.zone, arrival, arrival+3*features.Day)
	m.add(arrival, delivery, 0).status = status
	if m.chance(0.3) {
		rating := 3 + m.pick(0.3, 0.4) - 1
		if status == late {
			rating = m.pick(0.4, 0.3)
		}
		m.add(arrival+m.pause(3600, 8*86400), review, web).rating = rating
	}
}

// onboard is up to four steps over the first weeks.
func (m *maker) onboard(from, to int64) {
	persistence := 0.5 + 0.4*min(m.c.engagement/m.config.Activity/2, 1)
	at := from
	for _, step := range []word{setup, importData, invite, customise} {
		at = m.c.rhythm.draw(m.random, m.c.zone, at+features.Hour, at+6*features.Day)
		if at >= to || !m.chance(persistence) {
			return
		}
		m.add(at, onboardingStep, app).status = step
	}
}

// use is a login and what is done with the product after it.
func (m *maker) use(at int64) {
	m.add(at, login, app)
	for i := 0; i < 5 && m.chance(0.4); i++ {
		at += m.pause(30, 900)
		m.add(at, featureUse, app)
	}
}

// ticket is a complaint, perhaps a call about it, and mostly a solution.
func (m *maker) ticket(at int64) {
	channel := email
	if m.chance(0.5) {
		channel = m.device()
	}
	m.add(at, ticketOpened, channel).status = billing + m.pick(0.35, 0.4) - 1
	if m.chance(0.3) {
		m.add(at+m.pause(86400, 6*86400), serviceCall, phone)
	}
	if m.chance(0.65) {
		rating := m.pick(0.2, 0.17, 0.13, 0.25)
		if m.chance(m.config.Missing) {
			rating = 0 // not every customer answers
		}
		m.add(at+m.pause(3600, 12*86400), ticketResolved, channel).rating = rating
	}
}

// call is a service call about anything.
func (m *maker) call(at int64) { m.add(at, serviceCall, phone) }

func (m *maker) askQuote(at int64) {
	channel := web
	if m.chance(0.5) {
		channel = phone
	}
	m.add(at, quote, channel).amount = m.price(300)
}

// bills are monthly invoices and a renewal notice two weeks before the end of
// every quarter of the contract.
func (m *maker) bills(from, to int64) {
	fee := map[word]float64{free: 0, basic: 19, premium: 49}[m.c.profile.plan]
	for i, at := 1, from+30*features.Day; at < to; i, at = i+1, at+30*features.Day {
		m.add(at, invoice, email).amount = fee
		if i%3 == 0 && at-14*features.Day > from {
			m.add(at-14*features.Day, renewalNotice, email)
		}
	}
}

// advertising is what the company does: campaigns for everybody, newsletters,
// messages of the app.
func (m *maker) advertising(from, to int64) {
	for _, day := range m.campaigns {
		if day < from || day >= to || !m.chance(0.3*min(m.config.Activity, 3)) {
			continue
		}
		at := m.c.rhythm.draw(m.random, m.c.zone, day, min(day+features.Day, to))
		m.add(at, adImpression, ads)
		if m.chance(0.25) {
			m.add(at+m.pause(5, 60), adClick, ads)
		}
	}
	m.times(ratePush*m.config.Activity, from, to, func(at int64) { m.add(at, pushNotification, app) })
	for at := from + 10*features.Day; at < to; at += 28 * features.Day {
		if m.chance(0.45) {
			m.add(at+m.pause(0, 3600), newsletter, email)
		}
	}
}

// device is the channel of what a customer does alone.
func (m *maker) device() word {
	if m.chance(0.45) {
		return app
	}
	return web
}

func (m *maker) shoppingChannel() word {
	if m.chance(0.25) {
		return store
	}
	return m.device()
}

// price is log-normal around the typical one, in cents, and larger for companies.
func (m *maker) price(typical float64) float64 {
	scale := [...]float64{1, 1, 1.8, 3.5}[m.c.profile.segment]
	return math.Round(100*typical*scale*math.Exp(0.6*m.random.NormFloat64())) / 100
}

// pause is between from and to seconds, in microseconds.
func (m *maker) pause(from, to int) int64 {
	return int64(from+m.random.IntN(to-from)) * features.Second
}
