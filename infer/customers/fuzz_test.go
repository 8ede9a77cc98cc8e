package customers

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"moments/features"
)

// Records that are read are written again as they were, and others are refused
// without a panic.
func FuzzHead(f *testing.F) {
	h := head{events: 3, first: -5, last: 1.7e15, arrivals: 4, profile: []attribute{
		{"age", features.Numeric, features.Number(40)}, {"city", features.Categorical, features.Text("bonn")}, {"x", features.Numeric, features.Number(math.Pi)},
	}}
	f.Add(h.appendTo(nil))
	f.Add((&head{}).appendTo(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseHead(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("got error %v", err)
			}
			return
		}
		again, err := parseHead(h.appendTo(nil))
		if err != nil || again.events != h.events || again.last != h.last || again.arrivals != h.arrivals ||
			!slices.EqualFunc(again.profile, h.profile, func(a, b attribute) bool {
				return a.name == b.name && a.kind == b.kind && sameValue(a.value, b.value)
			}) {
			t.Errorf("%+v came back as %+v, error %v", h, again, err)
		}
	})
}

func FuzzEvent(f *testing.F) {
	s, r := storelessReader()
	for i := range 5 {
		ev := minuteEvent(i)
		f.Add(appendEvent(nil, &ev, 1, r.layout.Event))
	}
	f.Add(appendEvent(nil, &features.Event{Type: "t", Values: []features.Value{features.Number(math.Pi), features.Missing()}}, 1, r.layout.Event))
	f.Fuzz(func(t *testing.T, data []byte) {
		var ev, again features.Event
		var d decoder
		if err := r.event(s, &d, 7, data, &ev); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("got error %v", err)
			}
			return
		}
		layout := uint32(1)
		if err := r.event(s, &d, 7, appendEvent(nil, &ev, layout, r.layout.Event), &again); err != nil || !sameEvent(&ev, &again) {
			t.Errorf("%+v came back as %+v, error %v", ev, again, err)
		}
	})
}

// storelessReader reads events of one layout.
func storelessReader() (*Store, *reader) {
	layout := &features.Layout{Event: []features.Field{{Name: "amount", Kind: features.Numeric}, {Name: "channel", Kind: features.Categorical}}}
	s := &Store{layouts: layouts{list: [][]features.Field{layout.Event}}}
	return s, &reader{layout: layout, maps: map[uint32][]int{}}
}

// Keys sort as customers, times and arrivals do.
func FuzzKeys(f *testing.F) {
	f.Add("a", "b", int64(1), int64(-1), uint32(0), uint32(1))
	f.Add("a", "a\x01", int64(math.MinInt64), int64(math.MaxInt64), uint32(1), uint32(1))
	f.Fuzz(func(t *testing.T, a, b string, timeA, timeB int64, arrivalA, arrivalB uint32) {
		if checkCustomer(a) != nil || checkCustomer(b) != nil {
			return
		}
		p, q := place{timeA, arrivalA}, place{timeB, arrivalB}
		ka, kb := appendEventKey(nil, a, p), appendEventKey(nil, b, q)
		if placeOf(ka) != p {
			t.Errorf("place %v came back as %v", p, placeOf(ka))
		}
		if a == b && (bytes.Compare(ka, kb) < 0) != (timeA < timeB || timeA == timeB && arrivalA < arrivalB) {
			t.Errorf("keys of %v and %v sort otherwise", p, q)
		}
		from, to := appendPrefix(nil, eventKey, a), appendPrefixEnd(nil, eventKey, a)
		if within := bytes.Compare(kb, from) >= 0 && bytes.Compare(kb, to) < 0; within != (a == b) {
			t.Errorf("an event of %q is among those of %q: %v", b, a, within)
		}
	})
}
