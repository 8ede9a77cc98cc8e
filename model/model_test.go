package model

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

var wide = Table{Numeric: 2, Binary: 3, Cardinalities: []int{12, 40}, Edges: [][]float32{{-1, 0, 1}, {-1, 1}}, Bins: 2}

// golden are the parameters of small networks: what a bundle's weights file
// holds, and so what must not change unnoticed.
var golden = map[string]struct {
	network Network
	params  string
}{
	"additive": {
		Additive{Table: wide, Targets: 2},
		`numeric/edges[2 3] numeric/slope[2 2] numeric/bias[2 2] numeric/weight[2 2 2] category/table[52 2] head/adapter[1 11] head/weight[11 2] head/bias[2] temperature[2]`,
	},
	"mlp": {
		MLP{Table: wide, Targets: 2, Hidden: []int{8}, CategoryWidth: 4},
		`category/table[52 4] trunk/0/weight[13 8] trunk/0/bias[8] head/adapter[1 8] head/weight[8 2] head/bias[2] temperature[2]`,
	},
	"tabm": {
		TabM{Table: wide, Targets: 2, Members: 3, Width: 8, Layers: 2, Embedding: 5, CategoryWidth: 4},
		`numeric/edges[2 3] numeric/slope[2 5] numeric/bias[2 5] numeric/weight[2 2 5] category/table[52 4]
trunk/0/adapter[3 21] trunk/0/weight[21 8] trunk/0/bias[8] trunk/1/weight[8 8] trunk/1/bias[8] head/weight[3 8 2] head/bias[3 2] temperature[2]`,
	},
	"denoiser": {
		Denoiser{Features: 6, Width: 8, Layers: 2, Steps: 50},
		`trunk/0/weight[10 8] trunk/0/bias[8] trunk/1/weight[8 8] trunk/1/bias[8] head/weight[8 6] head/bias[6]`,
	},
	"binet": {
		BINet{Cells: []int{7, 4, 3}, Embedding: 2, State: 6, Width: 5},
		`before/table[14 2] recurrent/first[6] recurrent/weight[6 18] recurrent/bias[18] recurrent/state/weight[6 18] recurrent/state/bias[18]
		context/weight[6 5] context/bias[5] type/weight[5 7] type/bias[7] kind/table[7 2] given/weight[7 5] given/bias[5] rest/weight[5 7] rest/bias[7]`,
	},
	"journey": {
		Journey{Events: Table{Numeric: 2, Cardinalities: []int{7, 4}, Bins: 3}, Table: Table{Binary: 2}, Targets: 1,
			State: 6, Token: 2, TypeSize: 3, Members: 2, Width: 5, Layers: 1},
		`event/numeric/edges[2 4] event/numeric/slope[2 2] event/numeric/bias[2 2] event/numeric/weight[2 3 2] event/category/table[11 3]
		recurrent/first[6] recurrent/weight[10 18] recurrent/bias[18] recurrent/state/weight[6 18] recurrent/state/bias[18]
		trunk/0/adapter[2 8] trunk/0/weight[8 5] trunk/0/bias[5] head/weight[2 5 1] head/bias[2 1] temperature[1]
		next/type/weight[6 7] next/type/bias[7] next/gap/weight[6 1] next/gap/bias[1]`,
	},
}

func TestParameters(t *testing.T) {
	for name, row := range golden {
		g, err := Build(row.network)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, p := range g.Params() {
			got = append(got, fmt.Sprint(p.Name, p.Shape))
		}
		if want := strings.Join(strings.Fields(row.params), " "); strings.Join(got, " ") != want {
			t.Errorf("%s has parameters\n%s\nwant\n%s", name, strings.Join(got, " "), want)
		}
	}
	for _, kind := range Kinds() {
		if _, ok := golden[kind]; !ok {
			t.Errorf("architecture %s has no row in this test", kind)
		}
	}
}

func TestOutputShapes(t *testing.T) {
	g, err := Build(golden["tabm"].network)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]int{OutputLogits: {Batch, 3, 2}, OutputProbability: {Batch, 2}} {
		if got := g.Outputs[name].Shape; !reflect.DeepEqual(got, want) {
			t.Errorf("%s has shape %v, want %v", name, got, want)
		}
	}
	for _, n := range g.Nodes {
		for _, in := range n.In {
			if in.ID >= n.ID {
				t.Errorf("node %d reads node %d, which comes later", n.ID, in.ID)
			}
		}
	}
}

