package infer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"moments/features"
	"moments/weights"
)

func follow(t testing.TB, s *Scorer, customer string, profile []features.Value) *Live {
	t.Helper()
	l, err := s.Follow(customer, profile)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func appendAll(t testing.TB, l *Live, events []features.Event) {
	t.Helper()
	for i := range events {
		if err := l.Append(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// throughBytes writes a live journey and restores it.
func throughBytes(t testing.TB, s *Scorer, l *Live) *Live {
	t.Helper()
	data, err := l.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if l, err = s.Restore(data); err != nil {
		t.Fatal(err)
	}
	return l
}

// checkLive demands the score of the whole journey, to the bit.
func checkLive(t *testing.T, s *Scorer, l *Live, j *features.Journey, events int, at int64) {
	t.Helper()
	got, err := l.Score(at)
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.ScoreJourney(j, features.Cutoff{Time: at, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	if !sameScore(&got, &want) || l.Events() != events || l.Customer() != j.Customer {
		t.Fatalf("%s after %d events: live %+v, whole %+v", j.Customer, events, got, want)
	}
}

func TestLiveEqualsTheWholeJourney(t *testing.T) {
	b, journeys := journeyBundle(t, 120)
	tabular, _ := testBundle(t, 120)
	for name, s := range map[string]*Scorer{"blend": newScorer(t, b, ScorerOptions{Reasons: 2}), "tabular": newScorer(t, tabular, ScorerOptions{})} {
		t.Run(name, func(t *testing.T) {
			ties := longJourney(9)
			for i := range ties.Events[:6] {
				ties.Events[i].Time = ties.Events[0].Time
			}
			for i, j := range append(slices.Clone(journeys[:15]), *ties) {
				l := follow(t, s, j.Customer, j.Profile)
				checkLive(t, s, l, &j, 0, 1.8e15)
				for k := range j.Events {
					appendAll(t, l, j.Events[k:k+1])
					if (i+k)%3 == 0 {
						l = throughBytes(t, s, l)
					}
					checkLive(t, s, l, &j, k+1, j.Events[k].Time)
				}
				checkLive(t, s, l, &j, len(j.Events), 1.8e15)
			}
		})
	}
}

func TestLongLiveJourney(t *testing.T) {
	events := 100_000
	if testing.Short() {
		events = 1_000
	}
	b, _ := journeyBundle(t, 120)
	s := newScorer(t, b, ScorerOptions{})
	j := longJourney(events)
	l := follow(t, s, j.Customer, nil)
	appendAll(t, l, j.Events)
	checkLive(t, s, throughBytes(t, s, l), j, events, 1.8e15)
}

// A profile that comes late counts as if it had been known from the beginning,
// whatever was known before.
func TestLateProfileEqualsOneKnownFromTheBeginning(t *testing.T) {
	b, journeys := journeyBundle(t, 120)
	s := newScorer(t, b, ScorerOptions{})
	for i := range journeys[:20] {
		j := &journeys[i]
		l := follow(t, s, j.Customer, journeys[i+1].Profile)
		appendAll(t, l, j.Events)
		for _, l := range []*Live{l, throughBytes(t, s, l)} {
			if err := l.SetProfile(j.Profile); err != nil {
				t.Fatal(err)
			}
			checkLive(t, s, l, j, len(j.Events), 1.8e15)
		}
	}
	if err := follow(t, s, "x", nil).SetProfile(make([]features.Value, 7)); err == nil || !strings.Contains(err.Error(), "profile has 7 values, want 3") {
		t.Errorf("a profile of another layout: got error %v", err)
	}
}

// The size follows what is kept of the last events, and stops with it.
func TestLiveSizeIsBounded(t *testing.T) {
	b, _ := journeyBundle(t, 120)
	s := newScorer(t, b, ScorerOptions{})
	l := follow(t, s, "x", nil)
	sizes := []int{l.Size()}
	events := longJourney(20_000).Events
	for _, to := range []int{1000, 10_000, 20_000} {
		appendAll(t, l, events[l.Events():to])
		sizes = append(sizes, l.Size())
	}
	kept := b.Schema.Options.Tail
	if sizes[1] < sizes[0]+1000*20 || sizes[2] > sizes[0]+kept*200 || sizes[3] != sizes[2] {
		t.Errorf("sizes %v after 0, 1000, 10,000 and 20,000 events, of which %d are kept", sizes, kept)
	}
}

// A clone shares no memory with the score: every slice of it is another.
func TestCloneOfAScoreSharesNothing(t *testing.T) {
	s := Score{Probabilities: []float32{1}, Causes: []Cause{{Group: "g"}}, Reasons: []Reason{{Group: "g"}}}
	c := s.Clone()
	if !reflect.DeepEqual(s, c) {
		t.Errorf("clone of %+v is %+v", s, c)
	}
	was, is := reflect.ValueOf(s), reflect.ValueOf(c)
	for i := range was.NumField() {
		if f := was.Field(i); f.Kind() == reflect.Slice && f.Pointer() == is.Field(i).Pointer() {
			t.Errorf("%s is shared", was.Type().Field(i).Name)
		}
		if f := was.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 {
			t.Errorf("%s is not tested", was.Type().Field(i).Name)
		}
	}
}

// Events out of order and of other layouts are refused and change nothing.
func TestLiveRefusesEvents(t *testing.T) {
	b, _ := journeyBundle(t, 120)
	s := newScorer(t, b, ScorerOptions{})
	j := longJourney(5)
	l := follow(t, s, j.Customer, nil)
	appendAll(t, l, j.Events)
	before, err := l.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, ev := range map[string]features.Event{
		"is older than the last at":      {Time: j.Events[4].Time - 1, Type: "visit"},
		"event 5 has 1 values, want 2":   {Time: j.Events[4].Time, Type: "visit", Values: make([]features.Value, 1)},
		"follow the whole journey again": {Type: "visit"},
	} {
		if err := l.Append(&ev); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	after, err := l.AppendBinary(nil)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("refused events changed the state, error %v", err)
	}
	if err := l.Append(&features.Event{Time: j.Events[4].Time}); err != nil {
		t.Errorf("an event at the same time without type and values: %v", err)
	}
	if _, err := s.Follow("x", make([]features.Value, 7)); err == nil || !strings.Contains(err.Error(), "profile has 7 values, want 3") {
		t.Errorf("a profile of another layout: got error %v", err)
	}
}

func TestDamagedStatesAreRefused(t *testing.T) {
	b, journeys := journeyBundle(t, 120)
	s := newScorer(t, b, ScorerOptions{})
	l := follow(t, s, "x", journeys[1].Profile)
	appendAll(t, l, longJourney(3).Events)
	data, err := l.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 1 << (i % 8)
		if _, err := s.Restore(damaged); err == nil {
			t.Fatalf("byte %d of %d changed: no error", i, len(data))
		}
		if _, err := s.Restore(data[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes: no error", i, len(data))
		}
	}
	if again := newScorer(t, b, ScorerOptions{Workers: 1}); again.Fingerprint() != s.Fingerprint() {
		t.Error("scorers of the same networks that follow events have different fingerprints")
	}
	if less := newScorer(t, b, ScorerOptions{SkipAnomaly: true}); less.Fingerprint() == s.Fingerprint() {
		t.Error("a scorer that carries less has the same fingerprint")
	}
	other := *b
	other.Networks = slices.Clone(b.Networks)
	n := &other.Networks[4]
	params := map[string]weights.Tensor{}
	for name, tensor := range n.Params {
		params[name] = weights.Tensor{Shape: tensor.Shape, Data: slices.Clone(tensor.Data)}
	}
	params["recurrent/first"].Data[0]++
	n.Params = params
	o := newScorer(t, &other, ScorerOptions{})
	if o.Fingerprint() == s.Fingerprint() {
		t.Error("a bundle with another network has the same fingerprint")
	}
	if _, err := o.Restore(data); err == nil || !strings.Contains(err.Error(), "under another bundle") {
		t.Errorf("under a bundle with another network: got error %v", err)
	}
}

// FuzzRestore demands of whatever is accepted that it can go on and be scored.
// The head and the checksum are put right, so that what they guard is reached.
func FuzzRestore(f *testing.F) {
	b, journeys := journeyBundle(f, 60)
	s := newScorer(f, b, ScorerOptions{})
	const head = len(liveMagic) + 32
	for i := range journeys[:10] {
		l := follow(f, s, journeys[i].Customer, journeys[i].Profile)
		appendAll(f, l, journeys[i].Events)
		data, err := l.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[head : len(data)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data := append(append([]byte(liveMagic), s.fingerprint[:]...), body...)
		l, err := s.Restore(binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(data)))
		if err != nil {
			return
		}
		last := l.encoder.LastTime()
		if err := l.Append(&features.Event{Time: last, Type: "visit"}); err != nil {
			t.Fatal(err)
		}
		if score, err := l.Score(last); err == nil && len(score.Probabilities) != 2 {
			t.Errorf("scored %+v", score)
		}
	})
}

func TestWarmLiveJourneyAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("under the race detector pools forget at random")
	}
	b, journeys := journeyBundle(t, 120)
	s := newScorer(t, b, ScorerOptions{})
	l := follow(t, s, "x", journeys[0].Profile)
	events := longJourney(5000).Events
	appendAll(t, l, events) // what is kept of the last events has reached its most
	ev := &events[4999]
	if _, err := l.Score(ev.Time); err != nil {
		t.Fatal(err)
	}
	allocations := testing.AllocsPerRun(300, func() {
		if err := l.Append(ev); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Score(ev.Time); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("an event and a score allocate %v times, want 0", allocations)
	}
}

// BenchmarkLiveEvent is one event through the networks that follow events, and
// one score of the blend after it, of about the size that is trained by
// default.
func BenchmarkLiveEvent(b *testing.B) {
	s := benchmarkScorer(b)
	events := longJourney(5000).Events
	l := follow(b, s, "x", nil)
	appendAll(b, l, events)
	ev := &events[len(events)-1]
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Append(ev); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("score", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Score(ev.Time); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func ExampleScorer_Follow() {
	bundle, err := weights.Open("weights/loan-acceptance")
	if err != nil {
		log.Fatal(err)
	}
	scorer, err := NewScorer(bundle, ScorerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	journey, err := scorer.Follow("customer 7", nil)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now().UnixMicro()
	if err := journey.Append(&features.Event{Time: now, Type: "offer sent"}); err != nil {
		log.Fatal(err)
	}
	score, err := journey.Score(now)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(score.Probabilities)
}
