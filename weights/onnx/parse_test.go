package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"moments/weights/onnx/internal/onnxpb"
)

// spoil parses a good model's file, changes it, and writes it again.
func spoil(t testing.TB, change func(p *onnxpb.ModelProto)) []byte {
	t.Helper()
	p := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(encode(t, Options{}), p); err != nil {
		t.Fatal(err)
	}
	change(p)
	return marshal(t, p)
}

func opset(domain string, version int64) func(*onnxpb.ModelProto) {
	return func(p *onnxpb.ModelProto) {
		p.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: proto.String(domain), Version: proto.Int64(version)}}
	}
}

// first changes the first initialiser of numbers.
func first(change func(x *onnxpb.TensorProto)) func(*onnxpb.ModelProto) {
	return func(p *onnxpb.ModelProto) {
		at := slices.IndexFunc(p.Graph.Initializer, func(x *onnxpb.TensorProto) bool { return x.GetDataType() == int32(Float32) })
		change(p.Graph.Initializer[at])
	}
}

func addNode(op string, in []string, attributes ...*onnxpb.AttributeProto) func(*onnxpb.ModelProto) {
	return func(p *onnxpb.ModelProto) {
		p.Graph.Node = append(p.Graph.Node, &onnxpb.NodeProto{Name: proto.String("added"), OpType: proto.String(op), Input: in, Output: []string{"made"}, Attribute: attributes})
	}
}

func external(entries ...string) func(*onnxpb.ModelProto) {
	return first(func(x *onnxpb.TensorProto) {
		x.RawData, x.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
		for i := 0; i < len(entries); i += 2 {
			x.ExternalData = append(x.ExternalData, &onnxpb.StringStringEntryProto{Key: &entries[i], Value: &entries[i+1]})
		}
	})
}

// nested is a graph within graphs, so many deep.
func nested(depth int) *onnxpb.GraphProto {
	g := &onnxpb.GraphProto{}
	for range depth {
		g = &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{{OpType: proto.String("If"), Attribute: []*onnxpb.AttributeProto{{Name: proto.String("then_branch"), G: g}}}}}
	}
	return g
}

