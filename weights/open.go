package weights

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"

	"moments/features"
)

const (
	maxManifest = 64 << 20 // bytes
	maxFile     = 2 << 30  // bytes; a bundle's files are read whole
)

// Open reads the bundle in the folder dir and verifies it: format version, the
// checksum of every file, no file missing and none extra, the schema's hash,
// and all that [Bundle.Validate] demands. Nothing is written.
func Open(dir string) (*Bundle, error) {
	b, _, err := OpenVersion(dir)
	return b, err
}

// OpenVersion is Open, and says which version it has opened: a bundle's version
// is the beginning of the SHA-256 of its manifest, in hexadecimal, which tells
// apart bundles of which any byte differs.
func OpenVersion(dir string) (b *Bundle, version string, err error) {
	dir, err = resolve(dir)
	if err != nil {
		return nil, "", err
	}
	// A bundle that is replaced while it is read is read again; as often as
	// that, because each time takes a whole Save.
	const attempts = 100
	for attempt := 1; ; attempt++ {
		before, _ := os.Stat(dir)
		b, version, err := read(dir)
		if err != nil && before == nil {
			if old, oldVersion, oldErr := read(aside(dir)); oldErr == nil {
				b, version, err = old, oldVersion, nil
			}
		}
		if err == nil {
			return b, version, nil
		}
		after, _ := os.Stat(dir)
		if sameFolder(before, after) || attempt == attempts {
			return nil, "", fmt.Errorf("weights: opening %s: %w", dir, err)
		}
	}
}

// VersionDigits is the length of a version.
const VersionDigits = 12

// Version is the version of the bundle in dir by its manifest alone; whether
// the other files are what the manifest says only Open finds out.
func Version(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("weights: %w", err)
	}
	defer root.Close()
	raw, err := ReadFile(root, manifestFile, maxManifest)
	if err != nil {
		return "", fmt.Errorf("weights: %s: %w", dir, err)
	}
	return digest(raw)[:VersionDigits], nil
}

// sameFolder says whether a folder is still the one it was; nil is none. The
// time tells apart folders that were given the same inode one after the other.
func sameFolder(before, after os.FileInfo) bool {
	if before == nil || after == nil {
		return before == after
	}
	return os.SameFile(before, after) && before.ModTime().Equal(after.ModTime())
}

// read reads the bundle in dir. It holds the folder open, so all files come
// from one folder even when another takes its name meanwhile, and follows no
// link out of it.
func read(dir string) (b *Bundle, version string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	raw, err := ReadFile(root, manifestFile, maxManifest)
	if err != nil {
		return nil, "", err
	}
	m, err := parseManifest(raw)
	if err != nil {
		return nil, "", err
	}
	files, err := readFiles(root, m.Files)
	if err != nil {
		return nil, "", err
	}
	b, err = m.bundle(files)
	return b, digest(raw)[:VersionDigits], err
}

// readFiles reads and verifies the listed files and refuses any other.
func readFiles(root *os.Root, listed map[string]file) (map[string][]byte, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, ok := listed[e.Name()]; !ok && e.Name() != manifestFile {
			return nil, fmt.Errorf("extra file %s, which %s does not list", e.Name(), manifestFile)
		}
	}
	files := make(map[string][]byte, len(listed))
	for name, want := range listed {
		raw, err := ReadFile(root, name, maxFile)
		if err != nil {
			return nil, err
		}
		if got := int64(len(raw)); got != want.Bytes {
			return nil, fmt.Errorf("%s has %d bytes, want %d: copy the bundle again or retrain", name, got, want.Bytes)
		}
		if describe(raw) != want {
			return nil, fmt.Errorf("%s does not match its checksum: copy the bundle again or retrain", name)
		}
		files[name] = raw
	}
	return files, nil
}

// ReadFile reads a regular file of a folder, of at most limit bytes, and nothing
// outside the folder.
func ReadFile(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: want a regular file of at most %d bytes", name, limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// bundle puts verified files together.
func (m manifest) bundle(files map[string][]byte) (*Bundle, error) {
	b := &Bundle{
		Name:          m.Name,
		Targets:       m.Targets,
		PositiveRates: m.PositiveRates,
		TaskYAML:      files[taskFile],
		Layout:        m.Layout,
		Schema:        new(features.Schema),
		AlertRate:     m.AlertRate,
		NoiseSeed:     m.NoiseSeed,
		Versions:      m.Versions,
	}
	if string(m.Metrics) != "null" {
		b.Metrics = m.Metrics
	}
	if err := json.Unmarshal(files[schemaFile], b.Schema); err != nil {
		return nil, fmt.Errorf("%s: %w", schemaFile, err)
	}
	if got := b.Schema.Hash(); got != m.SchemaHash {
		return nil, fmt.Errorf("%s has hash %s, want %s", schemaFile, got, m.SchemaHash)
	}
	if err := m.readNetworks(b, files); err != nil {
		return nil, err
	}
	for _, name := range m.Attachments {
		if b.Attachments == nil {
			b.Attachments = map[string][]byte{}
		}
		b.Attachments[name] = files[name]
	}
	return b, b.Validate()
}

func (m manifest) readNetworks(b *Bundle, files map[string][]byte) error {
	for _, e := range m.Networks {
		n := Network{Name: e.Name, Role: e.Role, Saved: e.Saved, Weight: e.Weight}
		if n.Foreign() {
			n.ONNX = files[e.File]
		} else {
			var err error
			if n.Params, _, err = ReadTensors(files[e.File]); err != nil {
				return fmt.Errorf("%s: %w", e.File, err)
			}
		}
		if n.file() != e.File {
			return fmt.Errorf("network %s is in file %s, want %s", e.Name, e.File, n.file())
		}
		b.Networks = append(b.Networks, n)
	}
	tensors, _, err := ReadTensors(files[referenceFile])
	if err == nil {
		b.Reference, err = readReference(tensors)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", referenceFile, err)
	}
	return nil
}
