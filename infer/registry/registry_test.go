package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"

	"moments/features"
	"moments/infer"
	"moments/infer/internal/testbundle"
	"moments/weights"
)

// open opens a registry that the test closes.
func open(t *testing.T, o Options, dirs ...string) *Registry {
	t.Helper()
	if o.Workers == 0 {
		o.Workers = 1
	}
	r, err := Open(t.Context(), dirs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// save saves a bundle and returns its version.
func save(t *testing.T, seed uint64, dir string) string {
	t.Helper()
	testbundle.Save(t, seed, dir)
	version, err := weights.Version(dir)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// acquired is the version that Acquire returns, or its error.
func acquired(r *Registry, name, version string) string {
	m, release, err := r.Acquire(name, version)
	if err != nil {
		return err.Error()
	}
	defer release()
	return m.Version
}

// entry is what Index says of one model.
func entry(t *testing.T, r *Registry, name string) Entry {
	t.Helper()
	index := r.Index()
	at := slices.IndexFunc(index, func(e Entry) bool { return e.Name == name })
	if at < 0 {
		t.Fatalf("no entry of %q in %+v", name, index)
	}
	return index[at]
}

// scored is a journey with many events.
var scored = testbundle.Journeys(5, 20)[7]

func score(t *testing.T, s *infer.Scorer) infer.Score {
	t.Helper()
	j := scored
	score, err := s.ScoreJourney(&j, testbundle.Cutoff(&j))
	if err != nil {
		t.Fatal(err)
	}
	return score
}

func TestOpenNamesModels(t *testing.T) {
	dir := t.TempDir()
	shelf := filepath.Join(dir, "shelf")
	one, two, three := save(t, 1, dir+"/alone"), save(t, 2, shelf+"/left"), save(t, 3, shelf+"/right")
	save(t, 4, shelf+"/.hidden")
	if err := os.WriteFile(shelf+"/notes.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dirs []string
		want map[string]string
	}{
		{[]string{dir + "/alone"}, map[string]string{"test": one}},
		{[]string{"loans=" + dir + "/alone"}, map[string]string{"loans": one}},
		{[]string{shelf}, map[string]string{"left": two, "right": three}},
		{[]string{shelf, dir + "/alone", "again=" + dir + "/alone"}, map[string]string{"left": two, "right": three, "test": one, "again": one}},
		{[]string{"versions=" + shelf}, map[string]string{"versions": three}},
		{[]string{dir}, map[string]string{"alone": one, "shelf": three}},
	} {
		r := open(t, Options{}, test.dirs...)
		got := map[string]string{}
		for _, e := range r.Index() {
			got[e.Name] = acquired(r, e.Name, "")
			if !e.Ready || e.Reason != "" || e.Version != got[e.Name] || e.Kind != KindBundle || e.Loaded.IsZero() {
				t.Errorf("%v: entry %+v", test.dirs, e)
			}
		}
		if !maps.Equal(got, test.want) {
			t.Errorf("%v: got %v, want %v", test.dirs, got, test.want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	save(t, 1, dir+"/good")
	save(t, 1, dir+"/shelf/good")
	save(t, 1, dir+"/bad/one")
	damage(t, dir+"/bad/one")
	file, empty := dir+"/file.txt", dir+"/empty"
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(empty, 0o700), os.WriteFile(dir+"/m.onnx", []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		o    Options
		dirs []string
		want string
	}{
		{"nothing", Options{}, nil, "no folder of a bundle"},
		{"missing", Options{}, []string{dir + "/none"}, "no such file"},
		{"file", Options{}, []string{file}, "file.txt is a file, want the folder of a bundle"},
		{"empty folder", Options{}, []string{empty}, "holds no bundle and no .onnx file"},
		{"named empty folder", Options{}, []string{"a=" + empty}, "is no bundle, which the name a"},
		{"bad bundle", Options{}, []string{dir + "/bad/one"}, "does not match its checksum"},
		{"bad repository", Options{}, []string{dir + "/bad"}, "no model of " + dir + "/bad could be opened"},
		{"one name twice", Options{}, []string{dir + "/good", "test=" + dir + "/shelf/good"}, `two models are called "test"`},
		{"pin of nothing", Options{Pins: map[string]string{"x": "1"}}, []string{dir + "/good"}, `a version of "x" is pinned, and there is no such model, want one of test`},
		{"pin elsewhere", Options{Pins: map[string]string{"test": "0123456789ab"}}, []string{dir + "/good"}, "version 0123456789ab is pinned"},
		{"shadow of nothing", Options{Shadows: map[string]string{"x": dir + "/good"}}, []string{dir + "/good"}, `a shadow of "x" is named`},
		{"bad shadow", Options{Shadows: map[string]string{"test": dir + "/bad/one"}}, []string{dir + "/good"}, "does not match its checksum"},
		{"bare model", Options{}, []string{dir + "/m.onnx"}, "runs no bare ONNX models"},
		{"workers", Options{Workers: -1}, []string{dir + "/good"}, "-1 workers"},
		{"verify", Options{Verify: func(context.Context, *Model, *Model) error { return errors.New("too strange") }}, []string{dir + "/good"}, "is refused: too strange"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if r, err := Open(t.Context(), test.dirs, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want %q in the error", r, err, test.want)
			}
		})
	}
}

// damage changes a byte of a network's file and leaves its size.
func damage(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "mlp.safetensors")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAcquireSaysWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	version := save(t, 1, dir+"/a")
	r := open(t, Options{}, dir)
	if got := acquired(r, "a", version); got != version {
		t.Errorf("by version: got %s, want %s", got, version)
	}
	for _, test := range []struct {
		name, version string
		is            error
		want          string
	}{
		{"b", "", ErrUnknown, `registry: unknown model: "b", want one of a`},
		{"a", "9", ErrUnknown, `registry: unknown model: "a" has no version "9", want one of ` + version},
	} {
		_, _, err := r.Acquire(test.name, test.version)
		if !errors.Is(err, test.is) || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if err := r.Unload("a"); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"", version} {
		if _, _, err := r.Acquire("a", v); !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "it was unloaded") {
			t.Errorf("unloaded, version %q: got %v", v, err)
		}
	}
}

// The same bytes are the same version, other bytes another one.
func TestVersionIsOfTheContent(t *testing.T) {
	dir := t.TempDir()
	a, b, c := save(t, 1, dir+"/a"), save(t, 1, dir+"/b"), save(t, 2, dir+"/c")
	if a != b || a == c || len(a) != weights.VersionDigits {
		t.Errorf("got %s and %s of the same, %s of another", a, b, c)
	}
}

func TestModelsScoreAndReason(t *testing.T) {
	dir := t.TempDir()
	bundle := testbundle.Save(t, 1, dir+"/a")
	r := open(t, Options{Reasons: 2}, dir)
	m, release, err := r.Acquire("a", "")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	direct, err := infer.NewScorer(bundle, infer.ScorerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want, got, reasoned := score(t, direct), score(t, m.Scorer), score(t, m.Reasoning)
	if !slices.Equal(got.Probabilities, want.Probabilities) || got.AnomalyScore != want.AnomalyScore || len(got.Reasons) != 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !slices.Equal(reasoned.Probabilities, want.Probabilities) || len(reasoned.Reasons) != 2*len(bundle.Targets)+2 {
		t.Errorf("with reasons: got %+v", reasoned)
	}
}

func TestReloadSwapsAndFrees(t *testing.T) {
	dir := t.TempDir()
	first := save(t, 1, dir+"/a")
	r := open(t, Options{}, dir)
	old, release, err := r.Acquire("a", "")
	if err != nil {
		t.Fatal(err)
	}
	before := score(t, old.Scorer)
	second := save(t, 2, dir+"/a")
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := acquired(r, "a", ""); got != second {
		t.Errorf("after the change: got %s, want %s", got, second)
	}
	if got := acquired(r, "a", first); !strings.Contains(got, "has no version") {
		t.Errorf("the replaced version: got %s", got)
	}
	if again := score(t, old.Scorer); !slices.Equal(again.Probabilities, before.Probabilities) || r.Loaded() != 2 {
		t.Errorf("what is in use scores %v, want %v; %d in memory, want 2", again.Probabilities, before.Probabilities, r.Loaded())
	}
	release()
	if r.Loaded() != 1 {
		t.Errorf("%d versions in memory after the release, want 1", r.Loaded())
	}
	kept := weak.Make(old)
	old, release = nil, nil
	for range 5 { // pools let go of what they hold at the second collection
		runtime.GC()
	}
	if kept.Value() != nil {
		t.Error("the memory of the old version is still held")
	}
	if err := r.Refresh(t.Context()); err != nil || r.Loaded() != 1 {
		t.Errorf("nothing changed: %v, %d in memory", err, r.Loaded())
	}
}

func TestReleasingTwicePanics(t *testing.T) {
	dir := t.TempDir()
	save(t, 1, dir+"/a")
	r := open(t, Options{}, dir)
	_, release, err := r.Acquire("a", "")
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	release()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "released more often than acquired") {
			t.Errorf("got %s", got)
		}
	}()
	release()
}

func TestAcquireAllocatesNothing(t *testing.T) {
	dir := t.TempDir()
	save(t, 1, dir+"/a")
	r := open(t, Options{}, dir)
	if n := testing.AllocsPerRun(100, func() {
		_, release, err := r.Acquire("a", "")
		if err != nil {
			t.Error(err)
		}
		release()
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func Example() {
	t := exampleT()
	defer t.cleanup()
	testbundle.Save(t, 1, t.dir+"/loans")
	r, err := Open(context.Background(), []string{t.dir}, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	m, release, err := r.Acquire("loans", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer release()
	score, err := m.Scorer.ScoreJourney(&features.Journey{Customer: "4711"}, features.Cutoff{})
	fmt.Println(m.Name, m.Bundle.Targets, len(score.Probabilities), err)
	// Output: loans [conversion churn] 2 <nil>
}

// exampleT is what an example has in place of a test.
func exampleT() *exampleTB {
	dir, err := os.MkdirTemp("", "registry")
	if err != nil {
		panic(err)
	}
	return &exampleTB{dir: dir}
}

type exampleTB struct {
	testing.TB
	dir string
}

func (e *exampleTB) Helper()           {}
func (e *exampleTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
func (e *exampleTB) cleanup()          { os.RemoveAll(e.dir) }
