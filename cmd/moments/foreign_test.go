package main

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moments/infer/onnxruntime"
	"moments/weights/onnx"
)

// foreignData has models of other tools, with what these tools predict.
const foreignData = "../../infer/onnxruntime/testdata"

// needLibrary skips the test where ONNX Runtime is not installed.
func needLibrary(t *testing.T) {
	t.Helper()
	if _, err := onnxruntime.Open(""); err != nil {
		t.Skip(err)
	}
}

func importForeign(t *testing.T, model string) (bundle string) {
	t.Helper()
	bundle = filepath.Join(t.TempDir(), model)
	mustRun(t, "import", filepath.Join(foreignData, model+".onnx"), "--task", filepath.Join(foreignData, "task.yaml"),
		"--map", filepath.Join(foreignData, model+".yaml"), "-o", bundle)
	return bundle
}

// TestForeignModelsScoreAsInTheirOwnTools imports, scores and evaluates models
// of PyTorch, scikit-learn, LightGBM and XGBoost.
func TestForeignModelsScoreAsInTheirOwnTools(t *testing.T) {
	needLibrary(t)
	expected := readCSV(t, filepath.Join(foreignData, "expected.csv"))
	for column, model := range expected[0] {
		if column == 0 {
			continue
		}
		t.Run(model, func(t *testing.T) {
			bundle, scores := importForeign(t, model), filepath.Join(t.TempDir(), "scores.csv")
			mustRun(t, "score", bundle, "--at", "2025-03-01", "-o", scores)
			got := readCSV(t, scores)
			if len(got) != len(expected) {
				t.Fatalf("got %d rows, want %d", len(got), len(expected))
			}
			reasons := 0
			for i := range got[1:] {
				checkProbability(t, got[i+1], expected[i+1], column)
				reasons += strings.Count(got[i+1][6], "impact")
			}
			if reasons < len(got) {
				t.Errorf("got %d reasons for %d customers", reasons, len(got)-1)
			}
			checkEvaluation(t, bundle)
		})
	}
}

func checkProbability(t *testing.T, got, want []string, column int) {
	t.Helper()
	p, err := strconv.ParseFloat(got[2], 64)
	q, err2 := strconv.ParseFloat(want[column], 64)
	if err != nil || err2 != nil || got[0] != want[0] || math.Abs(p-q) > 1e-5 {
		t.Errorf("got %s %s, want %s %s", got[0], got[2], want[0], want[column])
	}
}

// checkEvaluation demands that evaluate finds what import saved.
func checkEvaluation(t *testing.T, bundle string) {
	t.Helper()
	var manifest struct{ Metrics evaluation }
	if err := json.Unmarshal([]byte(read(t, filepath.Join(bundle, "manifest.json"))), &manifest); err != nil {
		t.Fatal(err)
	}
	var now evaluation
	r := mustRun(t, "evaluate", bundle, "--json", "-")
	if err := json.Unmarshal([]byte(r.stdout), &now); err != nil {
		t.Fatal(err)
	}
	saved := manifest.Metrics.Targets["churn"]
	if saved.Rows != 40 || saved.LogLoss.Mean != now.Targets["churn"].LogLoss.Mean || saved.AUROC.Mean < 0.8 {
		t.Errorf("evaluate: got %+v, want what import saved, %+v", now.Targets["churn"], saved)
	}
}

