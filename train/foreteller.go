package train

import (
	"context"
	"slices"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// foretoldEpochs is the most epochs of the network that foretells events, where
// there are few of them.
const foretoldEpochs = 40

// foreteller trains the anomaly network of the sequence on the training part,
// and counts what follows what. Training journeys of its own say when to stop:
// the validation part calibrates, and may choose nothing.
func (r *run) foreteller(ctx context.Context, b *weights.Bundle) error {
	p := r.prepared
	seen := seenTokens(p.Normal())
	fitted, stopping := everyTenth(seen)
	problem := &expecting{corrupt: 0.05, training: newCells(p.Schema, fitted), validating: newCells(p.Schema, stopping)}
	events := len(problem.training.events[model.InputEventType])
	if events == 0 || len(problem.validating.stretches) == 0 {
		return nil
	}
	for _, cell := range p.Schema.Cells() {
		problem.cells = append(problem.cells, cell.Size)
	}
	network := &model.BINet{Cells: problem.cells, Embedding: r.config.TypeSize, State: r.config.State, Width: 2 * r.config.State}
	g, err := model.Build(network)
	if err != nil {
		return err
	}
	problem.graph = g
	s := r.schedule("foreteller", mix(r.config.Seed, 1<<35))
	s.batch, s.micro, s.dropout, s.patience = 64, journeyMicro, 0.1, 4
	perEpoch := events * min(problem.size(), mostEpochRows) / problem.size()
	s.epochs = min(max(r.config.ForetoldEvents/max(perEpoch, 1), 1), foretoldEpochs)
	params, err := r.train(ctx, network, g, problem, s)
	if err != nil {
		return err
	}
	b.Networks = append(b.Networks, weights.Network{Name: s.name, Role: weights.Foreteller, Saved: r.saved(network), Params: params})
	b.Reference.Transitions = countTransitions(seen)
	return nil
}

// everyTenth parts every tenth journey from the others; too few stay whole on
// both sides.
func everyTenth(journeys []*features.Tokens) (others, tenth []*features.Tokens) {
	if len(journeys) < 10 {
		return journeys, journeys
	}
	for i, t := range journeys {
		if i%10 == 9 {
			tenth = append(tenth, t)
		} else {
			others = append(others, t)
		}
	}
	return others, tenth
}

// countTransitions counts how often each type follows the two before it.
func countTransitions(journeys []*features.Tokens) []weights.Transition {
	counts := map[weights.Transition]float32{}
	for _, t := range journeys {
		before := [2]int32{features.MissingID, features.MissingID}
		for i := range t.Events {
			kind := t.IDs[i*(len(t.IDs)/t.Events)]
			counts[weights.Transition{Before: before, Type: kind}]++
			before = [2]int32{before[1], kind}
		}
	}
	transitions := make([]weights.Transition, 0, len(counts))
	for h, count := range counts {
		h.Count = min(count, 1<<24)
		transitions = append(transitions, h)
	}
	slices.SortFunc(transitions, weights.CompareTransitions)
	return transitions
}
