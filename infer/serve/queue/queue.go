// Package queue bounds how much is computed at once and how much waits for it.
//
// A queue has slots, about one a core. What finds a slot free is computed at
// once, by the goroutine that asks; what does not waits in line. A request that
// comes enters by the door, before anything is done for it, and beyond a limit
// it is refused there, which costs next to nothing: that is what keeps a server
// quick when more is asked of it than it can do, and nothing that was begun is
// thrown away.
//
// Work of one kind that waits in line is done together where that is cheaper. A
// queue never waits for company: whoever gets a slot takes along its share of
// what is in line for the same kind, and nobody when nobody waits.
package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull is the error of a request that finds as many inside as there may be.
var ErrFull = errors.New("queue: the line is full")

// A Door counts the requests inside. Goroutines share it.
type Door struct {
	limit           int64
	inside, refused atomic.Int64
}

// Enter lets a request in, which is to leave in the end, or returns ErrFull.
func (d *Door) Enter() error {
	if d.inside.Add(1) > d.limit {
		d.inside.Add(-1)
		d.refused.Add(1)
		return ErrFull
	}
	return nil
}

// Leave makes room for another request.
func (d *Door) Leave() { d.inside.Add(-1) }

// A Panic is the error of work that panicked: a fault of the program, which
// costs the requests that were part of it and no other.
type Panic struct {
	Value any
	Stack []byte // for the log
}

func (p *Panic) Error() string { return fmt.Sprintf("queue: a fault of the program: %v", p.Value) }

// Options of a queue.
type Options struct {
	Slots int // that compute at once; 0 for 1
	Limit int // requests that the door lets in beyond one for every slot
	Batch int // the most units that are done together; below 2 every item is done alone

	// Done hears of every run: its units, and how long it took; nil for nobody.
	Done func(units int, took time.Duration)
}

// A Queue of items T is safe for use by several goroutines.
type Queue[T any] struct {
	Door
	options Options

	mu           sync.Mutex
	running      int
	first, last  *Item[T]
	waiting      int
	waitingUnits int
	runs         uint64
}

// An Item is one piece of work on its way. Its fields may be changed only
// before it is handed to Do, and by the run that it is part of.
type Item[T any] struct {
	Work  T
	Kind  any // items of equal kinds may be done together; nil for one that is done alone
	Units int // how much it is, for Options.Batch
	Err   error

	Waited time.Duration // in line

	came           time.Time
	next, previous *Item[T]
	turn           chan []*Item[T] // the batch that the item is to lead; closed when another has done it
}

// New makes a queue.
func New[T any](o Options) *Queue[T] {
	o.Slots = max(o.Slots, 1)
	return &Queue[T]{options: o, Door: Door{limit: int64(o.Slots + o.Limit)}}
}

// Do does an item's work when its turn comes: it calls run with the item or, on
// behalf of others too, with several items of its kind, the first of which is
// that of some caller of Do; or another caller does so on its behalf. run sets
// Err where an item's work fails. Do returns the context's error where it ends
// before the item's turn, and else Err; then run has nothing to do with the item
// any more. Whoever calls Do has entered by the door.
func (q *Queue[T]) Do(ctx context.Context, item *Item[T], run func([]*Item[T])) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.take(item) {
		q.run([]*Item[T]{item}, run)
		return item.Err
	}
	var batch []*Item[T]
	select {
	case batch = <-item.turn:
	case <-ctx.Done():
		if q.leave(item) {
			return ctx.Err()
		}
		batch = <-item.turn // too late: it has its turn
	}
	if batch != nil {
		q.run(batch, run)
	}
	return item.Err
}

// take takes a slot for the item, or else a place in line.
func (q *Queue[T]) take(item *Item[T]) (now bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running < q.options.Slots {
		q.running++
		return true
	}
	item.came, item.turn = time.Now(), make(chan []*Item[T], 1)
	item.previous = q.last
	if q.last == nil {
		q.first = item
	} else {
		q.last.next = item
	}
	q.last = item
	q.waiting++
	q.waitingUnits += item.Units
	return false
}

// leave takes an item out of the line; false where it is no longer in it.
func (q *Queue[T]) leave(item *Item[T]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if item.previous == nil && q.first != item {
		return false
	}
	q.remove(item)
	return true
}

func (q *Queue[T]) remove(item *Item[T]) {
	if item.previous == nil {
		q.first = item.next
	} else {
		item.previous.next = item.next
	}
	if item.next == nil {
		q.last = item.previous
	} else {
		item.next.previous = item.previous
	}
	item.next, item.previous = nil, nil
	q.waiting--
	q.waitingUnits -= item.Units
}

// run does a batch in a slot, gives the slot to the next in line, and wakes
// those on whose behalf it was done.
func (q *Queue[T]) run(batch []*Item[T], do func([]*Item[T])) {
	began := time.Now()
	units := 0
	for _, item := range batch {
		units += item.Units
		if item.turn != nil {
			item.Waited = began.Sub(item.came)
		}
	}
	func() {
		defer func() {
			if p := recover(); p != nil {
				for _, item := range batch {
					item.Err = &Panic{p, debug.Stack()}
				}
			}
		}()
		do(batch)
	}()
	if q.options.Done != nil {
		q.options.Done(units, time.Since(began))
	}
	q.pass()
	for _, item := range batch[1:] {
		close(item.turn)
	}
}

// pass gives a slot to the first in line, and frees it where there is none.
func (q *Queue[T]) pass() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.runs++
	head := q.first
	if head == nil {
		q.running--
		return
	}
	// A share of the line, so that the other slots find work, too.
	most := min(q.options.Batch, (q.waitingUnits+q.options.Slots-1)/q.options.Slots)
	batch := []*Item[T]{head}
	units, next := head.Units, head.next
	q.remove(head)
	for next != nil && head.Kind != nil && units < most {
		item := next
		next = item.next
		if item.Kind == head.Kind && units+item.Units <= most {
			units += item.Units
			q.remove(item)
			batch = append(batch, item)
		}
	}
	head.turn <- batch
}

// A State is what a queue is doing.
type State struct {
	Inside           int    // requests that came in and have not left
	Running, Waiting int    // items in slots (batches count as one), and in line
	Slots, Limit     int    // see Options
	Runs, Refused    uint64 // since the queue was made
}

// State tells what the queue is doing.
func (q *Queue[T]) State() State {
	q.mu.Lock()
	defer q.mu.Unlock()
	return State{
		Inside: int(q.inside.Load()), Running: q.running, Waiting: q.waiting, Slots: q.options.Slots, Limit: q.options.Limit,
		Runs: q.runs, Refused: uint64(q.refused.Load()),
	}
}
