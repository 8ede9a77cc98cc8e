package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"moments/features"
	"moments/infer/registry"
	"moments/infer/serve/openapi"
)

// models answers GET /v1/models.
func (s *Server) models(w http.ResponseWriter, r *http.Request) error {
	if _, err := queryOf(r); err != nil {
		return err
	}
	all := ModelsResponse{Models: []ModelDescribed{}}
	for _, e := range s.options.Registry.Index() {
		all.Models = append(all.Models, s.describeModel(&e))
	}
	s.writeJSON(w, http.StatusOK, all)
	return nil
}

func (s *Server) describeModel(e *registry.Entry) ModelDescribed {
	d := ModelDescribed{
		Name: e.Name, Kind: string(e.Kind), Version: e.Version, Versions: slices.Concat([]string{}, e.Versions), Ready: e.Ready, Reason: e.Reason,
		Pinned: e.Pinned, Shadow: e.Shadow, Targets: []TargetDescribed{}, Profile: []ColumnDescribed{}, Event: []ColumnDescribed{}, Types: []string{},
	}
	if !e.Loaded.IsZero() {
		text := e.Loaded.UTC().Format(time.RFC3339)
		d.Loaded = &text
	}
	m, release, err := s.options.Registry.Acquire(e.Name, e.Version)
	if err != nil { // unloaded since
		return d
	}
	defer release()
	b := m.Bundle
	if b == nil {
		return d
	}
	for i, name := range b.Targets {
		t := TargetDescribed{Name: name}
		if i < len(b.PositiveRates) {
			t.PositiveRate = &b.PositiveRates[i]
		}
		d.Targets = append(d.Targets, t)
	}
	d.Anomaly, d.AlertRate, d.Metrics = len(b.Reference.Conformal) > 0, b.AlertRate, b.Metrics
	d.Profile, d.Event = described(b.Layout.Profile), described(b.Layout.Event)
	d.Types = append(d.Types, b.Schema.Types...)
	return d
}

func described(fields []features.Field) []ColumnDescribed {
	columns := []ColumnDescribed{}
	for _, f := range fields {
		columns = append(columns, ColumnDescribed{f.Name, string(f.Kind)})
	}
	return columns
}

// routes are the journey API.
func (s *Server) routes() []route {
	model := []openapi.Parameter{
		{Name: "model", Type: "string", Doc: "Default: the only bundle that is served."},
		{Name: "version", Type: "string", Doc: "Default: the live one."},
	}
	asked := append(slices.Clone(model),
		openapi.Parameter{Name: "at", Type: "string", Doc: "The moment of the score: only earlier events are seen. Default: now."},
		openapi.Parameter{Name: "reasons", Type: "integer", Doc: "How many reasons to give for each target and the anomaly."},
		openapi.Parameter{Name: "moments", Type: "boolean", Doc: "Say what each event did to the scores."})
	return []route{
		{openapi.Route{Method: "POST", Path: "/v1/score", Summary: "Score one journey, or many", Body: ScoreRequest{},
			Answers: answers(openapi.Answer{Doc: "The scores", Body: []any{ScoreResponse{}, ScoresResponse{}}}, 400, 404, 408, 413, 415, 503)}, s.score},
		{openapi.Route{Method: "POST", Path: "/v1/customers/{id}/events", Summary: "Append events to a customer's journey, and score it", Body: EventsRequest{},
			Query:   []openapi.Parameter{{Name: "late", Type: "boolean", Doc: "Accept events older than the last that is stored."}},
			Answers: answers(openapi.Answer{Doc: "The events are stored; the scores", Body: []any{CustomerResponse{}}}, 400, 404, 408, 409, 413, 415, 501, 503, 507)}, s.withCustomers(s.appendEvents)},
		{openapi.Route{Method: "GET", Path: "/v1/customers/{id}", Summary: "Score a stored journey", Query: asked,
			Answers: answers(openapi.Answer{Doc: "The scores", Body: []any{CustomerResponse{}}}, 400, 404, 413, 501, 503)}, s.withCustomers(s.getCustomer)},
		{openapi.Route{Method: "DELETE", Path: "/v1/customers/{id}", Summary: "Forget a customer",
			Answers: map[int]openapi.Answer{204: {Doc: "Nothing of the customer is stored any more"}, 400: failure(400), 404: failure(404), 501: failure(501), 503: failure(503)}}, s.withCustomers(s.deleteCustomer)},
		{openapi.Route{Method: "GET", Path: "/v1/models", Summary: "List the models and their columns",
			Answers: answers(openapi.Answer{Doc: "The models", Body: []any{ModelsResponse{}}}, 400)}, s.models},
		{openapi.Route{Method: "GET", Path: "/openapi.json", Summary: "This document", Answers: map[int]openapi.Answer{200: {Doc: "OpenAPI 3.1"}}}, s.openapi},
	}
}

// answers are a good one and, by status, those that say what was wrong.
func answers(good openapi.Answer, bad ...int) map[int]openapi.Answer {
	all := map[int]openapi.Answer{http.StatusOK: good, http.StatusUnauthorized: failure(401), http.StatusInternalServerError: failure(500)}
	for _, status := range bad {
		all[status] = failure(status)
	}
	return all
}

// failures say what a status means here.
var failures = map[int]string{
	400: "The request is wrong, and says how", 401: "A bearer token is wanted", 404: "No such model or customer", 408: "The request took too long to come",
	409: "An event is older than the last that is stored", 413: "The request is larger than the server allows", 415: "The body is not JSON",
	500: "A fault of the server, which its log tells more of", 501: "The server keeps no customers",
	503: "The server has more to do than it can, or the model is not ready: come again after Retry-After", 507: "The disk is full, and nothing was stored",
}

func failure(status int) openapi.Answer {
	return openapi.Answer{Doc: failures[status], Body: []any{ErrorResponse{}}}
}

// describe writes the OpenAPI document.
func (s *Server) describe() ([]byte, error) {
	var routes []openapi.Route
	for _, r := range s.routes() {
		routes = append(routes, r.Route)
	}
	text, err := json.MarshalIndent(openapi.Document(openapi.Info{
		Title: "moments", Version: s.options.Version,
		Description: "Scores of customers' journeys. The Open Inference Protocol, version 2, is served below /v2 and by gRPC; it is described elsewhere.",
	}, routes), "", " ")
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return text, nil
}

// openapi answers GET /openapi.json.
func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	write(w, http.StatusOK, s.document)
	return nil
}
