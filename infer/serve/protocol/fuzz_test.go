package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strconv"
	"testing"
	"unicode/utf8"

	"moments/infer/registry"
)

// FuzzParseRequest demands of what is taken that it is sound, and that writing
// it as binary data and as JSON and reading it again gives the same.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"id":"1","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,null]]}]}`), []byte{})
	f.Add([]byte(`{"parameters":{"binary_data_output":true},"inputs":[{"name":"x","shape":[1],"datatype":"FP16","parameters":{"binary_data_size":2}}],"outputs":[{"name":"p","parameters":{"binary_data":true}}]}`), []byte{1, 2})
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[2],"datatype":"BYTES","data":["a","é"]}]}`), []byte{})
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}]}`), []byte("\x01\x00\x00\x00a"))
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[2],"datatype":"INT8","data":[-128,127]},{"name":"y","shape":[0,3],"datatype":"BOOL","data":[]}]}`), []byte{})
	f.Fuzz(func(t *testing.T, text, binary []byte) {
		r, err := parseRequest(text, binary, anything)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is taken but is not JSON", text)
		}
		var values []registry.Value
		for _, in := range r.inputs {
			if err := checkData(&in.Value); err != nil {
				t.Fatalf("%q is taken: %v", text, err)
			}
			values = append(values, in.Value)
		}
		again(t, values, true)
		again(t, values, false)
	})
}

// again writes values, as an output is written, and reads them as inputs.
func again(t *testing.T, values []registry.Value, binary bool) {
	text, data := []byte(`{"inputs":[`), []byte(nil)
	for i := range values {
		if i > 0 {
			text = append(text, ',')
		}
		v := values[i]
		exact := v.Datatype != float16Type && v.Datatype != bfloat16Type && !lossy(&v)
		asBinary := binary || !exact
		text = appendOutput(text, &v, asBinary)
		if asBinary {
			data = append(data, v.Data...)
		}
	}
	text = append(text, "]}"...)
	r, err := parseRequest(text, data, anything)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for i, v := range values {
		if got := r.inputs[i].Value; !bytes.Equal(got.Data, v.Data) {
			t.Errorf("%s: tensor %s is %x, want %x", text, v.Name, got.Data, v.Data)
		}
	}
}

// lossy says whether JSON cannot hold a tensor's bits: infinities, other NaN
// than the usual one, and texts that are not UTF-8.
func lossy(v *registry.Value) bool {
	if v.Datatype == registry.Bytes {
		for rest := v.Data; len(rest) > 0; {
			var text []byte
			if text, rest, _ = cutText(rest); !utf8.Valid(text) {
				return true
			}
		}
		return false
	}
	return v.Datatype[0] == 'F' && bytes.Contains(appendOutput(nil, v, false), []byte("null"))
}

// FuzzInfer sends whole bodies to a server: whatever they are, it answers, and
// what it takes has as many rows as it gives.
func FuzzInfer(f *testing.F) {
	x := newFixture(f)
	x.Control = false
	handler := x.Handler()
	packed := appendText(nil, `{"events":[{"time":1,"type":"visit"}]}`)
	head := fmt.Sprintf(`{"inputs":[{"name":"journey","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":%d}}]}`, len(packed))
	f.Add("journeys", strconv.Itoa(len(head)), append([]byte(head), packed...))
	f.Add("journeys", "0", []byte(`{"events":[]}`))
	f.Add("rows", "", []byte(`{"inputs":[{"name":"features","shape":[1,1],"datatype":"FP64","data":[null]}]}`))
	f.Add("double", "", []byte(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1,2]]}],"outputs":[{"name":"y","parameters":{"binary_data":true}}]}`))
	f.Add("double", "0", []byte("12345678"))
	f.Fuzz(func(t *testing.T, model, length string, body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.URL.Path = "/v2/models/" + model + "/infer"
		r.Header.Set(headerLength, length)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 200 {
			if w.Code >= 500 {
				t.Errorf("%q of %s: %d %s", body, model, w.Code, w.Body)
			}
			return
		}
		values, err := readAnswer(w.Header(), append(w.Body.Bytes(), ' '))
		if w.Header().Get(headerLength) != "" {
			values, err = readAnswer(w.Header(), w.Body.Bytes())
		}
		if err != nil {
			t.Fatalf("%q of %s: answer %q: %v", body, model, w.Body, err)
		}
		for _, v := range values {
			if v.Name != "rows" && v.Shape[0] != values[0].Shape[0] && values[0].Name != "rows" {
				t.Errorf("%q of %s: outputs of %v and %v", body, model, v.Shape, values[0].Shape)
			}
		}
	})
}
