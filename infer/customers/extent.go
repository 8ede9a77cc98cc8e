package customers

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
)

// The database lists its tables in a manifest that only grows, and takes one
// that was cut short for an older one: the tables that it does not know it
// deletes. So the store notes how long the manifest was at least, and is not
// opened on a shorter one.

// extentName is the file that holds the manifest's name and length.
const extentName = "EXTENT"

// grow has the manifest's length noted. The database calls it and must not wait.
func (s *Store) grow() {
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

// noteExtents notes the manifest's length whenever it grew.
func (s *Store) noteExtents() {
	for {
		select {
		case <-s.disk.stop:
			return
		case <-s.grown:
			if err := s.noteExtent(); err != nil && !s.disk.full.Load() {
				s.options.Log.Warn("customers: the length of the manifest could not be noted", "error", err)
			}
		}
	}
}

func (s *Store) noteExtent() error {
	name, size, err := s.manifest()
	if err != nil {
		return err
	}
	return s.writeFile(extentName, fmt.Sprintf("%s %d\n", name, size))
}

// manifest finds the one in use.
func (s *Store) manifest() (name string, size int64, err error) {
	found, err := pebble.Peek(s.dir, s.disk.FS)
	if err != nil || !found.Exists {
		return "", 0, errors.Join(err, fs.ErrNotExist)
	}
	info, err := s.disk.FS.Stat(found.ManifestFilename)
	if err != nil {
		return "", 0, err
	}
	return s.disk.FS.PathBase(found.ManifestFilename), info.Size(), nil
}

// checkExtent refuses a manifest that is shorter than it was.
func (s *Store) checkExtent() error {
	text, err := s.readFile(extentName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was written to a table yet
	}
	if err != nil {
		return err
	}
	var name string
	var least int64
	if _, err := fmt.Sscanf(text, "%s %d\n", &name, &least); err != nil {
		return fmt.Errorf("%w: %s says %q, want a name and a length", ErrDamaged, extentName, text)
	}
	now, size, err := s.manifest()
	if err != nil {
		return fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if now == name && size < least {
		return fmt.Errorf("%w: %s has %d bytes, want at least %d", ErrDamaged, name, size, least)
	}
	return nil
}
