package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moments/infer"
	"moments/infer/internal/testbundle"
	"moments/infer/registry"
)

// scrape is what Prometheus reads.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(answer.Result().Body)
	if err != nil || answer.Code != http.StatusOK {
		t.Fatalf("status %d, %v:\n%s", answer.Code, err, text)
	}
	return string(text)
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "moments_") && !strings.Contains(line, "_bucket") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

func TestRequestsAreCountedAndTimed(t *testing.T) {
	m := New()
	defer m.Close()
	for _, status := range []int{200, 200, 400, 503} {
		m.Request("POST /v1/score", status, 3*time.Millisecond)
	}
	for i := range 2 * maxRoutes {
		m.Request(fmt.Sprint("GET /", i), 200, 0)
	}
	text := scrape(t, m)
	wantLines(t, text,
		`moments_request_duration_seconds_count{code="200",route="POST /v1/score"} 2`,
		`moments_request_duration_seconds_sum{code="200",route="POST /v1/score"} 0.006`,
		`moments_request_duration_seconds_count{code="400",route="POST /v1/score"} 1`,
		`moments_request_duration_seconds_count{code="503",route="POST /v1/score"} 1`)
	if n := strings.Count(text, "moments_request_duration_seconds_count"); n != len(m.Latencies())+2 || n > maxRoutes+3 {
		t.Errorf("%d series of %d routes, want %d routes at most", n, len(m.Latencies()), maxRoutes+1)
	}
}

func TestFiguresOfTheServer(t *testing.T) {
	m := New()
	defer m.Close()
	m.Active(1)
	m.Active(1)
	m.Active(-1)
	m.Waited(2 * time.Millisecond)
	m.Batch(3, time.Millisecond)
	m.Gauge("queue_length", "Requests that wait.", func() float64 { return 7 })
	m.Counter("customers_expired_total", "Customers deleted for their age.", func() float64 { return 9 })
	wantLines(t, scrape(t, m), `moments_requests_active 1`, `moments_queue_wait_seconds_sum 0.002`, `moments_batch_journeys_bucket{le="4"} 1`, `moments_batch_journeys_bucket{le="2"} 0`,
		`moments_batch_duration_seconds_sum 0.001`, `moments_queue_length 7`, `moments_customers_expired_total 9`)
}

// served is a registry with a shadow, followed by metrics.
func served(t *testing.T) (*Metrics, *registry.Registry) {
	t.Helper()
	dir := t.TempDir()
	testbundle.Save(t, 1, dir+"/live/loans")
	testbundle.Save(t, 2, dir+"/shadow")
	m := New()
	t.Cleanup(m.Close)
	r, err := registry.Open(t.Context(), []string{dir + "/live"}, registry.Options{
		Workers: 1, Shadows: map[string]string{"loans": dir + "/shadow"}, OnDifference: m.Difference,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	m.Follow(r)
	return m, r
}

func TestScoresShadowsAndDrift(t *testing.T) {
	m, r := served(t)
	model, release, err := r.Acquire("loans", "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	journeys := testbundle.Journeys(1, 120)
	for i := range 10 {
		j, c := &journeys[i], testbundle.Cutoff(&journeys[i])
		s, err := model.Scorer.ScoreJourney(j, c)
		if err != nil {
			t.Fatal(err)
		}
		m.Scored(model, j, &s)
		r.Mirror(model, j, c, &s)
	}
	r.Close() // what has been mirrored may be dropped
	m.Close() // waits for the sample
	if err := os.RemoveAll(filepath.Dir(model.Path)); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, m)
	wantLines(t, text,
		`moments_score_count{model="loans",target="conversion"} 10`,
		`moments_score_count{model="loans",target="churn"} 10`,
		`moments_score_count{model="loans",target="anomaly"} 10`,
		`moments_model_ready{model="loans"} 0`)
}

func TestModelsAreShown(t *testing.T) {
	m, r := served(t)
	e := r.Index()[0]
	wantLines(t, scrape(t, m),
		`moments_model_ready{model="loans"} 1`, `moments_model_refused{model="loans"} 0`, `moments_model_versions_in_memory 2`,
		fmt.Sprintf(`moments_model_info{kind="bundle",model="loans",shadow=%q,version=%q} 1`, e.Shadow, e.Version),
		`moments_shadow_scored_total{model="loans"} 0`)
}

// The sample is bounded: a burst, then no more.
func TestSampleIsBounded(t *testing.T) {
	m, r := served(t)
	model, release, err := r.Acquire("loans", "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	j := testbundle.Journeys(1, 1)[0]
	for range 20_000 {
		m.Scored(model, &j, &infer.Score{Cutoff: testbundle.Cutoff(&j).Time})
	}
	m.Close()
	m.Scored(model, &j, &infer.Score{}) // comes too late, and nothing happens
	tr := m.sampler.tracker(model)
	if tr.seen == 0 || tr.seen > 2*sampleBurst {
		t.Errorf("%d journeys of 20000 were taken, want some, and about %d at most", tr.seen, sampleBurst)
	}
	for i, text := range []string{scrape(t, m)} {
		if strings.Contains(text, "c00000") {
			t.Errorf("%d: a customer's name is among the metrics", i)
		}
	}
}

func Example() {
	m := New()
	defer m.Close()
	m.Request("POST /v1/score", http.StatusOK, 300*time.Microsecond)
	http.Handle("GET /metrics", m.Handler())
}
