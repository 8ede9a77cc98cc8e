package customers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"moments/infer"
)

// The file that says what a folder is. Its last byte before the newline is the
// version of everything in the folder.
const (
	formatName = "CUSTOMERS"
	formatText = "moments customers 1\n"
)

// Bounds of what the database takes whatever the cache: so many tables in
// memory, of Options.memTable each, and so many files.
const (
	memTables     = 4
	mostOpenFiles = 512
)

// complete fills in the defaults and refuses what makes no sense.
func (o *Options) complete() error {
	switch o.Sync {
	case "":
		o.Sync = OS
	case Always, OS, Interval:
	default:
		return fmt.Errorf("customers: sync %q, want %s, %s or %s", o.Sync, Always, OS, Interval)
	}
	if o.Interval < 0 || o.CacheBytes < 0 || o.Retention < 0 {
		return fmt.Errorf("customers: interval %v, %d bytes of cache and retention %v, want none below 0", o.Interval, o.CacheBytes, o.Retention)
	}
	setDefault(&o.Interval, time.Second)
	setDefault(&o.CacheBytes, 256<<20)
	setDefault(&o.memTable, 8<<20)
	setDefault(&o.reserve, 32<<20)
	setDefault(&o.retry, time.Second)
	if o.Sync != Interval {
		o.Interval = 0
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.run == "" {
		o.run = machineRun()
	}
	return nil
}

func setDefault[T time.Duration | int64](x *T, value T) {
	if *x == 0 {
		*x = value
	}
}

// A Store is a folder of customers' journeys. It is safe for use by several
// goroutines; one process may have it open.
type Store struct {
	dir     string
	options Options
	disk    *disk
	db      *pebble.DB
	lock    *pebble.Lock
	cache   *cache
	layouts layouts
	counts  counts

	readersMu    sync.Mutex
	readers      map[*infer.Scorer]*reader
	fingerprints map[fingerprint]bool // that snapshots are stored of

	closing  sync.RWMutex // guards closed, and the first of the users
	closed   bool
	users    sync.WaitGroup
	failedMu sync.Mutex
	failed   error // nothing can be promised any more
	watcher  sync.WaitGroup
	grown    chan struct{} // told when the database wrote tables
}

// Open opens the store in a folder, and makes it where there is none or an
// empty one.
func Open(dir string, o Options) (*Store, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Store{
		dir: dir, options: o, cache: newCache(o.CacheBytes / 4 * 3), grown: make(chan struct{}, 1),
		readers: map[*infer.Scorer]*reader{}, fingerprints: map[fingerprint]bool{},
	}
	s.disk = newDisk(o.fs, dir, &o)
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("customers: %s: %w", dir, s.explain(err))
	}
	s.watcher.Go(func() { s.disk.watch(o.Interval, s.fail) })
	s.watcher.Go(s.noteExtents)
	return s, nil
}

