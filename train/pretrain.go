package train

import (
	"context"
	"math"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// foretelling is the problem of a network that learns to follow journeys
// without any label: of every event it says what comes next, and when.
type foretelling struct {
	training, validating *journeys
	graph                *model.Graph
}

func (f *foretelling) size() int          { return len(f.training.stretches) }
func (f *foretelling) learns() objective  { return journeyLoss(f.graph, false) }
func (f *foretelling) reads() string      { return model.OutputNextType }
func (f *foretelling) arrange(rows []int) { f.training.arrange(rows) }
func (f *foretelling) room(n int) rows    { return roomFor(n, f.training, f.validating) }

// fill weighs all events alike.
func (f *foretelling) fill(l *lane, rows []int) float64 {
	l.pack(f.training, nil, rows)
	return l.foretell(f.training, rows, func(*stretch) float32 { return 1 })
}

// validate is the mean cross-entropy of the next event's type.
func (f *foretelling) validate(predict *crew) (float64, error) {
	j := f.validating
	order := j.byLength()
	losses, counts := make([]float64, len(predict.lanes)), make([]float64, len(predict.lanes))
	err := predict.each(func(lane int, l *lane) error {
		most := l.most.batch / mostCuts
		for start := lane * most; start < len(order); start += most * len(predict.lanes) {
			part := order[start:min(start+most, len(order))]
			l.pack(j, nil, part)
			if err := l.run(); err != nil {
				return err
			}
			out := l.outputs[model.OutputNextType]
			width, logits := out.node.RowSize(), out.values()
			l.eachEvent(j, part, func(at, event int, _ *stretch) {
				if next := int(j.nextType[event]); next >= 0 {
					losses[lane], counts[lane] = losses[lane]+surprise(row(logits, at, width), next), counts[lane]+1
				}
			})
		}
		return nil
	})
	var loss, count float64
	for i := range losses {
		loss, count = loss+losses[i], count+counts[i]
	}
	return loss / max(1, count), err
}

// surprise is the negative log-probability of one of the logits' classes.
func surprise(logits []float32, class int) float64 {
	sum := 0.0
	for _, z := range logits {
		sum += math.Exp(float64(z - logits[class]))
	}
	return math.Log(sum)
}

// pretrain trains what the networks that follow events have in common on all
// journeys up to their cutoffs, labelled or not (Dai and Le, Semi-supervised
// sequence learning, NIPS 2015), and returns its parameters by name.
func (t *targeted) pretrain(ctx context.Context) (map[string]weights.Tensor, error) {
	network := t.recurrent(alone)
	whole, err := model.Build(network)
	if err != nil {
		return nil, err
	}
	g, err := whole.Part(nil, model.OutputNextType, model.OutputNextGap)
	if err != nil {
		return nil, err
	}
	p := t.prepared
	all := append(append([]features.Example{}, p.Train...), p.Unlabelled...)
	problem := &foretelling{newJourneys(p.Schema, all), newJourneys(p.Schema, p.Validation), g}
	s := t.schedule("pretraining", mix(t.config.Seed, 1<<34))
	s.batch, s.micro = max(1, s.batch/2), journeyMicro
	t.options.Log.Info("pretraining", "examples", len(p.Train), "without_label", len(p.Unlabelled), "stretches", problem.size())
	return t.train(ctx, network, g, problem, s)
}

// adopt takes over the values of parameters of the same names.
func (p *parameters) adopt(saved map[string]weights.Tensor) {
	for _, n := range p.graph.Params() {
		if t, ok := saved[n.Name]; ok {
			copy(p.of(n), t.Data)
		}
	}
}
