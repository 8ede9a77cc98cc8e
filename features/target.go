package features

import (
	"math"
	"slices"
)

// An EventTarget is the outcome "such an event follows within the horizon".
type EventTarget struct {
	Type   string
	Within int64 // microseconds after the cutoff
}

// Inactivity is the outcome "nothing follows within the horizon", the usual
// definition of churn where no contract ends.
type Inactivity struct {
	For   int64    // microseconds after the cutoff
	Types []string // the events that count as a sign of life; all when empty
}

// Label is 1 when an event of the type follows the cutoff within the horizon,
// 0 when none does, and NaN when the horizon reaches beyond end.
//
// end is the last instant the data covers. Where times are whole days it is the
// last microsecond of the last day, not its midnight. An event seen before a
// censored horizon ends does not make the label known: keeping such positives
// while dropping the negatives beside them would bias the rate upwards.
func (t EventTarget) Label(j *Journey, c Cutoff, end int64) float32 {
	return follows(j, c, t.Within, end, func(name string) bool { return name == t.Type })
}

// Label is 1 when no event of the types follows the cutoff within the horizon,
// 0 when one does, and NaN when the horizon reaches beyond end; see
// [EventTarget.Label] for end.
func (t Inactivity) Label(j *Journey, c Cutoff, end int64) float32 {
	return 1 - follows(j, c, t.For, end, func(name string) bool {
		return len(t.Types) == 0 || slices.Contains(t.Types, name)
	})
}

// follows says whether a wanted event lies in (c.Time, c.Time+horizon], or
// after the c.Events-th one at the very same instant.
func follows(j *Journey, c Cutoff, horizon, end int64, wanted func(string) bool) float32 {
	if c.Time > end-horizon {
		return float32(math.NaN())
	}
	for i := c.Events; i < len(j.Events); i++ {
		event := &j.Events[i]
		if event.Time-c.Time > horizon {
			break
		}
		if wanted(event.Type) {
			return 1
		}
	}
	return 0
}
