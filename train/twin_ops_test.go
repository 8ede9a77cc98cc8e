package train

import (
	"math"

	G "gorgonia.org/gorgonia"

	"moments/model"
)

// twinOps is the twin's column of the op table.
var twinOps = map[model.Op]func(t *twin, n *model.Node) *G.Node{
	model.Concat:          twinConcat,
	model.Dense:           twinDense,
	model.Embedding:       twinEmbedding,
	model.PiecewiseLinear: twinPiecewise,
	model.EnsembleDense:   twinEnsembleDense,
	model.EnsembleHead:    twinEnsembleHead,
	model.Sigmoid:         func(t *twin, n *model.Node) *G.Node { return sigma(t.in(n, 0)) },
	model.MeanMembers:     twinMeanMembers,
	model.Temper:          twinTemper,
	model.GRU:             twinGRU,
	model.Select:          twinSelect,
}

func twinConcat(t *twin, n *model.Node) *G.Node {
	var parts []*G.Node
	at := 0
	for i, in := range n.In {
		parts = append(parts, t.intoColumns(t.in(n, i), at, n.Width()))
		at += in.Width()
	}
	return plus(parts[0], parts[1:]...)
}

func twinDense(t *twin, n *model.Node) *G.Node {
	return t.activate(n, t.linear(t.in(n, 0), t.in(n, 1), t.in(n, 2)))
}

// twinEmbedding multiplies the table by the one-hot ids of every column.
func twinEmbedding(t *twin, n *model.Node) *G.Node {
	ids, table := t.data[n.In[0].Name], t.in(n, 1)
	columns := n.In[0].Width()
	var parts []*G.Node
	for c := range columns {
		hot := t.ones(height(t.in(n, 0)), height(table), func(i, j int) bool {
			return j == n.Offsets[c]+int(ids[i*columns+c])
		})
		parts = append(parts, t.intoColumns(mul(hot, table), c*width(table), n.Width()))
	}
	return plus(parts[0], parts[1:]...)
}

// twinPiecewise encodes every feature as data, and multiplies.
func twinPiecewise(t *twin, n *model.Node) *G.Node {
	x, edges := widen(t.data[n.In[0].Name]), t.params[n.In[1].Name]
	slope, bias, weight := t.in(n, 2), t.in(n, 3), t.in(n, 4)
	rows, features, bins := height(t.in(n, 0)), n.In[0].Width(), n.In[4].Shape[1]
	var parts []*G.Node
	for f := range features {
		linear := t.constant(rows, features, func(i, j int) float64 {
			if j == f {
				return x[i*features+f]
			}
			return 0
		})
		encoded := t.constant(rows, features*bins, func(i, j int) float64 {
			if j/bins == f {
				return component(x[i*features+f], edges[f*(bins+1):(f+1)*(bins+1)], j%bins)
			}
			return 0
		})
		e := plus(mul(linear, slope), t.repeat(bias, f, rows), mul(encoded, weight))
		parts = append(parts, t.intoColumns(e, f*width(slope), n.Width()))
	}
	return plus(parts[0], parts[1:]...)
}

// component is component i of the piecewise-linear encoding of x.
func component(x float64, edges []float64, i int) float64 {
	last := len(edges) - 2
	for last > 0 && edges[last+1] == edges[last] {
		last--
	}
	if i > last || edges[i+1] == edges[i] {
		return 0
	}
	at := (x - edges[i]) / (edges[i+1] - edges[i])
	if i > 0 {
		at = math.Max(at, 0)
	}
	if i < last {
		at = math.Min(at, 1)
	}
	return at
}

func twinEnsembleDense(t *twin, n *model.Node) *G.Node {
	x, adapter, weight, bias := t.in(n, 0), t.in(n, 1), t.in(n, 2), t.in(n, 3)
	rows, members := height(x), n.Shape[1]
	var all []*G.Node
	for k := range members {
		z := t.linear(times(x, t.repeat(adapter, k, rows)), weight, bias)
		all = append(all, t.intoRows(z, k, members, rows*members))
	}
	return t.activate(n, plus(all[0], all[1:]...))
}

