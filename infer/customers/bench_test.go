package customers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"moments/features"
	"moments/infer"
)

// BenchmarkAppend stores one event and scores the journey: the time of each call
// in the process, for customers of 20 events, and for one of 5,000, whose state
// is as large as states get.
func BenchmarkAppend(b *testing.B) {
	sc := newScorer(b, 1)
	for _, o := range []Options{{Sync: OS}, {Sync: Always}} {
		for name, events := range map[string]int{"short": 20, "long": 5000} {
			b.Run(fmt.Sprintf("sync=%s/%s", o.Sync, name), func(b *testing.B) {
				customers := 1000
				if events > 1000 {
					customers = 1
				}
				s := open(b, b.TempDir(), o)
				fill(b, s, sc, customers, events)
				appendEach(b, s, sc, customers)
			})
		}
	}
}

// fill stores customers of so many events.
func fill(b *testing.B, s *Store, sc *infer.Scorer, customers, events int) {
	b.Helper()
	for c := range customers {
		j := longJourney(customer(c), events)
		appendTo(b, s, sc, Request{Customer: j.Customer, Profile: j.Profile, Events: j.Events})
	}
}

func customer(c int) string { return fmt.Sprintf("customer-%07d", c) }

// appendEach appends to customers at random and reports percentiles.
func appendEach(b *testing.B, s *Store, sc *infer.Scorer, customers int) {
	random := rand.New(rand.NewPCG(1, 1))
	r := Request{Events: make([]features.Event, 1)}
	var times []time.Duration
	next := 1 << 20
	for b.Loop() {
		r.Customer, r.Events[0] = customer(random.IntN(customers)), minuteEvent(next)
		r.At, next = r.Events[0].Time, next+1
		start := time.Now()
		_, err := s.Append(b.Context(), sc, &r)
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
