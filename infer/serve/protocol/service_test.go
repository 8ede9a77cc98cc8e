package protocol

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"moments/features"
	"moments/infer/internal/testbundle"
	"moments/infer/registry"
	"moments/infer/serve/jsontext"
	"moments/infer/serve/protocol/internal/oip"
)

// TestJourneys gives journeys in every way there is and demands the scorer's
// bits.
func TestJourneys(t *testing.T) {
	f := newFixture(t)
	journeys := testbundle.Journeys(5, 7)
	want := f.wantScores(t, "journeys", journeys)
	var texts, packed []byte
	var contents [][]byte
	for i := range journeys {
		text := journeyText(t, &journeys[i])
		if i > 0 {
			texts = append(texts, ',')
		}
		texts = jsontext.AppendText(texts, text)
		packed = appendText(packed, text)
		contents = append(contents, []byte(text))
	}
	request := func(rest string) []byte {
		return fmt.Appendf(nil, `{"id":"7","inputs":[{"name":"journey","shape":[7],"datatype":"BYTES",%s`, rest)
	}
	withBinary := request(fmt.Sprintf(`"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, len(packed)))
	length := strconv.Itoa(len(withBinary))
	t.Run("JSON", func(t *testing.T) {
		code, header, body := f.call(t, "POST", "/v2/models/journeys/infer", request(`"data":[`+string(texts)+`]}]}`))
		checkAnswer(t, code, header.Get(headerLength), body, want)
	})
	t.Run("binary", func(t *testing.T) {
		code, header, body := f.call(t, "POST", "/v2/models/journeys/infer", append(withBinary, packed...), headerLength, length)
		got, err := readAnswer(header, body)
		if err != nil || code != 200 {
			t.Fatalf("got %d %q: %v", code, body, err)
		}
		sameValues(t, got, want)
	})
	t.Run("gzip", func(t *testing.T) {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		w.Write(append(withBinary, packed...))
		w.Close()
		code, header, body := f.call(t, "POST", "/v2/models/journeys/infer", zipped.Bytes(), headerLength, length, "Content-Encoding", "gzip")
		if got, err := readAnswer(header, body); err != nil || code != 200 {
			t.Errorf("got %d %q: %v", code, body, err)
		} else {
			sameValues(t, got, want)
		}
	})
	t.Run("gRPC contents", func(t *testing.T) {
		answer, err := f.grpc.ModelInfer(context.Background(), &oip.ModelInferRequest{ModelName: "journeys", Id: "7", Inputs: []*oip.ModelInferRequest_InferInputTensor{
			{Name: "journey", Datatype: "BYTES", Shape: []int64{7, 1}, Contents: &oip.InferTensorContents{BytesContents: contents}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		sameValues(t, messageValues(t, answer), want)
	})
	t.Run("gRPC raw", func(t *testing.T) {
		answer, err := f.grpc.ModelInfer(context.Background(), &oip.ModelInferRequest{ModelName: "journeys", RawInputContents: [][]byte{packed},
			Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "journey", Datatype: "BYTES", Shape: []int64{7}}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.RawOutputContents) != len(want) {
			t.Errorf("got %d raw contents, want %d", len(answer.RawOutputContents), len(want))
		}
		sameValues(t, messageValues(t, answer), want)
	})
}

// checkAnswer checks an answer in JSON, to the bit.
func checkAnswer(t *testing.T, code int, length string, body []byte, want []registry.Value) {
	t.Helper()
	var answer struct {
		ModelName    string `json:"model_name"`
		ModelVersion string `json:"model_version"`
		ID           string `json:"id"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || code != 200 || length != "" {
		t.Fatalf("got %d %q %s: %v", code, length, body, err)
	}
	if answer.ModelName != "journeys" || len(answer.ModelVersion) < 8 || answer.ID != "7" {
		t.Errorf("got %+v", answer)
	}
	got, err := readAnswer(nil, append(body, ' ')) // as long as with the other word
	if err != nil {
		t.Fatal(err)
	}
	sameValues(t, got, want)
}

