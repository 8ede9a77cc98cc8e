package registry

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Stats count what was asked of one version of a model, and how long it took.
// Goroutines share them.
type Stats struct {
	success, failure            tally // of requests
	queue, input, infer, output tally // of requests that succeeded
	journeys, executions        atomic.Uint64
	last                        atomic.Int64 // Unix nanoseconds of the last request; 0 for none

	mu      sync.Mutex
	batches map[int]*Tally // by rows that were computed at once
}

// A Tally counts and times one thing.
type Tally struct {
	Count uint64
	Time  time.Duration // in total
}

type tally struct{ count, nanoseconds atomic.Uint64 }

func (t *tally) add(d time.Duration) {
	t.count.Add(1)
	t.nanoseconds.Add(uint64(max(d, 0)))
}

func (t *tally) read() Tally {
	return Tally{t.count.Load(), time.Duration(t.nanoseconds.Load())}
}

// A Request is what one request came to.
type Request struct {
	Journeys int // or rows that it asked for
	Failed   bool

	Queue  time.Duration // until work on it began
	Input  time.Duration // reading it
	Infer  time.Duration // computing
	Output time.Duration // writing the answer
}

// Add counts a request.
func (s *Stats) Add(r Request) {
	s.last.Store(time.Now().UnixNano())
	total := r.Queue + r.Input + r.Infer + r.Output
	if r.Failed {
		s.failure.add(total)
		return
	}
	s.success.add(total)
	s.queue.add(r.Queue)
	s.input.add(r.Input)
	s.infer.add(r.Infer)
	s.output.add(r.Output)
	s.journeys.Add(uint64(max(r.Journeys, 0)))
}

// AddBatch counts one computation of so many rows at once, which may be those
// of several requests.
func (s *Stats) AddBatch(rows int, took time.Duration) {
	s.executions.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.batches == nil {
		s.batches = map[int]*Tally{}
	}
	b := s.batches[batchSize(rows)]
	if b == nil {
		b = &Tally{}
		s.batches[batchSize(rows)] = b
	}
	b.Count++
	b.Time += took
}

// batchSize rounds large batches up to a power of two, so that whatever sizes
// clients choose there are few.
func batchSize(rows int) int {
	if rows <= 16 {
		return rows
	}
	size := 32
	for size < rows {
		size *= 2
	}
	return size
}

// A Batch is what computing so many rows at once came to.
type Batch struct {
	Rows int // those of more than 16 are rounded up to a power of two
	Tally
}

// A Snapshot is what Stats have counted.
type Snapshot struct {
	Success, Failure            Tally // of requests
	Queue, Input, Infer, Output Tally // of requests that succeeded
	Journeys                    uint64
	Executions                  uint64
	Last                        time.Time // of the last request; the zero time for none
	Batches                     []Batch   // by rising size
}

// Snapshot reads the counts. Requests that end meanwhile may be in some of them
// and not yet in others.
func (s *Stats) Snapshot() Snapshot {
	shot := Snapshot{
		Success: s.success.read(), Failure: s.failure.read(),
		Queue: s.queue.read(), Input: s.input.read(), Infer: s.infer.read(), Output: s.output.read(),
		Journeys: s.journeys.Load(), Executions: s.executions.Load(),
	}
	if last := s.last.Load(); last != 0 {
		shot.Last = time.Unix(0, last)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rows := range slices.Sorted(maps.Keys(s.batches)) {
		shot.Batches = append(shot.Batches, Batch{rows, *s.batches[rows]})
	}
	return shot
}
