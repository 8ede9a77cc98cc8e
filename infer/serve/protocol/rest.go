package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"moments/infer/registry"
	"moments/infer/serve/fault"
)

// headerLength is the length of the JSON before binary data; one of 0 says that
// there is no JSON, and that the body is the only input.
const headerLength = "Inference-Header-Content-Length"

// Handler answers the requests below /v2.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2", s.serverMetadata)
	mux.HandleFunc("GET /v2/{$}", s.serverMetadata)
	mux.HandleFunc("GET /v2/health/live", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v2/health/ready", s.serverReady)
	for _, model := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		mux.HandleFunc("GET "+model, s.withModel(s.modelMetadata))
		mux.HandleFunc("GET "+model+"/ready", s.withModel(func(http.ResponseWriter, *http.Request, *registry.Model) error { return nil }))
		mux.HandleFunc("GET "+model+"/stats", s.withModel(s.modelStatistics))
		mux.HandleFunc("POST "+model+"/infer", s.withModel(s.serveInfer))
	}
	mux.HandleFunc("GET /v2/models/stats", s.allStatistics)
	mux.HandleFunc("POST /v2/repository/index", s.serveIndex)
	mux.HandleFunc("POST /v2/repository/models/{model}/load", s.control(s.load))
	mux.HandleFunc("POST /v2/repository/models/{model}/unload", s.control(s.unload))
	mux.HandleFunc("/v2/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, fault.New(http.StatusNotFound, fmt.Errorf("protocol: no %s %s here", r.Method, r.URL.Path)))
	})
	return mux
}

// withModel acquires the model that the path names, and writes errors.
func (s *Service) withModel(do func(http.ResponseWriter, *http.Request, *registry.Model) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m, release, err := s.Registry.Acquire(r.PathValue("model"), r.PathValue("version"))
		if err == nil {
			defer release()
			err = do(w, r, m)
		}
		if err != nil {
			writeError(w, err)
		}
	}
}

// retryAfter is when a client that found the server busy may come again, in
// seconds.
const retryAfter = "1"

// writeError answers with an error, in the protocol's form.
func writeError(w http.ResponseWriter, err error) {
	status := statuses.Status(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // only of our own making
		status, text = http.StatusInternalServerError, []byte(`{"error":"protocol: an answer has no JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text) // who went away need not be told
}

func (s *Service) serverReady(w http.ResponseWriter, _ *http.Request) {
	if !s.Ready() {
		writeError(w, fault.New(http.StatusServiceUnavailable, errors.New("protocol: the server is not ready")))
	}
}

// serveInfer answers an inference request.
func (s *Service) serveInfer(w http.ResponseWriter, hr *http.Request, m *registry.Model) error {
	began := time.Now()
	leave, err := s.Engine.Enter()
	if err != nil {
		return err
	}
	defer leave()
	body, err := s.readBody(w, hr)
	if err != nil {
		return err
	}
	reuse := false // an engine that has failed may hold parts of the body
	defer func() { body.end(reuse) }()
	r, err := s.read(hr.Context(), m, began, func() (*request, error) { return s.parseBody(hr.Header, body.Bytes(), m) })
	if err != nil {
		return err
	}
	answer, err := s.infer(hr.Context(), m, r, began)
	if err != nil {
		return err
	}
	answer.write(w, r)
	reuse = true
	return nil
}

// parseBody cuts a body into JSON and binary data and reads them.
func (s *Service) parseBody(header http.Header, body []byte, m *registry.Model) (*request, error) {
	if err := checkContentType(header.Get("Content-Type")); err != nil {
		return nil, err
	}
	sig, text := s.signature(m), body
	if length := header.Get(headerLength); length != "" {
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil || n > uint64(len(body)) {
			return nil, fault.Wrong(fmt.Errorf("protocol: %s is %q, want a number of at most the body's %d bytes", headerLength, length, len(body)))
		}
		if n == 0 {
			r, err := sig.rawRequest(body)
			return r, fault.Wrong(err)
		}
		text = body[:n]
	}
	r, err := parseRequest(text, body[len(text):], sig.check)
	if err != nil {
		return nil, fault.Wrong(fmt.Errorf("protocol: %w", err))
	}
	return r, nil
}

// checkContentType refuses bodies of other kinds, forms of web pages among
// them, which browsers send to any server.
func checkContentType(text string) error {
	if text == "" {
		return nil
	}
	switch kind, _, err := mime.ParseMediaType(text); {
	case err == nil && (kind == "application/json" || kind == "application/octet-stream"):
		return nil
	}
	return fault.New(http.StatusUnsupportedMediaType, fmt.Errorf("protocol: Content-Type is %q, want application/json or application/octet-stream", text))
}

// rawRequest makes a request of a body that is the data of the only input: of a
// bundle the JSON of one journey.
func (sig *signature) rawRequest(body []byte) (*request, error) {
	if sig.platform != platformBundle && len(sig.inputs) != 1 {
		return nil, fmt.Errorf("protocol: a body without JSON, want one that names the inputs %s", list(sig.inputs))
	}
	in := input{Value: registry.Value{Tensor: sig.inputs[0], Data: body}}
	shape := make([]int64, len(in.Shape))
	size, free := sizes[in.Datatype], -1
	for i, d := range in.Shape {
		if shape[i] = d; d != registry.FreeDimension {
			size *= int(d)
			continue
		}
		if shape[i] = 1; i > 0 && free < 0 {
			free = i
		}
	}
	if free >= 0 && size > 0 { // the batch is 1, so what is free follows from the length
		shape[free] = int64(len(body) / size)
	}
	in.Shape = shape
	if in.Datatype == registry.Bytes {
		in.Data = appendText(nil, body)
	}
	if err := checkData(&in.Value); err != nil {
		return nil, fmt.Errorf("protocol: %w", err)
	}
	return &request{inputs: []input{in}, binary: true}, nil
}

// write writes the answer, and output data as the request wants them.
func (a *response) write(w http.ResponseWriter, r *request) {
	binary, some := r.wantsBinary(a.outputs)
	buffer := bodies.take()
	defer bodies.give(buffer)
	text := a.appendJSON(buffer.AvailableBuffer(), binary)
	header := w.Header()
	if some {
		header.Set(headerLength, strconv.Itoa(len(text)))
		header.Set("Content-Type", "application/octet-stream")
	} else {
		header.Set("Content-Type", "application/json")
	}
	for i := range a.outputs {
		if binary[i] {
			text = append(text, a.outputs[i].Data...)
		}
	}
	buffer.Write(text) // so that its memory is used again
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.Write(text) // who went away need not be told
}

// wantsBinary says which outputs go as binary data, and whether some do. Those
// that JSON cannot hold always do.
func (r *request) wantsBinary(outputs []registry.Value) (binary []bool, some bool) {
	binary = make([]bool, len(outputs))
	for i := range outputs {
		binary[i] = r.binary
		if len(r.outputs) > 0 && r.outputs[i].binary != nil {
			binary[i] = *r.outputs[i].binary
		}
		d := outputs[i].Datatype
		binary[i] = binary[i] || d == float16Type || d == bfloat16Type
		some = some || binary[i]
	}
	return binary, some
}

// control refuses clients that may not load and unload models.
func (s *Service) control(do func(r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.mayControl(); err != nil {
			writeError(w, err)
			return
		}
		if err := do(r); err != nil {
			writeError(w, err)
		}
	}
}

func (s *Service) mayControl() error {
	if s.Control {
		return nil
	}
	return fault.New(http.StatusForbidden, errors.New("protocol: models are not loaded and unloaded by clients here"))
}