// messageValues are the outputs of a gRPC answer.
func messageValues(t *testing.T, m *oip.ModelInferResponse) []registry.Value {
	t.Helper()
	var values []registry.Value
	for i, o := range m.Outputs {
		v := registry.Value{Tensor: registry.Tensor{Name: o.Name, Datatype: registry.Datatype(o.Datatype), Shape: o.Shape}}
		if len(m.RawOutputContents) > 0 {
			v.Data = m.RawOutputContents[i]
		} else {
			var err error
			if v.Data, err = dataOf(o.Contents, v.Datatype); err != nil {
				t.Fatal(err)
			}
		}
		values = append(values, v)
	}
	return values
}

// TestOneJourneyAsBody sends the JSON of a journey as it is.
func TestOneJourneyAsBody(t *testing.T) {
	f := newFixture(t)
	journeys := testbundle.Journeys(5, 1)
	code, header, body := f.call(t, "POST", "/v2/models/journeys/infer", []byte(journeyText(t, &journeys[0])), headerLength, "0")
	got, err := readAnswer(header, body)
	if err != nil || code != 200 {
		t.Fatalf("got %d %q: %v", code, body, err)
	}
	sameValues(t, got, f.wantScores(t, "journeys", journeys))
}

// TestRows gives examples that the client has encoded, with missing values as
// null and as NaN, and levels that training did not see.
func TestRows(t *testing.T) {
	f := newFixture(t)
	m, release, err := f.Registry.Acquire("rows", "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	journeys := testbundle.Journeys(5, 6)
	journeys[2].Profile[1] = features.Text("nowhere")
	want := f.wantScores(t, "rows", journeys)
	encoder, sig := m.Bundle.Schema.NewEncoder(), f.signature(m)
	numbers := registry.Value{Tensor: registry.Tensor{Name: inputFeatures, Datatype: registry.Float64, Shape: []int64{6, int64(sig.numeric)}}}
	levels := registry.Value{Tensor: registry.Tensor{Name: inputCategories, Datatype: registry.Bytes, Shape: []int64{6, int64(len(sig.levels))}}}
	for i := range journeys {
		var ex features.Example
		encoder.EncodeJourney(&journeys[i], testbundle.Cutoff(&journeys[i]), &ex)
		encoder.Encode(1.8e15-1, &ex)
		for _, x := range ex.Numeric {
			numbers.Data = binary.LittleEndian.AppendUint64(numbers.Data, math.Float64bits(float64(x)))
		}
		for c, id := range ex.Category {
			level := []string{features.MissingID: "", features.UnseenID: "(unseen)"}
			levels.Data = appendText(levels.Data, append(level, sig.levels[c]...)[id])
		}
	}
	text := appendOutput([]byte(`{"inputs":[`), &numbers, false)
	text = appendOutput(append(text, ','), &levels, false)
	code, header, body := f.call(t, "POST", "/v2/models/rows/infer", append(text, "]}"...))
	got, err := readAnswer(header, append(body, ' '))
	if err != nil || code != 200 {
		t.Fatalf("got %d %q: %v", code, body, err)
	}
	sameValues(t, got, want)
	answer, err := f.grpc.ModelInfer(context.Background(), &oip.ModelInferRequest{
		ModelName: "rows", RawInputContents: [][]byte{levels.Data, numbers.Data},
		Inputs: []*oip.ModelInferRequest_InferInputTensor{
			{Name: levels.Name, Datatype: "BYTES", Shape: levels.Shape}, {Name: numbers.Name, Datatype: "FP64", Shape: numbers.Shape},
		},
		Outputs: []*oip.ModelInferRequest_InferRequestedOutputTensor{{Name: "churn"}, {Name: "anomaly"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sameValues(t, messageValues(t, answer), want[1:3])
}

// TestTensors passes tensors through to an ONNX model.
func TestTensors(t *testing.T) {
	f := newFixture(t)
	code, _, body := f.call(t, "POST", "/v2/models/double/infer",
		[]byte(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.5,-0.1]}],"outputs":[{"name":"rows"},{"name":"y"}]}`))
	var answer struct{ Outputs json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil || code != 200 {
		t.Fatalf("got %d %s: %v", code, body, err)
	}
	const want = `[{"name":"rows","datatype":"INT64","shape":[1],"data":[1]},{"name":"y","datatype":"FP32","shape":[1,2],"data":[3,-0.2]}]`
	if string(answer.Outputs) != want {
		t.Errorf("got %s, want %s", answer.Outputs, want)
	}
}

// TestWrongRequests holds status and message of what clients get wrong.
func TestWrongRequests(t *testing.T) {
	f := newFixture(t)
	f.MaxEvents = 2
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	w.Write(make([]byte, 3<<20))
	w.Close()
	journey := func(text string) string {
		return string(jsontext.AppendText([]byte(`{"inputs":[{"name":"journey","shape":[1],"datatype":"BYTES","data":[`), text)) + "]}]}"
	}
	double := `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,%s]}]}`
	tests := map[string]struct {
		model, body string
		header      []string
		status      int
		want        string
	}{
		"unknown model":       {"other", `{}`, nil, 404, `unknown model: "other"`},
		"unknown version":     {"journeys/versions/zz", `{}`, nil, 404, `no version "zz"`},
		"no JSON":             {"journeys", `{`, nil, 400, "got the end of the text"},
		"wrong journey":       {"journeys", journey(`{"events":[{"time":"x"}]}`), nil, 400, "journey 0 of 1: "},
		"many events":         {"journeys", journey(`{"events":[{"time":1,"type":"a"},{"time":2,"type":"a"},{"time":3,"type":"a"}]}`), nil, 413, "more than 2 events"},
		"events of all":       {"journeys", strings.Replace(journey(`{"events":[{"time":1,"type":"a"},{"time":2,"type":"a"}]}`), `"shape":[1],"datatype":"BYTES","data":[`, `"shape":[2],"datatype":"BYTES","data":["{\"events\":[{\"time\":1,\"type\":\"a\"}]}",`, 1), nil, 413, "more than"},
		"many rows":           {"journeys", `{"inputs":[{"name":"journey","shape":[101],"datatype":"BYTES","data":[]}]}`, nil, 400, "has 101 rows, want at most 100 in a request"},
		"no rows for ONNX":    {"double", `{"inputs":[{"name":"x","shape":[0,2],"datatype":"FP32","data":[]}]}`, nil, 400, "input x is FP32 [0 2]"},
		"unknown attribute":   {"journeys", journey(`{"profile":{"zzz":1}}`), nil, 400, "zzz"},
		"unknown input":       {"journeys", `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}`, nil, 400, `input "x" is unknown, want journey`},
		"rows of a sequence":  {"journeys", `{"inputs":[{"name":"features","shape":[1],"datatype":"FP32","data":[1]}]}`, nil, 400, `input "features" is unknown`},
		"wrong datatype":      {"journeys", `{"inputs":[{"name":"journey","shape":[1],"datatype":"FP32","data":[1]}]}`, nil, 400, "journey is FP32 [1], want BYTES [-1]"},
		"wrong shape":         {"journeys", `{"inputs":[{"name":"journey","shape":[1,2],"datatype":"BYTES","data":["a","b"]}]}`, nil, 400, "want BYTES [-1]"},
		"unknown output":      {"journeys", strings.TrimSuffix(journey("{}"), "}") + `,"outputs":[{"name":"zzz"}]}`, nil, 400, `output "zzz" is unknown, want conversion, churn`},
		"half of the rows":    {"rows", `{"inputs":[{"name":"categories","shape":[0,4],"datatype":"BYTES","data":[]}]}`, nil, 400, "want all of features, categories"},
		"null for ONNX":       {"double", fmt.Sprintf(double, "null"), nil, 400, "input x has null"},
		"NaN":                 {"double", fmt.Sprintf(double, "NaN"), nil, 400, "not JSON"},
		"content type":        {"double", fmt.Sprintf(double, "1"), []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "want application/json"},
		"unreadable type":     {"double", fmt.Sprintf(double, "1"), []string{"Content-Type", ";;"}, 415, "want application/json"},
		"content encoding":    {"double", fmt.Sprintf(double, "1"), []string{"Content-Encoding", "br"}, 415, "want gzip, deflate"},
		"no gzip":             {"double", fmt.Sprintf(double, "1"), []string{"Content-Encoding", "gzip"}, 400, "gzip"},
		"gzip bomb":           {"double", bomb.String(), []string{"Content-Encoding", "gzip"}, 413, "too large"},
		"large":               {"double", strings.Repeat(" ", 1<<20) + "1", nil, 413, "too large"},
		"length of JSON":      {"double", fmt.Sprintf(double, "1"), []string{headerLength, "1000"}, 400, `is "1000", want a number of at most the body's`},
		"negative length":     {"double", fmt.Sprintf(double, "1"), []string{headerLength, "-1"}, 400, `is "-1"`},
		"raw of a wrong size": {"double", "12345", []string{headerLength, "0"}, 400, "has 5 bytes, want 8"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, header, body := f.call(t, "POST", "/v2/models/"+tt.model+"/infer", []byte(tt.body), tt.header...)
			var answer struct{ Error string }
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if code != tt.status || !strings.Contains(answer.Error, tt.want) || header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d %q, want %d %q", code, answer.Error, tt.status, tt.want)
			}
		})
	}
}

// TestDeflate reads both forms that clients call deflate.
func TestDeflate(t *testing.T) {
	f := newFixture(t)
	body := []byte(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`)
	var zipped bytes.Buffer
	w := zlib.NewWriter(&zipped)
	w.Write(body)
	w.Close()
	bare := zipped.Bytes()[2 : zipped.Len()-4]
	for _, body := range [][]byte{zipped.Bytes(), bare} {
		if code, _, answer := f.call(t, "POST", "/v2/models/double/infer", body, "Content-Encoding", "deflate"); code != 200 {
			t.Errorf("got %d %s", code, answer)
		}
	}
}

// TestBusy demands that clients are told to come again.
func TestBusy(t *testing.T) {
	f := newFixture(t)
	f.engine.refuse = fmt.Errorf("queue: %w", ErrBusy)
	code, header, body := f.call(t, "POST", "/v2/models/double/infer", []byte(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`))
	if code != 503 || header.Get("Retry-After") != "1" {
		t.Errorf("got %d %q %s", code, header.Get("Retry-After"), body)
	}
	_, err := f.grpc.ModelInfer(context.Background(), &oip.ModelInferRequest{ModelName: "double", RawInputContents: [][]byte{make([]byte, 8)},
		Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}}}})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, want code Unavailable", err)
	}
}

