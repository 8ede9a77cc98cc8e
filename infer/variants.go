package infer

import (
	"fmt"

	"moments/features"
)

// Bounds of the variants that are scored at once.
const (
	variantRows   = 256
	variantEvents = 1 << 14 // tokens
)

// variants score what a journey might have been, many variants at a time.
type variants struct {
	*worker
	encoder *features.Encoder // of the variant that is added
	nothing []float32         // (S), the states of a journey without events

	examples []features.Example // of the batch
	tracks   []track
	reads    []reading
	states   []float32 // (variantRows, S)
	events   int       // of the batch, that are to be walked

	probabilities []float32 // (variants so far, T)
}

// A prefix is the beginning that variants share.
type prefix struct {
	encoder *features.Encoder
	states  []float32 // (S), nil where no network follows events
	events  int
	began   *features.Event // where that is none: what the journey began with, which its variants leave out
}

// newVariants returns none yet, in the worker's memory.
func (w *worker) newVariants() *variants {
	v := w.variants
	if v == nil {
		v = &variants{
			worker: w, encoder: w.bundle.Schema.NewEncoder(), nothing: make([]float32, w.widths[State]),
			examples: make([]features.Example, 0, variantRows), reads: make([]reading, variantRows),
			states: make([]float32, variantRows*w.widths[State]),
		}
		w.variants = v
	}
	v.clear()
	v.probabilities = v.probabilities[:0]
	return v
}

func (v *variants) clear() { v.examples, v.tracks, v.events = v.examples[:0], v.tracks[:0], 0 }

// add adds the journey that goes on with rest after a beginning, as seen at a
// moment, and returns its row among the variants.
func (v *variants) add(p prefix, rest []features.Event, at int64) (int, error) {
	i := len(v.examples)
	v.examples = v.examples[:i+1]
	ex := &v.examples[i]
	if ex.Tokens == nil {
		ex.Tokens = &features.Tokens{}
	}
	ex.Tokens.Reset()
	e := p.encoder
	if len(rest) > 0 {
		e = v.encoder
		e.CopyFrom(p.encoder)
		if p.began != nil {
			e.Begin(p.began)
		}
	}
	for k := range rest {
		e.Append(&rest[k])
		if v.follow != nil {
			e.AppendToken(ex.Tokens)
		}
	}
	e.Encode(at, ex)
	v.track(i, p, ex.Tokens)
	return len(v.probabilities)/v.blend.targets + i, v.flushFull()
}

// track adds the walk along the rest of variant i.
func (v *variants) track(i int, p prefix, rest *features.Tokens) {
	if v.follow == nil {
		return
	}
	t := track{tokens: rest, start: p.states, reads: v.reads[i : i+1]}
	if p.events == 0 && rest.Events > 0 {
		t.start = nil
	}
	t.reads[0] = reading{rest.Events, row(v.states, i, v.follow.width)}
	v.tracks = append(v.tracks, t)
	v.events += rest.Events
}

// flushFull flushes a batch that is full.
func (v *variants) flushFull() error {
	if len(v.examples) < variantRows && v.events < variantEvents {
		return nil
	}
	return v.flush()
}

// flush scores the variants that wait.
func (v *variants) flush() error {
	if v.follow != nil {
		if err := v.follow.walk(v.tracks); err != nil {
			return err
		}
	}
	v.classify.reset()
	for i := range v.examples {
		v.fillRow(&v.examples[i], row(v.states, i, v.widths[State]))
		if err := v.classify.push(); err != nil {
			return err
		}
	}
	if err := v.classify.flush(); err != nil {
		return err
	}
	for _, p := range v.classify.probabilities {
		if notFinite(p) {
			return fmt.Errorf("infer: probability is %v, want a finite number", p)
		}
	}
	v.probabilities = append(v.probabilities, v.classify.probabilities...)
	v.clear()
	return nil
}

// row is the probabilities of a flushed variant.
func (v *variants) row(i int) []float32 { return row(v.probabilities, i, v.blend.targets) }
