// Package draft looks at data files and drafts a task file for them: which
// file holds events and which holds customers, which column says who, when and
// what, and which one may be the outcome. It guesses by names and values, says
// so in the comments of the draft, and leaves every decision to the reader.
package draft

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the engine that reads every format tasks can name
)

// A File is a data file as it was found.
type File struct {
	Path    string
	Rows    int64
	Columns []Column

	customer, time, kind, outcome *Column // nil: none was found
}

// A Column is one column of a file.
type Column struct {
	Name    string
	Type    string   // DuckDB's name, such as VARCHAR or TIMESTAMP
	Unique  int64    // about so many different values
	Missing float64  // share of the rows
	Values  []string // all of them, most frequent first, where there are ten or fewer
}

// few is the most different values that a column may have to be listed, and to
// be taken for an outcome.
const few = 10

// Inspect reads a CSV, JSON Lines or Parquet file, .gz or not, and guesses what
// its columns are for.
func Inspect(ctx context.Context, path string) (*File, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	f := &File{Path: path}
	if err := f.summarize(ctx, db); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("draft: cannot read %s as a table: %s", path, line)
	}
	if len(f.Columns) < 2 || f.Rows == 0 {
		return nil, fmt.Errorf("draft: %s has %d rows and %d columns, want rows, and at least 2 columns separated by commas, semicolons or tabs", path, f.Rows, len(f.Columns))
	}
	f.guess()
	return f, nil
}

// summarize fills Rows and Columns: one pass for the types, one to count.
func (f *File) summarize(ctx context.Context, db *sql.DB) error {
	described, err := db.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+text(f.Path)+")")
	if err != nil {
		return err
	}
	defer described.Close()
	counts := []string{"count(*)"}
	for described.Next() {
		var c Column
		if err := described.Scan(&c.Name, &c.Type); err != nil {
			return err
		}
		f.Columns = append(f.Columns, c)
		counts = append(counts, fmt.Sprintf("count(%[1]s), approx_count_distinct(%[1]s)", identifier(c.Name)))
	}
	if err := described.Err(); err != nil {
		return err
	}
	known := make([]int64, len(f.Columns))
	cells := []any{&f.Rows}
	for i := range f.Columns {
		cells = append(cells, &known[i], &f.Columns[i].Unique)
	}
	if err := db.QueryRowContext(ctx, "SELECT "+strings.Join(counts, ", ")+" FROM "+text(f.Path)).Scan(cells...); err != nil {
		return err
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		c.Missing = 1 - float64(known[i])/float64(max(1, f.Rows))
		if c.Unique <= few+2 { // the count is an estimate
			if err := f.list(ctx, db, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// verbatim is the file as a table of texts: a task names values as they are
// written, and DuckDB would turn Yes into true.
func (f *File) verbatim() string {
	if name := strings.TrimSuffix(strings.ToLower(f.Path), ".gz"); strings.HasSuffix(name, ".parquet") || strings.HasSuffix(name, "json") || strings.HasSuffix(name, "jsonl") {
		return text(f.Path)
	}
	return "read_csv(" + text(f.Path) + ", all_varchar = true)"
}

// list fills the column's Values, unless there are too many after all.
func (f *File) list(ctx context.Context, db *sql.DB, c *Column) error {
	rows, err := db.QueryContext(ctx, fmt.Sprintf(
		"SELECT %[1]s::VARCHAR FROM %[2]s WHERE %[1]s IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %[3]d", identifier(c.Name), f.verbatim(), few+1))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return err
		}
		c.Values = append(c.Values, value)
	}
	if len(c.Values) > few {
		c.Values = nil
	}
	return rows.Err()
}

// Words in column names, lower case, the most telling first.
var (
	customerWords = []string{"customer_id", "customerid", "case:concept:name", "customer", "case_id", "user", "client", "account", "subscriber", "player", "member", "visitor", "device", "case"}
	timeWords     = []string{"timestamp", "time:timestamp", "event_time", "time", "date", "occurred", "created"}
	kindWords     = []string{"concept:name", "activity", "event_type", "event", "action", "type"}
	outcomeWords  = []string{"churn", "exited", "attrition", "converted", "conversion", "revenue", "label", "target", "outcome", "subscribed", "purchased", "accepted", "rejection", "suspended", "defaulted", "positive"}
	otherTable    = []string{"label", "outcome", "target"}
)

// guess decides what the columns are for.
func (f *File) guess() {
	f.customer = f.named(customerWords, func(c *Column) bool { return c.Unique > few || c.Unique*2 > f.Rows })
	if f.customer == nil {
		f.customer = f.named([]string{"id"}, func(c *Column) bool { return strings.EqualFold(c.Name, "id") })
	}
	f.time = f.named(timeWords, func(c *Column) bool { return c.temporal() })
	f.outcome = f.named(outcomeWords, func(c *Column) bool { return len(c.Values) >= 2 && c.Missing < 0.5 })
	f.kind = f.named(kindWords, func(c *Column) bool {
		return c != f.customer && c != f.time && c.Type == "VARCHAR" && c.Unique < 1000 && c.Unique*2 < f.Rows+few
	})
}

// named returns the fitting column whose name holds the earliest of the words.
func (f *File) named(words []string, fits func(*Column) bool) *Column {
	for _, word := range words {
		for i := range f.Columns {
			c := &f.Columns[i]
			if strings.Contains(strings.ToLower(c.Name), word) && fits(c) {
				return c
			}
		}
	}
	return nil
}

func (c *Column) temporal() bool {
	numeric := c.Type == "BIGINT" || c.Type == "DOUBLE" // Unix seconds or milliseconds
	return strings.HasPrefix(c.Type, "TIMESTAMP") || c.Type == "DATE" || numeric && c.Unique > few
}

// role says what a file is for.
type role uint8

const (
	profiles role = iota
	events
	labels
)

// roleOf takes a file with repeating customers and times for events; one that
// is named after labels, beside others, for labels; any other for profiles.
func (f *File) roleOf(files []*File) role {
	repeats := f.customer != nil && float64(f.customer.Unique) < 0.8*float64(f.Rows)
	if f.time != nil && repeats {
		return events
	}
	name := strings.ToLower(filepath.Base(f.Path))
	labelled := slices.ContainsFunc(otherTable, func(word string) bool { return strings.Contains(name, word) })
	if len(files) > 1 && f.customer != nil && f.outcome != nil && labelled {
		return labels
	}
	return profiles
}

// byRole sorts files: events first, labels last.
func byRole(files []*File) map[role][]*File {
	sorted := map[role][]*File{}
	for _, f := range files {
		r := f.roleOf(files)
		sorted[r] = append(sorted[r], f)
	}
	for _, group := range sorted {
		slices.SortStableFunc(group, func(a, b *File) int { return cmp.Compare(a.Path, b.Path) })
	}
	return sorted
}

// text and identifier quote a literal and a name of SQL.
func text(s string) string       { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
