package train

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A crew runs lanes side by side: the first on the caller's goroutine, each
// other on one of its own for as long as the crew lives.
type crew struct {
	lanes []*lane
	job   func(i int, l *lane) error
	hands []*hand // of the lanes from the second on
	errs  []error // by lane
	quit  sync.Once
}

// A hand is the goroutine of one lane.
type hand struct {
	start, done signal
	dismissed   bool
}

// hire starts the goroutines.
func hire(lanes []*lane) *crew {
	c := &crew{lanes: lanes, errs: make([]error, len(lanes))}
	look := mostLook
	if runtime.GOMAXPROCS(0) < len(lanes) {
		look = 0 // the one that is waited for needs the core
	}
	for i := range lanes[1:] {
		h := &hand{start: newSignal(look), done: newSignal(look)}
		c.hands = append(c.hands, h)
		go c.work(h, i+1)
	}
	return c
}

// work does the jobs of lane i.
func (c *crew) work(h *hand, i int) {
	for {
		h.start.wait()
		if h.dismissed {
			return
		}
		c.errs[i] = c.job(i, c.lanes[i])
		h.done.send()
	}
}

// each runs a job on every lane at once and waits for all of them. i counts
// the lanes.
func (c *crew) each(job func(i int, l *lane) error) error {
	c.job = job
	for _, h := range c.hands {
		h.start.send()
	}
	c.errs[0] = job(0, c.lanes[0])
	for _, h := range c.hands {
		h.done.wait()
	}
	for _, err := range c.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// dismiss ends the goroutines and the lanes' machines.
func (c *crew) dismiss() {
	c.quit.Do(func() {
		for _, h := range c.hands {
			h.dismissed = true
			h.start.send()
		}
		for _, l := range c.lanes {
			l.close()
		}
	})
}

// A signal passes the turn from one goroutine to another. A step of training
// takes some 100 µs and passes the turn several times, and waking a sleeping
// goroutine takes 5 µs, or 100 where the core sleeps too and is a virtual one:
// so who waits looks for as long as that before it sleeps, and for less where
// looking has been in vain: there others may need the core.
type signal struct {
	sent   atomic.Uint32
	taken  uint32 // of the receiver
	asleep atomic.Bool
	wake   chan struct{} // holds one
	look   time.Duration // before sleeping
	most   time.Duration // of look
	_      [64]byte      // two signals on one cache line would slow each other down
}

const (
	leastLook = 10 * time.Microsecond
	mostLook  = 200 * time.Microsecond
	looks     = 1000 // between two looks at the clock
)

// newSignal returns a signal whose receiver looks for so long at most, or not at
// all.
func newSignal(most time.Duration) signal {
	return signal{wake: make(chan struct{}, 1), look: most, most: most}
}

// send passes a turn on. The last one must have been taken.
func (s *signal) send() {
	s.sent.Add(1)
	if s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

// wait takes a turn.
func (s *signal) wait() {
	defer func() { s.taken++ }()
	if s.most > 0 {
		for start := time.Now(); time.Since(start) < s.look; {
			for range looks {
				if s.sent.Load() != s.taken {
					s.look = min(2*s.look, s.most)
					return
				}
			}
		}
		s.look = max(s.look/2, leastLook)
	}
	for {
		s.asleep.Store(true)
		if s.sent.Load() != s.taken {
			if !s.asleep.CompareAndSwap(true, false) {
				<-s.wake // the sender saw the sleeper, and wakes it
			}
			return
		}
		<-s.wake
		// A sender that was slow may have woken the receiver for a turn that it
		// took before.
		if s.sent.Load() != s.taken {
			return
		}
	}
}