// TestWrongMessages holds the codes of what gRPC clients get wrong.
func TestWrongMessages(t *testing.T) {
	f := newFixture(t)
	x := func(shape []int64, c *oip.InferTensorContents) []*oip.ModelInferRequest_InferInputTensor {
		return []*oip.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: shape, Contents: c}}
	}
	one := &oip.InferTensorContents{Fp32Contents: []float32{1, 2}}
	tests := map[string]struct {
		in   *oip.ModelInferRequest
		code codes.Code
		want string
	}{
		"unknown model": {&oip.ModelInferRequest{ModelName: "zzz"}, codes.NotFound, "unknown model"},
		"no inputs":     {&oip.ModelInferRequest{ModelName: "double"}, codes.InvalidArgument, "no inputs"},
		"huge shape":    {&oip.ModelInferRequest{ModelName: "double", Inputs: x([]int64{1 << 62, 2}, one)}, codes.InvalidArgument, "elements"},
		"negative":      {&oip.ModelInferRequest{ModelName: "double", Inputs: x([]int64{-1, 2}, one)}, codes.InvalidArgument, "below 0"},
		"short":         {&oip.ModelInferRequest{ModelName: "double", Inputs: x([]int64{2, 2}, one)}, codes.InvalidArgument, "has 8 bytes, want 16"},
		"no contents":   {&oip.ModelInferRequest{ModelName: "double", Inputs: x([]int64{1, 2}, nil)}, codes.InvalidArgument, "has 0 bytes"},
		"both":          {&oip.ModelInferRequest{ModelName: "double", Inputs: x([]int64{1, 2}, one), RawInputContents: [][]byte{nil}}, codes.InvalidArgument, "beside raw contents"},
		"raw of two":    {&oip.ModelInferRequest{ModelName: "double", Inputs: x([]int64{1, 2}, nil), RawInputContents: [][]byte{nil, nil}}, codes.InvalidArgument, "raw contents of 2 tensors for 1 inputs"},
		"large":         {&oip.ModelInferRequest{ModelName: "double", RawInputContents: [][]byte{make([]byte, 2<<20)}}, codes.ResourceExhausted, "larger than max"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := f.grpc.ModelInfer(context.Background(), tt.in)
			if status.Code(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v with %q", err, tt.code, tt.want)
			}
		})
	}
}

