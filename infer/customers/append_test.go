package customers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"moments/features"
	"moments/infer"
)

func TestAppendRefuses(t *testing.T) {
	sc, s := newScorer(t, 1), open(t, t.TempDir(), Options{})
	appendTo(t, s, sc, Request{Customer: "known", Events: []features.Event{minuteEvent(5)}})
	long := strings.Repeat("x", maxText+1)
	rows := map[string]struct {
		request Request
		is      error
		want    string
	}{
		"no id":           {Request{Events: []features.Event{minuteEvent(1)}}, ErrInvalid, "customer's id of 0 bytes, want 1 to 512"},
		"long id":         {Request{Customer: long}, ErrInvalid, "customer's id of 65537 bytes"},
		"zero byte":       {Request{Customer: "a\x00b"}, ErrInvalid, "without a zero byte"},
		"no UTF-8":        {Request{Customer: "a\xff"}, ErrInvalid, "want UTF-8"},
		"ids":             {Request{Customer: "x", IDs: []string{"a"}}, ErrInvalid, "1 ids of 0 events"},
		"profile":         {Request{Customer: "x", Profile: make([]features.Value, 2)}, ErrInvalid, "profile: 2 values, want 3"},
		"long text":       {Request{Customer: "x", Profile: []features.Value{{}, features.Text(long), {}}}, ErrInvalid, "city has 65537 bytes, want at most 65536"},
		"values":          {Request{Customer: "x", Events: []features.Event{{Values: make([]features.Value, 3)}}}, ErrInvalid, "event 0: 3 values, want 2"},
		"type":            {Request{Customer: "x", Events: []features.Event{{Type: long}}}, ErrInvalid, "event 0: type of 65537 bytes"},
		"late":            {Request{Customer: "known", Events: []features.Event{minuteEvent(6), minuteEvent(4)}}, ErrLate, "event 1 at 1700000240000000 microseconds is older than the customer's last at 1700000300000000"},
		"nothing":         {Request{Customer: "x"}, ErrUnknown, "neither an event nor a profile"},
		"missing profile": {Request{Customer: "x", Profile: []features.Value{features.Missing(), features.Missing(), features.Missing()}}, ErrUnknown, "neither an event nor a profile"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			_, err := s.Append(t.Context(), sc, &row.request)
			if !errors.Is(err, row.is) || !strings.Contains(fmt.Sprint(err), row.want) {
				t.Errorf("got error %v, want %q", err, row.want)
			}
		})
	}
	if got := s.Stats(); got.Customers != 1 || got.Events != 1 || got.Appends != 1 {
		t.Errorf("refused requests left %+v", got)
	}
	if _, _, err := s.Score(t.Context(), sc, "x", 0); !errors.Is(err, ErrUnknown) {
		t.Errorf("a customer that was refused: got error %v", err)
	}
}

// An event whose id is known is stored once, whenever it comes again.
func TestRetriesAreStoredOnce(t *testing.T) {
	sc, dir := newScorer(t, 1), t.TempDir()
	s := open(t, dir, Options{})
	j := longJourney("c", 6)
	j.Profile = nil
	first := Request{Customer: "c", Events: j.Events[:4], IDs: []string{"a", "", "b", strings.Repeat("long", 1000)}}
	appendTo(t, s, sc, first)
	shut(t, s)
	s = open(t, dir, Options{})
	j.Events = slices.Insert(j.Events, 2, j.Events[1]) // the event without an id is new each time
	again := Request{Customer: "c", Events: first.Events, IDs: first.IDs, Late: true}
	if got := appendTo(t, s, sc, again); got.Duplicates != 3 || got.Stored != 1 || got.Info.Events != 5 {
		t.Errorf("again: %+v, want 3 duplicates and 1 stored", got)
	}
	more := Request{Customer: "c", Events: j.Events[5:], IDs: []string{"d", "d"}}
	if got := appendTo(t, s, sc, more); got.Duplicates != 1 || got.Stored != 1 || got.Info.Events != 6 {
		t.Errorf("an id twice in a request: %+v, want 1 duplicate and 1 stored", got)
	}
	// A retry of what lies before the last event is no late event.
	if got := appendTo(t, s, sc, Request{Customer: "c", Events: first.Events[:1], IDs: []string{"a"}}); got.Duplicates != 1 || got.Info.Events != 6 {
		t.Errorf("a late retry: %+v, want 1 duplicate", got)
	}
	j.Events = j.Events[:6]
	checkJourney(t, s, sc, j)
	checkScore(t, s, sc, j)
}

