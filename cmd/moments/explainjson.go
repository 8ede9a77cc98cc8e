package main

import (
	"math"
	"time"

	"moments/cmd/moments/page"
	"moments/infer"
)

// An explanation is what --json prints of one journey. Numbers by target are
// probabilities; null is a number that is not known.
type explanation struct {
	Bundle   string            `json:"bundle"`
	Customer string            `json:"customer"`
	Cutoff   string            `json:"cutoff"`
	Start    map[string]figure `json:"start"` // before the first event
	Final    map[string]figure `json:"final"`
	Events   []explainedEvent  `json:"events"`
	Reasons  []reason          `json:"reasons"`
	Anomaly  figure            `json:"anomaly"` // p-value
	Next     []suggestion      `json:"next"`
	Note     string            `json:"note"`
}

// An explainedEvent is one moment. Its rank counts the moments of truth from 1.
type explainedEvent struct {
	Time     string            `json:"time"`
	Type     string            `json:"type"`
	Values   map[string]any    `json:"values,omitempty"`
	After    map[string]figure `json:"after"`
	Impact   map[string]figure `json:"impact"`
	Shapley  map[string]figure `json:"shapley,omitempty"`
	Gradient map[string]figure `json:"gradient,omitempty"`
	Rank     map[string]int    `json:"rank,omitempty"`
}

type suggestion struct {
	Type        string            `json:"type"`
	Likelihood  figure            `json:"likelihood"`
	Probability map[string]figure `json:"probability"`
}

// noCause stands in every JSON, whose readers see no page.
const noCause = "impacts and suggestions are what the networks expect, not causes: only a randomised test proves a cause"

// explanation has all targets.
func (x *explaining) explanation(e *infer.Explanation, s *infer.Score) *explanation {
	result := &explanation{
		Bundle: x.bundle.Name, Customer: e.Customer, Cutoff: stamp(e.Cutoff), Start: byTarget(e.Targets, e.Start), Final: byTarget(e.Targets, e.Final),
		Events: []explainedEvent{}, Reasons: []reason{}, Anomaly: figure(s.Anomaly), Next: []suggestion{}, Note: noCause,
	}
	for i := range e.Events {
		m := &e.Events[i]
		event := explainedEvent{
			Time: stamp(m.Time), Type: m.Type, After: byTarget(e.Targets, m.After), Impact: byTarget(e.Targets, m.Impact),
			Shapley: byTarget(e.Targets, m.Shapley), Gradient: byTarget(e.Targets, m.Gradient),
		}
		for _, v := range namedValues(x.bundle.Layout.Event, m.Values) {
			if event.Values == nil {
				event.Values = map[string]any{}
			}
			event.Values[v.name] = finite(v.value)
		}
		result.Events = append(result.Events, event)
	}
	x.rank(result, e)
	for _, r := range s.Reasons {
		result.Reasons = append(result.Reasons, reason{r.Target, r.Group, math.Round(r.Impact*1e4) / 1e4})
	}
	for _, n := range byOutcome(e.Next, x.target) {
		result.Next = append(result.Next, suggestion{n.Type, figure(n.Likelihood), byTarget(e.Targets, n.Probability)})
	}
	return result
}

// rank marks the moments of truth of every target as the page marks one's.
func (x *explaining) rank(result *explanation, e *infer.Explanation) {
	for t, name := range e.Targets {
		p := page.Journey{Events: make([]page.Event, len(e.Events))}
		for i := range e.Events {
			p.Events[i].Impact = e.Events[i].Impact[t]
		}
		p.Mark(x.Moments)
		for i := range p.Events {
			if rank := p.Events[i].Rank; rank > 0 {
				event := &result.Events[i]
				if event.Rank == nil {
					event.Rank = map[string]int{}
				}
				event.Rank[name] = rank
			}
		}
	}
}

// finite makes a number that JSON has a word for.
func finite(value any) any {
	if number, ok := value.(float64); ok {
		return figure(number)
	}
	return value
}

// byTarget names values by target; nil where there are none.
func byTarget[T float32 | float64](targets []string, values []T) map[string]figure {
	if values == nil {
		return nil
	}
	named := map[string]figure{}
	for t, name := range targets {
		named[name] = figure(values[t])
	}
	return named
}

// stamp is a moment as JSON has it.
func stamp(micros int64) string { return moment(micros).Format(time.RFC3339Nano) }

// A touchpointsReport is what --all --json prints.
type touchpointsReport struct {
	Bundle      string            `json:"bundle"`
	Journeys    int               `json:"journeys"`
	LeftOut     int               `json:"left_out"`
	Mean        map[string]figure `json:"mean"` // final probability
	Touchpoints []touchpoint      `json:"touchpoints"`
	Channels    []touchpoint      `json:"channels"`
	Stages      []touchpoint      `json:"stages"`
	Flows       []flow            `json:"flows"`
	Note        string            `json:"note"`
}

type touchpoint struct {
	Name     string              `json:"name"`
	Journeys int                 `json:"journeys"`
	Events   int                 `json:"events"`
	Impact   map[string]estimate `json:"impact"`
}

// An estimate is a mean impact; its interval is null where too few journeys
// tell of it.
type estimate struct {
	Mean     figure `json:"mean"`
	Size     figure `json:"size"` // the mean without the signs
	Low      figure `json:"low"`
	High     figure `json:"high"`
	Positive figure `json:"positive"`
}

type flow struct {
	From   string            `json:"from"`
	To     string            `json:"to"`
	Count  int               `json:"count"`
	Share  figure            `json:"share"`
	Change map[string]figure `json:"change"`
	Lift   map[string]figure `json:"lift"`
}

// touchpoints has all targets.
func (x *explaining) touchpoints(r *infer.TouchpointReport, leftOut int) *touchpointsReport {
	result := &touchpointsReport{
		Bundle: x.bundle.Name, Journeys: r.Journeys, LeftOut: leftOut, Mean: byTarget(r.Targets, r.Final),
		Touchpoints: touchpointsOf(r.Targets, r.Types), Channels: touchpointsOf(r.Targets, r.Channels), Stages: touchpointsOf(r.Targets, r.Stages),
		Flows: []flow{}, Note: noCause,
	}
	for _, f := range r.Flows {
		result.Flows = append(result.Flows, flow{f.From, f.To, f.Count, figure(f.Share), byTarget(r.Targets, f.Change), byTarget(r.Targets, f.Lift)})
	}
	return result
}

func touchpointsOf(targets []string, points []infer.Touchpoint) []touchpoint {
	all := []touchpoint{}
	for _, p := range points {
		one := touchpoint{p.Name, p.Journeys, p.Events, map[string]estimate{}}
		for t, e := range p.Impact {
			if p.Journeys < leastJourneys {
				e.Low, e.High = math.NaN(), math.NaN()
			}
			one.Impact[targets[t]] = estimate{figure(e.Mean), figure(e.Size), figure(e.Low), figure(e.High), figure(e.Positive)}
		}
		all = append(all, one)
	}
	return all
}
