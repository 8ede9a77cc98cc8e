package protocol

import (
	"fmt"
	"slices"
	"strings"

	"moments/features"
	"moments/infer"
	"moments/infer/registry"
)

// What a bundle takes: journeys, or rows of encoded examples as moments features
// writes them.
const (
	inputJourney    = "journey"    // BYTES (n): the JSON of one journey each
	inputFeatures   = "features"   // FP64 (n, numeric columns), in their own units
	inputCategories = "categories" // BYTES (n, categorical columns), their levels
)

// What a bundle with an anomaly network gives beside an FP32 (n) for each target.
const (
	outputAnomaly   = infer.AnomalyTarget // FP64 (n), the p-value
	outputScore     = "anomaly_score"     // FP32 (n)
	outputDirection = "anomaly_direction" // BYTES (n)
)

// What runs the models.
const (
	platformBundle = "moments_bundle"
	platformONNX   = "onnxruntime_onnx"
)

// A signature is what a model takes and gives.
type signature struct {
	inputs, outputs []registry.Tensor
	platform        string
	maxRows         int        // of a bundle
	numeric         int        // columns of inputFeatures; 0 where rows are not taken
	levels          [][]string // of inputCategories
	ids             []map[string]int32
}

// maxSignatures bounds the signatures that are kept.
const maxSignatures = 256

// signature finds or makes a model's.
func (s *Service) signature(m *registry.Model) *signature {
	key := [2]string{m.Name, m.Version}
	if sig, ok := s.signatures.Load(key); ok {
		return sig.(*signature)
	}
	if s.cached.Add(1) > maxSignatures {
		s.signatures.Clear()
		s.cached.Store(1)
	}
	sig, _ := s.signatures.LoadOrStore(key, newSignature(m, s.MaxRows))
	return sig.(*signature)
}

func newSignature(m *registry.Model, maxRows int) *signature {
	if m.Tensors != nil {
		return &signature{inputs: m.Tensors.Inputs(), outputs: m.Tensors.Outputs(), platform: platformONNX}
	}
	const free = registry.FreeDimension
	sig := &signature{platform: platformBundle, maxRows: maxRows}
	sig.inputs = []registry.Tensor{{Name: inputJourney, Datatype: registry.Bytes, Shape: []int64{free}}}
	if len(m.Bundle.Schema.Habits) == 0 || len(m.Bundle.Reference.Conformal) == 0 {
		sig.addRows(m.Bundle.Schema)
	}
	for _, target := range m.Bundle.Targets {
		sig.outputs = append(sig.outputs, registry.Tensor{Name: target, Datatype: registry.Float32, Shape: []int64{free}})
	}
	if len(m.Bundle.Reference.Conformal) > 0 {
		sig.outputs = append(sig.outputs,
			registry.Tensor{Name: outputAnomaly, Datatype: registry.Float64, Shape: []int64{free}},
			registry.Tensor{Name: outputScore, Datatype: registry.Float32, Shape: []int64{free}},
			registry.Tensor{Name: outputDirection, Datatype: registry.Bytes, Shape: []int64{free}})
	}
	return sig
}

// addRows adds the inputs of encoded rows, unless some network follows the
// events, which no row holds. Neither does one hold the habits by which
// anomalies of journeys are told.
func (sig *signature) addRows(schema *features.Schema) {
	if schema.TokenNormalizer != nil {
		return
	}
	for _, c := range schema.Columns() {
		if c.Kind == features.Numeric {
			sig.numeric++
		}
	}
	sig.levels = schema.Levels()
	for _, levels := range sig.levels {
		ids := map[string]int32{"": features.MissingID}
		for i, level := range levels {
			ids[level] = int32(features.FirstKnownID + i)
		}
		sig.ids = append(sig.ids, ids)
	}
	const free = registry.FreeDimension
	if sig.numeric > 0 {
		sig.inputs = append(sig.inputs, registry.Tensor{Name: inputFeatures, Datatype: registry.Float64, Shape: []int64{free, int64(sig.numeric)}})
	}
	if len(sig.levels) > 0 {
		sig.inputs = append(sig.inputs, registry.Tensor{Name: inputCategories, Datatype: registry.Bytes, Shape: []int64{free, int64(len(sig.levels))}})
	}
}

