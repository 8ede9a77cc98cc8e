package openapi_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"moments/infer/serve/openapi"
)

type inner struct {
	Kind string `json:"kind" enum:"a,b"`
}

type outer struct {
	Name  string             `json:"name" doc:"What it is called."`
	Share *float64           `json:"share" min:"0" max:"1"`
	Rates map[string]float32 `json:"rates,omitempty"`
	List  []inner            `json:"list"`
	One   *inner             `json:"one"`
	Mood  *string            `json:"mood" enum:"good,bad"`
	Raw   json.RawMessage    `json:"raw,omitempty"`
}

func TestSchemas(t *testing.T) {
	d := openapi.Document(openapi.Info{Title: "t", Version: "1"}, []openapi.Route{
		{Method: "POST", Path: "/x/{id}", Body: outer{}, Answers: map[int]openapi.Answer{200: {Body: []any{inner{}, outer{}}}}},
	})
	text, err := json.Marshal(d["components"].(map[string]any)["schemas"])
	want := `{"inner":{"additionalProperties":false,"properties":{"kind":{"enum":["a","b"],"type":"string"}},"required":["kind"],"type":"object"},` +
		`"outer":{"additionalProperties":false,"properties":{"list":{"items":{"$ref":"#/components/schemas/inner"},"type":"array"},` +
		`"mood":{"enum":["good","bad",null],"type":["string","null"]},"name":{"description":"What it is called.","type":"string"},` +
		`"one":{"anyOf":[{"$ref":"#/components/schemas/inner"},{"type":"null"}]},"rates":{"additionalProperties":{"type":"number"},"type":"object"},"raw":{},` +
		`"share":{"maximum":1,"minimum":0,"type":["number","null"]}},"required":["name","share","list","one","mood"],"type":"object"}}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

func TestTypesWithoutSchemaPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a channel has a schema")
		}
	}()
	openapi.Document(openapi.Info{}, []openapi.Route{{Method: "GET", Path: "/", Body: make(chan int)}})
}

func Example() {
	d := openapi.Document(openapi.Info{Title: "greetings", Version: "1"}, []openapi.Route{
		{Method: "GET", Path: "/hello/{name}", Summary: "Greet", Answers: map[int]openapi.Answer{204: {Doc: "Greeted"}}},
	})
	text, err := json.Marshal(d["paths"])
	fmt.Println(string(text), err)
	// Output:
	// {"/hello/{name}":{"get":{"operationId":"getHelloName","parameters":[{"in":"path","name":"name","required":true,"schema":{"type":"string"}}],"responses":{"204":{"description":"Greeted"}},"summary":"Greet"}}} <nil>
}
