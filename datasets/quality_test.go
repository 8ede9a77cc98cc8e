package datasets

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dirtyEvents has every fault that a row can have.
const dirtyEvents = `c,t,k,amount
ann,2024-01-03,a,1
ann,2024-01-02,a,2
,2024-01-01,a,3
ann,,a,4
ann,yesterday,a,5
ann,2031-01-01,a,6
ann,2024-01-02,,7
ann,2024-01-02,a,seven
ann,2024-01-02
ann,2024-01-02,a,8,9
ann,2024-01-02,a,2
bob,2024-01-01T00:00:00+01:00,a,inf
bob,2024-01-01T00:00:00+01:00,a,4
`

func TestQuality(t *testing.T) {
	out := filepath.Join(t.TempDir(), "rejected.csv")
	task := `name: x
events:
  - {source: e.csv, customer: c, time: t, type: k, attributes: [{name: amount, kind: numeric}]}
profiles:
  - {source: p.csv, customer: c}
targets:
  churn: {labels: {source: l.csv, customer: c, value: v}}
`
	d := mustOpen(t, map[string]string{
		"task.yaml": task, "e.csv": dirtyEvents,
		"p.csv": "c,plan,empty\nann,x,\nann,y,\ncid,x,\n",
		"l.csv": "c,v\nann,1\nbob,0\nann,0\nzoe,1\neve,2\nbob,\n",
	}, OpenOptions{Quarantine: out})
	q := d.Quality()
	byName := map[string]*SourceQuality{}
	for _, s := range q.Sources {
		byName[s.Name] = s
	}
	tests := []struct{ source, reasons, remarks string }{
		{"events[0]",
			"line of the wrong shape 2, missing customer 1, missing event type 1, missing time 1, time in the future 1, unparsable number in a numeric column 1, unparsable time 1",
			"infinite number (read as missing) 1, out of order (sorted) 2, same event twice 1, time without a zone beside times with one 3"},
		{"profiles[0]", "customer has a profile already 1", ""},
		{"targets.churn.labels", "customer has a label already 2",
			"label of a customer without profile and events 2, label value neither positive nor negative (unlabelled) 1, missing label value (unlabelled) 1"},
	}
	for _, test := range tests {
		if got := counts(byName[test.source].Reasons); got != test.reasons {
			t.Errorf("%s: got reasons %s\nwant %s", test.source, got, test.reasons)
		}
		if got := counts(byName[test.source].Remarks); got != test.remarks {
			t.Errorf("%s: got remarks %s\nwant %s", test.source, got, test.remarks)
		}
	}
	if s := byName["events[0]"]; s.Read != 13 || s.Kept != 5 || s.Quarantined != 8 {
		t.Errorf("events: got read %d, kept %d, quarantined %d, want 13, 5 and 8", s.Read, s.Kept, s.Quarantined)
	}
	if q.Customers != 5 || q.Events != 5 || q.Unlabelled["churn"] != 1 {
		t.Errorf("got %d customers, %d events, %v unlabelled, want 5, 5 and cid", q.Customers, q.Events, q.Unlabelled)
	}
	if !slices.ContainsFunc(q.Notes, func(n string) bool { return strings.Contains(n, `"empty" has no value`) }) {
		t.Errorf("got notes %q, want one about the empty column", q.Notes)
	}
	report := q.String()
	for _, want := range []string{"quarantined 1: unparsable time", "1: same event twice", out} {
		if !strings.Contains(report, want) {
			t.Errorf("the report does not say %q:\n%s", want, report)
		}
	}
	checkQuarantine(t, out, q)
}

// checkQuarantine demands a line for every rejected row, with its place and text.
func checkQuarantine(t *testing.T, file string, q *Quality) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for _, s := range q.Sources {
		want += s.Quarantined
	}
	if int64(len(rows)-1) != want {
		t.Errorf("the file has %d rows, want %d", len(rows)-1, want)
	}
	text := fmt.Sprint(rows)
	for _, part := range []string{
		`row 5 unparsable time {"c":"ann","t":"yesterday","k":"a","amount":"5"}`,
		`line 10: missing columns line of the wrong shape`,
		`row 2 customer has a profile already {"customer":"ann","plan":"y","empty":""}`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the file does not say %s:\n%s", part, strings.Join(flatten(rows), "\n"))
		}
	}
}

func flatten(rows [][]string) (lines []string) {
	for _, r := range rows {
		lines = append(lines, strings.Join(r, " | "))
	}
	return lines
}

