package registry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moments/infer"
	"moments/infer/internal/testbundle"
	"moments/weights"
)

// A bad bundle is refused, shown and logged once; what was live stays, and a
// good one takes its place.
func TestBadBundleIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := save(t, 1, dir+"/a")
	var log bytes.Buffer
	r := open(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, dir)
	save(t, 2, dir+"/a")
	damage(t, dir+"/a")
	for range 3 {
		if err := r.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "does not match its checksum") {
			t.Errorf("got %v", err)
		}
		e := entry(t, r, "a")
		if got := acquired(r, "a", ""); got != first || !e.Ready || e.Version != first || !strings.Contains(e.Reason, "mlp.safetensors does not match its checksum") {
			t.Errorf("serves %s, want %s; entry %+v", got, first, e)
		}
	}
	if n := strings.Count(log.String(), "model refused"); n != 1 {
		t.Errorf("refused %d times in the log, want once:\n%s", n, &log)
	}
	third := save(t, 3, dir+"/a")
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := entry(t, r, "a"); e.Version != third || e.Reason != "" || r.Loaded() != 1 {
		t.Errorf("after a good one: %+v, %d in memory", e, r.Loaded())
	}
}

func TestVerifyIsAskedBeforeTheSwap(t *testing.T) {
	dir := t.TempDir()
	first := save(t, 1, dir+"/a")
	refusal := error(nil)
	var asked []string
	verify := func(_ context.Context, old, fresh *Model) error {
		asked = append(asked, versionName(old)+" "+fresh.Version)
		score(t, fresh.Scorer)
		return refusal
	}
	r := open(t, Options{Verify: verify}, dir)
	second := save(t, 2, dir+"/a")
	refusal = errors.New("scores differ by 0.5")
	if err := r.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "version "+second+" is refused: scores differ by 0.5") {
		t.Errorf("got %v", err)
	}
	if got := acquired(r, "a", ""); got != first || r.Loaded() != 1 {
		t.Errorf("serves %s, want %s; %d in memory", got, first, r.Loaded())
	}
	if want := []string{"none " + first, first + " " + second}; !slices.Equal(asked, want) {
		t.Errorf("asked about %q, want %q", asked, want)
	}
	refusal = nil
	if err := r.Load(t.Context(), "a"); err != nil || acquired(r, "a", "") != second {
		t.Errorf("loaded by hand: %v, serves %s, want %s", err, acquired(r, "a", ""), second)
	}
}

func TestUnloadAndLoad(t *testing.T) {
	dir := t.TempDir()
	version := save(t, 1, dir+"/a")
	r := open(t, Options{}, dir)
	if err := r.Unload("a"); err != nil {
		t.Fatal(err)
	}
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := entry(t, r, "a"); e.Ready || !strings.Contains(e.Reason, "it was unloaded") || r.Loaded() != 0 {
		t.Errorf("unloaded: %+v, %d in memory", e, r.Loaded())
	}
	if err := r.Load(t.Context(), "a"); err != nil || acquired(r, "a", "") != version {
		t.Errorf("loaded again: %v, serves %s", err, acquired(r, "a", ""))
	}
	for _, err := range []error{r.Load(t.Context(), "b"), r.Unload("b")} {
		if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "want one of a") {
			t.Errorf("got %v", err)
		}
	}
}

// Models come to a repository. Those that go stay in memory until they are
// unloaded, and Index says that their files are gone.
func TestRepositoryIsFollowed(t *testing.T) {
	dir := t.TempDir()
	a := save(t, 1, dir+"/a")
	r := open(t, Options{}, dir)
	b := save(t, 2, dir+"/b")
	if err := r.Refresh(t.Context()); err != nil || acquired(r, "b", "") != b {
		t.Errorf("new model: %v, serves %s", err, acquired(r, "b", ""))
	}
	if err := os.RemoveAll(dir + "/a"); err != nil {
		t.Fatal(err)
	}
	if err := r.Refresh(t.Context()); err == nil || acquired(r, "a", "") != a || !strings.Contains(entry(t, r, "a").Reason, "no such file") {
		t.Errorf("removed model: %v, serves %s, %+v", err, acquired(r, "a", ""), entry(t, r, "a"))
	}
	if err := r.Unload("a"); err != nil {
		t.Fatal(err)
	}
	if err := r.Load(t.Context(), "a"); err == nil || acquired(r, "b", "") != b {
		t.Errorf("loading what is gone: %v", err)
	}
	again := save(t, 3, dir+"/a")
	if err := r.Load(t.Context(), "a"); err != nil || acquired(r, "a", "") != again {
		t.Errorf("put back: %v, serves %s, want %s", err, acquired(r, "a", ""), again)
	}
}

