package infer

import (
	"cmp"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// draw fills in how often a customer is part of each resample: by chance that
// their name decides, Poisson distributed with mean 1, which is how often a
// sample drawn with replacement has each of many (Chamandy et al., Estimating
// Uncertainty for Massive Data Streams, 2012).
func (t *Touchpoints) draw(customer string) {
	h := fnv.New64a()
	h.Write([]byte(customer))
	random := rand.New(rand.NewPCG(t.seed, h.Sum64()))
	t.weights = t.weights[:0]
	for range t.resamples {
		u, p, n := random.Float64(), math.Exp(-1), 0.0
		for u >= p && n < 20 {
			u -= p
			n++
			p /= n
		}
		t.weights = append(t.weights, n)
	}
}

// tallies of one kind by name.
type tallies map[string]*tally

// A tally is the running sums of one touchpoint.
type tally struct {
	journeys, events int
	impact           []float64 // sums, by target
	size             []float64 // sums without the signs, by target
	positive         []int     // events, by target

	ownEvents int       // of the explanation that is being added
	own       []float64 // their impact

	resampled        []float64 // events of each resample
	resampledImpacts []float64 // (resamples, targets)
}

// tally counts one event.
func (t *Touchpoints) tally(of tallies, name string, impact []float64) {
	k := of[name]
	if k == nil && len(of) >= mostTouchpoints {
		name = OtherTouchpoint
		k = of[name]
	}
	if k == nil {
		n := len(t.targets)
		k = &tally{
			impact: make([]float64, n), size: make([]float64, n), positive: make([]int, n), own: make([]float64, n),
			resampled: make([]float64, t.resamples), resampledImpacts: make([]float64, t.resamples*n),
		}
		of[strings.Clone(name)] = k // the caller's string may pin a whole row
	}
	if k.ownEvents == 0 {
		t.touched = append(t.touched, k)
	}
	k.ownEvents++
	for i, x := range impact {
		k.own[i] += x
		k.size[i] += math.Abs(x)
		if x > 0 {
			k.positive[i]++
		}
	}
}

// close counts an explanation's events in the resamples.
func (k *tally) close(weights []float64) {
	k.journeys++
	k.events += k.ownEvents
	n := len(k.own)
	for i, x := range k.own {
		k.impact[i] += x
	}
	for r, w := range weights {
		if w == 0 {
			continue
		}
		k.resampled[r] += w * float64(k.ownEvents)
		for i, x := range k.own {
			k.resampledImpacts[r*n+i] += w * x
		}
	}
	k.ownEvents = 0
	clear(k.own)
}

// touchpoint sums up.
func (k *tally) touchpoint(name string) Touchpoint {
	p := Touchpoint{Name: name, Journeys: k.journeys, Events: k.events}
	for i, sum := range k.impact {
		n := float64(k.events)
		e := Estimate{Mean: sum / n, Size: k.size[i] / n, Positive: float64(k.positive[i]) / n, Low: -1, High: 1}
		if k.journeys >= 5 {
			e.Low, e.High = k.interval(i)
		}
		p.Impact = append(p.Impact, e)
	}
	return p
}

// interval is that of the mean impact on a target.
func (k *tally) interval(target int) (low, high float64) {
	var means []float64
	for r, events := range k.resampled {
		if events > 0 {
			means = append(means, k.resampledImpacts[r*len(k.own)+target]/events)
		}
	}
	if len(means) == 0 {
		return -1, 1
	}
	slices.Sort(means)
	tail := len(means) / 40 // 2.5 %
	return means[tail], means[len(means)-1-tail]
}

// byImpact sums up, what matters most to the first target first.
func (of tallies) byImpact() []Touchpoint {
	points := []Touchpoint{}
	for name, k := range of {
		points = append(points, k.touchpoint(name))
	}
	slices.SortFunc(points, func(a, b Touchpoint) int {
		return cmp.Or(cmp.Compare(b.Impact[0].Size, a.Impact[0].Size), cmp.Compare(a.Name, b.Name))
	})
	return points
}
