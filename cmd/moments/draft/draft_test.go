package draft_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moments/cmd/moments/draft"
)

var update = flag.Bool("update", false, "write the golden files anew")

// samples are the files that drafts are made of.
var samples = map[string]func(*strings.Builder){
	"events.csv": func(b *strings.Builder) {
		b.WriteString("case:concept:name,time:timestamp,concept:name,amount\n")
		for i := range 400 {
			fmt.Fprintf(b, "c%d,2025-01-%02dT10:00:00Z,%s,%d\n", i%40, 1+i%28, []string{"visit", "purchase"}[i%2], i%7)
		}
	},
	"labels.csv": func(b *strings.Builder) {
		b.WriteString("case_id,cutoff,outcome\n")
		for i := range 40 {
			fmt.Fprintf(b, "c%d,2025-01-20,%s\n", i, []string{"declined", "accepted", "declined"}[i%3])
		}
	},
	"Customers 2025.csv": func(b *strings.Builder) {
		b.WriteString("customerID;Row;Plan;Churned\n")
		for i := range 200 {
			fmt.Fprintf(b, "k%d;%d;%s;%s\n", i, i, []string{"basic", "plus"}[i%2], []string{"No", "No", "Yes"}[i%3])
		}
	},
	"plain.jsonl": func(b *strings.Builder) {
		for i := range 20 {
			fmt.Fprintf(b, "{\"age\": %d, \"city\": \"x\"}\n", i%5)
		}
	},
}

func inspect(t *testing.T, names ...string) (files []*draft.File, folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range names {
		var text strings.Builder
		samples[name](&text)
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := draft.Inspect(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files, folder
}

func TestDrafts(t *testing.T) {
	for golden, names := range map[string][]string{
		"journeys": {"labels.csv", "events.csv"},
		"table":    {"Customers 2025.csv"},
		"nothing":  {"plain.jsonl"},
	} {
		files, folder := inspect(t, names...)
		got := draft.Task(files, folder)
		path := filepath.Join("testdata", golden+".yaml")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: got (%v)\n%s\nwant\n%s", golden, err, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty.csv":  {"", "empty.csv"},
		"header.csv": {"customer,churn\n", "has 0 rows"},
		"one.csv":    {"a\n1\n2\n", "want rows, and at least 2 columns"},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := draft.Inspect(context.Background(), path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want one with %q", name, err, test.want)
		}
	}
}

func ExampleTask() {
	path := filepath.Join(os.TempDir(), "moments-example-customers.csv")
	if err := os.WriteFile(path, []byte("customer_id,plan,churn\na,basic,1\nb,plus,0\nc,basic,0\n"), 0o600); err != nil {
		fmt.Println(err)
	}
	file, err := draft.Inspect(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, targets, _ := strings.Cut(draft.Task([]*draft.File{file}, os.TempDir()), "targets:")
	fmt.Println(strings.TrimSpace(strings.Split(targets, "split")[0]))
	// Output:
	// churn:
	//     labels: {column: churn, positive: ["1"], negative: ["0"]}
}
