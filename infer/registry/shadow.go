package registry

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"moments/features"
	"moments/infer"
)

// A Difference is what a shadow made of one journey, beside what the live
// version did.
type Difference struct {
	Model  string
	Live   string  // version
	Shadow string  // version
	Target string  // that both have, or infer.AnomalyTarget for the p-values of anomalies
	Before float64 // what the live version said
	After  float64 // what the shadow says
}

// A ShadowReport is what a shadow has come to so far.
type ShadowReport struct {
	Scored  uint64         `json:"scored"`          // journeys
	Dropped uint64         `json:"dropped"`         // journeys that found the queue full, or no shadow, or that changed before they were read
	Failed  uint64         `json:"failed"`          // journeys that the shadow could not score
	Error   string         `json:"error,omitempty"` // of the last that failed
	Targets []TargetReport `json:"targets"`
}

// A TargetReport compares the scores of one target.
type TargetReport struct {
	Target     string  `json:"target"`
	Scored     uint64  `json:"scored"`
	Difference float64 `json:"difference"` // mean of shadow minus live
	Absolute   float64 `json:"absolute"`   // mean of its size
	Largest    float64 `json:"largest"`    // its largest size
}

// defaultShadowQueue is how many journeys may wait for a shadow.
const defaultShadowQueue = 256

// Mirror hands the shadow of a model what its live version has scored. It
// copies what it keeps, waits for nothing, and does nothing for a model without
// a shadow or a version that is not live.
func (r *Registry) Mirror(m *Model, j *features.Journey, c features.Cutoff, s *infer.Score) {
	if !r.Mirrors(m) {
		return
	}
	job := mirroredOf(m, s)
	job.journey, job.cutoff = j.Clone(c.Events), c
	r.mirrors.add(job)
}

// MirrorLater is Mirror for a journey that is not at hand: read reads it when
// the shadow comes to it, or says that it is no longer the one that was scored.
func (r *Registry) MirrorLater(m *Model, read func() (j *features.Journey, c features.Cutoff, ok bool), s *infer.Score) {
	if !r.Mirrors(m) {
		return
	}
	job := mirroredOf(m, s)
	job.read = read
	r.mirrors.add(job)
}

// Mirrors says whether a shadow would score what this version of a model does.
func (r *Registry) Mirrors(m *Model) bool {
	if r.mirrors == nil {
		return false
	}
	offer := (*r.offered.Load())[m.Name]
	return offer != nil && offer.live == m && offer.shadow != nil
}

func mirroredOf(m *Model, s *infer.Score) *mirrored {
	return &mirrored{
		model: m.Name, live: m.Version, layout: &m.Bundle.Layout,
		targets: m.Bundle.Targets, probabilities: slices.Clone(s.Probabilities), anomaly: s.Anomaly,
	}
}

// A mirrored is a journey that waits for a shadow.
type mirrored struct {
	model, live   string
	layout        *features.Layout
	read          func() (*features.Journey, features.Cutoff, bool) // nil where the journey is at hand
	journey       features.Journey
	cutoff        features.Cutoff
	targets       []string
	probabilities []float32
	anomaly       float64
}

// A mirror scores with shadows, on one goroutine.
type mirror struct {
	registry *Registry
	queue    chan *mirrored
	done     chan struct{}
	stop     chan struct{}

	mu      sync.Mutex
	reports map[string]*ShadowReport
	dropped map[string]*atomic.Uint64 // by model; never changed
}

func newMirror(r *Registry) *mirror {
	size := r.options.ShadowQueue
	if size == 0 {
		size = defaultShadowQueue
	}
	m := &mirror{
		registry: r, queue: make(chan *mirrored, size), done: make(chan struct{}), stop: make(chan struct{}),
		reports: map[string]*ShadowReport{}, dropped: map[string]*atomic.Uint64{},
	}
	for name := range r.options.Shadows {
		m.reports[name], m.dropped[name] = &ShadowReport{}, &atomic.Uint64{}
	}
	go m.run()
	return m
}

func (m *mirror) add(job *mirrored) {
	select {
	case m.queue <- job:
	default:
		m.dropped[job.model].Add(1)
	}
}

