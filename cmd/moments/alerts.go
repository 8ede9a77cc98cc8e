package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"
	"text/tabwriter"
	"time"

	"moments/datasets"
	"moments/features"
	"moments/infer"
	"moments/infer/alerts"
	"moments/weights"
)

// alertsCommand looks at a whole base.
type alertsCommand struct {
	Bundle   string   `arg:"" help:"Folder of the bundle."`
	Task     string   `placeholder:"FILE" help:"Read the data of this task, rather than of the one that the bundle was trained for."`
	Events   []string `sep:"none" placeholder:"FILE" help:"Read events from here, rather than from the task's source; once for each source, in their order."`
	Profiles []string `sep:"none" placeholder:"FILE" help:"Read profiles from here, in the same way."`
	From     string   `placeholder:"TIME" help:"Look at events from this moment on. Default: 13 weeks before --to."`
	To       string   `placeholder:"TIME" help:"Look as of this moment: only earlier events are seen. Default: the end of the data."`
	Every    string   `default:"1d" placeholder:"DURATION" help:"Length of the periods in which touchpoints are compared."`
	Within   string   `default:"1h" placeholder:"DURATION" help:"How soon an event follows a touchpoint."`
	Times    int      `default:"1" placeholder:"N" help:"Score the base at so many moments, --apart from each other, the last at --to; causes that rise from one to another are found."`
	Apart    string   `default:"7d" placeholder:"DURATION" help:"Time between the moments of --times."`
	Rate     float64  `default:"0.01" placeholder:"SHARE" help:"Share of false findings to accept, after correction for the number of comparisons."`
	Rows     int      `default:"20" placeholder:"N" help:"Rows of each table to print."`
	JSON     bool     `name:"json" help:"Print everything as JSON."`
}

// Help says what the flags do not.
func (*alertsCommand) Help() string {
	return `Says what is unusual about a whole base, and what is systemic.

Touchpoints: for each period, the share of the customers with one event who have
another one right after it is compared with that of all other periods. A checkout
that breaks for everybody on one day is found there, even where no single journey
is unusual enough for an alert.

Journeys: those with an alert are grouped by cause, and the share of each cause in
a cohort, a stage of the journey, a profile field's value or a period is compared
with that outside it; so is the number of all alerts with what the alert rate
promises.

What differs beyond chance, corrected for the number of comparisons (Benjamini and
Hochberg), is reported with how many customers it concerns, how many were to be
expected, and when it was first and last seen.

  moments alerts weights/shop
  moments alerts weights/shop --from 2026-05-01 --to 2026-06-01 --every 6h
  moments alerts weights/shop --times 4 --apart 7d --json > alerts.json`
}

// Run looks and prints.
func (v *alertsCommand) Run(ctx context.Context, c *console) error {
	report, err := v.look(ctx, c)
	if err != nil {
		return err
	}
	if v.JSON {
		return c.printJSON(report)
	}
	report.print(c.out, v.Rows)
	return nil
}

// watching is a run with its bundle and data open.
type watching struct {
	*alertsCommand
	console  *console
	bundle   *weights.Bundle
	scorer   *infer.Scorer
	data     *datasets.Dataset
	rule     features.CutoffRule
	from, to int64
	every    int64
	within   int64
	apart    int64
}

func (v *alertsCommand) look(ctx context.Context, c *console) (*baseAlerts, error) {
	if v.Times < 1 || v.Rows < 1 {
		return nil, wrongf("alerts: --times is %d and --rows %d, want at least 1", v.Times, v.Rows)
	}
	w, err := v.open(ctx, c)
	if err != nil {
		return nil, err
	}
	defer closeData(c, w.data)
	points, err := alerts.NewTouchpoints(w.bundle.Schema, alerts.Options{From: w.from, To: w.to, Every: w.every, Within: w.within, Rate: v.Rate})
	if err != nil {
		return nil, wrong(err)
	}
	span := int64(v.Times) * w.apart
	groups, err := alerts.NewJourneys(w.bundle.Schema, w.bundle.AlertRate, alerts.Options{From: w.to - span, To: w.to, Every: w.apart, Rate: v.Rate})
	if err != nil {
		return nil, wrong(err)
	}
	scored, flagged := 0, 0
	for time := v.Times - 1; time >= 0; time-- {
		counted := points
		if time > 0 {
			counted = nil // events count once
		}
		n, alerted, err := w.score(ctx, w.to-int64(time)*w.apart, counted, groups)
		if err != nil {
			return nil, err
		}
		scored, flagged = scored+n, flagged+alerted
	}
	return w.report(scored, flagged, points.Incidents(), groups), nil
}

