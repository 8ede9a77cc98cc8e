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
		err := w.anomalies(examples[from:to])
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
	w := s.workers.Get().(*worker)
	defer s.workers.Put(w)
	examples, scores := make([]features.Example, 1), make([]Score, 1)
	if err := w.encode(j, c, &examples[0]); err != nil {
		return Score{}, err
	}
	if err := w.score(examples, scores); err != nil {
		return Score{}, err
	}
	return scores[0], nil
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
