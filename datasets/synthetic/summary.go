package synthetic

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A Summary is the planted truth about a whole base: what truth.json holds.
// Points are percentage points of probability throughout.
type Summary struct {
	Config       Config         `json:"config"`
	Cutoff       time.Time      `json:"cutoff"`
	Customers    int            `json:"customers"`
	Events       int            `json:"events"`        // all of them
	FutureEvents int            `json:"future_events"` // those after the cutoff
	Targets      []TargetTruth  `json:"targets"`       // conversion, churn
	Effects      []EffectTruth  `json:"effects"`       // in the order of the configuration, those of the profile last
	Touchpoints  []Touchpoint   `json:"touchpoints"`   // by target, the strongest first; decoys last with zeros
	Decoys       []string       `json:"decoys"`
	Stages       map[string]int `json:"stages"`    // customers, at the cutoff
	Anomalies    map[string]int `json:"anomalies"` // customers, by kind
	Outages      []time.Time    `json:"outages"`   // days, from that moment on, on which the app's checkout was broken
}

// A TargetTruth says how well a predictor can do that knows everything.
type TargetTruth struct {
	Name            string  `json:"name"`
	Intercept       float64 `json:"intercept"`        // log-odds when no effect applies
	Rate            float64 `json:"rate"`             // of positive outcomes, as drawn
	MeanProbability float64 `json:"mean_probability"` // the expected rate
	Causes          int     `json:"causes"`           // customers with an event that moved the probability by over 5 points
	Oracle          Oracle  `json:"oracle"`           // figures of the true probabilities against the outcomes
}

// An Oracle holds figures of the true probabilities as predictions. Samples
// allow others to do better by luck alone, not by skill.
type Oracle struct {
	AUROC   float64 `json:"auroc"`    // over probabilities rounded to 1e-4; NaN is written 0.5, when all outcomes are the same
	LogLoss float64 `json:"log_loss"` // nats per customer
	Brier   float64 `json:"brier"`
}

// An EffectTruth is the average marginal effect of one row of the model on
// those it applies to.
type EffectTruth struct {
	Name            string  `json:"name"`
	Target          string  `json:"target"`
	Touchpoint      string  `json:"touchpoint"`       // event type, or the profile field
	Logit           float64 `json:"logit"`            // with Config.Strength
	Exposed         int     `json:"exposed"`          // customers it applies to
	Points          float64 `json:"points"`           // mean change of probability by the whole effect, all else equal
	SimulatedPoints float64 `json:"simulated_points"` // the same between outcomes drawn in both worlds with the same random numbers
}

// A Touchpoint is the average effect of one event of a type: what the journey
// with the event has over the journey without it, all else equal.
type Touchpoint struct {
	Type       string  `json:"type"`
	Target     string  `json:"target"`
	Events     int     `json:"events"`      // before the cutoff
	Points     float64 `json:"points"`      // mean change, signed
	AbsPoints  float64 `json:"abs_points"`  // mean size of the change: the order of the ranking
	TotalShare float64 `json:"total_share"` // share of the summed size over all events of the base
	Over5      int     `json:"over_5"`      // events that changed the probability by over 5 points
}

// A tally sums up some customers. Tallies are merged in the order of the
// customers, so that sums do not depend on who made them.
type tally struct {
	events, future int
	outcomes       [2][]outcome
	causes         [2]int
	effects        []effectTally
	touch          [endOfTypes][2]touchTally
	stages         map[string]int
	anomalies      map[string]int
}

type effectTally struct {
	exposed           int
	points, simulated float64
}

type touchTally struct {
	events, over int
	sum, size    float64
}

func (w *world) newTally() *tally {
	return &tally{effects: make([]effectTally, len(w.terms.all)), stages: map[string]int{}, anomalies: map[string]int{}}
}

// add takes in the customer under construction.
func (y *tally) add(m *maker, o [2]outcome, impact [2][]float64) {
	y.events += len(m.c.events)
	y.future += len(m.c.events) - m.c.history
	y.stages[m.stage()]++
	if m.c.anomaly != nil {
		y.anomalies[m.c.anomaly.Kind]++
	}
	for target := range o {
		y.outcomes[target] = append(y.outcomes[target], o[target])
		if cause(impact[target]) >= 0 {
			y.causes[target]++
		}
		for i, d := range impact[target] {
			y.touch[m.c.events[i].typ][target].add(d)
		}
	}
	for i := range m.terms.all {
		t := &m.terms.all[i]
		if share := m.share(t, -1); share != 0 {
			y.effects[i].add(o[t.target], share)
		}
	}
}

func (y *touchTally) add(d float64) {
	y.events++
	y.sum += d
	y.size += math.Abs(d)
	if math.Abs(d) > causeOver {
		y.over++
	}
}

// add compares the world as it is with one in which the effect is absent. The
// customer's luck is the same in both.
func (y *effectTally) add(o outcome, share float64) {
	without := outcome{probability: sigmoid(o.logit - share), luck: o.luck}
	y.exposed++
	y.points += o.probability - without.probability
	if o.positive() {
		y.simulated++
	}
	if without.positive() {
		y.simulated--
	}
}

