package registry

import "context"

// A Datatype names the type of a tensor's elements as the Open Inference
// Protocol does: BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64, BYTES.
type Datatype string

// The datatypes that models here have.
const (
	Bool    Datatype = "BOOL"
	Int32   Datatype = "INT32"
	Int64   Datatype = "INT64"
	Float32 Datatype = "FP32"
	Float64 Datatype = "FP64"
	Bytes   Datatype = "BYTES" // texts, or bytes of any kind
)

// FreeDimension in a shape is one of which every size will do.
const FreeDimension = -1

// A Tensor describes an input or an output of a model.
type Tensor struct {
	Name     string
	Datatype Datatype
	Shape    []int64 // FreeDimension where any size will do
}

// A Value is a tensor with its elements.
type Value struct {
	Tensor // of a shape without free dimensions

	// Data are the elements, row-major and little-endian, as the protocol's binary
	// form has them: BOOL one byte each, BYTES a uint32 length and so many bytes
	// each.
	Data []byte
}

// A TensorModel computes tensors from tensors: a bare ONNX model. Goroutines
// share it. One that is an io.Closer is closed when nobody uses it any more.
type TensorModel interface {
	Inputs() []Tensor
	Outputs() []Tensor

	// Run computes the named outputs, all without any. in holds every input once,
	// in any order; one that is missing, unknown or of another datatype, shape or
	// length is an error that names it.
	Run(ctx context.Context, in []Value, outputs ...string) ([]Value, error)
}
