package registry

import (
	"io"
	"sync/atomic"
	"time"

	"moments/infer"
	"moments/weights"
)

// A Model is one version of a model, loaded and warmed: a bundle with its
// scorer, or a bare ONNX model. It is never changed, and it may be used between
// [Registry.Acquire] and release.
type Model struct {
	Name      string
	Version   string          // of the content, the same for the same bytes wherever and whenever they are loaded
	Path      string          // folder or file that it was read from, which may hold something else by now
	Loaded    time.Time       // when it was ready
	Bundle    *weights.Bundle // nil for a bare ONNX model
	Scorer    *infer.Scorer   // of the bundle, without reasons
	Reasoning *infer.Scorer   // the same with reasons, which cost more; nil unless Options.Reasons asks for it and the bundle knows typical values
	Tensors   TensorModel     // nil for a bundle
	Stats     *Stats

	uses    atomic.Int64 // by those who acquired it, and one by the registry while it offers it
	release func()       // drops one use; made once, so that Acquire allocates nothing
	freed   func(*Model) // tells the registry
}

// take adds a use; false when the last has ended.
func (m *Model) take() bool {
	for {
		uses := m.uses.Load()
		if uses == 0 {
			return false
		}
		if m.uses.CompareAndSwap(uses, uses+1) {
			return true
		}
	}
}

// drop ends a use. With the last the model's memory is the collector's, and
// what a runtime holds for it is closed.
func (m *Model) drop() {
	switch left := m.uses.Add(-1); {
	case left < 0:
		panic("registry: model " + m.Name + " was released more often than acquired")
	case left > 0:
		return
	}
	if c, ok := m.Tensors.(io.Closer); ok {
		c.Close() // nobody is left to tell
	}
	m.freed(m)
}
