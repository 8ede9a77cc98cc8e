package datasets

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A table is one file or query, ready to be read as text.
type table struct {
	name    string   // the file's path, or "sql"
	columns []string // in the order of the file
	reader  string   // a FROM item of SQL
	typed   string   // the same with the types that DuckDB infers, for a text file; see selectText
	records int64    // that a CSV file has below its header
	rejects bool     // lines of the wrong shape are listed in the table rejects
}

// selectText is the query that reads the columns as VARCHAR, as they stand in
// the file wherever it holds text: a zone of a time survives. Its last column
// says whether the row is of the population. The condition sees typed columns,
// so that it may compare numbers.
func (s *session) selectText(ctx context.Context, t table, columns []string, where string) (string, error) {
	prefix, reader := "", t.reader
	if where == "" {
		where = "true"
	} else if t.typed != "" {
		types, err := s.describe(ctx, t.typed)
		if err != nil {
			return "", err
		}
		prefix = "text of "
		var both []string
		for _, c := range types {
			name := quoteName(c.name)
			both = append(both, fmt.Sprintf("%s AS %s, TRY_CAST(%s AS %s) AS %s", name, quoteName(prefix+c.name), name, c.kind, name))
		}
		reader = fmt.Sprintf("(SELECT %s FROM %s)", strings.Join(both, ", "), t.reader)
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	for _, c := range columns {
		if c == "" {
			b.WriteString("NULL::VARCHAR, ") // a column that this file of the glob does not have
			continue
		}
		fmt.Fprintf(&b, "CAST(%s AS VARCHAR), ", quoteName(prefix+c))
	}
	fmt.Fprintf(&b, "CAST((%s) AS VARCHAR) FROM %s", where, reader)
	return b.String(), nil
}

// tables finds what a source reads: the files of a path or glob in the order
// of their names, or the one query.
func (t *Task) tables(ctx context.Context, s *session, path []any, source, sql string) ([]table, error) {
	if sql != "" {
		query, err := t.expand(append(path, "sql"), sql)
		if err != nil {
			return nil, err
		}
		reader := "(" + strings.TrimRight(strings.TrimSpace(query), "; \n") + "\n)"
		columns, err := s.describe(ctx, reader)
		if err != nil {
			return nil, t.fault(append(path, "sql"), "%v", err)
		}
		return []table{{name: "sql", columns: names(columns), reader: reader}}, nil
	}
	path = append(path, "source")
	files, err := t.files(ctx, s, path, source)
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, file := range files {
		one, err := s.open(ctx, file)
		if err != nil {
			return nil, t.fault(path, "%v", err)
		}
		tables = append(tables, one)
	}
	return tables, nil
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces ${NAME} by the environment's value.
func (t *Task) expand(path []any, text string) (string, error) {
	var unset []string
	out := variable.ReplaceAllStringFunc(text, func(m string) string {
		value, ok := os.LookupEnv(m[2 : len(m)-1])
		if !ok {
			unset = append(unset, m)
		}
		return value
	})
	if len(unset) > 0 {
		return "", t.fault(path, "environment variable %s is not set", strings.Join(unset, ", "))
	}
	return out, nil
}

// resolve makes a path of the task file absolute or relative to the process.
func (t *Task) resolve(path []any, source string) (string, error) {
	file, err := t.expand(path, source)
	if err == nil && !filepath.IsAbs(file) {
		file = filepath.Join(t.Dir, file)
	}
	return file, err
}

func (t *Task) files(ctx context.Context, s *session, path []any, source string) ([]string, error) {
	pattern, err := t.resolve(path, source)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(pattern); err == nil || !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	found, err := s.strings(ctx, "SELECT file FROM glob("+quoteText(pattern)+") ORDER BY file")
	if err != nil {
		return nil, t.fault(path, "%v", err)
	}
	if len(found) == 0 {
		return nil, t.fault(path, "no file matches %s", pattern)
	}
	var files []string
	for _, f := range found {
		files = append(files, f[0])
	}
	return files, nil
}

// open says how a file is read; its name tells the format.
func (s *session) open(ctx context.Context, file string) (table, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return table{}, fmt.Errorf("file %s does not exist", file)
	case err != nil:
		return table{}, err
	case info.IsDir():
		return table{}, fmt.Errorf("%s is a folder, want a file or a glob such as %s", file, filepath.Join(file, "*.csv"))
	case info.Size() == 0:
		return table{}, fmt.Errorf("file %s is empty", file)
	}
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(file), ".gz")) {
	case ".csv", ".tsv", ".txt":
		return openCSV(file)
	case ".jsonl", ".ndjson", ".json":
		return s.openJSON(ctx, file)
	case ".parquet", ".pq":
		t := table{name: file, reader: "read_parquet(" + quoteText(file) + ")"}
		columns, err := s.describe(ctx, t.reader)
		t.columns = names(columns)
		return t, err
	}
	return table{}, fmt.Errorf("file %s has an unknown format, want .csv, .tsv, .jsonl or .parquet, or .gz of the texts", file)
}

