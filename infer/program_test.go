package infer

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"moments/model"
)

// table has every kind of column; the first edges are uneven and padded.
func table(random *rand.Rand, numeric, bins int) model.Table {
	t := model.Table{Numeric: numeric, Binary: 3, Cardinalities: []int{11, 40}, Bins: bins}
	for f := range numeric {
		edges := []float32{-2}
		for range 1 + (f+bins-1)%bins {
			edges = append(edges, edges[len(edges)-1]+0.1+random.Float32())
		}
		t.Edges = append(t.Edges, edges)
	}
	return t
}

// architectures has one or more networks of every registered kind.
func architectures(random *rand.Rand) map[string]model.Network {
	t := table(random, 7, 9)
	return map[string]model.Network{
		"additive":      &model.Additive{Table: t, Targets: 3},
		"mlp":           &model.MLP{Table: t, Targets: 2, Hidden: []int{33, 20}, CategoryWidth: 5},
		"mlp/linear":    &model.MLP{Table: model.Table{Numeric: 4}, Targets: 1},
		"tabm":          &model.TabM{Table: t, Targets: 3, Members: 4, Width: 24, Layers: 2, Embedding: 6, CategoryWidth: 5},
		"tabm/plain":    &model.TabM{Table: model.Table{Binary: 5}, Targets: 1, Members: 3, Width: 16, Layers: 1},
		"denoiser":      &model.Denoiser{Features: 13, Width: 40, Layers: 2, Steps: 10},
		"denoiser/thin": &model.Denoiser{Features: 1, Width: 1, Layers: 1, Steps: 1},
	}
}

// journeyNetwork reads events and a table.
func journeyNetwork(random *rand.Rand) model.Network {
	return &model.Journey{
		Events: table(random, 5, 6), Table: table(random, 7, 9), Targets: 2, State: 16, Token: 4, TypeSize: 3,
		Members: 3, Width: 24, Layers: 2, Embedding: 6, CategoryWidth: 5,
	}
}

func build(t testing.TB, network model.Network) *model.Graph {
	t.Helper()
	g, err := model.Build(network)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func compile(t testing.TB, g *model.Graph, params map[string][]float32) *Program {
	t.Helper()
	p, err := Compile(g, params)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fill(s *Session, inputs map[string][]float32) {
	for name, x := range inputs {
		copy(s.Input(name), x)
	}
}

func TestEveryOpHasAKernel(t *testing.T) {
	for op, spec := range model.Specs {
		if Kernels[op].Run == nil {
			t.Errorf("infer has no kernel for %s", spec.Name)
		}
		if referenceOps[op] == nil {
			t.Errorf("the reference has no row for %s", spec.Name)
		}
	}
}

func TestArchitecturesMatchTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	networks := architectures(random)
	networks["journey"] = journeyNetwork(random)
	networks["journey/events"] = &model.Journey{Events: table(random, 2, 4), Targets: 1, State: 9, Token: 2, TypeSize: 2, Members: 1, Width: 5, Layers: 1}
	networks["binet"] = &model.BINet{Cells: []int{5, 3, 41}, Embedding: 4, State: 9, Width: 17}
	networks["binet/types"] = &model.BINet{Cells: []int{6}, Embedding: 3, State: 5, Width: 8}
	for _, kind := range model.Kinds() {
		if networks[kind] == nil {
			t.Errorf("architecture %s is not tested", kind)
		}
	}
	for name, network := range networks {
		t.Run(name, func(t *testing.T) {
			checkAgainstReference(t, build(t, network), random)
		})
	}
}

// randomNetwork draws a graph that no architecture would: long chains, values
// read twice and late, outputs that are also operands.
type randomNetwork struct{ random *rand.Rand }

func (n randomNetwork) Forward(b model.Builder) model.Outputs {
	r := n.random
	flat := []*model.Node{b.Input(model.InputNumeric, 1+r.IntN(9)), b.Input(model.InputBinary, 1+r.IntN(5))}
	pick := func() *model.Node { return flat[r.IntN(len(flat))] }
	for i := range 3 + r.IntN(12) {
		in := b.In("layer/%d", i)
		switch r.IntN(3) {
		case 0:
			flat = append(flat, in.Concat(pick(), pick()))
		case 1:
			flat = append(flat, model.Linear(in, pick(), 1+r.IntN(20), model.Activation(r.IntN(3))))
		case 2:
			x := pick()
			edges := make([][]float32, x.Width())
			for f := range edges {
				edges[f] = []float32{-1, 0, 0.5, 2}[:2+r.IntN(3)]
			}
			flat = append(flat, model.Piecewise(in, x, edges, 1+r.IntN(4)))
		}
	}
	h := model.EnsembleLinear(b.In("ensemble"), pick(), 1+r.IntN(5), 1+r.IntN(9), model.FanIn(4), model.ReLU)
	outputs := model.Classify(b, model.Heads(b.In("head"), h, 1+r.IntN(3)))
	outputs["early"] = pick()
	return outputs
}

func TestRandomGraphsMatchTheReference(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 2))
		checkAgainstReference(t, build(t, randomNetwork{random}), random)
	}
}

