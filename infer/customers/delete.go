package customers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"moments/infer"
)

// Delete forgets a customer, and says whether there was anything to forget.
// From then on no request finds anything; from the disk it goes as the database
// rewrites its files.
func (s *Store) Delete(ctx context.Context, customer string) (bool, error) {
	done, err := s.begin()
	if err != nil {
		return false, err
	}
	defer done()
	if err := checkCustomer(customer); err != nil {
		return false, err
	}
	e, err := s.cache.acquire(ctx, customer)
	if err != nil {
		return false, err
	}
	defer s.cache.release(e)
	if err := s.load(e); err == nil && !e.exists {
		return false, nil
	} else if err != nil && !errors.Is(err, ErrDamaged) { // what is damaged can be deleted
		return false, err
	}
	err = s.delete(e)
	return err == nil, err
}

func (s *Store) delete(e *entry) error {
	b := s.db.NewBatch()
	defer b.Close()
	err := errors.Join(
		b.Delete(appendHeadKey(nil, e.customer), nil),
		b.DeleteRange(appendPrefix(nil, eventKey, e.customer), appendPrefixEnd(nil, eventKey, e.customer), nil),
		b.DeleteRange(appendPrefix(nil, nameKey, e.customer), appendPrefixEnd(nil, nameKey, e.customer), nil),
		s.deleteSnapshots(b, e.customer),
	)
	if err == nil {
		err = s.commit(b, pebble.Sync)
	}
	e.forget()
	if err != nil {
		return fmt.Errorf("customers: %w", err)
	}
	s.counts.customers.Add(-1)
	return nil
}

// deleteSnapshots deletes those of a customer, whatever models they are of.
func (s *Store) deleteSnapshots(b *pebble.Batch, customer string) error {
	s.readersMu.Lock()
	defer s.readersMu.Unlock()
	for f := range s.fingerprints {
		if err := b.Delete(appendSnapshotKey(nil, f, customer), nil); err != nil {
			return err
		}
	}
	return nil
}

// Expire deletes the customers whose last event is older than Options.Retention
// at a moment in microseconds, and counts them. Those without events stay.
func (s *Store) Expire(ctx context.Context, now int64) (int, error) {
	if s.options.Retention == 0 {
		return 0, nil
	}
	oldest, expired := now-s.options.Retention.Microseconds(), 0
	old := func(info Info) bool { return info.Events > 0 && info.Last < oldest }
	for info, err := range s.Customers(ctx, "") {
		if err != nil {
			return expired, err
		}
		if !old(info) {
			continue
		}
		err := s.with(ctx, info.Customer, func(e *entry) error {
			if !old(e.info()) {
				return nil // an event came meanwhile
			}
			expired++
			return s.delete(e)
		})
		if err != nil && !errors.Is(err, ErrUnknown) {
			return expired, err
		}
	}
	return expired, nil
}

// Prune drops what is kept for scorers that are no longer in use: followed
// journeys in memory, which hold the scorer, and snapshots that none of the
// given ones could read. Call it after a model was replaced or unloaded.
func (s *Store) Prune(ctx context.Context, inUse ...*infer.Scorer) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	s.readersMu.Lock()
	maps.DeleteFunc(s.readers, func(sc *infer.Scorer, _ *reader) bool { return !slices.Contains(inUse, sc) })
	s.readersMu.Unlock()
	for _, customer := range s.cache.customers() {
		e, err := s.cache.acquire(ctx, customer)
		if err != nil {
			return err
		}
		e.followed = slices.DeleteFunc(e.followed, func(f *followed) bool { return !slices.Contains(inUse, f.reader.scorer) })
		s.cache.release(e)
	}
	return s.pruneSnapshots(inUse)
}

// pruneSnapshots deletes whole models' snapshots at a time.
func (s *Store) pruneSnapshots(inUse []*infer.Scorer) error {
	readable := map[fingerprint]bool{}
	for _, sc := range inUse {
		readable[newReader(sc).fingerprint] = true
	}
	s.readersMu.Lock()
	defer s.readersMu.Unlock()
	b := s.db.NewBatch()
	defer b.Close()
	for f := range s.fingerprints {
		if readable[f] {
			continue
		}
		from, to := appendSnapshotKey(nil, f, ""), appendSnapshotKey(nil, f, "\xff")
		if err := b.DeleteRange(from, to, nil); err != nil {
			return fmt.Errorf("customers: %w", err)
		}
		delete(s.fingerprints, f)
	}
	return s.commit(b, pebble.NoSync)
}

// storedFingerprints finds the models that snapshots are stored of, one seek
// each.
func (s *Store) storedFingerprints() iter.Seq2[fingerprint, error] {
	return func(yield func(fingerprint, error) bool) {
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{snapshotKey}, UpperBound: []byte{snapshotKey + 1}})
		if err != nil {
			yield(fingerprint{}, err)
			return
		}
		defer it.Close()
		for it.First(); it.Valid(); {
			var f fingerprint
			copy(f[:], it.Key()[1:])
			if !yield(f, nil) {
				return
			}
			it.SeekGE(appendSnapshotKey(nil, f, "\xff"))
		}
		if err := it.Error(); err != nil {
			yield(fingerprint{}, err)
		}
	}
}

// storeLayout puts a layout on disk before anything refers to it.
func (s *Store) storeLayout(number uint32, record []byte) error {
	b := s.db.NewBatch()
	defer b.Close()
	if err := b.Set(appendLayoutKey(nil, number), record, nil); err != nil {
		return err
	}
	return s.commit(b, pebble.Sync)
}
