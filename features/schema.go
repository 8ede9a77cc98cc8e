package features

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"
)

// schemaVersion is raised whenever a schema of an older version would encode
// differently.
const schemaVersion = 1

// A Schema is everything fitted on the training split to encode journeys.
//
// A [Fitter] makes it, [Schema.FitNormalizer] completes it. From then on it is
// never changed and may be shared by any number of encoders. Its JSON form
// holds all of it: reading it back gives the same bits, and is checked by
// [Schema.Validate].
type Schema struct {
	Version    int            `json:"version"`
	Options    Options        `json:"options"`
	Layout     Layout         `json:"layout"`
	Profile    []FieldSummary `json:"profile"`            // one for each of Layout.Profile
	Attributes []FieldSummary `json:"attributes"`         // one for each of Layout.Event
	Journeys   int            `json:"journeys"`           // customers it was fitted on
	Events     int            `json:"events"`             // events it was fitted on; without any there are no event columns
	Types      []string       `json:"types"`              // known event types by falling number of journeys; ids 2, 3, ...
	Frequent   int            `json:"frequent"`           // the first so many types have columns of their own
	Windows    []int64        `json:"windows"`            // microseconds, ascending
	Answers    []Answer       `json:"answered,omitempty"` // at most one for each frequent type, in their order; none but with one cutoff for all
	Rhythms    Rhythms        `json:"rhythms"`
	Normalizer *Normalizer    `json:"normalizer,omitempty"`
	Habits     []HabitScale   `json:"habits,omitempty"` // of each of HabitColumns; nil before FitNormalizer, and where training had no events

	TokenNormalizer *TokenNormalizer `json:"token_normalizer,omitempty"` // nil where no network reads the events one by one

	compiled *compiled // lookups made from the fields above; never nil in a usable schema
}

// Rhythms is what the training split showed of time. It decides which families
// of features are drawn and what a silence is compared with.
type Rhythms struct {
	Clock          bool    `json:"clock"`            // some event is not at midnight, so hours and weekdays mean something
	MonthDays      bool    `json:"month_days"`       // the cutoffs cover a month and a half, so days of the month repeat
	Months         bool    `json:"months"`           // the cutoffs cover a year and a half, so months repeat
	OneMoment      bool    `json:"one_moment"`       // all cutoffs are the same instant
	LogGapMean     float64 `json:"log_gap_mean"`     // of log1p of the seconds between events
	LogGapVariance float64 `json:"log_gap_variance"` // of the same
}

// A FieldSummary is what the training split showed of one field.
type FieldSummary struct {
	Name    string   `json:"name"`
	Kind    Kind     `json:"kind"`
	Dropped string   `json:"dropped,omitempty"` // why the field has no columns: DroppedConstant, DroppedMissing or DroppedIdentifier; "" when it has
	Levels  []string `json:"levels,omitempty"`  // known levels of a categorical field by falling number of customers; ids 2, 3, ...
	Dated   bool     `json:"dated,omitempty"`   // the columns of an event's attribute tell how long ago each level was met last; see Fitter.date
	Middle  float64  `json:"middle,omitempty"`  // of a dated numeric attribute's range: its two levels lie below and above
}

// Why a field has no columns.
const (
	DroppedConstant   = "constant"    // the same value everywhere, never missing
	DroppedMissing    = "all missing" // no value anywhere
	DroppedIdentifier = "identifier"  // it names rows rather than describing them
)

// A Column is one number or category of an encoded example.
type Column struct {
	Name  string // unique, such as "event:purchase/count_30d"
	Group string // the concept it stems from: a profile field's name, "event:purchase", "attribute:amount" or "timing"
	Kind  Kind
}

// Ids of every vocabulary before the known levels.
const (
	MissingID    = 0 // no value
	UnseenID     = 1 // a value that training saw never, or in fewer than Options.MinCount journeys
	FirstKnownID = 2
)

