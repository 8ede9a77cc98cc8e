package customers

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"moments/features"
	"moments/infer"
)

// killedDir tells the test binary that it is the process to be killed.
const killedDir = "MOMENTS_CUSTOMERS_KILLED"

const killedCustomers = 4

// killedOptions make the database write tables and begin logs all the time.
var killedOptions = Options{Sync: OS, memTable: 64 << 10, reserve: 1 << 16}

// Twenty times a process that appends is killed. What it acknowledged is there
// each time, requests are there as a whole or not at all, nothing is there that
// was not sent, and the journeys score as whole ones.
func TestKilledProcessesLoseNothing(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		appendForEver(t, dir)
		return
	}
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	dir, random, sc := t.TempDir(), rand.New(rand.NewPCG(4, 4)), newScorer(t, 1)
	acknowledged := make([]int, killedCustomers)
	total := 0
	for range rounds {
		total += killWhileAppending(t, dir, 1+random.IntN(400), acknowledged)
		s := open(t, dir, killedOptions)
		for c, n := range acknowledged {
			acknowledged[c] = checkKilled(t, s, sc, c, n)
		}
		shut(t, s)
	}
	t.Logf("%d requests were acknowledged", total)
}

// appendForEver resumes the customers' journeys, each in a goroutine of its own,
// and says after every request how many were acknowledged.
func appendForEver(t *testing.T, dir string) {
	s, err := Open(dir, killedOptions)
	if err != nil {
		t.Fatal(err)
	}
	sc := newScorer(t, 1)
	var said sync.Mutex
	var group sync.WaitGroup
	for c := range killedCustomers {
		info, _ := s.Info(t.Context(), customer(c))
		group.Go(func() {
			for k := requestsIn(info.Events); ; k++ {
				if _, err := s.Append(t.Context(), sc, killedRequest(c, k)); err != nil {
					t.Error(err)
					return
				}
				said.Lock()
				fmt.Printf("acknowledged %d %d\n", c, k+1)
				said.Unlock()
			}
		})
	}
	group.Wait()
}

// killedRequest is number k of a customer: 1 to 5 events.
func killedRequest(c, k int) *Request {
	r := &Request{Customer: customer(c)}
	first := eventsIn(k)
	for i := range k%5 + 1 {
		ev := minuteEvent(first + i)
		ev.Type = fmt.Sprintf("type-%d-%d", c, (first+i)%50)
		r.Events = append(r.Events, ev)
	}
	return r
}

// eventsIn counts the events of the first k requests: 15 for five of them.
func eventsIn(k int) int { return k/5*15 + (k%5)*(k%5+1)/2 }

// requestsIn is the number of requests that so many events are; -1 where they
// are not whole requests.
func requestsIn(events int) int {
	for k := events / 15 * 5; ; k++ {
		switch n := eventsIn(k); {
		case n == events:
			return k
		case n > events:
			return -1
		}
	}
}

// killWhileAppending kills a process after so many acknowledgements more, and
// counts them by customer.
func killWhileAppending(t *testing.T, dir string, most int, acknowledged []int) (heard int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessesLoseNothing$")
	cmd.Env = append(os.Environ(), killedDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] != "acknowledged" {
			t.Fatalf("the process said %q", lines.Text())
		}
		c, _ := strconv.Atoi(fields[1])
		if acknowledged[c], err = strconv.Atoi(fields[2]); err != nil {
			t.Fatal(err)
		}
		if heard++; heard == most {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || heard < most {
		t.Fatalf("the process ended by itself after %d acknowledgements", heard)
	}
	return heard
}

// checkKilled demands at least n whole requests of a customer, and counts them.
func checkKilled(t *testing.T, s *Store, sc *infer.Scorer, c, n int) int {
	t.Helper()
	info, err := s.Info(t.Context(), customer(c))
	if err != nil && n > 0 {
		t.Fatalf("customer %d, of whom %d requests were acknowledged: %v", c, n, err)
	}
	k := requestsIn(info.Events)
	if k < n || k > n+1 { // one may have been on its way, or its acknowledgement
		t.Fatalf("customer %d: %d events are %d requests, %d were acknowledged", c, info.Events, k, n)
	}
	if k == 0 {
		return 0
	}
	j := &features.Journey{Customer: customer(c), Profile: nil}
	for i := range k {
		j.Events = append(j.Events, killedRequest(c, i).Events...)
	}
	checkJourney(t, s, sc, j)
	checkScore(t, s, sc, j)
	return k
}
