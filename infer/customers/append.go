package customers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"moments/features"
	"moments/infer"
)

// maxText bounds the bytes of a text in an event or a profile.
const maxText = 1 << 16

// Append stores events, and what is new of the profile, and scores the journey.
// It stores all that is new in the request, or nothing. An error that comes with
// a Result.Stored above 0 says that the events are stored and could not be
// scored.
//
// A customer comes into being with the first event or profile.
func (s *Store) Append(ctx context.Context, sc *infer.Scorer, r *Request) (Result, error) {
	done, err := s.begin()
	if err != nil {
		return Result{}, err
	}
	defer done()
	if err := r.check(sc.Layout()); err != nil {
		return Result{}, err
	}
	if err := s.writable(); err != nil {
		return Result{}, err
	}
	e, err := s.cache.acquire(ctx, r.Customer)
	if err != nil {
		return Result{}, err
	}
	defer s.cache.release(e)
	if err := s.load(e); err != nil {
		return Result{}, err
	}
	a := appending{Store: s, entry: e, request: r, reader: s.reader(sc)}
	return a.run(ctx)
}

// check refuses what could never be stored.
func (r *Request) check(layout *features.Layout) error {
	if err := checkCustomer(r.Customer); err != nil {
		return err
	}
	if n := len(r.IDs); n != 0 && n != len(r.Events) {
		return fmt.Errorf("customers: %w: %d ids of %d events", ErrInvalid, n, len(r.Events))
	}
	if err := checkValues(r.Profile, layout.Profile); err != nil {
		return fmt.Errorf("customers: %w: profile: %w", ErrInvalid, err)
	}
	for i := range r.Events {
		ev := &r.Events[i]
		if err := checkValues(ev.Values, layout.Event); err != nil {
			return fmt.Errorf("customers: %w: event %d: %w", ErrInvalid, i, err)
		}
		if len(ev.Type) > maxText {
			return fmt.Errorf("customers: %w: event %d: type of %d bytes, want at most %d", ErrInvalid, i, len(ev.Type), maxText)
		}
	}
	return nil
}

func checkValues(values []features.Value, fields []features.Field) error {
	if n := len(values); n != 0 && n != len(fields) {
		return fmt.Errorf("%d values, want %d", n, len(fields))
	}
	for i := range values {
		if n := len(values[i].Text); n > maxText && fields[i].Kind == features.Categorical {
			return fmt.Errorf("%s has %d bytes, want at most %d", fields[i].Name, n, maxText)
		}
	}
	return nil
}

// An appending is one call of Append that has the customer's turn.
type appending struct {
	*Store
	entry   *entry
	request *Request
	reader  *reader

	fresh  []int // events that are new, in the order of time
	names  map[string]bool
	late   bool // some come before events that are stored
	next   head // after the request
	result Result
}

func (a *appending) run(ctx context.Context) (Result, error) {
	if err := a.sift(); err != nil {
		return Result{}, err
	}
	if err := a.order(); err != nil {
		return Result{}, err
	}
	profile := a.mergeProfile()
	if !a.entry.exists && len(a.fresh) == 0 && !profile {
		return Result{}, fmt.Errorf("customers: %w: neither an event nor a profile to begin with", ErrUnknown)
	}
	var f *followed
	var err error
	if !a.late { // before anything is stored, for it may take long and can be given up
		if f, err = a.follow(ctx, a.entry, a.reader); err != nil {
			return Result{}, err
		}
	}
	if len(a.fresh) > 0 || profile {
		if err := a.store(profile); err != nil {
			a.entry.forget()
			return Result{}, err
		}
	}
	return a.score(ctx, f)
}

// sift leaves out the events that the customer already has.
func (a *appending) sift() error {
	r := a.request
	for i := range r.Events {
		known, err := a.known(i)
		if err != nil {
			return err
		}
		if known {
			a.result.Duplicates++
		} else {
			a.fresh = append(a.fresh, i)
		}
	}
	a.result.Stored = len(a.fresh)
	if uint64(a.entry.head.arrivals)+uint64(len(a.fresh)) > math.MaxUint32 {
		return fmt.Errorf("customers: %w: more than %d events of one customer", ErrInvalid, uint32(math.MaxUint32))
	}
	return nil
}

