package infer

import (
	"fmt"
	"math"

	"moments/features"
)

// A worker is what one goroutine needs to score.
type worker struct {
	*Scorer
	encoder  *features.Encoder
	classify *classifier // nil without targets
	detect   *detection  // nil without a detector
	follow   *follower   // nil where no network of the blend follows events
	variants *variants   // nil until a journey is explained
	walking  walking
	token    features.Tokens     // of a live journey's event
	live     [1]features.Example // of a live journey
	examples []features.Example  // of journeys that are scored together
	states   []float32           // (examples, S)
	occlude  occluder
	err      error // of making a foreign network's session; the worker cannot score
}

func (s *Scorer) newWorker() *worker {
	w := &worker{Scorer: s, encoder: s.bundle.Schema.NewEncoder()}
	w.follow = newFollower(s.bundle.Schema, s.following)
	w.occlude.occlusion = s.occlusion
	w.occlude.base = newRows(s.widths, 1)
	if s.blend != nil {
		w.classify, w.err = s.blend.newClassifier()
	}
	if len(s.evidence) > 0 {
		w.detect = s.newDetection()
	} else {
		w.encoder.LeaveOutHabits()
	}
	return w
}

// score fills scores, one for each example, in their own slices' memory.
func (w *worker) score(examples []features.Example, scores []Score) error {
	if err := w.checkExamples(examples); err != nil {
		return err
	}
	if err := w.followEvents(examples); err != nil {
		return err
	}
	return w.scoreFollowed(examples, scores, nil)
}

// scoreFollowed is score of examples whose events have left w.states, and of a
// live journey, what it carries besides.
func (w *worker) scoreFollowed(examples []features.Example, scores []Score, live *Live) error {
	if w.err != nil {
		return w.err
	}
	for i := range scores {
		s := &scores[i]
		*s = Score{
			Customer:      examples[i].Customer,
			Cutoff:        examples[i].Cutoff.Time,
			Probabilities: s.Probabilities[:0],
			Anomaly:       math.NaN(),
			AnomalyScore:  math.NaN(),
			Reasons:       s.Reasons[:0],
			Causes:        s.Causes[:0],
		}
	}
	if w.classify != nil {
		if err := w.scoreTargets(examples, scores); err != nil {
			return err
		}
	}
	if w.detect != nil {
		return w.scoreAnomalies(examples, scores, live)
	}
	return nil
}

func (w *worker) scoreTargets(examples []features.Example, scores []Score) error {
	w.classify.reset()
	w.occlude.rows = w.occlude.rows[:0]
	for i := range examples {
		if err := w.addRows(&examples[i], row(w.states, i, w.widths[State])); err != nil {
			return err
		}
	}
	if err := w.classify.flush(); err != nil {
		return err
	}
	rows, probabilities := w.occlude.rows, w.classify.probabilities
	for i := range scores {
		n := 1 // the example's own row and those that hide a group
		for n < len(rows) && rows[n] >= 0 {
			n++
		}
		if err := w.readTargets(&scores[i], rows[1:n], probabilities[:n*w.blend.targets]); err != nil {
			return err
		}
		rows, probabilities = rows[n:], probabilities[n*w.blend.targets:]
	}
	return nil
}

// followEvents fills w.states.
func (w *worker) followEvents(examples []features.Example) error {
	w.states = resize(w.states, len(examples)*w.widths[State])
	if w.follow == nil {
		return nil
	}
	for i := range examples {
		if err := w.follow.check(&examples[i]); err != nil {
			return err
		}
	}
	return w.follow.states(examples, w.states, &w.walking)
}

// addRows adds the rows of one example, whose events have left states, to the
// classifier's.
func (w *worker) addRows(ex *features.Example, states []float32) error {
	w.occlude.rows = append(w.occlude.rows, -1)
	r := w.fillRow(ex, states)
	if w.occlusion == nil {
		return w.classify.push()
	}
	for part := range r {
		copy(w.occlude.base[part], r[part])
	}
	if err := w.classify.push(); err != nil {
		return err
	}
	return w.occlude.add(w.classify)
}

// fillRow fills the classifier's next row.
func (w *worker) fillRow(ex *features.Example, states []float32) Rows {
	r := w.classify.next()
	r.fill(w.bundle.Schema, ex)
	copy(r[State], states)
	return r
}

