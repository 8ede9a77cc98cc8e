package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files")

var nan = math.NaN()

// day is a moment of a fixed week.
func day(n int, minutes int) time.Time {
	return time.Date(2026, 3, 1+n, 9, minutes, 0, 0, time.UTC)
}

// bought is a journey with everything that a page can show.
func bought() *Journey {
	j := &Journey{
		Bundle: "shop", Customer: "c42", Target: "conversion", Cutoff: day(6, 0), Start: 0.12, Final: 0.475, Shapley: true, Gradient: true,
		Events: []Event{
			{Time: day(0, 1), Type: "site_visit", Values: "channel=ads", After: 0.14, Impact: nan, Shapley: nan, Gradient: nan},
			{Time: day(1, 2), Type: "quote", Values: "channel=store amount=129.5", After: 0.42, Impact: 0.213, Shapley: 0.18, Gradient: 0.02},
			{Time: day(2, 0), Type: "payment_failed", After: 0.31, Impact: -0.114, Shapley: -0.09, Gradient: -0.01},
			{Time: day(2, 0), Type: "", Values: "note=a long text that goes on and on and on without coming to an end that a terminal could show", After: 0.3, Impact: -0.0001},
			{Time: day(4, 30), Type: "cart_add", Values: "amount=1e+06", After: 0.47, Impact: 0.04, Shapley: 0.05, Gradient: 0.03},
		},
		Reasons: []Reason{{"event:quote", 0.19}, {"timing", -0.031}},
		Anomaly: &Anomaly{PValue: 0.004, Flagged: true, AlertRate: 0.02, Direction: "positive", Reasons: []Reason{{"attribute:amount", 0.8}, {"timing", -0.1}}},
		Next:    []Suggestion{{"purchase", 0.31, 0.62}, {"site_visit", 0.4, 0.44}},
	}
	j.Mark(2)
	return j
}

// long has many events, one of them a moment of truth long ago.
func long(n int) *Journey {
	j := &Journey{Bundle: "shop", Customer: "c7", Target: "churn", Cutoff: day(400, 0), Start: 0.02, Final: 0.03}
	for i := range n {
		j.Events = append(j.Events, Event{Time: day(i, 0), Type: "login", After: 0.02, Impact: 0.0001, Shapley: nan, Gradient: nan})
	}
	j.Events[3].Impact = -0.011
	j.Mark(3)
	return j
}

func nothing() *Journey {
	return &Journey{Bundle: "shop", Customer: "new", Target: "churn", Cutoff: day(0, 0), Start: 0.0004, Final: 0.0004}
}

func one() *Journey {
	j := nothing()
	j.Events = []Event{{Time: day(0, 0), Type: "login", After: 0.0005, Impact: 0.0001, Shapley: nan, Gradient: nan}}
	j.NoNext = "Nothing is suggested: the bundle has no network that foretells the next event."
	j.Mark(3)
	return j
}

// shop is a base with a flow back and a flow to itself.
func shop() *Base {
	b := &Base{
		Bundle: "shop", Target: "conversion", Journeys: 1200, LeftOut: 3, Mean: 0.24,
		Kinds: []Kind{
			{Name: "touchpoint", Touchpoints: []Touchpoint{
				{"quote", 512, 800, 0.105, 0.106, 0.098, 0.112, 0.97}, {"visit", 1200, 12345, 0.002, 0.021, -0.001, 0.005, 0.51},
				{"payment_failed", 40, 44, -0.034, 0.04, -0.05, -0.02, 0.1}, {"", 2, 2, 0.01, 0.01, nan, nan, 1},
			}},
			{Name: "channel", Touchpoints: []Touchpoint{{"web", 1100, 10000, 0.012, 0.02, 0.01, 0.014, 0.6}}},
			{Name: "stage"},
		},
		Flows: []Flow{
			{"visit", "visit", 8000, 0.64, -0.001, 0.97}, {Start, "visit", 1150, 0.96, 0.01, 1}, {"visit", "quote", 800, 0.07, 0.12, 2.25},
			{"quote", "visit", 500, 0.62, 0.01, 1.9}, {"visit", End, 900, 0.08, 0, 0.4}, {"quote", "payment_failed", 44, 0.05, -0.1, 0.7},
			{"payment_failed", End, 44, 1, 0, 0.6}, {Start, "", 2, 0.001, 0, 1.1}, {"", End, 2, 1, 0, 1.1},
		},
	}
	b.Kinds[0].Sort()
	return b
}

// laidOut is a journey or a base.
type laidOut interface {
	Text(io.Writer, Screen) error
	HTML(io.Writer) error
}

// pages are what every kind of page is tested with.
func pages() map[string]laidOut {
	return map[string]laidOut{
		"journey": bought(), "long": long(60), "nothing": nothing(), "one": one(), "base": shop(),
		"empty-base": &Base{Bundle: "shop", Target: "churn", Mean: 0, Kinds: []Kind{{Name: "touchpoint"}, {Name: "stage"}}},
	}
}

