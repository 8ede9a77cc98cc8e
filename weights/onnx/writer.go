package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"moments/model"
	"moments/weights/onnx/internal/onnxpb"
)

// A writer appends ONNX nodes and initialisers to a graph. Values are named:
// inputs and parameters as in the network, results by their node.
type writer struct {
	options Options
	graph   *onnxpb.GraphProto
	params  map[string][]float32
	values  map[int]value // by node ID
	used    map[string]bool
}

// A value is the ONNX result that stands for a node. Values of members, (B, k,
// w), flow as rows, (B·k, w), for as long as they can: products of matrices are
// fast, and reshaping is free but not nothing.
type value struct {
	shaped string // in the node's own shape; "" until somebody asks
	rows   string // in rows of the last dimension; "" until somebody asks
}

func newWriter(o Options) *writer {
	return &writer{
		options: o,
		graph:   &onnxpb.GraphProto{Name: proto.String(o.Name)},
		values:  map[int]value{},
		used:    map[string]bool{},
	}
}

// write appends the whole network.
func (w *writer) write(g *model.Graph, params map[string][]float32, outputs []string) error {
	w.params = params
	for _, n := range g.Inputs() {
		w.used[n.Name] = true
		w.graph.Input = append(w.graph.Input, valueInfo(n.Name, Float32, n.Shape, w.options.Inputs[n.Name]))
	}
	if slices.ContainsFunc(g.Nodes, func(n *model.Node) bool { return leads(n, model.Events) }) {
		if w.used[InputLengths] {
			return fmt.Errorf("the network has an input %q, which is what the lengths of journeys are named", InputLengths)
		}
		w.used[InputLengths] = true
		w.graph.Input = append(w.graph.Input, valueInfo(InputLengths, Int32, []int{model.Batch}, "the number of events of each journey"))
	}
	for _, name := range outputs {
		w.used[name] = true
	}
	if err := w.checkParams(g.Params()); err != nil {
		return err
	}
	read, err := g.Needed(nil, outputs...)
	if err != nil {
		return err
	}
	for _, n := range g.Nodes {
		if n.Op == model.Input || n.Op == model.Param || !read[n.ID] {
			continue
		}
		rule, ok := Rules[n.Op]
		if !ok {
			return fmt.Errorf("%s: no ONNX rule for %s", n.Name, n.Op)
		}
		w.values[n.ID] = rule(w, n)
	}
	for _, name := range outputs {
		n := g.Outputs[name]
		w.output(name, n)
		w.graph.Output = append(w.graph.Output, valueInfo(name, Float32, n.Shape, ""))
	}
	return nil
}

// checkParams demands the parameters and keeps their names for them.
func (w *writer) checkParams(params []*model.Node) error {
	for _, n := range params {
		data, ok := w.params[n.Name]
		if !ok || len(data) != n.RowSize() {
			return fmt.Errorf("%s has %d values, want %d for shape %v", n.Name, len(data), n.RowSize(), n.Shape)
		}
		w.used[n.Name] = true
	}
	if len(w.params) != len(params) {
		return fmt.Errorf("got %d parameters, want the %d that the network declares", len(w.params), len(params))
	}
	return nil
}

// output gives n's value its name.
func (w *writer) output(name string, n *model.Node) {
	if leads(n, model.Events) {
		w.append("Reshape", name, []string{w.in(n), w.padded(n)})
		return
	}
	w.append("Identity", name, []string{w.in(n)})
}

func leads(n *model.Node, dimension int) bool { return len(n.Shape) > 0 && n.Shape[0] == dimension }

// in is the name of n's value in n's own shape; of events, all rows of all
// journeys, (time·batch, ...).
func (w *writer) in(n *model.Node) string {
	v := w.values[n.ID]
	if v.shaped != "" {
		return v.shaped
	}
	switch {
	case n.Op == model.Param: // only those that something reads
		v.shaped = w.floats(n.Name, n.Shape, w.params[n.Name])
	case v.rows != "":
		v.shaped = w.reshape(n, v.rows, leading(n.Shape)...)
	case leads(n, model.Events):
		v.shaped = w.reshape(n, n.Name, leading(n.Shape)...)
	default:
		v.shaped = n.Name
	}
	w.values[n.ID] = v
	return v.shaped
}