func TestParseRefuses(t *testing.T) {
	good := encode(t, Options{})
	attribute := func(name string, ints ...int64) *onnxpb.AttributeProto { return attributeInts(name, ints...) }
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"an empty file", nil, "no graph"},
		{"a text", []byte("numeric,binary\n1,2\n"), "not an ONNX model"},
		{"a truncated file", good[:len(good)/2], "truncated"},
		{"opset 99", spoil(t, opset("", 99)), `opset 99 of "ai.onnx", want 7 to`},
		{"opset 6", spoil(t, opset("", 6)), "opset 6"},
		{"no opset", spoil(t, func(p *onnxpb.ModelProto) { p.OpsetImport = nil }), "no operator set"},
		{"operators of another domain", spoil(t, opset("evil.example", 1)), `domain "evil.example"`},
		{"a newer format", spoil(t, func(p *onnxpb.ModelProto) { p.IrVersion = proto.Int64(99) }), "IR version 99"},
		{"functions", spoil(t, func(p *onnxpb.ModelProto) { p.Functions = []*onnxpb.FunctionProto{{}} }), "functions"},
		{"training steps", spoil(t, func(p *onnxpb.ModelProto) { p.TrainingInfo = []*onnxpb.TrainingInfoProto{{}} }), "training"},
		{"sparse tensors", spoil(t, func(p *onnxpb.ModelProto) { p.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{}} }), "sparse"},
		{"data elsewhere", spoil(t, external("location", "weights.bin")), "in another file"},
		{"a gigabyte declared in a small file", spoil(t, first(func(x *onnxpb.TensorProto) { x.Dims = []int64{1 << 28} })), "want 1073741824 for dimensions"},
		{"more than there is memory", spoil(t, first(func(x *onnxpb.TensorProto) { x.Dims = []int64{1 << 40, 1 << 40} })), "want at most"},
		{"a negative dimension", spoil(t, first(func(x *onnxpb.TensorProto) { x.Dims = []int64{-1, -4} })), "want at most"},
		{"twenty dimensions", spoil(t, first(func(x *onnxpb.TensorProto) { x.Dims = make([]int64, 20) })), "20 dimensions"},
		{"too few typed values", spoil(t, first(func(x *onnxpb.TensorProto) { x.RawData, x.FloatData = nil, []float32{1} })), "1 values, want"},
		{"raw texts", spoil(t, first(func(x *onnxpb.TensorProto) { x.DataType = proto.Int32(int32(Text)) })), "cannot read string data"},
		{"a tensor of no type", spoil(t, first(func(x *onnxpb.TensorProto) { x.DataType = nil })), "cannot read"},
		{"a shape of terabytes", spoil(t, addNode("Constant", nil, attribute("value_ints", 1<<40))), ""},
		{"a node that makes terabytes", spoil(t, func(p *onnxpb.ModelProto) {
			addNode("Constant", nil, attribute("value_ints", 1<<20, 1<<20))(p)
			addNode("ConstantOfShape", []string{"made"})(p)
		}), "ConstantOfShape to shape [1048576 1048576]"},
		{"trees of another form", spoil(t, addNode("TreeEnsemble", nil)), "opset 5"},
		{"random terabytes", spoil(t, addNode("RandomNormal", nil, attribute("shape", 1<<40))), "RandomNormal"},
		{"graphs within graphs", spoil(t, func(p *onnxpb.ModelProto) { p.Graph.Node = append(p.Graph.Node, nested(20).Node...) }), "graphs within graphs"},
		{"an input of halves", spoil(t, func(p *onnxpb.ModelProto) { p.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(10) }), "float16"},
		{"an input that is no tensor", spoil(t, func(p *onnxpb.ModelProto) { p.Graph.Input[0].Type = nil }), "is no tensor"},
		{"an input of terabytes", spoil(t, func(p *onnxpb.ModelProto) {
			p.Graph.Input[0].Type.GetTensorType().Shape.Dim[1].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 1 << 40}
		}), "has a dimension of"},
		{"equal names", spoil(t, func(p *onnxpb.ModelProto) { p.Graph.Input[1].Name = p.Graph.Input[0].Name }), "two values are named"},
		{"no output", spoil(t, func(p *onnxpb.ModelProto) { p.Graph.Output = nil }), "0 outputs"},
		{"a map in the middle", withZipMap(t, true), "ZipMap that is not"},
	} {
		_, err := Parse(c.raw)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got error %v, want none", c.name, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "onnx: ") || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestLoadReadsDataOfItsFolder puts a tensor beside the model.
func TestLoadReadsDataOfItsFolder(t *testing.T) {
	folder := t.TempDir()
	var data []byte
	raw := spoil(t, first(func(x *onnxpb.TensorProto) { data = x.RawData }))
	raw2 := spoil(t, external("location", "sub/weights.bin", "offset", "3", "length", fmt.Sprint(len(data))))
	if err := os.Mkdir(filepath.Join(folder, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "sub", "weights.bin"), append([]byte("abc"), data...))
	writeFile(t, filepath.Join(folder, "model.onnx"), raw2)
	m, err := Load(filepath.Join(folder, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Bytes()
	if err != nil || string(got) != string(raw) {
		t.Errorf("error %v; want the model with its data inside", err)
	}
}

func writeFile(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadStaysInItsFolder(t *testing.T) {
	outside, folder := t.TempDir(), ""
	writeFile(t, filepath.Join(outside, "secret"), make([]byte, 1<<12))
	folder = filepath.Join(outside, "model")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "short"), []byte("abc"))
	for link, target := range map[string]string{"link": filepath.Join(outside, "secret"), "relative": "../secret", "up": ".."} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct{ name, location, offset, length, want string }{
		{"a path up", "../secret", "0", "8", "leads out"},
		{"a hidden path up", "sub/../../secret", "0", "8", "leads out"},
		{"an absolute path", filepath.Join(outside, "secret"), "0", "8", "leads out"},
		{"no path", "", "0", "8", "leads out"},
		{"a link out", "link", "0", "8", "escapes"},
		{"a relative link out", "relative", "0", "8", "escapes"},
		{"a folder that is a link out", "up/secret", "0", "8", "escapes"},
		{"no such file", "nothing", "0", "8", "no such file"},
		{"the folder", ".", "0", "8", ""},
		{"too short a file", "short", "0", "8", "has 3 bytes, want 8 from 0"},
		{"an offset beyond", "short", "9", "-1", "has 3 bytes"},
		{"a huge offset", "short", "9223372036854775807", "8", "has 3 bytes"},
		{"a huge length", "short", "0", "9223372036854775807", "has 3 bytes"},
		{"a negative offset", "short", "-1", "8", "want a number from 0"},
		{"an offset in words", "short", "one", "8", "want a number from 0"},
		{"another size", "short", "0", "3", "3 bytes of data, want"},
	} {
		path := filepath.Join(folder, "model.onnx")
		writeFile(t, path, spoil(t, external("location", c.location, "offset", c.offset, "length", c.length)))
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(folder, "none.onnx")); err == nil || !strings.HasPrefix(err.Error(), "onnx: ") {
		t.Errorf("got error %v, want one that the file is missing", err)
	}
	if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("got error %v, want one that a folder is no file", err)
	}
}

// FuzzParse demands that whatever is accepted can be written and read again.
func FuzzParse(f *testing.F) {
	f.Add(encode(f, Options{Metadata: map[string]string{"a": "b"}}))
	f.Add([]byte{})
	for _, name := range []string{"torch", "sklearn", "lightgbm", "xgboost"} {
		raw, err := os.ReadFile(filepath.Join("../../infer/onnxruntime/testdata", name+Suffix))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Parse(raw)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "onnx: ") {
				t.Errorf("error %q does not say where it is from", err)
			}
			return
		}
		again, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := Parse(again); err != nil || fmt.Sprint(n.Inputs, n.Outputs) != fmt.Sprint(m.Inputs, m.Outputs) {
			t.Errorf("read again: %v, want %v and %v", err, m.Inputs, m.Outputs)
		}
	})
}

