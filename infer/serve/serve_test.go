package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"moments/features"
	"moments/infer"
	"moments/infer/customers"
	"moments/infer/internal/testbundle"
	"moments/infer/registry"
)

// now is when every test takes place: after the events of testbundle.
var now = time.UnixMicro(1.8e15)

// A fixture is a server of one bundle.
type fixture struct {
	*Server
	t        testing.TB
	folder   string // of the bundle
	registry *registry.Registry
	store    *customers.Store
}

// newFixture makes a server; change may change its options.
func newFixture(t testing.TB, change func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, folder: filepath.Join(t.TempDir(), "bundle")}
	testbundle.Save(t, 1, f.folder)
	var err error
	f.registry, err = registry.Open(t.Context(), []string{f.folder}, registry.Options{Reasons: 100, Workers: 2})
	check(t, err)
	t.Cleanup(f.registry.Close)
	f.store, err = customers.Open(filepath.Join(t.TempDir(), "state"), customers.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, f.store.Close()) })
	o := Options{
		Registry: f.registry, Customers: f.store, Now: func() time.Time { return now }, Slots: 2, Version: "test",
		Meaning: func(*registry.Model) (features.CutoffRule, *time.Location, error) {
			return features.CutoffRule{}, time.UTC, nil
		},
	}
	if change != nil {
		change(&o)
	}
	f.Server, err = New(o)
	check(t, err)
	return f
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask sends a request past the network.
func (f *fixture) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w
}

// answer asks, demands a status and reads the answer into to.
func (f *fixture) answer(to any, status int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	w := f.ask(method, path, body, headers...)
	if w.Code != status {
		f.t.Fatalf("%s %s %.300s: got status %d, %s, want %d", method, path, body, w.Code, w.Body, status)
	}
	if to != nil {
		d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(to); err != nil {
			f.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
		}
	}
	return w
}

// refused demands a status and an error that says what is wrong.
func (f *fixture) refused(status int, want, method, path, body string, headers ...string) {
	f.t.Helper()
	var e ErrorResponse
	if f.answer(&e, status, method, path, body, headers...); !strings.Contains(e.Error, want) {
		f.t.Errorf("%s %s %.300s: got %q, want %q", method, path, body, e.Error, want)
	}
}