// readTargets reads off the probabilities of one example's rows.
func (w *worker) readTargets(s *Score, hidden []int, probabilities []float32) error {
	s.Probabilities = append(s.Probabilities, probabilities[:w.blend.targets]...)
	for t, name := range w.bundle.Targets {
		if p := s.Probabilities[t]; notFinite(p) {
			return fmt.Errorf("infer: customer %q: probability of %s is %v, want a finite number", s.Customer, name, p)
		}
		if w.occlusion != nil {
			s.Reasons = w.occlude.explain(s.Reasons, w.options.Reasons, name, t, w.blend.targets, hidden, probabilities)
		}
	}
	return nil
}

// anomalies runs the detectors on examples.
func (w *worker) anomalies(examples []features.Example, live *Live) error {
	if err := w.checkExamples(examples); err != nil {
		return err
	}
	return w.detect.run(examples, live)
}

func (w *worker) scoreAnomalies(examples []features.Example, scores []Score, live *Live) error {
	if err := w.anomalies(examples, live); err != nil {
		return err
	}
	for i := range scores {
		s, score := &scores[i], w.detect.score(i)
		s.AnomalyScore = float64(score)
		s.Anomaly = PValue(w.bundle.Reference.Conformal, score)
		parts := w.detect.parts(i)
		s.Direction = w.senses.direction(parts)
		s.Alert = w.alertOf(s.Anomaly, parts)
		s.Reasons = w.detect.explain(s.Reasons, w.options.Reasons, parts)
		s.Causes = w.senses.appendCauses(s.Causes, w.options.Reasons, parts, w.bundle.Schema)
	}
	return nil
}

// alertOf says whether a p-value is within its cause's threshold.
func (w *worker) alertOf(p float64, parts []Part) bool {
	threshold := w.bundle.AlertRate
	if len(w.alerts.Thresholds) > 0 && len(parts) > 0 {
		cause := Cause{Group: parts[0].Group, Direction: w.senses.meaning(&parts[0])}
		if tuned, ok := w.alerts.Thresholds[cause.Key()]; ok {
			threshold = tuned
		}
	}
	return p <= threshold
}

// checkExamples demands examples as wide as the schema's.
func (w *worker) checkExamples(examples []features.Example) error {
	for i := range examples {
		ex := &examples[i]
		if n, c := len(ex.Numeric), len(ex.Category); n != w.numeric || c != w.category {
			return fmt.Errorf("infer: customer %q: example of %d numbers and %d categories, want %d and %d: encode it with the bundle's schema", ex.Customer, n, c, w.numeric, w.category)
		}
		if n := len(ex.Habits); w.habits > 0 && n != w.habits {
			return fmt.Errorf("infer: customer %q: example of %d habits, want %d: encode it with the bundle's schema", ex.Customer, n, w.habits)
		}
	}
	return nil
}

func notFinite(x float32) bool { return !(math.Abs(float64(x)) <= math.MaxFloat32) }

// encode fills ex with the journey as seen at the cutoff.
func (w *worker) encode(j *features.Journey, c features.Cutoff, ex *features.Example) error {
	if err := checkJourney(j, c, &w.bundle.Layout); err != nil {
		return err
	}
	if !w.readsEvents() {
		w.encoder.EncodeJourney(j, c, ex)
	} else {
		w.encoder.EncodeTokens(j, c, ex)
	}
	return nil
}

// checkJourney demands what the encoder takes for granted.
func checkJourney(j *features.Journey, c features.Cutoff, layout *features.Layout) error {
	if c.Events < 0 || c.Events > len(j.Events) {
		return fmt.Errorf("infer: customer %q: cutoff after %d events, want 0 to %d", j.Customer, c.Events, len(j.Events))
	}
	if err := checkProfile(j.Customer, j.Profile, layout); err != nil {
		return err
	}
	for i := range j.Events[:c.Events] {
		if err := checkEvent(j.Customer, i, &j.Events[i], layout); err != nil {
			return err
		}
	}
	return nil
}

func checkProfile(customer string, profile []features.Value, layout *features.Layout) error {
	if n := len(profile); n != 0 && n != len(layout.Profile) {
		return fmt.Errorf("infer: customer %q: profile has %d values, want %d", customer, n, len(layout.Profile))
	}
	return nil
}

// checkEvent checks event i of a customer.
func checkEvent(customer string, i int, ev *features.Event, layout *features.Layout) error {
	if n := len(ev.Values); n != 0 && n != len(layout.Event) {
		return fmt.Errorf("infer: customer %q: event %d has %d values, want %d", customer, i, n, len(layout.Event))
	}
	return nil
}