// open checks the flags and opens bundle and data.
func (v *alertsCommand) open(ctx context.Context, c *console) (*watching, error) {
	w := &watching{alertsCommand: v, console: c}
	var err error
	for _, d := range []struct {
		flag, text string
		to         *int64
	}{{"every", v.Every, &w.every}, {"within", v.Within, &w.within}, {"apart", v.Apart, &w.apart}} {
		if *d.to, err = features.ParseDuration(d.text); err != nil {
			return nil, wrongf("alerts: --%s: %w", d.flag, err)
		}
	}
	if w.bundle, err = weights.Open(v.Bundle); err != nil {
		return nil, wrong(err)
	}
	scoring := scoreCommand{Bundle: v.Bundle, Task: v.Task, Events: v.Events, Profiles: v.Profiles, At: v.To}
	task, err := scoring.task(w.bundle)
	if err != nil {
		return nil, err
	}
	if w.scorer, err = c.newScorer(w.bundle, infer.ScorerOptions{Reasons: 2, SkipTargets: true}); err != nil {
		return nil, wrong(err)
	}
	w.rule = task.Rule()
	if w.data, err = openData(ctx, c, task, datasets.OpenOptions{Layout: &w.bundle.Layout, NoLabels: true, Cache: -1}); err != nil {
		return nil, err
	}
	if err := w.span(&scoring); err != nil {
		closeData(c, w.data)
		return nil, wrong(err)
	}
	return w, nil
}

// defaultSpan is how far back events are looked at where it is not said.
const defaultSpan = 13 * features.Week

// span reads --from and --to.
func (w *watching) span(scoring *scoreCommand) (err error) {
	if w.data.Quality().Events == 0 {
		return fmt.Errorf("alerts: the data has no events")
	}
	if w.to, err = scoring.moment(w.data); err != nil {
		return err
	}
	w.from = w.to - defaultSpan
	if w.From != "" {
		w.from, err = w.data.Task().Moment(w.From)
	}
	return err
}

// score scores all journeys at a moment and returns how many and how many of
// them alert.
func (w *watching) score(ctx context.Context, now int64, points *alerts.Touchpoints, groups *alerts.Journeys) (n, alerted int, err error) {
	shown := w.console.stage("scoring", w.data.Quality().Customers)
	defer shown.end()
	var who pairing
	cut := newCut(w.rule, now)
	noted := func(j *features.Journey) (features.Cutoff, bool) {
		if points != nil {
			points.Add(j, features.Cutoff{Events: len(j.Events)})
		}
		c, ok := cut(j)
		if ok {
			who.put(j, c)
		}
		return c, ok
	}
	err = w.scorer.Score(ctx, w.data.Journeys(ctx), noted, func(s *infer.Score) error {
		shown.add()
		if n++; s.Alert {
			alerted++
		}
		groups.Add(who.take(), s)
		return nil
	})
	return n, alerted, err
}

// A pairing hands the journeys that a scorer has taken to those who get the
// scores, in the same order.
type pairing struct {
	lock  sync.Mutex
	queue []*features.Journey
}

