package onnxruntime

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
)

// Version is that of the library that Install installs, and the oldest that
// works.
const Version = "1.24.1"

// The library comes in a package of the Node registry, with those of other
// systems.
const npmPackage = "onnxruntime-node@" + Version

// A download is the library of one system.
type download struct {
	file   string // within the package
	sha256 string
}

// downloads are the libraries, by system and processor.
var downloads = map[string]download{
	"linux/amd64":   {"package/bin/napi-v6/linux/x64/libonnxruntime.so.1", "53ef1ac028dd1b05554b8da28d9159eb3876f99868193d2aaa6e67f0243c23d4"},
	"linux/arm64":   {"package/bin/napi-v6/linux/arm64/libonnxruntime.so.1", "7954e8bdedb497f830c6a679e818d98399b7f4d81ade1126c3e0be74d28111ab"},
	"darwin/arm64":  {"package/bin/napi-v6/darwin/arm64/libonnxruntime.1.24.1.dylib", "7ad6507ad64d3b02aebfae6380c024ff188939cd8a7a493ec18028e034c8275c"},
	"windows/amd64": {"package/bin/napi-v6/win32/x64/onnxruntime.dll", "be46630a10f6ed3897fd9d1ec83f6e2577e34851fb1024d685884ed40faed3a7"},
	"windows/arm64": {"package/bin/napi-v6/win32/arm64/onnxruntime.dll", "5588ade6e81e7cb46ec45546ac36a61449b7135d177ca22ca808eee6910e5e3a"},
}

func (d download) check(sum []byte) error {
	if got := hex.EncodeToString(sum); got != d.sha256 {
		return fmt.Errorf("%s has SHA-256 %s, want %s", d.file, got, d.sha256)
	}
	return nil
}

// library is the download for this system.
func library() (download, error) {
	system := runtime.GOOS + "/" + runtime.GOARCH
	d, ok := downloads[system]
	if !ok {
		return d, fmt.Errorf("onnxruntime: %s has no library for %s: build ONNX Runtime %s and name its file", npmPackage, system, Version)
	}
	return d, nil
}

// CachedLibrary is where Install puts the library: in the user's cache.
func CachedLibrary() (string, error) {
	d, err := library()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("onnxruntime: %w", err)
	}
	return filepath.Join(cache, "moments", "onnxruntime-"+Version, path.Base(d.file)), nil
}

// Install puts the library into the user's cache and returns its path. It
// fetches the package with npm, takes one file out of it, verifies its checksum
// and renames it into place. Where the right file is there already it does
// nothing.
func Install(ctx context.Context) (string, error) {
	d, err := library()
	if err != nil {
		return "", err
	}
	target, err := CachedLibrary()
	if err != nil {
		return "", err
	}
	if sum, err := fileSum(target); err == nil && d.check(sum) == nil {
		return target, nil
	}
	if err := install(ctx, d, target); err != nil {
		return "", fmt.Errorf("onnxruntime: installing %s: %w", npmPackage, err)
	}
	return target, nil
}

func install(ctx context.Context, d download, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	// Beside the target, so that the last step is a rename.
	folder, err := os.MkdirTemp(filepath.Dir(target), ".fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	npm := exec.CommandContext(ctx, "npm", "pack", "--silent", "--pack-destination", folder, npmPackage)
	npm.Dir = folder // no project's settings
	if out, err := npm.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("npm is missing: install it (Debian: apt-get install npm)")
		}
		return fmt.Errorf("npm pack: %w: %s", err, out)
	}
	packed, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(packed) != 1 {
		return fmt.Errorf("npm pack left %d packages, want one (%v)", len(packed), err)
	}
	fresh := filepath.Join(folder, "library")
	if err := extract(packed[0], d, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, target)
}

// extract writes one file of a package to a new file, verified.
func extract(packed string, d download, target string) error {
	f, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("the package is no archive: %w", err)
	}
	for archive := tar.NewReader(unzipped); ; {
		entry, err := archive.Next()
		if err != nil {
			return fmt.Errorf("%s is not in the package: %w", d.file, err)
		}
		if entry.Name == d.file {
			return writeVerified(archive, d, target)
		}
	}
}

func writeVerified(from io.Reader, d download, target string) error {
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), from)
	return errors.Join(err, out.Sync(), out.Close(), d.check(sum.Sum(nil)))
}

func fileSum(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return sum.Sum(nil), err
}
