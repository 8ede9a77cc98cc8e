package model

import "math"

// An Init says how a parameter starts. The zero Init is all zeros.
type Init struct {
	Kind   InitKind
	Bound  float64   // Uniform: values in [-Bound, Bound]; Constant: the value
	Groups []int     // GroupNormal: widths of the runs along the last dimension that share one draw
	Values []float32 // Data: the values themselves
}

// InitKind names a distribution.
type InitKind uint8

const (
	Zeros       InitKind = iota
	Constant             // Bound everywhere
	Uniform              // U(-Bound, Bound)
	GroupNormal          // N(0, 1), one draw for each row and group
	GroupSign            // -1 or +1, one draw for each row and group
	Data                 // Values
)

// FanIn is the usual start of a linear map: U(±1/sqrt(in)).
func FanIn(in int) Init { return Init{Kind: Uniform, Bound: 1 / math.Sqrt(float64(in))} }

// Concat joins values along their last dimension; one value is returned as it is.
func (b Builder) Concat(xs ...*Node) *Node {
	if len(xs) == 1 {
		return xs[0]
	}
	return b.do(&Node{Op: Concat, In: xs})
}

// Linear is act(x·weight + bias), out wide.
func Linear(b Builder, x *Node, out int, act Activation) *Node {
	in := x.Width()
	w := b.Param("weight", FanIn(in), in, out)
	bias := b.bias(FanIn(in), out)
	return b.do(&Node{Op: Dense, In: []*Node{x, w, bias}, Activation: act})
}

func (b Builder) bias(init Init, shape ...int) *Node {
	n := b.Param("bias", init, shape...)
	n.NoDecay = true
	return n
}

// Embed looks every id column up in a table of its own; cardinalities are the
// numbers of rows of the tables, width their width. ids is (B, C); the result
// is (B, C·width).
func Embed(b Builder, ids *Node, cardinalities []int, width int) *Node {
	rows := 0
	offsets := make([]int, len(cardinalities))
	for i, c := range cardinalities {
		offsets[i] = rows
		rows += c
	}
	table := b.Param("table", Init{Kind: Uniform, Bound: 1 / math.Sqrt(float64(width))}, rows, width)
	return b.do(&Node{Op: Embedding, In: []*Node{ids, table}, Offsets: offsets})
}

// Piecewise embeds every numeric feature in width values,
// e = slope·x + bias + weight·PLE(x), where PLE is the piecewise-linear
// encoding of Gorishniy et al., On Embeddings for Numerical Features (NeurIPS
// 2022): with bins edges[0] < ... < edges[n], component i is
// (x - edges[i]) / (edges[i+1] - edges[i]) clipped to [0, 1], the first bin
// open below and the last open above. Features with fewer bins repeat their
// last edge; a bin of no width is never entered. x is (B, F); the result is
// (B, F·width).
func Piecewise(b Builder, x *Node, edges [][]float32, width int) *Node {
	features := x.Width()
	if len(edges) != features {
		b.fail("%s: got bin edges of %d features, want %d", b.scope, len(edges), features)
		return x
	}
	most := 2
	for _, e := range edges {
		most = max(most, len(e))
	}
	flat := make([]float32, 0, features*most)
	for _, e := range edges {
		if len(e) < 2 {
			e = []float32{0, 0}
		}
		flat = append(flat, e...)
		for range most - len(e) {
			flat = append(flat, e[len(e)-1])
		}
	}
	bins := b.Param("edges", Init{Kind: Data, Values: flat}, features, most)
	bins.Frozen = true
	slope := b.Param("slope", Init{Kind: Uniform, Bound: 1}, features, width)
	slope.NoDecay = true
	bias := b.bias(Init{Kind: Uniform, Bound: 1}, features, width)
	weight := b.Param("weight", Init{}, features, most-1, width)
	return b.do(&Node{Op: PiecewiseLinear, In: []*Node{x, bins, slope, bias, weight}})
}

// EnsembleLinear copies x to members, each scaled by a row of its own adapter,
// and passes all of them through one shared linear map. groups are the widths
// of the runs of x that share one draw of the adapter's start. x is (B, in);
// the result is (B, members, out).
func EnsembleLinear(b Builder, x *Node, members, out int, adapter Init, act Activation) *Node {
	in := x.Width()
	r := b.Param("adapter", adapter, members, in)
	w := b.Param("weight", FanIn(in), in, out)
	bias := b.bias(FanIn(in), out)
	return b.do(&Node{Op: EnsembleDense, In: []*Node{x, r, w, bias}, Activation: act})
}

// Heads gives every member a linear map of its own. x is (B, k, in); the
// result is (B, k, out).
func Heads(b Builder, x *Node, out int) *Node {
	members, in := x.Shape[1], x.Width()
	w := b.Param("weight", FanIn(in), members, in, out)
	bias := b.bias(FanIn(in), members, out)
	return b.do(&Node{Op: EnsembleHead, In: []*Node{x, w, bias}})
}

// Recurrent runs a gated recurrent unit over the events of each journey (Cho et
// al., Learning Phrase Representations, EMNLP 2014; the reset gate after the
// product, gates in the order update, reset, candidate, as ONNX has them with
// linear_before_reset). The state before the first event is learned. x is
// (Events, in); the result is (Events, width).
func Recurrent(b Builder, x *Node, width int) *Node {
	in := x.Width()
	first := b.Param("first", Init{}, width)
	first.NoDecay = true
	w := b.Param("weight", FanIn(width), in, 3*width)
	bias := b.bias(FanIn(width), 3*width)
	state := b.In("state")
	return b.do(&Node{Op: GRU, In: []*Node{
		x, first, w, bias, state.Param("weight", FanIn(width), width, 3*width), state.bias(FanIn(width), 3*width),
	}})
}

// SelectRow picks the event of each example: row is (Batch, 1), its row among
// the packed events as a whole float, or -1 for none, which yields zeros. x is
// (Events, w); the result is (Batch, w).
func SelectRow(b Builder, x, row *Node) *Node {
	return b.do(&Node{Op: Select, In: []*Node{x, row}})
}

// Classify turns logits (B, k, T) into calibrated probabilities (B, T): the
// mean of the members' sigmoids, tempered (Guo et al., On Calibration of Modern
// Neural Networks, ICML 2017). The temperatures start at 1 and are fitted on
// the validation split after training.
func Classify(b Builder, logits *Node) Outputs {
	p := b.do(&Node{Op: MeanMembers, In: []*Node{b.do(&Node{Op: Sigmoid, In: []*Node{logits}})}})
	t := b.Param("temperature", Init{Kind: Constant, Bound: 1}, logits.Width())
	t.Frozen = true
	return Outputs{
		OutputLogits:      logits,
		OutputProbability: b.do(&Node{Op: Temper, In: []*Node{p, t}}),
	}
}
