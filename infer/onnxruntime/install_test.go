package onnxruntime

import (
	"archive/tar"
	"compress/gzip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// pack writes a package with the given files.
func pack(t *testing.T, path string, files map[string]string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	zipped := gzip.NewWriter(f)
	archive := tar.NewWriter(zipped)
	for name, text := range files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{archive, zipped, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInstallTakesNothingUnverified runs Install with an npm that brings other
// things than asked for, or nothing.
func TestInstallTakesNothingUnverified(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("npm is a shell script here")
	}
	d, err := library()
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		name, npm, want string
		files           map[string]string
	}{
		{"no npm", "", "npm is missing", nil},
		{"npm fails", "echo no network >&2; exit 1", "no network", nil},
		{"npm brings nothing", "exit 0", "left 0 packages", nil},
		{"npm brings no archive", `echo text >"$4/a.tgz"`, "is no archive", nil},
		{"npm brings another package", `cp "$PACKAGE" "$4/a.tgz"`, "is not in the package", map[string]string{"package/README.md": "hello"}},
		{"npm brings another library", `cp "$PACKAGE" "$4/a.tgz"`, "has SHA-256", map[string]string{d.file: "malware"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder, cache := t.TempDir(), t.TempDir()
			t.Setenv("HOME", cache)
			t.Setenv("XDG_CACHE_HOME", cache)
			t.Setenv("PACKAGE", filepath.Join(folder, "package.tgz"))
			t.Setenv("PATH", folder)
			pack(t, filepath.Join(folder, "package.tgz"), c.files)
			if c.npm != "" {
				script := "#!/bin/sh\nPATH=/usr/bin:/bin\n" + c.npm + "\n"
				if err := os.WriteFile(filepath.Join(folder, "npm"), []byte(script), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Install(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "onnxruntime: installing") {
				t.Errorf("got error %v, want %q", err, c.want)
			}
			checkEmpty(t, cache)
		})
	}
}

// checkEmpty demands that no file was left.
func checkEmpty(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("%s was left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCandidates keeps the order in which the library is looked for.
func TestCandidates(t *testing.T) {
	if got := candidates("lib/x.so"); len(got) != 1 || !filepath.IsAbs(got[0]) {
		t.Errorf("got %q, want the file named, alone", got)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cached, err := CachedLibrary()
	if err != nil {
		t.Skip(err)
	}
	names := systemNames()
	got := candidates("")
	if len(got) != 2*len(names)+1 || filepath.Dir(got[0]) != filepath.Dir(program) || got[len(names)] != cached || got[len(got)-1] != names[len(names)-1] {
		t.Errorf("got %q, want beside the program, the cache, the system", got)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := load(path); !os.IsNotExist(err) {
		t.Errorf("got error %v, want that there is no file", err)
	}
	if loaded != nil {
		return // the library cannot be loaded twice
	}
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got error %v, want one that names the file", err)
	}
}