func TestImportRefusesWrongMaps(t *testing.T) {
	needLibrary(t)
	good := read(t, filepath.Join(foreignData, "lightgbm.yaml"))
	for _, c := range []struct{ name, from, to, want string }{
		{"unknown key", "column: 1}", "colum: 1}", `unknown field "colum"`},
		{"unknown column", "      - income", "      - wealth", `no column "wealth"`},
		{"unknown input", "  input:", "  inputs:", `the map has an input "inputs", the model has ["input"]`},
		{"too few columns", "      - income\n", "", "takes 7 columns, the map gives 6"},
		{"a category without codes", "{column: plan, codes: {basic: 0, gold: 1, plus: 2}}", "plan", "give codes"},
		{"another target", "churn:", "buy:", `output for "buy"`},
		{"unknown output", "output: probabilities", "output: scores", `no output "scores"`},
		{"a label for a probability", "output: probabilities", "output: label", "a label is none"},
		{"a column too many", "column: 1}", "column: 2}", "has 2 columns"},
		{"an unknown class", "column: 1}", "class: yes}", `want one of them, not "yes"`},
		{"unknown values", "column: 1}", "column: 1, values: odds}", `values are "odds"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			if !strings.Contains(good, c.from) {
				t.Fatalf("the map has no %q", c.from)
			}
			write(t, filepath.Join(folder, "map.yaml"), strings.Replace(good, c.from, c.to, 1))
			r := runArgs("import", filepath.Join(foreignData, "lightgbm.onnx"), "--task", filepath.Join(foreignData, "task.yaml"),
				"--map", filepath.Join(folder, "map.yaml"), "-o", filepath.Join(folder, "bundle"))
			if r.code != exitWrong || !strings.Contains(r.stderr, c.want) {
				t.Errorf("exit code %d, %s; want 2 and %q", r.code, r.stderr, c.want)
			}
			if _, err := os.Stat(filepath.Join(folder, "bundle")); err == nil {
				t.Error("a bundle was left")
			}
		})
	}
}

// TestExportWritesEveryNetwork reads the files again and looks at what they
// say of themselves; the numbers are infer/onnxruntime's to test.
func TestExportWritesEveryNetwork(t *testing.T) {
	bundle, folder := filepath.Join(trainedFolder(t), "bundle"), t.TempDir()
	r := mustRun(t, "export", bundle, "--onnx", folder)
	var manifest struct {
		SchemaHash string `json:"schema_hash"`
		Networks   []struct{ Name, Role string }
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(bundle, "manifest.json"))), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Networks) < 3 {
		t.Fatalf("the bundle has %d networks", len(manifest.Networks))
	}
	for _, n := range manifest.Networks {
		path := filepath.Join(folder, n.Name+".onnx")
		m, err := onnx.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if m.Metadata[onnx.MetadataSchema] != manifest.SchemaHash || m.Metadata[onnx.MetadataRole] != n.Role {
			t.Errorf("%s: metadata %v, want schema %s and role %s", n.Name, m.Metadata, manifest.SchemaHash, n.Role)
		}
		var inputs map[string]onnx.InputDescription
		if err := json.Unmarshal([]byte(m.Metadata[onnx.MetadataInputs]), &inputs); err != nil {
			t.Fatal(err)
		}
		for _, in := range m.Inputs {
			if in.Name == onnx.InputLengths {
				continue // of no column
			}
			if d := inputs[in.Name]; len(d.Columns) != in.Shape[len(in.Shape)-1] || d.Values == "" || !strings.Contains(r.stdout, in.String()) {
				t.Errorf("%s: input %s is described as %+v and printed in\n%s", n.Name, in, d, r.stdout)
			}
		}
		if n.Role == "classifier" && m.Metadata[onnx.MetadataTargets] != `["won"]` || !strings.Contains(r.stdout, path) {
			t.Errorf("%s: targets %s, printed\n%s", n.Name, m.Metadata[onnx.MetadataTargets], r.stdout)
		}
	}
}

// TestExportOfAForeignBundle gives the model back.
func TestExportOfAForeignBundle(t *testing.T) {
	needLibrary(t)
	folder := t.TempDir()
	mustRun(t, "export", importForeign(t, "torch"), "--onnx", folder)
	m, err := onnx.Load(filepath.Join(folder, "torch.onnx"))
	if err != nil || !slices.Equal([]string{m.Inputs[0].Name, m.Outputs[0].Name}, []string{"input", "logit"}) {
		t.Errorf("got %v, error %v, want the model", m, err)
	}
}

func TestWhereTheLibraryIs(t *testing.T) {
	needLibrary(t)
	if r := mustRun(t, "onnxruntime", "--install"); !strings.Contains(r.stdout, " 1.") {
		t.Errorf("got %q, want a path and a version", r.stdout)
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(read(t, path))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
