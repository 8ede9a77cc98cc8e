package onnx

import (
	"math"

	"moments/model"
)

// A Rule is this package's row of the op table: it appends the ONNX nodes of n
// and returns the value that stands for n.
type Rule func(w *writer, n *model.Node) value

// Rules is the ONNX column of the op table.
var Rules = map[model.Op]Rule{
	model.Concat:          concat,
	model.Dense:           dense,
	model.Embedding:       embedding,
	model.PiecewiseLinear: piecewiseLinear,
	model.EnsembleDense:   ensembleDense,
	model.EnsembleHead:    ensembleHead,
	model.Sigmoid:         sigmoid,
	model.MeanMembers:     meanMembers,
	model.Temper:          temper,
	model.GRU:             gru,
	model.Select:          selectRow,
}

func concat(w *writer, n *model.Node) value {
	var in []string
	for _, x := range n.In {
		in = append(in, w.in(x))
	}
	return value{shaped: w.do(n, "Concat", in, attributeInt("axis", -1))}
}

func dense(w *writer, n *model.Node) value {
	return w.linear(n, w.rows(n.In[0]), n.In[1], n.In[2])
}

// linear is act(x·weight + bias) for a matrix x.
func (w *writer) linear(n *model.Node, x string, weight, bias *model.Node) value {
	y := w.do(n, "Gemm", []string{x, w.in(weight), w.in(bias)})
	switch n.Activation {
	case model.ReLU:
		y = w.do(n, "Relu", []string{y})
	case model.LeakyReLU:
		y = w.do(n, "LeakyRelu", []string{y}, attributeFloat("alpha", model.LeakySlope))
	}
	return asRows(n, y)
}

// embedding gathers row ids[c]+Offsets[c] for each column c: (B, C) ids to
// (B, C, w), seen as (B, C·w).
func embedding(w *writer, n *model.Node) value {
	ids := w.do(n, "Cast", []string{w.in(n.In[0])}, attributeInt("to", int(Int64)))
	ids = w.do(n, "Add", []string{ids, w.ints(n, "offsets", n.Offsets...)})
	rows := w.do(n, "Gather", []string{w.in(n.In[1]), ids}, attributeInt("axis", 0))
	return value{shaped: w.reshape(n, rows, -1, n.Width())}
}

// piecewiseLinear embeds each feature with one product. The encoding of x, one
// value for each of n bins, is (x - lower)·scale cut to [least, most]; two more
// columns are x itself and 1, so that slope and bias are two more rows of the
// weight. Features lead, because a product of many matrices wants it so:
// x (B, F) to (F, B, 1), encoded (F, B, n+2), times (F, n+2, d) to (F, B, d),
// to (B, F, d), seen as (B, F·d).
func piecewiseLinear(w *writer, n *model.Node) value {
	features, bins := n.In[0].Width(), n.In[1].Width()-1
	e := newEncoding(features, bins, w.params[n.In[1].Name])
	shape := []int{features, 1, bins + 2}
	floats := func(what string, data []float32) string { return w.floats(w.name(n, what), shape, data) }

	x := w.do(n, "Transpose", []string{w.in(n.In[0])}, attributeInts("perm", 1, 0))
	x = w.do(n, "Unsqueeze", []string{x, w.ints(n, "axis", 2)})
	x = w.do(n, "Sub", []string{x, floats("lower", e.lower)})
	x = w.do(n, "Mul", []string{x, floats("scale", e.scale)})
	x = w.do(n, "Max", []string{x, floats("least", e.least)})
	x = w.do(n, "Min", []string{x, floats("most", e.most)})

	middle := w.ints(n, "axis", 1)
	slope := w.do(n, "Unsqueeze", []string{w.in(n.In[2]), middle})
	bias := w.do(n, "Unsqueeze", []string{w.in(n.In[3]), middle})
	weight := w.do(n, "Concat", []string{w.in(n.In[4]), slope, bias}, attributeInt("axis", 1))

	y := w.do(n, "MatMul", []string{x, weight})
	y = w.do(n, "Transpose", []string{y}, attributeInts("perm", 1, 0, 2))
	return value{shaped: w.reshape(n, y, -1, n.Width())}
}

