package protocol

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"moments/infer/registry"
	"moments/infer/serve/jsontext"
)

// A request is an inference request, however it came.
type request struct {
	id      string
	inputs  []input
	outputs []requested // none for all
	binary  bool        // answer outputs as binary data that do not say otherwise
}

// An input is a tensor of a request.
type input struct {
	registry.Value
	nulls bool // some elements were null, and are NaN in Data
}

// A requested output. binary is nil where the request decides.
type requested struct {
	name   string
	binary *bool
}

// A tensorHead is what JSON says of an input before its elements are read.
type tensorHead struct {
	registry.Tensor
	data   int // where the elements are in the JSON; -1 for nowhere
	size   int // of the binary data; -1 for none
	shaped bool
}

// A scanner reads the JSON of requests.
type scanner struct{ jsontext.Scanner }

// newScanner reads a text where it is: what it returns are parts of it, to be
// cloned where they are kept, for a body's memory is used again.
func newScanner(text []byte) *scanner {
	return &scanner{*jsontext.New(unsafe.String(unsafe.SliceData(text), len(text)))}
}

// kept takes a text that is kept.
func (s *scanner) kept() string { return strings.Clone(s.Text()) }

// parseRequest reads the JSON of a request and the binary data after it. The
// tensors' data may be parts of binary. check looks at the tensors before any
// element is read, so that a shape that the model refuses costs nothing.
func parseRequest(text, binary []byte, check func([]registry.Tensor) error) (*request, error) {
	s, r := newScanner(text), &request{}
	heads := s.request(r)
	if err := s.End(); err != nil {
		return nil, err
	}
	if err := r.checkNames(heads); err != nil {
		return nil, err
	}
	tensors := make([]registry.Tensor, len(heads))
	for i := range heads {
		tensors[i] = heads[i].Tensor
	}
	if err := check(tensors); err != nil {
		return nil, err
	}
	return r, r.readInputs(text, binary, heads)
}

// request takes all but the elements of the inputs.
func (s *scanner) request(r *request) (heads []tensorHead) {
	for name := range s.Members() {
		switch name {
		case "id":
			r.id = s.kept()
		case "parameters":
			s.parameters("binary_data_output", func() { r.binary = s.Bool() })
		case "inputs":
			for range s.Elements() {
				heads = append(heads, s.head())
			}
		case "outputs":
			for range s.Elements() {
				r.outputs = append(r.outputs, s.output())
			}
		default:
			s.Skip()
		}
	}
	return heads
}

// refused are parameters that change what a request means and that this server
// does not know.
var refused = map[string]bool{"shared_memory_region": true, "classification": true}

// parameters takes an object of parameters, of which one is known.
func (s *scanner) parameters(known string, take func()) {
	for name := range s.Members() {
		switch {
		case name == known:
			take()
		case refused[name]:
			s.Failf("parameter %s is not supported", name)
		default:
			s.Skip()
		}
	}
}

// head takes an input and remembers where its elements are, which readInputs
// reads strictly.
func (s *scanner) head() tensorHead {
	h := tensorHead{data: -1, size: -1}
	for name := range s.Members() {
		switch name {
		case "name":
			h.Name = s.kept()
		case "datatype":
			h.Datatype = registry.Datatype(s.kept())
		case "shape":
			h.shaped = true
			h.Shape = s.shape()
		case "parameters":
			s.parameters("binary_data_size", func() { h.size = int(s.whole()) })
		case "data":
			h.data = s.Offset()
			s.Pass()
		default:
			s.Skip()
		}
	}
	if !h.shaped {
		s.Failf("input %q has no shape", h.Name)
	}
	return h
}

// maxDimensions bounds a shape.
const maxDimensions = 8

func (s *scanner) shape() []int64 {
	shape := make([]int64, 0, 2)
	for range s.Elements() {
		if shape = append(shape, s.whole()); len(shape) > maxDimensions {
			s.Failf("a shape of more than %d dimensions", maxDimensions)
		}
	}
	return shape
}

