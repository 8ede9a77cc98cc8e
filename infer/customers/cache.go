package customers

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"moments/infer"
)

// A cache holds the customers that were met last, up to so many bytes, and
// those in use. It is parted into shards, so that finding a customer waits for
// few others.
type cache struct {
	seed   maphash.Seed
	shards [shards]shard
}

const shards = 32

// A shard's lock is held to find or to put away a customer, never while one is
// read, followed or stored.
type shard struct {
	mu    sync.Mutex
	known map[string]*entry
	ring  entry // of entries from the last met to the first
	bytes int64
	most  int64
}

// An entry is one customer. Whoever has its turn may use what is below it.
type entry struct {
	customer   string
	turn       chan struct{} // full while somebody has the turn
	users      int           // who have the turn or wait for it; under the shard's lock
	bytes      int64         // under the shard's lock
	prev, next *entry        // in the shard's ring

	loaded   bool // head is what is on disk
	exists   bool // there is something on disk
	head     head
	version  int // of head.profile, counted
	followed []*followed
}

// A followed journey is where a scorer has followed an entry's events to.
type followed struct {
	reader  *reader
	live    *infer.Live
	at      place // of the last event followed
	version int   // of the profile followed with
	saved   int   // events that the snapshot on disk covers
	size    int   // bytes of the last snapshot
}

// mostFollowed bounds the scorers that follow one customer in memory: a model,
// its shadow, the ones that they replace and a few beside them.
const mostFollowed = 6

func newCache(bytes int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.known, s.most = map[string]*entry{}, bytes/shards
		s.ring.prev, s.ring.next = &s.ring, &s.ring
	}
	return c
}

func (c *cache) shard(customer string) *shard {
	return &c.shards[maphash.String(c.seed, customer)%shards]
}

// acquire waits for the turn at a customer.
func (c *cache) acquire(ctx context.Context, customer string) (*entry, error) {
	s := c.shard(customer)
	s.mu.Lock()
	e := s.known[customer]
	if e == nil {
		e = &entry{customer: customer, turn: make(chan struct{}, 1)}
		s.known[customer] = e
		e.link(&s.ring)
	}
	e.users++
	s.mu.Unlock()
	select {
	case e.turn <- struct{}{}:
		return e, nil
	default:
	}
	select {
	case e.turn <- struct{}{}:
		return e, nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave(e)
		return nil, fmt.Errorf("customers: waiting for other requests for the customer: %w", ctx.Err())
	}
}

// release gives the turn to the next, and puts away the customers met longest
// ago where there are too many.
func (c *cache) release(e *entry) {
	size := e.size()
	<-e.turn
	s := c.shard(e.customer)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += size - e.bytes
	e.bytes = size
	e.unlink()
	e.link(&s.ring)
	s.leave(e)
	for e := s.ring.prev; s.bytes > s.most && e != &s.ring; {
		older := e.prev
		if e.users == 0 {
			s.remove(e)
		}
		e = older
	}
}

// leave counts a user less. What is not on disk is not worth keeping.
func (s *shard) leave(e *entry) {
	if e.users--; e.users == 0 && !e.exists {
		s.remove(e)
	}
}

func (s *shard) remove(e *entry) {
	delete(s.known, e.customer)
	e.unlink()
	s.bytes -= e.bytes
}

func (e *entry) link(ring *entry) {
	e.prev, e.next = ring, ring.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

// customers lists the customers that are in memory.
func (c *cache) customers() []string {
	var list []string
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for customer := range s.known {
			list = append(list, customer)
		}
		s.mu.Unlock()
	}
	return list
}

// totals counts customers and bytes.
func (c *cache) totals() (customers, bytes int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		customers, bytes = customers+int64(len(s.known)), bytes+s.bytes
		s.mu.Unlock()
	}
	return customers, bytes
}

// size is about the memory that an entry takes.
func (e *entry) size() int64 {
	n := 512 + len(e.customer) + e.head.size()
	for _, f := range e.followed {
		n += 64 + f.live.Size()
	}
	return int64(n)
}

// forget makes the next user read what is on disk.
func (e *entry) forget() {
	e.loaded, e.exists, e.head, e.followed = false, false, head{}, nil
	e.version++
}

// by finds the journey that a scorer follows; nil where there is none.
func (e *entry) by(r *reader) *followed {
	i := slices.IndexFunc(e.followed, func(f *followed) bool { return f.reader == r })
	if i < 0 {
		return nil
	}
	return e.followed[i]
}

// drop forgets a journey whose state is not to be relied on.
func (e *entry) drop(f *followed) {
	e.followed = slices.DeleteFunc(e.followed, func(o *followed) bool { return o == f })
}
