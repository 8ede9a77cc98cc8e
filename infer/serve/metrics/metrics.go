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
	"net/http"
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
	set      *prometheus.Registry
	requests *prometheus.HistogramVec // by route and code
	active   prometheus.Gauge
	waits    prometheus.Histogram
	batches  prometheus.Histogram
	refused  *prometheus.CounterVec
	scores   *prometheus.HistogramVec
	changes  *prometheus.HistogramVec

	models  atomic.Pointer[registry.Registry]
	routes  sync.Map // *window by route
	sampler sampler
}

// New returns metrics of a server that has done nothing yet. Close them.
func New() *Metrics {
	m := &Metrics{
		set:      prometheus.NewRegistry(),
		requests: histograms("request_duration_seconds", "Time to answer a request, by route and status code.", latencyBuckets, "route", "code"),
		active:   prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "requests_active", Help: "Requests that are being answered."}),
		waits:    histogram("queue_wait_seconds", "Time that requests waited for a worker.", latencyBuckets),
		batches:  histogram("batch_journeys", "Journeys that were scored at once.", batchBuckets),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "requests_refused_total", Help: "Requests that were turned away, by reason."}, []string{"reason"}),
		scores:   histograms("score", "Scores, by model and target: calibrated probabilities and, of the anomaly, p-values.", shareBuckets, "model", "target"),
		changes:  histograms("shadow_difference", "Score of the shadow minus that of the live version, by model and target.", changeBuckets, "model", "target"),
	}
	m.sampler.start()
	m.set.MustRegister(m.requests, m.active, m.waits, m.batches, m.refused, m.scores, m.changes, (*modelCollector)(m),
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

// Route counts and times the requests that a handler answers. route is what the
// server calls it, without what a client chooses, such as customers' names.
func (m *Metrics) Route(route string, next http.Handler) http.Handler {
	t := m.Timer(route)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := statusWriter{ResponseWriter: w, code: http.StatusOK}
		m.active.Inc()
		began := time.Now()
		defer func() {
			m.active.Dec()
			t.Ended(strconv.Itoa(status.code), status.code >= 500, time.Since(began))
		}()
		next.ServeHTTP(&status, r)
	})
}

// A statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	code    int
	written bool
}

func (w *statusWriter) WriteHeader(code int) {
	if !w.written {
		w.code, w.written = code, code >= 200
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.written = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is behind.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A Timer counts and times the calls of one route, for those that no Route
// wraps, such as gRPC's.
type Timer struct {
	metrics *Metrics
	route   string
	window  *window
	codes   sync.Map // prometheus.Observer by code
}

// Timer returns a timer; those of one route share their figures.
func (m *Metrics) Timer(route string) *Timer {
	w, _ := m.routes.LoadOrStore(route, &window{})
	return &Timer{metrics: m, route: route, window: w.(*window)}
}

// Ended counts a call. code is the protocol's, one of few; failed says that the
// server is to blame.
func (t *Timer) Ended(code string, failed bool, took time.Duration) {
	o, ok := t.codes.Load(code)
	if !ok {
		o, _ = t.codes.LoadOrStore(code, t.metrics.requests.WithLabelValues(t.route, code))
	}
	o.(prometheus.Observer).Observe(took.Seconds())
	t.window.add(time.Now(), took, failed)
}

// Waited counts the time that work waited in a queue.
func (m *Metrics) Waited(d time.Duration) { m.waits.Observe(d.Seconds()) }

// Batch counts journeys that were scored at once.
func (m *Metrics) Batch(journeys int) { m.batches.Observe(float64(journeys)) }

// Refused counts a request that was turned away. reason is one of few words.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Scored counts a score of a bundle.
func (m *Metrics) Scored(model *registry.Model, s *infer.Score) {
	for t, p := range s.Probabilities {
		m.scores.WithLabelValues(model.Name, model.Bundle.Targets[t]).Observe(float64(p))
	}
	if s.Anomaly == s.Anomaly { // there is a detector
		m.scores.WithLabelValues(model.Name, infer.AnomalyTarget).Observe(s.Anomaly)
	}
}

// Difference counts what a shadow made of a journey.
func (m *Metrics) Difference(d registry.Difference) {
	m.changes.WithLabelValues(d.Model, d.Target).Observe(d.After - d.Before)
}

// Journey looks at a journey that a bundle has scored: it measures drift on a
// sample, and copies and encodes no more than fifty journeys a second.
func (m *Metrics) Journey(model *registry.Model, j *features.Journey, c features.Cutoff) {
	m.sampler.add(model, j, c)
}

// Drift is how far a model's columns have drifted, the farthest first; nil
// before enough journeys.
func (m *Metrics) Drift(model string) []Drift { return m.sampler.report(model) }

// Latencies are those of the last minute, of the routes that were asked for, in
// the order given.
func (m *Metrics) Latencies(routes ...string) []Latency {
	now := time.Now()
	var all []Latency
	for _, route := range routes {
		if w, ok := m.routes.Load(route); ok {
			l := w.(*window).read(now)
			l.Route = route
			all = append(all, l)
		}
	}
	return all
}
