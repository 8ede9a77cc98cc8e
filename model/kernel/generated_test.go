package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGeneratedFilesAreCurrent: the generator writes the assembly and its
// declarations again, byte for byte but for the first line, which quotes the
// command.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	goCommand := func(arguments ...string) ([]byte, error) {
		c := exec.Command("go", arguments...)
		c.Env = append(os.Environ(), "GOPROXY=off")
		return c.CombinedOutput()
	}
	if message, err := goCommand("list", "-C", "gen", "-deps", "."); err != nil {
		t.Skipf("the generator's modules are not on this machine (go generate fetches them): %s", message)
	}
	folder := t.TempDir()
	files := []string{"kernels_amd64.s", "kernels_amd64.go"}
	if message, err := goCommand("run", "-C", "gen", ".", "-out", filepath.Join(folder, files[0]), "-stubs", filepath.Join(folder, files[1]), "-pkg", "kernel"); err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	for _, name := range files {
		fresh, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		committed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, fresh, _ = bytes.Cut(fresh, []byte("\n"))
		_, committed, _ = bytes.Cut(committed, []byte("\n"))
		if !bytes.Equal(fresh, committed) {
			t.Errorf("%s is not what the generator writes; run go generate", name)
		}
	}
}
