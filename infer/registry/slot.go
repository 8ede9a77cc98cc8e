package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A slot is a model by name, with the places that hold its versions.
// Registry.mu guards it.
type slot struct {
	name     string
	root     *root    // where the places were found
	pin      string   // the version that may be live; "" for any
	places   []*place // by rising version
	shadow   *place   // nil for none
	unloaded string   // why it is not to be loaded; "" when it is
}

// live is the version that is offered where none is asked for.
func (s *slot) live() *Model {
	for _, p := range slices.Backward(s.places) {
		if p.model != nil {
			return p.model
		}
	}
	return nil
}

// unload takes all models out of the slot and returns them.
func (s *slot) unload(why string) (models []*Model) {
	s.unloaded = why
	for _, p := range s.all() {
		if p.model != nil {
			models = append(models, p.model)
		}
		p.model, p.seen, p.err = nil, nil, nil
	}
	return models
}

// all are the slot's places, the shadow's among them.
func (s *slot) all() []*place {
	if s.shadow == nil {
		return s.places
	}
	return append(slices.Clone(s.places), s.shadow)
}

// problem is what is wrong with the places' present content; nil for nothing.
func (s *slot) problem() error {
	if s.unloaded != "" {
		return fmt.Errorf("registry: %s: %s", s.name, s.unloaded)
	}
	if len(s.places) == 0 {
		return fmt.Errorf("registry: %s: its files are gone", s.name)
	}
	var errs []error
	for _, p := range s.all() {
		if p.err != nil {
			errs = append(errs, p.err)
		}
	}
	return errors.Join(errs...)
}

// offer is what can be acquired of the slot.
func (s *slot) offer() *offer {
	o := &offer{live: s.live(), versions: map[string]*Model{}}
	for _, p := range s.places {
		if p.model != nil {
			o.versions[p.model.Version] = p.model
		}
	}
	if s.shadow != nil {
		o.shadow = s.shadow.model
	}
	if err := s.problem(); err != nil {
		o.reason = err.Error()
	}
	return o
}

// publish lets Acquire see the slots as they are. Registry.mu is held.
func (r *Registry) publish() {
	all := offers{}
	for name, s := range r.slots {
		all[name] = s.offer()
	}
	r.offered.Store(&all)
}

// slot returns the slot of a name, which it makes where there is none.
func (r *Registry) slot(name string) *slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.slots[name]
	if !ok {
		s = &slot{name: name, pin: r.options.Pins[name]}
		r.slots[name] = s
	}
	return s
}

// settle gives a slot exactly the places of these paths, in this order. A place
// that is gone keeps its model where the slot has no other: folders that are
// replaced are gone for a moment, and a model that works is not taken away by
// removing its files. A slot that is left with nothing is no more.
func (r *Registry) settle(s *slot, paths []string) {
	r.mu.Lock()
	var places []*place
	for _, path := range paths {
		at := slices.IndexFunc(s.places, func(p *place) bool { return p.path == path })
		if at >= 0 {
			places = append(places, s.places[at])
		} else {
			places = append(places, &place{path: path})
		}
	}
	held := slices.ContainsFunc(places, func(p *place) bool { return p.model != nil })
	var dropped []*Model
	for _, p := range s.places {
		switch {
		case slices.Contains(paths, p.path) || p.model == nil:
		case held:
			dropped = append(dropped, p.model)
		default:
			places = append([]*place{p}, places...)
		}
	}
	s.places = places
	if len(places) == 0 && s.shadow == nil && s.unloaded == "" {
		delete(r.slots, s.name)
	}
	r.publish()
	r.mu.Unlock()
	drop(dropped)
}

// slotNames are the names of all slots, sorted.
func (r *Registry) slotNames() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.slots))
}