// eventsJSON writes events as a client would.
func eventsJSON(events []features.Event) string {
	var list []string
	for _, e := range events {
		event := map[string]any{"time": time.UnixMicro(e.Time).UTC().Format(time.RFC3339Nano), "type": e.Type}
		addValues(event, testbundle.Layout.Event, e.Values)
		text, _ := json.Marshal(event)
		list = append(list, string(text))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func profileJSON(values []features.Value) string {
	profile := map[string]any{}
	addValues(profile, testbundle.Layout.Profile, values)
	text, _ := json.Marshal(profile)
	return string(text)
}

func addValues(to map[string]any, fields []features.Field, values []features.Value) {
	for i, field := range fields {
		switch v := values[i]; {
		case field.Kind == features.Numeric && !math.IsNaN(v.Number):
			to[field.Name] = v.Number
		case field.Kind == features.Categorical && v.Text != "":
			to[field.Name] = v.Text
		}
	}
}

// journeyJSON writes a journey as a client would, with further members.
func journeyJSON(j *features.Journey, more string) string {
	return fmt.Sprintf(`{"customer": %q, "profile": %s, "events": %s%s}`, j.Customer, profileJSON(j.Profile), eventsJSON(j.Events), more)
}

// sameScored compares an answer with a score, bit by bit.
func sameScored(t *testing.T, what string, got *Scored, want *infer.Score, events int) {
	t.Helper()
	fail := got.Events != events || got.Customer != want.Customer || len(got.Scores) != len(want.Probabilities) ||
		*got.Anomaly != want.Anomaly || *got.AnomalyScore != want.AnomalyScore || *got.Direction != string(want.Direction)
	for i, target := range []string{"conversion", "churn"} {
		fail = fail || math.Float32bits(got.Scores[target]) != math.Float32bits(want.Probabilities[i])
	}
	if at, err := time.Parse(time.RFC3339Nano, *got.Cutoff); err != nil || at.UnixMicro() != want.Cutoff {
		fail = true
	}
	if fail {
		t.Errorf("%s: got %+v, want %+v after %d events", what, got, want, events)
	}
}

// long is a journey of some events, each at a time of its own.
func long(t testing.TB) features.Journey {
	t.Helper()
	for _, j := range testbundle.Journeys(3, 100) {
		if len(j.Events) > 7 && j.Profile[2].Text != "" {
			return j
		}
	}
	t.Fatal("testbundle has no long journey")
	return features.Journey{}
}

// atEnd is what the rule of these tests makes of a journey.
func atEnd(j *features.Journey) features.Cutoff {
	cut, _ := features.CutoffRule{}.Present(j, now.UnixMicro())
	return cut
}

func (f *fixture) model() *registry.Model {
	f.t.Helper()
	m, release, err := f.registry.Acquire("test", "")
	check(f.t, err)
	release()
	return m
}

func TestScoresAreTheScorersToTheBit(t *testing.T) {
	f := newFixture(t, nil)
	m := f.model()
	journeys := testbundle.Journeys(9, 40)
	var list []string
	for i := range journeys {
		j := &journeys[i]
		want, err := m.Scorer.ScoreJourney(j, atEnd(j))
		check(t, err)
		var one ScoreResponse
		f.answer(&one, 200, "POST", "/v1/score", journeyJSON(j, ""))
		sameScored(t, j.Customer, &one.Scored, &want, len(j.Events))
		if one.Model != "test" || one.Version != m.Version || one.Reasons != nil || one.Moments != nil {
			t.Errorf("got %+v, want the model, its version, and no more than was asked for", one)
		}
		list = append(list, journeyJSON(j, ""))
	}
	var many ScoresResponse
	f.answer(&many, 200, "POST", "/v1/score", `{"journeys": [`+strings.Join(list, ",")+`]}`)
	if len(many.Journeys) != len(journeys) {
		t.Fatalf("got %d journeys, want %d", len(many.Journeys), len(journeys))
	}
	for i := range journeys {
		want, err := m.Scorer.ScoreJourney(&journeys[i], atEnd(&journeys[i]))
		check(t, err)
		sameScored(t, "many: "+journeys[i].Customer, &many.Journeys[i], &want, len(journeys[i].Events))
	}
}

func TestScoreAtAMoment(t *testing.T) {
	f := newFixture(t, nil)
	j := long(t)
	at := j.Events[3].Time
	cut, _ := features.CutoffRule{}.Present(&j, at)
	want, err := f.model().Scorer.ScoreJourney(&j, cut)
	check(t, err)
	var got ScoreResponse
	f.answer(&got, 200, "POST", "/v1/score", journeyJSON(&j, fmt.Sprintf(`, "at": %q`, time.UnixMicro(at).UTC().Format(time.RFC3339Nano))))
	sameScored(t, "at the fourth event", &got.Scored, &want, cut.Events)
	f.refused(400, "none of", "POST", "/v1/score", journeyJSON(&j, `, "at": 1`))
	f.refused(400, "lies in the future", "POST", "/v1/score", `{"events": [{"time": "2999-01-01", "type": "visit"}]}`)
}

func TestReasonsAndMoments(t *testing.T) {
	f := newFixture(t, nil)
	m := f.model()
	j := long(t)
	score, err := m.Reasoning.ScoreJourney(&j, atEnd(&j))
	check(t, err)
	explained, err := m.Scorer.Explain(&j, atEnd(&j), infer.ExplainOptions{})
	check(t, err)
	var got ScoreResponse
	f.answer(&got, 200, "POST", "/v1/score", journeyJSON(&j, `, "reasons": 2, "moments": true`))
	sameScored(t, "with reasons", &got.Scored, &score, len(j.Events))
	count := map[string]int{}
	for _, r := range got.Reasons {
		count[r.Target]++
	}
	if !reflect.DeepEqual(count, map[string]int{"conversion": 2, "churn": 2, "anomaly": 2}) {
		t.Errorf("got reasons %+v, want the two largest of each target", got.Reasons)
	}
	if first := score.Reasons[0]; got.Reasons[0].Group != first.Group || got.Reasons[0].Impact != math.Round(first.Impact*1e4)/1e4 {
		t.Errorf("got %+v first, want %+v", got.Reasons[0], first)
	}
	if len(got.Moments.Events) != len(j.Events) || got.Moments.Final["churn"] != explained.Final[1] || got.Moments.Start["conversion"] != explained.Start[0] {
		t.Fatalf("got moments %+v, want those of %+v", got.Moments, explained)
	}
	for i, e := range got.Moments.Events {
		want := &explained.Events[i]
		if e.Type != want.Type || e.After["churn"] != want.After[1] || *e.Impact["conversion"] != want.Impact[0] {
			t.Errorf("event %d: got %+v, want %+v", i, e, want)
		}
	}
}

// TestEncodingIsThatOfTheTypes compares answers written by hand with what
// encoding/json makes of the same values.
func TestEncodingIsThatOfTheTypes(t *testing.T) {
	strange := "q\"\\\n\x01é😀\u2028</script>"
	e := &infer.Explanation{
		Targets: []string{"a", strange}, Start: []float32{0.1, 1e-9}, Final: []float32{0.25, 1},
		Events: []infer.EventMoment{
			{Time: 1.5e15, Type: strange, Impact: []float64{math.NaN(), 0.125}},
			{Time: 1.5e15 + 1, Type: "b", After: []float32{0.5, 3.4e-38}, Impact: []float64{-1e-17, 1e22}},
		},
	}
	score := &infer.Score{
		Customer: strange, Cutoff: 1.6e15, Probabilities: []float32{1e-7, 0.99999994}, Anomaly: math.NaN(), AnomalyScore: 2.5, Direction: infer.Mixed,
		Reasons: []infer.Reason{{Target: "a", Group: "g", Impact: 0.12345}, {Target: "a", Group: "h", Impact: -1}, {Target: "anomaly", Group: strange, Impact: 1e-9}},
	}
	number := func(x float64) *float64 { return &x }
	text := func(s string) *string { return &s }
	full := Scored{
		Customer: strange, Cutoff: text("2020-09-13T12:26:40Z"), Events: 3, Scores: map[string]float32{"a": 1e-7, strange: 0.99999994},
		AnomalyScore: number(2.5), Direction: text("mixed"), Reasons: []ReasonGiven{{"a", "g", 0.1235}, {"anomaly", strange, 0}},
		Moments: &Moments{Start: map[string]float32{"a": 0.1, strange: 1e-9}, Final: map[string]float32{"a": 0.25, strange: 1}, Events: []EventExplained{
			{"2017-07-14T02:40:00Z", strange, nil, map[string]*float64{"a": nil, strange: number(0.125)}},
			{"2017-07-14T02:40:00.000001Z", "b", map[string]float32{"a": 0.5, strange: 3.4e-38}, map[string]*float64{"a": number(-1e-17), strange: number(1e22)}},
		}},
	}
	for _, test := range []struct {
		name string
		hand *scored
		want Scored
	}{
		{"everything", &scored{score: score, events: 3, reasons: 1, moments: e}, full},
		{"next to nothing", &scored{score: &infer.Score{Anomaly: 0.5, AnomalyScore: math.NaN()}}, Scored{Scores: map[string]float32{}, Anomaly: number(0.5)}},
	} {
		got := append(appendScored([]byte("{"), e.Targets, test.hand), '}')
		want, err := json.Marshal(test.want)
		check(t, err)
		var a, b any
		check(t, json.Unmarshal(got, &a))
		check(t, json.Unmarshal(want, &b))
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, want)
		}
	}
}

