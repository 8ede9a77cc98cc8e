package main

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// journeyNetwork is an untrained network that follows events: what explain
// shows of it can be held against score all the same.
func journeyNetwork(b *weights.Bundle, weight float64) (weights.Network, error) {
	config := &model.Journey{Targets: 1, State: 8, Token: 2, TypeSize: 4, Members: 2, Width: 8, Layers: 1, Embedding: 2, CategoryWidth: 2}
	for table, fit := range map[*model.Table]func() (int, int, []int, [][]float32){&config.Events: b.Schema.TokenTable, &config.Table: b.Schema.Table} {
		table.Numeric, table.Binary, table.Cardinalities, table.Edges = fit()
		for _, e := range table.Edges {
			table.Bins = max(table.Bins, len(e)-1)
		}
	}
	saved, err := model.Save(config)
	if err != nil {
		return weights.Network{}, err
	}
	g, err := model.Build(config)
	if err != nil {
		return weights.Network{}, err
	}
	random, params := rand.New(rand.NewPCG(1, 2)), map[string]weights.Tensor{}
	for _, p := range g.Params() {
		data := make([]float32, p.RowSize())
		for i := range data {
			data[i] = float32(random.NormFloat64()) / float32(math.Sqrt(float64(p.Shape[0])))
		}
		switch p.Init.Kind {
		case model.Data:
			copy(data, p.Init.Values)
		case model.Constant:
			data = slices.Repeat([]float32{1}, len(data))
		}
		params[p.Name] = weights.Tensor{Shape: p.Shape, Data: data}
	}
	return weights.Network{Name: "journey-0", Role: weights.Classifier, Saved: saved, Weight: weight, Params: params}, nil
}

// The bundle of trainedFolder, with journeyNetwork in the place of networks that
// follow events, and without any.
var (
	followingOnce = sync.OnceValues(func() (string, error) { return remade("following", true) })
	tabularOnce   = sync.OnceValues(func() (string, error) { return remade("tabular", false) })
)

func remade(name string, following bool) (dir string, err error) {
	folder, err := trainedOnce()
	if err != nil {
		return "", err
	}
	b, err := weights.Open(filepath.Join(folder, "bundle"))
	if err != nil {
		return "", err
	}
	b.Networks = slices.DeleteFunc(b.Networks, func(n weights.Network) bool { return strings.HasPrefix(n.Name, "journey") })
	tokens := &features.Tokens{}
	encoder := b.Schema.NewEncoder()
	for i := range 40 {
		encoder.Append(&features.Event{Time: int64(i * i), Type: []string{"visit", "purchase"}[i%2], Values: []features.Value{features.Number(float64(i % 5))}})
		encoder.AppendToken(tokens)
	}
	if err := b.Schema.FitTokens([]*features.Tokens{tokens}, 1); err != nil {
		return "", err
	}
	others := 0.0
	for i := range b.Networks {
		if n := &b.Networks[i]; n.Role == weights.Classifier {
			others += n.Weight
		}
	}
	if following {
		n, err := journeyNetwork(b, others)
		if err != nil {
			return "", err
		}
		b.Networks, others = append(b.Networks, n), 2*others
	}
	for i := range b.Networks {
		b.Networks[i].Weight /= others
	}
	dir = filepath.Join(folder, name)
	return dir, b.Save(dir)
}

// followingBundle is a bundle with a network that follows events, which tests
// must not write to.
func followingBundle(t *testing.T) string {
	t.Helper()
	return bundleOf(t, followingOnce)
}

func bundleOf(t *testing.T, make func() (string, error)) string {
	t.Helper()
	bundle, err := make()
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// explained runs explain with --json on one customer.
func explained(t *testing.T, args ...string) explanation {
	t.Helper()
	r := mustRun(t, append([]string{"explain", "--json", "--quiet"}, args...)...)
	var e explanation
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
		t.Fatal(err)
	}
	if r.stderr != "" {
		t.Errorf("--quiet logs %q", r.stderr)
	}
	return e
}

