package datasets

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"moments/features"
)

// A guesser decides which file holds what and writes the task file.
type guesser struct {
	events, profiles []*sketch
	labels           *sketch // a file of outcomes; nil where a profile column is one
	b                strings.Builder
}

// guess gives every file a role. Files of events have a time and customers that
// come again; a file with an outcome that is named for it, or has hardly more
// columns, holds labels; the rest are profiles.
func guess(sketches []*sketch) (*guesser, error) {
	g := &guesser{}
	for _, k := range sketches {
		repeats := func(c *columnSketch) bool { return c != k.time && c.distinct > 1 && c.distinct < k.rows }
		unique := func(c *columnSketch) bool { return c != k.time && c.present == k.rows && c.distinct == k.rows }
		again, rankAgain := k.guessCustomer(repeats)
		once, rankOnce := k.guessCustomer(unique)
		if k.time != nil && again != nil && rankAgain < rankOnce {
			k.role, k.customer = eventRow, again
			k.kind = k.guessType()
			g.events = append(g.events, k)
			continue
		}
		if k.customer = once; once == nil {
			k.customer = again
		}
		k.outcomes = k.guessOutcomes()
		if len(sketches) > 1 && k.customer == nil {
			return nil, fmt.Errorf("datasets: inspect: no column of %s looks like a customer (columns: %s); beside other files it needs one", k.file, strings.Join(k.columnNames(), ", "))
		}
		if len(sketches) > 1 && g.labels == nil && k.holdsLabels() {
			k.role = labelRow
			g.labels = k
			continue
		}
		k.role = profileRow
		g.profiles = append(g.profiles, k)
	}
	return g, nil
}

func (k *sketch) holdsLabels() bool {
	name := fold(filepath.Base(k.file))
	named := slices.ContainsFunc([]string{"label", "outcome", "target"}, func(part string) bool { return strings.Contains(name, part) })
	return len(k.outcomes) > 0 && (named || len(k.columns)-len(k.outcomes) <= 2)
}

func (k *sketch) columnNames() []string {
	var names []string
	for _, c := range k.columns {
		names = append(names, c.name)
	}
	return names
}

func (k *sketch) guessType() *columnSketch {
	return k.pick(typeNames, func(c *columnSketch) bool {
		return c != k.customer && c != k.time && c.distinct >= 2 && c.distinct <= 200 && c.present == k.rows
	})
}

func (g *guesser) line(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }

// write is the task file.
func (g *guesser) write(dir string) []byte {
	all := slices.Concat(g.events, g.profiles)
	if g.labels != nil {
		all = append(all, g.labels)
	}
	g.line("# A first task file, guessed from the first %d rows of each file. Read it, correct it, then: moments train", inspectRows)
	g.line("name: %s", baseName(all[0].file))
	if len(g.events) > 0 {
		g.line("\nevents:                       # each row is something a customer did")
	}
	for _, k := range g.events {
		g.event(k, dir)
	}
	if len(g.profiles) > 0 {
		g.line("\nprofiles:                     # one row a customer; every column not named here is an attribute")
	}
	for _, k := range g.profiles {
		g.profile(k, dir)
	}
	g.outcome(dir)
	g.line("\n# split: {by: customer, test: 0.2, validation: 0.2, seed: 1}   # or by: time, to test on later customers")
	g.line("# anomaly: {alert_rate: 0.01}                                  # the share of normal journeys that may be flagged")
	return []byte(g.b.String())
}

func (g *guesser) event(k *sketch, dir string) {
	g.line("  - source: %s", quoteYAML(relative(dir, k.file)))
	g.line("    customer: %s", g.why(k.customer.name, "%d different values in %d rows", k.customer.distinct, k.rows))
	g.line("    time: %s", g.why(k.time.name, "the values are times, from %s to %s", k.begin, k.end))
	if k.kind != nil {
		g.line("    type: %s", g.why(k.kind.name, "%d types, such as %s", k.kind.distinct, k.kind.example()))
	} else {
		g.line("    type_value: %s", g.why(baseName(k.file), "no column looks like a type of event: every row has this one"))
	}
	g.ignore(k, k.customer, k.time, k.kind)
	g.line("    # attributes: [...]       # default: every other column; {name: x, kind: categorical} for numbers that are names")
	g.line("    # profile: [...]          # columns that describe the customer rather than the event")
}

func (g *guesser) profile(k *sketch, dir string) {
	g.line("  - source: %s", quoteYAML(relative(dir, k.file)))
	if k.customer != nil {
		g.line("    customer: %s", g.why(k.customer.name, "%d different values in %d rows", k.customer.distinct, k.rows))
	} else {
		g.line("    # customer:               # no column looks like an identifier: rows are numbered")
	}
	g.ignore(k, append(slices.Clone(k.outcomes), k.customer)...)
}

// ignore leaves out what must not or need not be an attribute.
func (g *guesser) ignore(k *sketch, taken ...*columnSketch) {
	times := k.otherTimes()
	begun := false
	for _, c := range k.columns {
		why := ""
		switch {
		case slices.Contains(taken, c):
		case k.role == eventRow && slices.Contains(times, c):
			why = "a second time: known only later, it would tell the future"
		case k.identifier(c):
			why = "another value in every row: an identifier"
		}
		if why == "" {
			continue
		}
		if !begun {
			g.line("    ignore:")
			begun = true
		}
		g.line("      - %s", g.why(c.name, "%s", why))
	}
}