func TestCustomersAreKept(t *testing.T) {
	f := newFixture(t, nil)
	m := f.model()
	j := long(t)
	j.Customer = "a/b ü" // of which the path needs escapes
	path := "/v1/customers/a%2Fb%20%C3%BC"
	f.refused(404, "unknown customer", "GET", path, "")
	f.refused(404, "unknown customer", "DELETE", path, "")
	var got CustomerResponse
	for i := range j.Events {
		profile := ""
		if i == 0 {
			profile = `"profile": ` + profileJSON(j.Profile) + ", "
		}
		got = CustomerResponse{}
		f.answer(&got, 200, "POST", path+"/events", `{`+profile+`"events": `+strings.Replace(eventsJSON(j.Events[i:i+1]), "{", fmt.Sprintf(`{"id": "e%d", `, i), 1)+`}`)
		part := features.Journey{Customer: j.Customer, Profile: j.Profile, Events: j.Events[:i+1]}
		want, err := m.Scorer.ScoreJourney(&part, atEnd(&part))
		check(t, err)
		sameScored(t, fmt.Sprintf("after event %d", i), &got.Scored, &want, i+1)
		if *got.Stored != (StoredEvents{New: 1}) {
			t.Errorf("got %+v stored, want one new event", got.Stored)
		}
	}
	last := CustomerResponse{}
	n := len(j.Events)
	f.answer(&last, 200, "POST", path+"/events", `{"events": `+strings.Replace(eventsJSON(j.Events[n-1:]), "{", fmt.Sprintf(`{"id": "e%d", `, n-1), 1)+`}`)
	if *last.Stored != (StoredEvents{Duplicates: 1}) || !reflect.DeepEqual(last.Scored, got.Scored) {
		t.Errorf("the last event again: got %+v, want a duplicate and the same scores as %+v", last, got)
	}
	f.refused(409, "event out of order", "POST", path+"/events", `{"events": [{"time": 1, "type": "visit"}]}`)

	want, err := m.Reasoning.ScoreJourney(&j, atEnd(&j))
	check(t, err)
	got = CustomerResponse{}
	f.answer(&got, 200, "GET", path, "")
	sameScored(t, "GET", &got.Scored, &want, n)
	got = CustomerResponse{}
	f.answer(&got, 200, "GET", path+"?reasons=1&moments=true&model=test", "")
	sameScored(t, "GET with reasons and moments", &got.Scored, &want, n)
	if len(got.Reasons) != 3 || len(got.Moments.Events) != n {
		t.Errorf("got %+v, want 3 reasons and %d moments", got, n)
	}
	cut, _ := features.CutoffRule{}.Present(&j, j.Events[2].Time)
	want, err = m.Scorer.ScoreJourney(&j, cut)
	check(t, err)
	got = CustomerResponse{}
	f.answer(&got, 200, "GET", path+"?at="+strconv.FormatInt(j.Events[2].Time/1000+1, 10), "")
	if got.Events != 3 {
		t.Errorf("just after the third event: got %d events, want 3", got.Events)
	}
	got = CustomerResponse{}
	f.answer(&got, 200, "GET", path+"?at="+time.UnixMicro(j.Events[2].Time).UTC().Format("2006-01-02T15:04:05.000000Z"), "")
	sameScored(t, "GET at a moment", &got.Scored, &want, cut.Events)

	got = CustomerResponse{}
	f.answer(&got, 200, "POST", path+"/events?late=true", `{"events": [{"time": 1, "type": "visit"}]}`)
	j.Events = append([]features.Event{{Time: features.Second, Type: "visit"}}, j.Events...)
	want, err = m.Scorer.ScoreJourney(&j, atEnd(&j))
	check(t, err)
	sameScored(t, "after a late event", &got.Scored, &want, n+1)

	f.answer(nil, 204, "DELETE", path, "")
	f.refused(404, "unknown customer", "GET", path, "")
}

