// Package metrics says how a server is doing: to Prometheus, and to the page
// that people look at. It counts requests and their latency by route, what
// waits and what is refused, the sizes of batches, the distribution of scores,
// what a shadow makes of the same journeys, and how far the journeys that are
// scored have drifted from those of training.
//
// It keeps figures only, never journeys or customers' names: what drift is
// measured on is let go once it is counted. It exposes nothing by itself; its
// handlers are for package serve to mount.
package metrics

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"moments/features"
	"moments/infer"
	"moments/infer/registry"
)

// namespace begins every metric's name.
const namespace = "moments"

// Buckets of the histograms.
var (
	latencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	batchBuckets   = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
	shareBuckets   = []float64{.01, .02, .05, .1, .15, .2, .25, .3, .35, .4, .45, .5, .55, .6, .65, .7, .75, .8, .85, .9, .95, .98, .99}
	changeBuckets  = []float64{-.5, -.25, -.1, -.05, -.02, -.01, -.005, -.001, .001, .005, .01, .02, .05, .1, .25, .5}
)

// Metrics are the figures of one server. Goroutines share them.
type Metrics struct {
	set        *prometheus.Registry
	requests   *prometheus.HistogramVec // by route and code
	active     prometheus.Gauge
	waits      prometheus.Histogram
	batches    prometheus.Histogram
	batchTimes prometheus.Histogram
	scores     *prometheus.HistogramVec
	changes    *prometheus.HistogramVec

	models     atomic.Pointer[registry.Registry]
	routes     sync.Map // *route by name
	routeCount atomic.Int64
	sampler    sampler
}

// New returns metrics of a server that has done nothing yet. Close them.
func New() *Metrics {
	m := &Metrics{
		set:        prometheus.NewRegistry(),
		requests:   histograms("request_duration_seconds", "Time to answer a request, by route and status code.", latencyBuckets, "route", "code"),
		active:     prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "requests_active", Help: "Requests that are being answered."}),
		waits:      histogram("queue_wait_seconds", "Time that requests waited for a worker.", latencyBuckets),
		batches:    histogram("batch_journeys", "Journeys that were scored at once.", batchBuckets),
		batchTimes: histogram("batch_duration_seconds", "Time to score journeys at once.", latencyBuckets),
		scores:     histograms("score", "Scores, by model and target: calibrated probabilities and, of the anomaly, p-values.", shareBuckets, "model", "target"),
		changes:    histograms("shadow_difference", "Score of the shadow minus that of the live version, by model and target.", changeBuckets, "model", "target"),
	}
	m.sampler.start()
	m.set.MustRegister(m.requests, m.active, m.waits, m.batches, m.batchTimes, m.scores, m.changes, (*modelCollector)(m),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// Close ends the goroutine that measures drift.
func (m *Metrics) Close() { m.sampler.close() }

// Follow adds the figures of a registry's models. Its Options.OnDifference is to
// be [Metrics.Difference].
func (m *Metrics) Follow(r *registry.Registry) { m.models.Store(r) }

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.set, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

// Gauge adds a figure that value reads whenever it is asked for, such as the
// length of a queue. name is without the namespace.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.set.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, value))
}

// Counter is Gauge of a count that only grows, whose name ends in _total.
func (m *Metrics) Counter(name, help string, value func() float64) {
	m.set.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, value))
}

// Request counts and times a request that has been answered, however it came.
// route is what the server calls it, without what a client chooses, such as
// customers' names; status is as HTTP has it.
func (m *Metrics) Request(route string, status int, took time.Duration) {
	r := m.route(route)
	o, ok := r.observers.Load(status)
	if !ok {
		o, _ = r.observers.LoadOrStore(status, m.requests.WithLabelValues(r.name, strconv.Itoa(status)))
	}
	o.(prometheus.Observer).Observe(took.Seconds())
	r.window.add(time.Now(), took, status >= 500)
}

// A route is what requests of one kind have in common.
type route struct {
	name      string
	window    window
	observers sync.Map // prometheus.Observer by status
}

// maxRoutes bounds the memory that unforeseen names take.
const maxRoutes = 200

func (m *Metrics) route(name string) *route {
	if r, ok := m.routes.Load(name); ok {
		return r.(*route)
	}
	if m.routeCount.Add(1) > maxRoutes {
		name = "other"
	}
	r, _ := m.routes.LoadOrStore(name, &route{name: name})
	return r.(*route)
}

// Active counts the requests that are being answered: 1 when one begins, -1 when
// it ends.
func (m *Metrics) Active(n float64) { m.active.Add(n) }

// Waited counts the time that a request waited for its turn.
func (m *Metrics) Waited(d time.Duration) { m.waits.Observe(d.Seconds()) }

// Batch counts journeys that were scored at once.
func (m *Metrics) Batch(journeys int, took time.Duration) {
	m.batches.Observe(float64(journeys))
	m.batchTimes.Observe(took.Seconds())
}

// Scored counts the score of a bundle. On a sample of the journeys, at most
// fifty a second, it measures drift; j is copied, and nil where the journey is
// not at hand.
func (m *Metrics) Scored(model *registry.Model, j *features.Journey, s *infer.Score) {
	for t, p := range s.Probabilities {
		m.scores.WithLabelValues(model.Name, model.Bundle.Targets[t]).Observe(float64(p))
	}
	if s.Anomaly == s.Anomaly { // there is a detector
		m.scores.WithLabelValues(model.Name, infer.AnomalyTarget).Observe(s.Anomaly)
	}
	if j != nil {
		m.sampler.add(model, j, s.Cutoff)
	}
}

// Difference counts what a shadow made of a journey.
func (m *Metrics) Difference(d registry.Difference) {
	m.changes.WithLabelValues(d.Model, d.Target).Observe(d.After - d.Before)
}

// Drift is how far a model's columns have drifted, the farthest first; nil
// before enough journeys.
func (m *Metrics) Drift(model string) []Drift { return m.sampler.report(model) }

// Latencies are those of the last minute, by route.
func (m *Metrics) Latencies() []Latency {
	now := time.Now()
	var all []Latency
	for name, r := range m.routes.Range {
		l := r.(*route).window.read(now)
		l.Route = name.(string)
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Latency) int { return cmp.Compare(a.Route, b.Route) })
	return all
}
