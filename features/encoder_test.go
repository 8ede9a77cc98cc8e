package features

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Encoding whole, event by event, and with Encode called at any moments in
// between gives the same bits.
func TestEncodingIsTheSameWholeAndStreamed(t *testing.T) {
	for _, options := range []Options{{}, {With: everything}, {Tail: 5, With: everything}, {Tail: 3}, {MaxWindows: 1}} {
		s, _, _ := fitShop(t, options, 300)
		r := rand.New(rand.NewPCG(1, 2))
		whole, streamed := s.NewEncoder(), s.NewEncoder()
		var want, got, ignored Example
		for i := range 50 {
			j := randomJourney(r, i, 200)
			c := Cutoff{Events: r.IntN(len(j.Events) + 1)}
			if c.Events > 0 {
				c.Time = j.Events[c.Events-1].Time + r.Int64N(40*Day)
			}
			whole.EncodeJourney(j, c, &want)
			streamed.Start(j.Profile)
			var tokens, tokensAtOnce Tokens
			for k := range c.Events {
				for range r.IntN(3) {
					streamed.Encode(j.Events[k].Time+r.Int64N(90*Day)-Day, &ignored)
				}
				streamed.Append(&j.Events[k])
				streamed.AppendToken(&tokens)
			}
			streamed.Encode(c.Time, &ignored)
			streamed.Encode(c.Time, &got)
			for k := range c.Events {
				if k == 0 {
					whole.Start(j.Profile)
				}
				whole.Append(&j.Events[k])
				whole.AppendToken(&tokensAtOnce)
			}
			if !slices.Equal(tokens.IDs, tokensAtOnce.IDs) || !sameBits(tokens.Values, tokensAtOnce.Values) {
				t.Fatalf("options %+v, journey %d: Encode in between changed the tokens", options, i)
			}
			if !same(&got, &want) {
				t.Fatalf("options %+v, journey %d: streamed\n%+v\nwhole\n%+v", options, i, got, want)
			}
		}
	}
}

// Nothing after the cutoff reaches an example or the schema.
func TestEncodingSeesNothingAfterTheCutoff(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	r := rand.New(rand.NewPCG(3, 4))
	e := s.NewEncoder()
	var before, after Example
	for i := range 200 {
		j := randomJourney(r, i, 60)
		c := Cutoff{Events: r.IntN(len(j.Events) + 1), Time: at0 + 300*Day}
		e.EncodeJourney(j, c, &before)
		for k := c.Events; k < len(j.Events); k++ {
			j.Events[k] = Event{Time: c.Time, Type: "purchase", Values: []Value{Number(1e6), Text("app"), Text("sku1"), Number(4)}}
		}
		e.EncodeJourney(j, c, &after)
		if !same(&before, &after) {
			t.Fatalf("journey %d: the future changed the example from\n%+v\nto\n%+v", i, before, after)
		}
	}
}

func TestFittingSeesNothingAfterTheCutoff(t *testing.T) {
	fit := func(future string) string {
		f := NewFitter(shopLayout, Options{})
		r := rand.New(rand.NewPCG(5, 6))
		for i := range 100 {
			j := randomJourney(r, i, 20)
			c := CutoffRule{}.Cut(j, NoLimit, 0)[0]
			for range 5 {
				j.Events = append(j.Events, Event{Time: c.Time, Type: future, Values: []Value{Number(1), Text(future), Text(future), Number(9)}})
			}
			f.Add(j, c)
		}
		s, err := f.Schema()
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash()
	}
	if fit("win") != fit("lose") {
		t.Error("the schema depends on events after the cutoffs")
	}
}

func TestEncodedNumbersAreNeverInfinite(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	r := rand.New(rand.NewPCG(8, 9))
	e := s.NewEncoder()
	var ex Example
	for i := range 300 {
		j := randomJourney(r, i, 200)
		for k := range j.Events {
			switch r.IntN(6) {
			case 0:
				j.Events[k].Time = math.MaxInt64
			case 1:
				j.Events[k].Time = math.MinInt64
			case 2:
				j.Events[k].Offset = math.MinInt32
			case 3:
				j.Events[k].Values = []Value{Number(math.MaxFloat32)}
			}
		}
		e.Start(j.Profile)
		var tokens Tokens
		for k := range j.Events {
			e.Append(&j.Events[k])
			e.AppendToken(&tokens)
		}
		e.Encode([]int64{math.MaxInt64, math.MinInt64, 0}[r.IntN(3)], &ex)
		for _, numbers := range [][]float32{ex.Numeric, tokens.Values} {
			for _, x := range numbers {
				if math.IsInf(float64(x), 0) {
					t.Fatalf("journey %d: infinite number in %v", i, numbers)
				}
			}
		}
	}
}

