package onnxruntime

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"moments/infer"
	"moments/weights"
	"moments/weights/onnx"
)

// Opener opens foreign networks for a scorer. It loads the library, as Open
// does, when the first network asks for it.
func Opener(library string) infer.Opener {
	return func(b *weights.Bundle, n *weights.Network) (infer.Foreign, error) {
		mapping, err := n.Mapping()
		if err != nil {
			return nil, err
		}
		parsed, err := onnx.Parse(n.ONNX)
		if err != nil {
			return nil, err
		}
		r, err := Open(library)
		if err != nil {
			return nil, err
		}
		loaded, err := r.Load(parsed, Options{})
		if err != nil {
			return nil, err
		}
		return newForeign(b, mapping, loaded)
	}
}

// foreign is a model with its mapping, compiled.
type foreign struct {
	model   *Model
	fillers []filler
	targets []reader
	outputs []string // that the targets need
}

// A filler writes the first n rows of one input.
type filler func(s *Session, rows infer.Rows, n int) error

func newForeign(b *weights.Bundle, mapping *weights.Mapping, m *Model) (*foreign, error) {
	if err := mapping.Validate(b.Schema, b.Targets); err != nil {
		return nil, err
	}
	f := &foreign{model: m}
	for name := range mapping.Inputs {
		if !slices.Contains(names(m.Inputs), name) {
			return nil, fmt.Errorf("onnxruntime: the map has an input %q, the model has %q", name, names(m.Inputs))
		}
	}
	for _, v := range m.Inputs {
		in, ok := mapping.Inputs[v.Name]
		if !ok {
			return nil, fmt.Errorf("onnxruntime: the map has no input %q, which the model reads", v.Name)
		}
		fill, err := newFiller(b.Schema, v, in)
		if err != nil {
			return nil, fmt.Errorf("onnxruntime: input %s: %w", v.Name, err)
		}
		f.fillers = append(f.fillers, fill)
	}
	return f, f.addTargets(b.Targets, mapping)
}

func (f *foreign) addTargets(targets []string, mapping *weights.Mapping) error {
	outputs := map[string]bool{}
	for _, target := range targets {
		out := mapping.Outputs[target]
		at := slices.IndexFunc(f.model.Outputs, func(v onnx.Value) bool { return v.Name == out.Output })
		if at < 0 {
			return fmt.Errorf("onnxruntime: target %s: the model has no output %q of numbers, want one of %q", target, out.Output, names(f.model.Outputs))
		}
		r, err := newReader(target, f.model.Outputs[at], out)
		if err != nil {
			return fmt.Errorf("onnxruntime: target %s: %w", target, err)
		}
		f.targets, outputs[out.Output] = append(f.targets, r), true
	}
	f.outputs = slices.Sorted(maps.Keys(outputs))
	return nil
}

// NewSession returns a session for one goroutine.
func (f *foreign) NewSession(batch int) (infer.ForeignSession, error) {
	s, err := f.model.NewSession(batch, nil, f.outputs...)
	if err != nil {
		return nil, err
	}
	return &foreignSession{foreign: f, session: s, probabilities: make([]float32, batch*len(f.targets))}, nil
}

type foreignSession struct {
	*foreign
	session       *Session
	probabilities []float32 // (batch, targets)
}

// Run computes the probabilities of the first n rows.
func (s *foreignSession) Run(rows infer.Rows, n int) ([]float32, error) {
	if n == 0 {
		return nil, nil
	}
	for _, fill := range s.fillers {
		if err := fill(s.session, rows, n); err != nil {
			return nil, err
		}
	}
	if err := s.session.Run(n); err != nil {
		return nil, err
	}
	for t := range s.targets {
		if err := s.targets[t].read(s.session, s.probabilities[t:], len(s.targets), n); err != nil {
			return nil, err
		}
	}
	return s.probabilities[:n*len(s.targets)], nil
}

// A reader finds one target's probability in an output.
type reader struct {
	weights.MappedOutput
	target  string
	column  int
	columns int // of the output
	double  bool
}

func newReader(target string, v onnx.Value, out weights.MappedOutput) (reader, error) {
	r := reader{MappedOutput: out, target: target, column: out.Column, columns: 1, double: v.Type == onnx.Float64}
	if v.Type != onnx.Float32 && v.Type != onnx.Float64 {
		return r, fmt.Errorf("output %s holds no probabilities, want float or double: a label is none", v)
	}
	if len(v.Shape) == 0 || v.Shape[0] != onnx.Free {
		return r, fmt.Errorf("output %s has no free first dimension, want one row for each example: export the model with a dynamic batch", v)
	}
	for _, d := range v.Shape[1:] {
		r.columns *= d
	}
	if out.Class != "" {
		if r.column = slices.Index(v.Classes(), out.Class); r.column < 0 {
			return r, fmt.Errorf("output %s has the classes %q, want one of them, not %q", v.Name, v.Classes(), out.Class)
		}
	}
	if r.column >= r.columns {
		return r, fmt.Errorf("output %s has %d columns, want one from 0, not %d", v, r.columns, r.column)
	}
	return r, nil
}

// read writes the probabilities of n rows, stride apart.
func (r *reader) read(s *Session, to []float32, stride, n int) error {
	if r.double {
		return readFrom(r, Output[float64](s, r.Output), to, stride, n)
	}
	return readFrom(r, Output[float32](s, r.Output), to, stride, n)
}

func readFrom[T float32 | float64](r *reader, values []T, to []float32, stride, n int) error {
	for i := range n {
		p := probability(values[i*r.columns:(i+1)*r.columns], r.column, r.Values)
		if !(p >= -rounding && p <= 1+rounding) {
			return fmt.Errorf("onnxruntime: target %s: output %s gives %v in row %d, want a probability from 0 to 1: where the model gives logits, say values: logit", r.target, r.Output, p, i)
		}
		to[i*stride] = float32(min(max(p, 0), 1))
	}
	return nil
}

// rounding is how far a sum of float32 probabilities may stray beyond 1.
const rounding = 1e-5

// probability reads one column of an output's row.
func probability[T float32 | float64](row []T, column int, values weights.Values) float64 {
	x := float64(row[column])
	switch values {
	case weights.Logit:
		return 1 / (1 + math.Exp(-x))
	case weights.Softmax:
		sum := 0.0
		for _, y := range row {
			sum += math.Exp(float64(y) - x)
		}
		return 1 / sum
	}
	return x
}
