package infer

import (
	"slices"

	"moments/features"
	"moments/model"
)

// gateStep is the difference by which gates are moved: large beside the
// rounding of probabilities, small beside the way from 0 to 1.
const gateStep = 1.0 / 32

// gradients are integrated gradients (Sundararajan et al., Axiomatic
// Attribution for Deep Networks, ICML 2017) over gates of the last events, in
// the networks that follow events. A gate g lets an event move the state by g of
// the way it would: 0 leaves the state as if the event were not, 1 is the event
// as it is. The derivatives along the straight way from all 0 to all 1 are taken
// by differences, at the middle of equal parts of it.
func (x *explainer) gradients(e *Explanation) error {
	gated := min(x.options.Last, len(x.events))
	first, points := len(x.events)-gated, x.options.Gradients
	for i := range e.Events[first:] {
		e.Events[first+i].Gradient = make([]float64, len(e.Targets))
	}
	var ex features.Example
	x.encoder.Encode(x.cutoff.Time, &ex)
	states := make([]float32, (1+gated)*x.follow.width)
	for point := range points {
		gate := (float32(point) + 0.5) / float32(points)
		if err := x.follow.gate(x.tokens, first, x.stateBefore(first), gate, states); err != nil {
			return err
		}
		p, err := x.headsOf(&ex, states)
		if err != nil {
			return err
		}
		targets := len(e.Targets)
		for i := range gated {
			for t := range targets {
				e.Events[first+i].Gradient[t] += (float64(p[(1+i)*targets+t]) - float64(p[t])) / gateStep / float64(points)
			}
		}
	}
	return nil
}

// headsOf scores an example with each row of states.
func (x *explainer) headsOf(ex *features.Example, states []float32) ([]float32, error) {
	x.classify.reset()
	for rest := range slices.Chunk(states, x.follow.width) {
		x.fillRow(ex, rest)
		if err := x.classify.push(); err != nil {
			return nil, err
		}
	}
	err := x.classify.flush()
	return x.classify.probabilities, err
}

// stateBefore is the state before event first; nil where none comes before it.
func (x *explainer) stateBefore(first int) []float32 {
	if first == 0 {
		return nil
	}
	return row(x.states, first-x.from, x.follow.width)
}

// gate walks the tokens from first on with all gates alike, and once for each
// of them with that gate a step further open. It writes the last states, the
// plain walk's first, to (1+tokens, S).
func (f *follower) gate(tokens *features.Tokens, first int, start []float32, gate float32, to []float32) error {
	whole := track{tokens: tokens, start: start}
	for i, r := range f.networks {
		s := f.sessions[i]
		f.begin([]*track{&whole})
		state := s.carried(model.OutputState)
		before := make([]float32, len(to)/f.width*r.width)
		for t := first; t < tokens.Events; t++ {
			rows := t - first + 2
			copy(row(state, rows-1, r.width), row(state, 0, r.width)) // the walk whose gate this is has been the plain one so far
			copy(before, state[:rows*r.width])
			f.repeat(s, tokens, t, rows)
			if err := s.Resume(0, []int{rows}); err != nil {
				return err
			}
			for j := range rows {
				g := gate
				if j == rows-1 {
					g += gateStep
				}
				for k, x := range row(before, j, r.width) {
					state[j*r.width+k] = x + g*(state[j*r.width+k]-x)
				}
			}
		}
		for j := range len(to) / f.width {
			copy(to[j*f.width+r.at:][:r.width], row(state, j, r.width))
		}
	}
	return nil
}

// repeat makes one token the input of rows journeys.
func (f *follower) repeat(s *Session, tokens *features.Tokens, t, rows int) {
	var in [len(eventInputs)][]float32
	for i, name := range eventInputs {
		in[i] = s.Input(name)
	}
	f.schema.NormalizeToken(tokens, t, in[0][:f.widths[0]], in[1][:f.widths[1]], in[2][:f.widths[2]])
	for i, width := range f.widths {
		for j := 1; j < rows; j++ {
			copy(row(in[i], j, width), in[i][:width])
		}
	}
}
