package train

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// TestCrewRunsEveryLane passes the turn many times, with and without rests
// between, on more lanes than cores.
func TestCrewRunsEveryLane(t *testing.T) {
	for _, lanes := range []int{1, 2, 3, 9} {
		crew := hire(restingLanes(lanes))
		var ran [9]int
		for range 300 {
			if err := crew.each(func(i int, _ *lane) error { ran[i]++; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		for i, n := range ran[:lanes] {
			if n != 300 {
				t.Errorf("lane %d of %d ran %d times, want 300", i, lanes, n)
			}
		}
		fault := errors.New("the last lane")
		if err := crew.each(func(i int, _ *lane) error {
			if i == lanes-1 {
				return fault
			}
			return nil
		}); err != fault {
			t.Errorf("%d lanes: got error %v, want that of the last lane", lanes, err)
		}
		crew.dismiss()
		crew.dismiss() // the second time does nothing
	}
}

// TestSignalWakesSleepers takes turns that come while the receiver looks and
// while it sleeps.
func TestSignalWakesSleepers(t *testing.T) {
	for _, look := range []time.Duration{0, 1, mostLook} {
		there, back := newSignal(look), newSignal(0)
		var turns atomic.Int64
		go func() {
			for range 2000 {
				there.wait()
				turns.Add(1)
				back.send()
			}
		}()
		for i := range 2000 {
			there.send()
			back.wait()
			if got := turns.Load(); got != int64(i+1) {
				t.Fatalf("looking for %v: %d turns after %d signals", look, got, i+1)
			}
		}
	}
}

// BenchmarkHandOff is one turn to the other lane and back.
func BenchmarkHandOff(b *testing.B) {
	crew := hire(restingLanes(2))
	defer crew.dismiss()
	job := func(int, *lane) error { return nil }
	for b.Loop() {
		crew.each(job)
	}
}

func restingLanes(n int) (lanes []*lane) {
	for range n {
		lanes = append(lanes, &lane{machine: &tape{}})
	}
	return lanes
}
