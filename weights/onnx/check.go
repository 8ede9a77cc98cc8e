package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"moments/weights/onnx/internal/onnxpb"
)

// A checker walks a model and refuses what the runtime must not see. Tensors
// that lie in the model's folder are read on the way.
type checker struct {
	folder *os.Root // nil where there is none
	left   int64    // bytes of tensors that may still come
}

func (c *checker) model(m *onnxpb.ModelProto) error {
	switch ir := m.GetIrVersion(); {
	case m.Graph == nil:
		return errors.New("not an ONNX model: it has no graph")
	case ir < 3 || ir > maxIR:
		return fmt.Errorf("the model has IR version %d, want 3 to %d: export it for an older version", ir, maxIR)
	case len(m.Functions) > 0:
		return fmt.Errorf("the model defines %d functions of its own, want none: inline them (onnx.inliner.inline_local_functions)", len(m.Functions))
	case len(m.TrainingInfo) > 0:
		return errors.New("the model holds training steps, want inference only")
	}
	if err := checkOpsets(m.OpsetImport); err != nil {
		return err
	}
	return c.graph(m.Graph, 1)
}

func checkOpsets(imports []*onnxpb.OperatorSetIdProto) error {
	if len(imports) == 0 {
		return errors.New("the model names no operator set")
	}
	for _, o := range imports {
		known, ok := opsets[o.GetDomain()]
		switch version := o.GetVersion(); {
		case !ok:
			return fmt.Errorf("the model needs operators of domain %q, want only those of ai.onnx, ai.onnx.ml and com.microsoft", o.GetDomain())
		case version < known[0] || version > known[1]:
			return fmt.Errorf("the model has opset %d of %q, want %d to %d: export it for opset %d", version, cmpDomain(o.GetDomain()), known[0], known[1], min(known[1], Opset))
		}
	}
	return nil
}

func cmpDomain(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

func (c *checker) graph(g *onnxpb.GraphProto, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("graphs within graphs, %d deep, want at most %d", depth, maxDepth)
	}
	if len(g.SparseInitializer) > 0 {
		return errors.New("the model has sparse tensors, want dense ones")
	}
	constants := map[string]*onnxpb.TensorProto{}
	for _, t := range g.Initializer {
		if err := c.tensor(t); err != nil {
			return err
		}
		constants[t.GetName()] = t
	}
	for _, n := range g.Node {
		if err := c.node(n, depth); err != nil {
			return fmt.Errorf("node %q: %w", n.GetName(), err)
		}
		if n.GetOpType() == "Constant" && len(n.Output) == 1 {
			constants[n.Output[0]] = attributeTensor(n)
		}
		if err := checkMade(n, constants); err != nil {
			return fmt.Errorf("node %q: %w", n.GetName(), err)
		}
	}
	return nil
}

