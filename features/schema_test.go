package features

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// fittedShop is a complete schema with its training examples.
func fittedShop(t testing.TB, options Options) (*Schema, []Example) {
	t.Helper()
	s, journeys, cuts := fitShop(t, options, 200)
	examples := encodeAll(s, journeys, cuts)
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.FitTokens(tokensOfAll(s, journeys), 1); err != nil {
		t.Fatal(err)
	}
	return s, examples
}

// tokensOfAll reads the journeys whole.
func tokensOfAll(s *Schema, journeys []*Journey) []*Tokens {
	var all []*Tokens
	e := s.NewEncoder()
	for _, j := range journeys {
		t := &Tokens{}
		e.Start(j.Profile)
		for i := range j.Events {
			e.Append(&j.Events[i])
			e.AppendToken(t)
		}
		all = append(all, t)
	}
	return all
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// useUp encodes and normalises random journeys: what a schema that passed
// validation must survive.
func useUp(s *Schema) (all string) {
	r := rand.New(rand.NewPCG(1, 2))
	numeric, binary, cardinalities, _ := s.Table()
	e := s.NewEncoder()
	var ex Example
	for i := range 5 {
		j := randomJourney(r, i, 30)
		e.EncodeJourney(j, Cutoff{Time: at0 + 200*Day, Events: len(j.Events)}, &ex)
		a, b, c, d := make([]float32, numeric), make([]float32, binary), make([]float32, len(cardinalities)), make([]float32, s.StandardWidth())
		s.Normalize(&ex, a, b, c)
		s.Standardize(&ex, d)
		for k, id := range c {
			if int(id) >= cardinalities[k] {
				panic(fmt.Sprintf("id %g in a table of %d", id, cardinalities[k]))
			}
		}
		all += fmt.Sprint(ex, a, b, c, d)
		if tokens := tokensOfAll(s, []*Journey{j})[0]; s.TokenNormalizer != nil {
			numeric, binary, cardinalities, _ := s.TokenTable()
			x, y, z := make([]float32, numeric), make([]float32, binary), make([]float32, len(cardinalities))
			for k := range tokens.Events {
				s.NormalizeToken(tokens, k, x, y, z)
				all += fmt.Sprint(x, y, z)
			}
			for k, id := range z {
				if int(id) >= cardinalities[k] {
					panic(fmt.Sprintf("id %g in a table of %d", id, cardinalities[k]))
				}
			}
		}
	}
	return all + fmt.Sprint(s.StandardColumns(), s.Columns(), s.Levels())
}

func TestSchemaSurvivesJSON(t *testing.T) {
	for _, options := range []Options{{}, {Without: []string{"gaps"}}} {
		s, _ := fittedShop(t, options)
		text := mustMarshal(t, s)
		var back Schema
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if back.Hash() != s.Hash() || string(mustMarshal(t, &back)) != string(text) {
			t.Error("the schema changed on its way through JSON")
		}
		if useUp(&back) != useUp(s) {
			t.Error("the schema read back encodes differently")
		}
	}
}

func TestHashSeesEveryChange(t *testing.T) {
	s, _ := fittedShop(t, Options{})
	seen := map[string]string{s.Hash(): "nothing"}
	for name, change := range map[string]func(s *Schema){
		"a level":        func(s *Schema) { s.Attributes[1].Levels[0] = "other" },
		"a window":       func(s *Schema) { s.Windows[0]++ },
		"a quantile":     func(s *Schema) { s.Normalizer.Numeric[0].Quantiles[0]-- },
		"an option":      func(s *Schema) { s.Options.Tail++ },
		"a name":         func(s *Schema) { s.Layout.Profile[0].Name += "x" },
		"nothing fitted": func(s *Schema) { s.Normalizer = nil },
	} {
		var changed Schema
		if err := json.Unmarshal(mustMarshal(t, s), &changed); err != nil {
			t.Fatal(err)
		}
		change(&changed)
		hash := changed.Hash()
		if other, ok := seen[hash]; ok || len(hash) != 64 {
			t.Errorf("changing %s gives the hash of changing %s", name, other)
		}
		seen[hash] = name
	}
}

// A damaged schema file is refused with a word about what is wrong.
func TestValidateRefusesDamage(t *testing.T) {
	s, _ := fittedShop(t, Options{})
	text := mustMarshal(t, s)
	for _, test := range []struct {
		name   string
		damage func(s *Schema)
		want   string
	}{
		{"version", func(s *Schema) { s.Version = 9 }, "has version 9, want 1"},
		{"option", func(s *Schema) { s.Options.Tail = 0 }, "option tail is 0"},
		{"summaries", func(s *Schema) { s.Profile = s.Profile[1:] }, "has 4 profile, want 5"},
		{"order of fields", func(s *Schema) { s.Attributes[0], s.Attributes[1] = s.Attributes[1], s.Attributes[0] }, `want the numeric of the layout`},
		{"kind", func(s *Schema) { s.Layout.Event[0].Kind, s.Attributes[0].Kind = "date", "date" }, `is "date"`},
		{"reason", func(s *Schema) { s.Profile[0].Dropped = "whim" }, `dropped as "whim"`},
		{"levels of a number", func(s *Schema) { s.Profile[0].Levels = []string{"a"} }, "has 1 levels, want none"},
		{"level twice", func(s *Schema) { l := s.Attributes[1].Levels; l[1] = l[0] }, "twice or damaged"},
		{"empty type", func(s *Schema) { s.Types[0] = "" }, "twice or damaged"},
		{"frequent types", func(s *Schema) { s.Frequent = 1000 }, "1000 frequent event types"},
		{"negative counts", func(s *Schema) { s.Events = -1 }, "-1 events"},
		{"windows", func(s *Schema) { s.Windows[1] = s.Windows[0] }, "want ascending"},
		{"too many windows", func(s *Schema) { s.Options.MaxWindows = 1 }, "want 1 or fewer"},
		{"rhythms", func(s *Schema) { s.Rhythms.LogGapVariance = -1 }, "variance -1"},
		{"column names", func(s *Schema) { s.Layout.Profile[0].Name, s.Profile[0].Name = "timing/events", "timing/events" }, "two columns"},
		{"numeric column", func(s *Schema) { s.Normalizer.Numeric[0].Column = 9999 }, "numeric column 9999"},
		{"numeric order", func(s *Schema) { s.Normalizer.Numeric[1].Column = 0 }, "numeric column 0 after 0"},
		{"quantiles and ranks", func(s *Schema) { s.Normalizer.Numeric[0].Ranks = []int{0} }, "quantiles and 1 ranks"},
		{"one quantile", func(s *Schema) { n := &s.Normalizer.Numeric[0]; n.Ranks, n.Quantiles = nil, n.Quantiles[:1] }, "1 quantiles"},
		{"unsorted quantiles", func(s *Schema) { n := &s.Normalizer.Numeric[0]; n.Quantiles[0] = 1e9 }, "do not ascend"},
		{"ranks", func(s *Schema) { n := &s.Normalizer.Numeric[0]; n.Ranks = make([]int, len(n.Quantiles)) }, "ranks that do not ascend"},
		{"edges", func(s *Schema) { s.Normalizer.Numeric[0].Edges[0] = 99 }, "bin edges"},
		{"deviation", func(s *Schema) { s.Normalizer.Numeric[0].Deviation = 0 }, "deviation 0"},
		{"indicator's column", func(s *Schema) { s.Normalizer.Binary[0].Column = -1 }, "indicator of column -1"},
		{"indicator's id", func(s *Schema) { s.Normalizer.Binary[0].ID = 99 }, "id 99"},
		{"indicator's deviation", func(s *Schema) { s.Normalizer.Binary[0].Deviation = -1 }, "deviation -1"},
		{"categorical column", func(s *Schema) { s.Normalizer.Category = []int{0} }, "categorical column 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var damaged, back Schema
			if err := json.Unmarshal(text, &damaged); err != nil {
				t.Fatal(err)
			}
			test.damage(&damaged)
			if err := json.Unmarshal(mustMarshal(t, &damaged), &back); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q in it", err, test.want)
			}
		})
	}
	for _, broken := range []string{"", "{", "null", "[]", "{}", `{"version":1,"colour":2}`, string(text[:len(text)/2]), `{"version":1e9}`} {
		if err := json.Unmarshal([]byte(broken), new(Schema)); err == nil {
			t.Errorf("%.40q: no error", broken)
		}
	}
}

