package table_test

import (
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"moments/cmd/moments/table"
)

var columns = []table.Column{
	{Name: "customer", Type: table.Text}, {Name: "n", Type: table.Integer}, {Name: "x", Type: table.Real},
	{Name: "p", Type: table.Single}, {Name: "at", Type: table.Time}, {Name: "why", Type: table.JSON},
}

// rows holds what is easily written wrongly: quotes, line breaks, missing
// cells, empty texts that are not missing, whole microseconds.
var rows = [][]table.Cell{
	{table.String("a"), table.Int(1), table.Float(0.1), table.Float(float64(float32(0.1))), table.Int(1), table.Document([]byte(`[{"g":"x"}]`))},
	{table.String(`say "hi", you` + "\nthere"), table.Int(-3), table.Float(math.NaN()), {}, {}, {}},
	{table.String(""), {}, table.Float(1e300), table.Float(2), table.Int(1_700_000_000_000_000), table.Document([]byte(`null`))},
}

const wantCSV = `customer,n,x,p,at,why
a,1,0.1,0.1,1970-01-01T00:00:00.000001Z,"[{""g"":""x""}]"
"say ""hi"", you
there",-3,,,,
"",,1e+300,2,2023-11-14T22:13:20Z,null
`

const wantLines = `{"customer":"a","n":1,"x":0.1,"p":0.1,"at":"1970-01-01T00:00:00.000001Z","why":[{"g":"x"}]}
{"customer":"say \"hi\", you\nthere","n":-3,"x":null,"p":null,"at":null,"why":null}
{"customer":"","n":null,"x":1e+300,"p":2,"at":"2023-11-14T22:13:20Z","why":null}
`

func write(t *testing.T, path string) {
	t.Helper()
	w, err := table.Create(path, columns)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatalf("%s exists before Commit", path)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	onlyFile(t, path)
}

// onlyFile demands that the folder of path holds path alone: no scratch left.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("folder holds %v (%v), want %s alone", entries, err, filepath.Base(path))
	}
}

func TestText(t *testing.T) {
	for ending, want := range map[string]string{".csv": wantCSV, ".jsonl": wantLines} {
		path := filepath.Join(t.TempDir(), "rows"+ending)
		write(t, path)
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s: got (%v)\n%s\nwant\n%s", ending, err, got, want)
		}
	}
}

func TestParquet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's rows.parquet")
	write(t, path)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	query, err := db.Query(fmt.Sprintf(
		`SELECT customer || '|' || coalesce(n::VARCHAR, '-') || '|' || coalesce(x::VARCHAR, '-') || '|' || coalesce(p::VARCHAR, '-')
		 || '|' || coalesce("at"::VARCHAR, '-') || '|' || coalesce(why, '-') || '|' || typeof(p) || '|' || typeof("at") FROM '%s'`,
		strings.ReplaceAll(path, "'", "''")))
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	want := []string{
		`a|1|0.1|0.1|1970-01-01 00:00:00.000001|[{"g":"x"}]|FLOAT|TIMESTAMP`,
		"say \"hi\", you\nthere|-3|-|-|-|-|FLOAT|TIMESTAMP",
		`|-|1e+300|2.0|2023-11-14 22:13:20|null|FLOAT|TIMESTAMP`,
	}
	var got []string
	for query.Next() {
		var row string
		if err := query.Scan(&row); err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAbortLeavesTheOldFile(t *testing.T) {
	for _, ending := range []string{".csv", ".jsonl", ".parquet"} {
		path := filepath.Join(t.TempDir(), "rows"+ending)
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := table.Create(path, columns)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rows[0]); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		if got, _ := os.ReadFile(path); string(got) != "old" {
			t.Errorf("%s: after Abort the file holds %q, want the old content", ending, got)
		}
		onlyFile(t, path)
	}
}

func TestRefusals(t *testing.T) {
	folder := t.TempDir()
	tests := map[string]struct {
		do   func() error
		want string
	}{
		"unknown ending": {func() error { return table.Check("scores.xlsx") }, `ends in ".xlsx", want .csv, .jsonl or .parquet`},
		"no such folder": {func() error {
			_, err := table.Create(filepath.Join(folder, "nowhere", "x.csv"), columns)
			return err
		}, "no such file or directory"},
		"a folder in the way": {func() error {
			if err := os.Mkdir(filepath.Join(folder, "taken.csv"), 0o700); err != nil {
				return err
			}
			_, err := table.Create(filepath.Join(folder, "taken.csv"), columns)
			return err
		}, "it is a folder"},
		"names that differ in case only": {func() error {
			_, err := table.Create(filepath.Join(folder, "x.parquet"), []table.Column{{Name: "Age"}, {Name: "age"}})
			return err
		}, `columns "Age" and "age" have the same name but for case`},
		"a name twice": {func() error {
			_, err := table.Create(filepath.Join(folder, "x.csv"), []table.Column{{Name: "age"}, {Name: "age"}})
			return err
		}, `columns "age" and "age" have the same name`},
		"short row": {func() error { return writeOne(filepath.Join(folder, "x.csv"), rows[0][:2]) }, "row 1 has 2 cells, want 6"},
		"infinity in JSON": {func() error {
			return writeOne(filepath.Join(folder, "x.jsonl"), []table.Cell{{}, {}, table.Float(math.Inf(1)), {}, {}, {}})
		}, "column x is +Inf, which JSON cannot hold"},
		"full device": {func() error {
			if _, err := os.Stat("/dev/full"); err != nil {
				return fmt.Errorf("no space left on device")
			}
			os.Symlink("/dev/full", filepath.Join(folder, "full.csv"))
			return writeOne(filepath.Join(folder, "full.csv"), rows[0])
		}, "no space left on device"},
	}
	for name, test := range tests {
		if err := test.do(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want one with %q", name, err, test.want)
		}
	}
}

func writeOne(path string, row []table.Cell) error {
	w, err := table.Create(path, columns)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := w.Write(row); err != nil {
		return err
	}
	return w.Commit()
}

func Example() {
	w, err := table.Create(filepath.Join(os.TempDir(), "moments-example.csv"), []table.Column{
		{Name: "customer", Type: table.Text}, {Name: "churn", Type: table.Single},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Abort()
	if err := w.Write([]table.Cell{table.String("c1"), table.Float(0.25)}); err != nil {
		fmt.Println(err)
	}
	if err := w.Commit(); err != nil {
		fmt.Println(err)
	}
	written, _ := os.ReadFile(filepath.Join(os.TempDir(), "moments-example.csv"))
	fmt.Print(string(written))
	// Output:
	// customer,churn
	// c1,0.25
}