func counts[K ~string](m map[K]int64) string {
	var parts []string
	for k, n := range m {
		parts = append(parts, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// Every record of a CSV file is kept, quarantined, or an error: what DuckDB
// would drop in silence is found before.
func TestMalformedCSV(t *testing.T) {
	const good = "ann,2024-01-01,a,1\n"
	tests := []struct {
		name, rows     string
		kept, rejected int64
		fault          string
	}{
		{"no final line end", good + strings.TrimSpace(good), 2, 0, ""},
		{"blank lines", good + "\n\n" + good, 2, 0, ""},
		{"too few and too many cells", good + "a,b\nbob,2024-01-01,a,1,2,3\n" + good, 2, 2, ""},
		{"text after a quote", good + `ann,2024-01-01,"a"b,1` + "\n" + good, 2, 1, ""},
		{"not UTF-8", good + "ann,2024-01-01,caf\xe9,1\n" + good, 2, 1, ""},
		{"quote in a field", good + `ann,2024-01-01,a"b,1` + "\n", 2, 0, ""},
		{"line end in quotes", good + "ann,2024-01-01,\"a\nb\",1\n", 2, 0, ""},
		{"escaped quotes", good + `ann,2024-01-01,"a""b"",",1` + "\n", 2, 0, ""},
		{"quote never closed", good + `ann,2024-01-01,"a,1` + "\n" + good + good, 1, 1, ""},
		{"quote that swallows much", good + `ann,2024-01-01,"a,1` + "\n" + strings.Repeat(good, 200_000), 0, 0, "line 3 begins a record of more than"},
		{"endless line", good + "ann,2024-01-01," + strings.Repeat("z", 9<<20) + ",1\n", 0, 0, "line 3 begins a record of more than"},
		{"line ends of two kinds", good + "ann,2024-01-01,a,1\r\n", 0, 0, "line ends of several kinds: 2 \\n, 1 \\r\\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			texts := map[string]string{"task.yaml": simpleTask, "e.csv": "c, t ,k,x\n" + test.rows}
			if test.fault != "" {
				if _, err := open(t, texts, OpenOptions{}); err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("got %v, want ...%s...", err, test.fault)
				}
				return
			}
			s := mustOpen(t, texts, OpenOptions{}).Quality().Sources[0]
			if s.Kept != test.kept || s.Quarantined != test.rejected {
				t.Errorf("got %d kept and %d rejected, want %d and %d", s.Kept, s.Quarantined, test.kept, test.rejected)
			}
		})
	}
}

// In a file of one column a blank line is a missing value.
func TestOneColumn(t *testing.T) {
	d := mustOpen(t, map[string]string{"task.yaml": "name: x\nprofiles: [{source: p.csv}]\n", "p.csv": "age\n30\n\n40\n \n50"}, OpenOptions{})
	if n := len(journeys(t, d)); n != 5 {
		t.Errorf("got %d rows, want 5", n)
	}
}

// Random damage to a file is never a panic, and rows are never lost.
func FuzzCSV(f *testing.F) {
	f.Add([]byte(dirtyEvents))
	f.Add([]byte("c,t,k\n\"a,2024-01-01,b\n"))
	f.Add([]byte("c,t,k\r\na,2024-01-01,b\r"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := open(t, map[string]string{"task.yaml": simpleTask, "e.csv": string(raw)}, OpenOptions{})
		if err != nil {
			if strings.Contains(err.Error(), "rows and lines of the wrong shape") {
				t.Error(err)
			}
			return
		}
		s := d.Quality().Sources[0]
		if s.Read != s.Kept+s.Quarantined || d.Quality().Events != s.Kept {
			t.Errorf("read %d, kept %d, quarantined %d, streamed %d", s.Read, s.Kept, s.Quarantined, d.Quality().Events)
		}
	})
}

func TestBrokenJSON(t *testing.T) {
	d := mustOpen(t, map[string]string{
		"task.yaml": strings.Replace(simpleTask, "e.csv", "e.jsonl", 1),
		"e.jsonl":   "{\"c\":\"a\",\"t\":\"2024-01-01\",\"k\":\"v\"}\nnot json\n{\"c\":\"b\"\n{\"c\":\"b\",\"t\":1704067200,\"k\":\"v\",\"x\":{\"deep\":[1]}}\n",
	}, OpenOptions{})
	s := d.Quality().Sources[0]
	if s.Read != 4 || s.Kept != 2 || s.Reasons[UnreadableLine] != 2 {
		t.Errorf("got %+v", s)
	}
	all := journeys(t, d)
	if len(all) != 2 || all[1].Events[0].Time != micros("2024-01-01") || all[1].Events[0].Values[0].Text != `{"deep":[1]}` {
		t.Errorf("got %+v", all)
	}
}
