package registry

import (
	"reflect"
	"sync"
	"testing"
	"time"
)

func TestStats(t *testing.T) {
	s := &Stats{}
	if got := s.Snapshot(); !reflect.DeepEqual(got, Snapshot{}) {
		t.Errorf("at first: got %+v", got)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			s.Add(Request{Journeys: 3, Queue: 1, Input: 2, Infer: 30, Output: 4})
			s.Add(Request{Failed: true, Queue: 5, Input: 1})
			s.AddBatch(3, 30)
			s.AddBatch(33, time.Microsecond)
			s.AddBatch(64, time.Microsecond)
		})
	}
	group.Wait()
	got := s.Snapshot()
	if got.Last.IsZero() {
		t.Error("no time of the last request")
	}
	got.Last = time.Time{}
	want := Snapshot{
		Success: Tally{8, 8 * 37}, Failure: Tally{8, 8 * 6}, Queue: Tally{8, 8}, Input: Tally{8, 16}, Infer: Tally{8, 240}, Output: Tally{8, 32},
		Journeys: 24, Executions: 24, Batches: []Batch{{3, Tally{8, 240}}, {64, Tally{16, 16 * time.Microsecond}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
