package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// shopLayout is the layout of the tests' journeys.
var shopLayout = Layout{
	Profile: []Field{{"age", Numeric}, {"country", Categorical}, {"surname", Categorical}, {"number", Numeric}, {"planet", Categorical}},
	Event:   []Field{{"amount", Numeric}, {"channel", Categorical}, {"sku", Categorical}, {"score", Numeric}},
}

// randomJourney is a customer of a shop with everything that data may do: ties,
// missing and infinite numbers, short rows, levels and types never seen before,
// moving time zones, and now and then an event out of order.
func randomJourney(r *rand.Rand, customer int, most int) *Journey {
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	j := &Journey{Customer: fmt.Sprint("customer ", customer)}
	if r.IntN(20) > 0 {
		j.Profile = []Value{Number(float64(18 + r.IntN(60))), Text(pick("de", "fr", "it", "")), Text(fmt.Sprint("name", customer)), Number(float64(1000 + customer)), Text("earth")}
	}
	now := at0 + r.Int64N(100*Day)
	for range r.IntN(most + 1) {
		switch r.IntN(10) {
		case 0: // a tie
		case 1:
			now -= r.Int64N(Hour)
		case 2:
			now += r.Int64N(60 * Day)
		default:
			now += r.Int64N(2 * Hour)
		}
		event := Event{Time: now, Offset: int32(r.IntN(3)) * 3600, Type: pick("view", "view", "view", "cart", "purchase", "", fmt.Sprint("rare", r.IntN(5000)))}
		amount := r.ExpFloat64() * 100
		switch r.IntN(12) {
		case 0:
			amount = math.NaN()
		case 1:
			amount = math.Inf(1 - 2*r.IntN(2))
		case 2:
			amount = -amount
		case 3:
			amount = 1e300
		case 4:
			amount = 3e38
		}
		event.Values = []Value{Number(amount), Text(pick("web", "app", "shop", "")), Text(fmt.Sprint("sku", r.IntN(40))), Number(float64(r.IntN(5)))}
		event.Values = event.Values[:len(event.Values)-r.IntN(2)]
		j.Events = append(j.Events, event)
	}
	return j
}

const at0 int64 = 1_600_000_000 * Second

// fitShop fits a schema on n random journeys cut at their end. It has what is
// else fitted with one cutoff for all, too: answers, and dated attributes.
func fitShop(t testing.TB, options Options, n int) (*Schema, []*Journey, []Cutoff) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 11))
	f := NewFitter(shopLayout, options)
	var journeys []*Journey
	var cuts []Cutoff
	for i := range n {
		j := randomJourney(r, i, 40)
		cut := CutoffRule{}.Cut(j, NoLimit, 0)[0]
		cut.Time += r.Int64N(10 * Day)
		f.Add(j, cut)
		journeys, cuts = append(journeys, j), append(cuts, cut)
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if s.Frequent > 2 {
		s.Answers = []Answer{{Type: 0, By: 2}, {Type: 1, By: 0}}
	}
	s.Attributes[1].Dated, s.Attributes[3].Dated, s.Attributes[3].Middle = true, true, 2
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s, journeys, cuts
}

// encodeAll encodes every journey at its cutoff.
func encodeAll(s *Schema, journeys []*Journey, cuts []Cutoff) []Example {
	e := s.NewEncoder()
	examples := make([]Example, len(journeys))
	for i := range journeys {
		e.EncodeJourney(journeys[i], cuts[i], &examples[i])
	}
	return examples
}

// same says whether two examples are equal bit by bit.
func same(a, b *Example) bool {
	sameHabit := func(x, y Habit) bool {
		return sameBits([]float32{x.Seen, x.Expected, x.Surprise, x.Steady}, []float32{y.Seen, y.Expected, y.Surprise, y.Steady})
	}
	return sameBits(a.Numeric, b.Numeric) && slices.Equal(a.Category, b.Category) && slices.EqualFunc(a.Habits, b.Habits, sameHabit)
}
