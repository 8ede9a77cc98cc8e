// Package page lays out explanations for people: as text for a terminal or a
// plain file, and as one HTML file that needs no network and no other file.
//
// Its types hold what is shown, in the units of the page, and nothing of where
// it came from. Charts are SVG drawn here: they print, can be read by a screen
// reader and searched, follow the reader's light or dark setting, and weigh a
// few kilobytes. What a chart shows, a table beneath it says; the one script, of
// a few lines, only shows sooner what the marks say to those who point at them.
//
// Texts of the data are shown without control characters, so that a data file
// cannot drive the terminal.
package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Journey is one customer's explained journey, for one target.
type Journey struct {
	Bundle, Customer string
	Target           string
	Cutoff           time.Time
	Start, Final     float64 // probability before the first event, and at the cutoff
	Events           []Event
	Shapley          bool // events have Shapley values
	Gradient         bool // events have integrated gradients

	Reasons []Reason // of the target, in probability
	Anomaly *Anomaly // nil where the bundle finds none
	Next    []Suggestion
	NoNext  string // why nothing is suggested
}

// An Event is one moment of a journey. Numbers that are not known are NaN.
type Event struct {
	Time     time.Time
	Type     string
	Values   string  // in short
	After    float64 // probability right after it
	Impact   float64 // what it did to the final probability
	Shapley  float64
	Gradient float64
	Rank     int // among the moments of truth, from 1; 0 for the other events
}

// A Reason is what a group of features did.
type Reason struct {
	Group  string
	Impact float64 // on a probability, or a share of an anomaly's score
}

// An Anomaly says how unusual a journey is.
type Anomaly struct {
	PValue    float64
	Flagged   bool // at the bundle's alert rate
	AlertRate float64
	Direction string
	Reasons   []Reason
}

// A Suggestion is an event that may come next.
type Suggestion struct {
	Type        string
	Likelihood  float64 // that it comes next
	Probability float64 // of the target, if it did
}

// smallestMoment is the least impact of a moment of truth: half a point.
const smallestMoment = 0.005

// Mark ranks up to n moments of truth: the events of the largest impacts, of
// half a point at least.
func (j *Journey) Mark(n int) {
	order := make([]int, 0, len(j.Events))
	for i := range j.Events {
		j.Events[i].Rank = 0
		if math.Abs(j.Events[i].Impact) >= smallestMoment { // false for NaN
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := math.Abs(j.Events[a].Impact), math.Abs(j.Events[b].Impact)
		return cmp.Compare(y, x)
	})
	for rank, i := range order[:min(n, len(order))] {
		j.Events[i].Rank = rank + 1
	}
}

// shown lists what a table of so many rows shows: the last events, and the
// moments of truth wherever they are. before holds, for each of them, how many
// events are left out right before it.
func (j *Journey) shown(rows int) (events []int, before []int) {
	left := 0
	for i := range j.Events {
		alone := left == 0 && i+1 < len(j.Events) && j.Events[i+1].Rank > 0 // a line that says so is as long
		if i < len(j.Events)-rows && j.Events[i].Rank == 0 && !alone {
			left++
			continue
		}
		events, before = append(events, i), append(before, left)
		left = 0
	}
	return events, before
}

// largestImpact is the scale of impact bars.
func (j *Journey) largestImpact() float64 {
	largest := 0.0
	for i := range j.Events {
		if size := math.Abs(j.Events[i].Impact); size > largest {
			largest = size
		}
	}
	return largest
}

// figures writes probabilities, all with the same number of decimals.
type figures int

// figuresFor chooses decimals for probabilities up to a largest one: a rate of
// one in a thousand needs more of them than one of one in three.
func figuresFor(largest float64) figures {
	switch {
	case largest >= 0.1:
		return 1
	case largest >= 0.01:
		return 2
	}
	return 3
}

func (j *Journey) figures() figures {
	largest := max(j.Start, j.Final)
	for i := range j.Events {
		if j.Events[i].After > largest {
			largest = j.Events[i].After
		}
	}
	return figuresFor(largest)
}

// percent writes a probability, "31.2 %".
func (f figures) percent(p float64) string {
	if math.IsNaN(p) {
		return "-"
	}
	return fmt.Sprintf("%.*f %%", int(f), 100*p)
}

// points writes a difference of probabilities, "+3.1".
func (f figures) points(d float64) string {
	if math.IsNaN(d) {
		return "-"
	}
	text := fmt.Sprintf("%+.*f", int(f), 100*d)
	if strings.Trim(text, "+-0.") == "" {
		return strings.TrimLeft(text, "+-") // nothing has no sign
	}
	return strings.Replace(text, "-", "−", 1)
}

// size writes a difference without a sign, "3.1".
func (f figures) size(d float64) string { return fmt.Sprintf("%.*f", int(f), 100*d) }

// between writes an interval, "+1.0 to +2.5".
func (f figures) between(low, high float64) string { return f.points(low) + " to " + f.points(high) }

// clean drops what could drive a terminal from a text of the data.
func clean(text string) string {
	if strings.IndexFunc(text, unprintable) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '·'
		}
		return r
	}, text)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// name is a touchpoint's name as it is shown.
func name(text string) string {
	if text == "" {
		return "(none)"
	}
	return clean(text)
}

// clock chooses how times are written: as days where all of them are midnights,
// with seconds where any has some.
func clock(times []time.Time) string {
	layout := time.DateOnly
	for _, t := range times {
		if t.Second() != 0 {
			return time.DateTime
		}
		if t.Hour()+t.Minute() != 0 {
			layout = "2006-01-02 15:04"
		}
	}
	return layout
}

func (j *Journey) clock() string {
	times := make([]time.Time, len(j.Events))
	for i := range j.Events {
		times[i] = j.Events[i].Time
	}
	return clock(times)
}

// count writes a number of things.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + one + "s"
}

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Notes that every page carries, in plain words.
const (
	impactNote = "Impact: the score at the end minus what it would be had the event not happened and all else gone on as it did, in points: percentage points of probability."
	causeNote  = "Suggestions and impacts are what the networks expect of journeys like this one, not causes: only a randomised test proves that making a touchpoint happen changes the outcome."
)