// delimiters that a CSV file may have; the one that gives the most columns wins.
var delimiters = []rune{',', ';', '\t', '|'}

// openCSV reads the header here rather than by DuckDB's sniffer, which changes
// its mind about delimiter, quotes and header with the rows it looks at.
func openCSV(file string) (table, error) {
	line, err := headerLine(file)
	if err != nil {
		return table{}, fmt.Errorf("file %s: %w", file, err)
	}
	var columns []string
	var delimiter rune
	for _, d := range delimiters {
		r := csv.NewReader(strings.NewReader(line))
		r.Comma, r.LazyQuotes = d, true
		if fields, err := r.Read(); err == nil && len(fields) > len(columns) {
			columns, delimiter = fields, d
		}
	}
	records, err := scanCSV(file, delimiter, len(columns))
	if err != nil {
		return table{}, fmt.Errorf("file %s: %w", file, err)
	}
	seen := map[string]bool{}
	var types strings.Builder
	for i, c := range columns {
		if c = strings.TrimSpace(c); c == "" { // the index column of a data frame
			c = fmt.Sprintf("column%d", i)
		}
		columns[i] = c
		if seen[strings.ToLower(c)] {
			return table{}, fmt.Errorf("file %s has two columns named %q (upper and lower case are the same)", file, c)
		}
		seen[strings.ToLower(c)] = true
		fmt.Fprintf(&types, "%s: 'VARCHAR', ", quoteText(c))
	}
	read := fmt.Sprintf(`read_csv(%s, header = true, delim = %s, quote = '"', escape = '"', ignore_errors = true, `, quoteText(file), quoteText(string(delimiter)))
	reader := fmt.Sprintf(`%sauto_detect = false, columns = {%s}, max_line_size = %d, buffer_size = %d, store_rejects = true, rejects_table = 'rejects', rejects_scan = 'rejects_scans')`,
		read, strings.TrimSuffix(types.String(), ", "), maxRecord, csvBuffer)
	return table{name: file, columns: columns, reader: reader, typed: read + "sample_size = -1)", rejects: true, records: records - 1}, nil
}

// openJSON reads the keys of all objects; values keep their text.
func (s *session) openJSON(ctx context.Context, file string) (table, error) {
	read := "read_json(" + quoteText(file) + ", format = 'newline_delimited', ignore_errors = true, "
	columns, err := s.describe(ctx, read+"maximum_depth = 1, sample_size = -1)")
	if err != nil {
		return table{}, fmt.Errorf("file %s: %w", file, err)
	}
	var types, texts []string
	for _, c := range columns {
		types = append(types, quoteText(c.name)+": 'JSON'")
		texts = append(texts, fmt.Sprintf("%s->>'$' AS %s", quoteName(c.name), quoteName(c.name)))
	}
	reader := fmt.Sprintf("(SELECT %s FROM %scolumns = {%s}))", strings.Join(texts, ", "), read, strings.Join(types, ", "))
	return table{name: file, columns: names(columns), reader: reader, typed: read + "sample_size = -1)"}, nil
}

// A column is a name and its type in SQL.
type column struct{ name, kind string }

func names(columns []column) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.name)
	}
	return out
}

// describe lists the columns of a FROM item.
func (s *session) describe(ctx context.Context, reader string) ([]column, error) {
	cells, err := s.strings(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+reader+")")
	var columns []column
	for _, c := range cells {
		columns = append(columns, column{c[0], c[1]})
	}
	return columns, err
}

// rejected lists the lines that did not have the shape of their file, and
// forgets them.
func (s *session) rejected(ctx context.Context) ([]rejectedLine, error) {
	cells, err := s.strings(ctx, `SELECT CAST(line AS VARCHAR), any_value(CAST(error_type AS VARCHAR)), any_value(csv_line)
		FROM rejects GROUP BY line ORDER BY rejects.line`) // a line has an error for every column it lacks
	if err != nil {
		return nil, err
	}
	var lines []rejectedLine
	for _, c := range cells {
		lines = append(lines, rejectedLine{line: c[0], fault: strings.ToLower(c[1]), text: c[2]})
	}
	return lines, firstError(s.exec(ctx, "DROP TABLE rejects"), s.exec(ctx, "DROP TABLE rejects_scans"))
}

type rejectedLine struct{ line, fault, text string }

// missingColumn explains that a column is not there.
func missingColumn(column string, t table) string {
	hint := ""
	if len(t.columns) == 1 && t.rejects {
		hint = "; one column only: is its delimiter none of comma, semicolon, tab and |?"
	}
	return fmt.Sprintf("column %q is not in %s (columns: %s%s)", column, t.name, strings.Join(t.columns, ", "), hint)
}

func (t table) has(column string) bool { return slices.Contains(t.columns, column) }
