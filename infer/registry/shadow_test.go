package registry

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"moments/features"
	"moments/infer"
	"moments/infer/internal/testbundle"
)

// shadowed is a registry whose model a has a shadow, with the two versions.
func shadowed(t *testing.T, o Options) (r *Registry, live, shadow string) {
	t.Helper()
	dir := t.TempDir()
	live, shadow = save(t, 1, dir+"/live/a"), save(t, 2, dir+"/shadow")
	o.Shadows = map[string]string{"a": dir + "/shadow"}
	return open(t, o, dir+"/live"), live, shadow
}

func TestShadowScoresWhatTheLiveOneDid(t *testing.T) {
	got := make(chan Difference, 100)
	r, live, shadow := shadowed(t, Options{OnDifference: func(d Difference) { got <- d }})
	m, release, err := r.Acquire("a", "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	other, err := infer.NewScorer(testbundle.New(t, 2), infer.ScorerOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	sum, largest, journeys := 0.0, 0.0, testbundle.Journeys(9, 10)
	for i := range journeys {
		j, c := journeys[i], testbundle.Cutoff(&journeys[i])
		before, err := m.Scorer.ScoreJourney(&j, c)
		if err != nil {
			t.Fatal(err)
		}
		after, err := other.ScoreJourney(&j, c)
		if err != nil {
			t.Fatal(err)
		}
		r.Mirror(m, &j, c, &before)
		want := []Difference{
			{"a", live, shadow, "conversion", float64(before.Probabilities[0]), float64(after.Probabilities[0])},
			{"a", live, shadow, "churn", float64(before.Probabilities[1]), float64(after.Probabilities[1])},
			{"a", live, shadow, infer.AnomalyTarget, before.Anomaly, after.Anomaly},
		}
		// What the caller does with its memory afterwards is its own affair.
		clear(before.Probabilities)
		for i := range want {
			if d := <-got; d != want[i] {
				t.Errorf("got %+v, want %+v", d, want[i])
			}
		}
		sum += want[0].After - want[0].Before
		largest = max(largest, math.Abs(want[0].After-want[0].Before))
	}
	e := entry(t, r, "a")
	target := e.Compare.Targets[0]
	if e.Shadow != shadow || e.Compare.Scored != 10 || e.Compare.Dropped+e.Compare.Failed != 0 || target.Target != "conversion" ||
		math.Abs(target.Difference-sum/10) > 1e-12 || target.Largest != largest || target.Absolute < math.Abs(target.Difference) {
		t.Errorf("report %+v, want a mean difference of %v, largest %v", e.Compare, sum/10, largest)
	}
}

// A full queue drops, and says so; nobody waits.
func TestShadowQueueIsBounded(t *testing.T) {
	held, entered := make(chan bool), make(chan bool, 100)
	var once sync.Once
	r, _, _ := shadowed(t, Options{ShadowQueue: 2, OnDifference: func(Difference) {
		entered <- true
		<-held
	}})
	defer once.Do(func() { close(held) })
	m, release, err := r.Acquire("a", "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	s, c := score(t, m.Scorer), testbundle.Cutoff(&scored)
	r.Mirror(m, &scored, c, &s)
	<-entered // the one is held at work
	for range 5 {
		r.Mirror(m, &scored, c, &s)
	}
	if e := entry(t, r, "a"); e.Compare.Dropped != 3 {
		t.Errorf("%d dropped, want 3 of 5 that a queue of 2 has no room for", e.Compare.Dropped)
	}
	once.Do(func() { close(held) })
}

// Only what the live version has scored is compared.
func TestMirrorWithoutShadow(t *testing.T) {
	r, _, _ := shadowed(t, Options{OnDifference: func(Difference) { t.Error("heard of a difference") }})
	m, release, err := r.Acquire("a", "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	s := score(t, m.Scorer)
	if err := r.Unload("a"); err != nil {
		t.Fatal(err)
	}
	r.Mirror(m, &scored, testbundle.Cutoff(&scored), &s)
	plain := open(t, Options{}, filepath.Dir(m.Path))
	plain.Mirror(m, &scored, testbundle.Cutoff(&scored), &s)
	if plain.Index()[0].Compare != nil {
		t.Error("a report without a shadow")
	}
}

// A shadow is replaced as any other version is, and a bad one is refused.
func TestShadowIsReloaded(t *testing.T) {
	r, live, first := shadowed(t, Options{})
	path := r.options.Shadows["a"]
	second := save(t, 3, path)
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := entry(t, r, "a"); e.Shadow != second || e.Version != live || first == second {
		t.Errorf("got %+v, want shadow %s of %s", e, second, live)
	}
	damage(t, path)
	if err := r.Refresh(t.Context()); err == nil {
		t.Error("a damaged shadow is not refused")
	}
	if e := entry(t, r, "a"); e.Shadow != second || !strings.Contains(e.Reason, "checksum") {
		t.Errorf("got %+v, want shadow %s", e, second)
	}
}

// Values find their fields by name where layouts differ.
func TestTranslate(t *testing.T) {
	number, text := features.Number, features.Text
	job := mirrored{
		layout:  &testbundle.Layout,
		journey: features.Journey{Profile: []features.Value{number(33), text("rome"), text("plus")}, Events: []features.Event{{Values: []features.Value{number(5), text("web")}}, {}}},
	}
	job.translate(&features.Layout{
		Profile: []features.Field{{Name: "plan", Kind: features.Categorical}, {Name: "city", Kind: features.Numeric}, {Name: "age", Kind: features.Numeric}},
		Event:   []features.Field{{Name: "channel", Kind: features.Categorical}},
	})
	same := func(a, b features.Value) bool {
		return a.Text == b.Text && math.Float64bits(a.Number) == math.Float64bits(b.Number)
	}
	if want := []features.Value{text("plus"), features.Missing(), number(33)}; !slices.EqualFunc(job.journey.Profile, want, same) {
		t.Errorf("profile %v, want %v", job.journey.Profile, want)
	}
	if got := job.journey.Events; !slices.EqualFunc(got[0].Values, []features.Value{text("web")}, same) || got[1].Values != nil {
		t.Errorf("events %v", got)
	}
}
