package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// reference computes every numeric event column the slow and obvious way: from
// all events at once, each column by its own loop.
type reference struct {
	events []Event
	at     int64
	schema *Schema
	out    map[string]float64
}

// everything asks for the families that are not drawn by default.
var everything = []string{"window types", "window sums", "window trends"}

func referenceColumns(s *Schema, j *Journey, c Cutoff) map[string]float64 {
	r := &reference{at: c.Time, schema: s, out: make(map[string]float64)}
	for _, event := range j.Events[:c.Events] {
		if n := len(r.events); n > 0 && event.Time < r.events[n-1].Time {
			event.Time = r.events[n-1].Time
		}
		r.events = append(r.events, event)
	}
	r.timing()
	r.types()
	r.attributes()
	return r.out
}

// count counts the events that a condition holds for.
func (r *reference) count(holds func(i int, e Event) bool) float64 {
	n := 0
	for i, e := range r.events {
		if holds(i, e) {
			n++
		}
	}
	return float64(n)
}

func local(e Event) time.Time {
	return time.UnixMicro(e.Time).In(time.FixedZone("", int(e.Offset)))
}

func hours(t time.Time) float64 {
	return t.Sub(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())).Hours()
}

func days(micros int64) float64 { return (time.Duration(micros) * time.Microsecond).Hours() / 24 }

func (r *reference) timing() {
	n := len(r.events)
	first, last := r.events[0], r.events[n-1]
	set := func(name string, x float64) { r.out["timing/"+name] = x }
	tenure := r.at - first.Time
	// A local clock may run back when the offset changes; days count as they are first reached.
	active := reached(r.events, func(t time.Time) int64 { return t.Unix() / 86400 })
	set("events", float64(n))
	set("active_days", active)
	set("events_per_active_day", float64(n)/active)
	set("tenure_days", days(tenure))
	set("recency_days", days(r.at-last.Time))
	set("active_share", float64(last.Time-first.Time)/float64(tenure))
	set("events_per_day", float64(n)/days(tenure))
	set("alive_log", float64(n-1)*(math.Log(max(days(last.Time-first.Time), days(Second)))-math.Log(max(days(tenure), days(Second)))))
	set("last_hour", hours(local(last)))
	set("last_weekday", float64((local(last).Weekday()+6)%7))
	set("last_month_day", float64(local(last).Day()))
	set("first_hour", math.NaN())
	set("first_weekday", math.NaN())
	if first.Time != last.Time {
		set("first_hour", hours(local(first)))
		set("first_weekday", float64((local(first).Weekday()+6)%7))
	}
	for q := range int64(4) {
		set(fmt.Sprint("events_quarter_", q+1), r.count(func(_ int, e Event) bool {
			from, to := first.Time+tenure/4*q, first.Time+tenure/4*(q+1)
			return (q == 0 || e.Time >= from) && (q == 3 || e.Time < to)
		}))
	}
	for _, w := range r.schema.Windows {
		name := FormatDuration(w)
		recent := r.count(func(_ int, e Event) bool { return r.at-e.Time < w })
		set("events_"+name, recent)
		set("events_growth_"+name, recent-r.count(func(_ int, e Event) bool { return r.at-e.Time >= w && r.at-e.Time < 2*w }))
	}
	r.gaps(set)
	r.sessions(set)
}

// reached counts the times that a local clock reaches a new highest value.
func reached(events []Event, unit func(time.Time) int64) float64 {
	n, highest := 0.0, int64(math.MinInt64)
	for _, e := range events {
		if u := unit(time.Unix(e.Time/Second+int64(e.Offset), 0)); u > highest {
			n, highest = n+1, u
		}
	}
	return n
}

func (r *reference) gaps(set func(string, float64)) {
	recency := days(r.at - r.events[len(r.events)-1].Time)
	var gaps []float64
	training := r.schema.Rhythms
	deviation := math.Sqrt(training.LogGapVariance)
	logs := []float64{training.LogGapMean - deviation, training.LogGapMean + deviation} // two gaps as in training
	for i := 1; i < len(r.events); i++ {
		gap := days(r.events[i].Time - r.events[i-1].Time)
		gaps, logs = append(gaps, gap), append(logs, math.Log1p(gap*86400))
	}
	mean, sd := meanAndDeviation(logs)
	set("silence_score", (math.Log1p(recency*86400)-mean)/sd)
	for _, name := range []string{"gap_last_days", "gap_mean_days", "gap_min_days", "gap_max_days", "gap_median_days", "recency_to_gap_mean", "recency_to_gap_max"} {
		set(name, math.NaN())
	}
	if len(gaps) == 0 {
		return
	}
	mean, _ = meanAndDeviation(gaps)
	sorted := slices.Sorted(slices.Values(gaps))
	set("gap_last_days", gaps[len(gaps)-1])
	set("gap_mean_days", mean)
	set("gap_min_days", sorted[0])
	set("gap_max_days", sorted[len(sorted)-1])
	set("gap_median_days", (sorted[len(sorted)/2]+sorted[(len(sorted)-1)/2])/2)
	if mean > 0 {
		set("recency_to_gap_mean", recency/mean)
		set("recency_to_gap_max", recency/sorted[len(sorted)-1])
	}
}

