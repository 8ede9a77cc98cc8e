package features

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// referenceHabit computes one habit from all events at once.
func referenceHabit(s *Schema, j *Journey, at int64, column Column) Habit {
	first, now := j.Events[0].Time, int64(math.MinInt64)
	var times []int64
	var values [][]Value
	for _, ev := range j.Events {
		now = max(now, ev.Time) // an event out of order happens with the one before
		if column.Group == "timing" || column.Group == "event:"+ev.Type {
			times, values = append(times, now), append(values, ev.Values)
		}
	}
	_, name, _ := strings.Cut(column.Name, "/")
	within := func(from, to int64) (n float64) {
		for _, t := range times {
			if t > from && t <= to {
				n++
			}
		}
		return n
	}
	root := func(seen, expected, ratio float64) float32 {
		return float32((2*math.Sqrt(seen+0.375) - 2*math.Sqrt(expected+0.375)) / math.Sqrt(1+ratio))
	}
	pace := func(w int64) Habit {
		span := min(at-w-first, 3*w)
		if span < w/2 || span < 8 {
			return Habit{}
		}
		ratio, start := float64(w)/float64(span), at-w-span
		seen, expected := within(at-w, at), within(start-1, at-w)*ratio
		var parts []float64
		for part := range int64(8) {
			from, to := start+part*(span/8)-1, start+(part+1)*(span/8)-1
			if part == 7 {
				to = at - w
			}
			parts = append(parts, within(from, to))
		}
		slices.Sort(parts)
		steady, all := 0.0, within(start-1, at-w)
		for _, n := range parts[:6] {
			steady += n
		}
		return Habit{float32(seen), float32(expected), root(seen, expected, ratio), float32(steady / max(all, 1) * 8 / 6 * min(1, float64(span)/float64(w)))}
	}
	nan := float32(math.NaN())
	switch kind, of, _ := strings.Cut(name, "_"); {
	case name == "silence":
		if len(times) < 2 || times[len(times)-1] == times[0] {
			return Habit{}
		}
		silence, span, n := at-times[len(times)-1], days(times[len(times)-1]-times[0]), float64(len(times)-1)
		return Habit{float32(days(silence)), float32(span / n), -pace(silence).Surprise, pace(silence).Steady}
	case kind == "pace":
		for _, w := range s.Windows {
			if FormatDuration(w) == of {
				return pace(w)
			}
		}
	case of == "hour" || of == "day" || of == "week":
		length := map[string]int64{"hour": Hour, "day": Day, "week": Week}[of]
		most := 0.0
		for _, t := range times {
			most = max(most, within(t-length, t))
		}
		ratio := float64(length) / float64(max(at-first, length))
		return Habit{float32(most), nan, root(most, (float64(len(times))-most)*ratio, ratio), 0}
	}
	attribute := strings.TrimPrefix(name, "busiest_week_")
	most := 0.0
	for i := range times {
		sum := 0.0
		for k := range times[:i+1] {
			for f, field := range s.Layout.Event {
				if x := number(valueAt(values[k], f)); field.Name == attribute && times[i]-times[k] < Week && !math.IsNaN(x) {
					sum += x
				}
			}
		}
		most = max(most, sum)
	}
	return Habit{float32(most), nan, float32(math.Log1p(most)), 0}
}

func TestHabitsAgreeWithTheSlowReference(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 500)
	columns := s.HabitColumns()
	r := rand.New(rand.NewPCG(31, 32))
	e := s.NewEncoder()
	var ex Example
	compared := map[string]int{}
	for i := range 200 {
		j := randomJourney(r, i, 60)
		if len(j.Events) == 0 {
			continue
		}
		at := int64(0)
		for k := range j.Events {
			if v := j.Events[k].Values; math.Abs(v[0].Number) > 1e6 {
				v[0] = Number(math.Inf(1)) // sums of 3e38 and 1 have no digits to compare
			}
			at = max(at, j.Events[k].Time)
		}
		at += r.Int64N(50 * Day)
		e.EncodeJourney(j, Cutoff{Time: at, Events: len(j.Events)}, &ex)
		for k, got := range ex.Habits {
			want := referenceHabit(s, j, at, columns[k])
			for _, x := range [][2]float32{{got.Seen, want.Seen}, {got.Expected, want.Expected}, {got.Surprise, want.Surprise}, {got.Steady, want.Steady}} {
				a, b := float64(x[0]), float64(x[1])
				if math.IsNaN(a) != math.IsNaN(b) || math.Abs(a-b) > 1e-4*(1+math.Abs(b)) {
					t.Fatalf("journey %d, %s: got %v, want %v", i, columns[k].Name, got, want)
				}
			}
			if got.Surprise != 0 {
				compared[strings.Split(columns[k].Name, "/")[1]]++
			}
		}
	}
	if len(compared) != len(s.habitNames()) {
		t.Errorf("compared %v, want habits of all of %q", compared, s.habitNames())
	}
}

