package onnxruntime

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"moments/infer/registry"
	"moments/model"
	"moments/weights/onnx"
)

// openTensors writes a network and opens it as a bare model, by way of a
// registry.
func openTensors(t *testing.T, network model.Network) (registry.TensorModel, *model.Graph) {
	t.Helper()
	openRuntime(t)
	random := rand.New(rand.NewPCG(3, 3))
	g := build(t, network)
	raw, err := onnx.Encode(g, randomParams(g, random), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "net.onnx"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), []string{dir}, registry.Options{OpenONNX: OpenTensors("")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	m, release, err := r.Acquire("net", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return m.Tensors, g
}

// bytesOfFloats are the protocol's bytes of numbers.
func bytesOfFloats(values []float32) []byte { return appendFloats(nil, values) }

// What a bare model computes is what its network does in the kernels.
func TestTensors(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	m, g := openTensors(t, &model.MLP{Table: model.Table{Numeric: 4, Binary: 2}, Targets: 2, Hidden: []int{8}})
	const rows = 5
	var in []registry.Value
	program := compile(t, g, randomParams(g, rand.New(rand.NewPCG(3, 3))))
	session := program.NewSession(rows)
	for _, n := range g.Inputs() {
		values := randomRows(g, n, random, rows)
		copy(session.Input(n.Name), values)
		in = append(in, registry.Value{
			Tensor: registry.Tensor{Name: n.Name, Datatype: registry.Float32, Shape: []int64{rows, int64(n.Width())}}, Data: bytesOfFloats(values),
		})
	}
	if err := session.Run(rows); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(in) // the order of inputs is the caller's
	for _, wanted := range [][]string{nil, {model.OutputProbability}} {
		out, err := m.Run(t.Context(), in, wanted...)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(out, func(v registry.Value) bool { return v.Name == model.OutputProbability })
		if at < 0 || !slices.Equal(out[at].Shape, []int64{rows, 2}) || out[at].Datatype != registry.Float32 || wanted != nil && len(out) != 1 {
			t.Fatalf("asked for %q: got %+v", wanted, out)
		}
		for i, want := range session.Output(model.OutputProbability)[:rows*2] {
			got := math.Float32frombits(binary.LittleEndian.Uint32(out[at].Data[4*i:]))
			if math.Abs(float64(got-want)) > tolerance {
				t.Errorf("value %d is %v, want %v", i, got, want)
			}
		}
	}
}

func TestTensorsRefuse(t *testing.T) {
	m, _ := openTensors(t, &model.MLP{Table: model.Table{Numeric: 3}, Targets: 1})
	name := m.Inputs()[0].Name
	good := func() registry.Value {
		return registry.Value{Tensor: registry.Tensor{Name: name, Datatype: registry.Float32, Shape: []int64{2, 3}}, Data: make([]byte, 24)}
	}
	if !slices.Equal(m.Inputs()[0].Shape, []int64{registry.FreeDimension, 3}) {
		t.Errorf("inputs %+v", m.Inputs())
	}
	for _, test := range []struct {
		name   string
		change func(v *registry.Value)
		want   string
	}{
		{"name", func(v *registry.Value) { v.Name = "other" }, `has no input "other", want ["` + name},
		{"datatype", func(v *registry.Value) { v.Datatype = registry.Float64 }, "datatype is FP64, want FP32"},
		{"rank", func(v *registry.Value) { v.Shape = []int64{6} }, "shape is [6], want [-1 3]"},
		{"width", func(v *registry.Value) { v.Shape = []int64{3, 2} }, "shape is [3 2]"},
		{"no rows", func(v *registry.Value) { v.Shape, v.Data = []int64{0, 3}, nil }, "shape is [0 3]"},
		{"negative", func(v *registry.Value) { v.Shape = []int64{-2, 3} }, "shape is [-2 3]"},
		{"huge", func(v *registry.Value) { v.Shape = []int64{math.MaxInt64 / 2, 3} }, "has too many values"},
		{"short", func(v *registry.Value) { v.Data = v.Data[1:] }, "23 bytes of data, want 24"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := good()
			test.change(&v)
			if _, err := m.Run(t.Context(), []registry.Value{v}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	for _, in := range [][]registry.Value{nil, {good(), good()}} {
		if _, err := m.Run(t.Context(), in); err == nil || !strings.Contains(err.Error(), "once") {
			t.Errorf("%d inputs: got %v", len(in), err)
		}
	}
	if _, err := m.Run(t.Context(), []registry.Value{good()}, "nothing"); err == nil || !strings.Contains(err.Error(), `no output "nothing"`) {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Run(ended, []registry.Value{good()}); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

// Texts go in as length and bytes; a model of scikit-learn reads some.
func TestTensorsOfTexts(t *testing.T) {
	openRuntime(t)
	m, err := OpenTensors("")(filepath.Join("testdata", "sklearn.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) []byte { return append(binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s...) }
	var in []registry.Value
	texts := -1
	for _, tensor := range m.Inputs() {
		v := registry.Value{Tensor: registry.Tensor{Name: tensor.Name, Datatype: tensor.Datatype, Shape: slices.Clone(tensor.Shape)}}
		n := int64(1)
		for i := range v.Shape {
			v.Shape[i] = max(v.Shape[i], 1)
			n *= v.Shape[i]
		}
		for range n {
			if tensor.Datatype == registry.Bytes {
				v.Data, texts = append(v.Data, text("basic")...), len(in)
			} else {
				v.Data = append(v.Data, make([]byte, 4)...)
			}
		}
		in = append(in, v)
	}
	if texts < 0 {
		t.Fatalf("no input of texts among %+v", m.Inputs())
	}
	out, err := m.Run(t.Context(), in)
	if err != nil || len(out) != len(m.Outputs()) {
		t.Fatalf("got %+v, %v", out, err)
	}
	for name, data := range map[string][]byte{
		"ends beyond the data": text("basic")[:6],
		"zero byte":            text("ba\x00sic"),
		"want 1":               append(text("a"), text("b")...),
	} {
		in[texts].Data = data
		if _, err := m.Run(t.Context(), in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}
