package customers

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"moments/features"
	"moments/infer"
)

// layouts are all those that events were ever written in. Each event names its
// own by number, so that attributes are known by name at the cost of a byte.
type layouts struct {
	mu   sync.RWMutex
	list [][]features.Field // number n is at n-1
}

// get returns a layout by its number; 0 has no attributes.
func (l *layouts) get(number uint32) ([]features.Field, error) {
	if number == 0 {
		return nil, nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if int(number) > len(l.list) {
		return nil, fmt.Errorf("%w: an event's layout %d is not stored", ErrDamaged, number)
	}
	return l.list[number-1], nil
}

// number finds a layout, or stores it: it is on disk before an event names it.
func (l *layouts) number(fields []features.Field, store func(number uint32, record []byte) error) (uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := func(known []features.Field) bool { return slices.Equal(known, fields) }
	if i := slices.IndexFunc(l.list, same); i >= 0 {
		return uint32(i) + 1, nil
	}
	number := uint32(len(l.list)) + 1
	if err := store(number, appendFields(nil, fields)); err != nil {
		return 0, err
	}
	l.list = append(l.list, slices.Clone(fields))
	return number, nil
}

func appendFields(buf []byte, fields []features.Field) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(fields)))
	for _, f := range fields {
		buf = appendText(appendText(buf, f.Name), string(f.Kind))
	}
	return buf
}

func parseFields(data []byte) ([]features.Field, error) {
	d := decoder{rest: data}
	var fields []features.Field
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		fields = append(fields, features.Field{Name: d.text(), Kind: features.Kind(d.text())})
	}
	return fields, d.end("layout")
}

// load reads all layouts.
func (l *layouts) load(db *pebble.DB) error {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{layoutKey}, UpperBound: []byte{layoutKey + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		fields, err := parseFields(it.Value())
		if err != nil {
			return err
		}
		l.list = append(l.list, fields)
		if want := appendLayoutKey(nil, uint32(len(l.list))); !slices.Equal(it.Key(), want) {
			return fmt.Errorf("%w: layout %d is missing", ErrDamaged, len(l.list))
		}
	}
	return it.Error()
}

// A reader is a scorer with what it takes to read and write what is stored.
type reader struct {
	scorer      *infer.Scorer
	layout      *features.Layout
	fingerprint fingerprint

	mu    sync.Mutex
	wrote uint32           // number of the layout of events; 0 while not known
	maps  map[uint32][]int // stored layouts: where each value goes, or -1
}

func newReader(sc *infer.Scorer) *reader {
	r := &reader{scorer: sc, layout: sc.Layout(), maps: map[uint32][]int{}}
	sum := sc.Fingerprint()
	copy(r.fingerprint[:], sum[:])
	return r
}

// number is that of the layout that events are written in.
func (r *reader) number(s *Store) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrote > 0 || len(r.layout.Event) == 0 {
		return r.wrote, nil
	}
	n, err := s.layouts.number(r.layout.Event, s.storeLayout)
	r.wrote = n
	return n, err
}

// target says where the values of a stored layout go.
func (r *reader) target(s *Store, number uint32) ([]int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m, ok := r.maps[number]; ok {
		return m, nil
	}
	fields, err := s.layouts.get(number)
	if err != nil {
		return nil, err
	}
	m := make([]int, len(fields))
	for i, f := range fields {
		m[i] = slices.IndexFunc(r.layout.Event, func(want features.Field) bool { return want.Name == f.Name })
	}
	r.maps[number] = m
	return m, nil
}

// event reads a stored event into ev, whose values it reuses.
func (r *reader) event(s *Store, d *decoder, time int64, data []byte, ev *features.Event) error {
	d.rest, d.err = data, nil
	layout := uint32(d.uvarint())
	ev.Time, ev.Offset, ev.Type = time, int32(d.varint()), d.text()
	ev.Values = ev.Values[:0]
	if layout != 0 && d.err == nil {
		to, err := r.target(s, layout)
		if err != nil {
			return err
		}
		for range r.layout.Event {
			ev.Values = append(ev.Values, features.Missing())
		}
		for _, at := range to {
			var v features.Value
			if tag := d.value(&v); at >= 0 {
				ev.Values[at] = as(r.layout.Event[at].Kind, tag, v)
			}
		}
	}
	return d.end("event")
}

// profile puts attributes in the scorer's layout; nil where none are known.
func (r *reader) profile(known []attribute) []features.Value {
	if len(known) == 0 {
		return nil
	}
	values := make([]features.Value, len(r.layout.Profile))
	for i, f := range r.layout.Profile {
		values[i] = features.Missing()
		if k := slices.IndexFunc(known, func(a attribute) bool { return a.name == f.Name }); k >= 0 {
			values[i] = as(f.Kind, tagOf(known[k].kind), known[k].value)
		}
	}
	return values
}

func tagOf(kind features.Kind) byte {
	if kind == features.Categorical {
		return tagText
	}
	return tagFloat
}

// as gives a value the kind that a model reads it as, should the model that it
// was written for have read it otherwise.
func as(kind features.Kind, tag byte, v features.Value) features.Value {
	switch {
	case tag == tagMissing || (tag == tagText) == (kind == features.Categorical):
		return v
	case tag == tagText:
		if x, err := strconv.ParseFloat(v.Text, 64); err == nil {
			return features.Number(x)
		}
		return features.Missing()
	default:
		return features.Text(strconv.FormatFloat(v.Number, 'f', -1, 64))
	}
}