// known says whether the id of an event was met before.
func (a *appending) known(i int) (bool, error) {
	if len(a.request.IDs) == 0 || a.request.IDs[i] == "" {
		return false, nil
	}
	id := a.request.IDs[i]
	if a.names[id] {
		return true, nil
	}
	if a.names == nil {
		a.names = map[string]bool{}
	}
	a.names[id] = true
	if !a.entry.exists {
		return false, nil
	}
	_, closer, err := a.db.Get(appendNameKey(nil, a.entry.customer, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, a.readError(err)
	}
	return true, closer.Close()
}

// order sorts the events by time and refuses late ones, unless they are wanted.
func (a *appending) order() error {
	if len(a.fresh) == 0 {
		return nil
	}
	events, h := a.request.Events, &a.entry.head
	slices.SortStableFunc(a.fresh, func(i, j int) int { return cmpTime(events[i].Time, events[j].Time) })
	if first := events[a.fresh[0]].Time; h.events > 0 && first < h.last {
		if a.late = true; !a.request.Late {
			return fmt.Errorf("customers: %w: event %d at %d microseconds is older than the customer's last at %d: ask for late events to be taken, which follows the journey anew", ErrLate, a.fresh[0], first, h.last)
		}
	}
	return nil
}

func cmpTime(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mergeProfile says whether the request has something new, and makes the next
// head's profile.
func (a *appending) mergeProfile() bool {
	a.next = a.entry.head
	changed := false
	for i, v := range a.request.Profile {
		f := a.reader.layout.Profile[i]
		if f.Kind == features.Categorical && v.Text == "" || f.Kind == features.Numeric && math.IsNaN(v.Number) {
			continue
		}
		k := slices.IndexFunc(a.next.profile, func(known attribute) bool { return known.name == f.Name })
		if k >= 0 && a.next.profile[k].same(f.Kind, v) {
			continue
		}
		if !changed {
			a.next.profile, changed = slices.Clone(a.next.profile), true
		}
		if k < 0 {
			k = len(a.next.profile)
			a.next.profile = append(a.next.profile, attribute{name: f.Name})
		}
		a.next.profile[k].kind, a.next.profile[k].value = f.Kind, v
	}
	return changed
}

func (a *attribute) same(kind features.Kind, v features.Value) bool {
	if a.kind != kind {
		return false
	}
	if kind == features.Categorical {
		return a.value.Text == v.Text
	}
	return math.Float64bits(a.value.Number) == math.Float64bits(v.Number)
}

// store writes everything in one batch.
func (a *appending) store(profile bool) error {
	b := a.db.NewBatch()
	defer b.Close()
	if err := a.write(b); err != nil {
		return fmt.Errorf("customers: %w", err)
	}
	if err := a.commit(b, pebble.Sync); err != nil {
		return err
	}
	e := a.entry
	if !e.exists {
		a.counts.customers.Add(1)
	}
	e.head, e.exists = a.next, true
	if profile {
		e.version++
	}
	a.counts.events.Add(int64(a.result.Stored))
	return nil
}

// write puts the request into a batch.
func (a *appending) write(b *pebble.Batch) error {
	layout, err := a.reader.number(a.Store)
	if err != nil {
		return err
	}
	var key, value []byte
	e, fields := a.entry, a.reader.layout.Event
	for _, i := range a.fresh {
		ev := &a.request.Events[i]
		key = appendEventKey(key[:0], e.customer, a.next.add(ev.Time))
		value = appendEvent(value[:0], ev, layout, fields)
		if err := b.Set(key, value, nil); err != nil {
			return err
		}
		if len(a.request.IDs) > 0 && a.request.IDs[i] != "" {
			if err := b.Set(appendNameKey(key[:0], e.customer, a.request.IDs[i]), nil, nil); err != nil {
				return err
			}
		}
	}
	if a.late { // what was followed lacks them
		if err := a.deleteSnapshots(b, e.customer); err != nil {
			return err
		}
	}
	return b.Set(appendHeadKey(key[:0], e.customer), a.next.appendTo(value[:0]), nil)
}

// add counts an event and says where it stands.
func (h *head) add(time int64) place {
	p := place{time, h.arrivals}
	if h.events == 0 {
		h.first, h.last = time, time
	}
	h.first, h.last = min(h.first, time), max(h.last, time)
	h.events++
	h.arrivals++
	return p
}

// score follows what was stored and scores the journey.
func (a *appending) score(ctx context.Context, f *followed) (Result, error) {
	e := a.entry
	a.result.Info = e.info()
	a.counts.appends.Add(1)
	a.counts.duplicates.Add(int64(a.result.Duplicates))
	err := a.advance(ctx, &f)
	if err == nil {
		a.result.Score, err = a.scoreAt(f, a.request.At)
	}
	if err != nil && a.result.Stored > 0 {
		err = fmt.Errorf("%w (%d events are stored)", err, a.result.Stored)
	}
	return a.result, err
}

// advance follows the new events.
func (a *appending) advance(ctx context.Context, f **followed) (err error) {
	e := a.entry
	if a.late {
		e.followed = nil
		*f, err = a.follow(ctx, e, a.reader)
		return err
	}
	if err := (*f).takeProfile(e); err != nil {
		return err
	}
	arrival := e.head.arrivals - uint32(len(a.fresh))
	for k, i := range a.fresh {
		ev := &a.request.Events[i]
		if err := (*f).live.Append(ev); err != nil {
			e.drop(*f)
			return fmt.Errorf("customers: %w", err)
		}
		(*f).at = place{ev.Time, arrival + uint32(k)}
	}
	a.save(e, *f)
	return nil
}

// scoreAt scores a journey; the score is the caller's.
func (s *Store) scoreAt(f *followed, at int64) (infer.Score, error) {
	score, err := f.live.Score(at)
	if err != nil {
		return infer.Score{}, fmt.Errorf("customers: %w", err)
	}
	s.counts.scores.Add(1)
	return score.Clone(), nil
}

// info says what is known of an entry.
func (e *entry) info() Info {
	return Info{Customer: e.customer, Events: e.head.events, First: e.head.first, Last: e.head.last}
}
