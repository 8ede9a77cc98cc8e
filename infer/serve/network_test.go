package serve

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"moments/infer/internal/testbundle"
)

// listen runs the server on free ports and ends it with the test. end ends it
// at once and returns what Run did.
func (f *fixture) listen() (addresses map[string]net.Addr, end func() error) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan map[string]net.Addr, 1), make(chan error, 1)
	go func() { ended <- f.Run(ctx, func(a map[string]net.Addr) { ready <- a }) }()
	end = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	f.t.Cleanup(func() { check(f.t, end()) })
	select {
	case addresses = <-ready:
	case err := <-ended:
		f.t.Fatal(err)
	}
	return addresses, end
}

// onNetwork has the server listen on free ports.
func onNetwork(o *Options) { o.Listen, o.GRPC = "127.0.0.1:0", "127.0.0.1:0" }

// send writes a request by hand.
func send(t testing.TB, address net.Addr, text string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address.String())
	check(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, text)
	check(t, err)
	return c.(*net.TCPConn)
}

func receive(t testing.TB, c net.Conn) (status int, body string) {
	t.Helper()
	check(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	check(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(t, err)
	return response.StatusCode, string(text)
}

const head = "POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

// TestClientsThatMisbehave demands that none of them ends the server, holds its
// memory, or is waited for for ever.
func TestClientsThatMisbehave(t *testing.T) {
	f := newFixture(t, onNetwork)
	addresses, _ := f.listen()
	http1 := addresses["http"]
	impatient := newFixture(t, func(o *Options) {
		onNetwork(o)
		o.Timeout = time.Second
	})
	addresses, _ = impatient.listen()
	for _, test := range []struct {
		name, text string
		status     int // 0: the connection is closed
	}{
		{"a slow body", head + "Content-Length: 10\r\n\r\n{", 408},
		{"a slow chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{", 408},
		{"a slow head", "POST /v1/score HTTP/1.1\r\nHost:", 0},
		{"nothing at all", "", 0},
		{"no HTTP", "\x16\x03\x01\x02\x00", 400},
		{"a length that lies upwards", head + "Content-Length: 99999999999\r\n\r\n", 413},
		{"a length that is none", head + "Content-Length: -1\r\n\r\n", 400},
		{"two lengths", head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
		{"a chunk that lies", head + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{", 400},
		{"large headers", "GET /v1/models HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 80<<10) + "\r\n\r\n", 431},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := http1
			if test.status == 0 || test.status == http.StatusRequestTimeout {
				address = addresses["http"]
			}
			c := send(t, address, test.text)
			if test.status == 0 {
				check(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
				if text, err := io.ReadAll(c); err != nil || strings.HasPrefix(string(text), "HTTP/1.1 2") {
					t.Errorf("got %q, %v, want the connection closed", text, err)
				}
				return
			}
			if status, body := receive(t, c); status != test.status {
				t.Errorf("got status %d, %s, want %d", status, body, test.status)
			}
		})
	}
	t.Run("half-closed", func(t *testing.T) {
		c := send(t, http1, head+"Content-Length: 2\r\n\r\n{}")
		check(t, c.CloseWrite())
		// Package net/http takes a client that sends no more for one that is gone:
		// whether it has its scores by then is a matter of moments.
		if status, body := receive(t, c); status != 200 && status != 499 {
			t.Errorf("a whole request: got status %d, %s, want 200 or 499", status, body)
		}
		c = send(t, http1, head+"Content-Length: 10\r\n\r\n{}")
		check(t, c.CloseWrite())
		if status, body := receive(t, c); status != 400 || !strings.Contains(body, "unexpected EOF") {
			t.Errorf("half a request: got status %d, %s", status, body)
		}
	})
	t.Run("gone", func(t *testing.T) {
		for range 50 {
			c := send(t, http1, head+"Content-Length: 2\r\n\r\n{}")
			check(t, c.SetLinger(0))
			c.Close() // with a reset, before the answer
		}
	})
	for f.bodies.held.Load() != 0 || impatient.bodies.held.Load() != 0 || f.engine.scores.State().Running != 0 {
		runtime.Gosched()
	}
	if status, body := receive(t, send(t, http1, head+"Content-Length: 2\r\n\r\n{}")); status != 200 {
		t.Errorf("after all of them: status %d, %s", status, body)
	}
}

// TestLargeBodies sends what is just too much, compressed or not.
func TestLargeBodies(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		onNetwork(o)
		o.Timeout = 10 * time.Minute
	})
	addresses, _ := f.listen()
	url := "http://" + addresses["http"].String() + "/v1/score"
	zip := func(n int64) io.Reader {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		check(t, err)
		_, err = io.CopyN(w, spaces{}, n)
		check(t, errors.Join(err, w.Close()))
		return &b
	}
	post := func(body io.Reader, encoding string) (int, string) {
		r, err := http.NewRequest("POST", url, body)
		check(t, err)
		r.Header.Set("Content-Type", "application/json")
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil { // the server answers and closes while the client still writes
			return 0, err.Error()
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		check(t, err)
		return response.StatusCode, string(text)
	}
	const most = 64 << 20
	if code, text := post(io.MultiReader(io.LimitReader(spaces{}, most-2), strings.NewReader("{}")), ""); code != 200 {
		t.Errorf("64 MiB: got status %d, %.200s", code, text)
	}
	if code, text := post(io.LimitReader(spaces{}, most+1), ""); code != 413 && code != 0 {
		t.Errorf("64 MiB + 1: got status %d, %.200s, want 413", code, text)
	}
	if code, text := post(zip(most+1), "gzip"); code != 413 || !strings.Contains(text, "more than 67108864 bytes") {
		t.Errorf("a gzip bomb: got status %d, %.200s, want 413", code, text)
	}
	event := `{"time": 1700000000, "type": "visit", "amount": 1},`
	body := `{"events": [` + strings.TrimSuffix(strings.Repeat(event, 1_000_000), ",") + `]}`
	if code, text := post(strings.NewReader(body), ""); code != 413 || !strings.Contains(text, "more than 100000 events") {
		t.Errorf("a million events: got status %d, %.200s, want 413", code, text)
	}
	for f.bodies.held.Load() != 0 { // the last handler may still be at its end
		runtime.Gosched()
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestMillionEvents scores a journey of a million events where the operator
// allows that many.
func TestMillionEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("scores for seconds")
	}
	f := newFixture(t, func(o *Options) { o.MaxEvents, o.Timeout = 1_000_000, 10*time.Minute })
	event := `{"time": 1700000000, "type": "visit", "amount": 1},`
	var got ScoreResponse
	f.answer(&got, 200, "POST", "/v1/score", `{"events": [`+strings.TrimSuffix(strings.Repeat(event, 1_000_000), ",")+`]}`)
	if got.Events != 1_000_000 || len(got.Scores) != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestOverload fills the slots with work that does not end, and demands that
// what fits in line is answered once it can be, and that everything else is told
// to come again at once, before its body is read.
func TestOverload(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Queue = 3 })
	gate, began, blocked := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	for range 2 {
		go func() {
			leave, err := f.engine.Enter()
			if err != nil {
				blocked <- err
				return
			}
			defer leave()
			blocked <- f.engine.Do(context.Background(), func() error {
				began <- struct{}{}
				<-gate
				return nil
			})
		}()
		<-began
	}
	j := long(t)
	body := journeyJSON(&j, "")
	accepted := make(chan int, 3)
	for i := range 3 {
		go func() { accepted <- f.ask("POST", "/v1/score", body).Code }()
		for f.engine.scores.State().Waiting != i+1 {
			runtime.Gosched()
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const many = 2000
	for range many {
		w := f.ask("POST", "/v1/score", body)
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "more to do than it can") {
			t.Fatalf("got status %d, %v, %s, want 503 and when to come again", w.Code, w.Header(), w.Body)
		}
	}
	if w := f.ask("POST", "/v2/models/test/infer", `{"inputs": [{"name": "journey", "shape": [1], "datatype": "BYTES", "data": ["{}"]}]}`); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("by the protocol: got status %d, %s, want 503", w.Code, w.Body)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / many; each > 16<<10 {
		t.Errorf("a refusal took %d bytes", each) // a recorder, a request and an error, not a journey
	}
	if f.bodies.held.Load() > 3*(4<<10+int64(2*len(body))) {
		t.Errorf("%d bytes of bodies are held for 3 requests", f.bodies.held.Load())
	}
	if refused := f.engine.scores.State().Refused; refused != many+1 {
		t.Errorf("%d are counted as refused, want %d", refused, many+1)
	}
	close(gate)
	for range 3 {
		if code := <-accepted; code != 200 {
			t.Errorf("one that waited got status %d", code)
		}
	}
	for range 2 {
		check(t, <-blocked)
	}
}

// TestBudgetOfBodies demands that bodies under way take no more memory than is
// meant for all of them.
func TestBudgetOfBodies(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.MaxBody = 1 << 20 })
	var held int64
	check(t, f.bodies.hold(&held, 4<<20))
	f.refused(503, "more to do", "POST", "/v1/score", `{}`)
	f.bodies.held.Add(-held)
	f.answer(nil, 200, "POST", "/v1/score", `{}`)
}

// TestShutdownLetsRequestsEnd demands that a request under way is answered and
// that those who look at health hear of the end.
func TestShutdownLetsRequestsEnd(t *testing.T) {
	f := newFixture(t, onNetwork)
	addresses, end := f.listen()
	slow := send(t, addresses["http"], head+"Content-Length: 2\r\n\r\n{")
	for f.bodies.held.Load() == 0 {
		runtime.Gosched()
	}
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	for f.protocol.Ready() {
		runtime.Gosched()
	}
	_, err := io.WriteString(slow, "}")
	check(t, err)
	if status, body := receive(t, slow); status != 200 {
		t.Errorf("the request under way got status %d, %s", status, body)
	}
	check(t, <-ended)
	if c, err := net.Dial("tcp", addresses["http"].String()); err == nil {
		c.Close()
		t.Error("the server still listens")
	}
}

// TestShutdownEndsInTime cuts off a client that never ends its request.
func TestShutdownEndsInTime(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		onNetwork(o)
		o.Drain = time.Millisecond
	})
	addresses, end := f.listen()
	send(t, addresses["http"], head+"Content-Length: 2\r\n\r\n{")
	for f.bodies.held.Load() == 0 {
		runtime.Gosched()
	}
	check(t, end())
}