// TestRulesOfTasks demands of stored customers what the task's rule says of
// whole journeys.
func TestRulesOfTasks(t *testing.T) {
	j := long(t)
	profile := features.Journey{Customer: "p", Profile: j.Profile}
	for _, rule := range []features.CutoffRule{
		{}, {AfterEvents: []int{2}}, {At: 1}, {Every: 1, From: 1, To: 2}, {Column: true},
		{AfterFirst: j.Events[2].Time - j.Events[0].Time}, {AfterFirst: 1000 * features.Week},
	} {
		f := newFixture(t, func(o *Options) {
			o.Meaning = func(*registry.Model) (features.CutoffRule, *time.Location, error) { return rule, time.UTC, nil }
		})
		for _, j := range []*features.Journey{&j, &profile} {
			cut, _ := rule.Present(j, now.UnixMicro())
			want, err := f.model().Scorer.ScoreJourney(j, cut)
			check(t, err)
			var stateless ScoreResponse
			f.answer(&stateless, 200, "POST", "/v1/score", journeyJSON(j, ""))
			sameScored(t, fmt.Sprintf("%+v stateless", rule), &stateless.Scored, &want, cut.Events)
			var stored, again CustomerResponse
			f.answer(&stored, 200, "POST", "/v1/customers/"+j.Customer+"/events", fmt.Sprintf(`{"profile": %s, "events": %s}`, profileJSON(j.Profile), eventsJSON(j.Events)))
			sameScored(t, fmt.Sprintf("%+v stored", rule), &stored.Scored, &want, cut.Events)
			f.answer(&again, 200, "GET", "/v1/customers/"+j.Customer, "")
			sameScored(t, fmt.Sprintf("%+v asked again", rule), &again.Scored, &want, cut.Events)
		}
	}
}

