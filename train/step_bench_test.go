package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"moments/model"
)

// A benchmarkCase is a network and its batch, in the micro-batches that suit
// it.
type benchmarkCase struct {
	network        model.Network
	batch, micro   int
	dropout        float32
	in, journey    int // of recurrent networks: width of an event, events of a journey
	reconstruction bool
}

// trainingCases are the steps that docs/benchmarks compares with PyTorch's.
var trainingCases = map[string]benchmarkCase{
	"mlp":         {network: model.MLP{Table: model.Table{Numeric: 64}, Targets: 1, Hidden: []int{256, 256}}, batch: 256, micro: 64},
	"mlp4096":     {network: model.MLP{Table: model.Table{Numeric: 64}, Targets: 1, Hidden: []int{256, 256}}, batch: 4096, micro: 128},
	"autoencoder": {network: autoencoder{[]int{64, 128, 32, 128, 64}}, batch: 256, micro: 128, reconstruction: true},
	"tabm": {network: model.TabM{Table: model.Table{Numeric: 20, Edges: slices.Repeat([][]float32{normalEdges()}, 20)},
		Targets: 1, Members: 16, Width: 256, Layers: 2, Embedding: 16}, batch: 256, micro: 32, dropout: 0.1},
	"gru": {network: recurrentNetwork{in: 32, width: 64}, batch: 128, micro: 64, in: 32, journey: 32},
}

// normalEdges are the edges of 48 bins.
func normalEdges() []float32 {
	var edges []float32
	for j := range 49 {
		edges = append(edges, float32(j-24)/8)
	}
	return edges
}

// autoencoder is a plain one, of the given widths.
type autoencoder struct{ widths []int }

func (a autoencoder) Forward(b model.Builder) model.Outputs {
	x := b.Input(model.InputNumeric, a.widths[0])
	last := len(a.widths) - 1
	for i, width := range a.widths[1:last] {
		x = model.Linear(b.In("layer/%d", i), x, width, model.ReLU)
	}
	return model.Outputs{model.OutputReconstruction: model.Linear(b.In("head"), x, a.widths[last], model.Identity)}
}

// BenchmarkTrainingStep times one step of the optimiser, Adam without decay,
// clipping or averaging, on a whole batch.
func BenchmarkTrainingStep(b *testing.B) {
	for name, c := range trainingCases {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(b *testing.B) { c.run(b, threads) })
		}
	}
}

// BenchmarkMicroBatch times the same steps by the size of the micro-batch.
func BenchmarkMicroBatch(b *testing.B) {
	for name, c := range trainingCases {
		for _, micro := range []int{16, 32, 64, 128} {
			c.micro = micro
			b.Run(fmt.Sprintf("%s/micro=%d", name, micro), func(b *testing.B) { c.run(b, 1) })
		}
	}
}

// run times single steps: their median, unlike their mean, is not that of the
// moments in which the machine was busy with something else.
func (c benchmarkCase) run(b *testing.B, threads int) {
	step, dismiss := c.prepare(b, threads)
	defer dismiss()
	times := make([]time.Duration, 0, 1<<16)
	b.ReportAllocs()
	for last := time.Now(); b.Loop(); {
		step()
		now := time.Now()
		if len(times) < cap(times) {
			times = append(times, now.Sub(last))
		}
		last = now
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "median-ns")
}

// prepare builds the network and returns what makes one step.
func (c benchmarkCase) prepare(b testing.TB, threads int) (step, dismiss func()) {
	g, err := model.Build(c.network)
	if err != nil {
		b.Fatal(err)
	}
	learn := crossEntropy
	if c.reconstruction {
		learn = squaredError
	}
	params, room := newParameters(g, 1), rows{batch: c.micro, events: c.micro * c.journey, steps: slices.Repeat([]int{c.micro}, c.journey)}
	var lanes []*lane
	for range threads {
		l, err := newLearner(g, params, room, learn(g))
		if err != nil {
			b.Fatal(err)
		}
		l.dropout = c.dropout
		lanes = append(lanes, l)
	}
	batches := c.batches(lanes[0], g)
	crew := hire(lanes)
	optimiser, learned := newAdamW(crew, 1e-3, 0, 0), params.learn(lanes)
	optimiser.Scale, optimiser.Average = 1/float64(c.batch), 0
	share := func(i int, l *lane) error {
		l.start(i*c.micro < c.batch)
		for m := i; m*c.micro < c.batch; m += threads {
			for name, x := range l.inputs {
				copy(x, batches[m][name])
			}
			l.seed(uint64(m))
			if err := l.run(); err != nil {
				return err
			}
			l.held = true
		}
		return nil
	}
	return func() {
		if err := crew.each(share); err != nil {
			b.Fatal(err)
		}
		if err := optimiser.Step(learned.sections); err != nil {
			b.Fatal(err)
		}
	}, crew.dismiss
}

// batches draws what every micro-batch reads.
func (c benchmarkCase) batches(l *lane, g *model.Graph) []map[string][]float32 {
	random := rand.New(rand.NewPCG(5, 6))
	batches := make([]map[string][]float32, (c.batch+c.micro-1)/c.micro)
	for m := range batches {
		fillRandomly(l, g, random)
		for i := range l.inputs[model.InputRow] { // the last event of each journey
			l.inputs[model.InputRow][i] = float32((c.journey-1)*c.micro + i)
		}
		batches[m] = map[string][]float32{}
		for name, x := range l.inputs {
			batches[m][name] = slices.Clone(x)
		}
	}
	return batches
}
