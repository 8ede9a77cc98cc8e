package datasets

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"moments/features"
)

const cutEvents = `c,t,k
ann,2024-01-01,a
ann,2024-01-02,b
ann,2024-01-03,a
ann,2024-01-04,b
ann,2024-01-05,a
bob,2024-01-02,a
bob,2024-01-03,a
cid,2024-01-01,b
`

// brief writes cuts as customer@events=labels.
func brief(all []ownCut) string {
	var parts []string
	for _, c := range all {
		part := fmt.Sprintf("%s@%d=%s", c.Customer, c.Cutoff.Events, c.Labels)
		if c.Extra {
			part += "+"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

func TestCuts(t *testing.T) {
	tests := []struct{ name, rest, labels, want string }{
		{"end of the journey", "targets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
			"c,v\nann,1\nbob,0\n", "ann@5=1 bob@2=0"},
		{"no target yields every cut", "", "", "ann@5= bob@2= cid@1="},
		{"after events, short journeys are left out", "cutoffs: {after_events: [2, 4]}\ntargets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
			"c,v\nann,1\nbob,0\ncid,1\n", "ann@2=1 ann@4=1 bob@2=0"},
		{"until hides what follows", "cutoffs: {after_events: [2, 3, 4]}\ntargets: {x: {labels: {source: l.csv, customer: c, value: v, until: u}}}",
			"c,v,u\nann,1,2024-01-04\nbob,0,\n", "ann@2=1 ann@3=1 bob@2=0"},
		{"until at the end of the journey", "targets: {x: {labels: {source: l.csv, customer: c, value: v, until: u}}}",
			"c,v,u\nann,1,2024-01-03T00:00:00Z\nbob,0,2024-01-03T00:00:01Z\n", "ann@2=1 bob@2=0"},
		{"the earliest until counts", "targets:\n  x: {labels: {source: l.csv, customer: c, value: v, until: u}}\n  y: {labels: {source: l.csv, customer: c, value: w, until: z}}\n",
			"c,v,u,w,z\nann,1,2024-01-04,0,2024-01-03\nbob,,,0,\n", "ann@2=10 bob@2=?0"},
		{"until of an unlabelled row still hides", "targets:\n  x: {labels: {source: l.csv, customer: c, value: v, positive: [1], negative: [0], until: u}}\n  y: {labels: {source: l.csv, customer: c, value: w}}\n",
			"c,v,u,w\nann,7,2024-01-02,0\nbob,1,,1\n", "ann@1=?0 bob@2=11"},
		{"at a moment", "cutoffs: {at: 2024-01-03}\ntargets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
			"c,v\nann,1\nbob,0\ncid,1\n", "ann@2=1 bob@1=0 cid@1=1"},
		{"after the first", "cutoffs: {after_first: 2d}\ntargets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
			"c,v\nann,1\nbob,0\n", "ann@2=1 bob@2=0"},
		{"every two days", "cutoffs: {every: 2d, from: 2024-01-01, to: 2024-01-05}\ntargets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
			"c,v\nbob,0\n", "bob@1=0 bob@2=0"},
		{"column of the labels", "cutoffs: {column: seen}\ntargets:\n  x: {labels: {source: l.csv, customer: c, value: v, until: u}}\n  y: {labels: {source: l.csv, customer: c, value: w, cutoff: seen2}}\n",
			"c,seen,v,u,seen2,w\nann,2024-01-03,1,2024-01-04,2024-01-05,0\nbob,2024-01-03,0,,2024-01-03,1\n", "ann@2=1? ann@4=?0 bob@1=01"},
		{"several label rows of a customer", "cutoffs: {column: seen}\ntargets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
			"c,seen,v\nann,2024-01-05,1\nann,2024-01-02,0\nann,2024-01-02,1\n", "ann@1=0 ann@4=1"},
		{"a label without events", "targets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
			"c,v\nzoe,1\nann,0\n", "ann@5=0 zoe@0=1"},
		{"an event follows", "cutoffs: {after_events: [1, 2]}\ntargets: {x: {event: {type: b, within: 1d}}}",
			"", "ann@1=1 ann@2=0 bob@1=0 bob@2=0 cid@1=0"},
		{"censored horizons are unknown", "cutoffs: {after_events: [1, 5]}\ntargets: {x: {inactivity: {for: 3d}}}",
			"", "ann@1=0 bob@1=0 cid@1=1"},
		{"the data reaches further", "data_end: 2024-01-09\ncutoffs: {after_events: [1, 5]}\ntargets: {x: {inactivity: {for: 3d}}}",
			"", "ann@1=0 ann@5=1 bob@1=0 cid@1=1"},
		{"values compare sensibly", "targets: {x: {labels: {source: l.csv, customer: c, value: v, positive: [1, true, Lost], negative: [0.0]}}}",
			"c,v\nann,1.0\nbob,TRUE\ncid,0\ndan, lost\neve,no\n", "ann@5=1 bob@2=1 cid@1=0 dan@0=1"},
		{"everything else is negative", "targets: {x: {labels: {source: l.csv, customer: c, value: v, positive: [a]}}}",
			"c,v\nann,a\nbob,b\ncid,\n", "ann@5=1 bob@2=0"},
		{"conditions see numbers", "targets: {x: {labels: {source: l.csv, customer: c, value: v, where: n >= 10 AND v = 1}}}",
			"c,v,n\nann,1,9\nbob,1,10\ncid,0,11\ndan,1,\n", "bob@2=1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := mustOpen(t, map[string]string{"task.yaml": simpleTask + test.rest, "e.csv": cutEvents, "l.csv": test.labels}, OpenOptions{})
			if got := brief(cuts(t, d, CutOptions{})); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// Exclusive cutoffs say the last visible instant.
func TestCutoffTimes(t *testing.T) {
	d := mustOpen(t, map[string]string{"task.yaml": simpleTask + "timezone: Europe/Amsterdam\ncutoffs: {column: seen}\ntargets: {x: {labels: {source: l.csv, customer: c, value: v}}}",
		"e.csv": cutEvents, "l.csv": "c,seen,v\nann,2024-01-03,1\n"}, OpenOptions{})
	got := cuts(t, d, CutOptions{})
	if len(got) != 1 || got[0].Cutoff.Time != micros("2024-01-02T23:00:00Z")-1 || got[0].Cutoff.Events != 2 {
		t.Errorf("got %+v", got)
	}
}

// longTask has many customers with journeys of many lengths.
func longTask(customers int) map[string]string {
	r := rand.New(rand.NewPCG(1, 2))
	var events, labels strings.Builder
	events.WriteString("c,t,k,amount,shop\n")
	labels.WriteString("c,v,u\n")
	for c := range customers {
		for range r.IntN(12) {
			fmt.Fprintf(&events, "u%d,2024-01-%02dT%02d:00:00+01:00,%c,%d,s%d\n", c, 1+r.IntN(28), r.IntN(24), 'a'+rune(r.IntN(3)), r.IntN(100), r.IntN(9))
		}
		fmt.Fprintf(&labels, "u%d,%d,2024-01-%02d\n", c, r.IntN(2), 10+r.IntN(19))
	}
	return map[string]string{
		"task.yaml": simpleTask + "cutoffs: {after_events: [3]}\ntargets:\n  x: {labels: {source: l.csv, customer: c, value: v, until: u}}\n",
		"e.csv":     events.String(), "l.csv": labels.String(),
	}
}

// Reading from disk and from memory, once and again, in any number of threads,
// yields the same.
func TestStreamedAndCachedAgree(t *testing.T) {
	texts := longTask(700)
	streamed := mustOpen(t, texts, OpenOptions{Cache: -1})
	cached := mustOpen(t, texts, OpenOptions{Threads: 1})
	if streamed.cache != nil || cached.cache == nil {
		t.Fatal("the data sets are not read in the two ways")
	}
	want := journeys(t, streamed)
	for name, d := range map[string]*Dataset{"streamed again": streamed, "cached": cached} {
		// NaN is no equal of NaN: compare what is printed.
		if got := journeys(t, d); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: other journeys", name)
		}
	}
	options := CutOptions{Extra: 2, Seed: 5}
	if a, b := cuts(t, streamed, options), cuts(t, cached, options); !reflect.DeepEqual(a, b) {
		t.Error("other cuts")
	}
	if a, b := streamed.Quality().String(), cached.Quality().String(); a != b {
		t.Errorf("other reports:\n%s\n%s", a, b)
	}
	if !slices.IsSortedFunc(want, func(a, b features.Journey) int { return strings.Compare(a.Customer, b.Customer) }) {
		t.Error("customers are not in order")
	}
	for _, j := range want {
		if !slices.IsSortedFunc(j.Events, func(a, b features.Event) int { return int((a.Time - b.Time) / features.Second) }) {
			t.Errorf("customer %s: events are not in order", j.Customer)
		}
	}
}

// A cache that is too small for the data falls back to streaming in the midst
// of the first pass.
func TestCacheThatIsTooSmall(t *testing.T) {
	texts := longTask(300)
	d, whole := mustOpen(t, texts, OpenOptions{Cache: 50_000}), mustOpen(t, texts, OpenOptions{})
	if d.cache != nil {
		t.Fatal("the data fits")
	}
	if fmt.Sprint(journeys(t, d)) != fmt.Sprint(journeys(t, whole)) || d.Quality().String() != whole.Quality().String() {
		t.Error("the journeys or the reports differ")
	}
}

func TestExtraCuts(t *testing.T) {
	d := mustOpen(t, longTask(200), OpenOptions{})
	own := cuts(t, d, CutOptions{})
	with := cuts(t, d, CutOptions{Extra: 2, Seed: 9})
	seen, extra := map[string]bool{}, 0
	for _, c := range with {
		key := fmt.Sprint(c.Customer, c.Cutoff.Events)
		if seen[key] {
			t.Errorf("customer %s is cut twice after %d events", c.Customer, c.Cutoff.Events)
		}
		seen[key] = true
		if c.Extra {
			extra++
		}
	}
	if kept := slices.DeleteFunc(slices.Clone(with), func(c ownCut) bool { return c.Extra }); !reflect.DeepEqual(kept, own) {
		t.Error("the task's own cuts have changed")
	}
	if extra < len(own) || extra > 2*200 {
		t.Errorf("got %d extra cuts beside %d", extra, len(own))
	}
	if !reflect.DeepEqual(with, cuts(t, d, CutOptions{Extra: 2, Seed: 9})) {
		t.Error("the same seed gives other cuts")
	}
	if reflect.DeepEqual(with, cuts(t, d, CutOptions{Extra: 2, Seed: 10})) {
		t.Error("another seed gives the same cuts")
	}
	// A customer's cuts do not depend on the others.
	fewer := longTask(200)
	fewer["e.csv"] = strings.Join(slices.DeleteFunc(strings.SplitAfter(fewer["e.csv"], "\n"), func(l string) bool { return strings.HasPrefix(l, "u1") }), "")
	got := cuts(t, mustOpen(t, fewer, OpenOptions{}), CutOptions{Extra: 2, Seed: 9})
	others := func(c ownCut) bool { return strings.HasPrefix(c.Customer, "u1") }
	if !reflect.DeepEqual(slices.DeleteFunc(got, others), slices.DeleteFunc(with, others)) {
		t.Error("the cuts of a customer depend on the other customers")
	}
}

// Journeys without a known label are cut once, on demand, where a label would
// be looked for, and never past until.
func TestUnlabelledCuts(t *testing.T) {
	tests := []struct{ cutoffs, want string }{
		{"", "ann@3=1 bob@1=?+ cid@1=?+"},
		{"cutoffs: {after_events: [1, 2]}\n", "ann@1=1 ann@2=1 bob@1=?+ cid@1=?+"},
		{"cutoffs: {at: 2024-01-03}\n", "ann@2=1 bob@1=?+ cid@1=?+"},
	}
	for _, test := range tests {
		d := mustOpen(t, map[string]string{"task.yaml": simpleTask + test.cutoffs + "targets: {x: {labels: {source: l.csv, customer: c, value: v, positive: [1], negative: [0], until: u}}}",
			"e.csv": cutEvents, "l.csv": "c,v,u\nann,1,2024-01-04\nbob,9,2024-01-03\n"}, OpenOptions{})
		if got := brief(cuts(t, d, CutOptions{Unlabelled: true})); got != test.want {
			t.Errorf("%s: got %s, want %s", test.cutoffs, got, test.want)
		}
	}
}

// Extra cuts never pass until, nor are there any at fixed moments.
func TestExtraCutsStayHonest(t *testing.T) {
	tests := []struct{ cutoffs, want string }{
		{"", "ann@3=1 ann@1=1+ ann@2=1+"},
		{"cutoffs: {after_events: [2]}\n", "ann@2=1 ann@1=1+ ann@3=1+"},
		{"cutoffs: {at: 2024-01-03}\n", "ann@2=1"},
		{"cutoffs: {after_first: 1d}\n", "ann@1=1"},
	}
	for _, test := range tests {
		d := mustOpen(t, map[string]string{"task.yaml": simpleTask + test.cutoffs + "targets: {x: {labels: {source: l.csv, customer: c, value: v, until: u}}}",
			"e.csv": cutEvents, "l.csv": "c,v,u\nann,1,2024-01-04\n"}, OpenOptions{})
		if got := brief(cuts(t, d, CutOptions{Extra: 9, Seed: 1})); got != test.want {
			t.Errorf("%s: got %s, want %s", test.cutoffs, got, test.want)
		}
	}
}

// What lives in Go while journeys stream does not grow with their number.
func TestStreamingIsBounded(t *testing.T) {
	live := func(customers int) uint64 {
		d := mustOpen(t, longTask(customers), OpenOptions{Cache: -1, Memory: 64 << 20})
		most, n := uint64(0), 0
		for _, err := range d.Journeys(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n%(customers/4) == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		return most
	}
	small, large := live(500), live(20_000)
	if large > small+2<<20 {
		t.Errorf("%d bytes live for 500 customers and %d for 20,000", small, large)
	}
}

// Several goroutines may read at the same time.
func TestReadingAtTheSameTime(t *testing.T) {
	texts := longTask(200)
	for _, cache := range []int64{-1, 0} {
		d := mustOpen(t, texts, OpenOptions{Cache: cache})
		want := fmt.Sprint(journeys(t, d))
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if got := fmt.Sprint(journeys(t, d)); got != want {
					t.Errorf("cache %d: other journeys", cache)
				}
			})
		}
		group.Wait()
	}
}

func TestStoppingEarly(t *testing.T) {
	d := mustOpen(t, longTask(300), OpenOptions{Cache: -1})
	for range 3 {
		n := 0
		for range d.Journeys(t.Context()) {
			if n++; n == 5 {
				break
			}
		}
	}
	if got := len(journeys(t, d)); got != 300 {
		t.Errorf("got %d journeys after stopping early, want 300", got)
	}
}
