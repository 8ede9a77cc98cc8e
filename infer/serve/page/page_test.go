package page

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"moments/infer/internal/testbundle"
	"moments/infer/registry"
	"moments/infer/serve/metrics"
)

// routes serves one bundle's page.
func routes(t *testing.T) (*http.ServeMux, *metrics.Metrics) {
	t.Helper()
	dir := t.TempDir()
	testbundle.Save(t, 1, dir+"/loans")
	r, err := registry.Open(t.Context(), []string{dir}, registry.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	m := metrics.New()
	t.Cleanup(m.Close)
	mux := http.NewServeMux()
	for pattern, h := range Routes(r, m) {
		mux.Handle(pattern, h)
	}
	return mux, m
}

func get(t *testing.T, mux http.Handler, path string, status int) (string, http.Header) {
	t.Helper()
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.Code != status {
		t.Fatalf("GET %s: status %d, want %d: %s", path, answer.Code, status, text)
	}
	return string(text), answer.Header()
}

// The policy names the page's own style and script by their hashes, and the
// page asks for nothing from elsewhere.
func TestPolicy(t *testing.T) {
	mux, _ := routes(t)
	text, header := get(t, mux, "/", 200)
	policy := header.Get("Content-Security-Policy")
	for _, part := range []struct{ name, open, end string }{{"style-src", "<style>", "</style>"}, {"script-src", "<script>", "</script>"}} {
		_, rest, _ := strings.Cut(text, part.open)
		inner, _, ok := strings.Cut(rest, part.end)
		sum := sha256.Sum256([]byte(inner))
		if want := part.name + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !ok || len(inner) < 1000 || !strings.Contains(policy, want) {
			t.Errorf("policy %s, want %s of %d bytes", policy, want, len(inner))
		}
	}
	if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none'; connect-src 'self';") {
		t.Errorf("policy %s", policy)
	}
	for _, foreign := range []string{"//cdn", "https://", "src=", "<link", " style=\"", "onclick", "innerHTML ="} {
		if strings.Contains(text, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
	if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", header)
	}
	get(t, mux, "/other", 404)
}

func TestLive(t *testing.T) {
	mux, m := routes(t)
	m.Request("POST /v1/score", 200, time.Millisecond)
	text, header := get(t, mux, "/page/live", 200)
	var live Live
	if err := json.Unmarshal([]byte(text), &live); err != nil || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s", err, text)
	}
	if len(live.Routes) != 1 || live.Routes[0].Route != "POST /v1/score" || len(live.Models) != 1 || live.Models[0].Name != "loans" || live.Models[0].Shadow != nil {
		t.Errorf("got %s", text)
	}
}

func TestForm(t *testing.T) {
	mux, _ := routes(t)
	text, _ := get(t, mux, "/page/form?model=loans", 200)
	var form Form
	if err := json.Unmarshal([]byte(text), &form); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range append(form.Profile, form.Event...) {
		names = append(names, f.Name)
	}
	if want := []string{"age", "city", "plan", "amount", "channel"}; !slices.Equal(names, want) {
		t.Errorf("fields %q, want %q", names, want)
	}
	if age := form.Profile[0]; age.Typical == nil || *age.Typical < 30 || *age.Typical > 60 || len(age.Levels) != 0 {
		t.Errorf("got %s", text)
	}
	if levels := form.Profile[2].Levels; !slices.Contains(levels, "basic") || !slices.Contains(levels, "plus") {
		t.Errorf("got %s", text)
	}
	if text, _ := get(t, mux, "/page/form?model=other", 404); !strings.Contains(text, "unknown model") {
		t.Errorf("got %s", text)
	}
}

func Example() {
	// r, err := registry.Open(...)
	m := metrics.New()
	defer m.Close()
	var r *registry.Registry
	for pattern, h := range Routes(r, m) {
		http.Handle(pattern, h)
	}
}
