package page

import (
	"net/http"

	"moments/features"
	"moments/infer/registry"
	"moments/infer/serve/metrics"
)

// Live is how the server is doing now: the answer to GET /page/live.
type Live struct {
	Routes []metrics.Latency `json:"routes"`
	Models []LiveModel       `json:"models"`
}

// A LiveModel is how one model is doing.
type LiveModel struct {
	Name   string                 `json:"name"`
	Drift  []metrics.Drift        `json:"drift"`            // the columns that moved farthest; null before enough journeys were scored
	Shadow *registry.ShadowReport `json:"shadow,omitempty"` // what it made of the same journeys
}

// mostDrifts is how many columns are shown.
const mostDrifts = 5

func newLive(r *registry.Registry, m *metrics.Metrics) Live {
	live := Live{Routes: m.Latencies(), Models: []LiveModel{}}
	for _, e := range r.Index() {
		drift := m.Drift(e.Name)
		live.Models = append(live.Models, LiveModel{e.Name, drift[:min(mostDrifts, len(drift))], e.Compare})
	}
	return live
}

// Form is what helps to fill in a journey: the answer to GET /page/form.
type Form struct {
	Profile []Field `json:"profile"`
	Event   []Field `json:"event"`
}

// A Field is what training knew of one column.
type Field struct {
	Name    string   `json:"name"`
	Levels  []string `json:"levels"`  // frequent ones first; of a categorical column
	Typical *float64 `json:"typical"` // of a numeric column: its median; null where it is not known
}

// mostLevels is how many levels are suggested.
const mostLevels = 50

func serveForm(w http.ResponseWriter, q *http.Request, r *registry.Registry) {
	m, release, err := r.Acquire(q.URL.Query().Get("model"), "")
	if err == nil && m.Bundle == nil {
		release()
		err = registry.ErrUnknown
	}
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		writeJSON(w, map[string]string{"error": err.Error()})
		return
	}
	defer release()
	medians, typical := map[string]float64{}, m.Bundle.Reference.Typical.Numeric
	for i, c := range m.Bundle.Schema.Columns() {
		if i < len(typical) && typical[i] == typical[i] {
			medians[c.Name] = float64(typical[i])
		}
	}
	writeJSON(w, Form{
		Profile: fields(m.Bundle.Schema.Profile, medians, ""),
		Event:   fields(m.Bundle.Schema.Attributes, medians, "/last"),
	})
}

// fields describes fields; suffix leads from a numeric field to the column whose
// median is a typical value of it.
func fields(summaries []features.FieldSummary, medians map[string]float64, suffix string) []Field {
	all := []Field{}
	for _, s := range summaries {
		f := Field{Name: s.Name, Levels: append([]string{}, s.Levels[:min(mostLevels, len(s.Levels))]...)}
		column := s.Name
		if suffix != "" {
			column = "attribute:" + s.Name + suffix
		}
		if median, ok := medians[column]; ok {
			f.Typical = &median
		}
		all = append(all, f)
	}
	return all
}
