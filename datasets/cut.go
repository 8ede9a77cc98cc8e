package datasets

import (
	"context"
	"hash/fnv"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"moments/features"
)

// CutOptions asks for cuts beside those of the task.
type CutOptions struct {
	Extra int    // random cuts a journey, where the label is valid at any prefix
	Seed  uint64 // they depend on it and on the customer's id, not on any order

	Unlabelled bool // and the last cut of every journey that has no cut with a known label
}

// A Cut is one training or test example before it is encoded.
type Cut struct {
	Journey *features.Journey // valid until the next cut of another customer
	Cutoff  features.Cutoff
	Labels  []float32 // one per target: 1, 0, NaN unknown; valid as long as Journey
	Anomaly float32   // 1 where anomaly.labels of the task say so, 0 where they say normal, NaN where they say nothing
	Extra   bool      // beside the task's own cutoffs, or without any label: for training only
}

// Cuts yields every cut of every journey that has at least one known label, that
// of an anomaly among them, or every cut when the task has no target. Customers come in the order of their
// ids, and the cuts of one customer in the order of time, the extra ones last.
//
// The labels of one customer are joined by the customer's id and, with cutoffs
// {column: ...}, by the cutoff of the label's row: a customer has as many cuts
// as label rows of different cutoffs. Where several targets give an until, the
// earliest counts for all of them.
//
// Extra cuts are made where the task cuts after numbers of events or at the end
// of the journey: there the label says what becomes of the customer, whenever
// it is asked. A cut at a fixed moment has labels of that moment alone.
func (d *Dataset) Cuts(ctx context.Context, options CutOptions) iter.Seq2[Cut, error] {
	return func(yield func(Cut, error) bool) {
		c := &cutter{Dataset: d, options: options}
		for h, err := range d.histories(ctx) {
			if err != nil {
				yield(Cut{}, err)
				return
			}
			for _, cut := range c.cuts(h) {
				if !yield(cut, nil) {
					return
				}
			}
		}
	}
}

// A cutter cuts one history after another.
type cutter struct {
	*Dataset
	options CutOptions
}

func (c *cutter) cuts(h *history) []Cut {
	var cuts []Cut
	for _, at := range c.labelCutoffs(h) {
		limit := at
		if at != features.NoLimit {
			limit = at - 1 // the last visible instant
		}
		for _, cutoff := range c.task.rule.Cut(&h.journey, c.until(h, at), limit) {
			cuts = c.append(cuts, h, cutoff, at, false)
		}
	}
	if c.options.Extra > 0 && c.anyPrefix() {
		cuts = c.extra(cuts, h, c.until(h, features.NoLimit))
	}
	if c.options.Unlabelled && len(cuts) == 0 {
		cuts = c.unlabelled(h)
	}
	return cuts
}

// unlabelled is the last cut of a journey, its outcome unknown; none where
// labels say when to cut, as there is none.
func (c *cutter) unlabelled(h *history) []Cut {
	cutoffs := c.task.rule.Cut(&h.journey, c.until(h, features.NoLimit), features.NoLimit)
	if c.task.rule.Column || len(cutoffs) == 0 {
		return nil
	}
	labels := make([]float32, len(c.task.Targets))
	for i := range labels {
		labels[i] = float32(math.NaN())
	}
	return []Cut{{Journey: &h.journey, Cutoff: cutoffs[len(cutoffs)-1], Labels: labels, Extra: true}}
}

// until is the earliest limit of the labels at a cutoff.
func (c *cutter) until(h *history, at int64) int64 {
	until := features.NoLimit
	for _, l := range h.labels {
		if !c.task.rule.Column || l.cutoff == at {
			until = min(until, l.until)
		}
	}
	return until
}

// labelCutoffs are the cutoffs of the label rows in the order of time, or one
// that stands for none.
func (c *cutter) labelCutoffs(h *history) []int64 {
	if !c.task.rule.Column {
		return []int64{features.NoLimit}
	}
	var at []int64
	for _, l := range h.labels {
		at = append(at, l.cutoff)
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// append adds a cut if one of its labels is known.
func (c *cutter) append(cuts []Cut, h *history, cutoff features.Cutoff, at int64, extra bool) []Cut {
	targets := len(c.task.Targets)
	labels := make([]float32, targets)
	known := targets == 0
	for i := range labels {
		labels[i] = c.label(h, &c.task.Targets[i], i, cutoff, at)
		known = known || !math.IsNaN(float64(labels[i]))
	}
	anomaly := c.labelFrom(h, targets, at)
	if !known && math.IsNaN(float64(anomaly)) {
		return cuts
	}
	return append(cuts, Cut{Journey: &h.journey, Cutoff: cutoff, Labels: labels, Anomaly: anomaly, Extra: extra})
}

// label is the outcome of one target: from its source, or from what follows.
func (c *cutter) label(h *history, t *Target, outcome int, cutoff features.Cutoff, at int64) float32 {
	switch {
	case t.Event != nil:
		return t.event.Label(&h.journey, cutoff, c.end)
	case t.Inactivity != nil:
		return t.inactivity.Label(&h.journey, cutoff, c.end)
	}
	return c.labelFrom(h, outcome, at)
}

// labelFrom is what the label source of an outcome says, NaN for nothing.
func (c *cutter) labelFrom(h *history, outcome int, at int64) float32 {
	for _, l := range h.labels {
		if l.target == outcome && (!c.task.rule.Column || l.cutoff == at) {
			return l.value
		}
	}
	return float32(math.NaN())
}

// anyPrefix says whether labels are valid wherever the journey is cut.
func (c *cutter) anyPrefix() bool {
	r := &c.task.rule
	return r.At == 0 && r.AfterFirst == 0 && r.Every == 0 && !r.Column
}

// extra adds random cuts at numbers of events that the task does not cut at.
func (c *cutter) extra(cuts []Cut, h *history, until int64) []Cut {
	visible := 0
	for visible < len(h.journey.Events) && h.journey.Events[visible].Time < until {
		visible++
	}
	taken := map[int]bool{}
	for _, cut := range cuts {
		taken[cut.Cutoff.Events] = true
	}
	free := make([]int, 0, visible)
	for k := 1; k <= visible; k++ {
		if !taken[k] {
			free = append(free, k)
		}
	}
	r := customerRand(c.options.Seed, h.journey.Customer)
	n := min(c.options.Extra, len(free))
	for i := range n { // the first n steps of a shuffle
		j := i + r.IntN(len(free)-i)
		free[i], free[j] = free[j], free[i]
	}
	slices.Sort(free[:n])
	for _, k := range free[:n] {
		cutoff := features.Cutoff{Time: h.journey.Events[k-1].Time, Events: k}
		cuts = c.append(cuts, h, cutoff, features.NoLimit, true)
	}
	return cuts
}

// customerRand is random by seed and customer, whatever the order of customers.
func customerRand(seed uint64, customer string) *rand.Rand {
	return rand.New(rand.NewPCG(seed, customerHash(seed, customer)))
}

// customerHash orders customers at random: FNV-1a of the id, mixed with the
// seed by the finisher of splitmix64 (Steele, Lea and Flood, 2014), without
// which ids that count up would stay in order.
func customerHash(seed uint64, customer string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(customer))
	x := h.Sum64() + seed*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
