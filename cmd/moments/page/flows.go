package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Measures of the journey map, in SVG units.
const (
	mapTouchpoints = 14 // drawn, the most frequent
	mapFlows       = 45 // drawn, the most frequent; beside them each touchpoint's largest
	mapColumn      = 4  // touchpoints above each other
	nodeWidth      = 150
	nodeHeight     = 46
	columnGap      = 64
	rowGap         = 46
	mapMargin      = 40
	widestFlow     = 14.
)

// A flowMap is the drawing of what follows what: touchpoints from left to right
// by how far into a journey they tend to come, flows as wide as they are
// frequent.
type flowMap struct {
	Width, Height int
	Nodes         []*node
	Edges         []edge
	Covered       float64 // share of all steps that is drawn
}

// A node is a touchpoint on the map.
type node struct {
	Name, Label, Under string
	X, Y               float64 // of its upper left corner
	Class, Says        string

	visits int
	steps  float64 // expected from the start
}

// An edge is a flow on the map.
type edge struct {
	Path, Head  string // SVG path data: the line and the arrow's head
	Wide        float64
	Class, Says string
}

// newMap lays the base's flows out; nil where there are none.
func (b *Base) newMap() *flowMap {
	if len(b.Flows) == 0 {
		return nil
	}
	nodes, index := b.chooseNodes()
	flows, covered := chooseFlows(b.Flows, index)
	expectSteps(nodes, flows, index)
	m := &flowMap{Nodes: nodes, Covered: covered}
	m.place()
	m.draw(b, flows, index)
	return m
}