// close waits for the journey at work; those that wait are dropped.
func (m *mirror) close() {
	close(m.stop)
	<-m.done
}

func (m *mirror) run() {
	defer close(m.done)
	for {
		select {
		case <-m.stop:
			return
		case job := <-m.queue:
			m.score(job)
		}
	}
}

// score scores one journey with the shadow that there is by now.
func (m *mirror) score(job *mirrored) {
	shadow := m.registry.shadowOf(job.model)
	if shadow == nil {
		m.dropped[job.model].Add(1)
		return
	}
	defer shadow.drop()
	if job.read != nil {
		j, c, ok := job.read()
		if !ok {
			m.dropped[job.model].Add(1)
			return
		}
		job.journey, job.cutoff = *j, c
	}
	job.translate(&shadow.Bundle.Layout)
	score, err := shadow.Scorer.ScoreJourney(&job.journey, job.cutoff)
	if err != nil {
		m.fail(job.model, err)
		return
	}
	differences := job.compare(shadow, &score)
	m.count(job.model, differences)
	if tell := m.registry.options.OnDifference; tell != nil {
		for _, d := range differences {
			tell(d)
		}
	}
}

// shadowOf acquires the shadow of a model; nil where there is none.
func (r *Registry) shadowOf(model string) *Model {
	for {
		o := (*r.offered.Load())[model]
		if o == nil || o.shadow == nil {
			return nil
		}
		if o.shadow.take() {
			return o.shadow
		}
	}
}

// compare lists what both versions have scored.
func (job *mirrored) compare(shadow *Model, s *infer.Score) []Difference {
	d := Difference{Model: job.model, Live: job.live, Shadow: shadow.Version}
	var all []Difference
	for i, target := range job.targets {
		if k := slices.Index(shadow.Bundle.Targets, target); k >= 0 {
			d.Target, d.Before, d.After = target, float64(job.probabilities[i]), float64(s.Probabilities[k])
			all = append(all, d)
		}
	}
	if job.anomaly == job.anomaly && s.Anomaly == s.Anomaly {
		d.Target, d.Before, d.After = infer.AnomalyTarget, job.anomaly, s.Anomaly
		all = append(all, d)
	}
	return all
}

// translate puts the journey's values in the order of another layout; what the
// live version's layout does not have, or has of another kind, is missing.
func (job *mirrored) translate(to *features.Layout) {
	from := job.layout
	if slices.Equal(from.Profile, to.Profile) && slices.Equal(from.Event, to.Event) {
		return
	}
	job.journey.Profile = reorder(job.journey.Profile, from.Profile, to.Profile)
	for i := range job.journey.Events {
		ev := &job.journey.Events[i]
		ev.Values = reorder(ev.Values, from.Event, to.Event)
	}
}

func reorder(values []features.Value, from, to []features.Field) []features.Value {
	if len(values) == 0 {
		return nil
	}
	moved := make([]features.Value, len(to))
	for i, field := range to {
		moved[i] = features.Missing()
		if at := slices.Index(from, field); at >= 0 {
			moved[i] = values[at]
		}
	}
	return moved
}

func (m *mirror) fail(model string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.reports[model]
	r.Failed++
	r.Error = err.Error()
}

// count adds to the report. Means are updated so that they need no sum that
// grows (Welford, 1962).
func (m *mirror) count(model string, differences []Difference) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.reports[model]
	r.Scored++
	for _, d := range differences {
		at := slices.IndexFunc(r.Targets, func(t TargetReport) bool { return t.Target == d.Target })
		if at < 0 {
			at = len(r.Targets)
			r.Targets = append(r.Targets, TargetReport{Target: d.Target})
		}
		t, x := &r.Targets[at], d.After-d.Before
		t.Scored++
		t.Difference += (x - t.Difference) / float64(t.Scored)
		t.Absolute += (math.Abs(x) - t.Absolute) / float64(t.Scored)
		t.Largest = max(t.Largest, math.Abs(x))
	}
}

// report is the report of one model; nil where it has no shadow.
func (m *mirror) report(model string) *ShadowReport {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.reports[model]
	if !ok {
		return nil
	}
	c := *r
	c.Targets, c.Dropped = slices.Clone(r.Targets), m.dropped[model].Load()
	return &c
}
