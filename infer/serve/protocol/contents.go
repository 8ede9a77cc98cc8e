package protocol

import (
	"encoding/binary"
	"fmt"
	"math"

	"moments/infer/registry"
	"moments/infer/serve/protocol/internal/oip"
)

// requestOf reads the message of a request. The tensors' data may be parts of
// it.
func requestOf(in *oip.ModelInferRequest, check func([]registry.Tensor) error) (*request, error) {
	r := &request{id: in.Id, binary: len(in.RawInputContents) > 0}
	heads, tensors := make([]tensorHead, len(in.Inputs)), make([]registry.Tensor, len(in.Inputs))
	for i, t := range in.Inputs {
		if len(t.Shape) > maxDimensions {
			return nil, fmt.Errorf("protocol: input %s has a shape of more than %d dimensions", t.Name, maxDimensions)
		}
		tensors[i] = registry.Tensor{Name: t.Name, Datatype: registry.Datatype(t.Datatype), Shape: t.Shape}
		heads[i].Tensor = tensors[i]
		if err := refuse(t.Parameters); err != nil {
			return nil, err
		}
	}
	for _, o := range in.Outputs {
		r.outputs = append(r.outputs, requested{name: o.Name})
		if err := refuse(o.Parameters); err != nil {
			return nil, err
		}
	}
	err := r.checkNames(heads)
	if err == nil && r.binary && len(in.RawInputContents) != len(in.Inputs) {
		err = fmt.Errorf("raw contents of %d tensors for %d inputs", len(in.RawInputContents), len(in.Inputs))
	}
	if err == nil {
		err = check(tensors)
	}
	if err == nil {
		err = r.readMessage(in, tensors)
	}
	if err != nil {
		return nil, fmt.Errorf("protocol: %w", err)
	}
	return r, nil
}

// refuse refuses parameters that change what a request means.
func refuse(parameters map[string]*oip.InferParameter) error {
	for name := range parameters {
		if refused[name] {
			return fmt.Errorf("protocol: parameter %s is not supported", name)
		}
	}
	return nil
}

func (r *request) readMessage(in *oip.ModelInferRequest, tensors []registry.Tensor) error {
	r.inputs = make([]input, len(tensors))
	for i, t := range in.Inputs {
		v := &r.inputs[i].Value
		v.Tensor = tensors[i]
		switch {
		case r.binary && t.Contents != nil:
			return fmt.Errorf("input %s has contents beside raw contents", t.Name)
		case r.binary:
			v.Data = in.RawInputContents[i]
		default:
			var err error
			if v.Data, err = dataOf(t.Contents, v.Datatype); err != nil {
				return fmt.Errorf("input %s: %w", t.Name, err)
			}
		}
		if err := checkData(v); err != nil {
			return err
		}
	}
	return nil
}

// dataOf are the elements of contents of a datatype.
func dataOf(c *oip.InferTensorContents, datatype registry.Datatype) (data []byte, err error) {
	little := binary.LittleEndian
	switch datatype {
	case registry.Bool:
		for _, x := range c.GetBoolContents() {
			data = append(data, bit(x))
		}
	case registry.Int64:
		for _, x := range c.GetInt64Contents() {
			data = little.AppendUint64(data, uint64(x))
		}
	case uint64Type:
		for _, x := range c.GetUint64Contents() {
			data = little.AppendUint64(data, x)
		}
	case registry.Float32:
		for _, x := range c.GetFp32Contents() {
			data = little.AppendUint32(data, math.Float32bits(x))
		}
	case registry.Float64:
		for _, x := range c.GetFp64Contents() {
			data = little.AppendUint64(data, math.Float64bits(x))
		}
	case registry.Bytes:
		for _, x := range c.GetBytesContents() {
			data = appendText(data, x)
		}
	case float16Type, bfloat16Type:
		return nil, fmt.Errorf("%s in contents, want raw contents", datatype)
	default:
		return narrow(c, datatype)
	}
	return data, nil
}

func bit(x bool) byte {
	if x {
		return 1
	}
	return 0
}

// narrow reads whole numbers that travel in wider ones.
func narrow(c *oip.InferTensorContents, datatype registry.Datatype) (data []byte, err error) {
	size := sizes[datatype]
	put := func(x int64, fits bool) {
		if !fits && err == nil {
			err = fmt.Errorf("%d is beyond what %s holds", x, datatype)
		}
		for i := range size {
			data = append(data, byte(x>>(8*i)))
		}
	}
	bits := 8 * size
	if datatype[0] == 'U' {
		for _, x := range c.GetUintContents() {
			put(int64(x), uint64(x) < 1<<bits)
		}
		return data, err
	}
	for _, x := range c.GetIntContents() {
		put(int64(x), -1<<(bits-1) <= int64(x) && int64(x) < 1<<(bits-1))
	}
	return data, err
}

// message is the response as a message, with raw contents or not.
func (a *response) message(raw bool) *oip.ModelInferResponse {
	m := &oip.ModelInferResponse{ModelName: a.model, ModelVersion: a.version, Id: a.id}
	for i := range a.outputs { // those of 16 bits have no contents but raw ones
		raw = raw || a.outputs[i].Datatype == float16Type || a.outputs[i].Datatype == bfloat16Type
	}
	for i := range a.outputs {
		v := &a.outputs[i]
		out := &oip.ModelInferResponse_InferOutputTensor{Name: v.Name, Datatype: string(v.Datatype), Shape: v.Shape}
		if raw {
			m.RawOutputContents = append(m.RawOutputContents, v.Data)
		} else {
			out.Contents = contentsOf(v)
		}
		m.Outputs = append(m.Outputs, out)
	}
	return m
}

// contentsOf are the elements of a value in the field of its datatype.
func contentsOf(v *registry.Value) *oip.InferTensorContents {
	c, little := &oip.InferTensorContents{}, binary.LittleEndian
	size := sizes[v.Datatype]
	for rest := v.Data; len(rest) > 0; {
		if v.Datatype == registry.Bytes {
			var text []byte
			text, rest, _ = cutText(rest)
			c.BytesContents = append(c.BytesContents, text)
			continue
		}
		switch v.Datatype {
		case registry.Bool:
			c.BoolContents = append(c.BoolContents, rest[0] != 0)
		case registry.Float32:
			c.Fp32Contents = append(c.Fp32Contents, math.Float32frombits(little.Uint32(rest)))
		case registry.Float64:
			c.Fp64Contents = append(c.Fp64Contents, math.Float64frombits(little.Uint64(rest)))
		case uint64Type:
			c.Uint64Contents = append(c.Uint64Contents, little.Uint64(rest))
		case registry.Int64:
			c.Int64Contents = append(c.Int64Contents, int64(little.Uint64(rest)))
		case uint8Type, uint16Type, uint32Type:
			c.UintContents = append(c.UintContents, uint32(whole(rest, v.Datatype)))
		default:
			c.IntContents = append(c.IntContents, int32(whole(rest, v.Datatype)))
		}
		rest = rest[size:]
	}
	return c
}
