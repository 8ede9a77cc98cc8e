package onnx

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"moments/weights/onnx/internal/onnxpb"
)

// undoMaps makes outputs that are maps from class to probability the matrix
// that the maps were made of: scikit-learn's and LightGBM's exporters end with
// a ZipMap, which only slows a server down. It returns the classes of those
// outputs, in the order of the matrix's columns, and keeps them in the model's
// metadata for when it is read again.
func undoMaps(m *onnxpb.ModelProto) (map[string][]string, error) {
	classes := map[string][]string{}
	for _, entry := range m.MetadataProps {
		if entry.GetKey() == metadataClasses {
			if err := json.Unmarshal([]byte(entry.GetValue()), &classes); err != nil {
				return nil, fmt.Errorf("metadata %s: %w", metadataClasses, err)
			}
		}
	}
	known := len(classes)
	if err := replaceMaps(m.Graph, classes); err != nil || len(classes) == known {
		return classes, err
	}
	text, err := json.Marshal(classes)
	m.MetadataProps = slices.DeleteFunc(m.MetadataProps, func(e *onnxpb.StringStringEntryProto) bool { return e.GetKey() == metadataClasses })
	m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(metadataClasses), Value: proto.String(string(text))})
	return classes, err
}

// metadataClasses is the key of the classes of outputs that were maps.
const metadataClasses = "moments.classes"

func replaceMaps(g *onnxpb.GraphProto, classes map[string][]string) error {
	for i, n := range slices.Backward(g.Node) {
		if n.GetOpType() != "ZipMap" || n.GetDomain() != "ai.onnx.ml" {
			continue
		}
		at := -1
		if len(n.Input) == 1 && len(n.Output) == 1 {
			at = slices.IndexFunc(g.Output, func(o *onnxpb.ValueInfoProto) bool { return o.GetName() == n.Output[0] })
		}
		if at < 0 {
			return fmt.Errorf("node %q: a ZipMap that is not the model's last step", n.GetName())
		}
		names := zipMapClasses(n)
		if len(names) == 0 {
			return fmt.Errorf("node %q: a ZipMap without classes", n.GetName())
		}
		// The matrix takes the map's place and name.
		classes[n.Output[0]] = names
		g.Node[i] = &onnxpb.NodeProto{Name: n.Name, OpType: proto.String("Identity"), Input: n.Input, Output: n.Output}
		g.Output[at] = matrix(n.Output[0], len(names))
	}
	return nil
}

func zipMapClasses(n *onnxpb.NodeProto) []string {
	var names []string
	for _, a := range n.Attribute {
		switch a.GetName() {
		case "classlabels_strings":
			for _, s := range a.Strings {
				names = append(names, string(s))
			}
		case "classlabels_int64s":
			for _, i := range a.Ints {
				names = append(names, strconv.FormatInt(i, 10))
			}
		}
	}
	return names
}

// matrix describes a float32 output of free length.
func matrix(name string, columns int) *onnxpb.ValueInfoProto {
	return valueInfo(name, Float32, []int{Free, columns}, "")
}
