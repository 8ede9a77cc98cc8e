// Package onnx writes networks in the Open Neural Network Exchange format
// (opset 17, IR version 8), and reads models of others with suspicion.
//
// [Export] writes every network of a bundle. Inputs are what the schema yields
// after normalisation, by name; outputs are the calibrated probabilities or the
// reconstruction; the batch is free. Parameters keep their names, so that an
// initialiser is found in the bundle again. The file says in its metadata which
// schema it needs and what each input column is; see [Export].
//
// [Parse] reads a model for ONNX Runtime, which may fall over a hostile file:
// it bounds sizes, follows no path out of the model's folder, and refuses what
// the runtime does not know. It does not run models: package
// infer/onnxruntime does.
package onnx

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"moments/model"
	"moments/weights/onnx/internal/onnxpb"
)

// What is written. ONNX Runtime 1.12 and later, of 2022, read it.
const (
	Opset     = 17
	IRVersion = 8
)

// Names of the free dimensions of inputs and outputs: (batch, width), or of
// events (time, batch, width), padded at the end of each journey.
const (
	BatchAxis = "batch"
	TimeAxis  = "time"
)

// InputLengths is the int32 input (batch) of networks that read events: the
// number of events of each journey. Input model.InputRow, which selects one event
// of each journey, counts them from 0: the last is lengths-1, -1 is none. Tensors
// of events have one step at least.
const InputLengths = "lengths"

// An Options says what Encode writes beside the network.
type Options struct {
	Name     string            // of the graph
	Version  string            // of the program that writes; may be empty
	Doc      string            // for people
	Inputs   map[string]string // a description for people of each input; may lack some
	Metadata map[string]string // for programs
	Outputs  []string          // names of the outputs to write; nil for all
}

// Encode writes a network as an ONNX model. params must be exactly those that
// the graph declares. Equal arguments give equal bytes.
func Encode(g *model.Graph, params map[string][]float32, o Options) ([]byte, error) {
	outputs := o.Outputs
	if outputs == nil {
		outputs = slices.Sorted(maps.Keys(g.Outputs))
	}
	w := newWriter(o)
	if err := w.write(g, params, outputs); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(w.model())
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return raw, nil
}

// model wraps the graph up.
func (w *writer) model() *onnxpb.ModelProto {
	m := &onnxpb.ModelProto{
		IrVersion:    proto.Int64(IRVersion),
		ProducerName: proto.String("moments"),
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(Opset)}},
		Graph:        w.graph,
	}
	if w.options.Version != "" {
		m.ProducerVersion = proto.String(w.options.Version)
	}
	if w.options.Doc != "" {
		m.DocString = proto.String(w.options.Doc)
	}
	for _, key := range slices.Sorted(maps.Keys(w.options.Metadata)) {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(w.options.Metadata[key])})
	}
	return m
}
