package registry

import (
	"maps"
	"slices"
	"time"
)

// An Entry is what Index says of one model.
type Entry struct {
	Name     string
	Path     string // of the live version, or of what is to be loaded
	Kind     Kind
	Version  string    // that is live; "" for none
	Versions []string  // that can be acquired, sorted
	Loaded   time.Time // when the live version was ready
	Ready    bool      // some version is live

	// Reason says why no version is live or, where one is, why what a place holds
	// now is not offered; "" when all is well.
	Reason string

	Pinned  string        // the only version that may go live; "" for any
	Shadow  string        // version of the shadow; "" for none
	Compare *ShadowReport // nil without a shadow
}

// Kind says what a model is.
type Kind string

// The kinds.
const (
	KindBundle Kind = "bundle"
	KindONNX   Kind = "onnx"
)

// Index lists all models, by name.
func (r *Registry) Index() []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(r.slots)) {
		entries = append(entries, r.slots[name].entry())
	}
	if r.mirrors != nil {
		for i := range entries {
			entries[i].Compare = r.mirrors.report(entries[i].Name)
		}
	}
	return entries
}

func (s *slot) entry() Entry {
	o := s.offer()
	e := Entry{Name: s.name, Pinned: s.pin, Reason: o.reason, Kind: KindBundle, Ready: o.live != nil, Versions: slices.Sorted(maps.Keys(o.versions))}
	if len(s.places) > 0 {
		e.Path = s.places[len(s.places)-1].path
	}
	if m := o.live; m != nil {
		e.Path, e.Version, e.Loaded = m.Path, m.Version, m.Loaded
	}
	if isONNX(e.Path) {
		e.Kind = KindONNX
	}
	if o.shadow != nil {
		e.Shadow = o.shadow.Version
	}
	return e
}

// Loaded is the number of versions in memory: those offered, and those that
// requests still use.
func (r *Registry) Loaded() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.loaded)
}