// A scorer judges the true probabilities in constant memory: the AUROC comes
// from a histogram.
type scorer struct {
	bins                [bins][2]int // outcomes by probability: negative, positive
	n                   int
	sum, logLoss, brier float64
}

const bins = 10_001

func (s *scorer) add(o outcome) {
	y := 0
	p := math.Min(math.Max(o.probability, 1e-15), 1-1e-15)
	if o.positive() {
		y = 1
	}
	s.bins[int(math.Round(o.probability*(bins-1)))][y]++
	s.n++
	s.sum += o.probability
	s.logLoss -= float64(y)*math.Log(p) + float64(1-y)*math.Log(1-p)
	s.brier += (float64(y) - p) * (float64(y) - p)
}

// auroc is the probability that a positive outcome has the higher probability,
// ties counting half (Mann and Whitney, 1947), and the number of positives.
func (s *scorer) auroc() (area float64, positives int) {
	below := 0
	for _, b := range s.bins {
		area += float64(b[1]) * (float64(below) + float64(b[0])/2)
		below += b[0]
		positives += b[1]
	}
	if pairs := float64(below) * float64(positives); pairs > 0 {
		return area / pairs, positives
	}
	return 0.5, positives
}

// A summarizer merges tallies into a Summary.
type summarizer struct {
	*world
	total   *tally
	scorers [2]scorer
}

func (w *world) newSummarizer() *summarizer { return &summarizer{world: w, total: w.newTally()} }

func (s *summarizer) merge(y *tally) {
	t := s.total
	t.events += y.events
	t.future += y.future
	for k, n := range y.stages {
		t.stages[k] += n
	}
	for k, n := range y.anomalies {
		t.anomalies[k] += n
	}
	for i, e := range y.effects {
		t.effects[i].exposed += e.exposed
		t.effects[i].points += e.points
		t.effects[i].simulated += e.simulated
	}
	for target := range Targets {
		t.causes[target] += y.causes[target]
		for _, o := range y.outcomes[target] {
			s.scorers[target].add(o)
		}
		for typ := range y.touch {
			from, to := &y.touch[typ][target], &t.touch[typ][target]
			to.events += from.events
			to.over += from.over
			to.sum += from.sum
			to.size += from.size
		}
	}
}

// summary is what has been merged.
func (s *summarizer) summary() *Summary {
	result := &Summary{
		Config: s.config, Cutoff: s.config.Cutoff(), Customers: s.scorers[0].n, Events: s.total.events, FutureEvents: s.total.future,
		Decoys: Decoys(s.config), Stages: s.total.stages, Anomalies: s.total.anomalies, Effects: s.effects(),
	}
	for _, day := range s.outages {
		result.Outages = append(result.Outages, time.UnixMicro(day).UTC())
	}
	for target, name := range Targets {
		k := &s.scorers[target]
		n := float64(k.n)
		area, positives := k.auroc()
		result.Targets = append(result.Targets, TargetTruth{
			Name: name, Intercept: s.intercepts[target], Rate: float64(positives) / n, MeanProbability: k.sum / n, Causes: s.total.causes[target],
			Oracle: Oracle{AUROC: area, LogLoss: k.logLoss / n, Brier: k.brier / n},
		})
		result.Touchpoints = append(result.Touchpoints, s.touchpoints(target)...)
	}
	return result
}

func (s *summarizer) effects() []EffectTruth {
	result := make([]EffectTruth, len(s.terms.all))
	for i, t := range s.terms.all {
		y := s.total.effects[i]
		n := float64(max(y.exposed, 1))
		e := EffectTruth{Target: Targets[t.target], Logit: t.logit, Exposed: y.exposed, Points: 100 * y.points / n, SimulatedPoints: 100 * y.simulated / n}
		if i < s.terms.events {
			e.Name, e.Touchpoint = s.config.Effects[i].Name, s.config.Effects[i].Type
		} else {
			p := s.config.ProfileEffects[i-s.terms.events]
			e.Name, e.Touchpoint = p.Name, p.Field
		}
		result[i] = e
	}
	return result
}

// touchpoints ranks the event types by the mean size of their effect.
func (s *summarizer) touchpoints(target int) []Touchpoint {
	var result []Touchpoint
	all := 0.0
	for typ := adImpression; typ < cancellation; typ++ {
		all += s.total.touch[typ][target].size
	}
	for typ := adImpression; typ < cancellation; typ++ {
		y := s.total.touch[typ][target]
		n := float64(max(y.events, 1))
		t := Touchpoint{Type: typeNames[typ], Target: Targets[target], Events: y.events, Points: 100 * y.sum / n, AbsPoints: 100 * y.size / n, Over5: y.over}
		if all > 0 {
			t.TotalShare = y.size / all
		}
		result = append(result, t)
	}
	slices.SortStableFunc(result, func(a, b Touchpoint) int { return cmp.Compare(b.AbsPoints, a.AbsPoints) })
	return result
}