// node checks the tensors and graphs among a node's attributes.
func (c *checker) node(n *onnxpb.NodeProto, depth int) error {
	if err := checkTrees(n); err != nil {
		return err
	}
	for _, a := range n.Attribute {
		if len(a.SparseTensors) > 0 || a.SparseTensor != nil {
			return errors.New("sparse tensors, want dense ones")
		}
		tensors, graphs := a.Tensors, a.Graphs
		if a.T != nil {
			tensors = append(slices.Clone(tensors), a.T)
		}
		if a.G != nil {
			graphs = append(slices.Clone(graphs), a.G)
		}
		for _, t := range tensors {
			if err := c.tensor(t); err != nil {
				return err
			}
		}
		for _, g := range graphs {
			if err := c.graph(g, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// tensor demands that the data are there, as many as the dimensions say.
func (c *checker) tensor(t *onnxpb.TensorProto) error {
	if err := c.fetch(t); err != nil {
		return fmt.Errorf("tensor %q: %w", t.GetName(), err)
	}
	size, err := elements(t.Dims)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.GetName(), err)
	}
	got, unit := int64(len(t.RawData)), int64(elementBytes[ElementType(t.GetDataType())])
	kind := ElementType(t.GetDataType())
	switch {
	case t.RawData != nil && unit == 0 || kind == 0 || t.Segment != nil:
		return fmt.Errorf("tensor %q: cannot read %s data", t.GetName(), kind)
	case t.RawData != nil && got != size*unit:
		return fmt.Errorf("tensor %q: %d bytes of data, want %d for dimensions %v of %s", t.GetName(), got, size*unit, t.Dims, kind)
	case t.RawData == nil && typedValues(t) != size*typedPer(kind):
		return fmt.Errorf("tensor %q: %d values, want %d for dimensions %v", t.GetName(), typedValues(t), size*typedPer(kind), t.Dims)
	}
	return nil
}

// typedValues counts the data outside raw_data.
func typedValues(t *onnxpb.TensorProto) int64 {
	return int64(len(t.FloatData) + len(t.Int32Data) + len(t.Int64Data) + len(t.DoubleData) + len(t.Uint64Data) + len(t.StringData))
}

// typedPer is the number of typed values that an element takes: two of complex
// ones.
func typedPer(t ElementType) int64 {
	const complex64, complex128 = 14, 15
	if t == complex64 || t == complex128 {
		return 2
	}
	return 1
}

// elements is the product of dimensions, refused before it overflows.
func elements(dims []int64) (int64, error) {
	if len(dims) > maxRank {
		return 0, fmt.Errorf("%d dimensions, want at most %d", len(dims), maxRank)
	}
	size := int64(1)
	for _, d := range dims {
		if d < 0 || d > 0 && size > MaxBytes/d {
			return 0, fmt.Errorf("dimensions %v, want at most %d values", dims, MaxBytes)
		}
		size *= d
	}
	return size, nil
}

// fetch reads a tensor's data from the folder into the model.
func (c *checker) fetch(t *onnxpb.TensorProto) error {
	if t.GetDataLocation() != onnxpb.TensorProto_EXTERNAL && len(t.ExternalData) == 0 {
		return nil
	}
	if c.folder == nil {
		return errors.New("its data lie in another file, want them in the model")
	}
	var location string
	offset, length := int64(0), int64(-1)
	for _, e := range t.ExternalData {
		var err error
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil || offset < 0 || length < -1 {
			return fmt.Errorf("external data with %s %q, want a number from 0", e.GetKey(), e.GetValue())
		}
	}
	raw, err := c.section(location, offset, length)
	if err != nil {
		return fmt.Errorf("external data: %w", err)
	}
	t.RawData, t.ExternalData, t.DataLocation = raw, nil, nil
	return nil
}

// section reads length bytes, or all that follow for -1, of a file of the
// folder.
func (c *checker) section(location string, offset, length int64) ([]byte, error) {
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return nil, fmt.Errorf("path %q leads out of the model's folder, want a file in it", location)
	}
	f, err := c.folder.Open(filepath.FromSlash(location)) // refuses links that lead out
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if length < 0 {
		length = info.Size() - offset
	}
	if !info.Mode().IsRegular() || length < 0 || offset > info.Size()-length {
		return nil, fmt.Errorf("%s has %d bytes, want %d from %d on", location, info.Size(), length, offset)
	}
	if c.left -= length; c.left < 0 {
		return nil, fmt.Errorf("more than %d bytes", MaxBytes)
	}
	raw := make([]byte, length)
	_, err = f.ReadAt(raw, offset)
	return raw, err
}

func attributeTensor(n *onnxpb.NodeProto) *onnxpb.TensorProto {
	for _, a := range n.Attribute {
		if a.GetName() == "value" {
			return a.T
		}
		if a.GetName() == "value_ints" {
			return &onnxpb.TensorProto{Dims: []int64{int64(len(a.Ints))}, Int64Data: a.Ints}
		}
	}
	return nil
}

// shapeArguments are the operators that make as many values as an argument
// says, with the position of the argument.
var shapeArguments = map[string]int{"ConstantOfShape": 0, "Expand": 1, "Reshape": 1, "Tile": 1}

// checkMade refuses a node that a constant tells to make more values than any
// use here needs: a few bytes of file must not take gigabytes of memory.
func checkMade(n *onnxpb.NodeProto, constants map[string]*onnxpb.TensorProto) error {
	var dims []int64
	if at, ok := shapeArguments[n.GetOpType()]; ok && at < len(n.Input) {
		dims = int64s(constants[n.Input[at]])
	}
	for _, a := range n.Attribute {
		if a.GetName() == "shape" {
			dims = append(dims, a.Ints...)
		}
	}
	size := int64(1)
	for _, d := range dims {
		if d = max(d, 1); size > maxDeclare/d {
			return fmt.Errorf("%s to shape %v, want at most %d values", n.GetOpType(), dims, maxDeclare)
		}
		size *= d
	}
	return nil
}

// int64s are the values of a checked int64 tensor.
func int64s(t *onnxpb.TensorProto) []int64 {
	if t == nil || t.RawData == nil {
		return slices.Clone(t.GetInt64Data())
	}
	var values []int64
	for raw := t.RawData; len(raw) >= 8; raw = raw[8:] {
		values = append(values, int64(binary.LittleEndian.Uint64(raw)))
	}
	return values
}
