package infer

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"moments/features"
)

// A detection is one goroutine's detectors at work, and what they say together.
type detection struct {
	detectors []detector
	ofEvents  []detectorOfEvents // of each detector, nil where it does not walk events
	ranks     []ranking          // of each detector; nil where there is one, whose raw scores count
	blending  blending
	habits    int       // Part.Column of the first habit; 0 without any
	scores    []float32 // of the examples of the last run
	own       []Part    // scratch: of one detector
	together  []Part    // scratch: of all
	reasons   []Reason  // scratch
}

func (s *Scorer) newDetection() *detection {
	d := &detection{blending: newBlending(s.evidence, s.bundle.Reference.Blend)}
	if s.habits > 0 {
		d.habits = s.numeric + s.category
	}
	for _, e := range s.evidence {
		d.take(e.newDetector())
		if len(s.evidence) > 1 {
			d.ranks = append(d.ranks, s.ranking(e))
		}
	}
	return d
}

// ranking is what the bundle knows of a detector's scores.
func (s *Scorer) ranking(e evidence) ranking {
	total, r := 0.0, &s.bundle.Reference
	for _, other := range s.evidence {
		if other.family() == e.family() {
			total += other.weight()
		}
	}
	return ranking{weight: e.weight() / total, scores: r.Detectors[e.name()], deviation: float64(r.Deviations[e.name()])}
}

func (d *detection) take(own detector) {
	ofEvents, _ := own.(detectorOfEvents)
	d.detectors, d.ofEvents = append(d.detectors, own), append(d.ofEvents, ofEvents)
}

// run measures examples and blends what the detectors say. Of a live journey,
// which is one example, detectors of events take what it carries.
func (d *detection) run(examples []features.Example, live *Live) error {
	at := 0
	for k, detector := range d.detectors {
		if own := d.ofEvents[k]; own != nil && live != nil {
			own.resume(live.carried[at])
			at++
			continue
		}
		if err := detector.run(examples); err != nil {
			return err
		}
	}
	d.scores = resize(d.scores, len(examples))
	for i := range examples {
		d.scores[i] = d.blend(i)
		if notFinite(d.scores[i]) {
			return fmt.Errorf("infer: customer %q: anomaly score is %v, want a finite number", examples[i].Customer, d.scores[i])
		}
	}
	return nil
}

// step walks one event of a live journey.
func (d *detection) step(token *features.Tokens, live *Live) error {
	at := 0
	for _, own := range d.ofEvents {
		if own == nil {
			continue
		}
		if err := own.step(token, live.carried[at]); err != nil {
			return err
		}
		at++
	}
	return nil
}

// blend is example i's score: what its raw scores are worth together, or the raw
// score itself where there is one detector.
func (d *detection) blend(i int) float32 {
	if len(d.ranks) == 0 {
		return d.detectors[0].score(i)
	}
	return d.blending.score(func(k int) float64 { return d.ranks[k].weight * d.worth(k, i) })
}

// surprises are how unlikely each event that an example sees was when it came, by
// the detectors that say so; nil of the others, and nil where there is none.
func (d *detection) surprises(ex *features.Example) (found [][]Surprise, err error) {
	for k, own := range d.ofEvents {
		if own == nil {
			continue
		}
		if found == nil {
			found = make([][]Surprise, len(d.detectors))
		}
		own.observe(func(x Surprise) { found[k] = append(found[k], x) })
		err := own.run([]features.Example{*ex})
		own.observe(nil)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// eventScore is the blend where event i is the most surprising one of its
// journey, and what does not read events sees nothing.
func (d *detection) eventScore(found [][]Surprise, i int) float32 {
	score := func(k int) float32 { return float32(-math.Log(atLeastOne(found[k][i].P, len(found[k])))) }
	if len(d.ranks) == 0 {
		return score(0)
	}
	return d.blending.score(func(k int) float64 {
		if found[k] == nil {
			return 0
		}
		return d.ranks[k].weight * d.ranks[k].worth(score(k))
	})
}

// worth is what detector k's raw score of example i is worth.
func (d *detection) worth(k, i int) float64 {
	score := d.detectors[k].score(i)
	if notFinite(score) {
		return math.NaN()
	}
	return d.ranks[k].worth(score)
}

// score is example i's score of the last run.
func (d *detection) score(i int) float32 { return d.scores[i] }

// parts are what makes example i strange, by falling size; those of the same
// group and event are one. Each detector counts by how unlikely it finds the
// example, next to the one that finds it most unlikely. The slice is valid until
// the next call.
func (d *detection) parts(i int) []Part {
	d.together = d.together[:0]
	total, most := 0.0, 0.0
	for k := range d.ranks {
		most = max(most, d.worth(k, i))
	}
	for k, detector := range d.detectors {
		share := 1.0
		if len(d.ranks) > 0 {
			share = d.ranks[k].weight * math.Exp(d.worth(k, i)-most)
		}
		if d.own = detector.parts(i, d.own[:0]); len(d.own) > 0 && d.ownPast(&d.own[0]) {
			share *= ownPast
		}
		for _, part := range d.own {
			part.Size *= share
			total += part.Size
			d.add(part)
		}
	}
	for p := range d.together {
		d.together[p].Size /= max(total, math.SmallestNonzeroFloat64)
	}
	slices.SortStableFunc(d.together, func(a, b Part) int { return cmp.Compare(b.Size, a.Size) })
	return d.together
}

// ownPast is the weight of parts that compare a journey with its own past beside
// those that compare it with others: they say more to people.
const ownPast = 10

func (d *detection) ownPast(p *Part) bool { return d.habits > 0 && p.Column >= d.habits }

// add joins a part to that of its group and event. What was seen and expected,
// and the sign, are told by that which compares with the journey's own past, or
// else by the larger of the two.
func (d *detection) add(part Part) {
	at := slices.IndexFunc(d.together, func(p Part) bool { return p.Group == part.Group && p.Event == part.Event })
	if at < 0 {
		d.together = append(d.together, part)
		return
	}
	to := &d.together[at]
	size := to.Size + part.Size
	if d.ownPast(&part) || part.Size > to.Size && !d.ownPast(to) {
		*to = part
	}
	to.Size = size
}

// explain appends the top groups as reasons.
func (d *detection) explain(to []Reason, top int, parts []Part) []Reason {
	d.reasons = d.reasons[:0]
	for _, p := range parts {
		d.reasons = append(d.reasons, Reason{AnomalyTarget, p.Group, math.Copysign(p.Size, p.Sign)})
	}
	return appendTop(to, top, d.reasons)
}