// TestSavedNetworkIsTheSame draws a network again from what a manifest keeps:
// the bin edges are not in it, their number is.
func TestSavedNetworkIsTheSame(t *testing.T) {
	for name, row := range golden {
		saved, err := Save(row.network)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(saved)
		if err != nil {
			t.Fatal(err)
		}
		var back Saved
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		network, err := back.Load()
		if err != nil {
			t.Fatal(err)
		}
		first, _ := Build(row.network)
		second, err := Build(network)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, n := range first.Nodes {
			if m := second.Nodes[i]; n.Op != m.Op || n.Name != m.Name || !reflect.DeepEqual(n.Shape, m.Shape) || n.Activation != m.Activation {
				t.Errorf("%s: node %d is %s %s %v, want %s %s %v", name, i, m.Op, m.Name, m.Shape, n.Op, n.Name, n.Shape)
			}
		}
	}
}

func TestErrorsNameTheirPath(t *testing.T) {
	draw := func(f func(b Builder) *Node) error {
		_, err := Build(networkFunc(func(b Builder) Outputs { return Outputs{"y": f(b)} }))
		return err
	}
	for name, row := range map[string]struct {
		draw func(b Builder) *Node
		want string
	}{
		"dense": {func(b Builder) *Node {
			x := b.Input("x", 3)
			b = b.In("head")
			return b.do(&Node{Op: Dense, In: []*Node{x, b.Param("weight", Init{}, 4, 1), b.Param("bias", Init{}, 1)}})
		}, "model: head: Dense: head/weight has shape [4 1], want [3 1]"},
		"twice": {func(b Builder) *Node { b.Input("x", 1); return b.Input("x", 1) }, "model: x declared twice"},
		"width": {func(b Builder) *Node { return b.Input("x", 0) }, "model: input x has width 0, want at least 1"},
		"edges": {func(b Builder) *Node { return Piecewise(b.In("numeric"), b.Input("x", 2), [][]float32{{0, 1}}, 4) },
			"model: numeric: got bin edges of 1 features, want 2"},
		"first error sticks": {func(b Builder) *Node { b.Input("x", 0); return b.Input("y", -1) }, "model: input x has width 0, want at least 1"},
	} {
		if err := draw(row.draw); err == nil || err.Error() != row.want {
			t.Errorf("%s: got error %v, want %s", name, err, row.want)
		}
	}
	if _, err := Build(TabM{Targets: 1, Members: 2, Width: 2, Layers: 1}); err == nil {
		t.Error("a table without columns is accepted")
	}
	if _, err := Build(Journey{Events: Table{Numeric: 1}, Targets: 1, State: 2, Members: 2, Width: 2, Layers: 1}); err == nil || !strings.Contains(err.Error(), "without a type") {
		t.Errorf("events without a type: got error %v", err)
	}
	if _, err := Build(BINet{Embedding: 1, State: 1, Width: 1}); err == nil || !strings.Contains(err.Error(), "without a type") {
		t.Errorf("a BINet without cells: got error %v", err)
	}
	if _, err := (Saved{Kind: "transformer"}).Load(); err == nil || !strings.Contains(err.Error(), "want one of [additive binet denoiser journey mlp tabm]") {
		t.Errorf("unknown architecture: got error %v", err)
	}
}

type networkFunc func(b Builder) Outputs

func (f networkFunc) Forward(b Builder) Outputs { return f(b) }

// TestScheduleDestroysTheSignal checks the ends of the noise schedule: almost
// the clean row first, unit variance throughout.
func TestScheduleDestroysTheSignal(t *testing.T) {
	signal, noise := Denoiser{Steps: 50}.Schedule()
	if len(signal) != 50 || signal[0] < 0.9999 || signal[49] > 0.8 {
		t.Errorf("signal goes from %g to %g over %d steps", signal[0], signal[49], len(signal))
	}
	for i := range signal {
		if v := float64(signal[i]*signal[i] + noise[i]*noise[i]); math.Abs(v-1) > 1e-6 {
			t.Errorf("step %d has variance %g, want 1", i, v)
		}
	}
}

func ExampleBuild() {
	g, err := Build(MLP{Table: Table{Numeric: 3}, Targets: 1, Hidden: []int{4}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range g.Nodes {
		if n.Op != Param {
			fmt.Println(n.Op, n.Shape)
		}
	}
	// Output:
	// Input [-1 3]
	// Dense [-1 4]
	// EnsembleDense [-1 1 1]
	// Sigmoid [-1 1 1]
	// MeanMembers [-1 1]
	// Temper [-1 1]
}

func TestBlockRows(t *testing.T) {
	for _, c := range []struct {
		steps []int
		want  int
	}{
		{nil, 0},
		{[]int{3}, 3},
		{[]int{40, 30}, 40}, // more than there is room for
		{[]int{5, 4, 1}, 10},
		{[]int{5, 4, 2, 1}, 9},
	} {
		if got := BlockRows(c.steps, 10); got != c.want {
			t.Errorf("steps %v: %d rows, want %d", c.steps, got, c.want)
		}
	}
}
