package customers

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A disk is the file system below the database, with two promises of its own.
//
// Where fsyncs of the log are not wanted it answers them at once. The database
// is still asked to sync every commit, for that makes it hand the commit to the
// operating system before the commit is acknowledged; without it, commits wait
// in the process's memory. All other files are synced as ever, so that the loss
// of power costs the end of the log and never the store.
//
// Where the disk is full it waits for room instead of failing, because the
// database does not go on after a failed write. A file that was kept in reserve
// makes room for what is under way; from then on the store refuses appends,
// until the reserve could be put by again.
type disk struct {
	vfs.FS
	dir     string
	lazy    bool          // fsyncs of the log are answered at once
	reserve int64         // bytes of the file in reserve
	retry   time.Duration // between looks for room
	log     *slog.Logger

	full    atomic.Bool
	waiting atomic.Int32  // writes that found no room even so
	stop    chan struct{} // closed when no more room is waited for
	room    sync.Mutex    // guards the reserve
	closing sync.WaitGroup

	mu   sync.Mutex
	logs map[*logFile]bool // open ones that are synced lazily
}

// reserveName is the file in reserve.
const reserveName = "RESERVE"

func newDisk(fs vfs.FS, dir string, o *Options) *disk {
	return &disk{
		FS: fs, dir: dir, lazy: o.Sync != Always, reserve: o.reserve, retry: o.retry, log: o.Log,
		stop: make(chan struct{}), logs: map[*logFile]bool{},
	}
}

// Unwrap is the file system below.
func (d *disk) Unwrap() vfs.FS { return d.FS }

// retrying does what may find the disk full until it does not.
func (d *disk) retrying(do func() error) error {
	err := do()
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	d.giveReserve()
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	for {
		if err = do(); !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
			return err
		}
		select {
		case <-d.stop:
			return err
		case <-time.After(d.retry):
		}
	}
}

// giveReserve makes room and has appends refused.
func (d *disk) giveReserve() {
	d.room.Lock()
	defer d.room.Unlock()
	if d.full.Swap(true) {
		return
	}
	err := d.FS.Remove(d.path(reserveName))
	d.log.Error("customers: the disk is full: appends are refused until there is room", "folder", d.dir, "wanted", 2*d.reserve, "reserve", errText(err))
}

// takeReserve puts the reserve by, where there is room for twice as much: half
// of it is for what is under way.
func (d *disk) takeReserve() error {
	d.room.Lock()
	defer d.room.Unlock()
	if !d.full.Load() {
		return nil
	}
	if usage, err := d.FS.GetDiskUsage(d.dir); err == nil && int64(usage.AvailBytes) < 2*d.reserve {
		return fmt.Errorf("%d bytes are free, want %d: %w", usage.AvailBytes, 2*d.reserve, syscall.ENOSPC)
	}
	if err := d.writeReserve(); err != nil {
		return errors.Join(err, d.FS.Remove(d.path(reserveName)))
	}
	d.full.Store(false)
	return nil
}

