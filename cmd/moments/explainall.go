package main

import (
	"context"
	"math"
	"slices"

	"moments/cmd/moments/page"
	"moments/features"
	"moments/infer"
)

// explainAll explains every journey and sums up.
func (x *explaining) explainAll(ctx context.Context) error {
	points, err := x.scorer.NewTouchpoints(infer.TouchpointOptions{Channel: x.channel()})
	if err != nil {
		return wrong(err)
	}
	leftOut := 0
	cut := func(j *features.Journey) (features.Cutoff, bool) {
		c, ok := x.cut(j)
		if !ok {
			leftOut++
		}
		return c, ok
	}
	shown := x.console.stage("explaining", x.data.Quality().Customers)
	err = x.scorer.ExplainEach(ctx, x.data.Journeys(ctx), cut, x.options(), func(e *infer.Explanation) error {
		shown.add()
		return points.Add(e)
	})
	took := shown.end()
	if err != nil {
		return err
	}
	r := points.Report()
	x.console.log.Info("explained", "journeys", r.Journeys, "left_out", leftOut, "took", round(took))
	return x.show(x.basePage(r, leftOut), x.touchpoints(r, leftOut))
}

// channelName is the attribute that is taken for the channel where none is
// named.
const channelName = "channel"

func (x *explaining) channel() string {
	channel := features.Field{Name: channelName, Kind: features.Categorical}
	if x.Channel == "" && slices.Contains(x.bundle.Layout.Event, channel) {
		return channelName
	}
	return x.Channel
}

// basePage lays out one target of a report.
func (x *explaining) basePage(r *infer.TouchpointReport, leftOut int) *page.Base {
	t := x.target
	b := &page.Base{Bundle: x.bundle.Name, Target: r.Targets[t], Journeys: r.Journeys, LeftOut: leftOut, Mean: r.Final[t]}
	b.Kinds = append(b.Kinds, x.kind("touchpoint", r.Types))
	if channel := x.channel(); channel != "" {
		b.Kinds = append(b.Kinds, x.kind(channel, r.Channels))
	}
	stages := x.kind("stage", r.Stages)
	b.Kinds = append(b.Kinds, stages)
	for _, f := range r.Flows {
		b.Flows = append(b.Flows, page.Flow{From: f.From, To: f.To, Count: f.Count, Share: f.Share, Change: f.Change[t], Lift: f.Lift[t]})
	}
	return b
}

// kind lays out touchpoints by falling size of the impact on the target; stages keep the
// order of a journey.
func (x *explaining) kind(name string, points []infer.Touchpoint) page.Kind {
	k := page.Kind{Name: name}
	for _, p := range points {
		e := p.Impact[x.target]
		if p.Journeys < leastJourneys {
			e.Low, e.High = math.NaN(), math.NaN()
		}
		k.Touchpoints = append(k.Touchpoints, page.Touchpoint{
			Name: p.Name, Journeys: p.Journeys, Events: p.Events, Impact: e.Mean, Size: e.Size, Low: e.Low, High: e.High, Positive: e.Positive,
		})
	}
	if name != "stage" {
		k.Sort()
	}
	return k
}

// leastJourneys is how many tell of a mean with an interval: see infer.Estimate.
const leastJourneys = 5
