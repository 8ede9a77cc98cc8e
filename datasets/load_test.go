package datasets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"moments/features"
)

const simpleTask = "name: x\nevents:\n  - {source: e.csv, customer: c, time: t, type: k}\n"

const simpleEvents = "c,t,k,amount,channel\nbob,2024-01-02,buy,3.5,web\nann,2024-01-01T10:00:00+02:00,view,,app\nbob,2024-01-01,view,1e2,\n"

// Every format holds the same journeys.
func TestFormats(t *testing.T) {
	jsonl := `{"c":"bob","t":"2024-01-02","k":"buy","amount":3.5,"channel":"web"}
{"c":"ann","t":"2024-01-01T10:00:00+02:00","k":"view","amount":null,"channel":"app"}
{"c":"bob","t":"2024-01-01","k":"view","amount":100}
`
	task := func(source string) string { return strings.Replace(simpleTask, "e.csv", source, 1) }
	tests := []struct {
		name  string
		files map[string]string
	}{
		{"csv", map[string]string{"e.csv": simpleEvents, "task.yaml": task("e.csv")}},
		{"csv.gz", map[string]string{"e.csv.gz": simpleEvents, "task.yaml": task("e.csv.gz")}},
		{"CRLF and byte order mark", map[string]string{"e.csv": "\ufeff" + strings.ReplaceAll(simpleEvents, "\n", "\r\n"), "task.yaml": task("e.csv")}},
		{"semicolons", map[string]string{"e.csv": strings.ReplaceAll(simpleEvents, ",", ";"), "task.yaml": task("e.csv")}},
		{"tabs", map[string]string{"e.tsv": strings.ReplaceAll(simpleEvents, ",", "\t"), "task.yaml": task("e.tsv")}},
		{"quotes", map[string]string{"e.csv": strings.Replace(strings.Replace(simpleEvents, "bob,2024-01-02", `"bob","2024-01-02"`, 1), "c,t", `"c","t"`, 1), "task.yaml": task("e.csv")}},
		{"jsonl", map[string]string{"e.jsonl": jsonl, "task.yaml": task("e.jsonl")}},
		{"jsonl.gz", map[string]string{"e.jsonl.gz": jsonl, "task.yaml": task("e.jsonl.gz")}},
		{"glob", map[string]string{
			"e1.csv":    "c,t,k,amount,channel\nbob,2024-01-02,buy,3.5,web\n",
			"e2.csv":    "k,c,channel,t,amount\nview,ann,app,2024-01-01T10:00:00+02:00,\n",
			"e3.csv":    "c,t,k,amount\nbob,2024-01-01,view,1e2\n", // no channel
			"task.yaml": task("e*.csv")}},
		{"sql", map[string]string{"e.csv": simpleEvents, "task.yaml": strings.Replace(simpleTask, "source: e.csv", `sql: "FROM read_csv('e.csv', all_varchar = true);"`, 1)}},
	}
	want := "ann: 2024-01-01T08:00:00Z+7200 view [- app]\nbob: 2024-01-01T00:00:00Z+0 view [100 -]\nbob: 2024-01-02T00:00:00Z+0 buy [3.5 web]\n"
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := mustOpen(t, test.files, OpenOptions{})
			got := ""
			for _, j := range journeys(t, d) {
				for _, e := range j.Events {
					got += fmt.Sprintf("%s: %s+%d %s [%s]\n", j.Customer, rfc3339(e.Time), e.Offset, e.Type, render(d.Layout().Event, e.Values))
				}
			}
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// Parquet is typed: times without and with a zone, decimals and booleans keep
// their meaning.
func TestParquet(t *testing.T) {
	dir := files(t, map[string]string{"task.yaml": strings.Replace(simpleTask, "e.csv", "e.parquet", 1)})
	e, err := openEngine(engineConfig{Spill: dir, Search: dir, Memory: 64 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	s, err := e.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	err = s.exec(t.Context(), fmt.Sprintf(`COPY (SELECT 7::BIGINT AS c, TIMESTAMPTZ '2024-01-01 10:00:00+02:00' AS t, 'view' AS k, 1.25::DECIMAL(9,2) AS amount, true AS flag, NULL::DOUBLE AS nothing)
		TO %s (FORMAT parquet)`, quoteText(filepath.Join(dir, "e.parquet"))))
	if err != nil {
		t.Fatal(err)
	}
	d := openTask(t, filepath.Join(dir, "task.yaml"), OpenOptions{Now: testNow})
	all := journeys(t, d)
	if len(all) != 1 || all[0].Customer != "7" || len(all[0].Events) != 1 {
		t.Fatalf("got %+v", all)
	}
	if e := all[0].Events[0]; e.Time != micros("2024-01-01T08:00:00Z") || render(d.Layout().Event, e.Values) != "1.25 true -" {
		t.Errorf("got %+v: %s", e, render(d.Layout().Event, e.Values))
	}
}

// Bad data is an error that names file, line, key, got and want, where nothing
// sensible can be done with it.
func TestBadSources(t *testing.T) {
	tests := []struct {
		name, task, file, text, want string
	}{
		{"no file", simpleTask, "other.csv", "", "task.yaml:3: events[0].source: file"},
		{"empty file", simpleTask, "e.csv", "", "is empty"},
		{"blank file", simpleTask, "e.csv", "\n\n", "has no header line"},
		{"header only", simpleTask, "e.csv", "c,t,k\n", "there are no rows below the header"},
		{"missing column", simpleTask, "e.csv", "c,time,k\n1,2024-01-01,a\n", `task.yaml:3: events[0].time: column "t" is not in`},
		{"missing column lists what is there", simpleTask, "e.csv", "c,time,k\n1,2024-01-01,a\n", "(columns: c, time, k)"},
		{"wrong delimiter", simpleTask, "e.csv", "c^t^k\n1^2024-01-01^a\n", "one column only: is its delimiter none of"},
		{"column twice", simpleTask, "e.csv", "c,t,k,C\n1,2024-01-01,a,2\n", `two columns named "C"`},
		{"unknown format", strings.Replace(simpleTask, "e.csv", "e.xlsx", 1), "e.xlsx", "x", "has an unknown format, want .csv"},
		{"not gzip", strings.Replace(simpleTask, "e.csv", "e.csv.gz.csv", 1), "e.csv.gz.csv", "c,t,k\n", "there are no rows"},
		{"glob without files", strings.Replace(simpleTask, "e.csv", "f*.csv", 1), "e.csv", simpleEvents, "no file matches"},
		{"unset variable", strings.Replace(simpleTask, "e.csv", `"${MOMENTS_UNSET}/e.csv"`, 1), "e.csv", simpleEvents, "events[0].source: environment variable ${MOMENTS_UNSET} is not set"},
		{"not parquet", strings.Replace(simpleTask, "e.csv", "e.parquet", 1), "e.parquet", "c,t,k\n", "duckdb:"},
		{"broken sql", strings.Replace(simpleTask, "source: e.csv", `sql: "SELEC 1"`, 1), "e.csv", simpleEvents, "task.yaml:3: events[0].sql: duckdb: Parser Error"},
		{"sql that fails on a row", strings.Replace(simpleTask, "source: e.csv", `sql: "SELECT c, t, CAST(k AS INTEGER) AS k FROM 'e.csv'"`, 1), "e.csv", simpleEvents, "duckdb: Conversion Error"},
		{"ignored column is missing", simpleTask[:len(simpleTask)-2] + ", ignore: [z]}\n", "e.csv", simpleEvents, `events[0].ignore[0]: column "z" is not in`},
		{"attribute is missing", simpleTask[:len(simpleTask)-2] + ", attributes: [z]}\n", "e.csv", simpleEvents, `events[0].attributes[0]: column "z" is not in`},
		{"attribute is the time", simpleTask[:len(simpleTask)-2] + ", attributes: [t]}\n", "e.csv", simpleEvents, `column "t" is read as customer, time`},
		{"no usable row", simpleTask, "e.csv", "c,t,k\n,2024-01-01,a\n", "no usable row is left"},
		{"label column is missing", simpleTask + "targets: {a: {labels: {source: e.csv, customer: c, value: z}}}", "e.csv", simpleEvents, `task.yaml:4: targets.a.labels.value: column "z" is not in`},
		{"no label is known", simpleTask + "targets: {a: {labels: {source: e.csv, customer: c, value: channel, positive: [x], negative: [y]}}}", "e.csv", simpleEvents, "no row has a positive or negative value"},
		{"condition leaves nothing", simpleTask + "targets: {a: {labels: {source: e.csv, customer: c, value: k, where: amount > 1000}}}", "e.csv", simpleEvents, "the condition leaves out all 3"},
		{"condition names no column", simpleTask + "targets: {a: {labels: {source: e.csv, customer: c, value: k, where: zz > 1}}}", "e.csv", simpleEvents, "zz"},
		{"cutoff column is missing", simpleTask + "cutoffs: {column: z}\ntargets: {a: {labels: {source: e.csv, customer: c, value: k}}}", "e.csv", simpleEvents, `targets.a.labels.cutoff: column "z" is not in`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(t, map[string]string{"task.yaml": test.task, test.file: test.text}, OpenOptions{TempDir: t.TempDir()})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant ...%s...", err, test.want)
			}
		})
	}
}

// The clock of the place decides hour and weekday: offsets survive, and times
// that name no zone are read in the task's.
func TestTimezones(t *testing.T) {
	tests := []struct{ name, zone, time, instant string }{
		{"offset", "", "2024-07-01T23:30:00+02:00", "2024-07-01T21:30:00Z+7200"},
		{"offset beside a timezone", "Asia/Tokyo", "2024-07-01T23:30:00+02:00", "2024-07-01T21:30:00Z+7200"},
		{"no zone", "", "2024-07-01 23:30:00", "2024-07-01T23:30:00Z+0"},
		{"summer in Amsterdam", "Europe/Amsterdam", "2024-07-01 23:30:00", "2024-07-01T21:30:00Z+7200"},
		{"winter in Amsterdam", "Europe/Amsterdam", "2024-01-01 23:30:00", "2024-01-01T22:30:00Z+3600"},
		{"fixed offset", "-03:30", "2024-01-01", "2024-01-01T03:30:00Z+-12600"},
		{"unix seconds", "", "1719869400", "2024-07-01T21:30:00Z+0"},
		{"unix milliseconds in Amsterdam", "Europe/Amsterdam", "1719869400000", "2024-07-01T21:30:00Z+7200"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := mustOpen(t, map[string]string{"task.yaml": simpleTask + fmt.Sprintf("timezone: %q\n", test.zone), "e.csv": "c,t,k\na," + test.time + ",v\n"}, OpenOptions{})
			e := journeys(t, d)[0].Events[0]
			if got := fmt.Sprintf("%s+%d", rfc3339(e.Time), e.Offset); got != test.instant {
				t.Errorf("got %s, want %s", got, test.instant)
			}
		})
	}
}

