package customers

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"moments/features"
)

// A smallDisk has so many bytes left.
type smallDisk struct {
	vfs.FS
	mu    sync.Mutex
	left  int64
	hit   chan struct{} // told when a write finds no room
	sizes map[string]int64
}

func newSmallDisk(left int64) *smallDisk {
	return &smallDisk{FS: vfs.NewMem(), left: left, hit: make(chan struct{}, 1), sizes: map[string]int64{}}
}

func (d *smallDisk) Unwrap() vfs.FS { return d.FS }

// take takes room, as much as there is.
func (d *smallDisk) take(name string, n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	n = min(n, d.left)
	d.left -= n
	d.sizes[name] += n
	return n
}

func (d *smallDisk) set(left int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = left
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return &smallFile{f, d, name}, err
}

func (d *smallDisk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(old, name, c)
	return &smallFile{f, d, name}, err
}

func (d *smallDisk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left += d.sizes[name]
	delete(d.sizes, name)
	return d.FS.Remove(name)
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: uint64(d.left)}, nil
}

type smallFile struct {
	vfs.File
	disk *smallDisk
	name string
}

func (f *smallFile) Write(p []byte) (int, error) {
	room := f.disk.take(f.name, int64(len(p)))
	n, err := f.File.Write(p[:room])
	if err == nil && int(room) < len(p) {
		err = syscall.ENOSPC
		select {
		case f.disk.hit <- struct{}{}:
		default:
		}
	}
	return n, err
}

// fillDisk appends until that is refused, and returns what was acknowledged.
func fillDisk(t *testing.T, s *Store, j *features.Journey) {
	t.Helper()
	sc := newScorer(t, 1)
	for i := len(j.Events); ; i++ {
		ev := minuteEvent(i)
		ev.Type = strings.Repeat("x", 2000) // the log compresses nothing
		_, err := s.Append(t.Context(), sc, &Request{Customer: j.Customer, Events: []features.Event{ev}})
		if errors.Is(err, ErrFull) {
			return
		}
		if err != nil || i > 1e5 {
			t.Fatalf("event %d: %v", i, err)
		}
		j.Events = append(j.Events, ev)
	}
}

// On a full disk appends are refused, everything acknowledged can be read, and
// when there is room the store goes on, without having been opened anew.
func TestFullDisk(t *testing.T) {
	disk := newSmallDisk(3 << 20)
	o := Options{fs: disk, reserve: 1 << 20, memTable: 256 << 10, retry: time.Hour}
	s, sc := open(t, "store", o), newScorer(t, 1)
	j := &features.Journey{Customer: "c"}
	for range 3 {
		fillDisk(t, s, j)
		if len(j.Events) < 100 {
			t.Fatalf("full after %d events", len(j.Events))
		}
		if !s.Stats().Full {
			t.Error("the store does not say that the disk is full")
		}
		checkScore(t, s, sc, j)
		if err := s.disk.takeReserve(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("without room: got error %v", err)
		}
		disk.set(4 << 20)
		if err := s.disk.takeReserve(); err != nil {
			t.Fatal(err)
		}
		last := Request{Customer: "c", Events: []features.Event{minuteEvent(len(j.Events))}}
		appendTo(t, s, sc, last)
		j.Events = append(j.Events, last.Events...)
		checkScore(t, s, sc, j)
		checkJourney(t, s, sc, j)
	}
	shut(t, s)
	s = open(t, "store", o)
	checkJourney(t, s, sc, j)
}

// A store on a disk that is full from the start can be read, and deleted from.
func TestOpenOnAFullDisk(t *testing.T) {
	disk := newSmallDisk(4 << 20)
	o := Options{fs: disk, reserve: 1 << 20, memTable: 256 << 10, retry: time.Hour}
	s, sc := open(t, "store", o), newScorer(t, 1)
	j := longJourney("c", 100)
	appendTo(t, s, sc, Request{Customer: "c", Profile: j.Profile, Events: j.Events})
	shut(t, s)
	if err := disk.Remove("store/" + reserveName); err != nil {
		t.Fatal(err)
	}
	disk.set(200 << 10)
	s = open(t, "store", o)
	checkScore(t, s, sc, j)
	if _, err := s.Append(t.Context(), sc, &Request{Customer: "c", Events: []features.Event{minuteEvent(200)}}); !errors.Is(err, ErrFull) {
		t.Errorf("got error %v", err)
	}
	if ok, err := s.Delete(t.Context(), "c"); !ok || err != nil {
		t.Errorf("got %v and error %v", ok, err)
	}
}

// Where another process takes even the reserve, an append waits, and is
// acknowledged when it is stored. Close does not wait for ever.
func TestDiskWithoutAnyRoom(t *testing.T) {
	disk := newSmallDisk(4 << 20)
	o := Options{fs: disk, reserve: 1 << 20, memTable: 1 << 20, retry: time.Millisecond}
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	sc := newScorer(t, 1)
	disk.mu.Lock()
	disk.left, disk.sizes["store/"+reserveName] = 0, 0 // it is gone when it is removed
	disk.mu.Unlock()
	done := make(chan error)
	request := Request{Customer: "c", Events: []features.Event{minuteEvent(0)}}
	send := func() {
		_, err := s.Append(t.Context(), sc, &request)
		done <- err
	}
	go send()
	<-disk.hit
	disk.set(8 << 20)
	if err := <-done; err != nil {
		t.Fatalf("when there was room again: %v", err)
	}
	for s.Stats().Full {
		s.disk.takeReserve()
	}
	disk.mu.Lock()
	disk.left, disk.sizes["store/"+reserveName] = 0, 0
	disk.mu.Unlock()
	request.Events[0] = minuteEvent(1)
	select { // the last time's
	case <-disk.hit:
	default:
	}
	go send()
	<-disk.hit
	<-disk.hit // again: it waits
	if err := s.Close(); !errors.Is(err, ErrFull) {
		t.Errorf("Close: got error %v", err)
	}
	disk.set(8 << 20)
	if err := <-done; err != nil {
		t.Error(err)
	}
	shut(t, s) // now that there is room
}
