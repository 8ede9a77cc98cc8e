package infer

import (
	"context"
	"iter"
	"sync"

	"moments/features"
)

// jobEvents bounds the events that a job holds: one job takes no further
// journey once it has as many.
const jobEvents = 1 << 16

// A job is a run of journeys on its way from the iterator to a worker and on,
// in order, to the caller. Jobs are used again, with their memory.
type job struct {
	journeys     []features.Journey
	cutoffs      []features.Cutoff
	events       []features.Event // what the journeys' slices are cut from
	values       []features.Value
	examples     []features.Example
	scores       []Score
	explanations []*Explanation
	most         int   // journeys to take
	err          error // of the iterator, after the journeys; or of the worker
	done         chan struct{}
}

// Score scores the journeys of an iterator as they come, on the scorer's
// workers, and hands the scores to emit on the calling goroutine in the order
// of the journeys. cut chooses where a journey is cut, or to leave it out; it is
// called by the goroutine that runs the iterator. A journey is copied up to its
// cutoff, so it may change once the iterator is asked for the next; a *Score
// may once emit returns.
//
// Memory is bounded by a thousand journeys for each worker. Score ends with the
// first error, in the order of the journeys, of the iterator, a journey, emit
// or ctx; scores shortly before a failing journey may be missing. It returns
// only after the iterator has been stopped.
func (s *Scorer) Score(ctx context.Context, journeys iter.Seq2[*features.Journey, error],
	cut func(*features.Journey) (features.Cutoff, bool), emit func(*Score) error) error {
	return s.each(ctx, journeys, cut, jobRows, (*worker).do, func(j *job, i int) error { return emit(&j.scores[i]) })
}

// ExplainEach is [Scorer.Score] for explanations: see [Scorer.Explain]. What
// emit is handed, values of events too, may change once it returns.
func (s *Scorer) ExplainEach(ctx context.Context, journeys iter.Seq2[*features.Journey, error],
	cut func(*features.Journey) (features.Cutoff, bool), o ExplainOptions, emit func(*Explanation) error) error {
	if err := o.complete(s); err != nil {
		return err
	}
	explain := func(w *worker, j *job) { w.explainJob(j, o) }
	return s.each(ctx, journeys, cut, explainRows, explain, func(j *job, i int) error { return emit(j.explanations[i]) })
}

// explainRows is the number of journeys that a worker explains at a time.
const explainRows = 8

// each does jobs of up to most journeys on the scorer's workers, and hands what
// came of each journey to emit, in their order.
func (s *Scorer) each(ctx context.Context, journeys iter.Seq2[*features.Journey, error],
	cut func(*features.Journey) (features.Cutoff, bool), most int, do func(*worker, *job), emit func(j *job, i int) error) error {
	inner, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()

	jobs := 2*s.options.Workers + 2
	free, work, ordered := make(chan *job, jobs), make(chan *job, jobs), make(chan *job, jobs)
	for range jobs {
		free <- &job{most: most, done: make(chan struct{}, 1)}
	}
	group.Go(func() {
		defer close(work)
		defer close(ordered)
		produce(inner, journeys, cut, free, func(j *job) { work <- j; ordered <- j })
	})
	for range s.options.Workers {
		group.Go(func() {
			w := s.workers.Get().(*worker)
			defer s.workers.Put(w)
			for j := range work {
				do(w, j)
				j.done <- struct{}{}
			}
		})
	}
	for j := range ordered {
		<-j.done
		if err := j.emit(inner, emit); err != nil {
			return err
		}
		free <- j
	}
	return ctx.Err()
}

// produce fills free jobs with journeys until they end, fail or ctx does.
// Channels have room for all jobs, so send never waits.
func produce(ctx context.Context, journeys iter.Seq2[*features.Journey, error],
	cut func(*features.Journey) (features.Cutoff, bool), free <-chan *job, send func(*job)) {
	var current *job
	for journey, err := range journeys {
		if current == nil {
			select {
			case current = <-free:
				current.reset()
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			current.err = err
			break
		}
		if c, ok := cut(journey); ok {
			current.add(journey, c)
		}
		if current.full() {
			send(current)
			current = nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	if current != nil {
		send(current)
	}
}

func (j *job) reset() {
	j.journeys, j.cutoffs, j.err = j.journeys[:0], j.cutoffs[:0], nil
	j.events, j.values = j.events[:0], j.values[:0]
}

func (j *job) full() bool { return len(j.journeys) == j.most || len(j.events) >= jobEvents }

// add copies what the cutoff lets see of a journey. When an arena grows,
// earlier journeys keep the memory they were cut from.
func (j *job) add(journey *features.Journey, c features.Cutoff) {
	seen := journey.Events[:max(0, min(c.Events, len(journey.Events)))]
	start := len(j.events)
	j.events = append(j.events, seen...)
	events := j.events[start:len(j.events):len(j.events)]
	for i := range events {
		events[i].Values = j.copyValues(events[i].Values)
	}
	j.journeys = append(j.journeys, features.Journey{
		Customer: journey.Customer,
		Profile:  j.copyValues(journey.Profile),
		Events:   events,
	})
	j.cutoffs = append(j.cutoffs, c)
}

func (j *job) copyValues(values []features.Value) []features.Value {
	if values == nil {
		return nil
	}
	start := len(j.values)
	j.values = append(j.values, values...)
	return j.values[start:len(j.values):len(j.values)]
}

// do encodes and scores a job.
func (w *worker) do(j *job) {
	n := len(j.journeys)
	for len(j.examples) < n {
		j.examples, j.scores = append(j.examples, features.Example{}), append(j.scores, Score{})
	}
	for i := range n {
		if err := w.encode(&j.journeys[i], j.cutoffs[i], &j.examples[i]); err != nil {
			j.fail(i, err)
			break
		}
	}
	n = len(j.journeys)
	if err := w.score(j.examples[:n], j.scores[:n]); err != nil {
		j.fail(0, err)
	}
}

// explainJob explains a job's journeys up to the first that fails.
func (w *worker) explainJob(j *job, o ExplainOptions) {
	j.explanations = j.explanations[:0]
	for i := range j.journeys {
		e, err := w.explain(&j.journeys[i], j.cutoffs[i], o)
		if err != nil {
			j.fail(i, err)
			return
		}
		j.explanations = append(j.explanations, e)
	}
}

// fail ends the job with err after the first n journeys.
func (j *job) fail(n int, err error) {
	j.journeys, j.cutoffs, j.err = j.journeys[:n], j.cutoffs[:n], err
}

// emit hands over what came of the journeys, and then the error that ended the
// job.
func (j *job) emit(ctx context.Context, emit func(j *job, i int) error) error {
	for i := range j.journeys {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := emit(j, i); err != nil {
			return err
		}
	}
	return j.err
}
