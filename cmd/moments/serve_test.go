package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A served is a server in the background.
type served struct {
	t    *testing.T
	http string // address
	end  func() result
}

// addresses reads off the log where a server listens.
type addresses struct {
	mu    sync.Mutex
	text  bytes.Buffer
	found chan string
}

var listening = regexp.MustCompile(`listening side=http address=(\S+)`)

func (a *addresses) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(p)
	if m := listening.FindSubmatch(a.text.Bytes()); m != nil && a.found != nil {
		a.found <- string(m[1])
		a.found = nil
	}
	return len(p), nil
}

// serveBundles starts a server on any free port and ends it with the test.
func serveBundles(t *testing.T, args ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	watch, ended := &addresses{found: make(chan string, 1)}, make(chan result, 1)
	found := watch.found
	go func() { ended <- runWith(ctx, watch, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...) }()
	s := &served{t: t}
	s.end = sync.OnceValue(func() result {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { s.end() })
	select {
	case s.http = <-found:
	case r := <-ended:
		t.Fatalf("serve %v ended with code %d:\n%s", args, r.code, r.stderr)
	}
	return s
}

// ask sends a request and reads numbers as they are written.
func (s *served) ask(method, path, body string, status int) map[string]any {
	s.t.Helper()
	request, err := http.NewRequest(method, "http://"+s.http+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, %v, %s, want %d", method, path, response.StatusCode, err, text, status)
	}
	return numbersAsWritten(s.t, text)
}

func numbersAsWritten(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if len(text) > 0 {
		if err := d.Decode(&tree); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	return tree
}

// scoreRows are the rows of moments score, by customer.
func scoreRows(t *testing.T, args ...string) map[string]map[string]any {
	t.Helper()
	out := filepath.Join(t.TempDir(), "s.jsonl")
	mustRun(t, append([]string{"score", "-o", out, "--quiet"}, args...)...)
	rows := map[string]map[string]any{}
	for line := range strings.Lines(read(t, out)) {
		row := numbersAsWritten(t, []byte(line))
		rows[row["customer"].(string)] = row
	}
	return rows
}

// sameAsRow compares an answer with a row of moments score, digit by digit.
func sameAsRow(t *testing.T, what string, answer, row map[string]any, target string) {
	t.Helper()
	scores := answer["scores"].(map[string]any)
	for _, pair := range [][2]any{
		{scores[target], row[target]}, {answer["anomaly"], row["anomaly"]}, {answer["anomaly_score"], row["anomaly_score"]},
		{answer["anomaly_direction"], row["anomaly_direction"]}, {answer["cutoff"], row["cutoff"]},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %v, want %v as moments score has it", what, pair[0], pair[1])
		}
	}
	if reasons, ok := answer["reasons"]; ok && fmt.Sprint(reasons) != fmt.Sprint(row["reasons"]) {
		t.Errorf("%s: got reasons %v, want %v", what, reasons, row["reasons"])
	}
}

// TestServeScoresAsScore demands of the server, for every customer, what moments
// score writes, stateless and stored, to the last digit.
func TestServeScoresAsScore(t *testing.T) {
	folder := trainedFolder(t)
	bundle := filepath.Join(folder, "bundle")
	const at = "2025-01-04T11:30:00Z"
	atEnd, atMoment := scoreRows(t, bundle), scoreRows(t, bundle, "--at", at)
	events := map[string][]string{}
	rows, err := csv.NewReader(strings.NewReader(read(t, filepath.Join(folder, "events.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		events[r[0]] = append(events[r[0]], fmt.Sprintf(`{"time": %q, "type": %q, "amount": %s}`, r[1], r[2], r[3]))
	}
	s := serveBundles(t, bundle, "--state", filepath.Join(t.TempDir(), "state"))
	var names, list []string
	for name := range events {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		journey := fmt.Sprintf(`"customer": %q, "events": [%s]`, name, strings.Join(events[name], ","))
		list = append(list, "{"+journey+"}")
		sameAsRow(t, name, s.ask("POST", "/v1/score", `{"reasons": 3, `+journey+`}`, 200), atEnd[name], "won")
		body := fmt.Sprintf(`{"at": %q, %s}`, at, journey)
		if row := atMoment[name]; row != nil {
			sameAsRow(t, name+" at "+at, s.ask("POST", "/v1/score", body, 200), row, "won")
		} else {
			s.ask("POST", "/v1/score", body, 400)
		}
		if i%10 != 0 {
			continue
		}
		var last map[string]any
		for _, event := range events[name] {
			last = s.ask("POST", "/v1/customers/"+name+"/events", `{"events": [`+event+`]}`, 200)
		}
		sameAsRow(t, name+" appended", last, atEnd[name], "won")
		sameAsRow(t, name+" stored", s.ask("GET", "/v1/customers/"+name+"?reasons=3", "", 200), atEnd[name], "won")
	}
	many := s.ask("POST", "/v1/score", `{"journeys": [`+strings.Join(list, ",")+`], "reasons": 3}`, 200)["journeys"].([]any)
	for i, name := range names {
		sameAsRow(t, name+" among many", many[i].(map[string]any), atEnd[name], "won")
	}
	if r := s.end(); r.code != exitDone || r.stdout != "" {
		t.Errorf("the server ended with code %d and standard output %q:\n%s", r.code, r.stdout, r.stderr)
	}
}

// TestServeReadsTablesAsScore is the same for a table with new levels, missing
// values and their spellings, and for customers that outlive the server.
func TestServeReadsTablesAsScore(t *testing.T) {
	folder := tableFolder(t)
	bundle, profiles, state := filepath.Join(folder, "bundle"), filepath.Join(folder, "new.csv"), filepath.Join(folder, "state")
	mustRun(t, "train", filepath.Join(folder, "task.yaml"), "-o", bundle)
	write(t, profiles, "id,age,plan,spend\na,30,platinum,5.5\nb,,,5.5\nc,NA,basic,1e3\nd, 41 ,1.50,-0\ne,0.1,NA,4.9e-324\n")
	want := scoreRows(t, bundle, "--profiles", profiles)
	given := map[string]string{
		"a": `{"age": 30, "plan": "platinum", "spend": 5.5}`, "b": `{"spend": 5.5, "plan": null}`, "c": `{"age": "NA", "plan": "basic", "spend": 1e3}`,
		"d": `{"age": " 41 ", "plan": 1.50, "spend": -0}`, "e": `{"age": 0.1, "plan": "NA", "spend": 4.9e-324}`,
	}
	s := serveBundles(t, bundle, "--state", state)
	if want["a"]["cutoff"] != nil {
		t.Fatalf("got %v, want a row without a moment", want["a"])
	}
	for name, profile := range given {
		got := s.ask("POST", "/v1/score", `{"customer": "`+name+`", "profile": `+profile+`}`, 200)
		got["cutoff"] = nil // a request has its moment
		sameAsRow(t, name, got, want[name], "churn")
		s.ask("POST", "/v1/customers/"+name+"/events", `{"profile": `+profile+`}`, 200)
	}
	s.end()
	s = serveBundles(t, bundle, "--state", state)
	for name := range given {
		got := s.ask("GET", "/v1/customers/"+name, "", 200)
		got["cutoff"] = nil
		sameAsRow(t, name+" after a restart", got, want[name], "churn")
	}
}

func TestServeRefusesWrongUsage(t *testing.T) {
	bundle := filepath.Join(trainedFolder(t), "bundle")
	tokens := filepath.Join(t.TempDir(), "tokens")
	write(t, tokens, "me not-a-hash\n")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{filepath.Join(t.TempDir(), "none")}, "no such file"},
		{[]string{bundle, "--pin", "journeys"}, "want MODEL=VALUE"},
		{[]string{bundle, "--pin", "journeys=0000"}, "0000"},
		{[]string{bundle, "--retention", "30d"}, "without --state"},
		{[]string{bundle, "--state", bundle}, "bundle"},
		{[]string{bundle, "--state", filepath.Join(t.TempDir(), "s"), "--retention", "soon"}, `duration "soon"`},
		{[]string{bundle, "--queue", "0"}, "a limit is below 1"},
		{[]string{bundle, "--tls-cert", tokens}, "want both or none"},
		{[]string{bundle, "--token-file", tokens}, "line 1: want a name and the SHA-256"},
		{[]string{bundle, "--token-file", os.DevNull}, "no token in the file"},
	} {
		r := runArgs(append([]string{"serve", "--listen", "127.0.0.1:0"}, test.args...)...)
		if r.code != exitWrong || !strings.Contains(r.stderr, test.want) {
			t.Errorf("serve %v: code %d, %s, want 2 and %q", test.args[1:], r.code, r.stderr, test.want)
		}
	}
}
