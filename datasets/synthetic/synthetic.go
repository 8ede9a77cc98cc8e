// Package synthetic makes customer bases whose truth is known: journeys from
// the first advertisement to loyalty, the probability with which every
// customer converts and churns, the event that moved it most, and the journeys
// that are anomalous and why.
//
// The history up to the cutoff is drawn first, from habits that outcomes cannot
// influence. Outcomes are then drawn from a logistic model over that history
// and the profile, whose terms are the rows of [DefaultEffects], and only then
// are the events after the cutoff written to agree with the outcomes. Nothing
// before the cutoff can therefore leak what follows.
//
// [Generate] yields journeys in memory, [Write] streams them to files together
// with a task file and the planted truth. The same [Config] gives the same
// bytes, however many processors of one kind there are (another kind may round
// differently); a customer does not change when more customers are asked for.
// [Inject] spoils journeys of any data set.
package synthetic

import (
	"fmt"
	"math"
	"time"
)

// The two planted outcomes, in the order of every pair in this package.
const (
	Conversion = 0 // a purchase within the horizon
	Churn      = 1 // a cancellation within the horizon, and no activity of the customer's own
)

// Targets names the planted outcomes, indexed by [Conversion] and [Churn].
var Targets = [2]string{"conversion", "churn"}

// Activity are the event types that a customer starts alone. A customer who
// churned has none of them after the cutoff, every other customer has at least
// one within the horizon.
var Activity = []string{"site_visit", "product_view", "cart_add", "login", "feature_use"}

// Config says which customer base is made. The zero value is refused; start
// from [Default].
type Config struct {
	Customers int       `json:"customers"`
	Seed      uint64    `json:"seed"`
	Start     time.Time `json:"start"`   // the first possible event
	Days      int       `json:"days"`    // of history; the cutoff is Start plus Days
	Horizon   int       `json:"horizon"` // days after the cutoff in which outcomes are looked for

	Conversion float64 `json:"conversion"` // expected share of customers who convert, in (0, 1)
	Churn      float64 `json:"churn"`      // expected share of customers who churn, in (0, 1)
	Anomalies  float64 `json:"anomalies"`  // share of customers with an anomaly of their own, in [0, 0.5]
	Outages    int     `json:"outages"`    // days on which the app's checkout is broken for everybody
	Missing    float64 `json:"missing"`    // share of age, acquisition and device values left out, in [0, 1)
	Activity   float64 `json:"activity"`   // multiplies the rate of all events; 1 gives about 28 a customer

	Strength       float64         `json:"strength"` // multiplies every logit below; 0 makes outcomes pure chance
	Effects        []Effect        `json:"effects"`
	ProfileEffects []ProfileEffect `json:"profile_effects"`

	Format string `json:"format"` // of the events file: csv, csv.gz or jsonl
}

// Default is a base of 8,000 customers over half a year, with about a quarter
// converting and a fifth churning within 30 days, and 2 to 3 % of the journeys
// anomalous.
func Default() Config {
	return Config{
		Customers: 8000, Seed: 1, Start: time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC), Days: 180, Horizon: 30,
		Conversion: 0.25, Churn: 0.20, Anomalies: 0.02, Outages: 2, Missing: 0.06, Activity: 1,
		Strength: 1, Effects: DefaultEffects(), ProfileEffects: DefaultProfileEffects(), Format: "csv",
	}
}

// Cutoff is the moment at which outcomes are drawn: events strictly before it
// are history.
func (c Config) Cutoff() time.Time { return c.Start.AddDate(0, 0, c.Days) }

// Limits at the door: beyond them a base cannot be made or would not fit the
// layout of its identifiers.
const (
	maxCustomers = 99_999_999
	minDays      = 90 // the effects look back 90 days
	maxDays      = 3650
)

// Validate says in a sentence what the first wrong setting should be.
func (c Config) Validate() error {
	if c.Customers < 1 || c.Customers > maxCustomers {
		return fmt.Errorf("synthetic: customers is %d, want 1 to %d", c.Customers, maxCustomers)
	}
	if c.Days < minDays || c.Days > maxDays {
		return fmt.Errorf("synthetic: days is %d, want %d to %d", c.Days, minDays, maxDays)
	}
	if c.Horizon < 1 || c.Horizon > maxDays {
		return fmt.Errorf("synthetic: horizon is %d, want 1 to %d days", c.Horizon, maxDays)
	}
	if c.Outages < 0 || c.Outages > 30 {
		return fmt.Errorf("synthetic: outages is %d, want 0 to 30 days", c.Outages)
	}
	if y := c.Start.Year(); y < 1980 || y > 2100 || !c.Start.Equal(c.Start.Truncate(time.Second)) {
		return fmt.Errorf("synthetic: start is %s, want a whole second in the years 1980 to 2100", c.Start)
	}
	if c.Format != "csv" && c.Format != "csv.gz" && c.Format != "jsonl" {
		return fmt.Errorf("synthetic: format is %q, want csv, csv.gz or jsonl", c.Format)
	}
	if err := c.validateRates(); err != nil {
		return err
	}
	_, err := compile(c)
	return err
}

func (c Config) validateRates() error {
	rates := []struct {
		name      string
		value     float64
		low, high float64
	}{
		{"conversion", c.Conversion, 0.001, 0.999},
		{"churn", c.Churn, 0.001, 0.999},
		{"anomalies", c.Anomalies, 0, 0.5},
		{"missing", c.Missing, 0, 0.99},
		{"activity", c.Activity, 0.01, 20},
		{"strength", c.Strength, 0, 10},
	}
	for _, r := range rates {
		if !(r.value >= r.low && r.value <= r.high) { // NaN is in no range
			return fmt.Errorf("synthetic: %s is %g, want %g to %g", r.name, r.value, r.low, r.high)
		}
	}
	return nil
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
