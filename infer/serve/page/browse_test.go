package page_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"moments/features"
	"moments/infer"
	"moments/infer/internal/testbundle"
	"moments/infer/registry"
	"moments/infer/serve"
	"moments/infer/serve/metrics"
	"moments/infer/serve/page"
)

// newServer serves a bundle with a shadow, with the page; change may change the
// server's options.
func newServer(t testing.TB, change func(*serve.Options)) (*httptest.Server, *registry.Registry, *metrics.Metrics) {
	t.Helper()
	dir := t.TempDir()
	live := dir + "/models"
	testbundle.Save(t, 1, live+"/loans")
	testbundle.Save(t, 2, dir+"/shadow")
	m := metrics.New()
	t.Cleanup(m.Close)
	r, err := registry.Open(t.Context(), []string{live}, registry.Options{
		Reasons: 100, Workers: 1, Shadows: map[string]string{"loans": dir + "/shadow"}, OnDifference: m.Difference,
	})
	fatal(t, err)
	t.Cleanup(r.Close)
	m.Follow(r)
	o := serve.Options{
		Registry: r, Observer: serve.Observer{Request: m.Request, Batch: m.Batch, Scored: m.Scored}, Routes: map[string]http.Handler{},
		Meaning: func(*registry.Model) (features.CutoffRule, *time.Location, error) {
			return features.CutoffRule{}, time.UTC, nil
		},
	}
	maps.Copy(o.Routes, page.Routes(r, m))
	if change != nil {
		change(&o)
	}
	s, err := serve.New(o)
	fatal(t, err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server, r, m
}

// drift lets the server score ever the same journey, until it is noticed.
func drift(t *testing.T, r *registry.Registry, m *metrics.Metrics) {
	t.Helper()
	model, release, err := r.Acquire("loans", "")
	fatal(t, err)
	defer release()
	j := testbundle.Journeys(1, 20)[7]
	for m.Drift("loans") == nil {
		m.Scored(model, &j, &infer.Score{Cutoff: testbundle.Cutoff(&j).Time})
	}
}

// fillJourney puts a journey of testbundle into the form, as JSON.
func fillJourney(b *browser) string {
	j := testbundle.Journeys(1, 20)[7]
	var events []string
	for _, e := range j.Events {
		events = append(events, fmt.Sprintf(`{"time":%q,"type":%q,"attributes":{"amount":%v,"channel":%q}}`,
			time.UnixMicro(e.Time).UTC().Format(time.RFC3339), e.Type, e.Values[0].Number, e.Values[1].Text))
	}
	journey := fmt.Sprintf(`{"customer":"c7","profile":{"age":33,"city":"city-3","plan":"plus"},"events":[%s]}`, strings.Join(events, ","))
	b.do(fmt.Sprintf(`document.getElementById("json").value = %q; document.getElementById("apply").click()`, journey), nil)
	return journey
}

// In a browser: the models and their figures, a journey scored with its course
// and moments, and the latency. Nothing in it breaks the page's own policy.
func TestPageInBrowser(t *testing.T) {
	b := openBrowser(t)
	server, r, m := newServer(t, nil)
	drift(t, r, m)
	b.dress(1200, 900, false)
	b.visit(server.URL + "/")
	b.wait(`document.querySelector("#events tbody tr")`)
	b.wait(`document.querySelector("[data-model=loans] .live").innerText.includes("Drift")`)
	card := b.text(`document.querySelector("[data-model=loans]").innerText`)
	e := r.Index()[0]
	for _, want := range []string{"● ready", e.Version, e.Shadow, "conversion", "25.0 %", "churn", "moved far"} {
		if !strings.Contains(card, want) {
			t.Errorf("the model's card has no %q: %s", want, card)
		}
	}
	fillJourney(b)
	if got := b.text(`document.querySelectorAll("#events tbody tr").length`); got != fmt.Sprint(len(testbundle.Journeys(1, 20)[7].Events)) {
		t.Errorf("%s events in the form", got)
	}
	b.do(`document.getElementById("send").click()`, nil)
	b.wait(`!document.getElementById("result").hidden`)
	checkResult(t, b)
	b.wait(`document.querySelector("#routes tbody").innerText.includes("POST /v1/score")`)
	b.wait(`document.querySelector("[data-model=loans] .live").innerText.includes("journeys compared")`)
	b.picture("light")
	b.dress(1200, 900, true)
	b.picture("dark")
	b.dress(400, 800, false)
	b.picture("narrow")
	if width := b.text(`document.documentElement.scrollWidth`); width != "400" {
		t.Errorf("in a window of 400 the page is %s wide", width)
	}
	if len(b.console) > 0 {
		t.Errorf("the browser complains: %s", b.console)
	}
}

// checkResult compares what is shown with what the server answers a client.
func checkResult(t *testing.T, b *browser) {
	t.Helper()
	var shown, said struct {
		Scores  []string
		Events  int
		Marks   int
		Reasons int
	}
	b.do(`(async () => {
		const body = JSON.stringify({ model: "loans", reasons: 5, moments: true, ...JSON.parse(document.getElementById("json").value) });
		const answer = await (await fetch("/v1/score", { method: "POST", headers: { "Content-Type": "application/json" }, body })).json();
		return { scores: [answer.scores.conversion, answer.scores.churn].map(percent), events: answer.moments.events.length, marks: 3,
			reasons: answer.reasons.filter((r) => r.target !== "churn").length };
	})()`, &said)
	b.do(`({ scores: [...document.querySelectorAll("#result .score b")].slice(0, 2).map((e) => e.textContent),
		events: document.querySelectorAll("#result .chart .event").length, marks: document.querySelectorAll("#result .chart text.up, #result .chart text.down").length,
		reasons: document.querySelectorAll("#result tbody tr").length - document.querySelectorAll("#result details tbody tr").length })`, &shown)
	if fmt.Sprint(shown) != fmt.Sprint(said) || shown.Events == 0 || shown.Reasons == 0 {
		t.Errorf("shown %+v, want what the server says, %+v", shown, said)
	}
}

// Everything can be done by keyboard: with the tab key to the form, typed, sent
// with Enter, and through the events with the arrow keys.
func TestPageByKeyboard(t *testing.T) {
	b := openBrowser(t)
	server, _, _ := newServer(t, nil)
	b.visit(server.URL + "/")
	b.wait(`document.querySelector("#events tbody tr")`)
	tabTo := func(condition string) {
		t.Helper()
		for range 60 {
			if b.text(condition) == "true" {
				return
			}
			b.press("Tab", 9)
		}
		t.Fatalf("the tab key does not lead to %s", condition)
	}
	tabTo(`document.activeElement.dataset.column === "age"`)
	b.write("41")
	tabTo(`document.activeElement.dataset.part === "type"`)
	b.write("visit")
	b.do(`document.querySelector("[data-part=time]").value = "2023-11-15T10:00:00"`, nil)
	b.press("Enter", 13)
	b.wait(`!document.getElementById("result").hidden`)
	if got := b.text(`document.querySelector("#result h3").textContent`); got != "This journey, after 1 event" {
		t.Errorf("got %q", got)
	}
	fillJourney(b)
	b.do(`document.getElementById("send").focus()`, nil)
	b.press("Enter", 13)
	b.wait(`document.querySelectorAll("#result .event").length > 3`)
	tabTo(`document.activeElement.classList.contains("event")`)
	first := b.text(`document.getElementById("tip").textContent`)
	b.press("ArrowRight", 39)
	if second := b.text(`document.getElementById("tip").textContent`); first == "" || second == first || !strings.Contains(second, "score after it") {
		t.Errorf("the events say %q, then %q", first, second)
	}
}

// What is wrong is said where it was entered, and nothing is lost.
func TestPageSaysWhatIsWrong(t *testing.T) {
	b := openBrowser(t)
	server, r, _ := newServer(t, nil)
	b.visit(server.URL + "/")
	b.wait(`document.querySelector("#events tbody tr")`)
	b.do(`document.querySelector("[data-part=type]").value = "<b>visit</b>"; document.getElementById("send").click()`, nil)
	b.wait(`!document.getElementById("wrong").hidden`)
	if got := b.text(`document.getElementById("wrong").textContent`); !strings.Contains(got, "events[0]") {
		t.Errorf("an event without time: %q", got)
	}
	b.do(`document.querySelector("[data-part=time]").value = "2023-11-15T10:00:00"; document.getElementById("send").click()`, nil)
	b.wait(`document.querySelector("#result .event")`)
	if got := b.text(`document.querySelector("#result td + th").textContent + document.querySelectorAll("#result b b, #result th b").length`); !strings.Contains(got, "<b>visit</b>0") {
		t.Errorf("markup in a type: %q", got)
	}
	fatal(t, os.RemoveAll(r.Index()[0].Path+"/task.yaml"))
	r.Refresh(t.Context()) // and refuses
	b.do(`loadModels()`, nil)
	b.wait(`document.querySelector("[data-model=loans]").innerText.includes("a newer one refused")`)
	if got := b.text(`document.querySelector("[data-model=loans] .warning").textContent`); !strings.Contains(got, "task.yaml") {
		t.Errorf("a bundle that was refused: %q", got)
	}
	b.picture("refused")
}

// Where the server wants a token the page asks for it.
func TestPageWithToken(t *testing.T) {
	b := openBrowser(t)
	path := t.TempDir() + "/tokens"
	fatal(t, os.WriteFile(path, []byte("me 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n"), 0o600))
	server, _, _ := newServer(t, func(o *serve.Options) { o.TokenFile = path })
	b.visit(server.URL + "/")
	b.wait(`!document.getElementById("token-form").hidden`)
	b.picture("token")
	b.do(`document.getElementById("token").value = "wrong"; document.querySelector("#token-form button").click()`, nil)
	b.wait(`document.getElementById("trouble").textContent.includes("does not know")`)
	b.do(`document.getElementById("token").value = "foo"; document.querySelector("#token-form button").click()`, nil)
	b.wait(`document.querySelector("[data-model=loans]") && document.getElementById("token-form").hidden && document.getElementById("trouble").hidden`)
}
