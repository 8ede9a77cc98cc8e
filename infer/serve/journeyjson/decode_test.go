package journeyjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"moments/features"
	"moments/infer/serve/jsontext"
)

// shop is the format of journeys with a column of every kind, some of whose
// names are those of an event's own keys.
var shop = New(&features.Schema{
	Events: 1,
	Layout: features.Layout{
		Profile: []features.Field{{Name: "age", Kind: features.Numeric}, {Name: "plan", Kind: features.Categorical}},
		Event: []features.Field{{Name: "amount", Kind: features.Numeric}, {Name: "channel", Kind: features.Categorical},
			{Name: "type", Kind: features.Categorical}, {Name: "at", Kind: features.Numeric}},
	},
}, features.CutoffRule{}, nil)

const noon = 1767268800 * features.Second // 2026-01-01T12:00:00Z

func decodeJourney(f *Format, text string) (Journey, error) {
	var d Decoder
	var j Journey
	err := d.Journey(f, text, &j)
	return j, err
}

// number and text make what a table of values wants.
func values(all ...any) []features.Value {
	out := make([]features.Value, len(all))
	for i, v := range all {
		out[i] = features.Missing()
		switch v := v.(type) {
		case float64:
			out[i] = features.Number(v)
		case string:
			out[i] = features.Text(v)
		}
	}
	return out
}

// same compares values bit by bit, for missing ones are NaN.
func same(a, b []features.Value) bool {
	return slices.EqualFunc(a, b, func(x, y features.Value) bool {
		return math.Float64bits(x.Number) == math.Float64bits(y.Number) && x.Text == y.Text
	})
}

func TestJourneyReadsValues(t *testing.T) {
	for _, test := range []struct {
		name, event string
		want        []features.Value
	}{
		{"in their columns", `"amount": 1.5, "channel": "web"`, values(1.5, "web", nil, nil)},
		{"none", ``, values(nil, nil, nil, nil)},
		{"null", `"amount": null, "channel": null`, values(nil, nil, nil, nil)},
		{"empty texts are missing", `"amount": "", "channel": ""`, values(nil, nil, nil, nil)},
		{"space around texts goes, as in files", `"amount": " 2 ", "channel": "\tweb\n"`, values(2., "web", nil, nil)},
		{"numbers as texts", `"amount": "-1e3"`, values(-1000., nil, nil, nil)},
		{"spellings of missing numbers", `"amount": "NA", "channel": "NA"`, values(nil, "NA", nil, nil)},
		{"numbers as categories are as written", `"channel": 1.50`, values(nil, "1.50", nil, nil)},
		{"booleans as categories", `"channel": true`, values(nil, "true", nil, nil)},
		{"escapes", `"channel": "\u00e9\n\ud83d\ude00\/x"`, values(nil, "é\n😀/x", nil, nil)},
		{"escaped keys", `"ch\u0061nnel": "web"`, values(nil, "web", nil, nil)},
		{"names of own keys under attributes", `"attributes": {"type": "special", "amount": 3}, "at": 7`, values(3., nil, "special", 7.)},
		{"the smallest numbers", `"amount": 4.9e-324, "at": -0`, values(4.9e-324, nil, nil, math.Copysign(0, -1))},
	} {
		event := `{"time": 1767268800, "type": "visit"` + strings.TrimSuffix(", "+test.event, ", ") + `}`
		j, err := decodeJourney(shop, `{"events": [`+event+`]}`)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := j.Events[0]; got.Time != noon || got.Type != "visit" || !same(got.Values, test.want) {
			t.Errorf("%s: got %+v, want %v", test.name, got, test.want)
		}
	}
}

