package draft

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Task drafts the task file for the files. Their paths are written relative to
// folder, where the task file will lie.
func Task(files []*File, folder string) string {
	d := &drafter{folder: folder}
	sorted := byRole(files)
	d.line("# Drafted from the data by name and value: read every line before you train.")
	d.line("name: %s", quote(name(files[0].Path)))
	d.line("")
	d.events(sorted[events])
	d.profiles(sorted[profiles], len(sorted[events]) > 0)
	d.cutoffs(sorted)
	d.targets(sorted)
	d.line("split: {test: 0.2, validation: 0.2, seed: 1}   # by: customer or time")
	d.line("")
	d.line("# networks: {}                                 # every choice has a default")
	d.line("anomaly: {alert_rate: 0.01}                    # the share of normal journeys that may be flagged")
	return d.text.String()
}

// A drafter writes the parts of a task file.
type drafter struct {
	folder string
	text   strings.Builder
}

func (d *drafter) line(format string, args ...any) { fmt.Fprintf(&d.text, format+"\n", args...) }

func (d *drafter) source(f *File) string {
	path := f.Path
	if absolute, err := filepath.Abs(path); err == nil {
		if folder, err := filepath.Abs(d.folder); err == nil {
			if relative, err := filepath.Rel(folder, absolute); err == nil {
				path = relative
			}
		}
	}
	return quote(filepath.ToSlash(path))
}

func (d *drafter) events(files []*File) {
	if len(files) == 0 {
		return
	}
	d.line("events:                                        # each row is something that happened to a customer")
	for _, f := range files {
		d.line("  - source: %s   # %d rows", d.source(f), f.Rows)
		d.line("    customer: %s   # about %d", quote(f.customer.Name), f.customer.Unique)
		d.line("    time: %s", quote(f.time.Name))
		if f.kind != nil {
			d.line("    type: %s   # about %d; or type_value: one type for every row", quote(f.kind.Name), f.kind.Unique)
		} else {
			d.line("    type_value: %s   # no column tells events apart; or type: a column", quote(name(f.Path)))
		}
		d.line("    # attributes, by default every other column: %s", others(f))
		d.line("    # ignore: []                               # columns that would not be known at the time, or say the outcome")
	}
	d.line("")
}

func (d *drafter) profiles(files []*File, customers bool) {
	if len(files) == 0 {
		return
	}
	d.line("profiles:                                      # one row a customer")
	for _, f := range files {
		d.line("  - source: %s   # %d rows", d.source(f), f.Rows)
		switch {
		case f.customer != nil:
			d.line("    customer: %s", quote(f.customer.Name))
		case customers:
			d.line("    customer: id                               # none was found: name the column that says who")
		default:
			d.line("    # customer: a column                       # none was found: the row number stands for it")
		}
		d.line("    # attributes, by default every other column: %s", others(f))
		if ids := identifiers(f); len(ids) > 0 {
			d.line("    ignore: [%s]   # nearly every row has its own value", strings.Join(ids, ", "))
		} else {
			d.line("    # ignore: []                               # columns that would not be known at the time, or say the outcome")
		}
	}
	d.line("")
}

func (d *drafter) cutoffs(sorted map[role][]*File) {
	if len(sorted[events]) == 0 {
		return
	}
	for _, f := range sorted[labels] {
		if c := f.named([]string{"cutoff"}, func(*Column) bool { return true }); c != nil {
			d.line("cutoffs: {column: %s}   # when predictions are made; only earlier events are seen", quote(c.Name))
			d.line("")
			return
		}
	}
	d.line("# When predictions are made; only earlier events are seen. Without this line: at the end of the journey.")
	d.line("# cutoffs: {at: 2025-07-01}, {after_events: [5, 10]}, {after_first: 14d} or {every: 30d, from: ..., to: ...}")
	d.line("")
}

// targets drafts one target for every outcome that was found.
func (d *drafter) targets(sorted map[role][]*File) {
	var found []string
	for _, f := range sorted[labels] {
		positive, negative := poles(f.outcome)
		found = append(found, fmt.Sprintf("  %s:\n    labels: {source: %s, customer: %s, value: %s, positive: [%s], negative: [%s]}",
			quote(name(f.outcome.Name)), d.source(f), quote(f.customer.Name), quote(f.outcome.Name), positive, negative))
	}
	for _, f := range sorted[profiles] {
		if f.outcome != nil {
			positive, negative := poles(f.outcome)
			found = append(found, fmt.Sprintf("  %s:\n    labels: {column: %s, positive: [%s], negative: [%s]}",
				quote(name(f.outcome.Name)), quote(f.outcome.Name), positive, negative))
		}
	}
	if len(found) == 0 {
		d.line("# No outcome was found. Without targets only the anomaly network is trained. For example:")
		d.line("# targets:")
		d.line("#   churn: {inactivity: {for: 30d}}              # no event follows within the horizon")
		d.line("#   purchase: {event: {type: purchase, within: 30d}}")
		d.line("#   won: {labels: {source: outcomes.csv, customer: id, value: outcome, positive: [won], negative: [lost]}}")
	} else {
		d.line("targets:")
		d.line("%s", strings.Join(found, "\n"))
	}
	d.line("")
}

// positives are values that are usually the outcome asked about.
var positives = []string{"1", "1.0", "true", "yes", "y", "t", "accepted", "converted", "churned", "won", "positive"}

// poles splits the values of an outcome: what is usually positive, else the
// rarest, against all others.
func poles(c *Column) (positive, negative string) {
	at := slices.IndexFunc(c.Values, func(v string) bool { return slices.Contains(positives, strings.ToLower(v)) })
	if at < 0 {
		at = len(c.Values) - 1
	}
	var rest []string
	for i, v := range c.Values {
		if i != at {
			rest = append(rest, quote(v))
		}
	}
	return quote(c.Values[at]), strings.Join(rest, ", ")
}

// identifiers are texts and whole numbers that tell nearly every row apart.
func identifiers(f *File) []string {
	var names []string
	for i := range f.Columns {
		c := &f.Columns[i]
		if c != f.customer && (c.Type == "VARCHAR" || c.Type == "BIGINT") && f.Rows > 100 && c.Unique*10 > f.Rows*9 {
			names = append(names, quote(c.Name))
		}
	}
	return names
}

// others lists the columns that are left for attributes.
func others(f *File) string {
	var names []string
	for i := range f.Columns {
		c := &f.Columns[i]
		if c != f.customer && c != f.time && c != f.kind && c != f.outcome {
			names = append(names, c.Name)
		}
	}
	return strings.ReplaceAll(strings.Join(names, ", "), "\n", " ")
}

// name is a file's or a column's name as a task or target is called.
func name(path string) string {
	base, _, _ := strings.Cut(filepath.Base(path), ".")
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(base))
	return strings.Trim(clean, "_")
}

// plainScalar matches what YAML reads as a text without quotes.
var plainScalar = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./-]*$`)

// quote writes a YAML scalar, plain where that is safe. JSON strings are YAML.
func quote(s string) string {
	plain := plainScalar.MatchString(s)
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n", ".", "~", ".nan", ".inf":
		plain = false
	}
	if plain {
		return s
	}
	quoted, _ := json.Marshal(s) // of a string it never fails
	return string(quoted)
}
