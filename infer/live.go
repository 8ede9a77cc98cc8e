package infer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"moments/features"
)

// A Live is a journey that is followed as it happens: a small value that one
// event updates, in time that does not depend on how many came before. What it
// scores is, to the bit, what scoring the whole journey would. One goroutine may
// use it at a time.
type Live struct {
	scorer   *Scorer
	customer string
	encoder  *features.Encoder
	states   []float32   // (S)
	carried  [][]float32 // of each evidence of events, its row
	scores   [1]Score
	err      error // of an event that could not be followed
}

// Follow begins a journey without events. profile follows Layout.Profile and
// may be nil; it is kept.
func (s *Scorer) Follow(customer string, profile []features.Value) (*Live, error) {
	if err := checkProfile(customer, profile, &s.bundle.Layout); err != nil {
		return nil, err
	}
	l := &Live{scorer: s, customer: customer, encoder: s.bundle.Schema.NewEncoder(), states: make([]float32, s.widths[State])}
	l.encoder.Start(profile)
	for _, e := range s.evidenceOfEvents() {
		row := make([]float32, e.width())
		e.begin(row)
		l.carried = append(l.carried, row)
	}
	return l, nil
}

// Customer is whose journey it is.
func (l *Live) Customer() string { return l.customer }

// Events is the number of events so far.
func (l *Live) Events() int { return l.encoder.Events() }

// SetProfile replaces the profile, as if the journey had been followed with it
// from the beginning. It follows Layout.Profile and may be nil; it is kept.
func (l *Live) SetProfile(profile []features.Value) error {
	if err := checkProfile(l.customer, profile, &l.scorer.bundle.Layout); err != nil {
		return err
	}
	l.encoder.SetProfile(profile)
	return nil
}

// Size is about how many bytes of memory the journey holds.
func (l *Live) Size() int { return 256 + len(l.customer) + 4*cap(l.states) + l.encoder.Size() }

// Append adds an event, of which nothing is kept. One that is older than the
// last is refused and changes nothing: what it would have meant to those after
// it is lost, so the whole journey has to be followed again, in order. Events
// at the same time are taken in the order in which they come.
func (l *Live) Append(ev *features.Event) error {
	if l.err != nil {
		return l.err
	}
	if last := l.encoder.LastTime(); l.Events() > 0 && ev.Time < last {
		return fmt.Errorf("infer: customer %q: event at %d is older than the last at %d: follow the whole journey again", l.customer, ev.Time, last)
	}
	if err := checkEvent(l.customer, l.Events(), ev, &l.scorer.bundle.Layout); err != nil {
		return err
	}
	first := l.Events() == 0
	l.encoder.Append(ev)
	if !l.scorer.readsEvents() {
		return nil
	}
	w := l.scorer.workers.Get().(*worker)
	defer l.scorer.workers.Put(w)
	l.err = w.step(l, first)
	return l.err
}

// Score says what the bundle says of the journey at a moment, in microseconds;
// one before the last event is taken to be that event's. The slices of the
// score are valid until the next call.
func (l *Live) Score(at int64) (Score, error) {
	if l.err != nil {
		return Score{}, l.err
	}
	w := l.scorer.workers.Get().(*worker)
	defer l.scorer.workers.Put(w)
	ex := &w.live[0]
	l.encoder.Encode(at, ex)
	ex.Customer = l.customer
	w.states = append(w.states[:0], l.states...)
	if err := w.scoreFollowed(w.live[:], l.scores[:], l); err != nil {
		return Score{}, err
	}
	return l.scores[0], nil
}

// step walks a live journey's last event.
func (w *worker) step(l *Live, first bool) error {
	w.token.Reset()
	l.encoder.AppendToken(&w.token)
	if w.detect != nil {
		if err := w.detect.step(&w.token, l); err != nil {
			return err
		}
	}
	if w.follow == nil {
		return nil
	}
	states := l.states
	w.walking.reads = append(w.walking.reads[:0], reading{1, states})
	t := track{tokens: &w.token, start: states, reads: w.walking.reads}
	if first {
		t.start = nil
	}
	w.walking.tracks = append(w.walking.tracks[:0], t)
	return w.follow.walk(w.walking.tracks)
}

