package page

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Text writes a journey as a timeline: an event a line, oldest first.
func (j *Journey) Text(w io.Writer, s Screen) error {
	s = s.complete()
	t := textWriter{w: w, screen: s}
	f := j.figures()
	t.head(j.headline(f))
	t.printf("\n")
	if len(j.Events) == 0 {
		t.printf("%s", wrap("Nothing has happened before that moment: the score comes of the profile alone.", s.Width))
	} else {
		t.grid(j.timeline(f, s))
		t.printf("\n%s", wrap(impactNote+" "+j.marksNote(), s.Width))
	}
	t.reasons(j, f)
	t.anomaly(j.Anomaly)
	t.next(j, f)
	t.printf("\n%s", wrap(causeNote, s.Width))
	return t.err
}

func (j *Journey) headline(f figures) string {
	return fmt.Sprintf("Customer %s: %s %s as of %s UTC, after %s", name(j.Customer), name(j.Target), f.percent(j.Final), j.Cutoff.Format(time.DateTime), count(len(j.Events), "event"))
}

func (j *Journey) marksNote() string {
	for i := range j.Events {
		if j.Events[i].Rank > 0 {
			return "▲ and ▼ mark the moments of truth, the largest impacts."
		}
	}
	return "No event has an impact of half a point or more: there is no moment of truth."
}

// mark is the sign of a moment of truth, with its rank.
func (e *Event) mark() string {
	switch {
	case e.Rank == 0:
		return ""
	case e.Impact > 0:
		return "▲" + strconv.Itoa(e.Rank)
	}
	return "▼" + strconv.Itoa(e.Rank)
}

// halfBar is the length of the longest impact bar.
const halfBar = 10

func (j *Journey) timeline(f figures, s Screen) *grid {
	g := &grid{columns: []column{
		{}, {head: "time (UTC)"}, {head: "event", most: 28, give: 3}, {head: "values", most: 60, give: 1},
		{head: "score", right: true}, {head: "impact", right: true},
	}}
	if j.Shapley {
		g.columns = append(g.columns, column{head: "Shapley", right: true})
	}
	if j.Gradient {
		g.columns = append(g.columns, column{head: "gradient", right: true})
	}
	g.columns = append(g.columns, column{give: 2})
	at := func(event, score string) {
		g.add(g.padded(cell{}, cell{}, cell{event, faint}, cell{}, cell{text: score})...)
	}
	at("(start)", f.percent(j.Start))
	layout, largest := j.clock(), j.largestImpact()
	events, before := j.shown(s.Rows)
	for k, i := range events {
		if before[k] > 0 {
			g.add(cell{fmt.Sprintf("  ⋮ %s left out", count(before[k], "event")), faint})
		}
		g.add(j.line(&j.Events[i], f, layout, largest)...)
	}
	at("(now)", f.percent(j.Final))
	return g
}

// line is an event in the timeline.
func (j *Journey) line(e *Event, f figures, layout string, largest float64) []cell {
	weight, colour := plain, inkOf(e.Impact)
	if e.Rank > 0 {
		weight = bold
	}
	cells := []cell{
		{e.mark(), colour}, {e.Time.Format(layout), faint}, {name(e.Type), weight}, {text: clean(e.Values)},
		{text: f.percent(e.After)}, {f.points(e.Impact), colour},
	}
	if j.Shapley {
		cells = append(cells, cell{f.points(e.Shapley), inkOf(e.Shapley)})
	}
	if j.Gradient {
		cells = append(cells, cell{f.points(e.Gradient), inkOf(e.Gradient)})
	}
	return append(cells, cell{bar(e.Impact, largest, halfBar), colour})
}

// A textWriter keeps the first error.
type textWriter struct {
	w      io.Writer
	screen Screen
	err    error
}

func (t *textWriter) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

func (t *textWriter) grid(g *grid) {
	if t.err == nil {
		t.err = g.write(t.w, t.screen)
	}
}

// head writes a line, or more where the screen is narrow, that stands out.
func (t *textWriter) head(text string) {
	lines := strings.TrimSuffix(wrap(text, t.screen.Width), "\n")
	t.printf("%s\n", paint(lines, bold, t.screen.Colour))
}

func (t *textWriter) title(text string) {
	t.printf("\n")
	t.head(text)
}

func (t *textWriter) reasons(j *Journey, f figures) {
	if len(j.Reasons) == 0 {
		return
	}
	t.title("What groups of features do to the score, in points, against typical values")
	g := &grid{columns: []column{{head: "group", most: 40}, {head: "points", right: true}, {give: 2}}}
	largest := 0.0
	for _, r := range j.Reasons {
		largest = max(largest, math.Abs(r.Impact))
	}
	for _, r := range j.Reasons {
		g.add(cell{name(r.Group), plain}, cell{f.points(r.Impact), inkOf(r.Impact)}, cell{bar(r.Impact, largest, halfBar), inkOf(r.Impact)})
	}
	t.grid(g)
}

func (t *textWriter) anomaly(a *Anomaly) {
	if a == nil {
		return
	}
	title := "Is it unusual? " + a.verdict()
	if len(a.Reasons) == 0 {
		t.title(title)
		return
	}
	t.title(title + " Shares of the anomaly's score, below 0 where values are lower than expected")
	g := &grid{columns: []column{{head: "group", most: 40}, {head: "share", right: true}}}
	for _, r := range a.Reasons {
		g.add(cell{name(r.Group), plain}, cell{share(r.Impact), inkOf(r.Impact)})
	}
	t.grid(g)
}

// verdict says how unusual a journey is.
func (a *Anomaly) verdict() string {
	flag := "No"
	if a.Flagged {
		flag = "Yes"
	}
	return fmt.Sprintf("%s: p-value %.3g, flagged at %.3g or less; direction %s.", flag, a.PValue, a.AlertRate, a.Direction)
}

// share writes a signed share, "−15 %".
func share(x float64) string { return strings.Replace(fmt.Sprintf("%.0f %%", 100*x), "-", "−", 1) }

func (t *textWriter) next(j *Journey, f figures) {
	if j.NoNext != "" {
		t.printf("\n%s", wrap(j.NoNext, t.screen.Width))
	}
	if len(j.Next) == 0 {
		return
	}
	t.title("What may come next, by " + name(j.Target) + " if it came now")
	g := &grid{columns: []column{{head: "event", most: 28}, {head: "likelihood", right: true}, {head: "score then", right: true}, {head: "change", right: true}}}
	for _, n := range j.Next {
		change := n.Probability - j.Final
		g.add(cell{name(n.Type), plain}, cell{text: figuresFor(1).percent(n.Likelihood)}, cell{text: f.percent(n.Probability)}, cell{f.points(change), inkOf(change)})
	}
	t.grid(g)
}
