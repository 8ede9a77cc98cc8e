package main

import (
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"moments/cmd/moments/page"
	"moments/features"
	"moments/infer"
)

// explainOne explains the journey of one customer.
func (x *explaining) explainOne(ctx context.Context) error {
	journey, cutoff, err := x.find(ctx)
	if err != nil {
		return err
	}
	options, noNext := x.options(), ""
	if x.Next > 0 && x.foretells() {
		options.Next = x.Next
	} else if x.Next > 0 {
		noNext = "Nothing is suggested: the bundle has no network that foretells the next event."
	}
	if x.Shapley+x.Gradients > 0 {
		x.console.log.Info("checking impacts", "orders", x.Shapley, "points", x.Gradients, "events", min(x.Last, len(journey.Events)))
	}
	e, err := x.explain(ctx, journey, cutoff, options)
	if err != nil {
		return wrong(err)
	}
	score, err := x.score(ctx, journey, cutoff)
	if err != nil {
		return err
	}
	if len(e.Events) == 0 {
		noNext = ""
	}
	return x.show(x.journeyPage(e, score, noNext), x.explanation(e, score))
}

// explain explains a journey, which may take long where many orders are asked
// for. An interrupt does not wait for it: the program ends, and the work with it.
func (x *explaining) explain(ctx context.Context, j *features.Journey, c features.Cutoff, o infer.ExplainOptions) (*infer.Explanation, error) {
	type result struct {
		explanation *infer.Explanation
		err         error
	}
	done := make(chan result, 1)
	go func() {
		e, err := x.scorer.Explain(j, c, o)
		done <- result{e, err}
	}()
	select {
	case r := <-done:
		return r.explanation, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find reads the data up to the customer. The journey is a copy of what may be
// seen.
func (x *explaining) find(ctx context.Context) (*features.Journey, features.Cutoff, error) {
	shown := x.console.stage("looking for the customer", x.data.Quality().Customers)
	defer shown.end()
	example := ""
	for j, err := range x.data.Journeys(ctx) {
		if err != nil {
			return nil, features.Cutoff{}, err
		}
		shown.add()
		if example == "" {
			example = j.Customer
		}
		if j.Customer != x.Customer {
			continue
		}
		cutoff, ok := x.cut(j)
		if !ok {
			return nil, cutoff, wrongf("explain: customer %q has no event at the moment asked for; see --at", x.Customer)
		}
		return copyJourney(j, cutoff.Events), cutoff, nil
	}
	if example == "" {
		return nil, features.Cutoff{}, wrongf("explain: no customer %q: the data has no customers", x.Customer)
	}
	return nil, features.Cutoff{}, wrongf("explain: no customer %q among the %d of the data, such as %q", x.Customer, x.data.Quality().Customers, example)
}

// copyJourney copies the first events of a journey that lasts until the next
// is read.
func copyJourney(j *features.Journey, events int) *features.Journey {
	c := &features.Journey{Customer: j.Customer, Profile: slices.Clone(j.Profile), Events: slices.Clone(j.Events[:events])}
	for i := range c.Events {
		c.Events[i].Values = slices.Clone(c.Events[i].Values)
	}
	return c
}

// score is what moments score says of the journey.
func (x *explaining) score(ctx context.Context, j *features.Journey, c features.Cutoff) (*infer.Score, error) {
	var score infer.Score
	one := func(yield func(*features.Journey, error) bool) { yield(j, nil) }
	cut := func(*features.Journey) (features.Cutoff, bool) { return c, true }
	err := x.scorer.Score(ctx, iter.Seq2[*features.Journey, error](one), cut, func(s *infer.Score) error {
		score = *s
		score.Reasons, score.Probabilities = slices.Clone(s.Reasons), slices.Clone(s.Probabilities)
		return nil
	})
	return &score, err
}

// journeyPage lays out one target of an explanation.
func (x *explaining) journeyPage(e *infer.Explanation, s *infer.Score, noNext string) *page.Journey {
	t := x.target
	p := &page.Journey{
		Bundle: x.bundle.Name, Customer: e.Customer, Target: e.Targets[t], Cutoff: moment(e.Cutoff),
		Start: float64(e.Start[t]), Final: float64(e.Final[t]), Shapley: x.Shapley > 0, Gradient: x.Gradients > 0,
		Reasons: reasonsOf(s, e.Targets[t]), NoNext: noNext,
	}
	for i := range e.Events {
		m := &e.Events[i]
		event := page.Event{
			Time: moment(m.Time), Type: m.Type, Values: inShort(namedValues(x.bundle.Layout.Event, m.Values)),
			After: math.NaN(), Impact: m.Impact[t], Shapley: at(m.Shapley, t), Gradient: at(m.Gradient, t),
		}
		if m.After != nil {
			event.After = float64(m.After[t])
		}
		p.Events = append(p.Events, event)
	}
	p.Mark(x.Moments)
	if !math.IsNaN(s.Anomaly) {
		p.Anomaly = &page.Anomaly{
			PValue: s.Anomaly, Flagged: s.Anomaly <= x.bundle.AlertRate, AlertRate: x.bundle.AlertRate,
			Direction: string(s.Direction), Reasons: reasonsOf(s, infer.AnomalyTarget),
		}
	}
	for _, n := range byOutcome(e.Next, t) {
		p.Next = append(p.Next, page.Suggestion{Type: n.Type, Likelihood: n.Likelihood, Probability: float64(n.Probability[t])})
	}
	return p
}

// byOutcome ranks suggestions by what would be predicted, highest first.
func byOutcome(next []infer.Suggestion, target int) []infer.Suggestion {
	ranked := slices.Clone(next)
	slices.SortStableFunc(ranked, func(a, b infer.Suggestion) int {
		switch {
		case a.Probability[target] > b.Probability[target]:
			return -1
		case a.Probability[target] < b.Probability[target]:
			return 1
		}
		return 0
	})
	return ranked
}

func reasonsOf(s *infer.Score, target string) []page.Reason {
	var reasons []page.Reason
	for _, r := range s.Reasons {
		if r.Target == target {
			reasons = append(reasons, page.Reason{Group: r.Group, Impact: r.Impact})
		}
	}
	return reasons
}

// at is a value by target, NaN where there are none.
func at(values []float64, target int) float64 {
	if values == nil {
		return math.NaN()
	}
	return values[target]
}

// moment is a time in microseconds since the Unix epoch.
func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