func TestColumnNames(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	var got strings.Builder
	for _, column := range s.Columns() {
		fmt.Fprintf(&got, "%s\t%s\t%s\n", column.Name, column.Group, column.Kind)
	}
	golden := filepath.Join("testdata", "columns.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("columns differ from %s (go test -update writes it anew):\n%s", golden, got.String())
	}
}

// The columns that the schema names are those the encoder writes, whatever is
// left out.
func TestEveryFamilyCanBeLeftOut(t *testing.T) {
	all, _, _ := fitShop(t, Options{With: everything}, 200)
	total := len(all.Columns())
	for _, name := range Families() {
		s, journeys, cuts := fitShop(t, Options{With: everything, Without: []string{name}}, 200)
		ex := encodeAll(s, journeys, cuts)[0]
		if got, want := len(ex.Numeric)+len(ex.Category), len(s.Columns()); got != want {
			t.Errorf("without %q: example of %d, want %d", name, got, want)
		}
		if len(s.Levels()) != len(ex.Category) {
			t.Errorf("without %q: levels of %d columns, want %d", name, len(s.Levels()), len(ex.Category))
		}
		if len(s.Columns()) >= total {
			t.Errorf("without %q: %d columns, want fewer than %d", name, len(s.Columns()), total)
		}
	}
	f := NewFitter(shopLayout, Options{Without: []string{"magic"}})
	f.Add(&Journey{}, Cutoff{})
	if _, err := f.Schema(); err == nil || !strings.Contains(err.Error(), `"magic"`) {
		t.Errorf("an unknown family: got error %v, want one that names it", err)
	}
}

func TestProfileOnlyHasNoEventColumns(t *testing.T) {
	f := NewFitter(Layout{Profile: []Field{{"age", Numeric}, {"country", Categorical}}}, Options{})
	for i := range 20 {
		f.Add(&Journey{Customer: fmt.Sprint(i), Profile: []Value{Number(float64(i % 5)), Text([]string{"de", "fr"}[i%2])}}, Cutoff{})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	want := []Column{{"age", "age", Numeric}, {"country", "country", Categorical}}
	if got := s.Columns(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	var ex Example
	s.NewEncoder().EncodeJourney(&Journey{Customer: "x", Profile: []Value{Number(3), Text("xx")}}, Cutoff{Time: 5, Group: "g"}, &ex)
	if ex.Numeric[0] != 3 || ex.Category[0] != UnseenID || ex.Customer != "x" || ex.Cutoff != (Cutoff{Time: 5, Group: "g"}) {
		t.Errorf("got %+v", ex)
	}
}

// The encoder's memory does not grow with the journey.
func TestMemoryOfOneJourneyIsBounded(t *testing.T) {
	s, _, _ := fitShop(t, Options{Tail: 100}, 300)
	e := s.NewEncoder()
	for i := range 100_000 {
		e.Append(&Event{Time: int64(i) * Second, Type: "view"})
	}
	if got := cap(e.tail.times); got > 1000 {
		t.Errorf("room for %d events is kept, want a few hundred", got)
	}
}

func TestWarmEncoderAllocatesNothing(t *testing.T) {
	s, journeys, cuts := fitShop(t, Options{}, 200)
	e := s.NewEncoder()
	var ex Example
	var tokens Tokens
	round := func() {
		for i := range journeys {
			e.EncodeJourney(journeys[i], cuts[i], &ex)
			if tokens.Reset(); ex.Cutoff.Events > 0 {
				e.AppendToken(&tokens)
			}
		}
	}
	round()
	if got := testing.AllocsPerRun(3, round); got != 0 {
		t.Errorf("%g allocations in 200 warm journeys, want none", got)
	}
}

// BenchmarkEncode is Append and one Encode a journey of 20 events.
func BenchmarkEncode(b *testing.B) {
	s, _, _ := fitShop(b, Options{}, 300)
	r := rand.New(rand.NewPCG(1, 1))
	var journeys []*Journey
	events := 0
	for i := range 500 {
		journeys = append(journeys, randomJourney(r, i, 40))
		events += len(journeys[i].Events)
	}
	e := s.NewEncoder()
	var ex Example
	b.ReportAllocs()
	for b.Loop() {
		for _, j := range journeys {
			e.EncodeJourney(j, Cutoff{Time: at0 + 400*Day, Events: len(j.Events)}, &ex)
		}
	}
	b.ReportMetric(float64(b.N)*float64(events)/b.Elapsed().Seconds(), "events/s")
}
