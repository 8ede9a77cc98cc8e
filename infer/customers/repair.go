package customers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// What was appended last stands in logs, of which the database knows how far
// they were synced, so that a damaged one is told from one whose end was still
// on its way. Where fsyncs are answered before they are done, the loss of power
// looks like damage. So the store notes in which run of the machine its logs are
// synced lazily: in a later run a log may be cut where it ends to make sense, in
// the same run nothing but damage can have made it so, and the store is not
// opened.

// runName is the file that holds the run of the machine while logs are synced
// lazily.
const runName = "RUN"

// machineRun tells the runs of the machine apart; "" where the operating system
// does not say.
func machineRun() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// noteRun says how the logs from now on are synced.
func (s *Store) noteRun() error {
	if s.disk.lazy {
		return s.writeFile(runName, s.options.run)
	}
	return s.forgetRun()
}

// forgetRun says that all logs are synced.
func (s *Store) forgetRun() error {
	err := s.disk.FS.Remove(s.disk.path(runName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// mayCut says whether a log that ends to make sense is to be expected, or is to
// be put up with.
func (s *Store) mayCut() bool {
	run, err := s.readFile(runName)
	return s.options.Repair || err == nil && run != "" && s.options.run != "" && run != s.options.run
}

// openCutting opens the database, and cuts its logs where that is called for. A
// new one is opened twice: the log that it begins with does not yet say how far
// it was synced.
func (s *Store) openCutting(exists bool) error {
	if !exists {
		if err := s.openDatabase(false); err != nil {
			return err
		}
		if err := s.db.Close(); err != nil {
			return err
		}
	}
	err := s.openDatabase(true)
	for torn(err) && s.mayCut() {
		if cut, cutErr := s.cutNewest(); !cut || cutErr != nil {
			return errors.Join(err, cutErr)
		}
		err = s.openDatabase(true)
	}
	if torn(err) {
		err = fmt.Errorf("%w: a log of the last appends is damaged: repairing (moments serve --repair-state) cuts it there", err)
	}
	return err
}

// torn says whether a log ends to make sense.
func torn(err error) bool {
	return errors.Is(err, record.ErrInvalidChunk) || errors.Is(err, record.ErrZeroedChunk) || errors.Is(err, record.ErrUnexpectedEOF)
}

// cutNewest cuts the newest log that is torn, and puts those after it aside: all
// that is left is older than all that is lost. Whether there is one is its
// answer. An older one that is torn may be out of use, and is left until the
// database asks for it.
func (s *Store) cutNewest() (bool, error) {
	logs, err := wal.Scan(wal.Dir{FS: s.disk.FS, Dirname: s.dir})
	if err != nil {
		return false, err
	}
	for i, l := range slices.Backward(logs) {
		end, err := readLog(l)
		if err == nil {
			continue
		}
		if !torn(err) {
			return false, err
		}
		for _, later := range slices.Backward(logs[i+1:]) {
			if err := s.putAside(fmt.Sprintf("%06d.log", uint64(later.Num)), 0); err != nil {
				return false, err
			}
		}
		return true, s.putAside(s.disk.FS.PathBase(end.PhysicalFile), end.Physical)
	}
	return false, nil
}

// readLog reads a log to its end, and says where it ceases to make sense.
func readLog(l wal.LogicalLog) (wal.Offset, error) {
	r := l.OpenForRead()
	for {
		_, at, err := r.NextRecord()
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return at, errors.Join(err, r.Close())
	}
}

// putAside renames a log, and leaves so many bytes of it in its place.
func (s *Store) putAside(name string, keep int64) error {
	fs, path := s.disk.FS, s.disk.path(name)
	aside := path + ".damaged"
	if err := fs.Rename(path, aside); err != nil {
		return err
	}
	s.options.Log.Error("customers: a log of the last appends is damaged and was cut, with those after it", "log", name, "kept", keep, "whole", aside)
	if keep == 0 {
		return nil
	}
	from, err := fs.Open(aside)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, keep))
	return errors.Join(err, to.Sync(), to.Close())
}