// Columns of the same name in several sources feed one field; the others are
// missing for the other sources. Ties keep the order of the task file.
func TestSeveralSources(t *testing.T) {
	d := mustOpen(t, map[string]string{
		"task.yaml": `name: x
events:
  - {source: a.csv, customer: c, time: t, type_value: visit, profile: [country]}
  - {source: b.csv, customer: id, time: at, type: what}
profiles:
  - {source: p.csv, customer: c}
  - {source: q.csv, customer: c}
`,
		"a.csv": "c,t,page,amount,country\nann,2024-01-02,home,,NL\nann,2024-01-03,cart,,BE\n",
		"b.csv": "id,at,what,amount,shop\nann,2024-01-02,buy,3,x\nbob,2024-01-01,buy,4,y\n",
		"p.csv": "c,age\nann,30\ncid,40\n",
		"q.csv": "c,age,plan\nann,31,gold\nbob,50,\n",
	}, OpenOptions{})
	if got, want := fmt.Sprint(d.Layout()), "{[{age numeric} {plan categorical} {country categorical}] [{page categorical} {amount numeric} {shop categorical}]}"; got != want {
		t.Errorf("got layout %s\nwant       %s", got, want)
	}
	var got []string
	for _, j := range journeys(t, d) {
		line := j.Customer + " (" + render(d.Layout().Profile, j.Profile) + ")"
		for _, e := range j.Events {
			line += " " + e.Type + " [" + render(d.Layout().Event, e.Values) + "]"
		}
		got = append(got, line)
	}
	want := []string{
		"ann (30 gold NL) visit [home - -] buy [- 3 x] visit [cart - -]",
		"bob (50 - -) buy [- 4 y]",
		"cid (40 - -)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What a later event says about the customer was not known at the first one.
func TestProfileOfTheFirstMoment(t *testing.T) {
	d := mustOpen(t, map[string]string{
		"task.yaml": strings.Replace(simpleTask, "type: k", "type: k, profile: [plan]", 1),
		"e.csv":     "c,t,k,plan\nann,2024-01-02,v,later\nann,2024-01-01,v,\nbob,2024-01-02,v,second\nbob,2024-01-01,v,first\n",
	}, OpenOptions{})
	all := journeys(t, d)
	if got := all[0].Profile[0].Text + "|" + all[1].Profile[0].Text; got != "|first" {
		t.Errorf("got %s", got)
	}
}

func TestKinds(t *testing.T) {
	values := map[string][]string{
		"whole":    {"1", "2", "3"},
		"float":    {"1.5", "-2e3", ".5"},
		"gaps":     {"1", "", "NA"},
		"mixed":    {"1", "2", "x"},
		"hex":      {"0x10", "0x11", "1"},
		"dates":    {"2024-01-01", "2024-02-01", ""},
		"empty":    {"", "", ""},
		"country":  {"NA", "NL", "BE"},
		"flag":     {"TRUE", "FALSE", "TRUE"},
		"infinite": {"inf", "1", "-Infinity"},
	}
	names := []string{"whole", "float", "gaps", "mixed", "hex", "dates", "empty", "country", "flag", "infinite"}
	text := "id," + strings.Join(names, ",") + "\n"
	for i := range 3 {
		text += fmt.Sprint(i)
		for _, n := range names {
			text += "," + values[n][i]
		}
		text += "\n"
	}
	d := mustOpen(t, map[string]string{"task.yaml": "name: x\nprofiles: [{source: p.csv, customer: id}]\n", "p.csv": text}, OpenOptions{})
	var numeric []string
	for _, f := range d.Layout().Profile {
		if f.Kind == features.Numeric {
			numeric = append(numeric, f.Name)
		}
	}
	if want := []string{"whole", "float", "gaps", "infinite"}; !slices.Equal(numeric, want) {
		t.Errorf("got numeric columns %v, want %v", numeric, want)
	}
	if got, want := render(d.Layout().Profile, journeys(t, d)[2].Profile), "3 0.5 - x 1 - - BE TRUE -"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if notes := strings.Join(d.Quality().Notes, "\n"); !strings.Contains(notes, `"dates" looks like times`) || !strings.Contains(notes, `"empty" has no value`) {
		t.Errorf("got notes\n%s", notes)
	}
}

func TestRowNumbers(t *testing.T) {
	d := mustOpen(t, map[string]string{
		"task.yaml": "name: x\nprofiles: [{source: p.csv}]\ntargets: {bought: {labels: {column: bought, positive: [TRUE], negative: [FALSE]}}}\n",
		"p.csv":     "pages,bought\n3,TRUE\n4,FALSE\n3,true\n",
	}, OpenOptions{})
	got := cuts(t, d, CutOptions{})
	if len(got) != 3 || got[0].Customer != "1" || got[0].Labels+got[1].Labels+got[2].Labels != "101" {
		t.Errorf("got %+v", got)
	}
	if l := d.Layout(); len(l.Profile) != 1 || l.Profile[0].Name != "pages" {
		t.Errorf("got layout %+v: a label is never an attribute", l)
	}
}

// The labels' own file, given again as profiles, does not leak its outcome.
func TestLabelColumnsAreNoAttributes(t *testing.T) {
	d := mustOpen(t, map[string]string{
		"task.yaml": simpleTask + `profiles: [{source: p.csv, customer: c}]
cutoffs: {column: seen}
targets: {left: {labels: {source: p.csv, customer: c, value: left, until: when}}}
`,
		"e.csv": simpleEvents,
		"p.csv": "c,left,when,seen,age\nann,1,2024-02-01,2024-01-15,30\n",
	}, OpenOptions{})
	if l := d.Layout(); len(l.Profile) != 1 || l.Profile[0].Name != "age" {
		t.Errorf("got profile %+v, want age alone", l.Profile)
	}
}

// A saved task scores other files with the columns it was trained on.
func TestLayoutOption(t *testing.T) {
	layout := &features.Layout{Event: []features.Field{{Name: "channel", Kind: features.Categorical}, {Name: "amount", Kind: features.Numeric}}}
	texts := map[string]string{
		"task.yaml": simpleTask + "targets: {a: {labels: {source: gone.csv, customer: c, value: v}}}\n",
		"e.csv":     "extra,c,t,k,amount,channel\nq,bob,2024-01-02,buy,,1\nq,bob,2024-01-03,buy,x,1\n",
	}
	d := mustOpen(t, texts, OpenOptions{Layout: layout, NoLabels: true})
	if got := fmt.Sprint(d.Layout()); got != fmt.Sprint(*layout) {
		t.Errorf("got layout %s", got)
	}
	if s := d.Quality().Sources[0]; s.Reasons[UnparsableNumber] != 1 || s.Kept != 1 {
		t.Errorf("got %+v", s)
	}
	if got := render(layout.Event, journeys(t, d)[0].Events[0].Values); got != "1 -" {
		t.Errorf("got %s", got)
	}
	texts["e.csv"] = "c,t,k,amount\nbob,2024-01-02,buy,1\n"
	if _, err := open(t, texts, OpenOptions{Layout: layout, NoLabels: true}); err == nil || !strings.Contains(err.Error(), `column "channel" that the bundle was trained on`) {
		t.Errorf("got %v", err)
	}
}

// A stopped context stops, and leaves nothing behind.
func TestCancel(t *testing.T) {
	dir := files(t, map[string]string{"task.yaml": simpleTask, "e.csv": simpleEvents})
	task, err := LoadTask(filepath.Join(dir, "task.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	temp := t.TempDir()
	if _, err := Open(ctx, task, OpenOptions{TempDir: temp}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context canceled", err)
	}
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
	for _, cache := range []int64{-1, 1 << 20} {
		d, err := Open(t.Context(), task, OpenOptions{TempDir: temp, Cache: cache, Now: testNow})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range d.Journeys(ctx) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cache %d: got %v, want context canceled", cache, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}