// writeReserve writes bytes that no file system makes smaller.
func (d *disk) writeReserve() error {
	f, err := d.FS.Create(d.path(reserveName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	block, state := make([]byte, 1<<16), uint64(1)
	for done := int64(0); done < d.reserve; done += int64(len(block)) {
		for i := range block {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			block[i] = byte(state)
		}
		if _, err := f.Write(block[:min(int64(len(block)), d.reserve-done)]); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(f.Sync(), f.Close())
}

// holdReserve puts the reserve by when a store is opened.
func (d *disk) holdReserve() {
	if info, err := d.FS.Stat(d.path(reserveName)); err == nil && info.Size() == d.reserve {
		return
	}
	d.full.Store(true)
	if err := d.takeReserve(); err != nil {
		d.log.Error("customers: the disk is full: appends are refused until there is room", "folder", d.dir, "error", err)
	}
}

// watch looks for room while the disk is full, and syncs logs where that is
// wanted, until the disk is stopped.
func (d *disk) watch(interval time.Duration, failed func(error)) {
	looks := time.NewTicker(d.retry)
	defer looks.Stop()
	var syncs <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		syncs = ticker.C
	}
	for {
		select {
		case <-d.stop:
			return
		case <-looks.C:
			if d.full.Load() && d.takeReserve() == nil {
				d.log.Info("customers: the disk has room again: appends are taken", "folder", d.dir)
			}
		case <-syncs:
			if err := d.syncLogs(); err != nil {
				failed(err)
			}
		}
	}
}

// syncLogs does the fsyncs that were answered before they were done, and waits
// for those of logs that are being closed.
func (d *disk) syncLogs() error {
	d.mu.Lock()
	logs := slices.Collect(maps.Keys(d.logs))
	d.mu.Unlock()
	for _, f := range logs {
		if err := f.sync(); err != nil {
			return fmt.Errorf("customers: syncing the log: %w", err)
		}
	}
	return nil
}

func (d *disk) path(name string) string { return d.FS.PathJoin(d.dir, name) }

// wrap makes a file that waits for room.
func (d *disk) wrap(name string, open func() (vfs.File, error)) (f vfs.File, err error) {
	err = d.retrying(func() error {
		f, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	f = &patientFile{f, d}
	if !d.lazy || !strings.HasSuffix(filepath.Base(name), ".log") {
		return f, nil
	}
	l := &logFile{File: f, disk: d}
	d.mu.Lock()
	d.logs[l] = true
	d.mu.Unlock()
	return l, nil
}

// Create, OpenReadWrite and ReuseForWrite open files that are written.
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.wrap(name, func() (vfs.File, error) { return d.FS.Create(name, c) })
}

func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.wrap(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, c, o...) })
}

func (d *disk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.wrap(name, func() (vfs.File, error) { return d.FS.ReuseForWrite(old, name, c) })
}

// Link, Rename and MkdirAll may take room in a folder.
func (d *disk) Link(old, name string) error {
	return d.retrying(func() error { return d.FS.Link(old, name) })
}

func (d *disk) Rename(old, name string) error {
	return d.retrying(func() error { return d.FS.Rename(old, name) })
}

func (d *disk) MkdirAll(dir string, perm fs.FileMode) error {
	return d.retrying(func() error { return d.FS.MkdirAll(dir, perm) })
}

// A patientFile waits for room.
type patientFile struct {
	vfs.File
	disk *disk
}

func (f *patientFile) Write(p []byte) (n int, err error) {
	err = f.disk.retrying(func() error {
		written, err := f.File.Write(p[n:])
		n += written
		return err
	})
	return n, err
}

func (f *patientFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.disk.retrying(func() error {
		written, err := f.File.WriteAt(p[n:], at+int64(n))
		n += written
		return err
	})
	return n, err
}

// A logFile is a log whose fsyncs are answered before they are done.
type logFile struct {
	vfs.File
	disk   *disk
	dirty  atomic.Bool
	syncs  sync.Mutex // guards closed, and lets one sync at a time
	closed bool
}

func (f *logFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.dirty.Store(true)
	return n, err
}

func (f *logFile) Sync() error     { return nil }
func (f *logFile) SyncData() error { return nil }

// sync does what Sync only said.
func (f *logFile) sync() error {
	f.syncs.Lock()
	defer f.syncs.Unlock()
	if f.closed || !f.dirty.Swap(false) {
		return nil
	}
	return f.File.Sync()
}

// Close lets the disk have the log in its own time: the commits that wait for
// the next log should not wait for this one.
func (f *logFile) Close() error {
	f.disk.closing.Go(func() {
		err := f.sync()
		f.syncs.Lock()
		defer f.syncs.Unlock()
		f.closed = true
		f.disk.mu.Lock()
		delete(f.disk.logs, f)
		f.disk.mu.Unlock()
		if err := errors.Join(err, f.File.Close()); err != nil {
			f.disk.log.Error("customers: a log could not be synced: the loss of power may cost what is in it", "error", err)
		}
	})
	return nil
}

func errText(err error) string {
	if err == nil {
		return "given up"
	}
	return err.Error()
}
