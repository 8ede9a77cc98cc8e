// Package page is the page that people look at: the models and their figures,
// a form that scores a journey and draws the course of its score, and how fast
// the server answers. It is one document with its own style and script, loads
// nothing from elsewhere, and works by keyboard, in light and in dark.
//
// The page asks the journey API as any client does, with the token that its
// user gives it. Only what no client needs comes from here: see [Live] and
// [Form].
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"moments/infer/registry"
	"moments/infer/serve/metrics"
)

//go:embed index.html style.css chart.js page.js
var sources embed.FS

// document is the page, whole, and the policy that lets it run its own style
// and script and nothing else.
var document, policy = assemble()

func assemble() (document []byte, policy string) {
	read := func(name string) []byte {
		text, err := sources.ReadFile(name)
		if err != nil {
			panic(err) // it is part of the program
		}
		return text
	}
	style, script := read("style.css"), append(read("chart.js"), read("page.js")...)
	document = bytes.Replace(read("index.html"), []byte("/*style*/"), style, 1)
	document = bytes.Replace(document, []byte("/*script*/"), script, 1)
	return document, "default-src 'none'; connect-src 'self'; style-src " + source(style) + "; script-src " + source(script) +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// source is a piece of style or script as a policy names it, by its hash.
func source(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Routes are the page and what only it asks for, by the patterns of an
// http.ServeMux. The page itself shows nothing of models or customers, so it may
// be given to everybody; the others say what models know.
func Routes(r *registry.Registry, m *metrics.Metrics) map[string]http.Handler {
	return map[string]http.Handler{
		"GET /{$}":       http.HandlerFunc(serveDocument),
		"GET /page/live": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, newLive(r, m)) }),
		"GET /page/form": http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { serveForm(w, q, r) }),
	}
}

func serveDocument(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	writeText(w, document)
}

// writeJSON writes an answer that no cache may keep.
func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"error":"page: an answer cannot be written"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeText(w, text)
}

func writeText(w http.ResponseWriter, text []byte) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(text) // a client that went away need not be told
}