// liveMagic begins the bytes of a live journey; its last byte is the version.
const liveMagic = "moments live journey\x01"

// AppendBinary appends the journey's state to buf, a few hundred bytes and what
// the schema keeps of its last events, for [Scorer.Restore] of a scorer of the
// same bundle.
func (l *Live) AppendBinary(buf []byte) ([]byte, error) {
	if l.err != nil {
		return buf, l.err
	}
	start := len(buf)
	buf = append(buf, liveMagic...)
	buf = append(buf, l.scorer.fingerprint[:]...)
	buf = binary.AppendUvarint(buf, uint64(len(l.customer)))
	buf = append(buf, l.customer...)
	for _, row := range l.rows() {
		for _, x := range row {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		}
	}
	buf, err := l.encoder.AppendBinary(buf)
	if err != nil {
		return buf[:start], err
	}
	return binary.LittleEndian.AppendUint32(buf, crc32.ChecksumIEEE(buf[start:])), nil
}

// rows are all numbers of the journey's state.
func (l *Live) rows() [][]float32 { return append([][]float32{l.states}, l.carried...) }

// checkCarried refuses what no journey can have left behind.
func (s *Scorer) checkCarried(l *Live) error {
	for k, e := range s.evidenceOfEvents() {
		if !e.valid(l.carried[k], l.Events()) {
			return fmt.Errorf("infer: customer %q: what the %s carries after %d events is impossible", l.customer, e.name(), l.Events())
		}
	}
	return nil
}

// Restore returns the live journey whose state AppendBinary wrote. It refuses
// the state of another bundle, and bytes that are damaged or were never a
// state.
func (s *Scorer) Restore(data []byte) (*Live, error) {
	const head, tail = len(liveMagic) + sha256.Size, 4
	switch {
	case len(data) < head+tail || string(data[:len(liveMagic)]) != liveMagic:
		return nil, fmt.Errorf("infer: %d bytes that do not begin as the state of a live journey, version %d", len(data), liveMagic[len(liveMagic)-1])
	case !bytes.Equal(data[len(liveMagic):head], s.fingerprint[:]):
		return nil, fmt.Errorf("infer: state of a journey under another bundle than %s: follow the whole journey again", s.bundle.Name)
	case binary.LittleEndian.Uint32(data[len(data)-tail:]) != crc32.ChecksumIEEE(data[:len(data)-tail]):
		return nil, fmt.Errorf("infer: state of a live journey is damaged: its checksum differs")
	}
	return s.restore(data[head : len(data)-tail])
}

// restore reads what follows the head.
func (s *Scorer) restore(data []byte) (*Live, error) {
	n, used := binary.Uvarint(data)
	if used <= 0 || n > uint64(len(data)-used) {
		return nil, fmt.Errorf("infer: state of a live journey ends within the customer")
	}
	l, err := s.Follow(string(data[used:][:n]), nil)
	if err != nil {
		return nil, err
	}
	data = data[used+int(n):]
	for _, row := range l.rows() {
		if len(data) < 4*len(row) {
			return nil, fmt.Errorf("infer: customer %q: %d bytes of state, want at least %d", l.customer, len(data), 4*len(row))
		}
		for i := range row {
			row[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		if i := slices.IndexFunc(row, notFinite); i >= 0 {
			return nil, fmt.Errorf("infer: customer %q: state %d is %v, want a finite number", l.customer, i, row[i])
		}
		data = data[4*len(row):]
	}
	if err := l.encoder.UnmarshalBinary(data); err != nil {
		return nil, fmt.Errorf("infer: customer %q: %w", l.customer, err)
	}
	return l, s.checkCarried(l)
}
