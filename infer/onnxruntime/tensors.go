package onnxruntime

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"moments/infer/registry"
	"moments/weights"
	"moments/weights/onnx"
)

// OpenTensors opens bare ONNX models for a registry. A model must be complete
// in itself: tensors in files beside it would not be part of its version. The
// library is loaded, as Open does, when the first model asks for it.
func OpenTensors(library string) func(path string) (registry.TensorModel, error) {
	return func(path string) (registry.TensorModel, error) {
		root, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("onnxruntime: %w", err)
		}
		defer root.Close()
		raw, err := weights.ReadFile(root, filepath.Base(path), onnx.MaxBytes)
		if err != nil {
			return nil, fmt.Errorf("onnxruntime: %w", err)
		}
		parsed, err := onnx.Parse(raw)
		if err != nil {
			return nil, err
		}
		r, err := Open(library)
		if err != nil {
			return nil, err
		}
		m, err := r.Load(parsed, Options{})
		if err != nil {
			return nil, err
		}
		return newTensors(m)
	}
}

// tensors is a model as a registry offers it. The runtime makes the outputs, so
// every free dimension may have any size.
type tensors struct {
	model           *Model
	inputs, outputs []registry.Tensor
}

// datatypes are the protocol's names of element types.
var datatypes = map[onnx.ElementType]registry.Datatype{
	onnx.Float32: registry.Float32, onnx.Float64: registry.Float64, onnx.Int32: registry.Int32,
	onnx.Int64: registry.Int64, onnx.Bool: registry.Bool, onnx.Text: registry.Bytes,
}

func newTensors(m *Model) (*tensors, error) {
	t := &tensors{model: m}
	for _, list := range []struct {
		from []onnx.Value
		to   *[]registry.Tensor
	}{{m.Inputs, &t.inputs}, {m.Outputs, &t.outputs}} {
		for _, v := range list.from {
			if v.Shape == nil {
				return nil, fmt.Errorf("onnxruntime: %s has no declared shape, want one: export the model with shapes", v.Name)
			}
			tensor := registry.Tensor{Name: v.Name, Datatype: datatypes[v.Type], Shape: make([]int64, len(v.Shape))}
			for i, d := range v.Shape {
				tensor.Shape[i] = int64(d) // onnx.Free is registry.FreeDimension
			}
			*list.to = append(*list.to, tensor)
		}
	}
	return t, nil
}

// Inputs lists the inputs.
func (t *tensors) Inputs() []registry.Tensor { return t.inputs }

// Outputs lists the outputs of numbers.
func (t *tensors) Outputs() []registry.Tensor { return t.outputs }

// Close frees what the runtime holds; nobody may be in Run.
func (t *tensors) Close() error {
	runtime.SetFinalizer(t.model, nil)
	return t.model.session.Destroy()
}

// Run computes outputs.
func (t *tensors) Run(ctx context.Context, in []registry.Value, wanted ...string) ([]registry.Value, error) {
	for _, name := range wanted {
		if !slices.ContainsFunc(t.outputs, func(o registry.Tensor) bool { return o.Name == name }) {
			return nil, fmt.Errorf("onnxruntime: the model has no output %q of numbers, want one of %q", name, names(t.model.Outputs))
		}
	}
	inputs, err := t.values(in)
	defer destroy(inputs)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	outputs := make([]ort.Value, len(t.outputs))
	err = t.model.session.Run(inputs, outputs)
	defer destroy(outputs)
	if err != nil {
		return nil, fmt.Errorf("onnxruntime: running the model: %w", err)
	}
	return t.read(outputs, wanted)
}

// values puts the inputs in the model's order and hands them to the runtime.
func (t *tensors) values(in []registry.Value) ([]ort.Value, error) {
	for i := range in {
		if !slices.ContainsFunc(t.inputs, func(want registry.Tensor) bool { return want.Name == in[i].Name }) {
			return nil, fmt.Errorf("onnxruntime: the model has no input %q, want %q", in[i].Name, names(t.model.Inputs))
		}
	}
	var values []ort.Value
	for _, want := range t.inputs {
		is := func(v registry.Value) bool { return v.Name == want.Name }
		at := slices.IndexFunc(in, is)
		if at < 0 || slices.ContainsFunc(in[at+1:], is) {
			return values, fmt.Errorf("onnxruntime: want input %q once", want.Name)
		}
		v, err := newValue(&want, &in[at])
		if err != nil {
			return values, fmt.Errorf("onnxruntime: input %q: %w", want.Name, err)
		}
		values = append(values, v)
	}
	return values, nil
}