func TestModels(t *testing.T) {
	f := newFixture(t, nil)
	var got ModelsResponse
	f.answer(&got, 200, "GET", "/v1/models", "")
	if len(got.Models) != 1 {
		t.Fatalf("got %+v, want one model", got)
	}
	m := got.Models[0]
	if m.Name != "test" || !m.Ready || m.Version != f.model().Version || len(m.Targets) != 2 || m.Targets[0].Name != "conversion" || *m.Targets[0].PositiveRate != 0.25 ||
		!m.Anomaly || m.AlertRate != 0.02 || len(m.Profile) != 3 || m.Event[0] != (ColumnDescribed{"amount", "numeric"}) || string(m.Metrics) != `{"auroc":0.5}` || len(m.Types) != 3 {
		t.Errorf("got %+v", m)
	}
}

func TestProtocolIsMounted(t *testing.T) {
	f := newFixture(t, nil)
	j := long(t)
	want, err := f.model().Scorer.ScoreJourney(&j, atEnd(&j))
	check(t, err)
	text, err := json.Marshal(journeyJSON(&j, ""))
	check(t, err)
	w := f.ask("POST", "/v2/models/test/infer", `{"inputs": [{"name": "journey", "shape": [1], "datatype": "BYTES", "data": [`+string(text)+`]}]}`)
	var got struct {
		Outputs []struct {
			Name string
			Data []any
		}
	}
	check(t, json.Unmarshal(w.Body.Bytes(), &got))
	if w.Code != 200 || len(got.Outputs) == 0 || got.Outputs[0].Name != "conversion" || float32(got.Outputs[0].Data[0].(float64)) != want.Probabilities[0] {
		t.Errorf("got status %d, %s, want %v", w.Code, w.Body, want.Probabilities)
	}
	if w := f.ask("GET", "/v2/health/live", ""); w.Code != 200 {
		t.Errorf("live: got status %d", w.Code)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.MaxBody, o.MaxEvents, o.MaxJourneys = 4<<20, 1000, 10 })
	event := `{"time": 1, "type": "visit"},`
	for _, test := range []struct {
		name         string
		status       int
		want         string
		method, path string
		body         string
		headers      []string
	}{
		{"no JSON", 400, "byte 0", "POST", "/v1/score", "hello", nil},
		{"no body", 400, "want an object", "POST", "/v1/score", "", nil},
		{"duplicate keys", 400, "events: given twice", "POST", "/v1/score", `{"events": [], "events": []}`, nil},
		{"NaN", 400, "NaN, which is not JSON", "POST", "/v1/score", `{"profile": {"age": NaN}}`, nil},
		{"an unknown field", 400, `unknown field "agee", want one of age, city, plan`, "POST", "/v1/score", `{"profile": {"agee": 1}}`, nil},
		{"an unknown model", 404, "unknown model", "POST", "/v1/score", `{"model": "other"}`, nil},
		{"an unknown version", 404, "unknown", "POST", "/v1/score", `{"version": "other"}`, nil},
		{"a form", 415, `Content-Type is "application/x-www-form-urlencoded"`, "POST", "/v1/score", `{}`, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"text", 415, "want application/json", "POST", "/v1/score", `{}`, []string{"Content-Type", "text/plain; charset=utf-8"}},
		{"another alphabet", 415, "want application/json", "POST", "/v1/score", `{}`, []string{"Content-Type", "application/json; charset=utf-16"}},
		{"an unknown encoding", 415, "want gzip or none", "POST", "/v1/score", `{}`, []string{"Content-Encoding", "br"}},
		{"no gzip", 400, "not gzip", "POST", "/v1/score", `{}`, []string{"Content-Encoding", "gzip"}},
		{"a bomb of depth", 400, "nested deeper", "POST", "/v1/score", `{"x": ` + strings.Repeat("[", 1_000_000), nil},
		{"a bomb of depth in its place", 400, "", "POST", "/v1/score", `{"events": ` + strings.Repeat("[", 1_000_000), nil},
		{"a large body", 413, "more than 4194304 bytes", "POST", "/v1/score", strings.Repeat(" ", 4<<20) + "{}", nil},
		{"many events", 413, "more than 1000 events", "POST", "/v1/score", `{"events": [` + strings.TrimSuffix(strings.Repeat(event, 100_000), ",") + `]}`, nil},
		{"many journeys", 413, "more than 10 journeys", "POST", "/v1/score", `{"journeys": [{},{},{},{},{},{},{},{},{},{},{}]}`, nil},
		{"many events of a customer", 413, "more than 1000 events", "POST", "/v1/customers/a/events", `{"events": [` + strings.TrimSuffix(strings.Repeat(event, 1001), ",") + `]}`, nil},
		{"the future of a customer", 400, "lies in the future", "POST", "/v1/customers/a/events", `{"events": [{"time": "2999-01-01", "type": "visit"}]}`, nil},
		{"an unknown query", 400, "query foo", "GET", "/v1/customers/a?foo=1", "", nil},
		{"a query twice", 400, "query at given 2 times", "GET", "/v1/customers/a?at=1&at=2", "", nil},
		{"an impossible moment", 400, `time "yesterday"`, "GET", "/v1/customers/a?at=yesterday", "", nil},
		{"many reasons", 400, `reasons is "101"`, "GET", "/v1/customers/a?reasons=101", "", nil},
		{"perhaps", 400, `moments is "perhaps"`, "GET", "/v1/customers/a?moments=perhaps", "", nil},
		{"a long name", 400, "", "GET", "/v1/customers/" + strings.Repeat("a", 600), "", nil},
		{"another path", 404, "see /openapi.json", "GET", "/v1/nothing", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.t = t
			f.refused(test.status, test.want, test.method, test.path, test.body, test.headers...)
		})
	}
	if w := f.ask("PUT", "/v1/score", "{}"); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("PUT: got status %d", w.Code)
	}
	if held := f.bodies.held.Load(); held != 0 {
		t.Errorf("%d bytes are held after all requests", held)
	}
}