// outcome writes cutoffs and targets.
func (g *guesser) outcome(dir string) {
	var profile *sketch
	for _, k := range g.profiles {
		if len(k.outcomes) > 0 && profile == nil && len(g.profiles) == 1 {
			profile = k
		}
	}
	switch {
	case g.labels != nil:
		g.labelFile(dir)
	case profile != nil:
		g.labelColumn(profile)
	case len(g.events) > 0:
		g.inactivity()
	default:
		g.line("\n# No column is named like an outcome (churn, converted, label, ...): as it stands the task finds anomalies only.")
		g.line("# targets:\n#   churn:\n#     labels: {column: ..., positive: [...], negative: [...]}")
	}
}

func (g *guesser) labelFile(dir string) {
	k, c := g.labels, g.labels.outcomes[0]
	cutoff := k.pick([]string{"cutoff", "cutofftime", "cutoffdate", "snapshot", "snapshotdate", "asof"}, func(c *columnSketch) bool { return c.present > 0 && c.times == c.present })
	switch {
	case cutoff != nil:
		g.line("\ncutoffs: {column: %s}   # when each label is predicted: only events before it are seen", quoteYAML(cutoff.name))
	case len(g.events) > 0:
		g.line("\n# cutoffs: {after_events: [5, 10]}   # default: the end of the journey. If the last events give the outcome away,")
		g.line("#                                   # cut earlier, or name a time of the outcome under until")
	}
	g.line("\ntargets:")
	g.line("  %s:", quoteYAML(baseName(c.name)))
	g.line("    labels:")
	g.line("      source: %s", quoteYAML(relative(dir, k.file)))
	g.line("      customer: %s", quoteYAML(k.customer.name))
	g.line("      value: %s", g.why(c.name, "named like an outcome; values %s", c.example()))
	g.values(c, "      ")
	for _, at := range k.otherTimes() {
		if at != cutoff {
			g.line("      # until: %s   # if this is when the outcome came to be: events from then on give it away", quoteYAML(at.name))
		}
	}
	g.others(k)
}

func (g *guesser) labelColumn(k *sketch) {
	c := k.outcomes[0]
	g.line("\ntargets:")
	g.line("  %s:", quoteYAML(baseName(c.name)))
	g.line("    labels:                   # a column of the profiles; it is never an attribute")
	g.line("      column: %s", g.why(c.name, "named like an outcome; values %s", c.example()))
	g.values(c, "      ")
	g.others(k)
}

// values says which value is positive: by its name, else the rarest.
func (g *guesser) values(c *columnSketch, indent string) {
	values := slices.Sorted(maps.Keys(c.values))
	slices.SortStableFunc(values, func(a, b string) int { return cmp.Compare(c.values[a], c.values[b]) })
	positive, why := values[0], "the rarest value: make sure"
	for _, v := range values {
		if slices.Contains(positives, canonical(v)) {
			positive, why = v, "the outcome that is predicted"
		}
	}
	var negative []string
	for _, v := range values {
		if v != positive {
			negative = append(negative, quoteYAML(v))
		}
	}
	g.line("%spositive: [%s]   # %s", indent, quoteYAML(positive), why)
	g.line("%snegative: [%s]", indent, strings.Join(negative, ", "))
}

func (g *guesser) others(k *sketch) {
	for _, c := range k.outcomes[1:] {
		g.line("# %q is named like an outcome too: if it is one, it is a target of its own or belongs under ignore.", c.name)
	}
}

// inactivity is the outcome that every log of events has. Its horizon is a
// quarter of what the log covers, and 30 days at most.
func (g *guesser) inactivity() {
	begin, end := features.NoLimit, int64(0)
	for _, k := range g.events {
		if at, _, _, err := features.ParseTimeIn(k.begin, time.UTC); err == nil {
			begin = min(begin, at)
		}
		if at, _, _, err := features.ParseTimeIn(k.end, time.UTC); err == nil {
			end = max(end, at)
		}
	}
	days := max(1, min(30, (end-begin)/4/features.Day))
	at := time.UnixMicro(end - days*features.Day).UTC().Format(time.DateOnly)
	g.line("\n# No file has a column named like an outcome (churn, converted, label, ...). Silence is one that needs no file:")
	g.line("cutoffs: {at: %s}     # %d days before the last event, so that the horizon is covered by the data", at, days)
	g.line("\ntargets:\n  churn:\n    inactivity: {for: %dd}    # no event in the %d days from the cutoff on", days, days)
}

// why is a value and a comment that explains it.
func (g *guesser) why(value, format string, args ...any) string {
	return fmt.Sprintf("%-20s # %s", quoteYAML(value), strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
}

// example lists a few values, the most frequent first.
func (c *columnSketch) example() string {
	values := slices.Sorted(maps.Keys(c.values))
	slices.SortStableFunc(values, func(a, b string) int { return cmp.Compare(c.values[b], c.values[a]) })
	for i, v := range values {
		values[i] = strconv.Quote(v)
	}
	return strings.Join(values[:min(len(values), 4)], ", ")
}

// relative is the path from the task file's folder, where there is one.
func relative(dir, file string) string {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return absolute
	}
	if path, err := filepath.Rel(from, absolute); err == nil {
		return path
	}
	return absolute
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// baseName makes a name for a task, a target or a type of a file or column.
func baseName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	name = strings.Trim(notName.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if name == "" {
		return "task"
	}
	return name
}

var plainYAML = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./-]*$`)

// quoteYAML writes a text that YAML cannot take for anything else.
func quoteYAML(text string) string {
	switch strings.ToLower(text) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return strconv.Quote(text)
	}
	if plainYAML.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}
