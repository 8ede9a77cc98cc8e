package onnxruntime

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/model"
	"moments/weights/onnx"
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
		"additive":   &model.Additive{Table: t, Targets: 3},
		"mlp":        &model.MLP{Table: t, Targets: 2, Hidden: []int{33, 20}, CategoryWidth: 5},
		"mlp/linear": &model.MLP{Table: model.Table{Numeric: 4}, Targets: 1},
		"tabm":       &model.TabM{Table: t, Targets: 3, Members: 4, Width: 24, Layers: 3, Embedding: 6, CategoryWidth: 5},
		"tabm/plain": &model.TabM{Table: model.Table{Binary: 5}, Targets: 1, Members: 3, Width: 16, Layers: 1},
		"journey": &model.Journey{
			Events: table(random, 3, 4), Table: t, Targets: 2, State: 12, Token: 4, TypeSize: 5,
			Members: 3, Width: 16, Layers: 2, Embedding: 4, CategoryWidth: 3,
		},
		"journey/events": &model.Journey{Events: model.Table{Cardinalities: []int{6}}, Targets: 1, State: 5, TypeSize: 3, Members: 2, Width: 8, Layers: 1},
		"binet":          &model.BINet{Cells: []int{5, 3, 41}, Embedding: 4, State: 9, Width: 17},
		"binet/types":    &model.BINet{Cells: []int{6}, Embedding: 3, State: 5, Width: 8},
		"denoiser":       &model.Denoiser{Features: 13, Width: 40, Layers: 2, Steps: 10},
		"denoiser/thin":  &model.Denoiser{Features: 1, Width: 1, Layers: 1, Steps: 1},
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
		model.GRU:           draw(func(b model.Builder) model.Outputs { return out(model.Recurrent(b, b.EventInput("x", 5), 4)) }),
		model.Select: draw(func(b model.Builder) model.Outputs {
			return out(model.SelectRow(b, b.EventInput("x", 5), b.Input("row", 1)))
		}),
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

// overEvents runs ops that compute row by row over events, two recurrent layers
// and a classifier on a selected event.
func overEvents(b model.Builder) model.Outputs {
	types := model.Embed(b.In("types"), b.EventInput("types", 2), []int{4, 9}, 3)
	amounts := model.Piecewise(b.In("amounts"), b.EventInput("amounts", 2), [][]float32{{-1, 0, 2}, {0, 1}}, 4)
	x := model.Linear(b.In("mix"), b.Concat(types, amounts), 6, model.ReLU)
	x = model.Recurrent(b.In("second"), model.Recurrent(b.In("first"), x, 8), 5)
	last := model.SelectRow(b, x, b.Input("row", 1))
	members := model.EnsembleLinear(b.In("members"), b.Concat(last, b.Input("numeric", 3)), 3, 4, model.FanIn(4), model.ReLU)
	outputs := model.Classify(b, model.Heads(b.In("head"), members, 2))
	outputs["states"] = x
	outputs["event_members"] = model.EnsembleLinear(b.In("copies"), x, 2, 3, model.FanIn(4), model.LeakyReLU)
	return outputs
}

func TestNetworksOfEventsMatchTheKernels(t *testing.T) {
	checkConformance(t, openRuntime(t), draw(overEvents), rand.New(rand.NewPCG(3, 3)))
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
		j := newJourneys(random, rows)
		native := program.NewJourneySession(rows, j.events())
		foreign := newSession(t, loaded, rows, map[string]int{onnx.TimeAxis: len(j.steps)})
		copy(Input[int32](foreign, onnx.InputLengths), j.lengths)
		for _, in := range g.Inputs() {
			j.fill(g, in, random, native.Input(in.Name), Input[float32](foreign, in.Name))
		}
		if err := native.RunJourneys(rows, j.steps); err != nil {
			t.Fatal(err)
		}
		if err := foreign.Run(rows); err != nil {
			t.Fatal(err)
		}
		for name, n := range g.Outputs {
			got := Output[float32](foreign, name)
			if n.Shape[0] == model.Events {
				got = j.pack(got, n.RowSize())
			}
			compare(t, name, rows, got, native.Output(name))
		}
	}
}

// journeys are a batch of journeys by falling length, as package model packs
// them.
type journeys struct {
	lengths []int32
	steps   []int // journeys that have a first event, a second and so on
}

func newJourneys(random *rand.Rand, n int) journeys {
	j := journeys{lengths: make([]int32, n)}
	for i := range j.lengths {
		j.lengths[i] = random.Int32N(12)
	}
	j.lengths[0] = 12
	slices.SortFunc(j.lengths, func(a, b int32) int { return int(b - a) })
	for t := range j.lengths[0] {
		j.steps = append(j.steps, len(slices.DeleteFunc(slices.Clone(j.lengths), func(l int32) bool { return l <= t })))
	}
	return j
}

func (j journeys) events() (n int) {
	for _, step := range j.steps {
		n += step
	}
	return n
}

// pack takes the events out of a padded tensor (time, batch, width).
func (j journeys) pack(padded []float32, width int) (packed []float32) {
	for t, step := range j.steps {
		packed = append(packed, padded[t*len(j.lengths)*width:][:step*width]...)
	}
	return packed
}

// fill draws an input, packed and padded. Input "row" selects events: here by
// their row, there by their step.
func (j journeys) fill(g *model.Graph, in *model.Node, random *rand.Rand, native, padded []float32) {
	switch {
	case in.Name == model.InputRow:
		for i, length := range j.lengths {
			step := random.IntN(int(length)+1) - 1
			padded[i], native[i] = float32(step), -1
			if step >= 0 {
				native[i] = float32(journeys{steps: j.steps[:step]}.events() + i)
			}
		}
	case in.Shape[0] == model.Events:
		copy(padded, randomRows(g, in, random, len(j.lengths)*len(j.steps)))
		copy(native, j.pack(padded, in.Width()))
	default:
		copy(native, randomRows(g, in, random, len(j.lengths)))
		copy(padded, native)
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
