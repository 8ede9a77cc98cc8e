package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"moments/cmd/moments/page"
	"moments/cmd/moments/table"
	"moments/datasets"
	"moments/features"
	"moments/infer"
	"moments/weights"
)

// explainCommand shows the moments of truth of one journey, or of all.
type explainCommand struct {
	Bundle   string `arg:"" help:"Folder of the bundle."`
	Customer string `xor:"whom" placeholder:"ID" help:"The customer whose journey is explained."`
	All      bool   `xor:"whom" help:"Explain all journeys: by touchpoint, channel and stage, and what follows what."`
	Check    int    `xor:"whom" placeholder:"N" help:"Check on N journeys how well impacts know what drives the score."`

	Target string `placeholder:"NAME" help:"The target that texts and pages are about. Default: the first. JSON has all."`
	JSON   bool   `name:"json" help:"Print JSON rather than text."`
	HTML   string `name:"html" placeholder:"FILE" help:"Write a page with charts, too."`
	Rows   int    `default:"40" placeholder:"N" help:"Rows of each table of the text."`

	Task     string   `placeholder:"FILE" help:"Read the data of this task, rather than of the one that the bundle was trained for."`
	Events   []string `sep:"none" placeholder:"FILE" help:"Read events from here, rather than from the task's source; once for each source, in their order."`
	Profiles []string `sep:"none" placeholder:"FILE" help:"Read profiles from here, in the same way."`
	At       string   `placeholder:"TIME" help:"Explain as of this moment: only earlier events are seen. Default: the end of the data."`

	Last      int `default:"256" placeholder:"N" help:"The last events of a journey that are taken away one by one."`
	Moments   int `default:"3" placeholder:"N" help:"Moments of truth to mark."`
	Reasons   int `default:"5" placeholder:"N" help:"Groups of features to show; 0 for none."`
	Next      int `default:"5" placeholder:"N" help:"Events to suggest, among the likeliest; 0 for none."`
	Shapley   int `placeholder:"N" help:"Check impacts by Shapley values over N random orders."`
	Gradients int `placeholder:"N" help:"Check impacts by integrated gradients at N points."`

	Channel string `placeholder:"NAME" help:"With --all: the attribute of events that is the channel. Default: channel, where there is one."`
}

// Help says what the flags do not.
func (*explainCommand) Help() string {
	return `Scores a journey after each of its events and without each of them. An event's
impact is the score at the end minus what it would be had the event not happened
and all else gone on as it did, in points: percentage points of probability. The
events of the largest impacts are the moments of truth. Impacts and suggestions
are what the networks expect, not causes: only a randomised test proves a cause.

  moments explain weights/loans --customer 4711
  moments explain weights/loans --customer 4711 --html 4711.html --shapley 100
  moments explain weights/loans --all --html touchpoints.html
  moments explain weights/loans --check 200
  moments explain weights/loans --all --at 2026-06-01 --json > touchpoints.json`
}

// Run explains.
func (v *explainCommand) Run(ctx context.Context, c *console) error {
	x, err := v.open(ctx, c)
	if err != nil {
		return err
	}
	defer closeData(c, x.data)
	switch {
	case v.All:
		return x.explainAll(ctx)
	case v.Check > 0:
		return x.explainCheck(ctx)
	}
	return x.explainOne(ctx)
}

// explaining is a run with its bundle and data open.
type explaining struct {
	*explainCommand
	console *console
	bundle  *weights.Bundle
	scorer  *infer.Scorer
	data    *datasets.Dataset
	target  int
	cut     cutFunc
}

// open checks the flags and opens bundle and data.
func (v *explainCommand) open(ctx context.Context, c *console) (*explaining, error) {
	if err := v.check(); err != nil {
		return nil, wrong(err)
	}
	x := &explaining{explainCommand: v, console: c}
	var err error
	if x.bundle, err = weights.Open(v.Bundle); err != nil {
		return nil, wrong(err)
	}
	if x.target, err = v.targetOf(x.bundle); err != nil {
		return nil, wrong(err)
	}
	scoring := scoreCommand{Bundle: v.Bundle, Task: v.Task, Events: v.Events, Profiles: v.Profiles, At: v.At}
	task, err := scoring.task(x.bundle)
	if err != nil {
		return nil, err
	}
	reasons := v.Reasons
	if v.Customer == "" {
		reasons = 0
	}
	if x.scorer, err = c.newScorer(x.bundle, infer.ScorerOptions{Reasons: reasons, SkipAnomaly: v.Customer == ""}); err != nil {
		return nil, wrong(err)
	}
	if x.data, err = openData(ctx, c, task, datasets.OpenOptions{Layout: &x.bundle.Layout, NoLabels: true, Cache: -1}); err != nil {
		return nil, err
	}
	now, err := scoring.moment(x.data)
	if err != nil {
		closeData(c, x.data)
		return nil, wrong(err)
	}
	x.cut = newCut(task.Rule(), now)
	return x, nil
}