// TestMetadata reads what clients ask before they send anything.
func TestMetadata(t *testing.T) {
	f := newFixture(t)
	_, _, server := f.call(t, "GET", "/v2", nil)
	if got, want := string(server), `{"name":"moments","version":"1.2","extensions":["binary_tensor_data","model_repository","statistics"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, _, model := f.call(t, "GET", "/v2/models/journeys", nil)
	const outputs = `"platform":"moments_bundle","inputs":[{"name":"journey","datatype":"BYTES","shape":[-1]}],"outputs":[{"name":"conversion","datatype":"FP32","shape":[-1]},` +
		`{"name":"churn","datatype":"FP32","shape":[-1]},{"name":"anomaly","datatype":"FP64","shape":[-1]},{"name":"anomaly_score","datatype":"FP32","shape":[-1]},{"name":"anomaly_direction","datatype":"BYTES","shape":[-1]}]}`
	if got := string(model); !strings.HasPrefix(got, `{"name":"journeys","versions":["`) || !strings.HasSuffix(got, outputs) {
		t.Errorf("got %s", got)
	}
	rows, err := f.grpc.ModelMetadata(context.Background(), &oip.ModelMetadataRequest{Name: "rows"})
	if err != nil || len(rows.Inputs) != 3 || rows.Inputs[1].Name != "features" || rows.Inputs[1].Shape[1] < 10 || rows.Inputs[2].Shape[1] < 1 {
		t.Errorf("got %v, %v", rows, err)
	}
	for _, path := range []string{"/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models/journeys/ready", "/v2/models/rows/versions/" + rows.Versions[0]} {
		if code, _, body := f.call(t, "GET", path, nil); code != 200 {
			t.Errorf("%s: got %d %s", path, code, body)
		}
	}
	for _, path := range []string{"/v2/models/zzz/ready", "/v2/zzz"} {
		if code, _, body := f.call(t, "GET", path, nil); code != 404 || !strings.HasPrefix(string(body), `{"error":`) {
			t.Errorf("%s: got %d %s", path, code, body)
		}
	}
}

