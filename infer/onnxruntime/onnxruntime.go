// Package onnxruntime runs ONNX models through ONNX Runtime, a shared library
// that is found, or installed, at run time: a program that runs no such model
// needs neither. [Open] finds and loads the library, [Runtime.Load] makes a
// model ready, and a [Session] runs it on batches in memory of its own.
//
// Models are checked by package weights/onnx before the runtime sees them. What
// a model computes is the runtime's affair, and a model may use as much time and
// memory as it likes: take models from people you trust with that.
package onnxruntime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// A Runtime is the loaded library. There is one in a process.
type Runtime struct {
	path string
}

var (
	loading sync.Mutex
	loaded  *Runtime // nil until Open has succeeded
)

// Open loads the library from the file that library names or, where that is
// empty, from the first place of these that has it: the folder of the program,
// the user's cache (see [Install]), the system. Only the first Open loads;
// later ones return what it loaded.
func Open(library string) (*Runtime, error) {
	loading.Lock()
	defer loading.Unlock()
	if loaded != nil {
		return loaded, nil
	}
	var tried []error
	for _, path := range candidates(library) {
		err := load(path)
		if err == nil {
			loaded = &Runtime{path: path}
			return loaded, nil
		}
		if library != "" {
			return nil, fmt.Errorf("onnxruntime: %w", err)
		}
		if _, stat := os.Stat(path); stat == nil { // it is there, and fails
			tried = append(tried, err)
		}
	}
	missing := fmt.Errorf("onnxruntime: no usable library of ONNX Runtime, version %s or newer, beside the program, in the cache or in the system: install it with: moments onnxruntime --install", Version)
	return nil, errors.Join(append([]error{missing}, tried...)...)
}

// Path is the file that the library was loaded from, or the name that the
// system found it by.
func (r *Runtime) Path() string { return r.path }

// Version is that of the loaded library, such as "1.24.1".
func (r *Runtime) Version() string { return ort.GetVersion() }

// load loads one library, or says what is wrong with it.
func load(path string) error {
	if filepath.IsAbs(path) {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return fmt.Errorf("%s is no library of ONNX Runtime %s or newer: %w", path, Version, err)
	}
	// The library would report its use where its builds do so.
	return ort.DisableTelemetry()
}

// candidates are the places where the library may be, in order.
func candidates(library string) []string {
	if library != "" {
		if absolute, err := filepath.Abs(library); err == nil {
			library = absolute
		}
		return []string{library}
	}
	var paths []string
	if program, err := os.Executable(); err == nil {
		for _, name := range systemNames() {
			paths = append(paths, filepath.Join(filepath.Dir(program), name))
		}
	}
	if cached, err := CachedLibrary(); err == nil {
		paths = append(paths, cached)
	}
	return append(paths, systemNames()...)
}

// systemNames are the names that the library goes by.
func systemNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"onnxruntime.dll"}
	case "darwin":
		return []string{"libonnxruntime.dylib"}
	}
	return []string{"libonnxruntime.so.1", "libonnxruntime.so"}
}
