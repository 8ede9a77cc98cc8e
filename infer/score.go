package infer

import (
	"slices"
)

// A Score is what a bundle says about one journey at one cutoff.
type Score struct {
	Customer      string
	Cutoff        int64     // microseconds since the Unix epoch
	Probabilities []float32 // calibrated, by target; nil when the bundle has none

	Anomaly      float64   // conformal p-value in (0, 1]: a normal journey is this unusual or more with this probability; NaN without a detector
	AnomalyScore float64   // what the detectors say together, larger is stranger; NaN without a detector
	Direction    Direction // of what makes it strange; "" without a detector
	Alert        bool      // the p-value is within the threshold of the first cause, or else within the bundle's alert rate
	Causes       []Cause   // of the anomaly, by falling share; at most ScorerOptions.Reasons

	Reasons []Reason // by target in the bundle's order, then the anomaly's; each by falling size
}

// Clone is the same score in memory of its own, which no later call changes.
func (s *Score) Clone() Score {
	c := *s
	c.Probabilities, c.Causes, c.Reasons = slices.Clone(s.Probabilities), slices.Clone(s.Causes), slices.Clone(s.Reasons)
	return c
}

// A Reason is what one group of columns did to a score.
type Reason struct {
	Target string // a target's name, or AnomalyTarget
	Group  string // see features.Column.Group

	// Impact on a target is the probability minus what it would be were the
	// group's columns typical (weights.Typical), so -1 to 1; on the anomaly, the
	// group's share of the score, 0 to 1, negative where the values are lower
	// than expected.
	Impact float64
}

// AnomalyTarget is the Reason.Target of an anomaly's reasons.
const AnomalyTarget = "anomaly"

// Direction says whether what makes a journey strange is good news or bad, by
// the senses of the task: more events and larger amounts are positive unless it
// says otherwise. Mixed is both, or neither.
type Direction string

// The directions.
const (
	Positive Direction = "positive"
	Negative Direction = "negative"
	Mixed    Direction = "mixed"
)

// PValue is the split-conformal p-value of an anomaly score: the share of
// calibration scores, with itself, that are as large or larger (Vovk et al.,
// Algorithmic Learning in a Random World, 2005, section 2.2). calibration
// ascends. Where the journey and the calibration's are exchangeable, P(p <= a)
// is at most a, so flagging p <= a flags at most that share of normal journeys.
func PValue(calibration []float32, score float32) float64 {
	below, _ := slices.BinarySearch(calibration, score)
	return float64(1+len(calibration)-below) / float64(1+len(calibration))
}