// compiled holds the lookups of a schema.
type compiled struct {
	columns    []Column
	numeric    int        // columns[:numeric] are numeric
	levels     [][]string // of each categorical column
	families   []*family
	profile    []fieldCode // kept profile fields
	numbers    []fieldCode // kept numeric event attributes
	categories []fieldCode // kept categorical event attributes
	types      map[string]int32
	answeredBy []int // of each frequent type: what answers it, or -1
}

// A fieldCode reads one field of a profile or an event.
type fieldCode struct {
	FieldSummary
	at  int              // position in the layout
	ids map[string]int32 // of a categorical field
}

// compile makes the lookups; the schema has been validated but for its columns.
// Lookups that have not changed are kept: a schema in use is validated again by
// whoever opens another scorer of its bundle, and encoders hold on to them.
func (s *Schema) compile() {
	fresh := *s
	fresh.lookUp()
	if s.compiled == nil || !reflect.DeepEqual(s.compiled, fresh.compiled) {
		s.compiled = fresh.compiled
	}
}

// lookUp makes the lookups anew.
func (s *Schema) lookUp() {
	c := &compiled{types: idsOf(s.Types), profile: codesOf(s.Profile), answeredBy: s.answeredBy()}
	for _, code := range codesOf(s.Attributes) {
		if code.Kind == Numeric {
			c.numbers = append(c.numbers, code)
		} else {
			c.categories = append(c.categories, code)
		}
	}
	s.compiled = c
	var categorical []Column
	for i := range families {
		f := &families[i]
		if !s.draws(f) {
			continue
		}
		c.families = append(c.families, f)
		for _, column := range f.columns(s) {
			if column.Kind == Numeric {
				c.columns = append(c.columns, column)
			} else {
				categorical = append(categorical, column)
			}
		}
		if f.levels != nil {
			c.levels = append(c.levels, f.levels(s)...)
		}
	}
	c.numeric = len(c.columns)
	c.columns = append(c.columns, categorical...)
}

// draws says whether a family is part of the schema.
func (s *Schema) draws(f *family) bool {
	switch {
	case f.events && s.Events == 0 || slices.Contains(s.Options.Without, f.name):
		return false
	case f.suits == nil || slices.Contains(s.Options.With, f.name):
		return true
	}
	return f.suits(s)
}

// codesOf makes the readers of the fields that have columns.
func codesOf(fields []FieldSummary) []fieldCode {
	var codes []fieldCode
	for i, field := range fields {
		if field.Dropped == "" {
			codes = append(codes, fieldCode{FieldSummary: field, at: i, ids: idsOf(field.Levels)})
		}
	}
	return codes
}

func idsOf(levels []string) map[string]int32 {
	ids := make(map[string]int32, len(levels))
	for i, level := range levels {
		ids[level] = FirstKnownID + int32(i)
	}
	return ids
}

// idOf looks a level up.
func idOf(ids map[string]int32, level string) int32 {
	if level == "" {
		return MissingID
	}
	if id, ok := ids[level]; ok {
		return id
	}
	if utf8.ValidString(level) {
		return UnseenID
	}
	if id, ok := ids[validText(level)]; ok {
		return id
	}
	return UnseenID
}

// Columns lists the columns of an example, in order: the numeric ones, as in
// Example.Numeric, and then the categorical ones, as in Example.Category.
func (s *Schema) Columns() []Column { return slices.Clone(s.compiled.columns) }

// Levels are the known levels of each categorical column; ids count from
// [FirstKnownID].
func (s *Schema) Levels() [][]string { return s.compiled.levels }

// Hash is the SHA-256 of the schema's JSON form, in hexadecimal. Two schemas
// encode alike exactly when their hashes are equal.
func (s *Schema) Hash() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("features: schema cannot be written: %v", err)) // every value in it was checked to be finite
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// UnmarshalJSON reads a schema and validates it. An unknown key is an error.
func (s *Schema) UnmarshalJSON(text []byte) error {
	type plain Schema // without this method
	var read plain
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return fmt.Errorf("features: schema: %w", err)
	}
	fresh := Schema(read)
	if err := fresh.Validate(); err != nil {
		return err
	}
	*s = fresh
	return nil
}
