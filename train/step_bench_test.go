package train

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"moments/model"
)

// BenchmarkStep times one step of the optimiser on batches of 256 rows, by
// micro-batch and lanes.
func BenchmarkStep(b *testing.B) {
	edges := make([][]float32, 20)
	for i := range edges {
		for j := range 49 {
			edges[i] = append(edges[i], float32(j-24)/8)
		}
	}
	for name, network := range map[string]model.Network{
		"MLP":  model.MLP{Table: model.Table{Numeric: 64}, Targets: 1, Hidden: []int{256, 256}},
		"TabM": model.TabM{Table: model.Table{Numeric: 20, Edges: edges}, Targets: 1, Members: 16, Width: 256, Layers: 2, Embedding: 16},
	} {
		for _, micro := range []int{8, 16, 32, 64, 128} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/micro=%d/threads=%d", name, micro, threads), func(b *testing.B) { benchmarkStep(b, network, micro, threads) })
			}
		}
	}
}

func benchmarkStep(b *testing.B, network model.Network, micro, threads int) {
	const batch = 256
	g, err := model.Build(network)
	if err != nil {
		b.Fatal(err)
	}
	params := newParameters(g, 1)
	var lanes []*lane
	for range threads {
		l, err := newLearner(g, params, micro, crossEntropy(g))
		if err != nil {
			b.Fatal(err)
		}
		l.dropout = 0.1
		fillRandomly(l, g, rand.New(rand.NewPCG(5, 6)))
		lanes = append(lanes, l)
	}
	c := hire(lanes)
	defer c.dismiss()
	optimiser, learned := newAdamW(1e-3, 1e-4, 1), params.learn(lanes)
	optimiser.Scale = 1.0 / batch
	b.ReportAllocs()
	for b.Loop() {
		err := c.each(func(i int, l *lane) error {
			l.clearGradients()
			for m := i; m*micro < batch; m += threads {
				l.key++
				if err := l.run(); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			err = optimiser.Step(learned)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
