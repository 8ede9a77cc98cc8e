// Package registry holds the models that a server offers: it opens bundles and
// ONNX models from folders, hands out the version that is live, and replaces it
// when the folder holds another.
//
// A replacement is opened, verified and warmed on one goroutine beside the
// requests, and then put in place in one step. Requests under way keep the
// version that they acquired, and a version that nobody uses any more is
// freed. One that cannot be opened, or that the caller's Verify refuses, changes
// nothing: the version before it stays, and [Registry.Index] says what was wrong.
//
// The version of a bundle is that of its content (weights.OpenVersion), so it is
// the same on every machine and after every restart, and can be pinned. A
// shadow is a bundle that scores what the live one has scored, beside the
// requests and for comparison only.
//
// The package knows no protocol and computes nothing itself.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"moments/infer"
)

// Options of a registry. The zero value opens bundles without foreign networks.
type Options struct {
	Workers  int                                    // goroutines that will score; each version is warmed for as many; 0 for one a core
	Reasons  int                                    // the most reasons for each target that Model.Reasoning gives; 0 for no such scorer
	Foreign  infer.Opener                           // of networks that were trained elsewhere; nil refuses bundles that have any
	OpenONNX func(path string) (TensorModel, error) // opens bare ONNX models; nil where none are wanted, which refuses them

	// Verify is asked before a model goes live, and its error refuses it. old is
	// the version that it would replace, nil for the first; both may be used.
	Verify func(ctx context.Context, old, fresh *Model) error

	Pins    map[string]string // by model: the only version that may go live
	Shadows map[string]string // by model: the folder of a bundle that scores beside it
	Poll    time.Duration     // between two looks of Watch; 0 for a second
	Log     *slog.Logger      // nil for none

	// OnDifference hears, from one goroutine, what each journey that a shadow has
	// scored came to; nil for nobody.
	OnDifference func(Difference)
	ShadowQueue  int // journeys that may wait for a shadow, beyond which they are dropped and counted; 0 for 256
}

// Errors of Acquire, which says more.
var (
	ErrUnknown  = errors.New("unknown model")
	ErrNotReady = errors.New("model is not ready")
)

// A Registry is safe for use by several goroutines.
type Registry struct {
	options Options
	log     *slog.Logger

	offered atomic.Pointer[offers] // what Acquire looks up, replaced whole

	work  sync.Mutex // held while models are opened; one opens at a time
	roots []*root    // under work

	mu     sync.Mutex // held for moments; guards the slots' fields
	slots  map[string]*slot
	loaded map[*Model]bool // and not yet freed
	closed bool

	mirrors *mirror // nil without shadows
}

// offers are the models that can be acquired, by name. It is never changed.
type offers map[string]*offer

type offer struct {
	live     *Model            // nil where none is
	versions map[string]*Model // live among them
	shadow   *Model            // nil where there is none
	reason   string            // why nothing is live
}

// Open opens all that dirs name: a bundle's folder, an .onnx file, or a
// repository, which is a folder of such. NAME=PATH gives the model at PATH a
// name; without, a bundle is known by its own name, and everything in a
// repository by the name of its folder or file. In a repository a folder of
// bundles, or of folders that each hold a model.onnx, is one model of several
// versions: all are loaded, and the one whose folder's name sorts last, as a
// number where it is one, is live.
//
// What dirs and Shadows name directly has to open; of a repository one model
// has to, and [Registry.Index] says what is wrong with the others.
func Open(ctx context.Context, dirs []string, o Options) (*Registry, error) {
	r := &Registry{options: o, log: o.Log, slots: map[string]*slot{}, loaded: map[*Model]bool{}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if o.Workers < 0 || o.Reasons < 0 || o.ShadowQueue < 0 {
		return nil, fmt.Errorf("registry: %d workers, %d reasons and a queue of %d, want at least 0", o.Workers, o.Reasons, o.ShadowQueue)
	}
	if o.Workers == 0 {
		r.options.Workers = runtime.GOMAXPROCS(0)
	}
	r.offered.Store(&offers{})
	if len(dirs) == 0 {
		return nil, fmt.Errorf("registry: no folder of a bundle, or of bundles, is named")
	}
	if err := r.open(ctx, dirs); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Registry) open(ctx context.Context, dirs []string) error {
	r.work.Lock()
	defer r.work.Unlock()
	for _, dir := range dirs {
		if err := r.addRoot(ctx, dir); err != nil {
			return err
		}
	}
	if err := r.addShadows(ctx); err != nil {
		return err
	}
	for name := range r.options.Pins {
		if r.slots[name] == nil {
			return fmt.Errorf("registry: a version of %q is pinned, and there is no such model, want one of %s", name, r.names())
		}
	}
	if r.ready() == 0 {
		return fmt.Errorf("registry: no model of %s could be opened: %w", strings.Join(dirs, ", "), r.problems())
	}
	return nil
}

// ready is the number of models that are live.
func (r *Registry) ready() (n int) {
	for _, o := range *r.offered.Load() {
		if o.live != nil {
			n++
		}
	}
	return n
}

// problems joins what is wrong with all models.
func (r *Registry) problems() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.slots)) {
		errs = append(errs, r.slots[name].problem())
	}
	return errors.Join(errs...)
}

func (r *Registry) names() string {
	return strings.Join(slices.Sorted(maps.Keys(r.slots)), ", ")
}

// Acquire returns a version of a model, "" for the live one, for use until
// release is called, once. It waits for nothing and allocates nothing.
func (r *Registry) Acquire(name, version string) (m *Model, release func(), err error) {
	for {
		m, err := r.offered.Load().find(name, version)
		if err != nil {
			return nil, nil, err
		}
		if m.take() {
			return m, m.release, nil
		}
		// It was replaced and freed between the look and the taking.
	}
}

func (o offers) find(name, version string) (*Model, error) {
	offer, ok := o[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("registry: %w: %q, want one of %s", ErrUnknown, name, strings.Join(slices.Sorted(maps.Keys(o)), ", "))
	case version == "" && offer.live == nil:
		return nil, fmt.Errorf("registry: %w: %q: %s", ErrNotReady, name, offer.reason)
	case version == "":
		return offer.live, nil
	}
	if m, ok := offer.versions[version]; ok {
		return m, nil
	}
	if len(offer.versions) == 0 {
		return nil, fmt.Errorf("registry: %w: %q: %s", ErrNotReady, name, offer.reason)
	}
	return nil, fmt.Errorf("registry: %w: %q has no version %q, want one of %s", ErrUnknown, name, version, strings.Join(slices.Sorted(maps.Keys(offer.versions)), ", "))
}

// Close stops offering models. Those in use are freed when they are released.
func (r *Registry) Close() {
	r.work.Lock()
	defer r.work.Unlock()
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.closed = true
	var dropped []*Model
	for _, s := range r.slots {
		dropped = append(dropped, s.unload("the server is closing")...)
	}
	r.publish()
	r.mu.Unlock()
	drop(dropped)
	if r.mirrors != nil {
		r.mirrors.close()
	}
}

func drop(models []*Model) {
	for _, m := range models {
		m.drop()
	}
}
