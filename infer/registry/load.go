package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"moments/infer"
	"moments/weights"
)

// load opens, verifies and warms what a place holds.
func (r *Registry) load(name, path string) (*Model, error) {
	m := &Model{Name: name, Path: path, Stats: &Stats{}, freed: r.forget}
	m.release = m.drop
	m.uses.Store(1)
	r.mu.Lock()
	r.loaded[m] = true
	r.mu.Unlock()
	var err error
	if isONNX(path) {
		err = r.loadONNX(m)
	} else {
		err = r.loadBundle(m)
	}
	if err != nil {
		m.drop()
		return nil, fmt.Errorf("registry: %s: %w", name, err)
	}
	m.Loaded = time.Now()
	return m, nil
}

// forget is told of models that nobody uses any more.
func (r *Registry) forget(m *Model) {
	r.mu.Lock()
	delete(r.loaded, m)
	r.mu.Unlock()
	r.log.Debug("model freed", "model", m.Name, "version", m.Version)
}

func (r *Registry) loadBundle(m *Model) (err error) {
	if m.Bundle, m.Version, err = weights.OpenVersion(m.Path); err != nil {
		return err
	}
	o := infer.ScorerOptions{Workers: r.options.Workers, Foreign: r.options.Foreign}
	if m.Scorer, err = infer.NewScorer(m.Bundle, o); err != nil {
		return err
	}
	if err := m.Scorer.Warm(o.Workers); err != nil || r.options.Reasons == 0 {
		return err
	}
	if len(m.Bundle.Reference.Typical.Numeric)+len(m.Bundle.Reference.Typical.Category) == 0 {
		return nil
	}
	if m.Reasoning, err = m.Scorer.WithReasons(r.options.Reasons); err != nil {
		return err
	}
	return m.Reasoning.Warm(o.Workers)
}

// loadONNX opens a bare model. The file may be replaced while it is read: then
// the digests before and after differ.
func (r *Registry) loadONNX(m *Model) (err error) {
	if r.options.OpenONNX == nil {
		return fmt.Errorf("%s: this program runs no bare ONNX models, want a bundle: moments import makes one", m.Path)
	}
	if m.Version, err = fileVersion(m.Path); err != nil {
		return err
	}
	if m.Tensors, err = r.options.OpenONNX(m.Path); err != nil {
		return err
	}
	after, err := fileVersion(m.Path)
	if err == nil && after != m.Version {
		err = fmt.Errorf("%s was replaced while it was read", m.Path)
	}
	if err != nil {
		return err
	}
	return nil
}

// versionOf is the version of what a place holds, found without opening it.
func versionOf(path string) (string, error) {
	if isONNX(path) {
		return fileVersion(path)
	}
	return weights.Version(path)
}

// fileVersion is the version of a bare model: the beginning of its SHA-256.
func fileVersion(path string) (string, error) {
	const limit = 2 << 30
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer root.Close()
	raw, err := weights.ReadFile(root, filepath.Base(path), limit)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])[:weights.VersionDigits], nil
}

// renew looks at one place and, where it holds something new, opens it and puts
// it in the place of the model there. always opens it even where nothing seems
// to have changed. Registry.work is held.
func (r *Registry) renew(ctx context.Context, s *slot, p *place, always bool) error {
	now, err := look(p.path)
	if err != nil {
		return r.refuse(s, p, nil, fmt.Errorf("registry: %s: %w", s.name, err))
	}
	if !always && unchanged(now, p.seen) {
		return p.err
	}
	m, err := r.open1(ctx, s, p)
	if err != nil {
		return r.refuse(s, p, now, err)
	}
	r.swap(s, p, now, m)
	return nil
}

// open1 opens what a place holds, nil where it is the version that is there.
func (r *Registry) open1(ctx context.Context, s *slot, p *place) (*Model, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.pin != "" && p != s.shadow {
		version, err := versionOf(p.path)
		if err != nil {
			return nil, fmt.Errorf("registry: %s: %w", s.name, err)
		}
		if version != s.pin {
			return nil, fmt.Errorf("registry: %s: version %s is pinned, %s holds %s", s.name, s.pin, p.path, version)
		}
	}
	m, err := r.load(s.name, p.path)
	if err != nil {
		return nil, err
	}
	old := p.model
	if old != nil && old.Version == m.Version {
		m.drop()
		return nil, nil
	}
	if err := r.accept(ctx, s, p, old, m); err != nil {
		m.drop()
		return nil, err
	}
	return m, nil
}

// accept asks whether a model that can be opened may go live.
func (r *Registry) accept(ctx context.Context, s *slot, p *place, old, m *Model) error {
	if p == s.shadow && m.Scorer == nil {
		return fmt.Errorf("registry: %s: the shadow %s is a bare ONNX model, want a bundle", s.name, p.path)
	}
	if s.pin != "" && p != s.shadow && m.Version != s.pin {
		return fmt.Errorf("registry: %s: version %s is pinned, %s holds %s", s.name, s.pin, p.path, m.Version)
	}
	if r.options.Verify == nil {
		return nil
	}
	if err := r.options.Verify(ctx, old, m); err != nil {
		return fmt.Errorf("registry: %s: version %s is refused: %w", s.name, m.Version, err)
	}
	return nil
}

// refuse notes why a place's content is not offered.
func (r *Registry) refuse(s *slot, p *place, now []seen, err error) error {
	r.mu.Lock()
	known := p.err != nil && p.err.Error() == err.Error()
	p.seen, p.err = now, err
	r.publish()
	r.mu.Unlock()
	if !known {
		r.log.Error("model refused", "model", s.name, "path", p.path, "still", versionName(p.model), "error", err)
	}
	return err
}

// swap puts a model in its place; nil for the one that is there.
func (r *Registry) swap(s *slot, p *place, now []seen, m *Model) {
	r.mu.Lock()
	old := p.model
	p.seen, p.err = now, nil
	if m != nil {
		p.model = m
	}
	r.publish()
	r.mu.Unlock()
	if m == nil {
		return
	}
	r.log.Info("model loaded", "model", s.name, "version", m.Version, "path", p.path, "instead_of", versionName(old), "shadow", p == s.shadow)
	if old != nil {
		old.drop()
	}
}

// versionName is a version for the log.
func versionName(m *Model) string {
	if m == nil {
		return "none"
	}
	return m.Version
}