func TestJourneyReadsAll(t *testing.T) {
	j, err := decodeJourney(shop, ` { "events" : [
		{"type": "b", "time": "2026-01-01T14:30:00+02:00", "id": "e1"},
		{"type": "a", "time": "2026-01-01 12:00"},
		{"type": 7, "time": 1767270600000, "id": 3} ],
	"profile": {"plan": "basic", "age": 44}, "customer": 17, "at": "2026-01-02"} `)
	if err != nil {
		t.Fatal(err)
	}
	if j.Customer != "17" || j.At != noon+features.Day/2 || !same(j.Profile, values(44., "basic")) {
		t.Errorf("got %+v, want customer 17, the next midnight and a profile", j)
	}
	types, times, offsets := "", []int64{}, []int32{}
	for _, e := range j.Events {
		types, times, offsets = types+e.Type, append(times, e.Time), append(offsets, e.Offset)
	}
	if types != "ab7" || !slices.Equal(j.IDs, []string{"", "e1", "3"}) || !slices.Equal(offsets, []int32{0, 7200, 0}) {
		t.Errorf("got types %s, ids %v, offsets %v, want them in the order of time, equal times as they came", types, j.IDs, offsets)
	}
	if want := []int64{noon, noon + 30*features.Minute, noon + 30*features.Minute}; !slices.Equal(times, want) {
		t.Errorf("got times %v, want %v", times, want)
	}
	if j, err := decodeJourney(shop, `{}`); err != nil || j.Profile != nil || j.Events != nil || j.At != features.NoLimit || j.IDs != nil {
		t.Errorf("{}: got %+v, %v, want a journey of nothing", j, err)
	}
}

