package infer

import (
	"math"
	"math/rand/v2"

	"moments/model"
)

// reference evaluates a graph one number at a time in float64, as the comments
// beside the op constants of package model say. It shares nothing with the
// kernels. What it returns is by node ID.
func reference(g *model.Graph, params, inputs map[string][]float32, batch int, steps ...int) [][]float64 {
	events := 0
	for _, journeys := range steps {
		events += journeys
	}
	values := make([][]float64, len(g.Nodes))
	for _, n := range g.Nodes {
		rows := n.Rows(batch, events)
		switch n.Op {
		case model.Input:
			values[n.ID] = widen(inputs[n.Name][:rows*n.RowSize()])
		case model.Param:
			values[n.ID] = widen(params[n.Name])
		default:
			in := make([][]float64, len(n.In))
			for i, operand := range n.In {
				in[i] = values[operand.ID]
			}
			values[n.ID] = make([]float64, rows*n.RowSize())
			referenceOps[n.Op](n, in, values[n.ID], steps)
		}
	}
	return values
}

func widen(xs []float32) []float64 {
	ys := make([]float64, len(xs))
	for i, x := range xs {
		ys[i] = float64(x)
	}
	return ys
}

var referenceOps = map[model.Op]func(n *model.Node, in [][]float64, out []float64, steps []int){
	model.Concat: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		at := 0
		for r := range len(out) / n.Width() {
			for i, x := range in {
				w := n.In[i].Width()
				at += copy(out[at:], x[r*w:(r+1)*w])
			}
		}
	},
	model.Dense: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		width, depth := n.Width(), n.In[0].Width()
		for i := range out {
			r, j := i/width, i%width
			sum := in[2][j]
			for k := range depth {
				sum += in[0][r*depth+k] * in[1][k*width+j]
			}
			out[i] = activate(sum, n.Activation)
		}
	},
	model.Embedding: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		width := n.In[1].Width()
		for i := range out {
			cell, j := i/width, i%width
			row := int(in[0][cell]) + n.Offsets[cell%len(n.Offsets)]
			out[i] = in[1][row*width+j]
		}
	},
	model.PiecewiseLinear: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		features, points, width := n.In[0].Width(), n.In[1].Width(), n.In[2].Width()
		for i := range out {
			cell, j := i/width, i%width
			x, f := in[0][cell], cell%features
			out[i] = in[2][f*width+j]*x + in[3][f*width+j]
			for b, e := range encodePiecewise(x, in[1][f*points:(f+1)*points]) {
				out[i] += e * in[4][(f*(points-1)+b)*width+j]
			}
		}
	},
	model.EnsembleDense: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		members, width, depth := n.Shape[1], n.Width(), n.In[0].Width()
		for i := range out {
			j, k, r := i%width, i/width%members, i/width/members
			sum := in[3][j]
			for d := range depth {
				sum += in[0][r*depth+d] * in[1][k*depth+d] * in[2][d*width+j]
			}
			out[i] = activate(sum, n.Activation)
		}
	},
	model.EnsembleHead: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		members, width, depth := n.Shape[1], n.Width(), n.In[0].Width()
		for i := range out {
			j, k := i%width, i/width%members
			out[i] = in[2][k*width+j]
			for d := range depth {
				out[i] += in[0][i/width*depth+d] * in[1][(k*depth+d)*width+j]
			}
		}
	},
	model.Sigmoid: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		for i, x := range in[0] {
			out[i] = 1 / (1 + math.Exp(-x))
		}
	},
	model.MeanMembers: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		members, width := n.In[0].Shape[1], n.Width()
		for i := range out {
			for k := range members {
				out[i] += in[0][(i/width*members+k)*width+i%width] / float64(members)
			}
		}
	},
	model.GRU: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		width, depth := n.Width(), n.In[0].Width()
		row, before := 0, 0
		for t, journeys := range steps {
			for j := range journeys {
				h := in[1]
				if t > 0 {
					h = out[(before+j)*width:]
				}
				product := func(column int) (x, s float64) {
					x, s = in[3][column], in[5][column]
					for d := range depth {
						x += in[0][(row+j)*depth+d] * in[2][d*3*width+column]
					}
					for d := range width {
						s += h[d] * in[4][d*3*width+column]
					}
					return x, s
				}
				for i := range width {
					xz, sz := product(i)
					xr, sr := product(width + i)
					xn, sn := product(2*width + i)
					z, r := 1/(1+math.Exp(-xz-sz)), 1/(1+math.Exp(-xr-sr))
					out[(row+j)*width+i] = (1-z)*math.Tanh(xn+r*sn) + z*h[i]
				}
			}
			before, row = row, row+journeys
		}
	},
	model.Select: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		for i, at := range in[1] {
			if at < 0 {
				continue
			}
			copy(out[i*n.Width():(i+1)*n.Width()], in[0][int(at)*n.Width():])
		}
	},
	model.Temper: func(n *model.Node, in [][]float64, out []float64, steps []int) {
		for i, p := range in[0] {
			out[i] = 1 / (1 + math.Pow((1-p)/p, 1/in[1][i%n.Width()]))
		}
	},
}

func activate(x float64, act model.Activation) float64 {
	if x >= 0 || act == model.Identity {
		return x
	}
	if act == model.LeakyReLU {
		return model.LeakySlope * x
	}
	return 0
}

// encodePiecewise is PLE(x): ones for the bins below x, the share of its own,
// zeros above. Bins of no width at the end are padding.
func encodePiecewise(x float64, edges []float64) []float64 {
	ple := make([]float64, len(edges)-1)
	last := 0
	for i := range ple {
		if edges[i+1] > edges[i] {
			last = i
		}
	}
	for i := 0; i <= last; i++ {
		if edges[i+1] == edges[i] {
			continue
		}
		ple[i] = (x - edges[i]) / (edges[i+1] - edges[i])
		if i > 0 {
			ple[i] = max(ple[i], 0)
		}
		if i < last {
			ple[i] = min(ple[i], 1)
		}
	}
	return ple
}

// randomParams draws a value for every parameter: data as declared,
// temperatures around one, everything else around zero.
func randomParams(g *model.Graph, random *rand.Rand) map[string][]float32 {
	params := map[string][]float32{}
	for _, n := range g.Params() {
		values := make([]float32, n.RowSize())
		for i := range values {
			values[i] = float32(random.NormFloat64()) / float32(math.Sqrt(float64(n.Shape[0])))
			if n.Init.Kind == model.Constant {
				values[i] = 0.5 + random.Float32()
			}
		}
		if n.Init.Kind == model.Data {
			copy(values, n.Init.Values)
		}
		params[n.Name] = values
	}
	return params
}

// randomInputs draws rows for every input, as many events as examples; category
// ids fit the tables.
func randomInputs(g *model.Graph, random *rand.Rand, rows int) map[string][]float32 {
	inputs := map[string][]float32{}
	for _, n := range g.Inputs() {
		inputs[n.Name] = randomValues(random, rows*n.RowSize())
	}
	for i := range inputs[model.InputRow] {
		inputs[model.InputRow][i] = float32(random.IntN(rows+1) - 1)
	}
	for _, n := range g.Nodes {
		if n.Op != model.Embedding {
			continue
		}
		ids, ends := inputs[n.In[0].Name], append(append([]int{}, n.Offsets[1:]...), n.In[1].Shape[0])
		for i := range ids {
			c := i % len(ends)
			ids[i] = float32(random.IntN(ends[c] - n.Offsets[c]))
		}
	}
	return inputs
}

func randomValues(random *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	return values
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*(1+math.Abs(want))
}