// open opens the database, and undoes what it did where that fails.
func (s *Store) open() (err error) {
	exists, err := s.enter()
	if err != nil {
		return err
	}
	if s.lock, err = pebble.LockDirectory(s.dir, s.disk.FS); err != nil {
		return fmt.Errorf("the folder is in use by another process, or cannot be locked: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	s.disk.holdReserve()
	if err := s.openCutting(exists); err != nil {
		return err
	}
	if err := errors.Join(s.noteRun(), s.readIndex()); err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// openDatabase opens the database; one that exists is never made anew. The
// database panics where it finds files that it cannot have written.
func (s *Store) openDatabase(exists bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	o := &pebble.Options{
		FS: s.disk, Lock: s.lock, ErrorIfNotExists: exists, ErrorIfExists: !exists,
		FormatMajorVersion: pebble.FormatTableFormatV6,
		CacheSize:          s.options.CacheBytes / 4,
		MemTableSize:       uint64(s.options.memTable), MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:               mostOpenFiles,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		Logger:                     logger{s},
		EventListener: &pebble.EventListener{
			DataCorruption: s.corrupted, BackgroundError: s.background,
			FlushEnd: func(pebble.FlushInfo) { s.grow() }, CompactionEnd: func(pebble.CompactionInfo) { s.grow() },
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	s.db, err = pebble.Open(s.dir, o)
	var system syscall.Errno
	if err != nil && !errors.As(err, &system) { // then it is what was found, not how it was read
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// enter makes sure that the folder is a store, or can become one, and says
// whether there is a database in it.
func (s *Store) enter() (exists bool, err error) {
	disk := s.disk
	if err := disk.FS.MkdirAll(s.dir, 0o755); err != nil {
		return false, err
	}
	names, err := disk.FS.List(s.dir)
	if err != nil {
		return false, err
	}
	if !slices.Contains(names, formatName) {
		if i := slices.IndexFunc(names, func(name string) bool { return name != formatName+".new" && name != "lost+found" }); i >= 0 {
			return false, fmt.Errorf("the folder holds %s but no %s, so it is no store of customers: name a new or an empty folder", names[i], formatName)
		}
		return false, s.writeFile(formatName, formatText)
	}
	if err := errors.Join(s.checkFormat(), s.checkExtent()); err != nil {
		return false, err
	}
	isData := func(name string) bool {
		return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") || strings.HasPrefix(name, "marker.manifest")
	}
	return slices.ContainsFunc(names, isData), nil
}

// writeFile writes a file of the store's own so that a crash leaves the old one
// or the new one.
func (s *Store) writeFile(name, text string) error {
	fs, path := s.disk.FS, s.disk.path(name)
	f, err := fs.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := fs.OpenDir(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// readFile reads the beginning of a file of the store's own.
func (s *Store) readFile(name string) (string, error) {
	f, err := s.disk.FS.Open(s.disk.path(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	return string(text), err
}

// checkFormat makes sure that the folder was written by this version.
func (s *Store) checkFormat() error {
	text, err := s.readFile(formatName)
	if err == nil && text != formatText {
		err = fmt.Errorf("%s says %q, want %q: it was written by another version, or is no store of customers", formatName, text, formatText)
	}
	return err
}

// readIndex reads what is kept in memory.
func (s *Store) readIndex() error {
	if err := s.layouts.load(s.db); err != nil {
		return err
	}
	for f, err := range s.storedFingerprints() {
		if err != nil {
			return err
		}
		s.fingerprints[f] = true
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{headKey}, UpperBound: []byte{headKey + 1}})
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		s.counts.customers.Add(1)
	}
	return errors.Join(it.Error(), it.Close())
}

// explain adds to an error what to do about it.
func (s *Store) explain(err error) error {
	switch {
	case errors.Is(err, ErrDamaged):
	case pebble.IsCorruptionError(err), errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	default:
		return err
	}
	return fmt.Errorf("%w: restore the folder from a copy, or move it away and begin a new one", err)
}

// fail remembers the first error after which nothing can be promised.
func (s *Store) fail(err error) {
	s.failedMu.Lock()
	defer s.failedMu.Unlock()
	if s.failed == nil {
		s.failed = err
		s.options.Log.Error("customers: the store takes no more appends: end the process and look at the disk", "folder", s.dir, "error", err)
	}
}

func (s *Store) failure() error {
	s.failedMu.Lock()
	defer s.failedMu.Unlock()
	return s.failed
}

// begin begins the use of the store; done ends it.
func (s *Store) begin() (done func(), err error) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return nil, fmt.Errorf("customers: %w", ErrClosed)
	}
	s.users.Add(1)
	return s.users.Done, nil
}

// writable says why nothing may be appended, if so.
func (s *Store) writable() error {
	if err := s.failure(); err != nil {
		return fmt.Errorf("customers: the store takes no more appends: %w", err)
	}
	if s.disk.full.Load() {
		return fmt.Errorf("customers: %w: nothing was stored; make room and try again", ErrFull)
	}
	return nil
}

// A logger passes on what the database says.
type logger struct{ *Store }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.options.Log.Error("customers: database", "error", fmt.Sprintf(format, args...))
}

// Fatalf may not return. What the commit of an append meets is caught there;
// anywhere else the process ends, and the next one finds what was acknowledged.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf("database: "+format, args...)
	l.fail(err)
	panic(err)
}

func (s *Store) corrupted(info pebble.DataCorruptionInfo) {
	s.options.Log.Error("customers: the store is damaged: requests for some customers fail", "file", info.Path, "error", info.Details)
}

func (s *Store) background(err error) {
	s.options.Log.Error("customers: database", "error", err)
}

// commit stores a batch; under pebble.Sync it is as safe as Options.Sync says.
func (s *Store) commit(b *pebble.Batch, o *pebble.WriteOptions) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("customers: %v", p)
			s.fail(err)
		}
	}()
	if err := b.Commit(o); err != nil {
		return fmt.Errorf("customers: %w", err)
	}
	return nil
}

// stuck is how many looks for room on a full disk Close waits for.
const stuck = 5

// Close ends the use of the store. Calls under way end first; where the disk is
// so full that they cannot, it gives up after a while: what was acknowledged is
// on disk.
func (s *Store) Close() error {
	done := make(chan error, 1)
	go func() { done <- s.close() }()
	patience := time.NewTicker(stuck * s.options.retry)
	defer patience.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-patience.C:
			if s.disk.waiting.Load() > 0 {
				return fmt.Errorf("customers: %w: %s was left as after a crash, with all that was acknowledged", ErrFull, s.dir)
			}
		}
	}
}

func (s *Store) close() error {
	s.closing.Lock()
	closed := s.closed
	s.closed = true
	s.closing.Unlock()
	if s.users.Wait(); closed {
		return nil
	}
	var flushed error
	if s.failure() == nil {
		flushed = s.db.Flush() // so that the next start has nothing to replay
	}
	err := errors.Join(flushed, s.db.Close())
	close(s.disk.stop)
	s.watcher.Wait()
	s.disk.closing.Wait()
	if err == nil {
		err = errors.Join(s.noteExtent(), s.forgetRun())
	}
	err = errors.Join(err, s.lock.Close())
	if err != nil {
		return fmt.Errorf("customers: %w", err)
	}
	return nil
}