// TestJourneyRefuses names bad input by its fault.
func TestJourneyRefuses(t *testing.T) {
	event := func(rest string) string { return `{"events": [{"time": 1, "type": "a"` + rest + `}]}` }
	for _, test := range []struct{ name, text, want string }{
		{"nothing", ``, `got the end of the text, want an object`},
		{"no object", `[]`, `got '[', want an object`},
		{"unfinished", `{"customer": "a"`, `byte 16: got the end of the text, want a comma or '}'`},
		{"more", `{} {}`, `byte 3: got '{' after the value`},
		{"a trailing comma", `{"customer": "a",}`, `byte 17`},
		{"an unknown key", `{"cusomer": "a"}`, `unknown field "cusomer", want customer, at, profile or events`},
		{"a key of requests", `{"model": "a"}`, `unknown field "model"`},
		{"a key twice", `{"customer": "a", "customer": "a"}`, `customer: given twice`},
		{"a key twice, once escaped", `{"customer": "a", "custom\u0065r": "a"}`, `customer: given twice`},
		{"an empty customer", `{"customer": " "}`, `customer: got "", want a text that is not empty`},
		{"a customer that is none", `{"customer": {}}`, `customer: got an object`},
		{"an impossible day", `{"at": "2026-02-30"}`, `at: time "2026-02-30" names a day that does not exist`},
		{"a time of another kind", `{"at": true}`, `at: got true, want a time`},
		{"a profile that is none", `{"profile": []}`, `profile: got '[', want an object`},
		{"an unknown column", `{"profile": {"agee": 1}}`, `profile: unknown field "agee", want one of age, plan`},
		{"a column twice", `{"profile": {"age": 1, "age": 2}}`, `profile.age: given twice`},
		{"a text in numbers", `{"profile": {"age": "old"}}`, `profile.age: got "old", want a finite number`},
		{"a boolean in numbers", `{"profile": {"age": true}}`, `profile.age: got true, want a finite number`},
		{"a number out of range", `{"profile": {"age": 1e999}}`, `profile.age: got 1e999, want a finite number`},
		{"an infinite text", `{"profile": {"age": "inf"}}`, `want a finite number`},
		{"NaN", `{"profile": {"age": NaN}}`, `got NaN, which is not JSON: leave the value out`},
		{"Infinity", `{"profile": {"age": Infinity}}`, `got Infinity, which is not JSON`},
		{"a nested value", `{"profile": {"age": [1]}}`, `profile.age: got an array, want a value`},
		{"a hexadecimal number", `{"profile": {"age": 0x10}}`, `want a comma`},
		{"a leading zero", `{"profile": {"age": 01}}`, `leading zero`},
		{"a bare point", `{"profile": {"age": 1.}}`, `want a digit after the point`},
		{"a plus sign", `{"profile": {"age": +1}}`, `want a value`},
		{"events that are none", `{"events": {}}`, `events: got '{', want an array`},
		{"an event that is none", `{"events": [3]}`, `events[0]: got '3', want an object`},
		{"an event without time", `{"events": [{"type": "a"}]}`, `events[0]: time is missing`},
		{"an event without type", `{"events": [{"time": 1}]}`, `events[0]: type is missing`},
		{"an unknown attribute", event(`, "amont": 1`), `events[0]: unknown field "amont", want time, type, id, attributes or one of amount, channel, type, at`},
		{"an attribute twice", event(`, "amount": 1, "attributes": {"amount": 1}`), `events[0].attributes.amount: given twice`},
		{"a type twice", event(`, "type": "b"`), `events[0].type: given twice`},
		{"a later event", `{"events": [{"time": 1, "type": "a"}, {"time": "x", "type": "a"}]}`, `events[1].time: time "x" is not a time`},
		{"a control character", "{\"customer\": \"a\x01\"}", `control character 0x01`},
		{"an unknown escape", `{"customer": "\x41"}`, `got the escape \x`},
		{"half a pair", `{"customer": "\ud800"}`, `half a surrogate pair`},
		{"half a pair and another", `{"customer": "\ud800\u0041"}`, `half a surrogate pair`},
		{"bad UTF-8", "{\"customer\": \"\xff\"}", `not valid UTF-8`},
		{"bad UTF-8 after an escape", "{\"customer\": \"\\n\xff\"}", `not valid UTF-8`},
		{"a short escape", `{"customer": "\u12`, `the string has no end`},
		{"a bad escape", `{"customer": "\u12g4"}`, `want four hexadecimal digits`},
		{"a comment", `{} // x`, `after the value`},
	} {
		_, err := decodeJourney(shop, test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "journeyjson: ") {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	table := New(&features.Schema{}, features.CutoffRule{}, nil)
	if _, err := decodeJourney(table, `{"events": []}`); err == nil || !strings.Contains(err.Error(), "trained without events") {
		t.Errorf("events for a bundle of tables: got %v, want it refused", err)
	}
}

func TestRequestForms(t *testing.T) {
	var d Decoder
	var r Request
	one := `{"model": "m", "version": "v", "reasons": 2, "moments": true, "customer": "a", "events": []}`
	if err := d.Request(shop, ScoreForm, one, &r); err != nil || r.Model != "m" || r.Version != "v" || r.Reasons != 2 || !r.Moments || r.Many || r.Journeys[0].Customer != "a" {
		t.Errorf("one: got %+v, %v", r, err)
	}
	many := `{"journeys": [{"customer": "a"}, {"at": 5, "customer": "b", "events": [{"time": 1, "type": "x"}]}], "at": 7}`
	if err := d.Request(shop, ScoreForm, many, &r); err != nil || !r.Many || len(r.Journeys) != 2 || r.Model != "" || r.Reasons != 0 {
		t.Fatalf("many: got %+v, %v", r, err)
	}
	if a, b := r.Journeys[0], r.Journeys[1]; a.At != 7*features.Second || b.At != 5*features.Second || b.Events[0].Type != "x" {
		t.Errorf("many: got %+v and %+v, want the moment beside the list for the first alone", a, b)
	}
	if err := d.Request(shop, ScoreForm, `{"journeys": []}`, &r); err != nil || len(r.Journeys) != 0 {
		t.Errorf("none: got %+v, %v", r, err)
	}
	for _, test := range []struct {
		form       Form
		text, want string
	}{
		{ScoreForm, `{"journeys": [], "customer": "a"}`, "customer stands beside journeys"},
		{ScoreForm, `{"journeys": [{"customer": "a"}, {"profile": {"age": "x"}}]}`, `journeys[1].profile.age: got "x"`},
		{ScoreForm, `{"journeys": [{"events": [{"time": 1, "type": ""}]}]}`, `journeys[0].events[0].type: got ""`},
		{ScoreForm, `{"journeys": {}}`, "journeys: got '{', want an array"},
		{ScoreForm, `{"reasons": 101}`, "reasons: got 101, want a whole number from 0 to 100"},
		{ScoreForm, `{"reasons": 1.5}`, "reasons: got 1.5"},
		{ScoreForm, `{"moments": "yes"}`, `moments: got "yes", want true or false`},
		{ScoreForm, `{"x": 1}`, `unknown field "x", want model, version, reasons, moments, at, journeys, customer, profile or events`},
		{EventsForm, `{"customer": "a"}`, `unknown field "customer"`},
		{EventsForm, `{"journeys": []}`, `unknown field "journeys"`},
	} {
		if err := d.Request(shop, test.form, test.text, &r); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.text, err, test.want)
		}
	}
}