func (r *reference) sessions(set func(string, float64)) {
	sizes := []float64{0}
	for i, e := range r.events {
		if i > 0 && e.Time-r.events[i-1].Time > 30*Minute {
			sizes = append(sizes, 0)
		}
		sizes[len(sizes)-1]++
	}
	set("sessions", float64(len(sizes)))
	set("events_per_session", float64(len(r.events))/float64(len(sizes)))
	set("events_first_session", sizes[0])
	set("events_last_session", sizes[len(sizes)-1])
}

// column is the type whose columns an event counts in, "" for the others'.
func (r *reference) column(kind string) string {
	if slices.Contains(r.schema.Types[:r.schema.Frequent], kind) {
		return kind
	}
	return ""
}

func (r *reference) types() {
	answers := map[string]string{}
	for _, a := range r.schema.Answers {
		answers[r.schema.Types[a.Type]] = r.schema.Types[a.By]
	}
	r.out["timing/other_events"] = r.count(func(_ int, e Event) bool { return r.column(e.Type) == "" })
	for k, kind := range r.schema.Types[:r.schema.Frequent] {
		group := "event:" + kind
		is := func(_ int, e Event) bool { return e.Type == kind }
		r.out[group+"/count"] = r.count(is)
		r.out[group+"/first_days"] = math.NaN()
		if i := slices.IndexFunc(r.events, func(e Event) bool { return e.Type == kind }); i >= 0 {
			r.out[group+"/first_days"] = days(r.events[i].Time - r.events[0].Time)
		}
		recency, count, open := "/recency_days", "/count_%s", func(Event) bool { return true }
		if by, ok := answers[kind]; ok {
			recency, count = "/unanswered_days("+by+")", "/unanswered_%s("+by+")"
			open = func(e Event) bool { return !r.answered(e, by) }
		}
		r.out[group+recency] = r.recency(func(e Event) bool { return e.Type == kind && open(e) })
		for _, w := range r.schema.Windows {
			if k < r.schema.Options.WindowTypes {
				r.out[group+fmt.Sprintf(count, FormatDuration(w))] = r.count(func(i int, e Event) bool { return is(i, e) && r.at-e.Time < w && open(e) })
			}
		}
	}
}

// recency is the days since the last event that a condition holds for.
func (r *reference) recency(holds func(Event) bool) float64 {
	since := math.NaN()
	for _, e := range r.events {
		if holds(e) {
			since = days(r.at - e.Time)
		}
	}
	return since
}

// answered says whether an event of a type came no earlier than another event.
func (r *reference) answered(e Event, by string) bool {
	return slices.ContainsFunc(r.events, func(o Event) bool { return o.Type == by && o.Time >= e.Time })
}

func (r *reference) attributes() {
	for k, field := range r.schema.Attributes {
		group := "attribute:" + field.Name
		if field.Kind == Numeric {
			r.number(group, k)
			r.out[group+"/recency_days(below middle)"] = r.recency(func(e Event) bool { return number(valueAt(e.Values, k)) < field.Middle })
			r.out[group+"/recency_days(above middle)"] = r.recency(func(e Event) bool { return number(valueAt(e.Values, k)) > field.Middle })
			continue
		}
		texts := r.texts(k)
		known := make(map[string]bool)
		for _, text := range texts {
			if !slices.Contains(field.Levels, text) {
				text = "never seen"
			}
			known[text] = true
		}
		if len(field.Levels) > r.schema.Options.LevelCounts {
			r.out[group+"/distinct"] = float64(len(known))
			continue
		}
		for _, level := range field.Levels {
			is := func(e Event) bool { return valueAt(e.Values, k).Text == level }
			r.out[group+"/count("+level+")"] = r.count(func(_ int, e Event) bool { return is(e) })
			r.out[group+"/recency_days("+level+")"] = r.recency(is)
		}
	}
}

