package synthetic

import (
	"math"

	"moments/features"
)

// A word is the position of a value in one of the lists below. Journeys are
// simulated on words and become strings only when they leave the package.
type word = uint8

// Event types; 0 is no type.
const (
	adImpression word = iota + 1
	adClick
	newsletter
	pushNotification
	siteVisit
	productView
	cartAdd
	quote
	purchase
	delivery
	onboardingStep
	login
	featureUse
	ticketOpened
	ticketResolved
	serviceCall
	invoice
	paymentFailed
	priceIncrease
	renewalNotice
	review
	referral
	cancellation
	endOfTypes
)

var typeNames = [endOfTypes]string{
	"", "ad_impression", "ad_click", "newsletter", "push_notification", "site_visit", "product_view", "cart_add", "quote",
	"purchase", "delivery", "onboarding_step", "login", "feature_use", "ticket_opened", "ticket_resolved", "service_call",
	"invoice", "payment_failed", "price_increase", "renewal_notice", "review", "referral", "cancellation",
}

// Channels and statuses; 0 is none.
const (
	web word = iota + 1
	app
	email
	ads
	store
	phone
)

const (
	onTime word = iota + 1
	late
	billing
	technical
	shipping
	setup
	importData
	invite
	customise
)

var (
	channelNames = []string{"", "web", "app", "email", "ads", "store", "phone"}
	statusNames  = []string{"", "on_time", "late", "billing", "technical", "shipping", "setup", "import_data", "invite", "customise"}
)

// Profile values; 0 is missing.
var (
	regionNames      = []string{"", "central_europe", "british_isles", "us_east", "arizona"}
	segmentNames     = []string{"", "consumer", "small_business", "enterprise"}
	planNames        = []string{"", "free", "basic", "premium"}
	acquisitionNames = []string{"", "organic", "ads", "referral", "store"}
	deviceNames      = []string{"", "android", "ios", "desktop"}
)

const (
	consumer word = 1

	free    word = 1
	basic   word = 2
	premium word = 3
)

// Layout names the columns of the journeys that [Generate] yields.
func Layout() features.Layout {
	return features.Layout{
		Profile: []features.Field{
			{Name: "age", Kind: features.Numeric},
			{Name: "region", Kind: features.Categorical},
			{Name: "segment", Kind: features.Categorical},
			{Name: "plan", Kind: features.Categorical},
			{Name: "acquisition", Kind: features.Categorical},
			{Name: "device", Kind: features.Categorical},
		},
		Event: []features.Field{
			{Name: "channel", Kind: features.Categorical},
			{Name: "amount", Kind: features.Numeric},
			{Name: "status", Kind: features.Categorical},
			{Name: "satisfaction", Kind: features.Numeric}, // 1 to 5, of a resolved ticket
			{Name: "stars", Kind: features.Numeric},        // 1 to 5, of a review
		},
	}
}

// An event is a [features.Event] before it leaves the package.
type event struct {
	at      int64 // microseconds since the Unix epoch, whole seconds
	amount  float64
	typ     word
	channel word
	status  word
	rating  word // 1 to 5, 0 none: the stars of a review, the satisfaction of anything else
	planted bool // part of an anomaly
}

// A profile holds the true values; hidden ones are true as well but not shown.
type profile struct {
	age                                        float64
	region, segment, plan, acquisition, device word
	hideAge, hideAcquisition, hideDevice       bool
}

// shown is the profile with the hidden values gone.
func (p profile) shown() profile {
	if p.hideAge {
		p.age = math.NaN()
	}
	if p.hideAcquisition {
		p.acquisition = 0
	}
	if p.hideDevice {
		p.device = 0
	}
	return p
}

func (p profile) values() []features.Value {
	s := p.shown()
	return []features.Value{
		features.Number(s.age), features.Text(regionNames[s.region]), features.Text(segmentNames[s.segment]),
		features.Text(planNames[s.plan]), features.Text(acquisitionNames[s.acquisition]), features.Text(deviceNames[s.device]),
	}
}

// find returns the position of name in names.
func find(names []string, name string) (word, bool) {
	for i, n := range names {
		if n == name {
			return word(i), true
		}
	}
	return 0, false
}