// check refuses flags that do not go together.
func (v *explainCommand) check() error {
	if v.Customer == "" && !v.All && v.Check == 0 {
		return fmt.Errorf("explain: whom? Name one with --customer ID, or explain --all")
	}
	for _, flag := range []struct {
		name  string
		value int
		least int
	}{{"rows", v.Rows, 1}, {"last", v.Last, 1}, {"moments", v.Moments, 0}, {"reasons", v.Reasons, 0}, {"next", v.Next, 0}, {"shapley", v.Shapley, 0}, {"gradients", v.Gradients, 0}, {"check", v.Check, 0}} {
		if flag.value < flag.least {
			return fmt.Errorf("explain: --%s is %d, want at least %d", flag.name, flag.value, flag.least)
		}
	}
	if v.All && v.Shapley+v.Gradients > 0 {
		return fmt.Errorf("explain: --shapley and --gradients check one journey; leave them out of --all")
	}
	if v.Check > 0 && v.HTML != "" {
		return fmt.Errorf("explain: --check has no page; leave out --html")
	}
	if !v.All && v.Channel != "" {
		return fmt.Errorf("explain: --channel is for --all")
	}
	if v.HTML != "" {
		return table.CheckFile(v.HTML)
	}
	return nil
}

// targetOf is the place of the target asked for.
func (v *explainCommand) targetOf(b *weights.Bundle) (int, error) {
	if len(b.Targets) == 0 {
		return 0, fmt.Errorf("explain: bundle %s has no target whose score could be explained; moments score gives the reasons of anomalies", b.Name)
	}
	if v.Target == "" {
		return 0, nil
	}
	if t := slices.Index(b.Targets, v.Target); t >= 0 {
		return t, nil
	}
	return 0, fmt.Errorf("explain: bundle %s has no target %q, want one of %s", b.Name, v.Target, strings.Join(b.Targets, ", "))
}

// options are those of infer. A check needs all attributions.
func (x *explaining) options() infer.ExplainOptions {
	if x.Check > 0 {
		o := infer.ExplainOptions{Last: x.Last, Shapley: cmp.Or(x.Shapley, 64), Alone: true}
		if slices.ContainsFunc(x.bundle.Networks, func(n weights.Network) bool { return n.Weight > 0 && seesEvents(&n) }) {
			o.Gradients = cmp.Or(x.Gradients, 16)
		}
		return o
	}
	return infer.ExplainOptions{Last: x.Last, Shapley: x.Shapley, Gradients: x.Gradients}
}

// foretells says whether a network of the bundle says what comes next.
func (x *explaining) foretells() bool {
	return slices.ContainsFunc(x.bundle.Networks, func(n weights.Network) bool { return seesEvents(&n) })
}

// A laidOut is what a page can be made of.
type laidOut interface {
	Text(io.Writer, page.Screen) error
	HTML(io.Writer) error
}

// show prints the result as text or JSON and writes the page.
func (x *explaining) show(result laidOut, machine any) error {
	if x.HTML != "" {
		if err := writePage(x.HTML, result); err != nil {
			return err
		}
		x.console.log.Info("wrote "+x.HTML, "next", "open it in a browser")
	}
	if x.JSON {
		return x.console.printJSON(machine)
	}
	return result.Text(x.console.out, screenOf(x.console.out, x.Rows))
}

// writePage writes a page in one piece.
func writePage(path string, result laidOut) error {
	file, err := table.CreateFile(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	if err := result.HTML(file); err != nil {
		return fmt.Errorf("explain: cannot write %s: %w", path, err)
	}
	return file.Commit()
}

// screenOf measures the terminal that text goes to; elsewhere text is as wide
// as the default of page.Screen, without colours.
func screenOf(out io.Writer, rows int) page.Screen {
	s := page.Screen{Rows: rows}
	if !isTerminal(out) {
		return s
	}
	s.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(out.(*os.File).Fd())); err == nil {
		s.Width = width
	}
	return s
}

// namedValues are the values of an event that are there, by name.
func namedValues(fields []features.Field, values []features.Value) []namedValue {
	var named []namedValue
	for i, field := range fields[:min(len(fields), len(values))] {
		if v := values[i]; field.Kind == features.Categorical && v.Text != "" {
			named = append(named, namedValue{field.Name, v.Text})
		} else if field.Kind == features.Numeric && v.Number == v.Number {
			named = append(named, namedValue{field.Name, v.Number})
		}
	}
	return named
}

// A namedValue is an attribute of an event: a string or a float64.
type namedValue struct {
	name  string
	value any
}

// inShort writes values as name=value, numbers to six digits.
func inShort(values []namedValue) string {
	var words []string
	for _, v := range values {
		if number, ok := v.value.(float64); ok {
			words = append(words, fmt.Sprintf("%s=%.6g", v.name, number))
			continue
		}
		words = append(words, fmt.Sprintf("%s=%s", v.name, v.value))
	}
	return strings.Join(words, " ")
}
