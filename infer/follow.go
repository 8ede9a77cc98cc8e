package infer

import (
	"cmp"
	"fmt"
	"slices"

	"moments/features"
	"moments/model"
)

// Bounds of what a follower walks at once, which bound its memory whatever the
// length of journeys: enough rows to keep the products busy, few enough for the
// buffers to stay near the cache.
const (
	followedEvents = 512
	followedTracks = 128
)

// A track is a journey that recurrent networks walk, or the rest of one.
type track struct {
	tokens *features.Tokens
	start  []float32 // (S), the states of all networks before the first token; nil where no event comes before it
	reads  []reading // in order of events
}

// A reading asks for the states after so many of the track's events. Before the
// first event of all they are zeros, which is what networks are trained to read
// there.
type reading struct {
	events int
	into   []float32 // (S)
}

// length is the number of events to walk.
func (t *track) length() int {
	if len(t.reads) == 0 {
		return 0
	}
	return t.reads[len(t.reads)-1].events
}

// A follower is one goroutine's walk along journeys with the recurrent networks
// of a bundle.
type follower struct {
	schema   *features.Schema
	networks []*recurrent
	sessions []*Session
	inputs   [][len(eventInputs)][]float32 // of the sessions, packed
	widths   [len(eventInputs)]int
	width    int // S, of all states
	ids      int // of a token
	numbers  int // of a token

	order   []*track // by falling length
	steps   []int    // of the chunk
	starts  []int    // the rows at which the chunk's steps start
	pending [followedTracks]int
}

// eventInputs are what a token is normalised to.
var eventInputs = [...]string{model.InputEventNumeric, model.InputEventBinary, model.InputEventCategory}

// newFollower returns nil where there are no networks.
func newFollower(schema *features.Schema, networks []*recurrent) *follower {
	if len(networks) == 0 {
		return nil
	}
	numeric, binary, cardinalities, _ := schema.TokenTable()
	f := &follower{
		schema: schema, networks: networks, widths: [...]int{numeric, binary, len(cardinalities)},
		ids: len(cardinalities), numbers: len(schema.TokenColumns()),
	}
	for _, r := range networks {
		s := r.steps.NewJourneySession(1, followedEvents)
		var inputs [len(eventInputs)][]float32
		for i, name := range eventInputs {
			inputs[i] = s.Input(name)
		}
		f.sessions, f.inputs = append(f.sessions, s), append(f.inputs, inputs)
		f.width += r.width
	}
	return f
}

// check demands tokens.
func (f *follower) check(ex *features.Example) error {
	return checkTokens(ex, "network "+f.networks[0].name, f.ids, f.numbers)
}

// checkTokens demands tokens of so many ids and numbers each, at least as many
// as the cutoff lets see.
func checkTokens(ex *features.Example, reader string, ids, numbers int) error {
	switch t := ex.Tokens; {
	case t == nil:
		return fmt.Errorf("infer: customer %q: example without tokens, which %s reads: encode it with EncodeTokens", ex.Customer, reader)
	case len(t.IDs) != t.Events*ids || len(t.Values) != t.Events*numbers:
		return fmt.Errorf("infer: customer %q: %d events of %d ids and %d numbers in all, want %d and %d each: make them with the bundle's schema", ex.Customer, t.Events, len(t.IDs), len(t.Values), ids, numbers)
	case ex.Cutoff.Events < 0 || ex.Cutoff.Events > t.Events:
		return fmt.Errorf("infer: customer %q: cutoff after %d events, want 0 to the %d that have tokens", ex.Customer, ex.Cutoff.Events, t.Events)
	}
	return nil
}

// walk serves the readings of all tracks. What it reads does not depend on
// which tracks walk together.
func (f *follower) walk(tracks []track) error {
	f.order = f.order[:0]
	for i := range tracks {
		if t := &tracks[i]; t.length() > 0 {
			f.order = append(f.order, t)
		}
		tracks[i].standStill()
	}
	slices.SortStableFunc(f.order, func(a, b *track) int { return cmp.Compare(b.length(), a.length()) })
	for group := range slices.Chunk(f.order, followedTracks) {
		if err := f.walkGroup(group); err != nil {
			return err
		}
	}
	return nil
}