func TestVersionFolders(t *testing.T) {
	dir := t.TempDir()
	two, ten := save(t, 1, dir+"/a/2"), save(t, 2, dir+"/a/10")
	r := open(t, Options{}, dir)
	if acquired(r, "a", "") != ten || acquired(r, "a", two) != two {
		t.Errorf("live %s, want %s; by version %s, want %s", acquired(r, "a", ""), ten, acquired(r, "a", two), two)
	}
	eleven := save(t, 3, dir+"/a/11")
	if err := errors.Join(os.RemoveAll(dir+"/a/2"), r.Refresh(t.Context())); err != nil {
		t.Fatal(err)
	}
	e := entry(t, r, "a")
	if want := slices.Sorted(slices.Values([]string{ten, eleven})); e.Version != eleven || !slices.Equal(e.Versions, want) || r.Loaded() != 2 {
		t.Errorf("got %+v, want %s live of %v; %d in memory", e, eleven, want, r.Loaded())
	}
}

// A pinned version stays whatever comes, and is found among version folders.
func TestPins(t *testing.T) {
	dir := t.TempDir()
	two := save(t, 1, dir+"/a/2")
	save(t, 2, dir+"/a/10")
	one := save(t, 3, dir+"/b")
	r := open(t, Options{Pins: map[string]string{"a": two, "b": one}}, dir)
	if e := entry(t, r, "a"); e.Version != two || len(e.Versions) != 1 || e.Pinned != two {
		t.Errorf("got %+v, want %s alone", e, two)
	}
	other := save(t, 4, dir+"/b")
	if err := r.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "b: version "+one+" is pinned, "+dir+"/b holds "+other) {
		t.Errorf("got %v", err)
	}
	if got := acquired(r, "b", ""); got != one {
		t.Errorf("serves %s, want %s", got, one)
	}
}

// Watch notices by itself.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	save(t, 1, dir+"/a")
	asked := make(chan string, 10)
	verify := func(_ context.Context, _, fresh *Model) error {
		asked <- fresh.Version
		return nil
	}
	r := open(t, Options{Poll: time.Millisecond, Verify: verify}, dir)
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() {
		r.Watch(ctx)
		close(ended)
	}()
	if want, got := save(t, 2, dir+"/a"), <-asked; got != want {
		t.Errorf("asked about %s, want %s", got, want)
	}
	cancel()
	<-ended
}

// Requests go on while a model is replaced fifty times: none fails, each scores
// what the version that it was given scores, and all old versions are freed.
func TestReloadsUnderLoad(t *testing.T) {
	dir := t.TempDir()
	const seeds, reloads, clients = 3, 50, 3
	var bundles [seeds]*weights.Bundle
	want := map[string][]float32{} // by version
	for seed := range bundles {
		bundles[seed] = testbundle.New(t, uint64(seed))
		scorer, err := infer.NewScorer(bundles[seed], infer.ScorerOptions{Workers: 1})
		if err := errors.Join(err, bundles[seed].Save(dir+"/a")); err != nil {
			t.Fatal(err)
		}
		version, err := weights.Version(dir + "/a")
		if err != nil {
			t.Fatal(err)
		}
		want[version] = score(t, scorer).Probabilities
	}
	r := open(t, Options{}, dir)
	requests := make(chan bool)
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range requests {
				m, release, err := r.Acquire("a", "")
				if err != nil {
					t.Error(err)
					continue
				}
				if got := score(t, m.Scorer).Probabilities; !slices.Equal(got, want[m.Version]) {
					t.Errorf("version %s scores %v, want %v", m.Version, got, want[m.Version])
				}
				release()
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 1))
	last := seeds - 1
	for range reloads {
		var sent sync.WaitGroup
		sent.Go(func() {
			for range 4 * clients {
				requests <- true
			}
		})
		last = (last + 1 + random.IntN(seeds-1)) % seeds
		if err := errors.Join(bundles[last].Save(dir+"/a"), r.Refresh(t.Context())); err != nil {
			t.Error(err)
		}
		sent.Wait()
	}
	close(requests)
	group.Wait()
	if n := r.Loaded(); n != 1 {
		t.Errorf("%d versions in memory after %d reloads, want 1", n, reloads)
	}
}
