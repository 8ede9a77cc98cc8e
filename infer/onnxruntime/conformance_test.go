package onnxruntime

import (
	"math"
	"math/rand/v2"
	"testing"

	"moments/model"
)

// tolerance is how far the runtime may be from the kernels.
const tolerance = 1e-5

// table has every kind of column; edges are uneven and padded, one feature has
// a single bin and one none of any width.
func table(random *rand.Rand, numeric, bins int) model.Table {
	t := model.Table{Numeric: numeric, Binary: 3, Cardinalities: []int{11, 40}, Bins: bins}
	for f := range numeric {
		edges := []float32{-2}
		for range 1 + (f+bins-1)%bins {
			edges = append(edges, edges[len(edges)-1]+0.1+random.Float32())
		}
		t.Edges = append(t.Edges, edges)
	}
	t.Edges[numeric-1] = nil
	return t
}

// architectures has one or more networks of every registered kind.
func architectures(random *rand.Rand) map[string]model.Network {
	t := table(random, 7, 9)
	return map[string]model.Network{
		"mlp":           &model.MLP{Table: t, Targets: 2, Hidden: []int{33, 20}, CategoryWidth: 5},
		"mlp/linear":    &model.MLP{Table: model.Table{Numeric: 4}, Targets: 1},
		"tabm":          &model.TabM{Table: t, Targets: 3, Members: 4, Width: 24, Layers: 3, Embedding: 6, CategoryWidth: 5},
		"tabm/plain":    &model.TabM{Table: model.Table{Binary: 5}, Targets: 1, Members: 3, Width: 16, Layers: 1},
		"denoiser":      &model.Denoiser{Features: 13, Width: 40, Layers: 2, Steps: 10},
		"denoiser/thin": &model.Denoiser{Features: 1, Width: 1, Layers: 1, Steps: 1},
	}
}

// oneOp draws the smallest network of each op, with its result as the output.
func oneOp(random *rand.Rand) map[model.Op]model.Network {
	out := func(n *model.Node) model.Outputs { return model.Outputs{"y": n} }
	last := func(o model.Outputs) model.Outputs { return out(o[model.OutputProbability]) }
	members := func(b model.Builder) *model.Node {
		return model.EnsembleLinear(b.In("copies"), b.Input("x", 5), 3, 4, model.Init{}, model.LeakyReLU)
	}
	return map[model.Op]model.Network{
		model.Concat:    draw(func(b model.Builder) model.Outputs { return out(b.Concat(b.Input("x", 2), b.Input("z", 3))) }),
		model.Dense:     draw(func(b model.Builder) model.Outputs { return out(model.Linear(b, b.Input("x", 5), 4, model.LeakyReLU)) }),
		model.Embedding: draw(func(b model.Builder) model.Outputs { return out(model.Embed(b, b.Input("x", 2), []int{5, 7}, 3)) }),
		model.PiecewiseLinear: draw(func(b model.Builder) model.Outputs {
			return out(model.Piecewise(b, b.Input("x", 7), table(random, 7, 9).Edges, 4))
		}),
		model.EnsembleDense: draw(func(b model.Builder) model.Outputs { return out(members(b)) }),
		model.EnsembleHead:  draw(func(b model.Builder) model.Outputs { return out(model.Heads(b, members(b), 2)) }),
		model.Sigmoid:       draw(func(b model.Builder) model.Outputs { return last(model.Classify(b, members(b))) }),
		model.MeanMembers:   draw(func(b model.Builder) model.Outputs { return last(model.Classify(b, model.Heads(b, members(b), 2))) }),
		model.Temper: draw(func(b model.Builder) model.Outputs {
			return last(model.Classify(b, model.EnsembleLinear(b, b.Input("x", 5), 1, 4, model.Init{}, model.Identity)))
		}),
	}
}

// TestOpsMatchTheKernels holds every op, alone, against infer's.
func TestOpsMatchTheKernels(t *testing.T) {
	r := openRuntime(t)
	random := rand.New(rand.NewPCG(1, 1))
	networks := oneOp(random)
	for op := range model.Specs {
		if networks[op] == nil {
			t.Errorf("%s is not tested", op)
			continue
		}
		t.Run(op.String(), func(t *testing.T) { checkConformance(t, r, networks[op], random) })
	}
}

func TestArchitecturesMatchTheKernels(t *testing.T) {
	r := openRuntime(t)
	random := rand.New(rand.NewPCG(2, 2))
	networks := architectures(random)
	for _, kind := range model.Kinds() {
		if networks[kind] == nil {
			t.Errorf("architecture %s is not tested", kind)
		}
	}
	for name, network := range networks {
		t.Run(name, func(t *testing.T) { checkConformance(t, r, network, random) })
	}
}

// checkConformance compares all outputs of a network, for one row and for a
// thousand.
func checkConformance(t *testing.T, r *Runtime, network model.Network, random *rand.Rand) {
	t.Helper()
	g := build(t, network)
	params := randomParams(g, random)
	program, loaded := compile(t, g, params), export(t, r, g, params)
	for _, rows := range []int{1, 1000} {
		native, foreign := program.NewSession(rows), newSession(t, loaded, rows, nil)
		for _, in := range g.Inputs() {
			x := randomRows(g, in, random, rows)
			copy(native.Input(in.Name), x)
			copy(Input[float32](foreign, in.Name), x)
		}
		if err := native.Run(rows); err != nil {
			t.Fatal(err)
		}
		if err := foreign.Run(rows); err != nil {
			t.Fatal(err)
		}
		for name := range g.Outputs {
			compare(t, name, rows, Output[float32](foreign, name), native.Output(name))
		}
	}
}

// compare allows for the rounding of large values.
func compare(t *testing.T, name string, rows int, got, want []float32) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s of %d rows has %d values, want %d", name, rows, len(got), len(want))
	}
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= tolerance*max(1, math.Abs(float64(want[i])))) {
			t.Fatalf("%s of %d rows: value %d is %v, want %v", name, rows, i, got[i], want[i])
		}
	}
}
