package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A gate is a run that says that it began, and waits to be let through.
type gate struct {
	began chan []int
	open  chan struct{}
}

func newGate() *gate { return &gate{make(chan []int, 100), make(chan struct{})} }

func (g *gate) run(batch []*Item[int]) {
	var work []int
	for _, item := range batch {
		work = append(work, item.Work)
	}
	g.began <- work
	<-g.open
}

// ask does an item in the background; its error comes over the channel.
func ask(ctx context.Context, q *Queue[int], g *gate, work int, kind any) chan error {
	done := make(chan error, 1)
	before := q.State()
	go func() { done <- q.Do(ctx, &Item[int]{Work: work, Kind: kind, Units: 1}, g.run) }()
	for s := q.State(); s.Running == before.Running && s.Waiting == before.Waiting; s = q.State() {
		runtime.Gosched()
	}
	return done
}

func TestDoorIsBounded(t *testing.T) {
	q, g := New[int](Options{Slots: 2, Limit: 3}), newGate()
	var accepted []chan error
	for i := range 5 {
		if err := q.Enter(); err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, ask(t.Context(), q, g, i, nil))
	}
	for range 1000 {
		if err := q.Enter(); !errors.Is(err, ErrFull) {
			t.Fatalf("got %v, want it refused", err)
		}
	}
	if s := q.State(); s != (State{Inside: 5, Running: 2, Waiting: 3, Slots: 2, Limit: 3, Refused: 1000}) {
		t.Errorf("got %+v", s)
	}
	// Who is inside may ask for more than one thing.
	accepted = append(accepted, ask(t.Context(), q, g, 5, nil))
	close(g.open)
	for _, done := range accepted {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var order []int
	for range 6 {
		order = append(order, <-g.began...)
	}
	if slices.Sort(order); !slices.Equal(order, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("did %v, want each item once", order)
	}
	q.Leave()
	if err := q.Enter(); err != nil {
		t.Errorf("after one left: %v", err)
	}
	if s := q.State(); s.Running != 0 || s.Waiting != 0 || s.Runs != 6 || s.Inside != 5 {
		t.Errorf("in the end: %+v, want free slots after 6 runs", s)
	}
}

// TestDoorUnderLoad demands that never more are inside than may be.
func TestDoorUnderLoad(t *testing.T) {
	q := New[int](Options{Slots: 2, Limit: 3})
	var callers sync.WaitGroup
	var inside, let atomic.Int64
	for range 20 {
		callers.Go(func() {
			for range 200 {
				if q.Enter() != nil {
					continue
				}
				if now := inside.Add(1); now > 5 {
					t.Errorf("%d are inside, want at most 5", now)
				}
				let.Add(1)
				runtime.Gosched()
				inside.Add(-1)
				q.Leave()
			}
		})
	}
	callers.Wait()
	if s := q.State(); s.Inside != 0 || int64(s.Refused)+let.Load() != 4000 {
		t.Errorf("got %+v after %d came in", s, let.Load())
	}
}