func twinEnsembleHead(t *twin, n *model.Node) *G.Node {
	x, weight, bias := t.in(n, 0), t.in(n, 1), t.in(n, 2)
	members := n.Shape[1]
	rows := height(x) / members
	var all []*G.Node
	for k := range members {
		own := t.rowsOf(weight, k*width(x), 1, width(x))
		z := plus(mul(t.rowsOf(x, k, members, rows), own), t.repeat(bias, k, rows))
		all = append(all, t.intoRows(z, k, members, rows*members))
	}
	return plus(all[0], all[1:]...)
}

func twinMeanMembers(t *twin, n *model.Node) *G.Node {
	x, members := t.in(n, 0), n.In[0].Shape[1]
	return mul(t.constant(height(x)/members, height(x), func(i, j int) float64 {
		if j/members == i {
			return 1 / float64(members)
		}
		return 0
	}), x)
}

func twinTemper(t *twin, n *model.Node) *G.Node {
	p := t.in(n, 0)
	logit := minus(G.Must(G.Log(p)), G.Must(G.Log(minus(t.all(height(p), width(p)), p))))
	return sigma(G.Must(G.HadamardDiv(logit, t.repeat(t.in(n, 1), 0, height(p)))))
}

// twinGRU writes every step of the recurrence out. The state of a step has the
// first rows of the state before it: the journeys that go on.
func twinGRU(t *twin, n *model.Node) *G.Node {
	x, weight, bias, stateWeight, stateBias := t.in(n, 0), t.in(n, 2), t.in(n, 3), t.in(n, 4), t.in(n, 5)
	w := n.Width()
	h := t.repeat(t.in(n, 1), 0, t.steps[0])
	var states []*G.Node
	at := 0
	for _, journeys := range t.steps {
		h = t.rowsOf(h, 0, 1, journeys)
		u := t.linear(t.rowsOf(x, at, 1, journeys), weight, bias)
		s := t.linear(h, stateWeight, stateBias)
		update := sigma(plus(t.columnsOf(u, 0, w), t.columnsOf(s, 0, w)))
		reset := sigma(plus(t.columnsOf(u, w, w), t.columnsOf(s, w, w)))
		candidate := G.Must(G.Tanh(plus(t.columnsOf(u, 2*w, w), times(reset, t.columnsOf(s, 2*w, w)))))
		// (1 - update)∘candidate + update∘h
		h = plus(times(minus(t.all(journeys, w), update), candidate), times(update, h))
		states = append(states, t.intoRows(h, at, 1, height(x)))
		at += journeys
	}
	return plus(states[0], states[1:]...)
}

func twinSelect(t *twin, n *model.Node) *G.Node {
	x, row := t.in(n, 0), t.data[n.In[1].Name]
	return mul(t.ones(height(t.in(n, 1)), height(x), func(i, j int) bool { return j == int(row[i]) }), x)
}

// twinSquares is the sum of the squares of an output.
func twinSquares(t *twin, output *model.Node) *G.Node {
	return G.Must(G.Sum(G.Must(G.Square(t.nodes[output.ID]))))
}

// twinCrossEntropy is the weighted mean over members of softplus(z) - y·z.
func twinCrossEntropy(t *twin, output *model.Node) *G.Node {
	z, members, targets := t.nodes[output.ID], output.Shape[1], output.Width()
	leaf := func(name string, scale float64) *G.Node {
		return t.constant(height(z), width(z), func(i, j int) float64 {
			return scale * float64(t.data[name][i/members*targets+j])
		})
	}
	entropy := minus(G.Must(G.Softplus(z)), times(z, leaf(leafLabels, 1)))
	return G.Must(G.Sum(times(entropy, leaf(leafWeights, 1/float64(members)))))
}

// twinSquaredError is the weighted sum over rows of the mean squared distance
// to the clean row.
func twinSquaredError(t *twin, output *model.Node) *G.Node {
	y := t.nodes[output.ID]
	clean := t.constant(height(y), width(y), func(i, j int) float64 { return float64(t.data[leafClean][i*width(y)+j]) })
	weights := t.constant(height(y), width(y), func(i, _ int) float64 {
		return float64(t.data[leafWeights][i]) / float64(width(y))
	})
	return G.Must(G.Sum(times(G.Must(G.Square(minus(y, clean))), weights)))
}