// TestParseRefusesTreesThatAreNone spoils the trees of a real model: the
// runtime would follow their branches for ever, or out of its memory.
func TestParseRefusesTreesThatAreNone(t *testing.T) {
	raw, err := os.ReadFile("../../infer/onnxruntime/testdata/xgboost.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(raw); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, attribute, want string
		change                func(a *onnxpb.AttributeProto)
	}{
		{"a branch back to the root", "nodes_truenodeids", "", func(a *onnxpb.AttributeProto) { a.Ints[1] = 0 }},
		{"a branch to nowhere", "nodes_falsenodeids", "branches to node 999", func(a *onnxpb.AttributeProto) { a.Ints[0] = 999 }},
		{"both branches to one node", "nodes_falsenodeids", "two parents", func(a *onnxpb.AttributeProto) { a.Ints[0] = 1 }},
		{"equal nodes", "nodes_nodeids", "two nodes 0", func(a *onnxpb.AttributeProto) { a.Ints[1] = 0 }},
		{"too few features", "nodes_featureids", "featureids has", func(a *onnxpb.AttributeProto) { a.Ints = a.Ints[1:] }},
		{"too few values", "nodes_values", "nodes_values has", func(a *onnxpb.AttributeProto) { a.Floats = a.Floats[1:] }},
		{"too few weights", "class_weights", "class_weights has", func(a *onnxpb.AttributeProto) { a.Floats = a.Floats[1:] }},
		{"a class that is not there", "class_ids", "for output 9", func(a *onnxpb.AttributeProto) { a.Ints[0] = 9 }},
		{"a weight of no leaf", "class_nodeids", "of node 999", func(a *onnxpb.AttributeProto) { a.Ints[0] = 999 }},
		{"a leaf that stands alone", "nodes_modes", "", func(a *onnxpb.AttributeProto) { a.Strings[0] = []byte("LEAF") }},
	} {
		p := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(raw, p); err != nil {
			t.Fatal(err)
		}
		for _, a := range p.Graph.Node[0].Attribute {
			if a.GetName() == c.attribute {
				c.change(a)
			}
		}
		if _, err := Parse(marshal(t, p)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}