// Where customers keep their pace, about a twentieth lie beyond an edge; one who
// stops is far beyond it, and so is one who does a week's worth in an hour.
func TestHabitsTellOneWhoChanged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	steady := func(customer string) *Journey {
		j := &Journey{Customer: customer}
		for at := at0; at < at0+200*Day; at += int64(r.ExpFloat64() * float64(2*Day)) {
			j.Events = append(j.Events, Event{Time: at, Type: "visit"})
		}
		return j
	}
	f := NewFitter(Layout{}, Options{})
	var journeys []*Journey
	for i := range 400 {
		j := steady(string(rune('a'+i/26)) + string(rune('a'+i%26)))
		journeys = append(journeys, j)
		f.Add(j, Cutoff{Time: at0 + 200*Day, Events: len(j.Events)})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	encode := func(j *Journey) (ex Example) {
		s.NewEncoder().EncodeJourney(j, Cutoff{Time: at0 + 200*Day, Events: len(j.Events)}, &ex)
		return ex
	}
	var examples []Example
	for _, j := range journeys {
		examples = append(examples, encode(j))
	}
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	strangest := func(ex Example) (string, float64, bool) {
		name, most, side := "", 0.0, false
		for k, h := range ex.Habits {
			if evidence, more := s.Habits[k].Evidence(h); evidence > most {
				name, most, side = s.HabitColumns()[k].Name, evidence, more
			}
		}
		return name, most, side
	}
	unusual := 0
	for _, ex := range examples {
		if _, evidence, _ := strangest(ex); evidence > 7 {
			unusual++
		}
	}
	if unusual > 12 {
		t.Errorf("%d of 400 steady customers look unusual, want 3 %% at most", unusual)
	}
	stopped := steady("stopped")
	for stopped.Events[len(stopped.Events)-1].Time > at0+160*Day {
		stopped.Events = stopped.Events[:len(stopped.Events)-1]
	}
	if name, evidence, _ := strangest(encode(stopped)); evidence < 8 || !strings.Contains(name, "silence") && !strings.Contains(name, "pace") {
		t.Errorf("who stopped 40 days ago: %s with evidence %v, want silence or pace with 8 or more", name, evidence)
	}
	hectic := steady("hectic")
	for i := range 12 {
		hectic.Events = append(hectic.Events, Event{Time: at0 + 200*Day + int64(i)*Minute, Type: "visit"})
	}
	ex := Example{}
	s.NewEncoder().EncodeJourney(hectic, Cutoff{Time: at0 + 200*Day + Hour, Events: len(hectic.Events)}, &ex)
	if name, evidence, more := strangest(ex); evidence < 8 || !more || !strings.Contains(name, "busiest_hour") {
		t.Errorf("12 visits within minutes: %s with evidence %v, more is %v; want busiest_hour with 8 or more", name, evidence, more)
	}
}

func TestHabitScalesOfFilesAreChecked(t *testing.T) {
	s, journeys, cuts := fitShop(t, Options{}, 300)
	if err := s.FitNormalizer(encodeAll(s, journeys, cuts), 1); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Schema
	if err := json.Unmarshal(text, &back); err != nil || back.Hash() != s.Hash() || len(back.Habits) != len(s.HabitColumns()) {
		t.Fatalf("read back: error %v, %d habits, want the same schema", err, len(back.Habits))
	}
	for name, spoil := range map[string]func(*Schema){
		"scales of": func(s *Schema) { s.Habits = s.Habits[1:] },
		"slopes":    func(s *Schema) { s.Habits[2].High.Slope = -1 },
		"edges":     func(s *Schema) { s.Habits[0].Low.Edge = math.MaxFloat64 },
	} {
		var broken Schema
		if err := json.Unmarshal(text, &broken); err != nil {
			t.Fatal(err)
		}
		spoil(&broken)
		if err := broken.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	short := encodeAll(s, journeys, cuts)
	short[3].Habits = nil
	if err := s.FitNormalizer(short, 1); err == nil || !strings.Contains(err.Error(), "example 3 has 0 habits") {
		t.Errorf("examples without habits: got error %v", err)
	}
}
