package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"
)

//go:embed page.tmpl journey.tmpl base.tmpl
var sources embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"n": func(x float64) string { return fmt.Sprintf("%.1f", x) },
}).ParseFS(sources, "*.tmpl"))

// mostRows are the rows of a page's tables, and the events of its chart.
const mostRows = 1000

// HTML writes a journey as a page: the chart of the score's course and the
// impacts, and the same as a table.
func (j *Journey) HTML(w io.Writer) error {
	f := j.figures()
	events, before := j.shown(mostRows)
	p := journeyPage{
		Title: fmt.Sprintf("%s of customer %s", name(j.Target), name(j.Customer)), Head: j.headline(f), Target: name(j.Target),
		Bundle: name(j.Bundle), Note: impactNote, Marks: j.marksNote(), Cause: causeNote, NoNext: j.NoNext,
		Shapley: j.Shapley, Gradient: j.Gradient, Start: f.percent(j.Start), Final: f.percent(j.Final),
	}
	if len(events) > 0 {
		p.Course = j.newCourse(events, f)
	}
	layout, largest := j.clock(), j.largestImpact()
	for k, i := range events {
		if before[k] > 0 {
			p.Rows = append(p.Rows, eventRow{Gap: count(before[k], "event") + " left out"})
		}
		p.Rows = append(p.Rows, j.Events[i].row(f, layout, largest))
	}
	p.Reasons = reasonRows(j.Reasons, f.points)
	if j.Anomaly != nil {
		p.Anomaly, p.Unusual = j.Anomaly.verdict(), reasonRows(j.Anomaly.Reasons, share)
	}
	for _, n := range j.Next {
		p.Next = append(p.Next, nextRow{name(n.Type), figuresFor(1).percent(n.Likelihood), f.percent(n.Probability), f.points(n.Probability - j.Final)})
	}
	return templates.ExecuteTemplate(w, "journey.tmpl", p)
}

// A journeyPage is what the template of a journey shows.
type journeyPage struct {
	Title, Head, Bundle, Target string
	Note, Marks, Cause, NoNext  string
	Start, Final                string
	Shapley, Gradient           bool
	Course                      *course
	Rows                        []eventRow
	Reasons                     []reasonRow
	Anomaly                     string
	Unusual                     []reasonRow
	Next                        []nextRow
}

// An eventRow is an event in the table, or, with Gap, events left out.
type eventRow struct {
	Gap                               string
	Mark, Time, Machine, Type, Values string
	After, Impact, Shapley, Gradient  string
	Bar                               barBox
}

type reasonRow struct {
	Group, Impact string
	Bar           barBox
}

type nextRow struct{ Type, Likelihood, Probability, Change string }

// A barBox is a bar in a table's cell: a rectangle within -50 to 50.
type barBox struct {
	X, Length float64
	Class     string
}

func newBar(value, largest float64) barBox {
	if !(largest > 0) || math.IsNaN(value) {
		return barBox{}
	}
	length := 50 * math.Abs(value) / largest
	if value < 0 {
		return barBox{-length, length, "down"}
	}
	return barBox{0, length, "up"}
}

func (e *Event) row(f figures, layout string, largest float64) eventRow {
	return eventRow{
		Mark: e.mark(), Time: e.Time.Format(layout), Machine: e.Time.Format(time.RFC3339), Type: name(e.Type), Values: clean(e.Values),
		After: f.percent(e.After), Impact: f.points(e.Impact), Shapley: f.points(e.Shapley), Gradient: f.points(e.Gradient), Bar: newBar(e.Impact, largest),
	}
}

func reasonRows(reasons []Reason, write func(float64) string) []reasonRow {
	largest := 0.0
	for _, r := range reasons {
		largest = max(largest, math.Abs(r.Impact))
	}
	var rows []reasonRow
	for _, r := range reasons {
		rows = append(rows, reasonRow{name(r.Group), write(r.Impact), newBar(r.Impact, largest)})
	}
	return rows
}

// HTML writes a base as a page: the journey map, and the tables.
func (b *Base) HTML(w io.Writer) error {
	f := b.figures()
	p := basePage{
		Title: fmt.Sprintf("Touchpoints of %s", name(b.Target)), Head: b.headline(f), Bundle: name(b.Bundle), Target: name(b.Target),
		Note: baseNote, Cause: causeNote, Map: b.newMap(),
	}
	if p.Map != nil {
		p.Covered = share(p.Map.Covered)
	}
	followed := b.follows()
	for i := range b.Kinds {
		p.Kinds = append(p.Kinds, b.Kinds[i].page(followed, f))
		followed = nil
	}
	for _, flow := range b.Flows[:min(len(b.Flows), mostRows/10)] {
		p.Flows = append(p.Flows, flowRow{name(flow.From), name(flow.To), thousands(flow.Count), share(flow.Share), f.points(flow.Change), fmt.Sprintf("×%.2f", flow.Lift)})
	}
	p.FlowsLeft = len(b.Flows) - len(p.Flows)
	return templates.ExecuteTemplate(w, "base.tmpl", p)
}

// A basePage is what the template of a base shows.
type basePage struct {
	Title, Head, Bundle, Target string
	Note, Cause                 string
	Map                         *flowMap
	Covered                     string
	Kinds                       []kindTable
	Flows                       []flowRow
	FlowsLeft                   int
}

type kindTable struct {
	Name    string
	Follows bool
	Rows    []touchpointRow
	Left    int
}

type touchpointRow struct {
	Name, Journeys, Events, Impact, Interval, Size, Positive, Then string
	Bar                                                            barBox
}

type flowRow struct{ From, To, Count, Share, Change, Lift string }

func (k *Kind) page(followed map[string][]Flow, f figures) kindTable {
	t := kindTable{Name: k.Name, Follows: followed != nil}
	largest := k.largestImpact()
	for _, p := range k.Touchpoints[:min(len(k.Touchpoints), mostRows)] {
		t.Rows = append(t.Rows, touchpointRow{
			name(p.Name), thousands(p.Journeys), thousands(p.Events), f.points(p.Impact), p.interval(f), f.size(p.Size), share(p.Positive), then(followed[p.Name]), newBar(p.Impact, largest),
		})
	}
	t.Left = len(k.Touchpoints) - len(t.Rows)
	return t
}
