package onnx

import (
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"moments/weights"
	"moments/weights/onnx/internal/onnxpb"
)

// Bounds of a model that Parse accepts.
const (
	MaxBytes   = 1 << 30 // of the file, and of all its tensors with those beside it
	maxIR      = 13      // what ONNX Runtime 1.24 reads
	maxDepth   = 8       // of graphs within graphs
	maxRank    = 16      // dimensions of a tensor
	maxDeclare = 1 << 28 // values that a node with constant arguments makes
)

// opsets are the operator sets that ONNX Runtime 1.24 knows, by domain, with
// the oldest and the newest version.
var opsets = map[string][2]int64{
	"":              {7, 25},
	"ai.onnx":       {7, 25},
	"ai.onnx.ml":    {1, 5},
	"com.microsoft": {1, 1},
}

// A Model is a parsed model: well-formed, complete in itself, and within
// bounds. Whether its operators fit together is for the runtime to say.
type Model struct {
	Inputs   []Value // without those that initialisers feed
	Outputs  []Value
	Metadata map[string]string
	Producer string // the program that wrote it, with its version

	proto *onnxpb.ModelProto
}

// Load reads and parses the model in a file. Tensors that the model keeps in
// files of its own folder are read into it; a path that leads out of the folder,
// by name or by a link, is an error.
func Load(path string) (*Model, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer root.Close()
	raw, err := weights.ReadFile(root, filepath.Base(path), MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	m, err := parse(raw, root)
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	return m, nil
}

// Parse parses a model that must be complete in itself.
func Parse(raw []byte) (*Model, error) {
	m, err := parse(raw, nil)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return m, nil
}

func parse(raw []byte, folder *os.Root) (*Model, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("file has %d bytes, want at most %d", len(raw), MaxBytes)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("not an ONNX model, or a truncated one: %w", err)
	}
	c := checker{folder: folder, left: MaxBytes}
	if err := c.model(m); err != nil {
		return nil, err
	}
	return describe(m)
}

// Bytes returns the model as a file that is complete in itself.
func (m *Model) Bytes() ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.proto)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("onnx: the model has %d bytes, want at most %d", len(raw), MaxBytes)
	}
	return raw, nil
}
