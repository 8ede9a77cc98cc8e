package infer

import "moments/features"

// Warm makes n of the workers that score, one after the other on the calling
// goroutine, and has each score a journey: the first requests then find them
// made. It says what is wrong with a bundle that cannot score.
func (s *Scorer) Warm(n int) error {
	j := features.Journey{Customer: "warm-up"}
	for _, name := range s.bundle.Schema.Types[:min(2, len(s.bundle.Schema.Types))] {
		j.Events = append(j.Events, features.Event{Time: int64(len(j.Events)) * features.Day, Type: name})
	}
	c := features.Cutoff{Time: features.Week, Events: len(j.Events)}
	examples, scores := make([]features.Example, 1), make([]Score, 1)
	workers := make([]*worker, n)
	for i := range workers {
		// All are held until the last is made, so that none is made twice.
		w := s.newWorker()
		if err := w.encode(&j, c, &examples[0]); err != nil {
			return err
		}
		if err := w.score(examples, scores); err != nil {
			return err
		}
		workers[i] = w
	}
	for _, w := range workers {
		s.workers.Put(w)
	}
	return nil
}
