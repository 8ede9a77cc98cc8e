package synthetic

import (
	"context"
	"iter"
	"runtime"
)

// A block is the text and the tally of consecutive customers.
type block struct {
	text  [tables][]byte
	tally *tally
	pool  chan *block
}

// release hands the block's memory to the next one.
func (b *block) release() {
	select {
	case b.pool <- b:
	default:
	}
}

// blockSize is the number of customers made at a time; sums are over blocks,
// so it is a constant of the output.
const blockSize = 256

// A job is a block to be made.
type job struct {
	first int         // customer
	done  chan *block // takes one, so that no worker waits for its reader
}

// blocks makes the base on all processors and yields it in order, a few blocks
// ahead of the reader at most.
func (w *world) blocks(ctx context.Context) iter.Seq[*block] {
	return func(yield func(*block) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		workers := runtime.GOMAXPROCS(0)
		jobs, order, pool := make(chan job), make(chan job, 2*workers), make(chan *block, 3*workers)
		go w.assign(ctx, jobs, order)
		for range workers {
			go func() {
				m := w.newMaker()
				for j := range jobs {
					j.done <- m.block(j.first, pool)
				}
			}()
		}
		for j := range order {
			select {
			case b := <-j.done:
				if !yield(b) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// assign hands every job to the reader, who waits for it, and to a worker.
func (w *world) assign(ctx context.Context, jobs, order chan<- job) {
	defer close(order)
	defer close(jobs)
	for first := 0; first < w.config.Customers; first += blockSize {
		j := job{first, make(chan *block, 1)}
		for _, queue := range []chan<- job{order, jobs} {
			select {
			case queue <- j:
			case <-ctx.Done():
				return
			}
		}
	}
}

// block makes the customers from first on.
func (m *maker) block(first int, pool chan *block) *block {
	var b *block
	select {
	case b = <-pool:
		for i := range b.text {
			b.text[i] = b.text[i][:0]
		}
	default:
		b = &block{pool: pool}
	}
	b.tally = m.newTally()
	for i := first; i < min(first+blockSize, m.config.Customers); i++ {
		o, impact := m.make(i)
		b.tally.add(m, o, impact)
		m.appendRows(&b.text, o, impact)
	}
	return b
}
