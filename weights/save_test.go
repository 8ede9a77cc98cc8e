package weights

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// faulty is a disk on which step number at fails: that one alone, or, as in a
// crash, every one from there on. A failing write leaves half of the file.
type faulty struct {
	quickDisk
	at, step int
	crash    bool
}

var errFault = errors.New("injected fault")

func (f *faulty) fault() error {
	f.step++
	if f.step == f.at || f.crash && f.step > f.at {
		return errFault
	}
	return nil
}

func (f *faulty) do(step func() error) error {
	if err := f.fault(); err != nil {
		return err
	}
	return step()
}

func (f *faulty) Mkdir(d string) error  { return f.do(func() error { return f.quickDisk.Mkdir(d) }) }
func (f *faulty) Sync(d string) error   { return f.do(func() error { return f.quickDisk.Sync(d) }) }
func (f *faulty) Remove(d string) error { return f.do(func() error { return f.quickDisk.Remove(d) }) }
func (f *faulty) Rename(a, b string) error {
	return f.do(func() error { return f.quickDisk.Rename(a, b) })
}
func (f *faulty) Write(path string, raw []byte) error {
	if err := f.fault(); err != nil {
		os.WriteFile(path, raw[:len(raw)/2], 0o644)
		return err
	}
	return f.quickDisk.Write(path, raw)
}

// Whatever step of a save fails, and whether the program lives on or not, the
// old bundle or the new one is there, and the next save works.
func TestSaveSurvivesEveryFault(t *testing.T) {
	bundles := []*Bundle{testBundle(t, 1), testBundle(t, 2), testBundle(t, 3)}
	for _, replacing := range []bool{true, false} {
		for _, crash := range []bool{false, true} {
			for at := 1; ; at++ {
				name := fmt.Sprintf("replacing %v, crash %v, step %d", replacing, crash, at)
				if !saveWithFault(t, name, bundles, replacing, &faulty{at: at, crash: crash}) {
					break
				}
			}
		}
	}
}

// saveWithFault saves bundle 2 on a faulty disk, over bundle 1 or not, and then
// bundle 3. It returns false when the save was over before the fault.
func saveWithFault(t *testing.T, name string, bundles []*Bundle, replacing bool, d *faulty) bool {
	parent := t.TempDir()
	dir := filepath.Join(parent, "test")
	if replacing {
		save(t, bundles[0], dir)
	}
	err := bundles[1].save(dir, d)
	if d.step < d.at {
		if err != nil {
			t.Errorf("%s: no fault, error %v", name, err)
		}
		return false
	}
	if err != nil && !errors.Is(err, errFault) {
		t.Errorf("%s: got error %v", name, err)
	}
	b, openErr := Open(dir)
	switch {
	case openErr != nil && (replacing || err == nil):
		t.Errorf("%s: no bundle is left: %v", name, openErr)
	case openErr == nil && err == nil && !strings.Contains(string(b.Metrics), "2"):
		t.Errorf("%s: the save succeeded and left %s", name, b.Metrics)
	}
	if !replacing && err != nil && openErr == nil && !strings.Contains(string(b.Metrics), "2") {
		t.Errorf("%s: an unknown bundle %s", name, b.Metrics)
	}
	save(t, bundles[2], dir)
	entries, _ := os.ReadDir(parent)
	if got := number(t, dir); got != 3 || len(entries) != 1 {
		t.Errorf("%s: the next save left bundle %d among %v, want 3 alone", name, got, entries)
	}
	return true
}

// A crash between the two renames leaves the old bundle under its other name:
// Open finds it, and keeps finding it.
func TestOpenFindsTheBundleAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "test")
	save(t, testBundle(t, 1), dir)
	if err := os.Rename(dir, aside(dir)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := number(t, dir); got != 1 {
			t.Errorf("got bundle %d, want 1", got)
		}
	}
}

func TestSaveRefusesOtherFolders(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(path, []byte("years of work"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := testBundle(t, 1).Save(dir); err == nil || !strings.Contains(err.Error(), "holds thesis.txt") {
		t.Errorf("a folder with other files: got error %v", err)
	}
	if err := testBundle(t, 1).Save(path); err == nil {
		t.Error("a file: got no error")
	}
	if raw, err := os.ReadFile(path); string(raw) != "years of work" {
		t.Errorf("the file is now %q, error %v", raw, err)
	}
	save(t, testBundle(t, 1), t.TempDir()) // an empty folder is fine
}

// A damaged bundle is replaced like a sound one.
func TestSaveReplacesDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "test")
	save(t, testBundle(t, 1), dir)
	if err := os.Truncate(filepath.Join(dir, schemaFile), 3); err != nil {
		t.Fatal(err)
	}
	save(t, testBundle(t, 2), dir)
	if got := number(t, dir); got != 2 {
		t.Errorf("got bundle %d, want 2", got)
	}
}

func TestSaveKeepsLinks(t *testing.T) {
	parent := t.TempDir()
	dir, link := filepath.Join(parent, "test"), filepath.Join(parent, "current")
	save(t, testBundle(t, 1), dir)
	if err := os.Symlink("test", link); err != nil {
		t.Skip(err)
	}
	if err := os.Rename(dir, aside(dir)); err != nil { // as a crash may leave it
		t.Fatal(err)
	}
	if got := number(t, link); got != 1 {
		t.Errorf("behind the link is bundle %d, want 1", got)
	}
	save(t, testBundle(t, 2), link)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is now %v, error %v", info, err)
	}
	if got := number(t, dir); got != 2 {
		t.Errorf("behind the link is bundle %d, want 2", got)
	}
	loop := filepath.Join(parent, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(loop); err == nil || !strings.Contains(err.Error(), "links") {
		t.Errorf("a link to itself: got error %v", err)
	}
}

// Readers see one bundle or the other while they are exchanged, never a mix.
func TestOpenWhileSaving(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "test")
	bundles := []*Bundle{testBundle(t, 1), testBundle(t, 2)}
	save(t, bundles[0], dir)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := Open(dir); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 40 {
		save(t, bundles[i%2], dir)
	}
	close(stop)
	readers.Wait()
}
