package customers

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"moments/features"
	"moments/infer"
)

// A snapshot is where a scorer had followed a customer's events to, so that
// those after it need to be read alone. It is a shortcut: it says up to which
// event it goes, and one that is missing, or of another model, costs the time to
// read from the beginning.
//
// A long journey's snapshot is large, 38 KB for the last 2,048 events of two
// attributes, and one with every event would cost ten times the append. One for
// every so many events that its bytes are 128 for each of them about doubles the
// bytes that events take, and leaves about a millisecond of reading and following
// to whoever begins from it.
const (
	fewestReplayed = 64 // a journey that is shorter needs no snapshot
	mostReplayed   = 1024
	bytesReplayed  = 128 // of a snapshot for each event until the next
)

// due says whether a snapshot is worth its room.
func (f *followed) due() bool {
	since := f.live.Events() - f.saved
	return since >= min(max(fewestReplayed, f.size/bytesReplayed), mostReplayed)
}

// load reads the head of a customer, unless it is in memory.
func (s *Store) load(e *entry) error {
	if e.loaded {
		return nil
	}
	data, closer, err := s.db.Get(appendHeadKey(nil, e.customer))
	if errors.Is(err, pebble.ErrNotFound) {
		e.loaded = true
		return nil
	}
	if err != nil {
		return s.readError(err)
	}
	h, err := parseHead(data)
	if err := errors.Join(err, closer.Close()); err != nil {
		return s.readError(err)
	}
	e.head, e.exists, e.loaded = h, true, true
	return nil
}

// readError says what an error of reading means.
func (s *Store) readError(err error) error { return fmt.Errorf("customers: %w", s.explain(err)) }

// follow brings a scorer's journey of a customer to its last event.
func (s *Store) follow(ctx context.Context, e *entry, r *reader) (*followed, error) {
	f := e.by(r)
	if f == nil {
		s.counts.misses.Add(1)
		var err error
		if f, err = s.restore(e, r); err != nil {
			return nil, err
		}
		e.followed = append(e.followed, f)
		if len(e.followed) > mostFollowed {
			e.followed = e.followed[1:]
		}
	} else {
		s.counts.hits.Add(1)
	}
	if err := f.takeProfile(e); err != nil {
		return nil, err
	}
	if f.live.Events() == e.head.events {
		return f, nil
	}
	return s.catchUp(ctx, e, f)
}

// takeProfile brings the profile up to date.
func (f *followed) takeProfile(e *entry) error {
	if f.version == e.version {
		return nil
	}
	f.version = e.version
	return f.live.SetProfile(f.reader.profile(e.head.profile))
}

// catchUp reads the events that a journey lacks. Where that does not lead to as
// many as there are, which a damaged snapshot could cause, it begins anew.
func (s *Store) catchUp(ctx context.Context, e *entry, f *followed) (*followed, error) {
	if err := s.replay(ctx, e, f); err != nil {
		return nil, err
	}
	if f.live.Events() != e.head.events {
		var err error
		e.drop(f)
		if f, err = newFollowed(e, f.reader); err != nil {
			return nil, err
		}
		if err := s.replay(ctx, e, f); err != nil {
			return nil, err
		}
		e.followed = append(e.followed, f)
	}
	if got := f.live.Events(); got != e.head.events {
		e.drop(f)
		return nil, s.readError(fmt.Errorf("%w: %d events of a customer are stored, want %d", ErrDamaged, got, e.head.events))
	}
	s.save(e, f)
	return f, nil
}

// newFollowed begins a journey.
func newFollowed(e *entry, r *reader) (*followed, error) {
	live, err := r.scorer.Follow(e.customer, r.profile(e.head.profile))
	if err != nil {
		return nil, fmt.Errorf("customers: %w", err)
	}
	return &followed{reader: r, live: live, version: e.version}, nil
}