func checkAgainstReference(t *testing.T, g *model.Graph, random *rand.Rand) {
	t.Helper()
	const rows = 9
	params, inputs := randomParams(g, random), randomInputs(g, random, rows)
	steps := []int{4, 3, 1, 1} // as many events as rows
	want := reference(g, params, inputs, rows, steps...)
	s := compile(t, g, params).NewJourneySession(rows+3, rows+2)
	fill(s, inputs)
	for range 2 { // the second run reads what the first has left of the inputs
		if err := s.RunJourneys(rows, steps); err != nil {
			t.Fatal(err)
		}
	}
	for name, n := range g.Outputs {
		for i, w := range want[n.ID] {
			if got := float64(s.Output(name)[i]); !near(got, w, 2e-5) {
				t.Fatalf("%s[%d] is %v, want %v", name, i, got, w)
			}
		}
	}
}

// A row must have the same bits in whatever company it is computed.
func TestRowsAreIndependentOfTheBatch(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	networks := architectures(random)
	wide := table(random, 30, 12)
	networks["tabm/wide"] = &model.TabM{Table: wide, Targets: 1, Members: 16, Width: 64, Layers: 2, Embedding: 16, CategoryWidth: 8}
	networks["mlp/wide"] = &model.MLP{Table: wide, Targets: 1, Hidden: []int{256, 256}, CategoryWidth: 8}
	for name, network := range networks {
		g := build(t, network)
		const rows = 67
		inputs := randomInputs(g, random, rows)
		p := compile(t, g, randomParams(g, random))
		all := p.NewSession(rows)
		fill(all, inputs)
		if err := all.Run(rows); err != nil {
			t.Fatal(err)
		}
		for _, batch := range []int{1, 2, 3, 5, 8, 13, 32} {
			s := p.NewSession(batch)
			for start := 0; start < rows; start += batch {
				n := min(batch, rows-start)
				for input, x := range inputs {
					w := p.Inputs()[input]
					copy(s.Input(input), x[start*w:(start+n)*w])
				}
				if err := s.Run(n); err != nil {
					t.Fatal(err)
				}
				for output, w := range p.Outputs() {
					if !slices.Equal(s.Output(output)[:n*w], all.Output(output)[start*w:(start+n)*w]) {
						t.Fatalf("%s: %s of rows from %d differs in batches of %d", name, output, start, batch)
					}
				}
			}
		}
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	for name, network := range architectures(random) {
		g := build(t, network)
		s := compile(t, g, randomParams(g, random)).NewSession(40)
		fill(s, randomInputs(g, random, 40))
		for _, rows := range []int{1, 40} {
			if n := testing.AllocsPerRun(10, func() { s.Run(rows) }); n != 0 {
				t.Errorf("%s: %v allocations in a run of %d rows, want none", name, n, rows)
			}
		}
	}
}

func TestBuffersAreReused(t *testing.T) {
	deep := &model.MLP{Table: model.Table{Numeric: 8}, Targets: 1, Hidden: slices.Repeat([]int{100}, 20)}
	g := build(t, deep)
	p := compile(t, g, randomParams(g, rand.New(rand.NewPCG(5, 5))))
	if got, most := p.RowSize(), 8+2*100+4; got > most {
		t.Errorf("20 layers of 100 need %d values a row, want at most %d", got, most)
	}
}

func TestCompileRefuses(t *testing.T) {
	g := build(t, &model.MLP{Table: model.Table{Numeric: 3}, Targets: 1, Hidden: []int{4}})
	good := randomParams(g, rand.New(rand.NewPCG(6, 6)))
	for _, test := range []struct {
		name   string
		change func(params map[string][]float32)
		want   string
	}{
		{"missing", func(p map[string][]float32) { delete(p, "trunk/0/weight") }, "parameter trunk/0/weight is missing, want shape [3 4]"},
		{"short", func(p map[string][]float32) { p["head/bias"] = nil }, "head/bias has 0 values, want 1"},
		{"extra", func(p map[string][]float32) { p["trunk/1/bias"] = []float32{1} }, "trunk/1/bias is no parameter"},
	} {
		params := maps.Clone(good)
		test.change(params)
		if _, err := Compile(g, params); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	g := build(t, architectures(random)["tabm"])
	s := compile(t, g, randomParams(g, random)).NewSession(4)
	if err := s.Run(5); err == nil {
		t.Error("5 rows in a session for 4: got no error")
	}
	for _, id := range []float32{11, -1, 0.5, float32(math.NaN()), float32(math.Inf(1))} {
		fill(s, randomInputs(g, random, 4))
		s.Input(model.InputCategory)[2] = id
		if err := s.Run(4); err == nil || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("id %v: got error %v, want one that names row 1", id, err)
		}
		if err := s.Run(1); err != nil {
			t.Errorf("id %v in a row that is not run: %v", id, err)
		}
	}
	if s.Input("nothing") != nil || s.Output("nothing") != nil {
		t.Error("an unknown name has a buffer")
	}
}

func ExampleCompile() {
	network := model.MLP{Table: model.Table{Numeric: 2}, Targets: 1}
	graph, _ := model.Build(network)
	program, _ := Compile(graph, map[string][]float32{
		"head/adapter": {1, 1}, "head/weight": {2, -1}, "head/bias": {0}, "temperature": {1},
	})
	session := program.NewSession(16)
	copy(session.Input(model.InputNumeric), []float32{1, 2, 3, 4})
	if err := session.Run(2); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.3f\n", session.Output(model.OutputProbability)[:2])
	// Output: [0.500 0.881]
}

func BenchmarkSession(b *testing.B) {
	random := rand.New(rand.NewPCG(8, 8))
	for name, network := range map[string]model.Network{
		"mlp-64-256-256-1":  &model.MLP{Table: model.Table{Numeric: 64}, Targets: 1, Hidden: []int{256, 256}},
		"tabm-64-k16-d256":  &model.TabM{Table: model.Table{Numeric: 64}, Targets: 1, Members: 16, Width: 256, Layers: 2},
		"tabm-e16-k16-d256": &model.TabM{Table: table(random, 64, 48), Targets: 1, Members: 16, Width: 256, Layers: 2, Embedding: 16, CategoryWidth: 16},
	} {
		g := build(b, network)
		p := compile(b, g, randomParams(g, random))
		for _, rows := range []int{1, 16, 256} {
			s := p.NewSession(rows)
			fill(s, randomInputs(g, random, rows))
			b.Run(fmt.Sprintf("%s/%d", name, rows), func(b *testing.B) {
				for b.Loop() {
					s.Run(rows)
				}
			})
		}
	}
}
