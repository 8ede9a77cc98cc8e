package serve

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A documented is the document that a server serves, ready to judge by.
type documented struct {
	t        testing.TB
	tree     map[string]any
	compiler *jsonschema.Compiler
}

const documentURL = "http://moments/openapi.json"

func readDocument(t testing.TB, f *fixture) *documented {
	t.Helper()
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(f.answer(nil, 200, "GET", "/openapi.json", "").Body.Bytes()))
	check(t, err)
	d := &documented{t: t, tree: tree.(map[string]any), compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020) // that of OpenAPI 3.1
	d.compiler.AssertFormat()
	check(t, d.compiler.AddResource(documentURL, tree))
	return d
}

// schema is the schema at a path of the document; nil where there is none.
func (d *documented) schema(path ...string) *jsonschema.Schema {
	d.t.Helper()
	at, pointer := any(d.tree), ""
	for _, key := range path {
		next, ok := at.(map[string]any)[key]
		if !ok {
			return nil
		}
		at = next
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
	}
	s, err := d.compiler.Compile(documentURL + "#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	check(d.t, err)
	return s
}

// judge says whether a text obeys the schema at a path.
func (d *documented) judge(text []byte, path ...string) error {
	d.t.Helper()
	s := d.schema(path...)
	if s == nil {
		return fmt.Errorf("the document has no %s", strings.Join(path, " "))
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// TestServerObeysItsDocument sends requests of every kind, good and bad, and
// demands that the document allows the good ones and every answer.
func TestServerObeysItsDocument(t *testing.T) {
	f := newFixture(t, nil)
	d := readDocument(t, f)
	j := long(t)
	event := `{"time": "2023-11-20", "type": "visit", "amount": 3, "attributes": {"channel": "web"}}`
	answered := map[string]bool{}
	for _, test := range []struct {
		method, path, pattern, body string
		status                      int
		good                        bool // by the document
	}{
		{"POST", "/v1/score", "", journeyJSON(&j, ""), 200, true},
		{"POST", "/v1/score", "", journeyJSON(&j, `, "reasons": 3, "moments": true, "at": 1700000000, "model": "test"`), 400, true},
		{"POST", "/v1/score", "", journeyJSON(&j, `, "reasons": 3, "moments": true, "at": 1900000000.5, "model": "test"`), 200, true},
		{"POST", "/v1/score", "", `{}`, 200, true},
		{"POST", "/v1/score", "", `{"journeys": []}`, 200, true},
		{"POST", "/v1/score", "", `{"journeys": [` + journeyJSON(&j, `, "at": "2030-01-01"`) + `, {"customer": 7, "events": [` + event + `]}], "moments": true}`, 200, true},
		{"POST", "/v1/score", "", `{"profile": {"age": null, "plan": true, "city": 3}}`, 200, true},
		{"POST", "/v1/score", "", `{"profile": {"age": [1]}}`, 400, false},
		{"POST", "/v1/score", "", `{"agee": 1}`, 400, false},
		{"POST", "/v1/score", "", `{"reasons": 101}`, 400, false},
		{"POST", "/v1/score", "", `{"reasons": "1"}`, 400, false},
		{"POST", "/v1/score", "", `{"events": [{"time": 1}]}`, 400, false},
		{"POST", "/v1/score", "", `{"events": [{"type": "a", "time": null}]}`, 400, false},
		{"POST", "/v1/score", "", `{"journeys": [{"model": "test"}]}`, 400, false},
		{"POST", "/v1/score", "", `{"model": "other"}`, 404, true},
		{"POST", "/v1/customers/a/events", "/v1/customers/{id}/events", `{"profile": {"age": 3}, "events": [` + event + `, {"time": 1700500000, "type": 1, "id": 7}]}`, 200, true},
		{"POST", "/v1/customers/a/events", "/v1/customers/{id}/events", `{"reasons": 1, "moments": true, "events": []}`, 200, true},
		{"POST", "/v1/customers/a/events", "/v1/customers/{id}/events", `{"events": [{"time": 1, "type": "old"}]}`, 409, true},
		{"POST", "/v1/customers/a/events", "/v1/customers/{id}/events", `{"customer": "a"}`, 400, false},
		{"GET", "/v1/customers/a?reasons=2&moments=true&at=2024-01-01", "/v1/customers/{id}", "", 200, true},
		{"GET", "/v1/customers/b", "/v1/customers/{id}", "", 404, true},
		{"DELETE", "/v1/customers/a", "/v1/customers/{id}", "", 204, true},
		{"GET", "/v1/models", "", "", 200, true},
	} {
		pattern, method := test.pattern, strings.ToLower(test.method)
		if pattern == "" {
			pattern = test.path
		}
		what := fmt.Sprintf("%s %s %.200s", test.method, test.path, test.body)
		if test.body != "" {
			if err := d.judge([]byte(test.body), "paths", pattern, method, "requestBody", "content", "application/json", "schema"); (err == nil) != test.good {
				t.Errorf("%s: by the document %v, want good %t", what, err, test.good)
			}
		}
		w := f.ask(test.method, test.path, test.body)
		if w.Code != test.status {
			t.Errorf("%s: got status %d, %s, want %d", what, w.Code, w.Body, test.status)
		}
		d.judgeAnswer(what, w, pattern, method)
		answered[test.method+" "+pattern] = true
	}
	for _, r := range f.routes() {
		if key := r.Method + " " + r.Path; !answered[key] && r.Path != "/openapi.json" {
			t.Errorf("%s is described and never asked", key)
		}
	}
}

// judgeAnswer demands that the document allows an answer.
func (d *documented) judgeAnswer(what string, w *httptest.ResponseRecorder, pattern, method string) {
	d.t.Helper()
	status := fmt.Sprint(w.Code)
	if w.Code == http.StatusNoContent {
		if d.schema("paths", pattern, method, "responses") == nil || w.Body.Len() > 0 {
			d.t.Errorf("%s: status 204 with %q", what, w.Body)
		}
		return
	}
	if err := d.judge(w.Body.Bytes(), "paths", pattern, method, "responses", status, "content", "application/json", "schema"); err != nil {
		d.t.Errorf("%s: status %s, %s: %v", what, status, w.Body, err)
	}
	if w.Header().Get("Content-Type") != "application/json" {
		d.t.Errorf("%s: Content-Type %q", what, w.Header().Get("Content-Type"))
	}
}

// TestDocumentedStatuses demands that every kind of refusal is documented where
// it comes up.
func TestDocumentedStatuses(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.MaxBody, o.Customers = 100, nil })
	d := readDocument(t, f)
	for _, test := range []struct {
		status                             int
		method, path, pattern, body, media string
	}{
		{413, "POST", "/v1/score", "/v1/score", strings.Repeat(" ", 101), "application/json"},
		{415, "POST", "/v1/score", "/v1/score", "{}", "text/plain"},
		{501, "GET", "/v1/customers/a", "/v1/customers/{id}", "", "application/json"},
		{501, "DELETE", "/v1/customers/a", "/v1/customers/{id}", "", "application/json"},
		{501, "POST", "/v1/customers/a/events", "/v1/customers/{id}/events", "{}", "application/json"},
		{400, "GET", "/v1/models?x=1", "/v1/models", "", "application/json"},
	} {
		w := f.ask(test.method, test.path, test.body, "Content-Type", test.media)
		if w.Code != test.status {
			t.Errorf("%+v: got status %d, %s", test, w.Code, w.Body)
		}
		d.judgeAnswer(test.path, w, test.pattern, strings.ToLower(test.method))
	}
}

// TestDocumentIsOpenAPI demands what the specification does of the parts that
// tools rely on: version, references that lead somewhere, schemas that compile,
// operations with names of their own.
func TestDocumentIsOpenAPI(t *testing.T) {
	d := readDocument(t, newFixture(t, nil))
	if d.tree["openapi"] != "3.1.0" || d.tree["info"].(map[string]any)["version"] != "test" {
		t.Errorf("got %v, %v", d.tree["openapi"], d.tree["info"])
	}
	for name := range d.tree["components"].(map[string]any)["schemas"].(map[string]any) {
		if d.schema("components", "schemas", name) == nil {
			t.Errorf("schema %s", name)
		}
	}
	seen := map[string]bool{}
	for path, item := range d.tree["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			o := operation.(map[string]any)
			id, _ := o["operationId"].(string)
			if id == "" || seen[id] || o["summary"] == "" || len(o["responses"].(map[string]any)) == 0 {
				t.Errorf("%s %s: %v", method, path, o)
			}
			seen[id] = true
		}
	}
}
