package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A serving is a server in a process of its own, which can be killed.
type serving struct {
	t       *testing.T
	program *exec.Cmd
	address string
}

// serveProgram starts a server that keeps customers in state.
func serveProgram(t *testing.T, state string, args ...string) *serving {
	t.Helper()
	bundle := filepath.Join(trainedFolder(t), "bundle")
	s := &serving{t: t, program: asCommand(t, append([]string{"serve", bundle, "--listen", "127.0.0.1:0", "--state", state}, args...)...)}
	logs, err := s.program.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	lines, text := bufio.NewScanner(logs), ""
	for s.address == "" && lines.Scan() {
		text += lines.Text() + "\n"
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			s.address = m[1]
		}
	}
	if s.address == "" {
		t.Fatalf("the server ended:\n%s", text)
	}
	go io.Copy(io.Discard, logs)
	return s
}

// kill ends the server as nothing can prevent.
func (s *serving) kill() {
	s.program.Process.Kill()
	s.program.Wait()
}

// ask returns status 0 where there is no answer.
func (s *serving) ask(method, path, body string) (status int, answer map[string]any) {
	request, err := http.NewRequest(method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0, nil
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		s.t.Errorf("%s %s: %v: %s", method, path, err, text)
	}
	return response.StatusCode, answer
}

// A writer appends the events of one customer, each until it is acknowledged.
type writer struct {
	customer     string
	acknowledged int    // events
	padding      string // of their types
}

// event is number i of the writer's.
func (w *writer) event(i int) string {
	return fmt.Sprintf(`{"time": "2025-01-04T%02d:%02d:%02dZ", "type": %q, "amount": %d, "id": "%d"}`, i/3600, i/60%60, i%60, []string{"visit", "purchase"}[i%2]+w.padding, i%5, i)
}

// run appends until the server is gone. acknowledged is told of each event.
func (w *writer) run(s *serving, acknowledged func()) {
	for {
		status, answer := s.ask("POST", "/v1/customers/"+w.customer+"/events", `{"events": [`+w.event(w.acknowledged)+`]}`)
		if status == 0 {
			return
		}
		if status != http.StatusOK {
			s.t.Errorf("%s: status %d, %v", w.customer, status, answer)
			return
		}
		w.acknowledged++
		acknowledged()
	}
}

// check demands the journey as it was acknowledged, but for one event whose
// acknowledgement may have been lost, and the score of the whole journey.
func (w *writer) check(s *serving) {
	s.t.Helper()
	if w.acknowledged == 0 {
		return
	}
	status, stored := s.ask("GET", "/v1/customers/"+w.customer, "")
	events := fmt.Sprint(stored["events"])
	count := w.acknowledged
	if events == fmt.Sprint(count+1) {
		count++
	}
	if status != http.StatusOK || events != fmt.Sprint(count) {
		s.t.Fatalf("%s: status %d, %v, want the %d events that were acknowledged", w.customer, status, stored, w.acknowledged)
	}
	var list []string
	for i := range count {
		list = append(list, w.event(i))
	}
	_, whole := s.ask("POST", "/v1/score", fmt.Sprintf(`{"customer": %q, "events": [%s]}`, w.customer, strings.Join(list, ",")))
	if got, want := fmt.Sprint(stored["scores"], stored["anomaly"]), fmt.Sprint(whole["scores"], whole["anomaly"]); got != want || whole["scores"] == nil {
		s.t.Errorf("%s: stored, the journey scores %s, want %s", w.customer, got, want)
	}
}

// TestServeSurvivesKills kills the server twenty times while clients append. What
// a client had an answer to is there each time, and what it sends again for want
// of one is there once.
func TestServeSurvivesKills(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 2
	}
	state, random := filepath.Join(t.TempDir(), "state"), rand.New(rand.NewPCG(20, 9))
	writers := []*writer{{customer: "ada"}, {customer: "bob"}, {customer: "cyd"}}
	for range rounds {
		s := serveProgram(t, state)
		for _, w := range writers {
			w.check(s)
		}
		var heard atomic.Int64
		most := 1 + random.Int64N(150)
		var group sync.WaitGroup
		for _, w := range writers {
			group.Go(func() {
				w.run(s, func() {
					if heard.Add(1) == most {
						s.program.Process.Kill()
					}
				})
			})
		}
		group.Wait()
		s.kill()
	}
	s := serveProgram(t, state)
	total := 0
	for _, w := range writers {
		w.check(s)
		total += w.acknowledged
	}
	t.Logf("%d events were acknowledged", total)
}

