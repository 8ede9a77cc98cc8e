package serve

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"moments/infer/internal/testbundle"
)

// nowhere takes an answer and keeps nothing.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(status int)      { n.status = status }

// BenchmarkScore is one request of about ten events, past the network: what the
// server adds to the scorer's own time, which BenchmarkScorer measures.
func BenchmarkScore(b *testing.B) {
	f := newFixture(b, nil)
	j := long(b)
	body := []byte(journeyJSON(&j, ""))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		reader := bytes.NewReader(nil)
		w := &nowhere{header: http.Header{}}
		for pb.Next() {
			reader.Reset(body)
			f.post(w, "/v1/score", reader)
		}
	})
}

// post sends a body that is to be answered with 200.
func (f *fixture) post(w *nowhere, path string, body *bytes.Reader) {
	r, err := http.NewRequest("POST", path, io.NopCloser(body))
	check(f.t, err)
	r.ContentLength = int64(body.Len())
	r.Header.Set("Content-Type", "application/json")
	if f.Handler().ServeHTTP(w, r); w.status != 200 {
		f.t.Fatal(w.status)
	}
}

// BenchmarkScorer scores the journey of BenchmarkScore without the server.
func BenchmarkScorer(b *testing.B) {
	f := newFixture(b, nil)
	j, m := long(b), f.model()
	cut := atEnd(&j)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := m.Scorer.ScoreJourney(&j, cut); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAppend is one event of a stored customer, past the network.
func BenchmarkAppend(b *testing.B) {
	f := newFixture(b, nil)
	event := testbundle.Journeys(3, 1)[0]
	event.Events = long(b).Events[:1]
	body := []byte(`{"events": ` + eventsJSON(event.Events) + `}`)
	b.ReportAllocs()
	w, reader := &nowhere{header: http.Header{}}, bytes.NewReader(nil)
	for b.Loop() {
		reader.Reset(body)
		f.post(w, "/v1/customers/c17/events", reader)
	}
}
