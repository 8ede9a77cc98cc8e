package train

import (
	"sync"
)

// A crew runs lanes side by side, each on a goroutine of its own for as long
// as the crew lives.
type crew struct {
	lanes []*lane
	work  []chan func(l *lane) error
	done  chan error
	quit  sync.Once
}

// hire starts one goroutine for each lane.
func hire(lanes []*lane) *crew {
	c := &crew{lanes: lanes, done: make(chan error, len(lanes))}
	for _, l := range lanes {
		jobs := make(chan func(l *lane) error)
		c.work = append(c.work, jobs)
		go func() {
			for job := range jobs {
				c.done <- job(l)
			}
		}()
	}
	return c
}

// each runs a job on every lane at once and waits for all of them. i counts
// the lanes.
func (c *crew) each(job func(i int, l *lane) error) error {
	for i, jobs := range c.work {
		jobs <- func(l *lane) error { return job(i, l) }
	}
	var first error
	for range c.work {
		if err := <-c.done; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// dismiss ends the goroutines and the lanes' machines.
func (c *crew) dismiss() {
	c.quit.Do(func() {
		for i, jobs := range c.work {
			close(jobs)
			c.lanes[i].close()
		}
	})
}
