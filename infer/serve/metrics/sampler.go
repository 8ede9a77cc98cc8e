package metrics

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"moments/features"
	"moments/infer/registry"
)

const (
	samplesASecond = 50
	sampleBurst    = 500 // after a quiet time, so that few requests are seen whole
	sampleQueue    = 64
	sampledEvents  = 10_000 // longer journeys are not sampled
)

// A sampler measures drift on one goroutine beside the requests.
type sampler struct {
	limit *rate.Limiter
	queue chan sample
	done  chan struct{}

	stopping sync.RWMutex // held for reading while something is put in the queue
	stopped  bool

	mu       sync.Mutex
	trackers map[string]*tracked // by model
}

// tracked is the tracker of the version of a model that was loaded last.
type tracked struct {
	version string
	loaded  time.Time
	*tracker
}

type sample struct {
	tracker *tracker
	journey features.Journey
	cutoff  features.Cutoff
}

func (s *sampler) start() {
	s.limit = rate.NewLimiter(samplesASecond, sampleBurst)
	s.queue, s.done, s.trackers = make(chan sample, sampleQueue), make(chan struct{}), map[string]*tracked{}
	go func() {
		defer close(s.done)
		for next := range s.queue {
			next.tracker.add(&next.journey, next.cutoff)
		}
	}()
}

// close waits for what is in the queue.
func (s *sampler) close() {
	s.stopping.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.queue)
	}
	s.stopping.Unlock()
	<-s.done
}

// add puts a copy of the journey in the queue, or lets it pass where the queue
// is full or enough have been taken.
func (s *sampler) add(m *registry.Model, j *features.Journey, cutoff int64) {
	if len(j.Events) > sampledEvents || len(s.queue) == cap(s.queue) || !s.limit.Allow() {
		return
	}
	c := features.Cutoff{Time: cutoff}
	for c.Events < len(j.Events) && j.Events[c.Events].Time <= cutoff {
		c.Events++
	}
	t := s.tracker(m)
	if t == nil {
		return
	}
	next := sample{t, j.Clone(c.Events), c}
	s.stopping.RLock()
	defer s.stopping.RUnlock()
	if s.stopped {
		return
	}
	select {
	case s.queue <- next:
	default:
	}
}

// tracker is that of the model's version: another version has other columns,
// and its drift is measured from the start. It is nil for a version that another
// has replaced, which requests may still use.
func (s *sampler) tracker(m *registry.Model) *tracker {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trackers[m.Name]
	if t == nil || t.version != m.Version {
		if t != nil && m.Loaded.Before(t.loaded) {
			return nil
		}
		t = &tracked{m.Version, m.Loaded, newTracker(m.Bundle.Schema, m.Bundle.Reference.Typical)}
		s.trackers[m.Name] = t
	}
	return t.tracker
}

func (s *sampler) report(model string) []Drift {
	s.mu.Lock()
	t := s.trackers[model]
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.report()
}
