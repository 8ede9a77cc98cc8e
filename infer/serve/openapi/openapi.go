// Package openapi writes an OpenAPI 3.1 document from Go types and a table of
// routes, so that what is documented is what is served.
//
// Types are read the way encoding/json does: members are exported fields, named
// by their json tag; those without omitempty are required. A pointer that is not
// omitempty, a map and a slice may not be left out, but a pointer and a map may
// be null. Further tags are doc, format, enum, min and max. A type that has a
// method JSONSchema describes itself.
package openapi

import (
	"reflect"
	"strconv"
	"strings"
)

// A Describer describes its JSON itself.
type Describer interface{ JSONSchema() map[string]any }

// An Additional object has further members, each of the schema.
type Additional interface{ JSONSchemaAdditional() any }

// A Route is one operation.
type Route struct {
	Method, Path string // as http.ServeMux has it, with {parameters}
	Summary      string
	Query        []Parameter
	Body         any            // a value of the type of the request's body; nil for none
	Answers      map[int]Answer // by status
}

// A Parameter stands in the query.
type Parameter struct {
	Name, Doc string
	Type      string // of JSON Schema
}

// An Answer is a response.
type Answer struct {
	Doc  string
	Body []any // values of the types that it may have; none for no body
}

// Info is the head of a document.
type Info struct {
	Title, Version, Description string
}

// Document is the document of the routes, ready for encoding/json.
func Document(info Info, routes []Route) map[string]any {
	g := &generator{schemas: map[string]any{}}
	paths := map[string]any{}
	for i := range routes {
		r := &routes[i]
		item, ok := paths[r.Path].(map[string]any)
		if !ok {
			item = map[string]any{}
			paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = g.operation(r)
	}
	return map[string]any{
		"openapi":    "3.1.0",
		"info":       map[string]any{"title": info.Title, "version": info.Version, "description": info.Description},
		"paths":      paths,
		"security":   []any{map[string]any{"bearer": []string{}}, map[string]any{}},
		"components": map[string]any{"schemas": g.schemas, "securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer"}}},
	}
}

// A generator gathers the schemas of named types.
type generator struct{ schemas map[string]any }

func (g *generator) operation(r *Route) map[string]any {
	o := map[string]any{"summary": r.Summary, "operationId": operationID(r)}
	var parameters []any
	for _, part := range strings.Split(r.Path, "/") {
		if strings.HasPrefix(part, "{") {
			parameters = append(parameters, map[string]any{"name": strings.Trim(part, "{}"), "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
	}
	for _, p := range r.Query {
		parameters = append(parameters, map[string]any{"name": p.Name, "in": "query", "description": p.Doc, "schema": map[string]any{"type": p.Type}})
	}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if r.Body != nil {
		o["requestBody"] = map[string]any{"required": true, "content": g.content(r.Body)}
	}
	answers := map[string]any{}
	for status, a := range r.Answers {
		answer := map[string]any{"description": a.Doc}
		if len(a.Body) > 0 {
			answer["content"] = g.content(a.Body...)
		}
		answers[strconv.Itoa(status)] = answer
	}
	o["responses"] = answers
	return o
}

// operationID is the method and the names in the path: getV1CustomersId.
func operationID(r *Route) string {
	id := strings.ToLower(r.Method)
	for _, part := range strings.FieldsFunc(r.Path, func(c rune) bool { return strings.ContainsRune("/{}.", c) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

func (g *generator) content(bodies ...any) map[string]any {
	var schemas []any
	for _, body := range bodies {
		schemas = append(schemas, g.schema(reflect.TypeOf(body)))
	}
	schema := schemas[0]
	if len(schemas) > 1 {
		schema = map[string]any{"oneOf": schemas}
	}
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

var describer, rawMessage = reflect.TypeFor[Describer](), reflect.TypeFor[interface{ MarshalJSON() ([]byte, error) }]()

// schema is the schema of a type: a reference where it is a named struct.
func (g *generator) schema(t reflect.Type) any {
	if t.Implements(describer) && t.Kind() != reflect.Pointer {
		return reflect.Zero(t).Interface().(Describer).JSONSchema()
	}
	if t.Implements(rawMessage) {
		return map[string]any{} // anything
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.schema(t.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.schema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": nullable(t.Elem(), g.schema(t.Elem()))}
	case reflect.Struct:
		return g.reference(t)
	}
	if t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 {
		return map[string]any{"type": "integer"}
	}
	panic("openapi: no schema for " + t.String()) // a mistake in the types
}

func (g *generator) reference(t reflect.Type) any {
	if _, ok := g.schemas[t.Name()]; !ok {
		g.schemas[t.Name()] = nil // known while it is described
		g.schemas[t.Name()] = g.object(t)
	}
	return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
}

func (g *generator) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	g.members(t, properties, &required)
	o := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	if a, ok := reflect.Zero(t).Interface().(Additional); ok {
		o["additionalProperties"] = a.JSONSchemaAdditional()
	}
	return o
}

// members adds the members of a struct, those of embedded ones among them.
func (g *generator) members(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			g.members(field.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		optional := strings.Contains(options, "omitempty")
		schema := g.schema(field.Type)
		if !optional {
			*required = append(*required, name)
			schema = nullable(field.Type, schema)
		}
		properties[name] = tagged(schema, field.Tag)
	}
}

// nullable lets a pointer or map be null.
func nullable(t reflect.Type, schema any) any {
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Map {
		return schema
	}
	s := schema.(map[string]any)
	if name, ok := s["type"].(string); ok {
		s["type"] = []string{name, "null"}
		return s
	}
	return map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}
}

// tagged adds what tags say.
func tagged(schema any, tag reflect.StructTag) any {
	s := schema.(map[string]any)
	if doc := tag.Get("doc"); doc != "" {
		if inner, ok := s["description"]; ok {
			doc += " " + inner.(string)
		}
		s["description"] = doc
	}
	if format := tag.Get("format"); format != "" {
		s["format"] = format
	}
	for key, name := range map[string]string{"min": "minimum", "max": "maximum"} {
		if x, err := strconv.ParseFloat(tag.Get(key), 64); err == nil {
			s[name] = x
		}
	}
	if enum := tag.Get("enum"); enum != "" {
		var values []any
		for _, v := range strings.Split(enum, ",") {
			values = append(values, v)
		}
		if _, ok := s["type"].([]string); ok {
			values = append(values, nil)
		}
		s["enum"] = values
	}
	return s
}
