package serve

import "encoding/json"

// This file is what clients see: the types of requests and responses. The
// OpenAPI document is written from them. What journeys look like is decided by
// package journeyjson, which decodes them without these types, and a test holds
// the two against each other.

// A Moment is a point in time, in a request.
type Moment struct{}

// JSONSchema describes what journeyjson reads.
func (Moment) JSONSchema() map[string]any {
	return map[string]any{
		"type":        []string{"string", "number"},
		"description": "A date, a date and time such as 2026-06-01T12:00:00+02:00 (without a zone it is in the task's), or seconds or milliseconds since 1970.",
	}
}

// A Name is a text that may be written as a number.
type Name struct{}

// JSONSchema describes what journeyjson reads.
func (Name) JSONSchema() map[string]any {
	return map[string]any{"type": []string{"string", "number"}, "description": "A text that is not empty, or a number, which stands for its text."}
}

// Values are columns of the bundle by name.
type Values struct{}

// JSONSchema describes what journeyjson reads.
func (Values) JSONSchema() map[string]any {
	return map[string]any{
		"type": "object", "additionalProperties": cell,
		"description": "Columns of the model by name; see /v1/models. One that is left out, null or an empty text is missing.",
	}
}

var cell = map[string]any{"type": []string{"string", "number", "boolean", "null"}}

// An EventRequest is one event of a request.
type EventRequest struct {
	Time       Moment  `json:"time"`
	Type       Name    `json:"type" doc:"What happened, such as purchase."`
	ID         *Name   `json:"id,omitempty" doc:"Of the event, unique among its customer's: a stored event is not stored again."`
	Attributes *Values `json:"attributes,omitempty" doc:"May stand in the event itself, too, except those named time, type, id or attributes."`
}

// JSONSchemaAdditional says that attributes stand in the event itself.
func (EventRequest) JSONSchemaAdditional() any { return cell }

// A JourneyRequest is one journey of a request to score several.
type JourneyRequest struct {
	Customer *Name          `json:"customer,omitempty" doc:"Comes back with the scores; it is no part of them."`
	At       *Moment        `json:"at,omitempty" doc:"The moment of the score: only earlier events are seen. Default: now, with all events."`
	Profile  *Values        `json:"profile,omitempty"`
	Events   []EventRequest `json:"events,omitempty" doc:"In any order."`
}

// A ScoreRequest is the body of POST /v1/score: one journey, or journeys.
type ScoreRequest struct {
	Model   string `json:"model,omitempty" doc:"Default: the only bundle that is served."`
	Version string `json:"version,omitempty" doc:"Default: the live one."`
	Reasons int    `json:"reasons,omitempty" min:"0" max:"100" doc:"How many reasons to give for each target and the anomaly."`
	Moments bool   `json:"moments,omitempty" doc:"Say what each event did to the scores."`
	JourneyRequest
	Journeys []JourneyRequest `json:"journeys,omitempty" doc:"Many journeys, in place of one."`
}

// An EventsRequest is the body of POST /v1/customers/{id}/events.
type EventsRequest struct {
	Model   string         `json:"model,omitempty" doc:"Default: the only bundle that is served."`
	Version string         `json:"version,omitempty" doc:"Default: the live one."`
	Reasons int            `json:"reasons,omitempty" min:"0" max:"100" doc:"How many reasons to give for each target and the anomaly."`
	Moments bool           `json:"moments,omitempty" doc:"Say what each event did to the scores."`
	At      *Moment        `json:"at,omitempty" doc:"The moment of the score. Default: now."`
	Profile *Values        `json:"profile,omitempty" doc:"What is new of the profile; what it leaves out stays as it was."`
	Events  []EventRequest `json:"events,omitempty" doc:"To append."`
}

// A Scored is what a bundle says about one journey.
type Scored struct {
	Customer     string             `json:"customer,omitempty"`
	Cutoff       *string            `json:"cutoff" format:"date-time" doc:"The last moment that was seen; null for a profile that no time is known of."`
	Events       int                `json:"events" min:"0" doc:"How many were seen."`
	Scores       map[string]float32 `json:"scores" doc:"Calibrated probabilities by target."`
	Anomaly      *float64           `json:"anomaly" doc:"Conformal p-value: a normal journey is this unusual or more with this probability. Null where the bundle does not look for anomalies."`
	AnomalyScore *float64           `json:"anomaly_score" doc:"The larger, the stranger."`
	Direction    *string            `json:"anomaly_direction" enum:"positive,negative,mixed" doc:"Whether there is more or less than was expected of what makes it strange."`
	Reasons      []ReasonGiven      `json:"reasons,omitempty" doc:"By target, the anomaly last; each by falling size."`
	Moments      *Moments           `json:"moments,omitempty"`
}

