package weights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Save writes the bundle to the folder dir and replaces the bundle that is
// there. It writes to a folder beside dir, syncs it, reads it back and renames
// it into place, so an error or a crash at any moment leaves the old bundle or
// the new one for [Open]. A folder that holds anything but a bundle is refused.
// One process at a time may save to dir; any number may open it meanwhile.
//
// Renaming over a folder that is not empty is possible on no system that Go
// runs on, so the old bundle is renamed aside first. A crash between the two
// renames leaves it there, where Open finds it and the next Save puts it back.
func (b *Bundle) Save(dir string) error { return b.save(dir, realDisk{}) }

func (b *Bundle) save(dir string, d disk) error {
	if err := b.Validate(); err != nil {
		return err
	}
	files, err := b.files()
	if err != nil {
		return err
	}
	dir, err = resolve(dir)
	if err == nil {
		err = checkReplaceable(dir)
	}
	if err != nil {
		return err
	}
	fresh := beside(dir, "new")
	err = writeFolder(d, fresh, files)
	if err == nil {
		// What cannot be read back must not replace what can.
		_, _, err = read(fresh)
	}
	if err == nil {
		err = replace(d, dir, fresh)
	}
	if err != nil {
		d.Remove(fresh) // its own failure adds nothing: the next Save removes it too
		return fmt.Errorf("weights: saving %s: %w", dir, err)
	}
	return nil
}

// files renders every file of the bundle, by name.
func (b *Bundle) files() (map[string][]byte, error) {
	schema, err := json.Marshal(b.Schema)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", schemaFile, err)
	}
	files := map[string][]byte{taskFile: b.TaskYAML, schemaFile: schema}
	tensors := map[string]map[string]Tensor{referenceFile: b.Reference.tensors()}
	m := b.manifest()
	for _, n := range b.Networks {
		if n.Foreign() {
			files[n.file()] = n.ONNX
		} else {
			tensors[n.file()] = n.Params
		}
		m.Networks = append(m.Networks, networkEntry{n.Name, n.Role, n.file(), n.Weight, n.Saved})
	}
	for name, t := range tensors {
		var raw bytes.Buffer
		if err := WriteTensors(&raw, t, map[string]string{"format": "moments"}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = raw.Bytes()
	}
	for name, raw := range b.Attachments {
		if err := checkFileName(name); err != nil {
			return nil, err
		}
		if _, taken := files[name]; taken {
			return nil, fmt.Errorf("weights: attachment %s has the name of another file", name)
		}
		files[name] = raw
	}
	for name, raw := range files {
		m.Files[name] = describe(raw)
	}
	files[manifestFile], err = m.seal()
	return files, err
}

// manifest fills in all but the networks and the files.
func (b *Bundle) manifest() manifest {
	return manifest{
		Format:        FormatVersion,
		Name:          b.Name,
		Targets:       b.Targets,
		PositiveRates: b.PositiveRates,
		AlertRate:     b.AlertRate,
		NoiseSeed:     b.NoiseSeed,
		SchemaHash:    b.Schema.Hash(),
		Layout:        b.Layout,
		Attachments:   slices.Sorted(maps.Keys(b.Attachments)),
		Metrics:       b.Metrics,
		Versions:      b.Versions,
		Files:         map[string]file{},
	}
}

// resolve makes dir absolute and follows links, so that the folder behind them
// is replaced and they stay. The folder need not be there: between the renames
// of replace it is not.
func resolve(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("weights: %w", err)
	}
	const maxLinks = 40
	for range maxLinks {
		target, err := os.Readlink(dir)
		if err != nil {
			return dir, nil // not a link
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(dir), target)
		}
		dir = filepath.Clean(target)
	}
	return "", fmt.Errorf("weights: %s: more than %d links", dir, maxLinks)
}

// beside is a hidden folder next to dir.
func beside(dir, suffix string) string {
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"."+suffix)
}

// aside is where replace keeps the old bundle for a moment.
func aside(dir string) string { return beside(dir, "old") }

// checkReplaceable refuses a folder with anything in it that Save did not
// write: replacing it would delete that.
func checkReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	known := map[string]file{manifestFile: {}, taskFile: {}, schemaFile: {}}
	if raw, err := os.ReadFile(filepath.Join(dir, manifestFile)); err == nil {
		if m, err := parseManifest(raw); err == nil {
			maps.Copy(known, m.Files)
		}
	}
	for _, e := range entries {
		if _, ok := known[e.Name()]; !ok && !strings.HasSuffix(e.Name(), networkSuffix) {
			return fmt.Errorf("weights: %s holds %s, which is no part of a bundle: move it or save elsewhere", dir, e.Name())
		}
	}
	return nil
}

// writeFolder writes files to the new folder dir, the manifest last.
func writeFolder(d disk, dir string, files map[string][]byte) error {
	if err := d.Remove(dir); err != nil { // what a crash has left
		return err
	}
	if err := d.Mkdir(dir); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(files))
	names = append(slices.DeleteFunc(names, func(n string) bool { return n == manifestFile }), manifestFile)
	for _, name := range names {
		if err := d.Write(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return d.Sync(dir)
}

// replace puts the folder fresh in the place of dir.
func replace(d disk, dir, fresh string) error {
	old := aside(dir)
	if !exists(dir) && exists(old) {
		if err := d.Rename(old, dir); err != nil {
			return err
		}
	}
	if err := d.Remove(old); err != nil {
		return err
	}
	had := exists(dir)
	if had {
		if err := d.Rename(dir, old); err != nil {
			return err
		}
	}
	if err := d.Rename(fresh, dir); err != nil {
		if had {
			d.Rename(old, dir) // should this fail too, Open finds it where it is
		}
		return err
	}
	if err := d.Sync(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("the new bundle is in place but may not survive a power cut: %w", err)
	}
	d.Remove(old) // the bundle is saved; the next Save tries again
	return nil
}