// TestReadiness follows the server's word over both protocols.
func TestReadiness(t *testing.T) {
	f := newFixture(t)
	health := grpc_health_v1.NewHealthClient(f.conn)
	for _, ready := range []bool{true, false} {
		f.SetReady(ready)
		code, _, _ := f.call(t, "GET", "/v2/health/ready", nil)
		answer, err := f.grpc.ServerReady(context.Background(), &oip.ServerReadyRequest{})
		if err != nil || answer.Ready != ready || (code == 200) != ready {
			t.Errorf("ready %v: got %d, %v, %v", ready, code, answer, err)
		}
		state, err := health.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: "inference.GRPCInferenceService"})
		if err != nil || (state.Status == grpc_health_v1.HealthCheckResponse_SERVING) != ready {
			t.Errorf("ready %v: got %v, %v", ready, state, err)
		}
	}
}

// TestRepository lists, unloads and loads models.
func TestRepository(t *testing.T) {
	f := newFixture(t)
	states := func(body string) (all []string) {
		_, _, text := f.call(t, "POST", "/v2/repository/index", []byte(body))
		var entries []indexEntry
		if err := json.Unmarshal(text, &entries); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, e := range entries {
			all = append(all, e.Name+" "+e.State)
		}
		return all
	}
	if got := fmt.Sprint(states("")); got != "[double READY journeys READY rows READY]" {
		t.Errorf("got %s", got)
	}
	if code, _, body := f.call(t, "POST", "/v2/repository/models/rows/unload", []byte(`{"parameters":{"unload_dependents":false}}`)); code != 200 {
		t.Fatalf("got %d %s", code, body)
	}
	if got := fmt.Sprint(states("{}")); got != "[double READY journeys READY rows UNAVAILABLE]" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(states(`{"ready":true}`)); got != "[double READY journeys READY]" {
		t.Errorf("got %s", got)
	}
	if code, _, _ := f.call(t, "GET", "/v2/models/rows/ready", nil); code != 503 {
		t.Errorf("an unloaded model is %d, want 503", code)
	}
	if _, err := f.grpc.RepositoryModelLoad(context.Background(), &oip.RepositoryModelLoadRequest{ModelName: "rows"}); err != nil {
		t.Fatal(err)
	}
	if answer, err := f.grpc.ModelReady(context.Background(), &oip.ModelReadyRequest{Name: "rows"}); err != nil || !answer.Ready {
		t.Errorf("got %v, %v", answer, err)
	}
	if code, _, body := f.call(t, "POST", "/v2/repository/models/rows/load", []byte(`{"parameters":{"config":"{}"}}`)); code != 400 {
		t.Errorf("got %d %s, want 400 for a client's config", code, body)
	}
	f.Control = false
	if code, _, body := f.call(t, "POST", "/v2/repository/models/rows/unload", nil); code != 403 {
		t.Errorf("got %d %s, want 403", code, body)
	}
	if _, err := f.grpc.RepositoryModelUnload(context.Background(), &oip.RepositoryModelUnloadRequest{ModelName: "rows"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("got %v, want code PermissionDenied", err)
	}
}

// TestStatistics counts what was asked.
func TestStatistics(t *testing.T) {
	f := newFixture(t)
	for _, x := range []string{"1", "2", "null"} {
		f.call(t, "POST", "/v2/models/double/infer", fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,%s]}]}`, x))
	}
	_, _, text := f.call(t, "GET", "/v2/models/double/stats", nil)
	var answer modelStats
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	s := answer.ModelStats[0]
	if s.Name != "double" || s.InferenceCount != 2 || s.ExecutionCount != 2 || s.InferenceStats.Success.Count != 2 || s.InferenceStats.Fail.Count != 1 || s.LastInference == 0 {
		t.Errorf("got %s", text)
	}
	all, err := f.grpc.ModelStatistics(context.Background(), &oip.ModelStatisticsRequest{})
	if err != nil || len(all.ModelStats) != 3 || all.ModelStats[0].InferenceStats.Success.Count != 2 {
		t.Errorf("got %v, %v", all, err)
	}
}
