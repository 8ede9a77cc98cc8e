package infer

import (
	"fmt"
	"slices"
	"sync"

	"moments/features"
)

// jobRows is the number of journeys that a worker takes at a time.
const jobRows = 256

// ScoreExamples scores examples that the bundle's schema has encoded, in their
// order.
func (s *Scorer) ScoreExamples(examples []features.Example) ([]Score, error) {
	scores := make([]Score, len(examples))
	err := s.spread(len(examples), func(w *worker, from, to int) error {
		return w.score(examples[from:to], scores[from:to])
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// AnomalyScores are the raw anomaly scores of examples, in their order: what,
// sorted, is a bundle's weights.Reference.Conformal.
func (s *Scorer) AnomalyScores(examples []features.Example) ([]float32, error) {
	if len(s.evidence) == 0 {
		return nil, fmt.Errorf("infer: bundle %s has no detector of anomalies", s.bundle.Name)
	}
	scores := make([]float32, len(examples))
	err := s.spread(len(examples), func(w *worker, from, to int) error {
		err := w.anomalies(examples[from:to], nil)
		for i := from; i < to && err == nil; i++ {
			scores[i] = w.detect.score(i - from)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// ScoreJourney scores one journey, on the calling goroutine.
func (s *Scorer) ScoreJourney(j *features.Journey, c features.Cutoff) (Score, error) {
	scores := make([]Score, 1)
	err := s.scoreTogether([]features.Journey{*j}, []features.Cutoff{c}, scores)
	return scores[0], err
}

// ScoreJourneys scores journeys, each at its cutoff and in their order, on the
// calling goroutine. Together they take less time than one by one.
func (s *Scorer) ScoreJourneys(journeys []features.Journey, cutoffs []features.Cutoff) ([]Score, error) {
	if len(journeys) != len(cutoffs) {
		return nil, fmt.Errorf("infer: %d journeys and %d cutoffs, want one each", len(journeys), len(cutoffs))
	}
	scores := make([]Score, len(journeys))
	for from := 0; from < len(journeys); from += jobRows {
		to := min(from+jobRows, len(journeys))
		if err := s.scoreTogether(journeys[from:to], cutoffs[from:to], scores[from:to]); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// scoreTogether scores up to jobRows journeys.
func (s *Scorer) scoreTogether(journeys []features.Journey, cutoffs []features.Cutoff, scores []Score) error {
	w := s.workers.Get().(*worker)
	defer s.workers.Put(w)
	for len(w.examples) < len(journeys) {
		w.examples = append(w.examples, features.Example{})
	}
	for i := range journeys {
		if err := w.encode(&journeys[i], cutoffs[i], &w.examples[i]); err != nil {
			return err
		}
	}
	err := w.score(w.examples[:len(journeys)], scores)
	for i := range journeys {
		w.examples[i].Customer = "" // may be cut from the text of a whole request
	}
	return err
}

// Surprises are how unlikely each event that an example sees was when it came,
// by the name of the detector that says so.
func (s *Scorer) Surprises(ex *features.Example) (map[string][]Surprise, error) {
	w := s.workers.Get().(*worker)
	defer s.workers.Put(w)
	found, err := w.detect.surprises(ex)
	named := map[string][]Surprise{}
	for k, of := range found {
		if of != nil {
			named[s.evidence[k].name()] = of
		}
	}
	return named, err
}

// EventScores are what an example would score for each event that it sees, were
// that the most surprising one and all else as usual: what is unusual about an
// event has the same scale, and the same calibration, as what is unusual about a
// journey. It is nil where nothing reads events.
func (s *Scorer) EventScores(ex *features.Example) ([]float32, error) {
	w := s.workers.Get().(*worker)
	defer s.workers.Put(w)
	found, err := w.detect.surprises(ex)
	if err != nil || found == nil {
		return nil, err
	}
	scores := make([]float32, ex.Cutoff.Events)
	for i := range scores {
		scores[i] = w.detect.eventScore(found, i)
	}
	return scores, nil
}

// spread cuts n rows into parts and does them on the scorer's workers, the
// calling goroutine among them. It returns the error of the first part that
// failed.
func (s *Scorer) spread(n int, do func(w *worker, from, to int) error) error {
	parts := (n + jobRows - 1) / jobRows
	errs := make([]error, parts)
	next := make(chan int, parts)
	for part := range parts {
		next <- part
	}
	close(next)
	work := func() {
		w := s.workers.Get().(*worker)
		defer s.workers.Put(w)
		for part := range next {
			errs[part] = do(w, part*jobRows, min(n, (part+1)*jobRows))
		}
	}
	var group sync.WaitGroup
	for range min(s.options.Workers, parts) - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}