// whole takes a whole number of at least 0.
func (s *scanner) whole() int64 {
	text := s.Number()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		s.Failf("got %s, want a whole number of at least 0", text)
	}
	return n
}

func (s *scanner) output() requested {
	var o requested
	for name := range s.Members() {
		switch name {
		case "name":
			o.name = s.kept()
		case "parameters":
			s.parameters("binary_data", func() { binary := s.Bool(); o.binary = &binary })
		default:
			s.Skip()
		}
	}
	return o
}

// checkNames demands inputs, and that nothing is named twice.
func (r *request) checkNames(heads []tensorHead) error {
	if len(heads) == 0 {
		return fmt.Errorf("the request has no inputs")
	}
	var inputs, outputs jsontext.Names
	for _, h := range heads {
		if !inputs.Add(h.Name) {
			return fmt.Errorf("input %s stands twice in the request", h.Name)
		}
	}
	for _, o := range r.outputs {
		if !outputs.Add(o.name) {
			return fmt.Errorf("output %s stands twice in the request", o.name)
		}
	}
	return nil
}

// readInputs reads the elements of the inputs, from the JSON or, in the inputs'
// order, from the binary data.
func (r *request) readInputs(text, binary []byte, heads []tensorHead) error {
	r.inputs = make([]input, len(heads))
	for i, h := range heads {
		in := &r.inputs[i]
		in.Tensor = h.Tensor
		var err error
		switch {
		case (h.data >= 0) == (h.size >= 0):
			err = fmt.Errorf("input %s has data and binary_data_size both or neither, want one of them", h.Name)
		case h.data >= 0:
			err = in.readJSON(text, h.data)
		case h.size > len(binary):
			err = fmt.Errorf("input %s has binary_data_size %d, want at most the %d bytes that are left of the body", h.Name, h.size, len(binary))
		default:
			in.Data, binary = binary[:h.size:h.size], binary[h.size:]
			err = checkData(&in.Value)
		}
		if err != nil {
			return err
		}
	}
	if len(binary) > 0 {
		return fmt.Errorf("the body has %d bytes after the inputs' binary data", len(binary))
	}
	return nil
}

// readJSON reads elements, flat or nested as the shape says, from a place of the
// text.
func (in *input) readJSON(text []byte, at int) error {
	elements, err := checkTensor(&in.Tensor)
	if err != nil {
		return err
	}
	s := newScanner(text)
	s.Seek(at)
	// An element takes two bytes at least, whatever the shape promises.
	room := min(elements, (len(text)-at)/2+1) * max(sizes[in.Datatype], 4)
	in.Data = make([]byte, 0, room)
	if s.nested() {
		in.take(s, in.Shape)
	} else {
		in.take(s, []int64{int64(elements)})
	}
	if s.Err() != nil {
		return fmt.Errorf("input %s: %w", in.Name, s.Err())
	}
	return nil
}

// nested says whether an array of arrays follows.
func (s *scanner) nested() bool {
	ahead := *s
	for range ahead.Elements() {
		return ahead.Next() == '['
	}
	return false
}

// take takes the elements of a shape.
func (in *input) take(s *scanner, shape []int64) {
	if len(shape) == 0 {
		in.element(s)
		return
	}
	n := int64(0)
	for range s.Elements() {
		if n++; n > shape[0] {
			s.Failf("more than %d elements, want the shape %v", shape[0], in.Shape)
			return
		}
		in.take(s, shape[1:])
	}
	if n < shape[0] {
		s.Failf("%d elements, want %d for the shape %v", n, shape[0], in.Shape)
	}
}

func (in *input) element(s *scanner) {
	if (in.Datatype == registry.Float32 || in.Datatype == registry.Float64) && s.Null() {
		in.nulls = true
		in.Data = appendMissing(in.Datatype, in.Data)
		return
	}
	in.Data = s.element(in.Datatype, in.Data)
}