// A ReasonGiven is what one group of columns did to a score.
type ReasonGiven struct {
	Target string  `json:"target" doc:"A target's name, or anomaly."`
	Group  string  `json:"group" doc:"A column of the profile, or such as event:purchase, attribute:amount, timing."`
	Impact float64 `json:"impact" doc:"In probability; for the anomaly the group's share of the score. Rounded to four digits."`
}

// Moments are the course of a journey's scores.
type Moments struct {
	Start  map[string]float32 `json:"start" doc:"Before the first event."`
	Final  map[string]float32 `json:"final" doc:"At the cutoff."`
	Events []EventExplained   `json:"events"`
}

// An EventExplained is one event and what it did.
type EventExplained struct {
	Time   string              `json:"time" format:"date-time"`
	Type   string              `json:"type"`
	After  map[string]float32  `json:"after" doc:"The scores right after the event; null long before the last."`
	Impact map[string]*float64 `json:"impact" doc:"What the final score would lack without the event, in probability; null where it was not measured."`
}

// A ScoreResponse is the answer to a request to score one journey.
type ScoreResponse struct {
	Model   string `json:"model"`
	Version string `json:"version" doc:"Of the bundle's content."`
	Scored
}

// A ScoresResponse is the answer to a request to score journeys.
type ScoresResponse struct {
	Model    string   `json:"model"`
	Version  string   `json:"version" doc:"Of the bundle's content."`
	Journeys []Scored `json:"journeys" doc:"In the order of the request."`
}

// A CustomerResponse is what is known of a stored customer.
type CustomerResponse struct {
	Model   string        `json:"model"`
	Version string        `json:"version" doc:"Of the bundle's content."`
	Stored  *StoredEvents `json:"stored,omitempty" doc:"What became of the events of a request."`
	Scored
}

// StoredEvents say what became of the events of a request.
type StoredEvents struct {
	New        int `json:"new" min:"0"`
	Duplicates int `json:"duplicates" min:"0" doc:"Whose id the customer already had: not stored again."`
}

// A ModelsResponse is the answer to GET /v1/models.
type ModelsResponse struct {
	Models []ModelDescribed `json:"models"`
}

// A ModelDescribed is one model that is served.
type ModelDescribed struct {
	Name      string            `json:"name"`
	Kind      string            `json:"kind" enum:"bundle,onnx" doc:"The journey API scores with bundles only."`
	Version   string            `json:"version" doc:"That is live; empty for none."`
	Versions  []string          `json:"versions" doc:"That can be asked for."`
	Ready     bool              `json:"ready"`
	Reason    string            `json:"reason,omitempty" doc:"Why no version is live, or why what the folder holds now is not offered."`
	Pinned    string            `json:"pinned,omitempty"`
	Shadow    string            `json:"shadow,omitempty" doc:"Version that is compared with the live one."`
	Loaded    *string           `json:"loaded" format:"date-time"`
	Targets   []TargetDescribed `json:"targets"`
	Anomaly   bool              `json:"anomaly" doc:"Whether it looks for anomalies."`
	AlertRate float64           `json:"alert_rate" doc:"The share of normal journeys whose anomaly may be at or below it."`
	Profile   []ColumnDescribed `json:"profile"`
	Event     []ColumnDescribed `json:"event" doc:"Attributes of events."`
	Types     []string          `json:"types" doc:"Of events that training knew."`
	Metrics   json.RawMessage   `json:"metrics,omitempty" doc:"Figures of the evaluation."`
}

// A TargetDescribed is one target of a bundle.
type TargetDescribed struct {
	Name         string   `json:"name"`
	PositiveRate *float64 `json:"positive_rate" doc:"Share of positives among training examples."`
}

// A ColumnDescribed is one column of profiles or events.
type ColumnDescribed struct {
	Name string `json:"name"`
	Kind string `json:"kind" enum:"numeric,categorical"`
}

// An ErrorResponse says what was wrong.
type ErrorResponse struct {
	Error string `json:"error"`
}
