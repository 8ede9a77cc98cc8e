package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A room is what a package may import: rooms of this module, and modules of
// others by prefix. Standard library packages are open to all.
type room struct {
	rooms   []string
	modules []string
}

// rooms is the layering of the repository. It is a statement of policy: do not
// widen a row to make a build pass.
var rooms = map[string]room{
	"model":                   {},
	"model/kernel":            {},
	"features":                {},
	"datasets":                {rooms: []string{"features"}, modules: []string{"github.com/duckdb/duckdb-go-bindings", "github.com/goccy/go-yaml"}},
	"datasets/synthetic":      {rooms: []string{"features"}},
	"weights":                 {rooms: []string{"model", "features"}},
	"weights/onnx":            {rooms: []string{"model", "weights"}, modules: []string{"google.golang.org/protobuf"}},
	"train/metric":            {},
	"train":                   {rooms: []string{"model", "model/kernel", "features", "datasets", "weights", "train/metric"}, modules: []string{"gorgonia.org/", "github.com/chewxy/hm", "go4.org/unsafe/assume-no-moving-gc"}},
	"infer":                   {rooms: []string{"model", "model/kernel", "features", "weights"}},
	"infer/onnxruntime":       {rooms: []string{"infer", "infer/registry", "features", "weights", "weights/onnx"}, modules: []string{"github.com/yalue/onnxruntime_go"}},
	"infer/alerts":            {rooms: []string{"infer", "features", "weights"}},
	"infer/registry":          {rooms: []string{"infer", "features", "weights"}},
	"infer/customers":         {rooms: []string{"infer", "features"}, modules: []string{"github.com/cockroachdb/pebble/v2"}},
	"infer/serve/metrics":     {rooms: []string{"infer", "infer/registry", "features", "weights"}, modules: []string{"github.com/prometheus/client_golang", "golang.org/x/time"}},
	"infer/serve/page":        {rooms: []string{"infer/registry", "infer/serve/metrics", "features"}},
	"infer/serve/fault":       {},
	"infer/serve/jsontext":    {},
	"infer/serve/journeyjson": {rooms: []string{"features", "infer/serve/jsontext"}},
	"infer/serve/openapi":     {},
	"infer/serve/queue":       {},
	"infer/serve":             {rooms: []string{"infer", "infer/registry", "infer/customers", "infer/serve/fault", "infer/serve/journeyjson", "infer/serve/jsontext", "infer/serve/openapi", "infer/serve/protocol", "infer/serve/queue", "features"}, modules: []string{"google.golang.org/grpc"}},
	"infer/serve/protocol":    {rooms: []string{"infer", "infer/registry", "infer/serve/fault", "infer/serve/journeyjson", "infer/serve/jsontext", "features"}, modules: []string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/bytedance/sonic"}},
	"cmd/moments":             {rooms: []string{"*"}, modules: []string{"github.com/alecthomas/kong", "github.com/schollz/progressbar/v3", "golang.org/x/term", "github.com/duckdb/duckdb-go/v2", "github.com/goccy/go-yaml"}},
}

// onlyCommand are standard packages that read the command line.
var onlyCommand = []string{"flag", "os/signal"}

const repository = "../.."

// TestImports walks the tree and holds every import against the policy. What a
// test file imports is its own affair: train and infer meet in tests.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		name := roomOf(path)
		policy, ok := rooms[name]
		if !ok {
			t.Errorf("%s: room %q is not in the policy", path, name)
			continue
		}
		seen[name] = true
		for _, imported := range importsOf(t, path) {
			if why := policy.refuses(name, imported); why != "" {
				t.Errorf("%s imports %s: %s", path, imported, why)
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("walked %v only: the walk is broken", seen)
	}
}

// refuses says why a room may not import a package; "" when it may.
func (r room) refuses(name, imported string) string {
	if inner, ok := strings.CutPrefix(imported, "moments/"); ok {
		if roomFolder(inner) == name || slices.Contains(r.rooms, "*") || slices.Contains(r.rooms, inner) {
			return ""
		}
		return "rooms open to it: " + strings.Join(r.rooms, " ")
	}
	if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
		for _, module := range r.modules {
			if strings.HasPrefix(imported, module) {
				return ""
			}
		}
		return "modules open to it: " + strings.Join(r.modules, " ")
	}
	if name != "cmd/moments" && slices.Contains(onlyCommand, imported) {
		return "only cmd/moments reads the command line"
	}
	return ""
}

// TestTopLevel holds the top level of the tree against the plan.
func TestTopLevel(t *testing.T) {
	want := []string{".ci", ".git", ".gitignore", "LICENSE", "Makefile", "README.md", "cmd", "datasets", "docs", "features", "go.mod", "go.sum", "infer", "model", "train", "weights"}
	made := []string{"bin", "demo"} // by make; git ignores them
	entries, err := os.ReadDir(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(want, entry.Name()) && !slices.Contains(made, entry.Name()) {
			t.Errorf("%s stands at the top level, want only %s", entry.Name(), strings.Join(want, " "))
		}
	}
}

// TestPackageComments demands that every room says what it is.
func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(path)
		documented[folder] = documented[folder] || file.Doc != nil
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", folder)
		}
	}
}

// roomOf is the room that a file of the tree belongs to.
func roomOf(path string) string {
	folder, err := filepath.Rel(repository, filepath.Dir(path))
	if err != nil {
		return path
	}
	return roomFolder(filepath.ToSlash(folder))
}

// roomFolder folds the subfolders of cmd/moments, and internal folders, into
// the room that they belong to.
func roomFolder(folder string) string {
	if strings.HasPrefix(folder, "cmd/moments/") {
		return "cmd/moments"
	}
	room, _, _ := strings.Cut(folder, "/internal/")
	return room
}

// goFiles lists the module's Go files: no hidden folders, no testdata, no
// folder with a go.mod of its own, no file that is built only on request.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(path, entry.Name())
		}
		if strings.HasSuffix(path, ".go") && !ignored(t, path) {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func skipFolder(path, name string) error {
	if path == repository {
		return nil
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	if err == nil || name == "testdata" || strings.HasPrefix(name, ".") {
		return filepath.SkipDir
	}
	return nil
}

func ignored(t *testing.T, path string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\npackage ")
	return strings.Contains(head, "//go:build ignore")
}

func importsOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}