func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	check(t, os.WriteFile(path, []byte("# who may ask\n\nshop "+hashed("s3cret")+"\ncrm "+hashed("other")+"\n"), 0o600))
	var log bytes.Buffer
	f := newFixture(t, func(o *Options) {
		onNetwork(o)
		o.TokenFile, o.AccessLog, o.Log = path, true, slog.New(slog.NewTextHandler(&log, nil))
	})
	for _, header := range []string{"", "Bearer", "Bearer wrong", "Bearer " + hashed("s3cret"), "Basic s3cret", "s3cret"} {
		f.refused(401, "Authorization: Bearer", "POST", "/v1/score", "{}", "Authorization", header)
		f.refused(401, "Authorization: Bearer", "GET", "/v2/models/test", "", "Authorization", header)
	}
	if w := f.ask("GET", "/v1/models", ""); w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("headers %v, want WWW-Authenticate", w.Header())
	}
	for _, header := range []string{"Bearer s3cret", "bearer other"} {
		f.answer(nil, 200, "POST", "/v1/score", "{}", "Authorization", header)
	}
	f.answer(nil, 200, "GET", "/v2/health/live", "")
	f.answer(nil, 200, "GET", "/openapi.json", "")
	f.answer(nil, 200, "POST", "/v1/customers/somebody@example.com/events", `{"profile": {"city": "Secretville"}}`, "Authorization", "Bearer s3cret")
	for _, want := range []string{`route=none status=401 client=""`, `route="POST /v1/score" status=200 client=shop`, "client=crm", `route="POST /v1/customers/{id}/events" status=200`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, log.String())
		}
	}
	for _, personal := range []string{"somebody", "Secretville", "s3cret", hashed("s3cret"), "192.0.2."} {
		if strings.Contains(log.String(), personal) {
			t.Errorf("the log has %s", personal)
		}
	}

	check(t, os.WriteFile(path, []byte("nonsense\n"), 0o600))
	f.refreshSecrets()
	f.answer(nil, 200, "POST", "/v1/score", "{}", "Authorization", "Bearer s3cret") // a damaged file changes nothing
	check(t, os.WriteFile(path, []byte("new "+hashed("fresh")+"\n"), 0o600))
	f.refreshSecrets()
	f.refused(401, "", "POST", "/v1/score", "{}", "Authorization", "Bearer s3cret")
	f.answer(nil, 200, "POST", "/v1/score", "{}", "Authorization", "Bearer fresh")
}

func TestTokensOfCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	check(t, os.WriteFile(path, []byte("shop "+hashed("s3cret")+"\n"), 0o600))
	f := newFixture(t, func(o *Options) {
		onNetwork(o)
		o.TokenFile = path
	})
	addresses, _ := f.listen()
	connection, err := grpc.NewClient(addresses["grpc"].String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	defer connection.Close()
	health, err := grpc_health_v1.NewHealthClient(connection).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || health.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health: got %v, %v", health, err)
	}
	call := func(ctx context.Context) codes.Code { // with the empty message, which any message is
		return status.Code(connection.Invoke(ctx, "/inference.GRPCInferenceService/ServerMetadata", &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckRequest{}))
	}
	if code := call(t.Context()); code != codes.Unauthenticated {
		t.Errorf("without a token: got %v", code)
	}
	if code := call(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer wrong")); code != codes.Unauthenticated {
		t.Errorf("with a wrong token: got %v", code)
	}
	if code := call(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer s3cret")); code != codes.OK {
		t.Errorf("with a token: got %v", code)
	}
}

// newPair writes a certificate of its own for 127.0.0.1.
func newPair(t testing.TB, cert, key string, serial int64) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	check(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	check(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	check(t, err)
	pool.AddCert(parsed)
	return pool
}

func TestTLS(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	pool := newPair(t, cert, key, 1)
	f := newFixture(t, func(o *Options) {
		onNetwork(o)
		o.CertFile, o.KeyFile = cert, key
	})
	addresses, _ := f.listen()
	get := func(pool *x509.CertPool) (*http.Response, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		return client.Get("https://" + addresses["http"].String() + "/v2/health/ready")
	}
	response, err := get(pool)
	check(t, err)
	response.Body.Close()
	if response.ProtoMajor != 2 || response.StatusCode != 200 {
		t.Errorf("got %s, status %d, want HTTP/2", response.Proto, response.StatusCode)
	}
	connection, err := grpc.NewClient(addresses["grpc"].String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})))
	check(t, err)
	defer connection.Close()
	_, err = grpc_health_v1.NewHealthClient(connection).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	check(t, err)

	fresh := newPair(t, cert, key, 2)
	f.refreshSecrets()
	if response, err = get(fresh); err != nil {
		t.Fatalf("with the renewed certificate: %v", err)
	}
	response.Body.Close()
	if _, err := get(pool); err == nil {
		t.Error("the former certificate is still shown")
	}
}

