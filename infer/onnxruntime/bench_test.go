package onnxruntime

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"moments/model"
	"moments/weights/onnx"
)

// benchmarked are the networks whose speed is reported.
func benchmarked(random *rand.Rand) []struct {
	name    string
	network model.Network
} {
	numerics := model.Table{Numeric: 20, Bins: 48}
	for range numerics.Numeric {
		edges := []float32{-2.5}
		for range numerics.Bins {
			edges = append(edges, edges[len(edges)-1]+0.05+0.1*random.Float32())
		}
		numerics.Edges = append(numerics.Edges, edges)
	}
	return []struct {
		name    string
		network model.Network
	}{
		{"mlp", &model.MLP{Table: model.Table{Numeric: 64}, Targets: 1, Hidden: []int{256, 256}}},
		{"gru", draw(recurrent)},
		{"tabm", &model.TabM{Table: numerics, Targets: 1, Members: 16, Width: 256, Layers: 2, Embedding: 16}},
	}
}

// recurrent reads 32 values of each of the last events; the state after the
// last makes the probability.
func recurrent(b model.Builder) model.Outputs {
	states := model.Recurrent(b.In("events"), b.EventInput("events", 32), 64)
	last := model.SelectRow(b, states, b.Input("row", 1))
	return model.Classify(b, model.EnsembleLinear(b.In("head"), last, 1, 1, model.FanIn(64), model.Identity))
}

// BenchmarkInference compares this program's kernels with ONNX Runtime on the
// same networks and rows, one thread each: the model as exported, all graph
// optimisations, tensors allocated beforehand. A journey has 16 events.
func BenchmarkInference(b *testing.B) {
	random := rand.New(rand.NewPCG(4, 4))
	for _, n := range benchmarked(random) {
		g := build(b, n.network)
		params := randomParams(g, random)
		for _, rows := range []int{1, 256} {
			j := equalJourneys(rows, 16)
			b.Run(fmt.Sprintf("%s/rows=%d/native", n.name, rows), func(b *testing.B) { benchmarkNative(b, g, params, j) })
			b.Run(fmt.Sprintf("%s/rows=%d/onnxruntime", n.name, rows), func(b *testing.B) { benchmarkRuntime(b, g, params, j) })
		}
	}
}

func equalJourneys(rows, events int) journeys {
	j := journeys{lengths: make([]int32, rows), steps: make([]int, events)}
	for i := range j.lengths {
		j.lengths[i] = int32(events)
	}
	for t := range j.steps {
		j.steps[t] = rows
	}
	return j
}

func benchmarkNative(b *testing.B, g *model.Graph, params map[string][]float32, j journeys) {
	rows := len(j.lengths)
	s := compile(b, g, params).NewJourneySession(rows, j.events())
	random := rand.New(rand.NewPCG(5, 5))
	for _, in := range g.Inputs() {
		j.fill(g, in, random, s.Input(in.Name), make([]float32, rows*len(j.steps)*in.Width()))
	}
	measure(b, rows, func() error { return s.RunJourneys(rows, j.steps) })
}

func benchmarkRuntime(b *testing.B, g *model.Graph, params map[string][]float32, j journeys) {
	rows := len(j.lengths)
	s := newSession(b, export(b, openRuntime(b), g, params), rows, map[string]int{onnx.TimeAxis: len(j.steps)}, model.OutputProbability)
	random := rand.New(rand.NewPCG(5, 5))
	copy(Input[int32](s, onnx.InputLengths), j.lengths)
	for _, in := range g.Inputs() {
		j.fill(g, in, random, make([]float32, rows*len(j.steps)*in.Width()), Input[float32](s, in.Name))
	}
	measure(b, rows, func() error { return s.Run(rows) })
}

// measure reports the median of a run beside the mean, over slices of several
// runs: what else the machine does at some moments is in the mean.
func measure(b *testing.B, rows int, run func() error) {
	if err := run(); err != nil { // takes its memory
		b.Fatal(err)
	}
	repeat, times := 1, make([]float64, 0, 1<<16)
	b.ReportAllocs()
	for i, start := 1, time.Now(); b.Loop(); i++ {
		if err := run(); err != nil {
			b.Fatal(err)
		}
		if i < repeat {
			continue
		}
		now := time.Now()
		took := now.Sub(start)
		if took < slice {
			repeat++
		} else if len(times) < cap(times) {
			times = append(times, float64(took.Nanoseconds())/float64(i))
		}
		i, start = 0, now
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
	if len(times) > 0 {
		slices.Sort(times)
		b.ReportMetric(times[len(times)/2], "median-ns")
	}
}

// slice is a time beside which reading the clock takes none.
const slice = 20 * time.Microsecond
