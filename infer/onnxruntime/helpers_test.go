package onnxruntime

import (
	"math"
	"math/rand/v2"
	"testing"

	"moments/infer"
	"moments/model"
	"moments/weights/onnx"
)

// openRuntime skips the test where the library is not installed.
func openRuntime(t testing.TB) *Runtime {
	t.Helper()
	r, err := Open("")
	if err != nil {
		t.Skip(err)
	}
	return r
}

// draw is a network given as a function.
type draw func(b model.Builder) model.Outputs

func (d draw) Forward(b model.Builder) model.Outputs { return d(b) }

func build(t testing.TB, network model.Network) *model.Graph {
	t.Helper()
	g, err := model.Build(network)
	if err != nil {
		t.Fatal(err)
	}
	return g
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

// randomRows draws rows for an input; category ids fit the tables that read it.
func randomRows(g *model.Graph, in *model.Node, random *rand.Rand, rows int) []float32 {
	values := make([]float32, rows*in.Width())
	for i := range values {
		values[i] = 2 * float32(random.NormFloat64())
	}
	for _, n := range g.Nodes {
		if n.Op != model.Embedding || n.In[0] != in {
			continue
		}
		ends := append(append([]int{}, n.Offsets[1:]...), n.In[1].Shape[0])
		for i := range values {
			c := i % len(ends)
			values[i] = float32(random.IntN(ends[c] - n.Offsets[c]))
		}
	}
	return values
}

func compile(t testing.TB, g *model.Graph, params map[string][]float32) *infer.Program {
	t.Helper()
	p, err := infer.Compile(g, params)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// export encodes a network, parses it again and loads it.
func export(t testing.TB, r *Runtime, g *model.Graph, params map[string][]float32) *Model {
	t.Helper()
	raw, err := onnx.Encode(g, params, onnx.Options{Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := onnx.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Load(parsed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newSession(t testing.TB, m *Model, batch int, sizes map[string]int, outputs ...string) *Session {
	t.Helper()
	s, err := m.NewSession(batch, sizes, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