// texts are the values of a categorical attribute.
func (r *reference) texts(k int) (texts []string) {
	for _, e := range r.events {
		if text := valueAt(e.Values, k).Text; text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

func (r *reference) number(group string, k int) {
	var xs []float64
	sums := make(map[int64]float64)
	for _, e := range r.events {
		x := valueAt(e.Values, k).Number
		if math.IsNaN(x) || math.Abs(x) > math.MaxFloat32 {
			continue
		}
		xs = append(xs, x)
		for _, w := range r.schema.Windows {
			if age := r.at - e.Time; age < w {
				sums[w] += x
				sums[-w] += x
			} else if age < 2*w {
				sums[-w] -= x
			}
		}
	}
	for _, w := range r.schema.Windows {
		r.out[group+"/sum_"+FormatDuration(w)] = sums[w]
		r.out[group+"/sum_growth_"+FormatDuration(w)] = sums[-w]
	}
	set := func(name string, x float64) { r.out[group+"/"+name] = x }
	for _, name := range []string{"mean", "last", "min", "max", "sd", "variation", "last_less_mean", "change_mean", "change_last", "rises"} {
		set(name, math.NaN())
	}
	set("sum", 0)
	if len(xs) == 0 {
		return
	}
	n, mean, last := float64(len(xs)), 0.0, xs[len(xs)-1]
	mean, sd := meanAndDeviation(xs)
	set("sum", mean*n)
	set("mean", mean)
	set("last", last)
	set("min", slices.Min(xs))
	set("max", slices.Max(xs))
	set("sd", sd)
	set("last_less_mean", last-mean)
	if mean != 0 {
		set("variation", sd/math.Abs(mean))
	}
	changes, rises := 0.0, 0.0
	for i := 1; i < len(xs); i++ {
		changes += math.Abs(xs[i] - xs[i-1])
		if xs[i] > xs[i-1] {
			rises++
		}
	}
	if n > 1 {
		set("change_mean", changes/(n-1))
		set("change_last", last-xs[len(xs)-2])
		set("rises", rises/(n-1))
	}
}

// meanAndDeviation takes two passes; the deviation of one value is missing.
func meanAndDeviation(xs []float64) (mean, sd float64) {
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	if len(xs) == 1 {
		return mean, math.NaN()
	}
	for _, x := range xs {
		sd += (x - mean) * (x - mean) / float64(len(xs))
	}
	return mean, math.Sqrt(sd)
}

func TestAggregatesAgreeWithTheSlowReference(t *testing.T) {
	s, _, _ := fitShop(t, Options{With: everything}, 500)
	r := rand.New(rand.NewPCG(21, 22))
	e := s.NewEncoder()
	var ex Example
	for i := range 100 {
		j := randomJourney(r, i, 80)
		for k := range j.Events { // sums of 3e38 and 1 have no digits to compare
			if v := j.Events[k].Values; math.Abs(v[0].Number) > 1e6 {
				v[0] = Number(math.Inf(1))
			}
		}
		c := Cutoff{Events: len(j.Events)}
		if c.Events == 0 {
			continue
		}
		for _, event := range j.Events {
			c.Time = max(c.Time, event.Time)
		}
		c.Time += r.Int64N(50 * Day)
		e.EncodeJourney(j, c, &ex)
		want := referenceColumns(s, j, c)
		for k, got := range ex.Numeric {
			column := s.Columns()[k]
			if column.Group == column.Name {
				continue // of the profile
			}
			x, ok := want[column.Name]
			if !ok {
				t.Fatalf("the reference has no column %q", column.Name)
			}
			if math.IsNaN(x) != math.IsNaN(float64(got)) || math.Abs(float64(got)-x) > 1e-5*(1+math.Abs(x)) {
				t.Fatalf("journey %d, column %q: got %g, want %g", i, column.Name, got, x)
			}
		}
	}
}

// Aggregates of a journey without events exist and are zero or missing.
func TestJourneyWithoutEvents(t *testing.T) {
	s, _, _ := fitShop(t, Options{}, 300)
	var ex Example
	s.NewEncoder().EncodeJourney(&Journey{}, Cutoff{Time: at0}, &ex)
	for i, x := range ex.Numeric {
		if x == x && x != 0 {
			t.Errorf("column %q is %g, want 0 or missing", s.Columns()[i].Name, x)
		}
	}
	if slices.Max(ex.Category) != MissingID {
		t.Errorf("categories %v, want all missing", ex.Category)
	}
}