// put keeps what groups need: the profile and the times of the events.
func (p *pairing) put(j *features.Journey, c features.Cutoff) {
	kept := &features.Journey{Customer: j.Customer, Profile: append([]features.Value{}, j.Profile...)}
	for i := range j.Events[:c.Events] {
		kept.Events = append(kept.Events, features.Event{Time: j.Events[i].Time, Type: j.Events[i].Type})
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.queue = append(p.queue, kept)
}

func (p *pairing) take() *features.Journey {
	p.lock.Lock()
	defer p.lock.Unlock()
	j := p.queue[0]
	p.queue = p.queue[1:]
	return j
}

// baseAlerts is what the verb prints.
type baseAlerts struct {
	Bundle   string       `json:"bundle"`
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"`
	Every    string       `json:"every"`
	Scored   int          `json:"scored"`
	Alerts   int          `json:"alerts"`
	Promised figure       `json:"alerts_promised"` // alerts among as many normal journeys
	Systemic []incident   `json:"systemic"`        // touchpoints that stand out
	Causes   []alertGroup `json:"causes"`          // of the alerts
	Risen    []alertGroup `json:"risen"`           // groups of alerts that rise beyond chance
}

// An incident is alerts.Incident as it is printed.
type incident struct {
	Event     string    `json:"event"`
	Change    string    `json:"change"` // rise or fall
	Direction string    `json:"direction"`
	After     string    `json:"after"`
	Attribute string    `json:"attribute,omitempty"`
	Level     string    `json:"level,omitempty"`
	First     time.Time `json:"first_seen"`
	Last      time.Time `json:"last_seen"`
	Periods   int       `json:"periods"`
	finding
	Also int `json:"also"` // further touchpoints that show the same
}

// A finding is alerts.Finding as it is printed.
type finding struct {
	Customers int    `json:"customers"`
	Of        int    `json:"of"`
	Expected  figure `json:"expected"`
	Chance    figure `json:"chance,omitempty"`   // before correction
	Adjusted  figure `json:"adjusted,omitempty"` // after it
}

func newFinding(f alerts.Finding) finding {
	return finding{f.Customers, f.Of, figure(math.Round(f.Expected*100) / 100), figure(f.Chance), figure(f.Adjusted)}
}

// An alertGroup is alerts.Group as it is printed.
type alertGroup struct {
	Cause     string    `json:"cause"` // "" for all
	Dimension string    `json:"dimension,omitempty"`
	Level     string    `json:"level,omitempty"`
	First     time.Time `json:"first_seen"`
	Last      time.Time `json:"last_seen"`
	finding
	Severity figure   `json:"severity"` // mean of -log10 of the p-values
	Examples []string `json:"examples"`
}

func (w *watching) report(scored, flagged int, incidents []alerts.Incident, groups *alerts.Journeys) *baseAlerts {
	r := &baseAlerts{
		Bundle: w.bundle.Name, From: moment(w.from), To: moment(w.to), Every: w.Every, Scored: scored, Alerts: flagged,
		Promised: figure(w.bundle.AlertRate * float64(scored)), Systemic: []incident{},
	}
	for i := range incidents {
		x := &incidents[i]
		change := "fall"
		if x.Rise {
			change = "rise"
		}
		r.Systemic = append(r.Systemic, incident{
			Event: x.Event, Change: change, Direction: string(w.scorer.Meaning("event:"+x.Event, x.Rise)), After: x.After, Attribute: x.Attribute,
			Level: x.Level, First: moment(x.First), Last: moment(x.Last), Periods: x.Periods, finding: newFinding(x.Finding), Also: x.Also,
		})
	}
	causes, risen := groups.Groups()
	r.Causes, r.Risen = groupsOf(causes), groupsOf(risen)
	return r
}

func groupsOf(groups []alerts.Group) []alertGroup {
	list := []alertGroup{}
	for _, g := range groups {
		list = append(list, alertGroup{
			Cause: g.Cause, Dimension: g.Dimension, Level: g.Level, First: moment(g.First), Last: moment(g.Last),
			finding: newFinding(g.Finding), Severity: figure(math.Round(g.Severity*100) / 100), Examples: g.Examples,
		})
	}
	return list
}

// print writes the tables for people.
func (r *baseAlerts) print(out io.Writer, rows int) {
	fmt.Fprintf(out, "Touchpoints from %s to %s, by %s: %d stand out beyond chance\n", r.From.Format(time.DateTime), r.To.Format(time.DateTime), r.Every, len(r.Systemic))
	if len(r.Systemic) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "\tevent\tafter\tcustomers\tof\texpected\tfirst seen\tlast seen\tmeaning\tchance")
		for _, i := range r.Systemic[:min(rows, len(r.Systemic))] {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%.1f\t%s\t%s\t%s\t%.1g\n", i.Change, i.Event, i.touchpoint(), i.Customers, i.Of, i.Expected,
				i.First.Format(time.DateTime), i.Last.Format(time.DateTime), i.Direction, i.Adjusted)
		}
		w.Flush()
		leftOut(out, len(r.Systemic), rows)
	}
	fmt.Fprintf(out, "\nJourneys: %d scored, %d with an alert; of as many normal ones %.0f are promised\n", r.Scored, r.Alerts, float64(r.Promised))
	printGroups(out, "", r.Causes, rows)
	fmt.Fprintf(out, "\nGroups of journeys with more alerts than by chance: %d\n", len(r.Risen))
	printGroups(out, "group", r.Risen, rows)
}

func (i *incident) touchpoint() string {
	if i.Attribute == "" {
		return i.After
	}
	return i.After + " " + i.Attribute + "=" + i.Level
}

func leftOut(out io.Writer, all, rows int) {
	if all > rows {
		fmt.Fprintf(out, "and %d more; --rows and --json show them\n", all-rows)
	}
}

func printGroups(out io.Writer, group string, groups []alertGroup, rows int) {
	if len(groups) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if group == "" {
		fmt.Fprintln(w, "cause\tcustomers\tseverity\tfirst seen\tlast seen\tsuch as")
	} else {
		fmt.Fprintln(w, "cause\tgroup\tcustomers\tof\texpected\tseverity\tchance\tsuch as")
	}
	for _, g := range groups[:min(rows, len(groups))] {
		g.print(w, group != "")
	}
	w.Flush()
	leftOut(out, len(groups), rows)
}

func (g *alertGroup) print(w io.Writer, compared bool) {
	cause, example := g.Cause, ""
	if cause == "" {
		cause = "any"
	}
	if len(g.Examples) > 0 {
		example = g.Examples[0]
	}
	if !compared {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%s\t%s\t%s\n", cause, g.Customers, g.Severity, g.First.Format(time.DateOnly), g.Last.Format(time.DateOnly), example)
		return
	}
	place := "the whole base"
	if g.Dimension != "" {
		place = g.Dimension + " " + g.Level
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\t%.1f\t%.1g\t%s\n", cause, place, g.Customers, g.Of, g.Expected, g.Severity, g.Adjusted, example)
}
