package main

import (
	"context"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"moments/datasets"
	"moments/features"
	"moments/infer"
	"moments/model"
	"moments/weights"
)

// tested are labelled examples that a bundle is tested on, encoded by its own
// schema.
type tested struct {
	examples []features.Example
	shuffled []features.Example // the same, the order of their events shuffled; nil where there are no events
}

// measure saves a bundle to a temporary folder, opens it again and has it score
// the examples: what is measured is what ships.
func measure(c *console, b *weights.Bundle, fold int, test tested) ([]prediction, error) {
	folder, err := os.MkdirTemp("", "moments-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	dir := filepath.Join(folder, "bundle")
	if err := b.Save(dir); err != nil {
		return nil, err
	}
	saved, err := weights.Open(dir)
	if err != nil {
		return nil, err
	}
	return predict(c, saved, fold, test)
}

// predict scores labelled examples: by the blend, by each kind of its networks
// alone, and by the blend with the order of events shuffled.
func predict(c *console, b *weights.Bundle, fold int, test tested) ([]prediction, error) {
	scorer, err := c.newScorer(b, infer.ScorerOptions{SkipAnomaly: true})
	if err != nil {
		return nil, err
	}
	whole, err := probabilities(scorer, test.examples)
	if err != nil {
		return nil, err
	}
	found, err := judge(c, b, test.examples)
	if err != nil {
		return nil, err
	}
	predictions := make([]prediction, len(whole))
	for i := range predictions {
		ex := &test.examples[i]
		predictions[i] = prediction{
			customer: ex.Customer, cutoff: ex.Cutoff.Time, group: ex.Cutoff.Group, fold: fold,
			labels: ex.Labels, probabilities: whole[i], others: map[string][]float32{}, judged: found[i],
		}
	}
	others, err := variants(c, b, scorer, test)
	for name, scored := range others {
		for i := range scored {
			predictions[i].others[name] = scored[i]
		}
	}
	return predictions, err
}

// shuffledOrder is the variant of a test that shuffles the order of events.
const shuffledOrder = "order shuffled"

// variants are further predictions by name, of all examples; scorer is the
// bundle's own.
func variants(c *console, b *weights.Bundle, scorer *infer.Scorer, test tested) (map[string][][]float32, error) {
	all := map[string][][]float32{}
	for name, alone := range kindsAlone(b) {
		only, err := c.newScorer(alone, infer.ScorerOptions{SkipAnomaly: true})
		if err != nil {
			return nil, err
		}
		if all[name], err = probabilities(only, test.examples); err != nil {
			return nil, err
		}
	}
	if test.shuffled == nil {
		return all, nil
	}
	var err error
	all[shuffledOrder], err = probabilities(scorer, test.shuffled)
	return all, err
}

func probabilities(scorer *infer.Scorer, examples []features.Example) ([][]float32, error) {
	scores, err := scorer.ScoreExamples(examples)
	rows := make([][]float32, len(scores))
	for i := range scores {
		rows[i] = scores[i].Probabilities
	}
	return rows, err
}

// kindsAlone yields, where a bundle's classifiers are of several kinds, the
// bundle with the blend of one kind alone, for each.
func kindsAlone(b *weights.Bundle) iter.Seq2[string, *weights.Bundle] {
	members := map[string][]int{}
	for i := range b.Networks {
		if n := &b.Networks[i]; n.Role == weights.Classifier && !n.Foreign() {
			kind := kindOf(n) + " alone"
			members[kind] = append(members[kind], i)
		}
	}
	return func(yield func(string, *weights.Bundle) bool) {
		for kind, of := range members {
			alone := *b
			alone.Networks = slices.Clone(b.Networks)
			for i := range alone.Networks {
				alone.Networks[i].Weight = 0
			}
			for _, i := range of {
				alone.Networks[i].Weight = 1 / float64(len(of))
			}
			if len(members) > 1 && !yield(kind, &alone) {
				return
			}
		}
	}
}

// kindOf names what a classifier sees: the table, events, or both, or that it
// adds up what each column of the table says.
func kindOf(n *weights.Network) string {
	if n.Saved.Kind == "additive" {
		return n.Saved.Kind
	}
	g, err := n.Graph()
	if err != nil {
		return n.Name
	}
	var sees []string
	for what, inputs := range map[string][]string{
		"events": {model.InputEventNumeric, model.InputEventBinary, model.InputEventCategory},
		"table":  {model.InputNumeric, model.InputBinary, model.InputCategory},
	} {
		if slices.ContainsFunc(g.Inputs(), func(in *model.Node) bool { return slices.Contains(inputs, in.Name) }) {
			sees = append(sees, what)
		}
	}
	slices.Sort(sees)
	return strings.Join(sees, " and ")
}

// seesEvents says whether a network follows events.
func seesEvents(n *weights.Network) bool {
	return n.Role == weights.Classifier && !n.Foreign() && strings.HasPrefix(kindOf(n), "events")
}

// shuffled encodes the wanted cuts with what happened dealt out anew over the
// times of their events: what a bundle loses by it, the order told it.
func shuffled(ctx context.Context, data *datasets.Dataset, schema *features.Schema, columns []int, wanted func(cut int) bool) ([]features.Example, error) {
	if len(schema.Types) == 0 {
		return nil, nil
	}
	return encodeCuts(ctx, data, schema, columns, wanted, shuffleEvents)
}

// shuffleEvents returns a journey whose first events, of a number, have their
// types and attributes permuted, and keep their times.
func shuffleEvents(j *features.Journey, n int) *features.Journey {
	h := fnv.New64a()
	h.Write([]byte(j.Customer))
	order := rand.New(rand.NewPCG(h.Sum64(), uint64(n))).Perm(n)
	other := *j
	other.Events = slices.Clone(j.Events[:n])
	for i, from := range order {
		other.Events[i].Type, other.Events[i].Values = j.Events[from].Type, j.Events[from].Values
	}
	return &other
}
