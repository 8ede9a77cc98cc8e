package infer

import (
	"cmp"
	"slices"
	"strings"
)

// mostFlows are the flows that are told apart.
const mostFlows = 20_000

// A Flow is a pair of types that followed each other. From is FlowStart where
// To is a journey's first event, To is FlowEnd where From is the last event
// before the cutoff.
type Flow struct {
	From, To string
	Count    int
	Share    float64 // of all that follows From
	// Change is the mean change of the predicted probability along the flow, by
	// target: from right after the one event to right after the next, from
	// Explanation.Start to the first, from the last to Explanation.Final.
	Change []float64
	// Lift is the mean final probability of the journeys that take the flow, each
	// counted as often as it does, over that of all journeys, by target.
	Lift []float64
}

// Ends of flows.
const (
	FlowStart = "(start)"
	FlowEnd   = "(end)"
)

// A flowTally is the running sums of one flow.
type flowTally struct {
	count  int
	change []float64 // by target
	final  []float64 // by target
}

// addFlows counts what followed what, where the score after both is known.
func (t *Touchpoints) addFlows(e *Explanation) {
	before, name := e.Start, FlowStart
	for i := range e.Events {
		m := &e.Events[i]
		if before != nil && m.After != nil {
			t.flow(name, m.Type, before, m.After, e.Final)
		}
		before, name = m.After, m.Type
	}
	if len(e.Events) > 0 && before != nil {
		t.flow(name, FlowEnd, before, e.Final, e.Final)
	}
}

func (t *Touchpoints) flow(from, to string, before, after, final []float32) {
	key := [2]string{from, to}
	f := t.flows[key]
	if f == nil && len(t.flows) >= mostFlows {
		key = [2]string{OtherTouchpoint, OtherTouchpoint}
		f = t.flows[key]
	}
	if f == nil {
		f = &flowTally{change: make([]float64, len(t.targets)), final: make([]float64, len(t.targets))}
		t.flows[[2]string{strings.Clone(key[0]), strings.Clone(key[1])}] = f
	}
	f.count++
	for k := range f.change {
		f.change[k] += float64(after[k]) - float64(before[k])
		f.final[k] += float64(final[k])
	}
}

func (t *Touchpoints) reportFlows() []Flow {
	leaving := map[string]int{}
	for key, f := range t.flows {
		leaving[key[0]] += f.count
	}
	flows := []Flow{}
	for key, f := range t.flows {
		n := float64(f.count)
		flow := Flow{From: key[0], To: key[1], Count: f.count, Share: n / float64(leaving[key[0]])}
		for k := range f.change {
			flow.Change = append(flow.Change, f.change[k]/n)
			flow.Lift = append(flow.Lift, lift(f.final[k]/n, t.final[k]/float64(t.journeys)))
		}
		flows = append(flows, flow)
	}
	slices.SortFunc(flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return flows
}

// lift is a mean over that of all, 1 where neither is above 0.
func lift(mean, all float64) float64 {
	if all <= 0 {
		return 1
	}
	return mean / all
}
