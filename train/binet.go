package train

import (
	"math/rand/v2"

	G "gorgonia.org/gorgonia"

	"moments/features"
	"moments/model"
	"moments/model/kernel"
)

// expecting is the problem of a network that foretells events: every
// attribute of every event, from events before it some of which are corrupted,
// so that one strange event does not make those after it look strange.
type expecting struct {
	graph                *model.Graph
	cells                []int
	corrupt              float64 // share of the attributes of events before that are replaced
	training, validating *journeys
}

// leafCells are the attributes to be foretold, (events, cells).
const leafCells = "cells"

// newCells gathers the attributes of the events of journeys.
func newCells(s *features.Schema, seen []*features.Tokens) *journeys {
	j := &journeys{events: map[string][]float32{}}
	cells := s.Cells()
	width := len(cells)
	before := make([]float32, width)
	for _, t := range seen {
		start := max(0, t.Events-mostEvents)
		if t.Events == 0 {
			continue
		}
		j.stretches = append(j.stretches, stretch{first: len(j.events[model.InputEventType]), events: t.Events - start})
		clear(before)
		if start > 0 {
			s.TokenCells(cells, t, start-1, before)
		}
		for i := start; i < t.Events; i++ {
			copy(j.room(model.InputEventBefore, width), before)
			s.TokenCells(cells, t, i, before)
			copy(j.room(leafCells, width), before)
			j.room(model.InputEventType, 1)[0] = before[0]
		}
	}
	return j
}

func (x *expecting) size() int         { return len(x.training.stretches) }
func (x *expecting) reads() string     { return model.OutputCells }
func (x *expecting) learns() objective { return cellEntropy(x.graph, x.cells) }

func (x *expecting) room(stretches int) rows {
	return rows{batch: 1, events: stretches * x.longest(), steps: []int{}}
}

func (x *expecting) longest() int { return max(x.training.longest(), x.validating.longest()) }

func (x *expecting) arrange(rows []int) { x.training.arrange(rows) }

func (x *expecting) fill(l *lane, rows []int) float64 {
	l.pack(x.training, nil, rows)
	truth, width := l.inputs[leafCells], len(x.cells)
	l.eachEvent(x.training, rows, func(at, event int, _ *stretch) {
		copy(row(truth, at, width), row(x.training.events[leafCells], event, width))
	})
	x.spoil(l.inputs[model.InputEventBefore][:l.events*width], l.random)
	return float64(l.events)
}

// spoil replaces attributes by those of other training events.
func (x *expecting) spoil(cells []float32, random *rand.Rand) {
	all, width := x.training.events[leafCells], len(x.cells)
	for i := range cells {
		if random.Float64() < x.corrupt {
			cells[i] = all[random.IntN(len(all)/width)*width+i%width]
		}
	}
}

// validate returns the mean loss of an event of the validation split.
func (x *expecting) validate(predict *crew) (float64, error) {
	j, order := x.validating, x.validating.byLength()
	sums := make([]float64, len(order))
	err := predict.each(func(lane int, l *lane) error {
		most := max(1, l.most.events/x.longest())
		for start := lane * most; start < len(order); start += most * len(predict.lanes) {
			stretches := order[start:min(start+most, len(order))]
			l.pack(j, nil, stretches)
			if err := l.run(); err != nil {
				return err
			}
			y, width := l.outputs[model.OutputCells].values(), l.outputs[model.OutputCells].node.Width()
			l.eachEvent(j, stretches, func(at, event int, _ *stretch) {
				z := row(y, at, width)
				sums[start] += cellLoss(z, z, row(j.events[leafCells], event, len(x.cells)), x.cells)
			})
		}
		return nil
	})
	var sum float64
	for _, s := range sums {
		sum += s
	}
	return sum / float64(max(1, len(j.events[model.InputEventType]))), err
}

// cellEntropy is the loss of a network that foretells events: the
// cross-entropies of all attributes, a sum over attributes and events.
func cellEntropy(g *model.Graph, cells []int) objective {
	output := g.Outputs[model.OutputCells]
	return objective{[]string{model.OutputCells}, func(l *lane) (*G.Node, error) {
		truth := l.leaf(leafCells, output, len(cells))
		return l.addLoss("CellEntropy", []*model.Node{output}, func(gradients, y [][]float32) float64 {
			var loss float64
			for i := range l.events {
				loss += cellLoss(row(gradients[0], i, output.Width()), row(y[0], i, output.Width()), row(l.inputs[leafCells], i, len(cells)), cells)
			}
			return loss
		}, truth)
	}}
}

// cellLoss is the cross-entropy of one event's attributes, and its gradient,
// which may be the logits.
func cellLoss(gradient, logits, truth []float32, cells []int) (loss float64) {
	for c, n := range cells {
		loss += kernel.SoftmaxCrossEntropy(gradient, logits, truth[c:], nil, 1, n)
		gradient, logits = gradient[n:], logits[n:]
	}
	return loss
}