// TestServeRefusesADamagedState starts the server on what is no whole state any
// more: it says so and what to do, and changes nothing.
func TestServeRefusesADamagedState(t *testing.T) {
	state, bundle := filepath.Join(t.TempDir(), "state"), filepath.Join(trainedFolder(t), "bundle")
	s := serveBundles(t, bundle, "--state", state)
	for _, customer := range []string{"ada", "bob"} {
		s.ask("POST", "/v1/customers/"+customer+"/events", `{"events": [`+(&writer{}).event(0)+`]}`, 200)
	}
	s.end()
	for pattern, left := range map[string]int{"MANIFEST-*": 20, "*.sst": 50, "CUSTOMERS": 3, "marker.manifest.*": -1} {
		spoilt := filepath.Join(t.TempDir(), "state")
		if err := os.CopyFS(spoilt, os.DirFS(state)); err != nil {
			t.Fatal(err)
		}
		cutFiles(t, filepath.Join(spoilt, pattern), left)
		r := runArgs("serve", bundle, "--listen", "127.0.0.1:0", "--state", spoilt)
		if want := "restore the folder from a copy, or move it away"; r.code != exitWrong || !strings.Contains(r.stderr, want) && pattern != "CUSTOMERS" {
			t.Errorf("%s cut: code %d, want %d and %q:\n%s", pattern, r.code, exitWrong, want, r.stderr)
		}
	}
	s = serveBundles(t, bundle, "--state", state)
	s.ask("GET", "/v1/customers/ada", "", 200)
}

// TestServeRepairsAState changes a byte in the middle of the log that a killed
// server left: the next one starts only to repair it, with the events before.
// The log is some blocks of 32 KiB long: a change in the last of them looks as
// if the log ended there.
func TestServeRepairsAState(t *testing.T) {
	state, bundle := filepath.Join(t.TempDir(), "state"), filepath.Join(trainedFolder(t), "bundle")
	s, w := serveProgram(t, state), &writer{customer: "ada", padding: strings.Repeat("x", 3000)}
	w.run(s, func() {
		if w.acknowledged == 60 {
			s.program.Process.Kill()
		}
	})
	s.kill()
	changeLog(t, state)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := runWith(ctx, &trigger{text: "listening", call: cancel}, "serve", bundle, "--listen", "127.0.0.1:0", "--state", state)
	if r.code != exitWrong || !strings.Contains(r.stderr, "--repair-state") {
		t.Fatalf("code %d, want %d and what to do:\n%s", r.code, exitWrong, r.stderr)
	}
	s = serveProgram(t, state, "--repair-state")
	status, stored := s.ask("GET", "/v1/customers/ada", "")
	w.acknowledged = 0
	if events, ok := stored["events"].(json.Number); ok {
		fmt.Sscan(events.String(), &w.acknowledged)
	}
	if status != http.StatusOK || w.acknowledged < 10 || w.acknowledged > 50 {
		t.Fatalf("status %d, %v, want the first half of 60 events", status, stored)
	}
	w.check(s)
}

// changeLog changes a byte in the middle of the longest log. Room that was taken
// for it ahead of time is zero.
func changeLog(t *testing.T, state string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(state, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var path string
	used, longest := 0, []byte{}
	for _, log := range logs {
		text := []byte(read(t, log))
		if n := len(bytes.TrimRight(text, "\x00")); n > used {
			path, longest, used = log, text, n
		}
	}
	t.Logf("%s has %d bytes, %d of them used", filepath.Base(path), len(longest), used)
	longest[used/2] ^= 4
	write(t, path, string(longest))
}

// cutFiles leaves so many bytes of files, or removes them.
func cutFiles(t *testing.T, pattern string, left int) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	for _, file := range files {
		if left < 0 {
			err = os.Remove(file)
		} else {
			err = os.Truncate(file, int64(left))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
