package page

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A Base is what the explanations of many journeys come to, for one target.
type Base struct {
	Bundle   string
	Target   string
	Journeys int
	LeftOut  int     // not begun at the moment asked for
	Mean     float64 // final probability
	Kinds    []Kind
	Flows    []Flow // between touchpoints of the first kind, by falling count
}

// A Kind is one way to tell touchpoints apart.
type Kind struct {
	Name        string // heads the column, such as "touchpoint"
	Touchpoints []Touchpoint
}

// A Touchpoint is a kind of event. Its effects are probabilities.
type Touchpoint struct {
	Name      string
	Journeys  int
	Events    int
	Impact    float64 // mean, over events
	Size      float64 // mean without the signs
	Low, High float64 // 95 % interval of the mean; NaN where too few journeys tell of it
	Positive  float64 // share of the events that raise the score
}

// A Flow is what followed what.
type Flow struct {
	From, To string
	Count    int
	Share    float64 // of all that follows From
	Change   float64 // mean change of the score along it
	Lift     float64 // mean final score of the journeys that take it, over that of all
}

// What flows begin and end with.
const (
	Start = "(start)"
	End   = "(end)"
)

// baseNote says what the tables hold.
const baseNote = "Impact: the mean over events of the score at the end minus what it would be without the event, in points: percentage points of probability. The interval holds the mean with 95 % confidence, by a bootstrap over customers. Size: the mean without the signs; a touchpoint that raises here and lowers there has a small impact and a large size. Raises: the share of events that raise the score. Lift: the mean final score of the journeys that go this way, over that of all journeys."

// Text writes the tables.
func (b *Base) Text(w io.Writer, s Screen) error {
	s = s.complete()
	t := textWriter{w: w, screen: s}
	f := b.figures()
	t.head(b.headline(f))
	followed := b.follows()
	for i := range b.Kinds {
		t.printf("\n")
		t.kind(&b.Kinds[i], followed, f)
		followed = nil // flows are between touchpoints of the first kind
	}
	t.printf("\n%s\n%s", wrap(baseNote, s.Width), wrap(causeNote, s.Width))
	return t.err
}

func (b *Base) headline(f figures) string {
	line := fmt.Sprintf("%s of bundle %s: mean %s %s", count(b.Journeys, "journey"), name(b.Bundle), name(b.Target), f.percent(b.Mean))
	if b.LeftOut > 0 {
		line += fmt.Sprintf("; %s left out that had not begun", thousands(b.LeftOut))
	}
	return line
}

// figures shows impacts as finely as the largest of them needs.
func (b *Base) figures() figures {
	largest := b.Mean
	if !(largest > 0) { // no journey
		largest = 1
	}
	return figuresFor(largest)
}

// kind writes one table, with what follows where that is known.
func (t *textWriter) kind(k *Kind, followed map[string][]Flow, f figures) {
	if len(k.Touchpoints) == 0 {
		t.printf("No %s has an impact.\n", k.Name)
		return
	}
	g := &grid{columns: []column{
		{head: k.Name, most: 28, give: 3}, {head: "journeys", right: true}, {head: "events", right: true}, {head: "impact", right: true},
		{head: "95 % interval", right: true}, {head: "size", right: true}, {head: "raises", right: true}, {give: 2},
	}}
	if followed != nil {
		g.columns = append(g.columns, column{head: "then (lift)", most: 60, give: 1})
	}
	largest := k.largestImpact()
	for _, p := range k.Touchpoints[:min(len(k.Touchpoints), t.screen.Rows)] {
		colour := p.ink()
		cells := []cell{
			{text: name(p.Name)}, {text: thousands(p.Journeys)}, {text: thousands(p.Events)}, {f.points(p.Impact), colour},
			{text: p.interval(f)}, {text: f.size(p.Size)}, {text: share(p.Positive)}, {bar(p.Impact, largest, halfBar/2), colour},
		}
		if followed != nil {
			cells = append(cells, cell{text: then(followed[p.Name])})
		}
		g.add(cells...)
	}
	t.grid(g)
	if left := len(k.Touchpoints) - t.screen.Rows; left > 0 {
		t.printf("  ⋮ %s of smaller impact left out\n", thousands(left))
	}
}

// Sort puts the touchpoints of the largest impacts first, whatever their signs.
func (k *Kind) Sort() {
	slices.SortStableFunc(k.Touchpoints, func(a, b Touchpoint) int { return cmp.Compare(b.Size, a.Size) })
}

func (k *Kind) largestImpact() float64 {
	largest := 0.0
	for i := range k.Touchpoints {
		largest = max(largest, math.Abs(k.Touchpoints[i].Impact))
	}
	return largest
}

// ink colours an impact whose interval leaves no doubt about its sign.
func (p *Touchpoint) ink() ink {
	if p.Low > 0 || p.High < 0 {
		return inkOf(p.Impact)
	}
	return plain
}

func (p *Touchpoint) interval(f figures) string {
	if math.IsNaN(p.Low) || math.IsNaN(p.High) {
		return "too few"
	}
	return f.between(p.Low, p.High)
}

// follows gathers the flows by what they leave, the likeliest first.
func (b *Base) follows() map[string][]Flow {
	from := map[string][]Flow{}
	for _, f := range b.Flows {
		from[f.From] = append(from[f.From], f)
	}
	for _, flows := range from {
		slices.SortStableFunc(flows, func(x, y Flow) int { return cmp.Compare(y.Share, x.Share) })
	}
	return from
}

// then says in short what follows.
func then(flows []Flow) string {
	var words []string
	for _, f := range flows[:min(len(flows), 3)] {
		words = append(words, fmt.Sprintf("%s %s (×%.2g)", name(f.To), share(f.Share), f.Lift))
	}
	return strings.Join(words, ", ")
}