// An encoding holds what piecewiseLinear computes with, (features, bins+2).
type encoding struct {
	lower, scale, least, most []float32
}

// newEncoding reads the edges (features, bins+1): the first bin is open below,
// the last of some width above; bins of no width are never entered.
func newEncoding(features, bins int, edges []float32) encoding {
	var e encoding
	add := func(lower, scale, least, most float32) {
		e.lower, e.scale = append(e.lower, lower), append(e.scale, scale)
		e.least, e.most = append(e.least, least), append(e.most, most)
	}
	infinite := float32(math.Inf(1))
	for f := range features {
		edge := edges[f*(bins+1):][:bins+1]
		last := lastBin(edge)
		for i := range bins {
			span := edge[i+1] - edge[i]
			if !(span > 0) {
				add(0, 0, 0, 0)
				continue
			}
			least, most := float32(0), float32(1)
			if i == 0 {
				least = -infinite
			}
			if i == last {
				most = infinite
			}
			add(edge[i], 1/span, least, most)
		}
		add(0, 1, -infinite, infinite) // x
		add(0, 0, 1, 1)                // 1
	}
	return e
}

// lastBin is the last bin of some width, or 0.
func lastBin(edges []float32) int {
	last := len(edges) - 2
	for last > 0 && !(edges[last+1] > edges[last]) {
		last--
	}
	return last
}

// ensembleDense scales copies of x, (B, 1, in)·(k, in), and passes their rows
// through one product. One copy is its own row.
func ensembleDense(w *writer, n *model.Node) value {
	x := w.in(n.In[0])
	if members := n.Shape[1]; members > 1 {
		x = w.do(n, "Unsqueeze", []string{x, w.ints(n, "axis", 1)})
		x = w.do(n, "Mul", []string{x, w.in(n.In[1])})
		x = w.reshape(n, x, -1, n.In[0].Width())
	} else {
		x = w.do(n, "Mul", []string{x, w.in(n.In[1])})
	}
	return w.linear(n, x, n.In[2], n.In[3])
}

// ensembleHead is a product for each member: (k, B, in)·(k, in, T), members
// leading and back.
func ensembleHead(w *writer, n *model.Node) value {
	x := w.do(n, "Transpose", []string{w.in(n.In[0])}, attributeInts("perm", 1, 0, 2))
	y := w.do(n, "MatMul", []string{x, w.in(n.In[1])})
	y = w.do(n, "Transpose", []string{y}, attributeInts("perm", 1, 0, 2))
	return value{shaped: w.do(n, "Add", []string{y, w.in(n.In[2])})}
}

func sigmoid(w *writer, n *model.Node) value {
	return asRows(n, w.do(n, "Sigmoid", []string{w.rows(n.In[0])}))
}

// meanMembers of one member is the member.
func meanMembers(w *writer, n *model.Node) value {
	if members := n.In[0].Shape[1]; members == 1 {
		return value{shaped: w.rows(n.In[0])}
	}
	return value{shaped: w.do(n, "ReduceMean", []string{w.in(n.In[0])}, attributeInts("axes", 1), attributeInt("keepdims", 0))}
}

// temper is sigmoid(log(q/(1-q))/temperature) with q kept off 0 and 1 as the
// kernels do.
func temper(w *writer, n *model.Node) value {
	scalar := func(what string, x float32) string { return w.floats(w.name(n, what), nil, []float32{x}) }
	q := w.do(n, "Clip", []string{w.in(n.In[0]), scalar("least", tiny), scalar("most", 1-tiny)})
	rest := w.do(n, "Sub", []string{scalar("one", 1), q})
	z := w.do(n, "Log", []string{w.do(n, "Div", []string{q, rest})})
	z = w.do(n, "Div", []string{z, w.in(n.In[1])})
	return value{shaped: w.do(n, "Sigmoid", []string{z})}
}

// tiny keeps probabilities off 0 and 1 where their logit is taken, as
// kernel.Tiny does.
const tiny = 1.1920929e-07