func TestText(t *testing.T) {
	for name, p := range pages() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := p.Text(&out, Screen{Rows: 12}); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

// No line is wider than the screen, nor ends in spaces, and colours change
// nothing else.
func TestTextFitsTheScreen(t *testing.T) {
	escape := regexp.MustCompile("\x1b\\[[0-9]*m")
	for name, p := range pages() {
		for width := 64; width <= 160; width += 8 {
			var flat, coloured bytes.Buffer
			if err := errors.Join(p.Text(&flat, Screen{Width: width}), p.Text(&coloured, Screen{Width: width, Colour: true})); err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(flat.String(), "\n") {
				if utf8.RuneCountInString(line) > width || strings.TrimRight(line, " ") != line {
					t.Errorf("%s at %d columns: line %q", name, width, line)
				}
			}
			if escape.ReplaceAllString(coloured.String(), "") != flat.String() {
				t.Errorf("%s at %d columns: colours change the text", name, width)
			}
			if strings.Contains(flat.String(), "\x1b") || !strings.Contains(coloured.String(), "\x1b") {
				t.Errorf("%s: colours where none were asked for, or none", name)
			}
		}
	}
}

// element is a start tag of a page.
type element struct {
	name  string
	attrs map[string]string
}

// elements parses a page; every tag must be closed in its order.
func elements(t *testing.T, html []byte) []element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var all []element
	for {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			e := element{start.Name.Local, map[string]string{}}
			for _, a := range start.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			all = append(all, e)
		}
	}
}

func html(t *testing.T, p laidOut) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := p.HTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Every page works without network, names itself and its charts, and has no
// number that is none.
func TestHTMLStandsAlone(t *testing.T) {
	for name, p := range pages() {
		text := html(t, p)
		for _, never := range []string{"http://", "https://", "//cdn", "url(", "@import", "NaN", "Inf", "%!", "ZgotmplZ"} {
			if bytes.Contains(text, []byte(never)) {
				t.Errorf("%s has %q", name, never)
			}
		}
		for _, want := range []string{`<html lang="en">`, "<title>", "prefers-color-scheme: dark", "only a randomised test proves", `name="viewport"`} {
			if !bytes.Contains(text, []byte(want)) {
				t.Errorf("%s has no %s", name, want)
			}
		}
		for _, e := range elements(t, text) {
			for _, link := range []string{"src", "href", "action", "srcset"} {
				if _, ok := e.attrs[link]; ok {
					t.Errorf("%s: <%s> refers to %q", name, e.name, e.attrs[link])
				}
			}
			_, marked := e.attrs["data-mark"]
			if marked && (e.attrs["aria-label"] == "" || e.attrs["tabindex"] != "0" || e.attrs["role"] != "img") {
				t.Errorf("%s: mark %v cannot be reached or read", name, e.attrs)
			}
		}
	}
}

func marks(t *testing.T, text []byte, class string) (says []string) {
	for _, e := range elements(t, text) {
		if _, ok := e.attrs["data-mark"]; ok && slices.Contains(strings.Fields(e.attrs["class"]), class) {
			says = append(says, e.attrs["aria-label"])
		}
	}
	return says
}

func TestJourneyChart(t *testing.T) {
	text := html(t, bought())
	if got := marks(t, text, "event"); len(got) != 5 || got[1] != "quote\n2026-03-02 09:02:00 UTC\nchannel=store amount=129.5\nscore after it: 42.0 %\nimpact: +21.3 points\nmoment of truth 1" {
		t.Errorf("events say %q", got)
	}
	if got := marks(t, text, "moment"); len(got) != 2 || !strings.Contains(got[1], "payment_failed") {
		t.Errorf("moments say %q, want the quote and the failed payment", got)
	}
	if n := bytes.Count(text, []byte(`<tr class="moment">`)); n != 2 {
		t.Errorf("%d moments in the table, want 2", n)
	}
	many := html(t, long(2500))
	if got := marks(t, many, "event"); len(got) != mostRows+1 || !bytes.Contains(many, []byte("1,496 events left out")) {
		t.Errorf("%d events of a long journey are drawn, want the last %d and the moment of truth", len(got), mostRows)
	}
}

func TestJourneyMap(t *testing.T) {
	b := shop()
	text := html(t, b)
	if flows, nodes := marks(t, text, "flow"), marks(t, text, "node"); len(flows) != len(b.Flows) || len(nodes) != 6 || !strings.Contains(flows[2], "visit → quote\n800 times, 7 % of what follows\nscore along it: +12.0 points\njourneys that go this way: ×2.25") {
		t.Errorf("flows say %q, nodes %q", flows, nodes)
	}
	for _, class := range []string{"body lift6", "body lift3", "body lift0"} {
		if !bytes.Contains(text, []byte(class)) {
			t.Errorf("no flow of class %s", class)
		}
	}
}