// chooseNodes takes the most frequent touchpoints, between the start and the
// end.
func (b *Base) chooseNodes() (nodes []*node, index map[string]*node) {
	index = map[string]*node{}
	of := func(name string) *node {
		if index[name] == nil {
			index[name] = &node{Name: name}
		}
		return index[name]
	}
	for _, f := range b.Flows {
		of(f.From)
		of(f.To).visits += f.Count
	}
	for _, n := range index {
		if n.Name != Start && n.Name != End {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(x, y *node) int { return cmp.Or(cmp.Compare(y.visits, x.visits), cmp.Compare(x.Name, y.Name)) })
	for _, n := range nodes[min(len(nodes), mapTouchpoints):] {
		delete(index, n.Name)
	}
	nodes = nodes[:min(len(nodes), mapTouchpoints)]
	nodes = slices.Concat([]*node{of(Start)}, nodes, []*node{of(End)})
	b.describe(nodes)
	return nodes, index
}

// describe writes what nodes say.
func (b *Base) describe(nodes []*node) {
	f, points := b.figures(), map[string]*Touchpoint{}
	if len(b.Kinds) > 0 {
		for i := range b.Kinds[0].Touchpoints {
			p := &b.Kinds[0].Touchpoints[i]
			points[p.Name] = p
		}
	}
	for _, n := range nodes {
		n.Label, n.Says = cut(name(n.Name), 20), name(n.Name)
		if n.Name == Start {
			continue
		}
		n.Under = thousands(n.visits) + " times"
		n.Says += "\n" + n.Under
		if p := points[n.Name]; p != nil {
			n.Under += ", " + f.points(p.Impact)
			n.Says += fmt.Sprintf("\nmean impact: %s points (%s)", f.points(p.Impact), p.interval(f))
			n.Class = map[ink]string{up: "up", down: "down"}[p.ink()]
		}
	}
}

// chooseFlows takes the most frequent flows between the nodes, and the largest
// to and from each, so that none stands alone.
func chooseFlows(all []Flow, index map[string]*node) (flows []Flow, covered float64) {
	total, drawn := 0, 0
	left, reached := map[string]bool{}, map[string]bool{}
	for _, f := range all { // by falling count
		total += f.Count
		if index[f.From] == nil || index[f.To] == nil {
			continue
		}
		if len(flows) >= mapFlows && left[f.From] && reached[f.To] {
			continue
		}
		flows = append(flows, f)
		drawn += f.Count
		if f.From != f.To {
			left[f.From], reached[f.To] = true, true
		}
	}
	return flows, float64(drawn) / float64(max(1, total))
}

// expectSteps fills in how many steps back the start is expected to lie, where
// one walks backwards along the flows by their counts. The equations
// s(v) = 1 + mean of s over what comes before v are solved by iteration.
func expectSteps(nodes []*node, flows []Flow, index map[string]*node) {
	const sweeps, far = 300, 1e6
	for range sweeps {
		for _, n := range nodes {
			if n.Name == Start {
				continue
			}
			sum, count := 0.0, 0.0
			for _, f := range flows {
				if f.To == n.Name && f.From != n.Name {
					sum += float64(f.Count) * index[f.From].steps
					count += float64(f.Count)
				}
			}
			if count > 0 {
				n.steps = min(1+sum/count, far)
			}
		}
	}
}

// place puts the nodes into columns by their steps, and within a column by
// their visits.
func (m *flowMap) place() {
	inner := m.Nodes[1 : len(m.Nodes)-1]
	sort.SliceStable(inner, func(i, j int) bool { return inner[i].steps < inner[j].steps })
	columns := [][]*node{{m.Nodes[0]}}
	for part := range slices.Chunk(inner, mapColumn) {
		slices.SortStableFunc(part, func(x, y *node) int { return cmp.Compare(y.visits, x.visits) })
		columns = append(columns, part)
	}
	columns = append(columns, []*node{m.Nodes[len(m.Nodes)-1]})
	rows := 1
	for _, c := range columns {
		rows = max(rows, len(c))
	}
	m.Width = 2*mapMargin + len(columns)*(nodeWidth+columnGap) - columnGap
	m.Height = 2*mapMargin + rows*(nodeHeight+rowGap)
	for i, c := range columns {
		top := (float64(m.Height) - float64(len(c)*(nodeHeight+rowGap)-rowGap)) / 2
		for k, n := range c {
			n.X, n.Y = float64(mapMargin+i*(nodeWidth+columnGap)), top+float64(k*(nodeHeight+rowGap))
		}
	}
}

// draw makes the flows' paths, the widest first, so that they lie below.
func (m *flowMap) draw(b *Base, flows []Flow, index map[string]*node) {
	f, most := b.figures(), 1
	for _, flow := range flows {
		most = max(most, flow.Count)
	}
	for _, flow := range flows {
		from, to := index[flow.From], index[flow.To]
		e := edge{Wide: max(1, widestFlow*math.Sqrt(float64(flow.Count)/float64(most))), Class: liftClass(flow.Lift), Says: flow.says(b, f)}
		e.Path, e.Head = connect(from, to, 4+e.Wide/2)
		m.Edges = append(m.Edges, e)
	}
}

// connect draws a curve from one node to another, and the head of an arrow of
// so many units: ahead from side to side, back below the nodes, to itself
// above.
func connect(from, to *node, head float64) (path, arrow string) {
	const half = nodeHeight / 2
	switch {
	case from == to:
		x, y := from.X+nodeWidth-30, from.Y
		return fmt.Sprintf("M%.1f %.1fc-14 -34 34 -34 20 -%.1f", x, y, head), pointing(x+20, y, 0, 1, head)
	case to.X > from.X:
		x, y, bend := to.X-head, to.Y+half, (to.X-from.X-nodeWidth)/2
		return fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", from.X+nodeWidth, from.Y+half, from.X+nodeWidth+bend, from.Y+half, x-bend, y, x, y), pointing(to.X, y, 1, 0, head)
	case to.X == from.X:
		x, y := to.X+nodeWidth+head, to.Y+half+8
		return fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", from.X+nodeWidth, from.Y+half-8, x+40, from.Y+half-8, x+40, y, x, y), pointing(to.X+nodeWidth, y, -1, 0, head)
	}
	x, y := to.X+nodeWidth/2+12, to.Y+nodeHeight+head
	start, low := from.X+nodeWidth/2-12, max(from.Y, to.Y)+nodeHeight+rowGap
	return fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", start, from.Y+nodeHeight, start-30, low, x+30, low, x, y), pointing(x, to.Y+nodeHeight, 0, -1, head)
}

// pointing is a triangle with its point at x, y, in a direction along an axis.
func pointing(x, y, dx, dy, size float64) string {
	backX, backY := x-dx*size, y-dy*size
	return fmt.Sprintf("M%.1f %.1fL%.1f %.1fL%.1f %.1fZ", x, y, backX-dy*size, backY-dx*size, backX+dy*size, backY+dx*size)
}

func (flow *Flow) says(b *Base, f figures) string {
	return fmt.Sprintf("%s → %s\n%s, %s of what follows\nscore along it: %s points\njourneys that go this way: ×%.2f of the mean %s",
		name(flow.From), name(flow.To), count(flow.Count, "time"), share(flow.Share), f.points(flow.Change), flow.Lift, name(b.Target))
}

// liftSteps are the bounds between the colours of flows.
var liftSteps = []float64{0.5, 0.8, 0.95, 1.05, 1.25, 2}

// liftClass is the class of a flow's colour: lift0 is half the mean or less,
// lift3 is about the mean, lift6 twice or more.
func liftClass(lift float64) string {
	i, _ := slices.BinarySearch(liftSteps, lift)
	return fmt.Sprintf("lift%d", i)
}
