package registry

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names that make a place.
const (
	manifestFile = "manifest.json" // of a bundle
	onnxSuffix   = ".onnx"
	onnxFile     = "model.onnx" // of a version's folder
)

// A place is a folder or file that holds one version of a model at a time.
// Registry.mu guards all but path.
type place struct {
	path  string
	seen  []seen // when it was last opened, whatever came of it
	model *Model // that was opened there last, nil for none
	err   error  // why model is not what the place holds now; nil when it is
}

// seen is one file as it was.
type seen struct {
	name string
	info os.FileInfo
}

// look describes what a place holds, so that a change shows without reading it.
func look(path string) ([]seen, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	all := []seen{{".", info}}
	if !info.IsDir() {
		return all, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		all = append(all, seen{e.Name(), info})
	}
	return all, nil
}

// unchanged compares names, files, sizes and times.
func unchanged(a, b []seen) bool {
	return slices.EqualFunc(a, b, func(a, b seen) bool {
		return a.name == b.name && os.SameFile(a.info, b.info) && a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime())
	})
}

// A root is one of the arguments of Open.
type root struct {
	path       string
	name       string // given by NAME=; "" where none is
	repository bool   // and not itself a place
}

// newRoot takes an argument of Open apart.
func newRoot(arg string) (*root, error) {
	r := &root{path: arg}
	if name, path, ok := strings.Cut(arg, "="); ok && !exists(arg) && name != "" && !strings.ContainsAny(name, `/\`) {
		r.name, r.path = name, path
	}
	info, err := os.Stat(r.path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("registry: %w", err)
	case !info.IsDir() && !isONNX(r.path):
		return nil, fmt.Errorf("registry: %s is a file, want the folder of a bundle, an %s file, or a folder of such", r.path, onnxSuffix)
	}
	r.repository = info.IsDir() && !exists(filepath.Join(r.path, manifestFile))
	if r.repository && r.name != "" {
		places, err := placesOf(r.path)
		if err != nil || len(places) == 0 {
			return nil, fmt.Errorf("registry: %s is no bundle, which the name %s could be given", r.path, r.name)
		}
		r.repository = false
	}
	return r, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// find lists the paths of places in a repository, by the name of their model.
func (r *root) find() (map[string][]string, error) {
	entries, err := os.ReadDir(r.path)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	models := map[string][]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // such as what a bundle is saved to before it is renamed
		}
		places, err := placesOf(filepath.Join(r.path, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("registry: %w", err)
		}
		name := strings.TrimSuffix(e.Name(), onnxSuffix)
		if len(places) > 0 {
			models[name] = append(models[name], places...)
		}
	}
	return models, nil
}

// placesOf are the paths of one model's places, by rising version: itself, or
// what its folder holds. None where it is no model.
func placesOf(path string) ([]string, error) {
	if place := placeOf(path); place != "" {
		return []string{place}, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil, ignoreMissing(err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return compareVersions(a.Name(), b.Name()) })
	var places []string
	for _, e := range entries {
		inner := filepath.Join(path, e.Name())
		if !strings.HasPrefix(e.Name(), ".") && !isONNX(e.Name()) {
			if place := placeOf(inner); place != "" {
				places = append(places, place)
			}
		}
	}
	return places, nil
}

// ignoreMissing passes over what was removed between two looks.
func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// placeOf is the place at path; "" where there is none.
func placeOf(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return ""
	case !info.IsDir():
		if isONNX(path) {
			return path
		}
		return ""
	case exists(filepath.Join(path, manifestFile)):
		return path
	}
	if inner := filepath.Join(path, onnxFile); exists(inner) {
		return inner
	}
	return ""
}

// compareVersions orders numbers by value and before other names.
func compareVersions(a, b string) int {
	x, errX := strconv.ParseUint(a, 10, 63)
	y, errY := strconv.ParseUint(b, 10, 63)
	switch {
	case errX == nil && errY == nil && x != y:
		if x < y {
			return -1
		}
		return 1
	case (errX == nil) != (errY == nil):
		if errX == nil {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

func isONNX(path string) bool { return strings.HasSuffix(path, onnxSuffix) }