func TestServerWithoutCustomers(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Customers = nil })
	f.refused(501, "--state", "POST", "/v1/customers/a/events", `{}`)
	f.refused(501, "--state", "GET", "/v1/customers/a", "")
}

// TestSeveralBundles demands that a request names one of them.
func TestSeveralBundles(t *testing.T) {
	folder := t.TempDir()
	testbundle.Save(t, 1, filepath.Join(folder, "a"))
	testbundle.Save(t, 2, filepath.Join(folder, "b"))
	f := newFixture(t, func(o *Options) {
		r, err := registry.Open(t.Context(), []string{folder}, registry.Options{})
		check(t, err)
		t.Cleanup(r.Close)
		o.Registry = r
	})
	f.refused(400, "2 bundles are served, want the request to name its model", "POST", "/v1/score", `{}`)
	f.refused(400, "gives no reasons", "POST", "/v1/score", `{"model": "a", "reasons": 1}`)
	var a, b ScoreResponse
	f.answer(&a, 200, "POST", "/v1/score", `{"model": "a"}`)
	f.answer(&b, 200, "POST", "/v1/score", `{"model": "b"}`)
	if a.Model != "a" || b.Model != "b" || reflect.DeepEqual(a.Scores, b.Scores) {
		t.Errorf("got %+v and %+v, want two models", a, b)
	}
}

// TestShadowSeesWhatIsAppended demands that a shadow scores the whole of a
// journey that was appended to.
func TestShadowSeesWhatIsAppended(t *testing.T) {
	heard := make(chan registry.Difference, 10)
	f := newFixture(t, func(o *Options) {
		live, shadow := filepath.Join(t.TempDir(), "live"), filepath.Join(t.TempDir(), "shadow")
		testbundle.Save(t, 1, live)
		testbundle.Save(t, 2, shadow)
		r, err := registry.Open(t.Context(), []string{"test=" + live, "other=" + shadow}, registry.Options{
			Reasons: 100, Workers: 2, Shadows: map[string]string{"test": shadow}, OnDifference: func(d registry.Difference) { heard <- d },
		})
		check(t, err)
		t.Cleanup(r.Close)
		o.Registry = r
	})
	j := long(t)
	for i := range j.Events {
		events := fmt.Sprintf(`{"model": "test", "events": %s}`, eventsJSON(j.Events[i:i+1]))
		var live CustomerResponse
		f.answer(&live, 200, "POST", "/v1/customers/a/events", events)
		var other ScoreResponse
		f.answer(&other, 200, "POST", "/v1/score", fmt.Sprintf(`{"model": "other", "events": %s}`, eventsJSON(j.Events[:i+1])))
		for _, target := range []string{"conversion", "churn"} {
			d := <-heard
			if d.Target != target || d.Before != float64(live.Scores[target]) || d.After != float64(other.Scores[target]) {
				t.Errorf("after event %d: got %+v, want %v before and %v after", i, d, live.Scores[target], other.Scores[target])
			}
		}
		<-heard // of anomalies
	}
}
