package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"

	"moments/features"
	"moments/model"
)

// FormatVersion is the version of the bundle's layout on disk.
const FormatVersion = 1

// Names of the files that every bundle has.
const (
	manifestFile  = "manifest.json"
	taskFile      = "task.yaml"
	schemaFile    = "schema.json"
	referenceFile = "reference.safetensors"
	networkSuffix = ".safetensors"
	foreignSuffix = ".onnx"
)

// manifest is manifest.json. Its text has one canonical form, and Checksum is
// the SHA-256 of that form with Checksum left empty, so any edit shows.
type manifest struct {
	Format        int               `json:"format"`
	Name          string            `json:"name"`
	Targets       []string          `json:"targets"`
	PositiveRates []float64         `json:"positive_rates"`
	AlertRate     float64           `json:"alert_rate"`
	NoiseSeed     uint64            `json:"noise_seed"`
	SchemaHash    string            `json:"schema_hash"`
	Layout        features.Layout   `json:"layout"`
	Networks      []networkEntry    `json:"networks"`
	Attachments   []string          `json:"attachments"`
	Metrics       json.RawMessage   `json:"metrics"`
	Versions      map[string]string `json:"versions"`
	Files         map[string]file   `json:"files"`
	Checksum      string            `json:"checksum"`
}

type networkEntry struct {
	Name   string      `json:"name"`
	Role   Role        `json:"role"`
	File   string      `json:"file"`
	Weight float64     `json:"weight"`
	Saved  model.Saved `json:"saved"`
}

// file is what the manifest knows of a file's bytes.
type file struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func describe(raw []byte) file {
	return file{int64(len(raw)), digest(raw)}
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// seal returns the canonical text of m with its checksum.
func (m manifest) seal() ([]byte, error) {
	m.Checksum = ""
	raw, err := m.text()
	if err != nil {
		return nil, err
	}
	m.Checksum = digest(raw)
	return m.text()
}

func (m manifest) text() ([]byte, error) {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", manifestFile, err)
	}
	return append(raw, '\n'), nil
}

// parseManifest reads manifest.json. The version is looked at first: a newer
// format may have other keys.
func parseManifest(raw []byte) (manifest, error) {
	var version struct {
		Format int `json:"format"`
	}
	var m manifest
	if err := json.Unmarshal(raw, &version); err != nil {
		return m, fmt.Errorf("weights: %s: %w", manifestFile, err)
	}
	if version.Format != FormatVersion {
		return m, fmt.Errorf("weights: %s has format %d, want %d: train again or use the program that wrote it", manifestFile, version.Format, FormatVersion)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("weights: %s: %w", manifestFile, err)
	}
	canonical, err := m.seal()
	if err != nil {
		return m, err
	}
	if !bytes.Equal(canonical, raw) {
		return m, fmt.Errorf("weights: %s does not match its own checksum: it was edited or damaged", manifestFile)
	}
	return m, m.checkFiles()
}

// checkFiles demands that the named files are plain names, and exactly those
// that the other keys ask for.
func (m manifest) checkFiles() error {
	wanted := map[string]bool{taskFile: true, schemaFile: true, referenceFile: true}
	names := append([]string{}, m.Attachments...)
	for _, n := range m.Networks {
		names = append(names, n.File)
	}
	for _, name := range names {
		if err := checkFileName(name); err != nil {
			return err
		}
		if wanted[name] {
			return fmt.Errorf("weights: %s names file %q twice", manifestFile, name)
		}
		wanted[name] = true
	}
	for name := range wanted {
		if _, ok := m.Files[name]; !ok {
			return fmt.Errorf("weights: %s has no checksum of %s", manifestFile, name)
		}
	}
	for name := range m.Files {
		if !wanted[name] {
			return fmt.Errorf("weights: %s has a checksum of %q, which nothing uses", manifestFile, name)
		}
	}
	return nil
}

// checkFileName accepts letters, digits, dots, dashes and underscores, which
// name a file in the bundle's own folder on every system.
func checkFileName(name string) error {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_') {
			return fmt.Errorf("weights: file name %q, want letters, digits, dots, dashes and underscores", name)
		}
	}
	if name == manifestFile || name == "" || name[0] == '.' || !filepath.IsLocal(name) {
		return fmt.Errorf("weights: file name %q is not allowed", name)
	}
	return nil
}