// Late events stand where their time puts them, and nothing of the journey that
// was followed without them stays.
func TestLateEventsAreFollowedAnew(t *testing.T) {
	sc, dir := newScorer(t, 1), t.TempDir()
	s := open(t, dir, Options{})
	all := longJourney("c", 200)
	var early, late []features.Event
	for i, ev := range all.Events {
		if i%7 == 3 {
			late = append(late, ev)
		} else {
			early = append(early, ev)
		}
	}
	slices.Reverse(early) // one request may be in any order
	appendTo(t, s, sc, Request{Customer: "c", Profile: all.Profile, Events: early})
	if got := s.Stats().Snapshots; got != 1 {
		t.Fatalf("%d snapshots, want 1", got)
	}
	for len(late) > 0 {
		n := min(5, len(late))
		appendTo(t, s, sc, Request{Customer: "c", Events: late[:n], Late: true})
		late = late[n:]
	}
	checkScore(t, s, sc, all)
	checkJourney(t, s, sc, all)
	shut(t, s)
	s = open(t, dir, Options{})
	checkScore(t, s, sc, all)
}

// What comes at the same time keeps the order in which it came.
func TestEventsAtTheSameTimeKeepTheirOrder(t *testing.T) {
	sc, s := newScorer(t, 1), open(t, t.TempDir(), Options{})
	j := longJourney("c", 40)
	j.Profile = nil
	for i := range j.Events {
		j.Events[i].Time = 1.7e15 + int64(i/10)
	}
	for chunk := range slices.Chunk(j.Events, 3) {
		appendTo(t, s, sc, Request{Customer: "c", Events: chunk})
	}
	checkJourney(t, s, sc, j)
	checkScore(t, s, sc, j)
}

// A profile is completed by what comes, and counts for the events before it.
func TestProfilesAreMerged(t *testing.T) {
	sc, dir := newScorer(t, 1), t.TempDir()
	s := open(t, dir, Options{})
	j := longJourney("c", 100)
	missing := features.Missing()
	appendTo(t, s, sc, Request{Customer: "c", Profile: []features.Value{missing, features.Text("city-1"), missing}})
	appendTo(t, s, sc, Request{Customer: "c", Events: j.Events})
	appendTo(t, s, sc, Request{Customer: "c", Profile: []features.Value{features.Number(33), missing, missing}})
	appendTo(t, s, sc, Request{Customer: "c", Profile: []features.Value{missing, features.Text("city-2"), missing}})
	j.Profile = []features.Value{features.Number(33), features.Text("city-2"), missing}
	for range 2 {
		checkJourney(t, s, sc, j)
		checkScore(t, s, sc, j)
		shut(t, s)
		s = open(t, dir, Options{})
	}
}

// Values come back to the bit, whatever they are.
func TestValuesComeBack(t *testing.T) {
	sc, s := newScorer(t, 1), open(t, t.TempDir(), Options{})
	j := &features.Journey{Customer: "ü/ \t", Profile: []features.Value{features.Number(math.Copysign(0, -1)), features.Text("é\x00\xff"), features.Missing()}}
	numbers := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1 << 40, -(1 << 40), 1<<40 - 1, 1 << 53, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.NaN()}
	for i, x := range numbers {
		j.Events = append(j.Events, features.Event{Time: math.MinInt64/8 + int64(i)*(math.MaxInt64/64), Offset: int32(-i), Type: "t", Values: []features.Value{features.Number(x), features.Text(strings.Repeat("y", i))}})
	}
	j.Events = append(j.Events, features.Event{Time: math.MaxInt64 / 8, Type: ""})
	appendTo(t, s, sc, Request{Customer: j.Customer, Profile: j.Profile, Events: j.Events})
	got, err := s.Journey(t.Context(), sc, j.Customer, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range numbers {
		if math.Float64bits(got.Events[i].Values[0].Number) != math.Float64bits(x) && !math.IsNaN(x) {
			t.Errorf("number %v came back as %v", x, got.Events[i].Values[0].Number)
		}
	}
	if math.Float64bits(got.Profile[0].Number) != 1<<63 {
		t.Errorf("-0 came back as %v", got.Profile[0].Number)
	}
	checkJourney(t, s, sc, j)
}