func TestLimits(t *testing.T) {
	var r Request
	d := Decoder{MaxJourneys: 2, MaxEvents: 3}
	for range 2 { // the limits are those of one request
		if err := d.Request(shop, ScoreForm, `{"journeys": [{"events": [{"time": 1, "type": "a"}, {"time": 1, "type": "a"}]}, {"events": [{"time": 1, "type": "a"}]}]}`, &r); err != nil {
			t.Error(err)
		}
	}
	for text, want := range map[string]string{
		`{"journeys": [{}, {}, {}]}`: "journeys[2]: the request is too long: more than 2 journeys",
		`{"events": [` + strings.Repeat(`{"time": 1, "type": "a"},`, 1_000_000) + `]}`: "events[3]: the request is too long: more than 3 events",
	} {
		if err := d.Request(shop, ScoreForm, text, &r); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", text, err, want)
		}
	}
}

func TestTarget(t *testing.T) {
	deep := strings.Repeat("[", jsontext.MaxDepth-1) + strings.Repeat("]", jsontext.MaxDepth-1)
	model, version, err := Target(`{"events": [{"a": [1, {}, []], "b": {"c": "]}"}}, true], "model": "m", "x": ` + deep + `, "version": "v"}`)
	if err != nil || model != "m" || version != "v" {
		t.Errorf("got %q, %q, %v, want m, v", model, version, err)
	}
	if model, version, err := Target(`{"events": ["\"model\": 1", {"model": "x"}], "m\u006fdel": "m"}`); err != nil || model != "m" || version != "" {
		t.Errorf("got %q, %q, %v, want m and no version", model, version, err)
	}
	for _, text := range []string{``, `[]`, `{"a": [}`, `{"a": x}`, `{"a" [1]}`, `{"model": 1}`, `{"model": ""}`, `{"model": null}`, `{} x`, `{"a": ` + "[" + deep + "]" + `}`,
		`{"a":` + strings.Repeat(`{"a":`, 1_000_000)} {
		if _, _, err := Target(text); err == nil || !strings.HasPrefix(err.Error(), "journeyjson: ") {
			t.Errorf("%.40s: got %v, want it refused", text, err)
		}
	}
}

// TestTargetLeavesFaultsToRequest gives bodies that Target accepts, because it
// looks at nothing but quotes and brackets, and demands that Request does not.
func TestTargetLeavesFaultsToRequest(t *testing.T) {
	for _, events := range []string{`[1 2]`, `[{1: 2}]`, `[{"time": 1, "type": "a"]]`, `[nul]`, `[{"time": 01, "type": "a"}]`, "[\"\x01\"]", `[}`} {
		body := `{"model": "m", "events": ` + events + `}`
		if model, _, err := Target(body); err == nil && model != "m" {
			t.Errorf("%s: got model %q, want m", body, model)
		}
		var d Decoder
		if err := d.Request(shop, ScoreForm, body, new(Request)); err == nil {
			t.Errorf("%s: accepted", body)
		}
	}
}

func TestCut(t *testing.T) {
	zoned := New(&features.Schema{Events: 1}, features.CutoffRule{Column: true}, time.FixedZone("", 3600))
	for _, test := range []struct {
		name, text string
		format     *Format
		now        int64
		want       features.Cutoff
		fault      string
	}{
		{"all events", `{"events": [{"time": 1, "type": "a"}, {"time": 9, "type": "a"}]}`, shop, noon, features.Cutoff{Time: 9 * features.Second, Events: 2}, ""},
		{"a fast clock", `{"events": [{"time": 9, "type": "a"}]}`, shop, 5 * features.Second, features.Cutoff{Time: 9 * features.Second, Events: 1}, ""},
		{"the future", `{"events": [{"time": "2999-01-01", "type": "a"}]}`, shop, noon, features.Cutoff{}, "2999-01-01T00:00:00Z lies in the future: it is now 2026-01-01T12:00:00Z"},
		{"a moment", `{"at": 9, "events": [{"time": 1, "type": "a"}, {"time": 9, "type": "a"}]}`, shop, noon, features.Cutoff{Time: 1 * features.Second, Events: 1}, ""},
		{"a moment before", `{"customer": "a", "at": 1, "events": [{"time": 1, "type": "a"}]}`, shop, noon, features.Cutoff{}, `customer "a": none of 1 events is before 1970-01-01T00:00:01Z`},
		{"now, by the rule", `{"events": [{"time": 1, "type": "a"}]}`, zoned, noon, features.Cutoff{Time: noon - 1, Events: 1}, ""},
		{"a moment of the zone", `{"at": "1970-01-01T01:00:09", "events": [{"time": 1, "type": "a"}]}`, zoned, noon, features.Cutoff{Time: 9*features.Second - 1, Events: 1}, ""},
	} {
		j, err := decodeJourney(test.format, test.text)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		switch cut, err := test.format.Cut(&j, test.now); {
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
			t.Errorf("%s: got %v, want %q", test.name, err, test.fault)
		case test.fault == "" && (err != nil || cut != test.want):
			t.Errorf("%s: got %+v, %v, want %+v", test.name, cut, err, test.want)
		}
	}
	if CheckClock(math.MinInt64, math.MaxInt64) != nil || CheckClock(math.MaxInt64, math.MinInt64) == nil {
		t.Error("the clock's check overflows")
	}
}