// newValue copies a tensor into the runtime's form.
func newValue(want *registry.Tensor, v *registry.Value) (ort.Value, error) {
	n, err := elements(want, v)
	if err != nil {
		return nil, err
	}
	shape := ort.Shape(v.Shape)
	switch v.Datatype {
	case registry.Float32:
		return newNumbers[float32](shape, n, v.Data)
	case registry.Float64:
		return newNumbers[float64](shape, n, v.Data)
	case registry.Int32:
		return newNumbers[int32](shape, n, v.Data)
	case registry.Int64:
		return newNumbers[int64](shape, n, v.Data)
	case registry.Bool:
		return newNumbers[bool](shape, n, v.Data)
	}
	return newStrings(shape, n, v.Data)
}

// elements checks datatype and shape and counts the elements.
func elements(want *registry.Tensor, v *registry.Value) (int, error) {
	if v.Datatype != want.Datatype {
		return 0, fmt.Errorf("datatype is %s, want %s", v.Datatype, want.Datatype)
	}
	fits := len(v.Shape) == len(want.Shape)
	n := int64(1)
	for i := 0; fits && i < len(v.Shape); i++ {
		d := v.Shape[i]
		fits = d > 0 && (want.Shape[i] == registry.FreeDimension || want.Shape[i] == d)
		if fits && n > maxValues/d {
			return 0, fmt.Errorf("shape %v has too many values, want at most %d", v.Shape, maxValues)
		}
		n *= d
	}
	if !fits {
		return 0, fmt.Errorf("shape is %v, want %v, where -1 is any size from 1", v.Shape, want.Shape)
	}
	return int(n), nil
}

func newNumbers[T float32 | float64 | int32 | int64 | bool](shape ort.Shape, n int, data []byte) (ort.Value, error) {
	values := make([]T, n)
	if size := binary.Size(values); len(data) != size {
		return nil, fmt.Errorf("%d bytes of data, want %d", len(data), size)
	}
	if _, err := binary.Decode(data, binary.LittleEndian, values); err != nil {
		return nil, err
	}
	if len(shape) == 0 {
		return nil, fmt.Errorf("a single number, want at least one dimension")
	}
	return ort.NewTensor(shape, values)
}

func newStrings(shape ort.Shape, n int, data []byte) (ort.Value, error) {
	texts := make([]string, 0, min(n, len(data)/4))
	for len(data) > 0 {
		if len(data) < 4 || uint64(len(data)-4) < uint64(binary.LittleEndian.Uint32(data)) {
			return nil, fmt.Errorf("text %d ends beyond the data", len(texts))
		}
		end := 4 + int(binary.LittleEndian.Uint32(data))
		text := string(data[4:end])
		if strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("text %d has a zero byte, which the runtime takes for its end", len(texts))
		}
		texts, data = append(texts, text), data[end:]
	}
	if len(texts) != n || len(shape) == 0 {
		return nil, fmt.Errorf("%d texts, want %d in at least one dimension", len(texts), n)
	}
	t, err := ort.NewStringTensor(shape)
	if err != nil {
		return nil, err
	}
	if err := t.SetContents(texts); err != nil {
		t.Destroy()
		return nil, err
	}
	return t, nil
}

// read copies the wanted outputs, all without any, out of the runtime.
func (t *tensors) read(outputs []ort.Value, wanted []string) ([]registry.Value, error) {
	var values []registry.Value
	for i, o := range outputs {
		v := registry.Value{Tensor: t.outputs[i]}
		if len(wanted) > 0 && !slices.Contains(wanted, v.Name) {
			continue
		}
		var err error
		if v.Data, err = bytesOf(o); err != nil {
			return nil, fmt.Errorf("onnxruntime: output %q: %w", v.Name, err)
		}
		v.Shape = o.GetShape()
		values = append(values, v)
	}
	if len(wanted) > 0 {
		slices.SortFunc(values, func(a, b registry.Value) int {
			return slices.Index(wanted, a.Name) - slices.Index(wanted, b.Name)
		})
	}
	return values, nil
}

// bytesOf copies a tensor's elements.
func bytesOf(v ort.Value) ([]byte, error) {
	var data any
	switch v := v.(type) {
	case *ort.Tensor[float32]:
		return appendFloats(make([]byte, 0, 4*len(v.GetData())), v.GetData()), nil
	case *ort.Tensor[float64]:
		data = v.GetData()
	case *ort.Tensor[int32]:
		data = v.GetData()
	case *ort.Tensor[int64]:
		data = v.GetData()
	case *ort.Tensor[bool]:
		data = v.GetData()
	default:
		return nil, fmt.Errorf("the runtime gave a %T, want a tensor of numbers", v)
	}
	return binary.Append(nil, binary.LittleEndian, data)
}

func appendFloats(to []byte, values []float32) []byte {
	for _, x := range values {
		to = binary.LittleEndian.AppendUint32(to, math.Float32bits(x))
	}
	return to
}
