package alerts

import (
	"maps"
	"math"
	"slices"

	"moments/weights"
)

// Rates say how good alerts are by the verdicts of people.
type Rates struct {
	Ordinary    int // verdicts of journeys that deserve no alert: false and desirable
	FalseAlerts int // of them, those with an alert
	True        int // verdicts of journeys that deserve one
	Missed      int // of them, those without
}

// FalsePositive is the share of the ordinary journeys that alert, NaN without any.
func (r Rates) FalsePositive() float64 { return float64(r.FalseAlerts) / float64(r.Ordinary) }

// FalseNegative is the share of those worth an alert that do not, NaN without
// any.
func (r Rates) FalseNegative() float64 { return float64(r.Missed) / float64(r.True) }

// Judge counts how the thresholds of some alerts agree with its verdicts.
func Judge(a weights.Alerts, alertRate float64) (r Rates) {
	for _, v := range a.Verdicts {
		threshold, tuned := a.Thresholds[v.Cause]
		if !tuned {
			threshold = alertRate
		}
		alert := v.PValue <= threshold
		switch {
		case v.Verdict == weights.Confirmed:
			r.True++
			if !alert {
				r.Missed++
			}
		default:
			r.Ordinary++
			if alert {
				r.FalseAlerts++
			}
		}
	}
	return r
}

// mostThreshold is how many times the alert rate a threshold is at most: a
// verdict on a journey that nothing flagged says little about the many like it.
const mostThreshold = 10

// Tune returns the thresholds, by cause, that agree best with the verdicts of
// a. Each is weighed against the alert rate, from which a factor of ten costs as
// much as one wrong alert: one verdict alone changes little, several that agree
// change as much as they say.
func Tune(a weights.Alerts, alertRate float64) map[string]float64 {
	byCause := map[string][]weights.Verdict{}
	for _, v := range a.Verdicts {
		byCause[v.Cause] = append(byCause[v.Cause], v)
	}
	thresholds := map[string]float64{}
	for _, cause := range slices.Sorted(maps.Keys(byCause)) {
		if best := tune(byCause[cause], alertRate); best != alertRate {
			thresholds[cause] = best
		}
	}
	return thresholds
}

// tune finds the threshold of one cause.
func tune(verdicts []weights.Verdict, alertRate float64) float64 {
	best, least := alertRate, math.Inf(1)
	for _, threshold := range candidates(verdicts, alertRate) {
		r := Judge(weights.Alerts{Verdicts: verdicts}, threshold)
		cost := float64(r.FalseAlerts+r.Missed) + distance(threshold, alertRate)
		if cost < least-1e-9 {
			best, least = threshold, cost
		}
	}
	return best
}

// candidates are the alert rate, the p-values up to the largest threshold, and
// the values just short of them.
func candidates(verdicts []weights.Verdict, alertRate float64) []float64 {
	thresholds := []float64{alertRate}
	for _, v := range verdicts {
		if v.PValue <= mostThreshold*alertRate {
			thresholds = append(thresholds, v.PValue, math.Nextafter(v.PValue, 0))
		}
	}
	return thresholds
}

// distance is the number of tens between two thresholds, at most that to a
// thousandth.
func distance(threshold, alertRate float64) float64 {
	return math.Abs(math.Log10(max(threshold, alertRate/1000) / alertRate))
}
