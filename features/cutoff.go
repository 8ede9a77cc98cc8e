package features

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// A Cutoff is the moment at which a prediction is made for one journey.
//
// Exactly the first Events events of the journey may be seen; all of them
// happened at or before Time. Events is what the encoder obeys, because events
// of equal time may lie on both sides of "after five events".
type Cutoff struct {
	Time   int64  // microseconds since the Unix epoch, the last visible instant
	Events int    // number of visible events
	Group  string // the rule's own name for it, such as "after 5 events", to report figures by; "" when the task has one rule
}

// NoLimit is the until and the end of a journey that nothing limits.
const NoLimit int64 = math.MaxInt64

// A CutoffRule says where a journey is cut. Exactly one form is set; the zero
// rule is the end of the journey.
//
// At, AfterFirst and Every are exclusive: events strictly before the stated
// moment are seen, the cutoff's Time is the microsecond before it, and the
// outcome is looked for from the moment on.
type CutoffRule struct {
	AfterEvents []int // after each of these numbers of events; a journey with fewer visible events is not cut there
	At          int64 // microseconds since the epoch; 0 is unset
	AfterFirst  int64 // microseconds after the first event
	Every       int64 // microseconds between the moments From, From+Every, ... up to To
	From, To    int64 // both ends included
	Column      bool  // the label row's own cutoff, its last visible instant
}

// Cut returns the cutoffs of j in time order.
//
// Events at or after until ([NoLimit] when there is none) are never seen, and
// no cutoff lies there: the outcome is known by then. labelCutoff is read by
// the Column form alone. A journey whose events all lie beyond a moment has not
// begun and is not cut there; a customer without any event is cut by the forms
// that need none (the end of the journey, At and Column), on the profile alone.
func (r CutoffRule) Cut(j *Journey, until, labelCutoff int64) []Cutoff {
	visible := j.before(until)
	switch {
	case len(r.AfterEvents) > 0:
		return r.afterEvents(j, visible)
	case r.Every > 0:
		return r.every(j, until)
	case r.AfterFirst > 0:
		if visible == 0 {
			return nil
		}
		return j.cutAt(j.Events[0].Time+r.AfterFirst-1, until)
	case r.Column:
		return j.cutAt(labelCutoff, until)
	case r.At != 0:
		return j.cutAt(r.At-1, until)
	}
	return []Cutoff{{Time: j.endBefore(until, visible), Events: visible}}
}

// AtEnd says whether the rule cuts at events, be it after a number of them or at
// the end, rather than at moments.
func (r CutoffRule) AtEnd() bool { return r.AfterFirst == 0 && r.At == 0 && r.Every == 0 && !r.Column }

// Present cuts a journey the way the rule does for training, but for a score
// now, a moment in microseconds; false where there is nothing to score. Rules
// that cut after a number of events, or at the end, see the whole journey up to
// now; one that cuts a fixed time after the first event does so where that time
// has passed. All others cut at now. A customer without any event is scored on
// the profile alone.
func (r CutoffRule) Present(j *Journey, now int64) (Cutoff, bool) {
	var cuts []Cutoff
	switch {
	case r.AfterFirst != 0 && j.before(now) > 0:
		cuts = r.Cut(j, now, 0)
	case r.AtEnd():
		cut := Cutoff{Events: j.before(now)}
		cut.Time = j.endBefore(now, cut.Events)
		return cut, cut.Events > 0 || len(j.Events) == 0
	}
	if len(cuts) == 0 {
		cuts = j.cutAt(now-1, NoLimit)
	}
	if len(cuts) == 0 {
		return Cutoff{}, false
	}
	return cuts[0], true
}

// afterEvents cuts at the time of the k-th event for every wanted k.
func (r CutoffRule) afterEvents(j *Journey, visible int) []Cutoff {
	var cuts []Cutoff
	for _, k := range r.AfterEvents {
		if k < 1 || k > visible {
			continue
		}
		cut := Cutoff{Time: j.Events[k-1].Time, Events: k}
		if len(r.AfterEvents) > 1 {
			cut.Group = fmt.Sprintf("after %d events", k)
		}
		cuts = append(cuts, cut)
	}
	sort.SliceStable(cuts, func(a, b int) bool { return cuts[a].Events < cuts[b].Events })
	return cuts
}

// every cuts at each moment of the grid once the journey has begun.
func (r CutoffRule) every(j *Journey, until int64) []Cutoff {
	if len(j.Events) == 0 {
		return nil
	}
	moment := r.From
	if first := j.Events[0].Time; first >= moment { // skip the moments before the journey
		moment += ((first-moment)/r.Every + 1) * r.Every
	}
	var cuts []Cutoff
	for ; moment <= r.To && moment-1 < until; moment += r.Every {
		cuts = append(cuts, j.cutAt(moment-1, until)...)
	}
	return cuts
}

// cutAt is the one cutoff whose last visible instant is time, or none.
func (j *Journey) cutAt(time, until int64) []Cutoff {
	if time >= until {
		return nil
	}
	seen := j.before(time + 1)
	if seen == 0 && len(j.Events) > 0 {
		return nil
	}
	return []Cutoff{{Time: time, Events: seen}}
}

// before counts the events strictly before a moment.
func (j *Journey) before(moment int64) int {
	return sort.Search(len(j.Events), func(i int) bool { return j.Events[i].Time >= moment })
}

// endBefore is the time of the last visible event; without one it is the
// instant before until, or the epoch when there is no limit either.
func (j *Journey) endBefore(until int64, visible int) int64 {
	switch {
	case visible > 0:
		return j.Events[visible-1].Time
	case until != NoLimit:
		return until - 1
	}
	return 0
}

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
