package serve

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Tokens say who may ask: the SHA-256 of each bearer token, by the name of who
// has it. The file that they are read from has a line for each, the name, a
// space and the hash in hexadecimal; lines that are empty or begin with # mean
// nothing.
type Tokens []token

type token struct {
	client string
	hash   [sha256.Size]byte
}

// ParseTokens reads the text of a file of tokens.
func ParseTokens(text []byte) (Tokens, error) {
	var tokens Tokens
	for i, line := range bytes.Split(text, []byte("\n")) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		var t token
		if len(fields) == 2 {
			t.client = fields[0]
			hash, err := hex.DecodeString(fields[1])
			if err == nil && len(hash) == sha256.Size {
				t.hash = [sha256.Size]byte(hash)
				tokens = append(tokens, t)
				continue
			}
		}
		return nil, fmt.Errorf("line %d: want a name and the SHA-256 of a token in 64 hexadecimal digits", i+1) // and show nothing that may be a secret
	}
	if len(tokens) == 0 {
		return nil, errors.New("no token in the file, so nobody could ask for anything")
	}
	return tokens, nil
}

// Client is who has a token. The time it takes says nothing about the tokens.
func (t Tokens) Client(given string) (string, bool) {
	hash, found := sha256.Sum256([]byte(given)), -1
	for i := range t {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], t[i].hash[:]), i, found)
	}
	if found < 0 {
		return "", false
	}
	return t[found].client, true
}

var errNoToken = errors.New("serve: want the header Authorization: Bearer and a token that the server knows")

// openPaths need no token: they show nothing of customers or models.
var openPaths = map[string]bool{"/": true, "/openapi.json": true, "/v2/health/live": true, "/v2/health/ready": true}

// allow says who asks, and whether they may.
func (s *Server) allow(r *http.Request) (client string, ok bool) {
	if s.tokens == nil || openPaths[r.URL.Path] {
		return "", true
	}
	return s.tokens.bearer(r.Header.Get("Authorization"))
}

// A watched is a file, or files, that are read again when they change.
type watched[T any] struct {
	paths []string
	read  func() (T, error)
	value atomic.Pointer[T]
	seen  []os.FileInfo
}

func watch[T any](read func() (T, error), paths ...string) (*watched[T], error) {
	w := &watched[T]{paths: paths, read: read}
	_, err := w.refresh()
	return w, err
}

// refresh reads the files where they changed. Where they cannot be read, what
// was read before stays.
func (w *watched[T]) refresh() (changed bool, err error) {
	seen := make([]os.FileInfo, len(w.paths))
	same := w.seen != nil
	for i, path := range w.paths {
		if seen[i], err = os.Stat(path); err != nil {
			return false, fmt.Errorf("serve: %w", err)
		}
		same = same && os.SameFile(seen[i], w.seen[i]) && seen[i].Size() == w.seen[i].Size() && seen[i].ModTime().Equal(w.seen[i].ModTime())
	}
	if same {
		return false, nil
	}
	w.seen = seen
	value, err := w.read()
	if err != nil {
		return false, fmt.Errorf("serve: %s: %w", strings.Join(w.paths, " and "), err)
	}
	w.value.Store(&value)
	return true, nil
}

type tokenFile struct{ *watched[Tokens] }

func openTokens(path string) (*tokenFile, error) {
	w, err := watch(func() (Tokens, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return ParseTokens(text)
	}, path)
	return &tokenFile{w}, err
}

// bearer reads the header Authorization.
func (f *tokenFile) bearer(header string) (client string, ok bool) {
	scheme, given, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return (*f.value.Load()).Client(strings.TrimSpace(given))
}

type certificate struct{ *watched[tls.Certificate] }

func openCertificate(cert, key string) (*certificate, error) {
	w, err := watch(func() (tls.Certificate, error) { return tls.LoadX509KeyPair(cert, key) }, cert, key)
	return &certificate{w}, err
}

// config is for both sides; each connection gets the certificate of the day.
func (c *certificate) config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.value.Load(), nil },
	}
}

// refreshSecrets reads tokens and certificates again where they changed.
func (s *Server) refreshSecrets() {
	tell := func(what string, changed bool, err error) {
		switch {
		case err != nil:
			s.options.Log.Error(what+" cannot be read again; those from before stay", "error", err.Error())
		case changed:
			s.options.Log.Info(what + " read again")
		}
	}
	if s.tokens != nil {
		changed, err := s.tokens.refresh()
		tell("tokens", changed, err)
	}
	if s.pair != nil {
		changed, err := s.pair.refresh()
		tell("certificate", changed, err)
	}
}

// secretsPoll is how often secrets are looked at.
const secretsPoll = 2 * time.Second