// FuzzSchema mutates a schema's JSON: the result is refused or usable, and
// never panics.
func FuzzSchema(f *testing.F) {
	s, _ := fittedShop(f, Options{MaxTypes: 2, MaxWindows: 1, Without: []string{"numbers", "gaps", "sessions", "type firsts"}})
	s.TokenNormalizer.Numeric = s.TokenNormalizer.Numeric[:1]
	for i := range len(s.Normalizer.Numeric) + 1 { // keep the seed short
		n := &s.TokenNormalizer.Numeric[0]
		if i > 0 {
			n = &s.Normalizer.Numeric[i-1]
		}
		n.Quantiles, n.Ranks, n.Edges = []float32{0, 1}, []int{0, 9}, []float32{-1, 1}
	}
	text := string(mustMarshal(f, s))
	f.Add(text, 100, 3, "9")
	f.Add(text, 400, 1, "-")
	f.Add(text, len(text)/2, 10, "")
	f.Add(text, len(text)-100, 0, "1e30,")
	f.Fuzz(func(t *testing.T, text string, at, cut int, paste string) {
		at = min(max(at, 0), len(text))
		cut = min(max(cut, 0), len(text)-at)
		var mutant Schema
		if err := json.Unmarshal([]byte(text[:at]+paste+text[at+cut:]), &mutant); err == nil {
			useUp(&mutant)
			mutant.Hash()
		}
	})
}

// Every digit of a schema's JSON is put out of place once.
func TestEveryDamagedDigitIsRefusedOrHarmless(t *testing.T) {
	s, _ := fittedShop(t, Options{MaxTypes: 2, MaxWindows: 1, Without: []string{"numbers"}})
	text := mustMarshal(t, s)
	usable := 0
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) || i > 2000 && i%37 != 0 { // all of the head, a sample of the numbers behind it
			continue
		}
		digit := []string{"-1", "99", `"`, "null"}[i%4]
		var mutant Schema
		if json.Unmarshal([]byte(string(text[:i])+digit+string(text[i+1:])), &mutant) == nil {
			usable++
			useUp(&mutant)
		}
	}
	if usable == 0 {
		t.Error("every mutant was refused: the test mutates nothing that may vary")
	}
}

// TestValidateLeavesASchemaInUseAlone: every scorer of a bundle validates its
// schema, while encoders of others are at work; run it with -race.
func TestValidateLeavesASchemaInUseAlone(t *testing.T) {
	s, _ := fittedShop(t, Options{})
	before := s.NewEncoder()
	var validated sync.WaitGroup
	validated.Go(func() {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	})
	useUp(s)
	validated.Wait()
	s.NewEncoder().CopyFrom(before) // panics where the schema has become another
}