// rows is the name of n's value as a matrix of rows of n's width.
func (w *writer) rows(n *model.Node) string {
	if len(n.Shape) == 2 {
		return w.in(n)
	}
	v := w.values[n.ID] // inputs have two dimensions, so n is computed
	if v.rows == "" {
		v.rows = w.reshape(n, v.shaped, -1, n.Width())
		w.values[n.ID] = v
	}
	return v.rows
}

// asRows is the value of n that was computed as rows.
func asRows(n *model.Node, name string) value {
	if len(n.Shape) == 2 {
		return value{shaped: name}
	}
	return value{rows: name}
}

// leading is a shape as Reshape wants it: the free dimension is worked out.
func leading(shape []int) []int {
	dims := make([]int, len(shape))
	for i, d := range shape {
		dims[i] = max(d, -1)
	}
	return dims
}

// reshape appends a Reshape of x for n.
func (w *writer) reshape(n *model.Node, x string, dims ...int) string {
	return w.do(n, "Reshape", []string{x, w.ints(n, "shape", dims...)})
}

// do appends an ONNX node for n and returns the name of its result.
func (w *writer) do(n *model.Node, op string, in []string, attributes ...*onnxpb.AttributeProto) string {
	return w.append(op, w.name(n, op), in, attributes...)
}

func (w *writer) append(op, out string, in []string, attributes ...*onnxpb.AttributeProto) string {
	w.graph.Node = append(w.graph.Node, &onnxpb.NodeProto{
		Name: proto.String(out), OpType: proto.String(op), Input: in, Output: []string{out}, Attribute: attributes,
	})
	return out
}

// name returns a name for something of node n, unused so far.
func (w *writer) name(n *model.Node, what string) string {
	base := what
	if n.Name != "" {
		base = n.Name + "/" + what
	}
	name := base
	for i := 2; w.used[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	w.used[name] = true
	return name
}

// floats appends an initialiser and returns its name.
func (w *writer) floats(name string, shape []int, data []float32) string {
	raw := make([]byte, 0, 4*len(data))
	for _, x := range data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return w.initialiser(name, Float32, shape, raw)
}

// ints appends an int64 vector of node n and returns its name.
func (w *writer) ints(n *model.Node, what string, values ...int) string {
	var raw []byte
	for _, x := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return w.initialiser(w.name(n, what), Int64, []int{len(values)}, raw)
}

func (w *writer) initialiser(name string, kind ElementType, shape []int, raw []byte) string {
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	w.graph.Initializer = append(w.graph.Initializer, &onnxpb.TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(kind)), Dims: dims, RawData: raw,
	})
	return name
}

// valueInfo describes an input or output; events are padded, (time, batch, ...).
func valueInfo(name string, kind ElementType, shape []int, doc string) *onnxpb.ValueInfoProto {
	dims := &onnxpb.TensorShapeProto{}
	free := func(name string) {
		dims.Dim = append(dims.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: name}})
	}
	for _, d := range shape {
		switch d {
		case model.Events:
			free(TimeAxis)
			free(BatchAxis)
		case model.Batch:
			free(BatchAxis)
		default:
			dims.Dim = append(dims.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
		}
	}
	info := &onnxpb.ValueInfoProto{
		Name: proto.String(name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(kind)), Shape: dims,
		}}},
	}
	if doc != "" {
		info.DocString = proto.String(doc)
	}
	return info
}

func attributeInt(name string, x int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(int64(x))}
}

func attributeInts(name string, xs ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INTS.Enum(), Ints: xs}
}

func attributeFloat(name string, x float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(x)}
}
