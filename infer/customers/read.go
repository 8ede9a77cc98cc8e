package customers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"moments/features"
	"moments/infer"
)

// Score scores a stored journey at a moment in microseconds; one before the last
// event is taken to be that event's.
func (s *Store) Score(ctx context.Context, sc *infer.Scorer, customer string, at int64) (score infer.Score, info Info, err error) {
	err = s.with(ctx, customer, func(e *entry) error {
		f, err := s.follow(ctx, e, s.reader(sc))
		if err != nil {
			return err
		}
		info = e.info()
		score, err = s.scoreAt(f, at)
		return err
	})
	return score, info, err
}

// with does something with the turn of a customer that is stored.
func (s *Store) with(ctx context.Context, customer string, do func(e *entry) error) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	if err := checkCustomer(customer); err != nil {
		return err
	}
	e, err := s.cache.acquire(ctx, customer)
	if err != nil {
		return err
	}
	defer s.cache.release(e)
	if err := s.load(e); err != nil {
		return err
	}
	if !e.exists {
		return fmt.Errorf("customers: %w", ErrUnknown)
	}
	return do(e)
}

// reader finds what a scorer reads and writes with.
func (s *Store) reader(sc *infer.Scorer) *reader {
	s.readersMu.Lock()
	defer s.readersMu.Unlock()
	r := s.readers[sc]
	if r == nil {
		r = newReader(sc)
		s.readers[sc] = r
	}
	return r
}

// Info says what is stored about a customer.
func (s *Store) Info(ctx context.Context, customer string) (info Info, err error) {
	err = s.with(ctx, customer, func(e *entry) error {
		info = e.info()
		return nil
	})
	return info, err
}

// Journey reads a stored journey of at most so many events in the scorer's
// layout: to be explained, or shown.
func (s *Store) Journey(ctx context.Context, sc *infer.Scorer, customer string, most int) (j *features.Journey, err error) {
	err = s.with(ctx, customer, func(e *entry) error {
		if e.head.events > most {
			return fmt.Errorf("customers: %w: %d events, want at most %d", ErrTooLong, e.head.events, most)
		}
		j, err = s.journey(ctx, s.reader(sc), e)
		return err
	})
	return j, err
}

func (s *Store) journey(ctx context.Context, r *reader, e *entry) (*features.Journey, error) {
	j := &features.Journey{Customer: e.customer, Profile: r.profile(e.head.profile)}
	c, err := s.newCursor(e.customer, appendPrefix(nil, eventKey, e.customer), r)
	if err != nil {
		return nil, err
	}
	defer c.close()
	for c.next(ctx) {
		ev := c.event
		ev.Values = slices.Clone(ev.Values)
		j.Events = append(j.Events, ev)
	}
	if err := c.close(); err != nil {
		return nil, err
	}
	if len(j.Events) != e.head.events {
		return nil, s.readError(fmt.Errorf("%w: %d events of a customer are stored, want %d", ErrDamaged, len(j.Events), e.head.events))
	}
	return j, nil
}

// Customers lists the customers in the order of their bytes, those after the
// given one; all of them after "". It sees them as they were when it began.
func (s *Store) Customers(ctx context.Context, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		done, err := s.begin()
		if err != nil {
			yield(Info{}, err)
			return
		}
		defer done()
		from := appendHeadKey(nil, after)
		if after != "" {
			from = append(from, 0)
		}
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{headKey + 1}})
		if err != nil {
			yield(Info{}, s.readError(err))
			return
		}
		err = list(ctx, it, yield)
		if err := errors.Join(err, it.Close()); err != nil {
			yield(Info{}, s.readError(err))
		}
	}
}

// list yields customers until it is told to stop, which is no error.
func list(ctx context.Context, it *pebble.Iterator, yield func(Info, error) bool) error {
	for it.First(); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := parseHead(it.Value())
		if err != nil {
			return err
		}
		if !yield(Info{Customer: string(it.Key()[1:]), Events: h.events, First: h.first, Last: h.last}, nil) {
			return nil
		}
	}
	return it.Error()
}
