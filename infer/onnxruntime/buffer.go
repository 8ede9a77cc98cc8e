package onnxruntime

import (
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"moments/weights/onnx"
)

// An Element is what tensors may consist of.
type Element interface {
	float32 | float64 | int32 | int64 | bool | string
}

// A buffer is the memory of one input or output of a session.
type buffer interface {
	tensor(rows int) (ort.Value, error) // of the first rows
	texts(rows int) []string            // of the first rows; nil for numbers
}

// memory is a buffer of elements T.
type memory[T Element] struct {
	data  []T
	shape []int // of the whole batch
	free  []int // dimensions that are the number of rows
	make  func(shape ort.Shape, data []T) (ort.Value, error)
}

// maxValues bounds a buffer.
const maxValues = 1 << 28

// newBuffer makes the memory of a value for batch rows. The batch is the free
// dimension of that name or, where none has it, a free one that leads. Other
// free dimensions need a size.
func newBuffer(v onnx.Value, batch int, sizes map[string]int) (buffer, error) {
	if v.Shape == nil {
		return nil, fmt.Errorf("onnxruntime: %s has no declared shape, want one: export the model with shapes", v.Name)
	}
	shape, size := slices.Clone(v.Shape), 1
	var free []int
	for i, d := range shape {
		if d == onnx.Free {
			n, named := sizes[v.Axes[i]]
			switch {
			case named:
				shape[i] = n
			case v.Axes[i] == onnx.BatchAxis || i == 0 && !slices.Contains(v.Axes, onnx.BatchAxis):
				shape[i], free = batch, append(free, i)
			default:
				return nil, fmt.Errorf("onnxruntime: dimension %d of %s is free, want a fixed size beside the batch", i, v)
			}
		}
		if size *= shape[i]; size > maxValues {
			return nil, fmt.Errorf("onnxruntime: %s has too many values for %d rows, want at most %d", v, batch, maxValues)
		}
	}
	switch v.Type {
	case onnx.Float32:
		return newMemory[float32](shape, free, size, numbers), nil
	case onnx.Float64:
		return newMemory[float64](shape, free, size, numbers), nil
	case onnx.Int32:
		return newMemory[int32](shape, free, size, numbers), nil
	case onnx.Int64:
		return newMemory[int64](shape, free, size, numbers), nil
	case onnx.Bool:
		return newMemory[bool](shape, free, size, numbers), nil
	}
	return newMemory[string](shape, free, size, newTexts), nil
}

func newMemory[T Element](shape, free []int, size int, make_ func(ort.Shape, []T) (ort.Value, error)) *memory[T] {
	return &memory[T]{data: make([]T, size), shape: shape, free: free, make: make_}
}

func (m *memory[T]) tensor(rows int) (ort.Value, error) {
	shape := make(ort.Shape, len(m.shape))
	for i, d := range m.shape {
		shape[i] = int64(d)
		if slices.Contains(m.free, i) {
			shape[i] = int64(rows)
		}
	}
	return m.make(shape, m.data)
}

func (m *memory[T]) texts(rows int) []string {
	data, _ := any(m.data).([]string)
	size := 1
	for i, d := range m.shape {
		if slices.Contains(m.free, i) {
			d = rows
		}
		size *= d
	}
	return data[:min(size, len(data))]
}

// numbers is a tensor in data's own memory.
func numbers[T float32 | float64 | int32 | int64 | bool](shape ort.Shape, data []T) (ort.Value, error) {
	if len(shape) == 0 {
		return nil, fmt.Errorf("a single number, want a batch of rows")
	}
	return ort.NewTensor(shape, data)
}

// newTexts is a tensor of empty strings: the runtime keeps copies of its own.
func newTexts(shape ort.Shape, _ []string) (ort.Value, error) {
	if len(shape) == 0 {
		return nil, fmt.Errorf("a single text, want a batch of rows")
	}
	return ort.NewStringTensor(shape)
}
