package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"moments/infer/registry"
)

// anything is a check that every model passes.
func anything([]registry.Tensor) error { return nil }

// TestParseRequest reads the forms in which clients write the same tensor.
func TestParseRequest(t *testing.T) {
	two := []byte{0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64} // 1, 2, 3, 4 as FP32
	tests := map[string]struct{ text, binary string }{
		"flat":            {`{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2.0,3e0,4]}]}`, ""},
		"nested":          {`{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}]}`, ""},
		"data first":      {`{"inputs":[{"data":[[1,2],[3,4]],"datatype":"FP32","shape":[2,2],"name":"x"}]}`, ""},
		"unknown members": {`{"inputs":[{"name":"x","note":{"a":[1,{}]},"shape":[2,2],"datatype":"FP32","data":[1,2,3,4]}],"zzz":null}`, ""},
		"binary":          {`{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}]}`, string(two)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := parseRequest([]byte(tt.text), []byte(tt.binary), anything)
			if err != nil {
				t.Fatal(err)
			}
			if in := r.inputs[0]; in.Name != "x" || in.Datatype != registry.Float32 || !slices.Equal(in.Shape, []int64{2, 2}) || !bytes.Equal(in.Data, two) {
				t.Errorf("got %+v", in)
			}
		})
	}
}

// TestParseParameters reads what is not tensors.
func TestParseParameters(t *testing.T) {
	r, err := parseRequest([]byte(`{"id":"a\u00e9\ud83d\ude00","parameters":{"binary_data_output":true,"priority":1},
		"inputs":[{"name":"x","shape":[],"datatype":"BOOL","data":[true]}],
		"outputs":[{"name":"p","parameters":{"binary_data":false}},{"name":"q"}]}`), nil, anything)
	if err != nil {
		t.Fatal(err)
	}
	if r.id != "aé😀" || !r.binary || len(r.outputs) != 2 || *r.outputs[0].binary || r.outputs[1].binary != nil {
		t.Errorf("got %+v", r)
	}
}