// TestCrossOrigin demands that a page of another site can neither read nor
// change anything.
func TestCrossOrigin(t *testing.T) {
	f := newFixture(t, nil)
	w := f.ask("GET", "/v1/models", "", "Origin", "https://evil.example")
	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("header %s", name)
		}
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if w := f.ask("DELETE", "/v1/customers/a", "", "Sec-Fetch-Site", site); w.Code != 403 {
			t.Errorf("%s: got status %d, want 403", site, w.Code)
		}
	}
	if w := f.ask("DELETE", "/v1/customers/a", "", "Sec-Fetch-Site", "same-origin"); w.Code != 404 {
		t.Errorf("the page's own request: got status %d, want 404", w.Code)
	}
}

// TestFaultsOfTheProgram demands that a panic costs its request alone.
func TestFaultsOfTheProgram(t *testing.T) {
	var log bytes.Buffer
	f := newFixture(t, func(o *Options) {
		o.Log = slog.New(slog.NewJSONHandler(&log, nil))
		o.Routes = map[string]http.Handler{"GET /broken": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a fault") })}
	})
	f.refused(500, "see its log", "GET", "/broken", "")
	err := f.engine.Do(t.Context(), func() error { panic("another") })
	if err == nil || statuses.Status(err) != 500 {
		t.Errorf("got %v, want an error", err)
	}
	f.answer(nil, 200, "POST", "/v1/score", "{}")
	var line struct{ Route, Error, Stack string }
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Route != "GET /broken" || !strings.Contains(line.Error, "a fault") || line.Stack == "" {
		t.Errorf("the log says %s", log.String())
	}
}

// TestReloadUnderLoad replaces the bundle while requests come: none fails, and
// each is answered by one of the versions.
func TestReloadUnderLoad(t *testing.T) {
	f := newFixture(t, nil)
	j := long(t)
	body := journeyJSON(&j, "")
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if w := f.ask("POST", "/v1/score", body); w.Code != 200 {
					t.Errorf("status %d, %s", w.Code, w.Body)
					return
				}
			}
		})
	}
	versions := map[string]bool{}
	for range 4 {
		versions[f.model().Version] = true
		replaceBundle(t, f, uint64(len(versions)+1))
	}
	close(stop)
	group.Wait()
	if len(versions) != 4 {
		t.Errorf("got versions %v, want 4", versions)
	}
	runtime.GC() // formats of versions that are gone go, too
}

func replaceBundle(t testing.TB, f *fixture, seed uint64) {
	t.Helper()
	testbundle.Save(t, seed, f.folder)
	check(t, f.registry.Refresh(t.Context()))
}

func ExampleTokens() {
	tokens, err := ParseTokens([]byte("shop 1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0\n"))
	fmt.Println(len(tokens), err)
	fmt.Println(tokens.Client("s3cret"))
	fmt.Println(tokens.Client("guess"))
	// Output:
	// 1 <nil>
	// shop true
	//  false
}
