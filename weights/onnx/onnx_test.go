package onnx

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"moments/model"
	"moments/weights/onnx/internal/onnxpb"
)

// draw is a network given as a function.
type draw func(b model.Builder) model.Outputs

func (d draw) Forward(b model.Builder) model.Outputs { return d(b) }

// small is a network of most ops.
var small = &model.TabM{
	Table:   model.Table{Numeric: 2, Binary: 1, Cardinalities: []int{3, 4}, Bins: 2, Edges: [][]float32{{-1, 0, 1}, {0, 2}}},
	Targets: 2, Members: 2, Width: 4, Layers: 2, Embedding: 3, CategoryWidth: 2,
}

func build(t testing.TB, network model.Network) (*model.Graph, map[string][]float32) {
	t.Helper()
	g, err := model.Build(network)
	if err != nil {
		t.Fatal(err)
	}
	params := map[string][]float32{}
	for i, p := range g.Params() {
		params[p.Name] = make([]float32, p.RowSize())
		for k := range params[p.Name] {
			params[p.Name][k] = float32(i+1) / float32(k+2)
		}
	}
	return g, params
}

func encode(t testing.TB, o Options) []byte {
	t.Helper()
	g, params := build(t, small)
	raw, err := Encode(g, params, o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEveryOpHasARule(t *testing.T) {
	for op, spec := range model.Specs {
		if Rules[op] == nil {
			t.Errorf("onnx has no rule for %s", spec.Name)
		}
	}
	if len(Rules) != len(model.Specs) {
		t.Errorf("got %d rules for %d ops", len(Rules), len(model.Specs))
	}
}

func TestEncode(t *testing.T) {
	o := Options{Name: "tabm-0", Version: "1.2", Doc: "doc", Inputs: map[string]string{"numeric": "numbers"}, Metadata: map[string]string{"b": "2", "a": "1"}}
	raw := encode(t, o)
	if !bytes.Equal(raw, encode(t, o)) {
		t.Error("equal networks give different files")
	}
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"numeric float (batch, 2)", "binary float (batch, 1)", "category float (batch, 2)"} {
		if got := m.Inputs[i].String(); got != want {
			t.Errorf("input %d is %s, want %s", i, got, want)
		}
	}
	if got := m.Inputs[0].Doc; got != "numbers" {
		t.Errorf("the input's description is %q", got)
	}
	if got := m.Outputs[1].String(); len(m.Outputs) != 2 || got != "probability float (batch, 2)" {
		t.Errorf("got outputs %v", m.Outputs)
	}
	if !maps.Equal(m.Metadata, o.Metadata) || m.Producer != "moments 1.2" {
		t.Errorf("got metadata %v of %s", m.Metadata, m.Producer)
	}
	if p := m.proto; p.GetIrVersion() != IRVersion || len(p.OpsetImport) != 1 || p.OpsetImport[0].GetVersion() != Opset {
		t.Errorf("got IR version %d and opsets %v", p.GetIrVersion(), p.OpsetImport)
	}
}

// TestInitialisersHaveTheParametersNames looks weights up by the names that
// they have in the bundle.
func TestInitialisersHaveTheParametersNames(t *testing.T) {
	g, params := build(t, small)
	raw, err := Encode(g, params, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Params() {
		at := slices.IndexFunc(m.proto.Graph.Initializer, func(x *onnxpb.TensorProto) bool { return x.GetName() == p.Name })
		if strings.HasSuffix(p.Name, "/edges") {
			continue // they are kept in the form that they are computed with
		}
		if at < 0 || len(m.proto.Graph.Initializer[at].RawData) != 4*p.RowSize() {
			t.Errorf("%s is no initialiser of %d values", p.Name, p.RowSize())
		}
	}
}

// TestOnlyWhatOutputsNeed leaves out what nothing reads.
func TestOnlyWhatOutputsNeed(t *testing.T) {
	g, params := build(t, draw(func(b model.Builder) model.Outputs {
		x := b.Input("x", 2)
		return model.Outputs{"y": model.Linear(b.In("a"), x, 1, model.Identity), "z": model.Linear(b.In("b"), x, 1, model.Identity)}
	}))
	raw, err := Encode(g, params, Options{Outputs: []string{"z"}})
	if err != nil || bytes.Contains(raw, []byte("a/weight")) || !bytes.Contains(raw, []byte("b/weight")) {
		t.Errorf("error %v; want the weights of output z alone", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	g, params := build(t, small)
	without := maps.Clone(params)
	delete(without, "head/weight")
	more := maps.Clone(params)
	more["tail/weight"] = nil
	for _, c := range []struct {
		name, want string
		params     map[string][]float32
		outputs    []string
	}{
		{"a missing parameter", "head/weight has 0 values, want 16", without, nil},
		{"a further parameter", "want the", more, nil},
		{"an unknown output", `no output "risk"`, params, []string{"risk"}},
	} {
		if _, err := Encode(g, c.params, Options{Outputs: c.outputs}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	taken, params := build(t, draw(func(b model.Builder) model.Outputs {
		x := b.EventInput("x", 2)
		return model.Outputs{"y": model.Linear(b, b.Concat(x, b.EventInput(InputLengths, 1)), 1, model.Identity)}
	}))
	if _, err := Encode(taken, params, Options{}); err == nil || !strings.Contains(err.Error(), `an input "lengths"`) {
		t.Errorf("got error %v, want one about the name", err)
	}
}

// TestBytesRoundTrip writes what was read.
func TestBytesRoundTrip(t *testing.T) {
	raw := encode(t, Options{})
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Bytes()
	if err != nil || !bytes.Equal(raw, again) {
		t.Errorf("error %v; the bytes changed", err)
	}
}

// TestMapsBecomeMatrices reads a model that ends with a ZipMap, twice: what is
// kept in a bundle has lost the map but not its classes.
func TestMapsBecomeMatrices(t *testing.T) {
	m, err := Parse(withZipMap(t, false))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out := m.Outputs[0]
		if got := out.String(); got != "odds float (?, 2)" && got != "odds float (batch, 2)" || !slices.Equal(out.Classes(), []string{"no", "yes"}) {
			t.Errorf("got output %s of classes %q", got, out.Classes())
		}
		raw, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if m, err = Parse(raw); err != nil {
			t.Fatal(err)
		}
	}
}

// withZipMap appends a ZipMap to the small network; inside, it is not the last
// step.
func withZipMap(t *testing.T, inside bool) []byte {
	t.Helper()
	p := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(encode(t, Options{Outputs: []string{"probability"}}), p); err != nil {
		t.Fatal(err)
	}
	p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("ai.onnx.ml"), Version: proto.Int64(1)})
	p.Graph.Node = append(p.Graph.Node, &onnxpb.NodeProto{
		OpType: proto.String("ZipMap"), Domain: proto.String("ai.onnx.ml"), Input: []string{"probability"}, Output: []string{"odds"},
		Attribute: []*onnxpb.AttributeProto{{Name: proto.String("classlabels_strings"), Strings: [][]byte{[]byte("no"), []byte("yes")}}},
	})
	if !inside {
		p.Graph.Output = []*onnxpb.ValueInfoProto{{Name: proto.String("odds"), Type: &onnxpb.TypeProto{}}}
	}
	return marshal(t, p)
}

func marshal(t testing.TB, p *onnxpb.ModelProto) []byte {
	t.Helper()
	raw, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
