package customers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"moments/features"
	"moments/infer"
)

// After the loss of power a file system has what was synced, and of the rest
// whatever it happened to write. Always loses nothing; Interval what came after
// the last sync; OS loses the end. All of them open, and what is left is what
// was appended first.
func TestLossOfPower(t *testing.T) {
	sc, seeds := newScorer(t, 1), uint64(6)
	if testing.Short() {
		seeds = 1
	}
	for _, mode := range []Sync{Always, OS, Interval} {
		for seed := range seeds {
			t.Run(fmt.Sprint(mode, "/", seed), func(t *testing.T) {
				o, j, least := losePower(t, sc, mode, seed)
				o.run = "the next"
				checkPrefix(t, open(t, "store", o), sc, j, least)
			})
		}
	}
}

// losePower appends the events of a journey, of which the first so many may not
// be lost, and returns the options of a store on what the disk has of them.
func losePower(t *testing.T, sc *infer.Scorer, mode Sync, seed uint64) (Options, *features.Journey, int) {
	t.Helper()
	random, disk := rand.New(rand.NewPCG(seed, 6)), vfs.NewCrashableMem()
	o := Options{Sync: mode, fs: disk, memTable: 1 << 20, reserve: 1 << 16, Interval: time.Hour, run: "the first"}
	s := open(t, "store", o)
	j := &features.Journey{Customer: "c"}
	const events, synced = 1200, 900
	least := map[Sync]int{Always: events, OS: 0, Interval: synced}[mode]
	for i := range events {
		ev := minuteEvent(i)
		ev.Type = strings.Repeat("x", 500)
		j.Events = append(j.Events, ev)
		appendTo(t, s, sc, Request{Customer: "c", Events: j.Events[i:]})
		if mode == Interval && i == synced {
			if err := s.disk.syncLogs(); err != nil {
				t.Fatal(err)
			}
		}
	}
	o.fs = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed%3) * 45, RNG: random})
	return o, j, least
}

// checkPrefix demands the first events of a journey, at least so many.
func checkPrefix(t *testing.T, s *Store, sc *infer.Scorer, j *features.Journey, least int) {
	t.Helper()
	info, err := s.Info(t.Context(), j.Customer)
	if err != nil && !errors.Is(err, ErrUnknown) {
		t.Fatal(err)
	}
	if info.Events < least {
		t.Fatalf("%d events are left, want at least %d", info.Events, least)
	}
	if info.Events == 0 {
		return
	}
	left := *j
	left.Events = j.Events[:info.Events]
	checkJourney(t, s, sc, &left)
	checkScore(t, s, sc, &left)
}

// A log that is damaged while the machine runs is no loss of power: the store is
// opened only to be repaired.
func TestDamagedLogIsNotOpened(t *testing.T) {
	sc := newScorer(t, 1)
	refused := 0
	for seed := range uint64(6) {
		o, j, _ := losePower(t, sc, OS, seed)
		s, err := Open("store", o)
		if err == nil { // the log happens to end where a record does
			shut(t, s)
			continue
		}
		refused++
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "cuts it there") {
			t.Errorf("got error %v", err)
		}
		o.Repair = true
		checkPrefix(t, open(t, "store", o), sc, j, 0)
	}
	if refused == 0 {
		t.Error("no log was damaged")
	}
}
