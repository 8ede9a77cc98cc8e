package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"moments/infer/registry"
)

// A modelCollector reads the figures of models when they are asked for, so that
// models that are gone leave none behind.
type modelCollector Metrics

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	modelReady    = describe("model_ready", "1 where the model can score.", "model")
	modelRefused  = describe("model_refused", "1 where what the model's folder holds now was refused.", "model")
	modelInfo     = describe("model_info", "1, with the version that is live.", "model", "kind", "version", "shadow")
	modelLoaded   = describe("model_loaded_timestamp_seconds", "When the live version was ready.", "model")
	modelVersions = describe("model_versions_in_memory", "Versions in memory, those among them that requests still use.")
	shadowScored  = describe("shadow_scored_total", "Journeys that the shadow has scored.", "model")
	shadowDropped = describe("shadow_dropped_total", "Journeys that found the shadow's queue full.", "model")
	shadowFailed  = describe("shadow_failed_total", "Journeys that the shadow could not score.", "model")
	modelDrift    = describe("feature_drift_psi", "Largest population stability index among the columns of a group, against training.", "model", "group")
)

// Describe lists the figures.
func (c *modelCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{modelReady, modelRefused, modelInfo, modelLoaded, modelVersions, shadowScored, shadowDropped, shadowFailed, modelDrift} {
		to <- d
	}
}

// Collect reads them.
func (c *modelCollector) Collect(to chan<- prometheus.Metric) {
	r := c.models.Load()
	if r == nil {
		return
	}
	gauge := func(d *prometheus.Desc, x float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x, labels...)
	}
	gauge(modelVersions, float64(r.Loaded()))
	for _, e := range r.Index() {
		gauge(modelReady, oneIf(e.Ready), e.Name)
		gauge(modelRefused, oneIf(e.Ready && e.Reason != ""), e.Name)
		if !e.Ready {
			continue
		}
		gauge(modelInfo, 1, e.Name, string(e.Kind), e.Version, e.Shadow)
		gauge(modelLoaded, float64(e.Loaded.UnixNano())/1e9, e.Name)
		for group, psi := range largestByGroup(c.sampler.report(e.Name)) {
			gauge(modelDrift, psi, e.Name, group)
		}
		collectShadow(to, &e)
	}
}

func collectShadow(to chan<- prometheus.Metric, e *registry.Entry) {
	if e.Compare == nil {
		return
	}
	for d, n := range map[*prometheus.Desc]uint64{shadowScored: e.Compare.Scored, shadowDropped: e.Compare.Dropped, shadowFailed: e.Compare.Failed} {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), e.Name)
	}
}

func largestByGroup(drifts []Drift) map[string]float64 {
	largest := map[string]float64{}
	for _, d := range drifts {
		largest[d.Group] = max(largest[d.Group], d.PSI)
	}
	return largest
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