// TestRefusedRequests names what is wrong.
func TestRefusedRequests(t *testing.T) {
	tensor := func(rest string) string { return `{"inputs":[{"name":"x",` + rest + `}]}` }
	deep := strings.Repeat("[", 1_000_000)
	tests := map[string]struct{ text, binary, want string }{
		"empty":               {``, "", "got the end of the text, want an object"},
		"array":               {`[]`, "", "want an object"},
		"no inputs":           {`{"inputs":[]}`, "", "no inputs"},
		"text after":          {`{"inputs":[]} x`, "", "got 'x' after the value"},
		"duplicate key":       {`{"id":"a","id":"b","inputs":[]}`, "", `"id" stands twice`},
		"escaped duplicate":   {`{"id":"a","\u0069d":"b","inputs":[]}`, "", `"id" stands twice`},
		"duplicate input":     {`{"inputs":[{"name":"x","shape":[1]},{"name":"x","shape":[1]}]}`, "", "input x stands twice"},
		"duplicate output":    {`{"inputs":[{"name":"x","shape":[1]}],"outputs":[{"name":"p"},{"name":"p"}]}`, "", "output p stands twice"},
		"no shape":            {tensor(`"datatype":"FP32","data":[1]`), "", `input "x" has no shape`},
		"no data":             {tensor(`"datatype":"FP32","shape":[1]`), "", "both or neither"},
		"both data":           {tensor(`"datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4}`), "1234", "both or neither"},
		"datatype":            {tensor(`"datatype":"FLOAT","shape":[1],"data":[1]`), "", `datatype "FLOAT"`},
		"half in JSON":        {tensor(`"datatype":"FP16","shape":[1],"data":[1]`), "", "FP16 in JSON, want binary data"},
		"negative size":       {tensor(`"datatype":"FP32","shape":[-1],"data":[1]`), "", "whole number of at least 0"},
		"huge shape":          {tensor(`"datatype":"FP32","shape":[4294967296,4294967296],"data":[1]`), "", "at most 67108864 elements"},
		"large shape":         {tensor(`"datatype":"FP32","shape":[67108864],"data":[1]`), "", "1 elements, want 67108864"},
		"overflowing size":    {tensor(`"datatype":"FP32","shape":[99999999999999999999],"data":[1]`), "", "whole number"},
		"fraction of a size":  {tensor(`"datatype":"FP32","shape":[1.5],"data":[1]`), "", "whole number"},
		"many dimensions":     {tensor(`"datatype":"FP32","shape":[1,1,1,1,1,1,1,1,1],"data":[1]`), "", "more than 8 dimensions"},
		"too few":             {tensor(`"datatype":"FP32","shape":[3],"data":[1,2]`), "", "2 elements, want 3"},
		"too many":            {tensor(`"datatype":"FP32","shape":[1],"data":[1,2]`), "", "more than 1 elements"},
		"ragged":              {tensor(`"datatype":"FP32","shape":[2,2],"data":[[1,2,3],[4]]`), "", "more than 2 elements"},
		"deeper than shape":   {tensor(`"datatype":"FP32","shape":[2],"data":[[1,2]]`), "", "want a number"},
		"half nested":         {tensor(`"datatype":"FP32","shape":[2,1],"data":[[1],2]`), "", "want an array"},
		"NaN":                 {tensor(`"datatype":"FP32","shape":[1],"data":[NaN]`), "", "got NaN, which is not JSON"},
		"infinity":            {tensor(`"datatype":"FP64","shape":[1],"data":[-Infinity]`), "", "got Infinity, which is not JSON"},
		"beyond FP32":         {tensor(`"datatype":"FP32","shape":[1],"data":[1e39]`), "", "beyond what FP32 holds"},
		"beyond INT8":         {tensor(`"datatype":"INT8","shape":[1],"data":[128]`), "", "beyond what INT8 holds"},
		"negative UINT64":     {tensor(`"datatype":"UINT64","shape":[1],"data":[-1]`), "", "no whole number"},
		"fraction":            {tensor(`"datatype":"INT64","shape":[1],"data":[1.0]`), "", "no whole number"},
		"null of a text":      {tensor(`"datatype":"BYTES","shape":[1],"data":[null]`), "", "want a text"},
		"leading zero":        {tensor(`"datatype":"INT64","shape":[1],"data":[01]`), "", "a leading zero"},
		"number for a bool":   {tensor(`"datatype":"BOOL","shape":[1],"data":[1]`), "", "want true or false"},
		"depth":               {deep, "", "want an object"},
		"depth of data":       {tensor(`"datatype":"FP32","shape":[1],"data":` + deep), "", "nested deeper than 100"},
		"depth of unknown":    {`{"x":` + deep, "", "nested deeper than 100"},
		"half a pair":         {`{"id":"\ud800","inputs":[]}`, "", "half a surrogate pair"},
		"no UTF-8":            {"{\"id\":\"\xff\",\"inputs\":[]}", "", "not valid UTF-8"},
		"control character":   {"{\"id\":\"\n\",\"inputs\":[]}", "", "control character"},
		"classification":      {`{"inputs":[{"name":"x","shape":[1]}],"outputs":[{"name":"p","parameters":{"classification":2}}]}`, "", "classification is not supported"},
		"shared memory":       {tensor(`"parameters":{"shared_memory_region":"a"}`), "", "shared_memory_region is not supported"},
		"short binary":        {tensor(`"datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}`), "123", "binary_data_size 4, want at most the 3 bytes"},
		"binary of shape":     {tensor(`"datatype":"FP32","shape":[2],"parameters":{"binary_data_size":4}`), "1234", "has 4 bytes, want 8"},
		"binary left over":    {tensor(`"datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}`), "12345", "1 bytes after"},
		"byte for a bool":     {tensor(`"datatype":"BOOL","shape":[1],"parameters":{"binary_data_size":1}`), "\x02", "want 0 or 1"},
		"short text":          {tensor(`"datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}`), "\x02\x00\x00\x00a", "ends within element 0"},
		"long text":           {tensor(`"datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}`), "\x01\x00\x00\x00ab", "1 bytes after"},
		"length beyond int32": {tensor(`"datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}`), "\xff\xff\xff\xffa", "ends within element 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseRequest([]byte(tt.text), []byte(tt.binary), anything)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestCheckComesFirst demands that the model sees the shapes before elements
// are read.
func TestCheckComesFirst(t *testing.T) {
	no := errors.New("no")
	_, err := parseRequest([]byte(`{"inputs":[{"name":"x","shape":[9],"datatype":"FP32","data":["wrong"]}]}`), nil, func(tensors []registry.Tensor) error {
		if tensors[0].Name != "x" || tensors[0].Shape[0] != 9 {
			t.Errorf("got %+v", tensors)
		}
		return no
	})
	if err != no {
		t.Errorf("got error %v, want the check's", err)
	}
}

// TestElements writes elements of every datatype and reads them back.
func TestElements(t *testing.T) {
	tests := map[registry.Datatype]string{
		registry.Bool: "true,false", uint8Type: "0,255", uint16Type: "65535", uint32Type: "4294967295", uint64Type: "18446744073709551615",
		int8Type: "-128,127", int16Type: "-32768", registry.Int32: "-2147483648", registry.Int64: "-9223372036854775808,9223372036854775807",
		registry.Float32: "0,-1.5,3.4028235e+38,1e-45,0.1,null,16777216", registry.Float64: "0.1,5e-324,1e-7,1e+21,123456789,null",
		registry.Bytes: `"","a\"\\\u0001é"`,
	}
	for datatype, text := range tests {
		elements := "[" + text + "]"
		n := len(mustUnmarshal(t, elements))
		in := input{Value: registry.Value{Tensor: registry.Tensor{Datatype: datatype, Shape: []int64{int64(n)}}}}
		if err := in.readJSON([]byte(elements), 0); err != nil {
			t.Errorf("%s: %v", datatype, err)
			continue
		}
		if err := checkData(&in.Value); err != nil {
			t.Errorf("%s: %v", datatype, err)
		}
		v := in.Value
		if got := string(appendOutput(nil, &v, false)); !strings.Contains(got, `"data":`+elements+"}") {
			t.Errorf("%s: got %s, want %s", datatype, got, elements)
		}
	}
}

func mustUnmarshal(t *testing.T, text string) []any {
	t.Helper()
	var values []any
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}
