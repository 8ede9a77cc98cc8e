package protocol

import (
	"strconv"

	"moments/infer/registry"
	"moments/infer/serve/jsontext"
)

// A response answers an inference request.
type response struct {
	model, version string
	id             string
	outputs        []registry.Value
}

// appendJSON writes the response as JSON but for the data of outputs for which
// binary is true, which have to follow in their order.
func (r *response) appendJSON(text []byte, binary []bool) []byte {
	text = append(text, `{"model_name":`...)
	text = jsontext.AppendText(text, r.model)
	text = append(text, `,"model_version":`...)
	text = jsontext.AppendText(text, r.version)
	if r.id != "" {
		text = append(text, `,"id":`...)
		text = jsontext.AppendText(text, r.id)
	}
	text = append(text, `,"outputs":[`...)
	for i := range r.outputs {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendOutput(text, &r.outputs[i], binary[i])
	}
	return append(text, "]}"...)
}

func appendOutput(text []byte, v *registry.Value, binary bool) []byte {
	text = append(text, `{"name":`...)
	text = jsontext.AppendText(text, v.Name)
	text = append(text, `,"datatype":"`...)
	text = append(text, v.Datatype...)
	text = append(text, `","shape":`...)
	text = appendShape(text, v.Shape)
	if binary {
		text = append(text, `,"parameters":{"binary_data_size":`...)
		text = strconv.AppendInt(text, int64(len(v.Data)), 10)
		return append(text, "}}"...)
	}
	text = append(text, `,"data":[`...)
	for rest := v.Data; len(rest) > 0; {
		if len(rest) < len(v.Data) {
			text = append(text, ',')
		}
		text, rest = appendElement(text, v.Datatype, rest)
	}
	return append(text, "]}"...)
}

func appendShape(text []byte, shape []int64) []byte {
	text = append(text, '[')
	for i, d := range shape {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, d, 10)
	}
	return append(text, ']')
}
