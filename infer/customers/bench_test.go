package customers

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"moments/features"
	"moments/infer"
	"moments/weights"
)

// benchBundle in the environment names a bundle to measure with, instead of a
// small one. docs/benchmarks/customers.sh sets it.
const benchBundle = "MOMENTS_BENCH_BUNDLE"

// A workload is a scorer, and events that it can read.
type workload struct {
	scorer *infer.Scorer
	types  []string
	layout *features.Layout
}

func newWorkload(b *testing.B) *workload {
	b.Helper()
	path := os.Getenv(benchBundle)
	if path == "" {
		sc := newScorer(b, 1)
		return &workload{sc, []string{"visit", "purchase"}, sc.Layout()}
	}
	bundle, err := weights.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	sc, err := infer.NewScorer(bundle, infer.ScorerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return &workload{sc, bundle.Schema.Types, sc.Layout()}
}

// values draws numbers of four digits and one of a few levels.
func values(random *rand.Rand, fields []features.Field) []features.Value {
	row := make([]features.Value, len(fields))
	for i, f := range fields {
		if row[i] = features.Number(float64(random.IntN(10_000)) / 100); f.Kind == features.Categorical {
			row[i] = features.Text(fmt.Sprint("level ", random.IntN(8)))
		}
	}
	return row
}

// events draws so many, hours apart, from the given one on.
func (w *workload) events(random *rand.Rand, from, n int) []features.Event {
	list := make([]features.Event, n)
	for i := range list {
		at := int64(from+i)*3*features.Hour + random.Int64N(features.Hour)
		list[i] = features.Event{Time: 1.6e15 + at, Type: w.types[random.IntN(len(w.types))], Values: values(random, w.layout.Event)}
	}
	return list
}

// fill stores customers of so many events.
func (w *workload) fill(b *testing.B, s *Store, customers, events int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for c := range customers {
		appendTo(b, s, w.scorer, Request{Customer: customer(c), Profile: values(random, w.layout.Profile), Events: w.events(random, 0, events)})
	}
}

// BenchmarkAppend stores one event and scores the journey: what a call takes in
// the process, for customers of 20 events and for one of 5,000, whose state is
// as large as states get; and beside it, what the score alone takes.
func BenchmarkAppend(b *testing.B) {
	w := newWorkload(b)
	for _, sync := range []Sync{OS, Interval, Always} {
		for _, events := range []int{20, 5000} {
			s := open(b, b.TempDir(), Options{Sync: sync})
			customers := 20_000 / events
			w.fill(b, s, customers, events)
			next := events
			b.Run(fmt.Sprintf("append/sync=%s/events=%d", sync, events), func(b *testing.B) {
				random := rand.New(rand.NewPCG(1, 3))
				r := Request{Events: w.events(random, 0, 1)}
				percentiles(b, func() error {
					next++
					r.Customer, r.Events[0].Time = customer(random.IntN(customers)), 1.6e15+int64(next)*3*features.Hour
					r.At = r.Events[0].Time
					_, err := s.Append(b.Context(), w.scorer, &r)
					return err
				})
			})
			if sync != OS {
				continue
			}
			b.Run(fmt.Sprintf("score/sync=%s/events=%d", sync, events), func(b *testing.B) {
				random := rand.New(rand.NewPCG(1, 4))
				percentiles(b, func() error {
					_, _, err := s.Score(b.Context(), w.scorer, customer(random.IntN(customers)), 1.9e15)
					return err
				})
			})
		}
	}
}

// percentiles reports those of the time of a call.
func percentiles(b *testing.B, call func() error) {
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		err := call()
		times = append(times, time.Since(start))
		if err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(times)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(times[len(times)*p/100].Nanoseconds())/1e3, fmt.Sprintf("p%d-µs", p))
	}
}

// BenchmarkHundredThousandCustomers stores as many, of 20 events each, and
// reports the bytes that one takes: on disk, as it comes and once the database
// has put it in order, and in memory, where it is followed; and how long the
// store takes to open. Run it once: -benchtime 1x.
func BenchmarkHundredThousandCustomers(b *testing.B) {
	const customers, events = 100_000, 20
	w := newWorkload(b)
	for b.Loop() {
		dir := b.TempDir()
		s := open(b, dir, Options{})
		start := time.Now()
		w.fill(b, s, customers, events)
		b.ReportMetric(customers/time.Since(start).Seconds(), "customers/s")
		stats := s.Stats()
		b.ReportMetric(float64(stats.CacheBytes)/float64(stats.Cached), "memory-B/customer")
		shut(b, s)
		b.ReportMetric(float64(onDisk(b, dir))/customers, "disk-B/customer")

		start = time.Now()
		s = open(b, dir, Options{})
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "open-ms")
		if err := s.db.Compact(b.Context(), []byte{0}, []byte{0xff}, false); err != nil {
			b.Fatal(err)
		}
		shut(b, s)
		b.ReportMetric(float64(onDisk(b, dir))/customers, "compacted-B/customer")
	}
}

// onDisk is the size of a store without the reserve.
func onDisk(b *testing.B, dir string) (bytes int64) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			b.Fatal(err)
		}
		if e.Name() != reserveName {
			bytes += info.Size()
		}
	}
	return bytes
}