// restore begins where the snapshot ends, if there is one that can be read.
func (s *Store) restore(e *entry, r *reader) (*followed, error) {
	if e.head.events < fewestReplayed {
		return newFollowed(e, r)
	}
	data, closer, err := s.db.Get(appendSnapshotKey(nil, r.fingerprint, e.customer))
	if errors.Is(err, pebble.ErrNotFound) {
		return newFollowed(e, r)
	}
	if err != nil {
		return nil, s.readError(err)
	}
	defer closer.Close()
	live, at, err := r.parseSnapshot(data)
	if err != nil || live.Customer() != e.customer {
		s.options.Log.Warn("customers: a snapshot cannot be used: the events are read from the beginning", "error", err)
		return newFollowed(e, r)
	}
	return &followed{reader: r, live: live, at: at, version: e.version - 1, saved: live.Events(), size: len(data)}, nil
}

func (r *reader) parseSnapshot(data []byte) (*infer.Live, place, error) {
	if len(data) < placeSize {
		return nil, place{}, fmt.Errorf("snapshot of %d bytes, want more than %d", len(data), placeSize)
	}
	live, err := r.scorer.Restore(data[placeSize:])
	return live, placeOf(data[:placeSize]), err
}

// save writes a snapshot where one is due. It need not be synced: one that is
// lost is made again.
func (s *Store) save(e *entry, f *followed) {
	if !f.due() || s.writable() != nil {
		return
	}
	data, err := f.live.AppendBinary(f.at.appendTo(nil))
	if err == nil {
		err = s.saveAs(appendSnapshotKey(nil, f.reader.fingerprint, e.customer), f.reader.fingerprint, data)
	}
	if err != nil {
		s.options.Log.Warn("customers: a snapshot could not be written", "error", err)
		return
	}
	f.saved, f.size = f.live.Events(), len(data)
	s.counts.snapshots.Add(1)
}

func (s *Store) saveAs(key []byte, f fingerprint, data []byte) error {
	s.readersMu.Lock() // until it is stored, so that Prune sees either both or none
	defer s.readersMu.Unlock()
	s.fingerprints[f] = true
	b := s.db.NewBatch()
	defer b.Close()
	if err := b.Set(key, data, nil); err != nil {
		return err
	}
	return s.commit(b, pebble.NoSync)
}

// replay follows the stored events after those that were followed. Where the end
// of its context stops it, it can go on later.
func (s *Store) replay(ctx context.Context, e *entry, f *followed) error {
	from := appendPrefix(nil, eventKey, e.customer)
	if f.live.Events() > 0 {
		from = append(appendEventKey(nil, e.customer, f.at), 0)
	}
	c, err := s.newCursor(e.customer, from, f.reader)
	if err != nil {
		return err
	}
	defer c.close()
	for c.next(ctx) {
		if err := f.live.Append(&c.event); err != nil {
			e.drop(f)
			return fmt.Errorf("customers: %w", err)
		}
		f.at = c.at
		s.counts.replayed.Add(1)
	}
	return c.close()
}

// A cursor goes through stored events of a customer.
type cursor struct {
	store   *Store
	reader  *reader
	it      *pebble.Iterator // nil when closed
	decoder decoder
	read    int
	event   features.Event // overwritten by the next
	at      place          // of the event
	err     error
}

// newCursor begins at a key.
func (s *Store) newCursor(customer string, from []byte, r *reader) (*cursor, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: appendPrefixEnd(nil, eventKey, customer)})
	if err != nil {
		return nil, s.readError(err)
	}
	return &cursor{store: s, reader: r, it: it}, nil
}

// next reads the next event; false at the end, or at an error that close
// returns.
func (c *cursor) next(ctx context.Context) bool {
	if c.read++; c.read == 1 {
		c.it.First()
	} else {
		c.it.Next()
	}
	if c.err != nil || !c.it.Valid() {
		return false
	}
	if c.read%256 == 0 {
		c.err = ctx.Err()
	}
	if key := c.it.Key(); c.err == nil {
		c.at = placeOf(key)
		c.err = c.reader.event(c.store, &c.decoder, c.at.time, c.it.Value(), &c.event)
	}
	return c.err == nil
}

// close returns the first error.
func (c *cursor) close() error {
	if c.it == nil {
		return c.err
	}
	err := errors.Join(c.err, c.it.Error(), c.it.Close())
	c.it = nil
	if err != nil {
		c.err = c.store.readError(err)
	}
	return c.err
}