// standStill serves the readings before the first token.
func (t *track) standStill() {
	for i := 0; i < len(t.reads) && t.reads[i].events == 0; i++ {
		clear(t.reads[i].into)
		copy(t.reads[i].into, t.start)
	}
}

// walkGroup walks tracks, longest first, a chunk of steps at a time.
func (f *follower) walkGroup(tracks []*track) error {
	f.begin(tracks)
	for step := 0; step < tracks[0].length(); step += len(f.steps) {
		f.plan(tracks, step)
		f.pack(tracks, step)
		for i, s := range f.sessions {
			if i > 0 {
				f.share(i)
			}
			if err := s.Resume(0, f.steps); err != nil {
				return fmt.Errorf("%w (network %s)", err, f.networks[i].name)
			}
		}
		f.read(tracks, step)
	}
	return nil
}

// begin puts every track where it starts.
func (f *follower) begin(tracks []*track) {
	for j, t := range tracks {
		f.pending[j] = 0
		for f.pending[j] < len(t.reads) && t.reads[f.pending[j]].events == 0 {
			f.pending[j]++
		}
		for i, r := range f.networks {
			from := r.first
			if t.start != nil {
				from = t.start[r.at:][:r.width]
			}
			copy(row(f.sessions[i].carried(model.OutputState), j, r.width), from)
		}
	}
}

// plan takes as many steps from the given one on as there is room for.
func (f *follower) plan(tracks []*track, step int) {
	f.steps, f.starts = f.steps[:0], f.starts[:0]
	rows, alive := 0, len(tracks)
	for {
		for alive > 0 && tracks[alive-1].length() <= step+len(f.steps) {
			alive--
		}
		if alive == 0 || rows+alive > followedEvents {
			return
		}
		f.steps, f.starts = append(f.steps, alive), append(f.starts, rows)
		rows += alive
	}
}

// pack normalises the tokens of the planned steps into the inputs of the first
// session.
func (f *follower) pack(tracks []*track, step int) {
	in, at := &f.inputs[0], 0
	for t, alive := range f.steps {
		for j := range alive {
			f.schema.NormalizeToken(tracks[j].tokens, step+t, row(in[0], at, f.widths[0]), row(in[1], at, f.widths[1]), row(in[2], at, f.widths[2]))
			at++
		}
	}
}

// share copies the packed tokens from the first session to another.
func (f *follower) share(session int) {
	rows := f.starts[len(f.starts)-1] + f.steps[len(f.steps)-1]
	for i, width := range f.widths {
		copy(f.inputs[session][i], f.inputs[0][i][:rows*width])
	}
}

// read serves the readings that lie within the planned steps.
func (f *follower) read(tracks []*track, step int) {
	for j, t := range tracks[:f.steps[0]] {
		for ; f.pending[j] < len(t.reads); f.pending[j]++ {
			r := &t.reads[f.pending[j]]
			last := r.events - 1 - step // counted in the chunk
			if last >= len(f.steps) {
				break
			}
			for i, n := range f.networks {
				copy(r.into[n.at:][:n.width], row(f.sessions[i].Output(model.OutputState), f.starts[last]+j, n.width))
			}
		}
	}
}

// states walks the journeys of examples, which must have been checked, and
// writes their states to (examples, S). Neighbours that are cut from the same
// tokens, the earlier first, share one walk.
func (f *follower) states(examples []features.Example, to []float32, w *walking) error {
	w.tracks, w.reads = w.tracks[:0], slices.Grow(w.reads[:0], len(examples))
	for i := range examples {
		ex := &examples[i]
		w.reads = append(w.reads, reading{ex.Cutoff.Events, row(to, i, f.width)})
		if n := len(w.tracks); n > 0 && w.tracks[n-1].tokens == ex.Tokens && w.tracks[n-1].length() <= ex.Cutoff.Events {
			t := &w.tracks[n-1]
			t.reads = w.reads[i-len(t.reads) : i+1]
			continue
		}
		w.tracks = append(w.tracks, track{tokens: ex.Tokens, reads: w.reads[i : i+1]})
	}
	return f.walk(w.tracks)
}

// walking is memory for tracks.
type walking struct {
	tracks []track
	reads  []reading
}