// What explain says of a journey is what score says of it, and of it without
// each event.
func TestExplainAgreesWithScore(t *testing.T) {
	bundle, folder := followingBundle(t), t.TempDir()
	e := explained(t, bundle, "--customer", "c9")
	if e.Customer != "c9" || len(e.Events) != 5 || len(e.Reasons) == 0 || len(e.Next) == 0 || e.Note == "" {
		t.Fatalf("got %+v, want the 5 events of c9, reasons and suggestions", e)
	}
	scoreOf := func(drop int) float64 {
		var kept []string
		for _, line := range strings.Split(strings.TrimSpace(eventsCSV(240)), "\n") {
			mine := strings.HasPrefix(line, "c9,")
			if mine && drop == 0 {
				drop--
				continue
			}
			if mine {
				drop--
			}
			kept = append(kept, line)
		}
		events, out := filepath.Join(folder, "events.csv"), filepath.Join(folder, "s.csv")
		write(t, events, strings.Join(kept, "\n")+"\n")
		mustRun(t, "score", bundle, "--events", events, "-o", out, "--at", "2025-02-01", "--reasons", "0")
		for _, row := range records(t, out) {
			if row[0] == "c9" {
				p, err := strconv.ParseFloat(row[2], 64)
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
		}
		t.Fatal("c9 is not scored")
		return 0
	}
	e = explained(t, bundle, "--customer", "c9", "--at", "2025-02-01")
	final := float64(e.Final["won"])
	if got := scoreOf(-1); math.Abs(got-final) > 1e-6 {
		t.Errorf("final score %v, want %v as score says", final, got)
	}
	// Without the last event score would cut the journey earlier, at the one before,
	// and without the first it would let the journey begin later.
	for i := 1; i < len(e.Events)-1; i++ {
		if got, want := float64(e.Events[i].Impact["won"]), final-scoreOf(i); math.Abs(got-want) > 1e-6 {
			t.Errorf("impact of event %d is %v, want %v", i, got, want)
		}
	}
	for i := 1; i < len(e.Next); i++ {
		if e.Next[i].Probability["won"] > e.Next[i-1].Probability["won"] {
			t.Errorf("suggestions %v are not ranked by the outcome", e.Next)
		}
	}
}

func TestExplainShowsAJourney(t *testing.T) {
	bundle, html := followingBundle(t), filepath.Join(t.TempDir(), "c9.html")
	r := mustRun(t, "explain", bundle, "--customer", "c9", "--html", html, "--shapley", "4", "--gradients", "4", "--moments", "1")
	for _, want := range []string{"Customer c9: won", "2025-01-01 08:00", "purchase", "amount=4", "(now)", "Shapley", "gradient", "groups of features", "unusual", "may come next", "randomised"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the text has no %q:\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "\x1b") {
		t.Error("colours in a file")
	}
	page := read(t, html)
	if n := strings.Count(page, `<g class="event`); n != 5 || !strings.Contains(page, "purchase\n2025-01-02 08:00:00 UTC\namount=4") {
		t.Errorf("%d events in the chart, want 5 that say what they are:\n%s", n, page)
	}
}

// Journeys of no event, in a task without any, and of one.
func TestExplainShortJourneys(t *testing.T) {
	folder := tableFolder(t)
	bundle := filepath.Join(folder, "bundle")
	mustRun(t, "train", filepath.Join(folder, "task.yaml"), "-o", bundle)
	html := filepath.Join(folder, "c0.html")
	r := mustRun(t, "explain", bundle, "--customer", "c0", "--html", html)
	if !strings.Contains(r.stdout, "after 0 events") || !strings.Contains(r.stdout, "groups of features") || !strings.Contains(read(t, html), "profile alone") {
		t.Errorf("a customer without events:\n%s", r.stdout)
	}
	if r := mustRun(t, "explain", bundle, "--all", "--html", html); !strings.Contains(r.stdout, "240 journeys") || !strings.Contains(r.stdout, "No touchpoint") {
		t.Errorf("a base without events:\n%s", r.stdout)
	}
	one := explained(t, followingBundle(t), "--customer", "c0", "--at", "2025-01-01T12:00:00Z")
	if len(one.Events) != 1 || one.Events[0].Type != "visit" || len(one.Next) == 0 {
		t.Errorf("a journey of one event: got %+v", one)
	}
}

// Without a network that foretells events, explain says so and goes on.
func TestExplainWithoutSuggestions(t *testing.T) {
	r := mustRun(t, "explain", bundleOf(t, tabularOnce), "--customer", "c9", "--rows", "2", "--moments", "0")
	if !strings.Contains(r.stdout, "Nothing is suggested") || !strings.Contains(r.stdout, "left out") {
		t.Errorf("got\n%s\nwant that nothing is suggested, and events left out", r.stdout)
	}
}

func TestExplainAll(t *testing.T) {
	bundle, html := followingBundle(t), filepath.Join(t.TempDir(), "all.html")
	r := mustRun(t, "explain", bundle, "--all", "--json", "--html", html)
	var report touchpointsReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	for _, p := range report.Touchpoints {
		events[p.Name] = p.Events
		if e := p.Impact["won"]; !(e.Low <= e.Mean && e.Mean <= e.High) {
			t.Errorf("%s: the interval of %+v does not hold the mean", p.Name, e)
		}
	}
	if report.Journeys != 240 || events["purchase"] != 80 || events["visit"] != 1000 || len(report.Touchpoints) != 2 {
		t.Errorf("%d journeys with events %v, want 240 with 80 purchases and 1000 visits", report.Journeys, events)
	}
	steps := 0
	for _, f := range report.Flows {
		steps += f.Count
	}
	if steps != 1080+240 {
		t.Errorf("%d steps, want one to each event and one from each last", steps)
	}
	if page := read(t, html); !strings.Contains(page, "Journey map") || !strings.Contains(page, "(start) → visit") {
		t.Error("the page has no map with a flow from the start")
	}
	again := mustRun(t, "explain", bundle, "--all", "--json")
	if again.stdout != r.stdout {
		t.Error("two runs differ")
	}
	text := mustRun(t, "explain", bundle, "--all", "--at", "2025-01-01T10:30:00Z").stdout
	for _, want := range []string{"81 journeys", "159 left out that had not begun", "touchpoint", "stage", "first"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text has no %q:\n%s", want, text)
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	bundle := bundleOf(t, tabularOnce)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nobody":             {[]string{}, "--customer ID"},
		"one and all":        {[]string{"--customer", "c1", "--all"}, "--customer and --all can't be used together"},
		"a stranger":         {[]string{"--customer", "x"}, `no customer "x" among the 240 of the data, such as "c0"`},
		"not begun":          {[]string{"--customer", "c0", "--at", "2024-01-01"}, `customer "c0" has no event at the moment`},
		"unknown target":     {[]string{"--customer", "c1", "--target", "lost"}, `no target "lost", want one of won`},
		"no rows":            {[]string{"--customer", "c1", "--rows", "0"}, "--rows is 0, want at least 1"},
		"below nothing":      {[]string{"--customer", "c1", "--shapley=-1"}, "--shapley is -1"},
		"no gradient":        {[]string{"--customer", "c1", "--gradients", "4"}, "no network in its blend that follows events"},
		"checks of all":      {[]string{"--all", "--shapley", "4"}, "check one journey"},
		"channel of one":     {[]string{"--customer", "c1", "--channel", "web"}, "--channel is for --all"},
		"unknown channel":    {[]string{"--all", "--channel", "web"}, `no categorical attribute "web"`},
		"page into nowhere":  {[]string{"--all", "--html", filepath.Join(bundle, "nowhere", "x.html")}, "nowhere"},
		"page over a folder": {[]string{"--all", "--html", bundle}, "it is a folder"},
	} {
		r := runArgs(append([]string{"explain", bundle}, test.args...)...)
		if r.code != exitWrong || !strings.Contains(r.stderr, test.want) || r.stdout != "" {
			t.Errorf("%s: exit code %d, want 2, nothing on standard output and %q:\n%s%s", name, r.code, test.want, r.stdout, r.stderr)
		}
	}
}

// An interrupted run leaves no page; an older one stays.
func TestInterruptedExplainLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	html := filepath.Join(folder, "all.html")
	write(t, html, "older")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := runWith(ctx, &trigger{text: "data quality", call: cancel}, "explain", followingBundle(t), "--all", "--html", html)
	left, err := os.ReadDir(folder)
	if r.code != exitFailed || !strings.Contains(r.stderr, "interrupted") || err != nil || len(left) != 1 || read(t, html) != "older" {
		t.Errorf("exit code %d, left %v (%v):\n%s", r.code, left, err, r.stderr)
	}
}

// Not even a check that takes minutes holds Ctrl-C up.
func TestInterruptedCheckEndsAtOnce(t *testing.T) {
	program := asCommand(t, "explain", followingBundle(t), "--customer", "c9", "--shapley", "10000000")
	interruptAt(t, program, "checking impacts")
}
