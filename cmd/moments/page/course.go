package page

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Measures of the chart of a journey, in SVG units.
const (
	chartHeight = 380
	courseTop   = 32 // of the score's part, with room for the marks above it
	courseFoot  = 216
	impactTop   = 240 // of the impacts' part
	impactFoot  = 340
	chartLeft   = 64
	chartRight  = 16
	leastWidth  = 900
	eventWidth  = 9 // least room for an event
	finalRoom   = 22
)

// A course is the chart of a journey: the score after each event, and the
// impacts below, event under event. Events stand side by side in their order,
// not by their times: those of a busy minute would hide each other.
type course struct {
	Width, Height int
	Left, Right   int // ends of the lines across
	Zero          int // y of no impact
	ImpactTop     int
	ImpactFoot    int
	Foot          int // y of the lower end of the score's part
	Line          string
	Grid          []tick
	Days          []tick
	Marks         []mark
	Scale         string // of the impacts
	FinalX        float64
	FinalY        float64
	FinalTextY    float64 // beside the line, which comes from the left
}

// A tick is a place on an axis and what is written there.
type tick struct {
	At   float64
	Text string
}

// A mark is one event in the chart.
type mark struct {
	X, Y        float64 // of the score after it; Y is NaN where that is not known
	Left, Room  float64 // of the column in which a pointer finds it
	Top, Length float64 // of the impact's bar
	Wide, BarX  float64
	Known       bool   // Y
	Class       string // "up", "down" or ""
	Rank        int
	RankY       float64
	Says        string
}

// newCourse lays out some of the events.
func (j *Journey) newCourse(events []int, f figures) *course {
	c := &course{
		Width: max(leastWidth, chartLeft+chartRight+(len(events)+2)*eventWidth), Height: chartHeight,
		Left: chartLeft, Zero: (impactTop + impactFoot) / 2, ImpactTop: impactTop, ImpactFoot: impactFoot, Foot: courseFoot,
	}
	c.Right = c.Width - chartRight
	top := axisTop(j.largestScore(events))
	room := float64(c.Right-c.Left) / float64(len(events)+2)
	x := func(place int) float64 { return float64(c.Left) + room*(float64(place)+0.5) }
	y := func(p float64) float64 { return courseFoot - p/top*(courseFoot-courseTop) }
	for k := range 5 {
		p := top * float64(k) / 4
		c.Grid = append(c.Grid, tick{y(p), fmt.Sprintf("%.3g %%", 100*p)})
	}
	largest := j.largestImpact()
	c.Scale = f.points(largest)
	var line strings.Builder
	if len(events) == len(j.Events) {
		fmt.Fprintf(&line, "M%.1f %.1f", x(0), y(j.Start))
	}
	for place, i := range events {
		m := j.newMark(i, f, x(place+1), room, largest)
		if e := &j.Events[i]; !math.IsNaN(e.After) {
			m.Y, m.Known = y(e.After), true
			m.RankY = m.Y - 12
			step := "L"
			if line.Len() == 0 {
				step = "M"
			}
			fmt.Fprintf(&line, "%s%.1f %.1f", step, m.X, m.Y)
		}
		c.Marks = append(c.Marks, m)
	}
	c.FinalX, c.FinalY = x(len(events)+1), y(j.Final)
	c.FinalTextY = c.FinalY - 14
	if n := len(c.Marks); c.FinalY+finalRoom < courseFoot && n > 0 && (!c.Marks[n-1].Known || c.Marks[n-1].Y <= c.FinalY) {
		c.FinalTextY = c.FinalY + finalRoom // the line comes from above
	}
	step := "L"
	if line.Len() == 0 {
		step = "M"
	}
	fmt.Fprintf(&line, "%s%.1f %.1f", step, c.FinalX, c.FinalY)
	c.Line = line.String()
	c.Days = j.days(events, x)
	return c
}

func (j *Journey) newMark(i int, f figures, x, room, largest float64) mark {
	e := &j.Events[i]
	m := mark{X: x, Left: x - room/2, Room: room, Wide: min(room*0.7, 18), Rank: e.Rank, Says: e.says(f)}
	m.BarX = x - m.Wide/2
	if largest > 0 && !math.IsNaN(e.Impact) {
		const half = (impactFoot - impactTop) / 2
		m.Length = math.Abs(e.Impact) / largest * half
		m.Top = impactTop + half
		switch {
		case e.Impact > 0:
			m.Class = "up"
			m.Top -= m.Length
		case e.Impact < 0:
			m.Class = "down"
		}
	}
	return m
}

// says is what a pointer on the event is told.
func (e *Event) says(f figures) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s UTC", name(e.Type), e.Time.Format(time.DateTime))
	if e.Values != "" {
		b.WriteString("\n" + clean(e.Values))
	}
	fmt.Fprintf(&b, "\nscore after it: %s\nimpact: %s points", f.percent(e.After), f.points(e.Impact))
	if e.Rank > 0 {
		fmt.Fprintf(&b, "\nmoment of truth %d", e.Rank)
	}
	return b.String()
}

func (j *Journey) largestScore(events []int) float64 {
	largest := max(j.Start, j.Final)
	for _, i := range events {
		if j.Events[i].After > largest {
			largest = j.Events[i].After
		}
	}
	return largest
}

// axisTop is a round number at or above a probability.
func axisTop(p float64) float64 {
	for unit := 0.001; unit < 1; unit *= 10 {
		for _, step := range []float64{1, 2, 4, 6, 8} {
			if top := unit * step; p <= top && top < 1 {
				return top
			}
		}
	}
	return 1
}

// days labels about eight events with their days.
func (j *Journey) days(events []int, x func(int) float64) []tick {
	var ticks []tick
	every := max(1, (len(events)+7)/8)
	for place := 0; place < len(events); place += every {
		ticks = append(ticks, tick{x(place + 1), j.Events[events[place]].Time.Format(time.DateOnly)})
	}
	return ticks
}
