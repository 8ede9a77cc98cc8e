package features

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	tokens := tokensOfAll(s, []*Journey{{Events: []Event{
		{Time: 0, Type: "view", Values: []Value{Number(1)}},
		{Time: 9 * Second, Type: "cart", Values: []Value{Number(-9), Text("web")}},
		{Time: 9 * Second, Offset: 7200, Type: "unheard of", Values: []Value{Missing(), Text("fax")}},
		{Time: Day, Type: "", Values: nil},
	}}})[0]
	id := func(levels []string, level string) int32 { return FirstKnownID + int32(slices.Index(levels, level)) }
	want := []int32{
		id(s.Types, "view"), 0, 0,
		id(s.Types, "cart"), id(s.Attributes[1].Levels, "web"), 0,
		UnseenID, UnseenID, 0,
		MissingID, 0, 0,
	}
	if tokens.Events != 4 || !slices.Equal(tokens.IDs, want) {
		t.Errorf("%d events with the ids %v, want 4 with %v", tokens.Events, tokens.IDs, want)
	}
	if got, want := s.TokenColumns(), []string{"gap", "elapsed", "position", "hour", "weekday", "amount", "score"}; !slices.Equal(got, want) {
		t.Fatalf("columns %v, want %v", got, want)
	}
	log := func(x float64) float32 { return float32(math.Log1p(x)) }
	nan := float32(math.NaN())
	for i, want := range [][]float32{
		{0, 0, 0, 0, 3, log(1), nan}, // 1970-01-01 was a Thursday
		{log(9), log(9), log(1), 0.0025, 3, -log(9), nan},
		{0, log(9), log(2), 2.0025, 3, nan, nan},
		{log(86391), log(86400), log(3), 0, 4, nan, nan},
	} {
		if got := tokens.Values[i*7:][:7]; !sameBits(got, want) {
			t.Errorf("token %d is %v, want %v", i, got, want)
		}
	}
}

func TestNormalizedTokens(t *testing.T) {
	s, journeys, _ := fitShop(t, Options{}, 300)
	all := tokensOfAll(s, journeys)
	if numeric, binary, cardinalities, edges := s.TokenTable(); numeric+binary+len(cardinalities)+len(edges) != 0 {
		t.Error("an unfitted schema has a token table")
	}
	if err := s.FitTokens(all, 1); err != nil {
		t.Fatal(err)
	}
	numeric, binary, cardinalities, edges := s.TokenTable()
	if numeric < 5 || binary == 0 || len(cardinalities) != 3 || len(edges) != numeric || cardinalities[0] != len(s.Types)+FirstKnownID {
		t.Fatalf("table of %d numbers, %d indicators, cardinalities %v", numeric, binary, cardinalities)
	}
	x, missing, ids := make([]float32, numeric), make([]float32, binary), make([]float32, len(cardinalities))
	var sum, squares float64 // of the first number that is never missing
	column := slices.IndexFunc(s.TokenNormalizer.Numeric, func(n NumericScale) bool { return n.Column == tokenElapsed })
	events := 0
	for _, tokens := range all {
		for i := range tokens.Events {
			s.NormalizeToken(tokens, i, x, missing, ids)
			for k, c := range s.TokenNormalizer.Missing {
				isNaN := math.IsNaN(float64(tokens.Values[i*len(s.TokenColumns())+c]))
				if isNaN != (missing[k] == 1) {
					t.Fatalf("indicator %d is %v beside the number %v", k, missing[k], tokens.Values[i*len(s.TokenColumns())+c])
				}
			}
			for k, id := range ids {
				if id != float32(tokens.IDs[i*3+k]) {
					t.Fatalf("id %d is %v, want %d", k, id, tokens.IDs[i*3+k])
				}
			}
			sum, squares, events = sum+float64(x[column]), squares+float64(x[column]*x[column]), events+1
		}
	}
	mean := sum / float64(events)
	if deviation := math.Sqrt(squares/float64(events) - mean*mean); math.Abs(mean) > 0.2 || math.Abs(deviation-1) > 0.3 {
		t.Errorf("elapsed times have mean %.2f and deviation %.2f, want about 0 and 1", mean, deviation)
	}
}

func TestFitTokensRefusesOtherShapes(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	if err := s.FitTokens([]*Tokens{{Events: 1, IDs: []int32{1}, Values: []float32{1}}}, 1); err == nil || !strings.Contains(err.Error(), "want 3 and 7") {
		t.Errorf("tokens of another schema: got %v", err)
	}
	if err := s.FitTokens([]*Tokens{{}}, 1); err != nil || s.TokenNormalizer != nil {
		t.Errorf("journeys without events: got %v and %v, want no normalizer", err, s.TokenNormalizer)
	}
}

func TestEncodeTokens(t *testing.T) {
	s, journeys, cuts := fitShop(t, Options{}, 100)
	all, encoder := tokensOfAll(s, journeys), s.NewEncoder()
	var plain, with Example
	for i, j := range journeys {
		encoder.EncodeJourney(j, cuts[i], &plain)
		encoder.EncodeTokens(j, cuts[i], &with)
		n := cuts[i].Events
		if plain.Tokens != nil || with.Tokens.Events != n || !same(&plain, &with) || with.Customer != j.Customer || with.Cutoff != cuts[i] {
			t.Fatalf("journey %d: %d tokens, want %d and the example that comes without", i, with.Tokens.Events, n)
		}
		if want := all[i]; !slices.Equal(with.Tokens.IDs, want.IDs[:n*3]) || !sameBits(with.Tokens.Values, want.Values[:n*7]) {
			t.Fatalf("journey %d: other tokens than event by event", i)
		}
	}
}
