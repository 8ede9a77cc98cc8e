package onnx

import (
	"fmt"
	"slices"
	"strings"

	"moments/weights/onnx/internal/onnxpb"
)

// An ElementType is the type of a tensor's elements, by the format's numbers.
type ElementType int32

// The element types that inputs and outputs may have here.
const (
	Float32 ElementType = 1
	Int32   ElementType = 6
	Int64   ElementType = 7
	Text    ElementType = 8
	Bool    ElementType = 9
	Float64 ElementType = 11
)

// String names the type as the format does.
func (t ElementType) String() string {
	return strings.ToLower(onnxpb.TensorProto_DataType(t).String())
}

// elementBytes are the sizes of the types that raw data may hold.
var elementBytes = map[ElementType]int{
	Float32: 4, 2: 1, 3: 1, 4: 2, 5: 2, Int32: 4, Int64: 8, Bool: 1, 10: 2, Float64: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2,
	17: 1, 18: 1, 19: 1, 20: 1,
}

// Free marks a dimension whose size is known at run time only.
const Free = -1

// A Value is an input or an output.
type Value struct {
	Name  string
	Type  ElementType
	Shape []int    // Free where the size is not fixed; nil when the model does not say
	Axes  []string // the model's name of each dimension; "" for none
	Doc   string

	classes []string // of the map that a ZipMap made of the value's columns; nil otherwise
}

// String is such as "numeric float (batch, 20)".
func (v Value) String() string {
	dims := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		switch {
		case d != Free:
			dims[i] = fmt.Sprint(d)
		case v.Axes[i] != "":
			dims[i] = v.Axes[i]
		default:
			dims[i] = "?"
		}
	}
	if v.Shape == nil {
		dims = []string{"..."}
	}
	return fmt.Sprintf("%s %s (%s)", v.Name, v.Type, strings.Join(dims, ", "))
}

// Classes are the names of the value's columns, when the model has any: the
// keys of the map that a classifier of scikit-learn or LightGBM answers with.
func (v Value) Classes() []string { return v.classes }

// describe reads a checked model's surface, with maps undone.
func describe(p *onnxpb.ModelProto) (*Model, error) {
	classes, err := undoMaps(p)
	if err != nil {
		return nil, err
	}
	m := &Model{proto: p, Metadata: map[string]string{}, Producer: strings.TrimSpace(p.GetProducerName() + " " + p.GetProducerVersion())}
	for _, entry := range p.MetadataProps {
		m.Metadata[entry.GetKey()] = entry.GetValue()
	}
	g := p.Graph
	fed := map[string]bool{}
	for _, t := range g.Initializer {
		fed[t.GetName()] = true
	}
	for _, info := range g.Input {
		if fed[info.GetName()] {
			continue
		}
		v, err := newValue(info)
		if err != nil {
			return nil, fmt.Errorf("input %w", err)
		}
		m.Inputs = append(m.Inputs, v)
	}
	for _, info := range g.Output {
		v, err := newValue(info)
		if err != nil {
			return nil, fmt.Errorf("output %w", err)
		}
		v.classes = classes[v.Name]
		m.Outputs = append(m.Outputs, v)
	}
	return m, checkNames(m)
}

func newValue(info *onnxpb.ValueInfoProto) (Value, error) {
	v := Value{Name: info.GetName(), Doc: info.GetDocString()}
	t := info.GetType().GetTensorType()
	if t == nil {
		return v, fmt.Errorf("%q is no tensor, want one", v.Name)
	}
	v.Type = ElementType(t.GetElemType())
	switch v.Type {
	case Float32, Float64, Int32, Int64, Bool, Text:
	default:
		return v, fmt.Errorf("%q has elements of type %s, want float, double, int32, int64, bool or string", v.Name, v.Type)
	}
	if t.Shape == nil {
		return v, nil
	}
	v.Shape, v.Axes = []int{}, []string{}
	size := 1
	for _, d := range t.Shape.Dim {
		n := Free
		if fixed, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
			if fixed.DimValue < 0 || fixed.DimValue > maxDeclare/int64(max(size, 1)) {
				return v, fmt.Errorf("%q has a dimension of %d, want at most %d values in all", v.Name, fixed.DimValue, maxDeclare)
			}
			n = int(fixed.DimValue)
			size *= n
		}
		v.Shape, v.Axes = append(v.Shape, n), append(v.Axes, d.GetDimParam())
	}
	return v, nil
}

// checkNames demands inputs and outputs, each with a name of its own.
func checkNames(m *Model) error {
	if len(m.Inputs) == 0 || len(m.Outputs) == 0 {
		return fmt.Errorf("the model has %d inputs and %d outputs, want at least one of each", len(m.Inputs), len(m.Outputs))
	}
	for _, values := range [][]Value{m.Inputs, m.Outputs} {
		for i, v := range values {
			if v.Name == "" || slices.ContainsFunc(values[:i], func(o Value) bool { return o.Name == v.Name }) {
				return fmt.Errorf("two values are named %q, or one is not named", v.Name)
			}
		}
	}
	return nil
}