// check demands the inputs that the model takes, of the right datatypes and
// shapes.
func (sig *signature) check(tensors []registry.Tensor) error {
	for _, t := range tensors {
		at := slices.IndexFunc(sig.inputs, func(in registry.Tensor) bool { return in.Name == t.Name })
		if at < 0 {
			return fmt.Errorf("input %q is unknown, want %s", t.Name, list(sig.inputs))
		}
		if in := sig.inputs[at]; !sig.takes(&in, &t) {
			return fmt.Errorf("input %s is %s %v, want %s %v", t.Name, t.Datatype, t.Shape, in.Datatype, in.Shape)
		}
		if sig.platform == platformBundle && t.Shape[0] > int64(sig.maxRows) {
			return fmt.Errorf("input %s has %d rows, want at most %d in a request", t.Name, t.Shape[0], sig.maxRows)
		}
	}
	if sig.platform == platformBundle {
		return sig.checkChoice(tensors)
	}
	for _, in := range sig.inputs {
		if !slices.ContainsFunc(tensors, func(t registry.Tensor) bool { return t.Name == in.Name }) {
			return fmt.Errorf("input %s is missing, want %s", in.Name, list(sig.inputs))
		}
	}
	return nil
}

// checkChoice demands journeys alone, or all parts of rows.
func (sig *signature) checkChoice(tensors []registry.Tensor) error {
	if tensors[0].Name == inputJourney && len(tensors) == 1 {
		return nil
	}
	if slices.ContainsFunc(tensors, func(t registry.Tensor) bool { return t.Name == inputJourney }) {
		return fmt.Errorf("input %s stands beside rows, want it alone", inputJourney)
	}
	if len(tensors) != len(sig.inputs)-1 {
		return fmt.Errorf("rows have %d inputs, want all of %s", len(tensors), list(sig.inputs[1:]))
	}
	if len(tensors) == 2 && tensors[0].Shape[0] != tensors[1].Shape[0] {
		return fmt.Errorf("input %s has %d rows and %s %d, want as many", tensors[0].Name, tensors[0].Shape[0], tensors[1].Name, tensors[1].Shape[0])
	}
	return nil
}

// takes says whether t will do for an input. A text may stand in a row of its
// own, as clients that batch write it, and numbers of rows may be FP32. ONNX
// models take no tensor without elements.
func (sig *signature) takes(in, t *registry.Tensor) bool {
	shape := t.Shape
	if in.Name == inputJourney && len(shape) == 2 && shape[1] == 1 {
		shape = shape[:1]
	}
	single := in.Name == inputFeatures && t.Datatype == registry.Float32
	if t.Datatype != in.Datatype && !single || len(shape) != len(in.Shape) {
		return false
	}
	for i, d := range in.Shape {
		if d != registry.FreeDimension && d != shape[i] || shape[i] == 0 && sig.platform == platformONNX {
			return false
		}
	}
	return true
}

// wanted are the names of the outputs that a request asks for.
func (sig *signature) wanted(r *request) (names []string, err error) {
	if len(r.outputs) == 0 {
		for _, o := range sig.outputs {
			names = append(names, o.Name)
		}
		return names, nil
	}
	for _, o := range r.outputs {
		if !slices.ContainsFunc(sig.outputs, func(t registry.Tensor) bool { return t.Name == o.name }) {
			return nil, fmt.Errorf("output %q is unknown, want %s", o.name, list(sig.outputs))
		}
		names = append(names, o.name)
	}
	return names, nil
}

// list names tensors for an error.
func list(tensors []registry.Tensor) string {
	var names []string
	for _, t := range tensors {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}