// A map of many touchpoints draws the most frequent, each joined to another,
// inside its frame.
func TestLargeJourneyMap(t *testing.T) {
	b := &Base{Target: "churn", Mean: 0.1, Kinds: []Kind{{Name: "touchpoint"}}}
	for i := range 60 {
		b.Flows = append(b.Flows, Flow{Start, fmt.Sprint("t", i), 1000 - i, 0.01, 0, 1}, Flow{fmt.Sprint("t", i), fmt.Sprint("t", (7*i+1)%60), 900 - i, 0.5, 0, 1.3}, Flow{fmt.Sprint("t", i), End, 100, 0.1, 0, 0.9})
	}
	slices.SortStableFunc(b.Flows, func(x, y Flow) int { return y.Count - x.Count })
	m := b.newMap()
	if len(m.Nodes) != mapTouchpoints+2 || len(m.Edges) > mapFlows+len(m.Nodes) || !(m.Covered > 0 && m.Covered < 1) {
		t.Errorf("%d nodes, %d edges, %v covered", len(m.Nodes), len(m.Edges), m.Covered)
	}
	seen := map[[2]float64]bool{}
	for _, n := range m.Nodes {
		if n.X < 0 || n.Y < 0 || n.X+nodeWidth > float64(m.Width) || n.Y+nodeHeight > float64(m.Height) || seen[[2]float64{n.X, n.Y}] {
			t.Errorf("%s at %v, %v lies outside of the frame or on another", n.Name, n.X, n.Y)
		}
		seen[[2]float64{n.X, n.Y}] = true
	}
	if m.Nodes[0].Name != Start || m.Nodes[len(m.Nodes)-1].Name != End {
		t.Error("the map does not lead from the start to the end")
	}
}

// Data must neither drive a terminal nor become a part of the page.
func TestHostileTexts(t *testing.T) {
	const evil = "\x1b[2J\r\n<script>alert(1)</script>\"'\u202e"
	j := bought()
	j.Customer, j.Target, j.Bundle, j.Events[0].Type, j.Events[1].Values, j.Reasons[0].Group, j.Next[0].Type = evil, evil, evil, evil, evil, evil, evil
	b := shop()
	b.Target, b.Bundle, b.Kinds[0].Touchpoints[0].Name, b.Flows[0].From = evil, evil, evil, evil
	for name, p := range map[string]laidOut{"journey": j, "base": b} {
		var out bytes.Buffer
		if err := p.Text(&out, Screen{}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\r\u202e") {
			t.Errorf("%s: the text has control characters: %q", name, out.String())
		}
		text := html(t, p)
		if bytes.Contains(text, []byte("<script>alert")) || bytes.ContainsAny(text, "\x1b\r\u202e") {
			t.Errorf("%s: the data became a part of the page", name)
		}
		scripts := 0
		for _, e := range elements(t, text) {
			if e.name == "script" {
				scripts++
			}
		}
		if scripts != 1 {
			t.Errorf("%s: %d scripts, want the page's own", name, scripts)
		}
	}
}

func TestMark(t *testing.T) {
	j := &Journey{}
	for _, impact := range []float64{0.004, nan, -0.2, 0.1, 0.1, 0.3} {
		j.Events = append(j.Events, Event{Impact: impact})
	}
	for n, want := range map[int][]int{0: {0, 0, 0, 0, 0, 0}, 2: {0, 0, 2, 0, 0, 1}, 9: {0, 0, 2, 3, 4, 1}} {
		j.Mark(n)
		var got []int
		for _, e := range j.Events {
			got = append(got, e.Rank)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d moments: ranks %v, want %v", n, got, want)
		}
	}
}

func TestBars(t *testing.T) {
	for _, test := range []struct {
		value, largest float64
		want           string
	}{
		{1, 1, "   │███"}, {-1, 1, "███│"}, {0.5, 1, "   │█▌"}, {-0.5, 1, " ▐█│"}, {0, 1, "   │"}, {nan, 1, "   │"}, {0, 0, "   │"},
	} {
		if got := bar(test.value, test.largest, 3); got != test.want {
			t.Errorf("%v of %v: got %q, want %q", test.value, test.largest, got, test.want)
		}
	}
}

func TestAxisTop(t *testing.T) {
	for p, want := range map[float64]float64{0: 0.001, 0.0009: 0.001, 0.031: 0.04, 0.1: 0.1, 0.32: 0.4, 0.7: 0.8, 0.85: 1, 1: 1} {
		if got := axisTop(p); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: got %v, want %v", p, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, test := range [][2]string{
		{figures(1).points(-0.0004), "0.0"}, {figures(1).points(-0.031), "−3.1"}, {figures(2).points(0.0004), "+0.04"}, {figures(1).points(nan), "-"},
		{figuresFor(0.004).percent(0.0012), "0.120 %"}, {thousands(1234567), "1,234,567"}, {thousands(12), "12"}, {count(1, "event"), "1 event"}, {cut("abcdef", 4), "abc…"}, {cut("ab", 0), ""},
	} {
		if test[0] != test[1] {
			t.Errorf("got %q, want %q", test[0], test[1])
		}
	}
}

// A writer that fails fails the page.
func TestWriteErrors(t *testing.T) {
	for name, p := range pages() {
		if p.Text(broken{}, Screen{}) == nil || p.HTML(broken{}) == nil {
			t.Errorf("%s: no error of a broken writer", name)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }
