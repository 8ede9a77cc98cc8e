package datasets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"moments/features"
)

// histories yields every customer's journey and labels, from memory where they
// fit, else from the sorted records.
func (d *Dataset) histories(ctx context.Context) iter.Seq2[*history, error] {
	if d.cache == nil {
		return d.stream(ctx, nil)
	}
	return func(yield func(*history, error) bool) {
		for _, h := range d.cache {
			if err := context.Cause(ctx); err != nil {
				yield(nil, err)
				return
			}
			if !yield(h, nil) {
				return
			}
		}
	}
}

// A pass is one reading of the sorted records.
type pass struct {
	decoder
	keep      bool // every history gets memory of its own
	duplicate func(seq int64, customer, body string, reason Reason) error
	h         *history
	values    []features.Value
	seqs      []int64 // of the events of h
	begun     bool
}

// stream decodes the sorted records, customer by customer. The survey passes a
// pass of its own to look at what the others skip.
func (d *Dataset) stream(ctx context.Context, p *pass) iter.Seq2[*history, error] {
	return func(yield func(*history, error) bool) {
		p := p
		if p == nil {
			p = &pass{}
		}
		p.decoder = decoder{inputs: d.inputs, layout: d.layout, cutoffs: d.task.rule.Column}
		if err := d.eachRecord(ctx, p, yield); err != nil {
			yield(nil, err)
		}
	}
}

// errStopped says that the consumer wants no more.
var errStopped = errors.New("stopped")

func (d *Dataset) eachRecord(ctx context.Context, p *pass, yield func(*history, error) bool) error {
	if d.engine == nil {
		return errors.New("datasets: the data set is closed")
	}
	s, err := d.engine.connect()
	if err != nil {
		return err
	}
	defer s.close()
	rows, err := s.query(ctx, "SELECT customer, time, seq, body FROM sorted")
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	defer rows.close()
	for {
		more, err := rows.next()
		if err != nil {
			return fmt.Errorf("datasets: %w", err)
		}
		if !more {
			break
		}
		for i := range rows.size {
			err := p.record(rows.text(0, i), rows.integer(1, i), rows.integer(2, i), rows.text(3, i), yield)
			if err == errStopped {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	if p.begun {
		yield(p.h, nil)
	}
	return nil
}

// record adds one record and yields the customer before when a new one begins.
func (p *pass) record(customer string, at, seq int64, body string, yield func(*history, error) bool) (err error) {
	if !p.begun || customer != p.h.journey.Customer {
		if p.begun && !yield(p.h, nil) {
			return errStopped
		}
		p.next(strings.Clone(customer))
	}
	var reason Reason
	if p.values, reason, err = p.add(p.h, at, seq, body, p.values); err != nil {
		return err
	}
	if reason != "" && p.duplicate != nil {
		return p.duplicate(seq, customer, body, reason)
	}
	if reason == "" && at != beforeEvents {
		p.seqs = append(p.seqs, seq)
	}
	return nil
}

// next begins a customer, in the memory of the one before unless it is kept.
func (p *pass) next(customer string) {
	p.begun, p.seqs = true, p.seqs[:0]
	if p.keep || p.h == nil {
		p.h, p.values = &history{}, nil
	}
	p.values = p.values[:0]
	p.h.start(customer)
}