// TestBatchesAreSharesOfTheLine demands that a slot takes what waits for the
// same kind, and leaves other slots their share.
func TestBatchesAreSharesOfTheLine(t *testing.T) {
	for _, test := range []struct {
		slots, batch int
		kinds        []any
		want         [][]int // once slots come free, one after the other
	}{
		{1, 8, []any{"a", "a", "b", "a", "b"}, [][]int{{0, 1, 3}, {2, 4}}},
		{1, 2, []any{"a", "a", "a", "a"}, [][]int{{0, 1}, {2, 3}}},
		{1, 1, []any{"a", "a"}, [][]int{{0}, {1}}},
		{1, 8, []any{nil, nil}, [][]int{{0}, {1}}},
		{2, 8, []any{"a", "a", "a", "a"}, [][]int{{0, 1}, {2}, {3}}},
	} {
		q, first, g := New[int](Options{Slots: test.slots, Batch: test.batch}), newGate(), newGate()
		var done []chan error
		for i := range test.slots {
			done = append(done, ask(t.Context(), q, first, -i, nil))
		}
		for i, kind := range test.kinds {
			done = append(done, ask(t.Context(), q, g, i, kind))
		}
		first.open <- struct{}{} // one slot comes free, and stays in the hands of those in line
		for i, want := range test.want {
			if got := <-g.began; !slices.Equal(got, want) {
				t.Errorf("%+v: run %d did %v, want %v", test, i, got, want)
			}
			g.open <- struct{}{}
		}
		close(first.open)
		for _, d := range done {
			if err := <-d; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestContextEndsTheWait(t *testing.T) {
	q, g := New[int](Options{Slots: 1, Batch: 5}), newGate()
	first := ask(t.Context(), q, g, 0, "a")
	ctx, cancel := context.WithCancel(t.Context())
	var gone []chan error
	for i := range 3 {
		gone = append(gone, ask(ctx, q, g, 10+i, "a"))
	}
	stays := ask(t.Context(), q, g, 1, "a")
	cancel()
	for _, done := range gone {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	}
	close(g.open)
	if err := errors.Join(<-first, <-stays); err != nil {
		t.Error(err)
	}
	if a, b := <-g.began, <-g.began; !slices.Equal(a, []int{0}) || !slices.Equal(b, []int{1}) {
		t.Errorf("did %v and %v, want only what had not gone", a, b)
	}
	if err := q.Do(ctx, &Item[int]{}, g.run); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: got %v", err)
	}
}

// TestPanicCostsItsBatchAlone demands that the slot is free after a panic.
func TestPanicCostsItsBatchAlone(t *testing.T) {
	q := New[int](Options{Slots: 1})
	for range 3 {
		var fault *Panic
		err := q.Do(t.Context(), &Item[int]{}, func([]*Item[int]) { panic("broken") })
		if !errors.As(err, &fault) || len(fault.Stack) == 0 || err.Error() != "queue: a fault of the program: broken" {
			t.Errorf("got %v, want the panic as an error", err)
		}
	}
	if err := q.Do(t.Context(), &Item[int]{}, func([]*Item[int]) {}); err != nil {
		t.Error(err)
	}
}

// TestEverythingIsDoneOnce has many callers, some of whom go away.
func TestEverythingIsDoneOnce(t *testing.T) {
	var inSlots, most, runs atomic.Int64
	q := New[*atomic.Int64](Options{Slots: 3, Batch: 4, Done: func(units int, took time.Duration) { runs.Add(1) }})
	var callers sync.WaitGroup
	for caller := range 50 {
		callers.Go(func() {
			for i := range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				if (caller+i)%7 == 0 {
					go cancel()
				}
				done := new(atomic.Int64)
				err := q.Do(ctx, &Item[*atomic.Int64]{Work: done, Kind: caller % 2, Units: 1 + i%3}, func(batch []*Item[*atomic.Int64]) {
					if now := inSlots.Add(1); now > most.Load() {
						most.Store(now)
					}
					for _, item := range batch {
						item.Work.Add(1)
						if i%11 == 0 {
							item.Err = errors.New("failed")
						}
					}
					runtime.Gosched()
					inSlots.Add(-1)
				})
				gone := errors.Is(err, context.Canceled)
				if n := done.Load(); gone && n != 0 || !gone && n != 1 {
					t.Errorf("%v, but done %d times", err, n)
				}
				cancel()
			}
		})
	}
	callers.Wait()
	if s := q.State(); s.Running != 0 || s.Waiting != 0 || most.Load() > 3 || int64(s.Runs) != runs.Load() || s.Runs == 0 {
		t.Errorf("in the end %+v, at most %d at once, %d runs", s, most.Load(), runs.Load())
	}
}

func Example() {
	q := New[string](Options{Slots: 2, Limit: 100, Batch: 16})
	if err := q.Enter(); err != nil {
		fmt.Println("come again:", err)
		return
	}
	defer q.Leave()
	item := &Item[string]{Work: "a journey", Kind: "model", Units: 1}
	err := q.Do(context.Background(), item, func(batch []*Item[string]) {
		for _, i := range batch {
			fmt.Println("scoring", i.Work)
		}
	})
	fmt.Println(err)
	// Output:
	// scoring a journey
	// <nil>
}

func BenchmarkFree(b *testing.B) {
	q := New[int](Options{Slots: runtime.GOMAXPROCS(0), Batch: 16})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := q.Do(context.Background(), &Item[int]{Units: 1}, func([]*Item[int]) {}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
