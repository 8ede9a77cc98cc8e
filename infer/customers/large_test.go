package customers

import (
	"errors"
	"math"
	"runtime"
	"testing"

	"moments/features"
)

// A journey of a million events is no burden to the next one: appending it reads
// no other, before and hardly any after the process was started anew.
func TestMillionEvents(t *testing.T) {
	events := 1_000_000
	if testing.Short() {
		events = 20_000
	}
	sc, dir := newScorer(t, 1), t.TempDir()
	s := open(t, dir, Options{})
	r := Request{Customer: "c", Events: make([]features.Event, 0, 10_000)}
	for i := range events {
		if r.Events = append(r.Events, minuteEvent(i)); len(r.Events) == cap(r.Events) {
			appendTo(t, s, sc, r)
			r.Events = r.Events[:0]
		}
	}
	r.Events, r.At = []features.Event{minuteEvent(events)}, later
	before := s.Stats()
	last := appendTo(t, s, sc, r)
	if after := s.Stats(); after.Replayed != before.Replayed || last.Info.Events != events+1 {
		t.Errorf("appending one event to %d read %d others", last.Info.Events, after.Replayed-before.Replayed)
	}
	if _, err := s.Journey(t.Context(), sc, "c", 100_000); events > 100_000 && !errors.Is(err, ErrTooLong) {
		t.Errorf("reading all of them: got error %v", err)
	}
	shut(t, s)
	s = open(t, dir, Options{})
	score, info, err := s.Score(t.Context(), sc, "c", later)
	if err != nil || info.Events != events+1 || !same(&score, &last.Score) {
		t.Errorf("after a new start: %+v of %+v, error %v, want %+v", score, info, err, last.Score)
	}
	if got := s.Stats().Replayed; got > mostReplayed {
		t.Errorf("after a new start %d events were read, want at most %d", got, mostReplayed)
	}
	// The store's own work in the background allocates, too: the least of several counts.
	heap := uint64(math.MaxUint64)
	for i := range 10 {
		r.Events[0] = minuteEvent(events + 1 + i)
		heap = min(heap, allocated(func() { appendTo(t, s, sc, r) }))
	}
	if heap > 1<<20 {
		t.Errorf("appending one event to %d allocated at least %d bytes", events, heap)
	}
}

// allocated counts the bytes that something allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A hundred thousand customers, of whom memory holds a few.
func TestHundredThousandCustomers(t *testing.T) {
	customers := 100_000
	if testing.Short() {
		customers = 2_000
	}
	sc, dir := newScorer(t, 1), t.TempDir()
	s := open(t, dir, Options{CacheBytes: 8 << 20})
	j := longJourney("", 3)
	for c := range customers {
		appendTo(t, s, sc, Request{Customer: customer(c), Profile: j.Profile, Events: j.Events})
	}
	if got := s.Stats(); got.Customers != int64(customers) || got.CacheBytes > 8<<20 || got.Cached > 4000 {
		t.Errorf("got %+v", got)
	}
	shut(t, s)
	s = open(t, dir, Options{CacheBytes: 8 << 20})
	next := 0
	for info, err := range s.Customers(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Customer != customer(next) || info.Events != 3 {
			t.Fatalf("customer %d is %+v", next, info)
		}
		next++
	}
	if got := s.Stats().Customers; next != customers || got != int64(customers) {
		t.Errorf("%d customers were listed and %d counted, want %d", next, got, customers)
	}
	for c := 0; c < customers; c += customers / 50 {
		one := *j
		one.Customer = customer(c)
		checkScore(t, s, sc, &one)
	}
}
