package customers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moments/features"
)

func TestDeleteLeavesNothing(t *testing.T) {
	sc, s := newScorer(t, 1), open(t, t.TempDir(), Options{})
	keep := longJourney("cc", 100)
	for _, customer := range []string{"c", "cc", "c\x01"} {
		j := longJourney(customer, 100)
		appendTo(t, s, sc, Request{Customer: customer, Profile: j.Profile, Events: j.Events}.named())
	}
	for _, customer := range []string{"c", "c\x01"} {
		if ok, err := s.Delete(t.Context(), customer); !ok || err != nil {
			t.Fatalf("got %v and error %v", ok, err)
		}
		if ok, err := s.Delete(t.Context(), customer); ok || err != nil {
			t.Fatalf("again: got %v and error %v", ok, err)
		}
	}
	for key := range stored(t, s) {
		if key[0] != layoutKey && !strings.Contains(key, "cc") {
			t.Errorf("key %q is left", key)
		}
	}
	checkJourney(t, s, sc, keep)
	again := longJourney("c", 80)
	again.Profile = nil
	if got := appendTo(t, s, sc, Request{Customer: "c", Events: again.Events}.named()); got.Duplicates > 0 || got.Info.Events != 80 {
		t.Errorf("a customer that comes anew: %+v", got)
	}
	checkScore(t, s, sc, again)
	if got := s.Stats().Customers; got != 2 {
		t.Errorf("%d customers, want 2", got)
	}
}

// named gives every event an id.
func (r Request) named() Request {
	r.IDs = nil
	for i := range r.Events {
		r.IDs = append(r.IDs, fmt.Sprint("event ", i))
	}
	return r
}

func TestExpire(t *testing.T) {
	sc, s := newScorer(t, 1), open(t, t.TempDir(), Options{Retention: time.Hour})
	for i := range 10 {
		appendTo(t, s, sc, Request{Customer: customer(i), Events: []features.Event{minuteEvent(0), minuteEvent(10 * i)}})
	}
	appendTo(t, s, sc, Request{Customer: "profile alone", Profile: []features.Value{features.Number(1), features.Missing(), features.Missing()}})
	now := minuteEvent(0).Time + 105*features.Minute
	if n, err := s.Expire(t.Context(), now); n != 5 || err != nil {
		t.Errorf("%d customers expired, error %v, want 5", n, err)
	}
	if n, err := s.Expire(t.Context(), now); n != 0 || err != nil {
		t.Errorf("%d customers expired again, error %v", n, err)
	}
	var left []string
	for info, err := range s.Customers(t.Context(), customer(6)) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, info.Customer)
	}
	if want := []string{customer(7), customer(8), customer(9), "profile alone"}; !slices.Equal(left, want) {
		t.Errorf("after customer 6 are %q, want %q", left, want)
	}
	forever := open(t, t.TempDir(), Options{})
	appendTo(t, forever, sc, Request{Customer: "c", Events: []features.Event{minuteEvent(0)}})
	if n, err := forever.Expire(t.Context(), 1<<60); n != 0 || err != nil {
		t.Errorf("without retention %d customers expired, error %v", n, err)
	}
}

func TestReading(t *testing.T) {
	sc, s := newScorer(t, 1), open(t, t.TempDir(), Options{})
	j := longJourney("c", 3)
	appendTo(t, s, sc, Request{Customer: "c", Events: j.Events})
	want := Info{"c", 3, j.Events[0].Time, j.Events[2].Time}
	if got, err := s.Info(t.Context(), "c"); got != want || err != nil {
		t.Errorf("got %+v and error %v, want %+v", got, err, want)
	}
	if _, err := s.Journey(t.Context(), sc, "c", 2); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "3 events, want at most 2") {
		t.Errorf("got error %v", err)
	}
	if _, err := s.Info(t.Context(), "d"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got error %v", err)
	}
	if got := s.Stats(); got.Cached != 1 || got.CacheBytes < 1000 || got.DiskBytes == 0 {
		t.Errorf("got %+v", got)
	}
	shut(t, s)
	if _, err := s.Info(t.Context(), "c"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got error %v", err)
	}
	if got := s.Stats(); got != (Stats{}) {
		t.Errorf("after Close: got %+v", got)
	}
}

// Models whose layouts differ read the same events, each by the names it knows.
func TestLayoutsMeetByName(t *testing.T) {
	sc, dir := newScorer(t, 1), t.TempDir()
	s := open(t, dir, Options{})
	appendTo(t, s, sc, Request{Customer: "c", Profile: []features.Value{features.Number(40), features.Text("bonn"), features.Text("7")}, Events: []features.Event{
		{Time: 1, Type: "a", Values: []features.Value{features.Number(2.5), features.Text("12")}},
		{Time: 2, Type: "b"},
		{Time: 3, Type: "c", Values: []features.Value{features.Missing(), features.Text("web")}},
	}})
	shut(t, s)
	s = open(t, dir, Options{})
	other := &reader{maps: map[uint32][]int{}, layout: &features.Layout{
		Profile: []features.Field{{Name: "plan", Kind: features.Numeric}, {Name: "age", Kind: features.Categorical}, {Name: "new", Kind: features.Numeric}},
		Event:   []features.Field{{Name: "channel", Kind: features.Numeric}, {Name: "new", Kind: features.Categorical}, {Name: "amount", Kind: features.Categorical}},
	}}
	e, err := s.cache.acquire(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	defer s.cache.release(e)
	if err := s.load(e); err != nil {
		t.Fatal(err)
	}
	got, err := s.journey(t.Context(), other, e)
	if err != nil {
		t.Fatal(err)
	}
	missing := features.Missing()
	want := [][]features.Value{
		{features.Number(7), features.Text("40"), missing},
		{features.Number(12), missing, features.Text("2.5")},
		nil,
		{missing, missing, missing},
	}
	for i, values := range [][]features.Value{got.Profile, got.Events[0].Values, got.Events[1].Values, got.Events[2].Values} {
		if !slices.EqualFunc(values, want[i], sameValue) {
			t.Errorf("values %d are %v, want %v", i, values, want[i])
		}
	}
}

// With room for few in memory, all are scored as ever, and memory is kept to.
func TestCacheIsBounded(t *testing.T) {
	sc := newScorer(t, 1)
	const bytes = 4 << 20
	s := open(t, t.TempDir(), Options{CacheBytes: bytes})
	for i := range 1500 {
		appendTo(t, s, sc, Request{Customer: customer(i), Events: longJourney("", 10).Events})
	}
	got := s.Stats()
	if got.CacheBytes > bytes || got.CacheBytes < bytes/4 || got.Cached >= 1500 || got.Cached < 50 {
		t.Errorf("%d customers take %d bytes, want at most %d", got.Cached, got.CacheBytes, bytes)
	}
	for i := 0; i < 1500; i += 50 {
		j := longJourney(customer(i), 10)
		j.Profile = nil
		checkScore(t, s, sc, j)
	}
}