// reference decodes a journey the slow way, from text that is known to be good.
func reference(t *testing.T, f *Format, text string) Journey {
	var tree struct {
		Customer any
		At       any
		Profile  map[string]any
		Events   []map[string]any
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		t.Fatalf("%q was accepted: %v", text, err)
	}
	written := func(v any) string {
		if v == nil {
			return ""
		}
		return strings.TrimSpace(fmt.Sprint(v))
	}
	fields := func(fields []features.Field, given map[string]any) []features.Value {
		out := make([]features.Value, len(fields))
		for i, field := range fields {
			out[i] = features.Missing()
			if text := written(given[field.Name]); field.Kind == features.Categorical {
				out[i].Text = text
			} else if x, ok := features.ParseNumber(text); ok {
				out[i].Number = x
			}
		}
		return out
	}
	moment := func(v any) (int64, int32) {
		at, offset, _, err := features.ParseTimeIn(written(v), f.zone)
		if err != nil {
			t.Fatalf("%q was accepted: %v", text, err)
		}
		return at, offset
	}
	j := Journey{At: features.NoLimit}
	j.Customer = written(tree.Customer)
	if tree.At != nil {
		j.At, _ = moment(tree.At)
	}
	if tree.Profile != nil {
		j.Profile = fields(f.layout.Profile, tree.Profile)
	}
	ids := []string{}
	for _, given := range tree.Events {
		e := features.Event{Type: written(given["type"])}
		e.Time, e.Offset = moment(given["time"])
		own := map[string]any{}
		for key, v := range given {
			if !slices.Contains([]string(eventKeys), key) {
				own[key] = v
			}
		}
		if inner, ok := given["attributes"].(map[string]any); ok {
			for key, v := range inner {
				own[key] = v
			}
		}
		e.Values = fields(f.layout.Event, own)
		at := len(j.Events)
		for at > 0 && j.Events[at-1].Time > e.Time {
			at--
		}
		j.Events, ids = slices.Insert(j.Events, at, e), slices.Insert(ids, at, written(given["id"]))
	}
	if slices.ContainsFunc(ids, func(id string) bool { return id != "" }) {
		j.IDs = ids
	}
	return j
}

func compare(t *testing.T, text string, got, want Journey) {
	t.Helper()
	equal := got.Customer == want.Customer && got.At == want.At && (got.Profile == nil) == (want.Profile == nil) && same(got.Profile, want.Profile) &&
		reflect.DeepEqual(got.IDs, want.IDs) && slices.EqualFunc(got.Events, want.Events, func(a, b features.Event) bool {
		return a.Time == b.Time && a.Offset == b.Offset && a.Type == b.Type && same(a.Values, b.Values)
	})
	if !equal {
		t.Fatalf("%q:\ngot  %+v\nwant %+v", text, got, want)
	}
}

