package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"moments/weights"
)

// defaultPoll is how often Watch looks.
const defaultPoll = time.Second

// Watch looks after changed, new and removed models until the context ends. It
// polls, which works on every file system.
func (r *Registry) Watch(ctx context.Context) {
	poll := r.options.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.Refresh(ctx) // which has logged what it found, and keeps it for Index
		}
	}
}

// Refresh looks once and loads what has changed, one model after the other on
// the calling goroutine. Its errors are those that Index shows: what they are
// about is not offered, and what was offered before still is.
func (r *Registry) Refresh(ctx context.Context) error {
	r.work.Lock()
	defer r.work.Unlock()
	if r.closed {
		return nil
	}
	var errs []error
	for _, root := range r.roots {
		if err := r.rescan(root); err != nil {
			r.log.Error("repository cannot be read", "path", root.path, "error", err)
			errs = append(errs, err)
		}
	}
	for _, name := range r.slotNames() {
		errs = append(errs, r.renewSlot(ctx, r.slot(name), false))
	}
	return errors.Join(errs...)
}

// renewSlot renews all places of a slot that is to be loaded.
func (r *Registry) renewSlot(ctx context.Context, s *slot, always bool) error {
	if s.unloaded != "" {
		return nil
	}
	var errs []error
	for _, p := range s.all() {
		errs = append(errs, r.renew(ctx, s, p, always))
	}
	return errors.Join(errs...)
}

// rescan finds what has come to a root, and what has gone.
func (r *Registry) rescan(root *root) error {
	models, err := root.models()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		s := r.slot(name)
		if s.root == nil {
			s.root = root
		}
		if s.root == root {
			r.settle(s, models[name])
		}
	}
	for _, name := range r.slotNames() {
		if s := r.slot(name); s.root == root && models[name] == nil {
			r.settle(s, nil)
		}
	}
	return nil
}

// models lists the paths of a root's models, by name.
func (r *root) models() (map[string][]string, error) {
	if r.repository {
		return r.find()
	}
	places, err := placesOf(r.path)
	return map[string][]string{r.name: places}, err
}

// addRoot adds what an argument of Open names, and loads it.
func (r *Registry) addRoot(ctx context.Context, arg string) error {
	root, err := newRoot(arg)
	if err != nil {
		return err
	}
	if root.name == "" && !root.repository {
		if root.name, err = r.ownName(root.path); err != nil {
			return err
		}
	}
	models, err := root.models()
	if err != nil {
		return err
	}
	if len(models) == 0 {
		return fmt.Errorf("registry: %s holds no bundle and no %s file", root.path, onnxSuffix)
	}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		if other := r.slots[name]; other != nil {
			return fmt.Errorf("registry: two models are called %q, at %s and at %s: give one another name with NAME=PATH", name, other.places[0].path, models[name][0])
		}
		s := r.slot(name)
		s.root = root
		r.settle(s, models[name])
		if err := r.renewSlot(ctx, s, false); err != nil && !root.repository {
			return err
		}
	}
	r.roots = append(r.roots, root)
	return ctx.Err()
}

// ownName is the name of a model that was given none.
func (r *Registry) ownName(path string) (string, error) {
	if isONNX(path) {
		return strings.TrimSuffix(filepath.Base(path), onnxSuffix), nil
	}
	b, err := weights.Open(path)
	if err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	return b.Name, nil
}

// addShadows loads the shadows.
func (r *Registry) addShadows(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(r.options.Shadows)) {
		s := r.slots[name]
		if s == nil {
			return fmt.Errorf("registry: a shadow of %q is named, and there is no such model, want one of %s", name, r.names())
		}
		s.shadow = &place{path: r.options.Shadows[name]}
		if err := r.renew(ctx, s, s.shadow, true); err != nil {
			return err
		}
	}
	if len(r.options.Shadows) > 0 {
		r.mirrors = newMirror(r)
	}
	return nil
}

// Load loads a model that was unloaded, or looks at once whether its places
// hold something new. A version that can be loaded again is.
func (r *Registry) Load(ctx context.Context, name string) error {
	r.work.Lock()
	defer r.work.Unlock()
	for _, root := range r.roots {
		if err := r.rescan(root); err != nil {
			return err
		}
	}
	s, err := r.known(name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	s.unloaded = ""
	r.mu.Unlock()
	if err := r.renewSlot(ctx, s, true); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.problem()
}

// Unload stops offering a model, all its versions and its shadow, until Load.
// Requests under way end with what they have.
func (r *Registry) Unload(name string) error {
	r.work.Lock()
	defer r.work.Unlock()
	s, err := r.known(name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	dropped := s.unload("it was unloaded")
	r.publish()
	r.mu.Unlock()
	drop(dropped)
	r.log.Info("model unloaded", "model", name)
	return nil
}

// known is the slot of a name that there is.
func (r *Registry) known(name string) (*slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.slots[name]; ok && !r.closed {
		return s, nil
	}
	return nil, fmt.Errorf("registry: %w: %q, want one of %s", ErrUnknown, name, r.names())
}
