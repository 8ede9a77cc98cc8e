package customers

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"moments/features"
	"moments/infer"
)

// storedFolder fills a store of a few tables with customers, and leaves it as a
// crash would: the last appends are in a log.
func storedFolder(t *testing.T, sc *infer.Scorer) (vfs.FS, []*features.Journey) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := open(t, "store", Options{fs: fs, memTable: 256 << 10, reserve: 1 << 10})
	var journeys []*features.Journey
	for c := range 20 {
		j := longJourney(customer(c), 5+c*10)
		appendTo(t, s, sc, Request{Customer: j.Customer, Profile: j.Profile, Events: j.Events[:len(j.Events)-1]}.named())
		journeys = append(journeys, j)
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, j := range journeys {
		last := Request{Customer: j.Customer, Events: j.Events[len(j.Events)-1:]}
		appendTo(t, s, sc, last)
	}
	if err := s.noteExtent(); err != nil { // without waiting for it
		t.Fatal(err)
	}
	// In one moment: file after file, a compaction would come between.
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}), journeys
}

func cloned(t *testing.T, fs vfs.FS) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	if ok, err := vfs.Clone(fs, to, "store", "store"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return to
}

func readAll(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open("store/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeAll(t *testing.T, fs vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := fs.Create("store/"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A folder that is no store, or no longer a whole one, is refused with an error
// that says why, and nothing in it is changed for the worse.
func TestOpenRefuses(t *testing.T) {
	sc := newScorer(t, 1)
	whole, journeys := storedFolder(t, sc)
	rows := map[string]struct {
		files string // that are spoilt: removed, or what is left of them
		left  func(text string) string
		want  string
	}{
		"foreign":              {formatName, nil, "but no CUSTOMERS, so it is no store of customers: name a new or an empty folder"},
		"other version":        {formatName, func(string) string { return "moments customers 2\n" }, `CUSTOMERS says "moments customers 2\n", want "moments customers 1\n"`},
		"empty format":         {formatName, func(string) string { return "" }, `CUSTOMERS says ""`},
		"no marker":            {"marker.manifest", nil, "store is damaged"},
		"no version":           {"marker.format", nil, "store is damaged"},
		"no manifest":          {"MANIFEST", nil, "store is damaged"},
		"short manifest":       {"MANIFEST", func(text string) string { return text[:max(0, len(text)-10)] }, "bytes, want at least"},
		"empty manifest":       {"MANIFEST", func(text string) string { return "" }, "has 0 bytes, want at least"},
		"no manifest's length": {extentName, func(text string) string { return "" }, `EXTENT says "", want a name and a length`},
		"no tables":            {".sst", nil, "store is damaged"},
		"short tables":         {".sst", func(text string) string { return text[:min(100, len(text))] }, "store is damaged"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			fs := cloned(t, whole)
			spoil(t, fs, row.files, row.left)
			s, err := Open("store", Options{fs: fs, reserve: 1 << 10})
			if err == nil {
				shut(t, s)
			}
			if err == nil || !strings.HasPrefix(err.Error(), "customers: store: ") || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got error %v, want %q", err, row.want)
			}
			if damaged := row.files != formatName; damaged != errors.Is(err, ErrDamaged) {
				t.Errorf("error %v is ErrDamaged: %v, want %v", err, !damaged, damaged)
			}
		})
	}
	s := open(t, "store", Options{fs: cloned(t, whole), reserve: 1 << 10})
	for _, j := range journeys {
		checkScore(t, s, sc, j)
		checkJourney(t, s, sc, j)
	}
}

// spoil changes or removes all files whose names contain a text.
func spoil(t *testing.T, fs vfs.FS, files string, left func(string) string) {
	t.Helper()
	names, err := fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		switch {
		case !strings.Contains(name, files):
		case left != nil:
			writeAll(t, fs, name, []byte(left(string(readAll(t, fs, name)))))
		default:
			if err := fs.Remove("store/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOpenRefusesAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got error %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil {
		t.Error("a file is no folder: no error")
	}
	for want, o := range map[string]Options{
		`sync "never", want always, os or interval`: {Sync: "never"},
		"-1 bytes of cache":                         {CacheBytes: -1},
	} {
		if _, err := Open(t.TempDir(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

// Whatever byte of a store changes, a customer is either what was stored or an
// error: never anything else. One that was changed at the end of the log may
// lack the last append, which looks the same as one that never arrived.
func TestChangedBytesAreFound(t *testing.T) {
	sc := newScorer(t, 1)
	whole, journeys := storedFolder(t, sc)
	names, err := whole.List("store")
	if err != nil {
		t.Fatal(err)
	}
	random, each := rand.New(rand.NewPCG(8, 8)), 6
	if testing.Short() {
		each = 2
	}
	found := map[string]int{}
	for _, name := range names {
		data := readAll(t, whole, name)
		if name == reserveName || len(data) == 0 {
			continue
		}
		for range each {
			at := random.IntN(len(data))
			changed := append([]byte{}, data...)
			changed[at] ^= 1 << random.IntN(8)
			fs := cloned(t, whole)
			writeAll(t, fs, name, changed)
			found[checkChanged(t, fs, sc, journeys, fmt.Sprintf("byte %d of %s", at, name))]++
		}
	}
	t.Log(found)
	if found["not opened"] == 0 || found["an error"] == 0 {
		t.Errorf("found %v, want some of each", found)
	}
}

// checkChanged says how a change shows.
func checkChanged(t *testing.T, fs vfs.FS, sc *infer.Scorer, journeys []*features.Journey, where string) string {
	t.Helper()
	s, err := Open("store", Options{fs: fs, reserve: 1 << 10})
	if err != nil {
		return "not opened"
	}
	defer s.Close()
	shows := "nothing"
	for i, j := range journeys {
		got, err := s.Journey(t.Context(), sc, j.Customer, 1<<20)
		if err != nil {
			if shows = "an error"; !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: customer %d: got error %v", where, i, err)
			}
			continue
		}
		want := *j
		if len(got.Events) == len(j.Events)-1 && strings.Contains(where, ".log") {
			shows, want.Events = "the last append is missing", j.Events[:len(got.Events)]
		}
		checkJourney(t, s, sc, &want)
	}
	return shows
}