// FuzzJourney demands of every text that it is refused, or means what the slow
// reference says that it does; and that a decoder that was used before decodes
// as a new one does.
func FuzzJourney(f *testing.F) {
	for _, seed := range []string{
		`{"customer": "c17", "at": "2026-06-01T12:00:00Z", "profile": {"age": 44, "plan": "basic"}, "events": [{"time": "2026-05-30T18:21:05+02:00", "type": "purchase", "amount": 12.5, "channel": null}]}`,
		`{"events": [{"time": 9, "type": "a", "id": 1}, {"time": 3.5, "type": "b", "attributes": {"type": "x", "at": "1e3"}}]}`,
		`{"customer": "\ud83d\ude00", "profile": {}}`, `{"events": [[]]}`, `{"profile": {"age": -0.0e-0}}`, "{\"customer\": \"\xc3\"}", `{"at": 1e3}`,
	} {
		f.Add(seed)
	}
	var used Decoder
	f.Fuzz(func(t *testing.T, text string) {
		var again Journey
		used.Reset()
		errUsed := used.Journey(shop, text, &again)
		j, err := decodeJourney(shop, text)
		if fmt.Sprint(err) != fmt.Sprint(errUsed) {
			t.Fatalf("%q: got %v, and with a used decoder %v", text, err, errUsed)
		}
		if err != nil {
			return
		}
		compare(t, text, again, j)
		compare(t, text, j, reference(t, shop, text))
		if _, _, err := Target(text); err != nil {
			t.Fatalf("%q is a journey but %v", text, err)
		}
		_, _ = shop.Cut(&j, noon)
	})
}

// FuzzRequest demands that whatever is accepted is JSON, and that Target finds
// in it what the request says; and of all JSON that Target finds what is there.
func FuzzRequest(f *testing.F) {
	f.Add(`{"model": "m", "journeys": [{"customer": "a"}, {"events": [{"time": 1, "type": "x"}]}], "reasons": 3, "moments": true, "at": 3}`)
	f.Add(`{"x": [{}, [[], {"y": null}], -1.5e+7, "\u0041"], "version": "v"}`)
	f.Add(`{"x": [{"model": "no\\\"}]"}, "version"], "mod\u0065l": "\ud83d\ude00", "y": "\\", "version": "v"}`)
	f.Fuzz(func(t *testing.T, text string) {
		model, version, errTarget := Target(text)
		compareTarget(t, text, model, version, errTarget)
		var d Decoder
		var r Request
		if err := d.Request(shop, ScoreForm, text, &r); err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is accepted but is not JSON", text)
		}
		if errTarget != nil || model != r.Model || version != r.Version {
			t.Fatalf("%q: got model %q, version %q, %v, want %+v", text, model, version, errTarget, r)
		}
	})
}

// compareTarget compares what Target found with what encoding/json finds in a
// text that the strict scanner takes, in which names stand once.
func compareTarget(t *testing.T, text, model, version string, err error) {
	t.Helper()
	s := jsontext.New(text)
	s.Skip()
	var members map[string]any
	if s.End() != nil || json.Unmarshal([]byte(text), &members) != nil || members == nil {
		return
	}
	wantModel, okModel := textOf(members, keyModel)
	wantVersion, okVersion := textOf(members, keyVersion)
	if ok := okModel && okVersion; ok != (err == nil) || ok && (model != wantModel || version != wantVersion) {
		t.Fatalf("%q: got %q, %q, %v, want %q, %q", text, model, version, err, wantModel, wantVersion)
	}
}

// textOf is the text of a member, or "" for none; false where it is another
// value, or empty.
func textOf(members map[string]any, key string) (string, bool) {
	v, given := members[key]
	text, ok := v.(string)
	return text, !given || ok && text != ""
}

// thirty is a request with a journey of thirty events, which vary as a shop's do.
func thirty() string {
	random := rand.New(rand.NewPCG(1, 2))
	types := []string{"visit", "add_to_basket", "purchase", "return", "newsletter_opened"}
	channels := []string{`"web"`, `"app"`, `"call center"`, `null`}
	var events []string
	for range 30 {
		events = append(events, fmt.Sprintf(`{"time":"2026-05-%02dT18:%02d:05+02:00","type":"%s","amount":%.*f,"channel":%s}`,
			1+random.IntN(30), random.IntN(60), types[random.IntN(len(types))], random.IntN(3), math.Exp(8*random.Float64()), channels[random.IntN(len(channels))]))
	}
	return `{"customer":"c17","profile":{"age":44,"plan":"basic"},"events":[` + strings.Join(events, ",") + `]}`
}

func BenchmarkTarget(b *testing.B) {
	body := thirty()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Target(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	body := thirty()
	var d Decoder
	var r Request
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset()
		if err := d.Request(shop, ScoreForm, body, &r); err != nil {
			b.Fatal(err)
		}
	}
}
