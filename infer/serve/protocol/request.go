package protocol

import (
	"fmt"
	"strconv"

	"moments/infer/registry"
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

// parseRequest reads the JSON of a request and the binary data after it. The
// tensors' data may be parts of binary. check looks at the tensors before any
// element is read, so that a shape that the model refuses costs nothing.
func parseRequest(text, binary []byte, check func([]registry.Tensor) error) (*request, error) {
	r := &request{}
	s := &scanner{text: text}
	var heads []tensorHead
	s.object(func(name string) {
		switch name {
		case "id":
			r.id = string(s.string())
		case "parameters":
			s.parameters("binary_data_output", func() { r.binary = s.bool() })
		case "inputs":
			s.array(func() { heads = append(heads, s.head()) })
		case "outputs":
			s.array(func() { r.outputs = append(r.outputs, s.output()) })
		default:
			s.skip()
		}
	})
	if err := s.end(); err != nil {
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

// refused are parameters that change what a request means and that this server
// does not know.
var refused = map[string]bool{"shared_memory_region": true, "classification": true}

// parameters takes an object of parameters, of which one is known.
func (s *scanner) parameters(known string, take func()) {
	s.object(func(name string) {
		switch {
		case name == known:
			take()
		case refused[name]:
			s.fail("parameter %s is not supported", name)
		default:
			s.skip()
		}
	})
}

// head takes an input and remembers where its elements are.
func (s *scanner) head() tensorHead {
	h := tensorHead{data: -1, size: -1}
	s.object(func(name string) {
		switch name {
		case "name":
			h.Name = string(s.string())
		case "datatype":
			h.Datatype = registry.Datatype(s.string())
		case "shape":
			h.shaped = true
			h.Shape = s.shape()
		case "parameters":
			s.parameters("binary_data_size", func() { h.size = int(s.whole()) })
		case "data":
			s.peek()
			h.data = s.at
			s.skip()
		default:
			s.skip()
		}
	})
	if s.err == nil && !h.shaped {
		s.fail("input %q has no shape", h.Name)
	}
	return h
}

// maxDimensions bounds a shape.
const maxDimensions = 8

func (s *scanner) shape() []int64 {
	shape := make([]int64, 0, 2)
	s.array(func() {
		if shape = append(shape, s.whole()); len(shape) > maxDimensions {
			s.fail("a shape of more than %d dimensions", maxDimensions)
		}
	})
	return shape
}

// whole takes a whole number of at least 0.
func (s *scanner) whole() int64 {
	text := s.number()
	n, err := strconv.ParseInt(string(text), 10, 64)
	if s.err == nil && (err != nil || n < 0) {
		s.fail("got %s, want a whole number of at least 0", text)
	}
	return n
}

func (s *scanner) output() requested {
	var o requested
	s.object(func(name string) {
		switch name {
		case "name":
			o.name = string(s.string())
		case "parameters":
			s.parameters("binary_data", func() { binary := s.bool(); o.binary = &binary })
		default:
			s.skip()
		}
	})
	return o
}

// checkNames demands inputs, and that nothing is named twice.
func (r *request) checkNames(heads []tensorHead) error {
	if len(heads) == 0 {
		return fmt.Errorf("the request has no inputs")
	}
	var inputs, outputs names
	for _, h := range heads {
		if !inputs.add(h.Name) {
			return fmt.Errorf("input %s stands twice in the request", h.Name)
		}
	}
	for _, o := range r.outputs {
		if !outputs.add(o.name) {
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
			err = in.readJSON(&scanner{text: text, at: h.data})
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

// readJSON reads elements, flat or nested as the shape says.
func (in *input) readJSON(s *scanner) error {
	elements, err := checkTensor(&in.Tensor)
	if err != nil {
		return err
	}
	// An element takes two bytes at least, whatever the shape promises.
	room := min(elements, (len(s.text)-s.at)/2+1) * max(sizes[in.Datatype], 4)
	in.Data = make([]byte, 0, room)
	if s.nested() {
		in.take(s, in.Shape)
	} else {
		in.take(s, []int64{int64(elements)})
	}
	if s.err != nil {
		return fmt.Errorf("input %s: %w", in.Name, s.err)
	}
	return nil
}

// nested says whether an array of arrays follows.
func (s *scanner) nested() bool {
	ahead := scanner{text: s.text, at: s.at}
	return ahead.expect('[', "an array") && ahead.peek() == '['
}

// take takes the elements of a shape.
func (in *input) take(s *scanner, shape []int64) {
	if len(shape) == 0 {
		in.element(s)
		return
	}
	n := int64(0)
	s.array(func() {
		if n++; n > shape[0] {
			s.fail("more than %d elements, want the shape %v", shape[0], in.Shape)
			return
		}
		in.take(s, shape[1:])
	})
	if s.err == nil && n < shape[0] {
		s.fail("%d elements, want %d for the shape %v", n, shape[0], in.Shape)
	}
}

func (in *input) element(s *scanner) {
	if s.peek() == 'n' && (in.Datatype == registry.Float32 || in.Datatype == registry.Float64) {
		s.word("null")
		in.nulls = true
		in.Data = appendMissing(in.Datatype, in.Data)
		return
	}
	in.Data = s.element(in.Datatype, in.Data)
}