// Models that are used beside each other follow the same events.
func TestModelsSideBySide(t *testing.T) {
	scorers, dir := []*infer.Scorer{newScorer(t, 1), newScorer(t, 2), newScorer(t, 3)}, t.TempDir()
	s := open(t, dir, Options{})
	random := rand.New(rand.NewPCG(3, 3))
	j := longJourney("c", 400)
	all := j.Events
	for i := range all {
		r := Request{Customer: "c", Events: all[i : i+1]}
		if i == 0 {
			r.Profile = j.Profile
		}
		appendTo(t, s, scorers[random.IntN(3)], r)
		if j.Events = all[:i+1]; i%50 == 0 {
			checkScore(t, s, scorers[random.IntN(3)], j)
		}
	}
	for _, sc := range scorers {
		checkScore(t, s, sc, j)
	}
	// The first two are replaced by a newer bundle of the second one's weights.
	newer := anotherScorer(t, 2)
	if err := s.Prune(t.Context(), newer, scorers[2]); err != nil {
		t.Fatal(err)
	}
	if got, want := snapshots(t, s), 2; got != want {
		t.Errorf("%d snapshots are left, want %d: one that the newer bundle reads, and one of the third", got, want)
	}
	shut(t, s)
	s = open(t, dir, Options{})
	checkScore(t, s, newer, j)
	if got := s.Stats().Replayed; got > 100 {
		t.Errorf("%d events were replayed beside a snapshot", got)
	}
	checkScore(t, s, scorers[0], j)
	if got := s.Stats().Replayed; got < 400 {
		t.Errorf("%d events were replayed where there was no snapshot, want all", got)
	}
}

func snapshots(t *testing.T, s *Store) int {
	t.Helper()
	n := 0
	for key := range stored(t, s) {
		if key[0] == snapshotKey {
			n++
		}
	}
	return n
}

// stored reads everything that is on disk.
func stored(t testing.TB, s *Store) map[string]string {
	t.Helper()
	it, err := s.db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	all := map[string]string{}
	for it.First(); it.Valid(); it.Next() {
		all[string(it.Key())] = string(it.Value())
	}
	if err := it.Error(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Many goroutines append to few customers while others read, delete and
// prune, with room for hardly any in memory; every event is stored once.
func TestConcurrentUse(t *testing.T) {
	scorers := []*infer.Scorer{newScorer(t, 1), newScorer(t, 2)}
	s := open(t, t.TempDir(), Options{CacheBytes: 1 << 18})
	const customers, writers, each = 5, 4, 60
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range each {
				r := Request{Customer: customer(i % customers), Events: []features.Event{minuteEvent(i), minuteEvent(i)}, IDs: []string{fmt.Sprint(w, "-", i), fmt.Sprint("shared-", i)}, Late: true}
				if _, err := s.Append(t.Context(), scorers[random.IntN(2)], &r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Go(func() {
		for i := range each {
			if _, _, err := s.Score(t.Context(), scorers[i%2], customer(i%customers), later); err != nil && !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
			if i%20 == 0 {
				if err := s.Prune(t.Context(), scorers...); err != nil {
					t.Error(err)
				}
				if _, err := s.Delete(t.Context(), "nobody"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	group.Wait()
	total := 0
	for info, err := range s.Customers(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		total += info.Events
		j, err := s.Journey(t.Context(), scorers[0], info.Customer, 1000)
		if err != nil {
			t.Fatal(err)
		}
		checkScore(t, s, scorers[0], j)
		checkScore(t, s, scorers[1], j)
	}
	if want := writers*each + each; total != want {
		t.Errorf("%d events are stored, want %d", total, want)
	}
}

// A request that is given up while a journey is followed leaves what it reached
// to the next.
func TestFollowingGoesOnAfterItWasGivenUp(t *testing.T) {
	sc, s := newScorer(t, 1), open(t, t.TempDir(), Options{})
	j := longJourney("c", 3000)
	appendTo(t, s, sc, Request{Customer: "c", Profile: j.Profile, Events: j.Events})
	other := newScorer(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if _, _, err := s.Score(ctx, other, "c", later); !errors.Is(err, context.Canceled) {
			t.Fatalf("got error %v", err)
		}
	}
	if got := s.Stats().Replayed; got < 3*200 || got > 3*256 {
		t.Errorf("%d events were followed by three requests that were given up", got)
	}
	before := s.Stats().Replayed
	checkScore(t, s, other, j)
	if got := s.Stats().Replayed - before; got > 2400 {
		t.Errorf("%d events were followed by the last request, want those that were left", got)
	}
	e, err := s.cache.acquire(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(ctx, sc, &Request{Customer: "c", Events: []features.Event{minuteEvent(9000)}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that waited for another: got error %v", err)
	}
	s.cache.release(e)
}
