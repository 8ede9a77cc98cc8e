package infer

import (
	"cmp"
	"slices"
	"strings"

	"moments/features"
)

// habitual is evidence by what a journey did otherwise than before: the tails
// of its habits (see features.Habit). It needs no network, and finds what a row
// among rows hides: the customer who used to come every other day and stopped.
type habitual struct {
	schema  *features.Schema
	first   int   // Part.Column of the first habit
	group   []int // of each habit, in groups
	groups  []string
	silence []bool  // whether a habit is the time since the last event
	amount  []bool  // whether it is a sum of amounts
	bursts  [][]int // of each group: the habits of the busiest spans, the shortest first
}

func newHabitual(schema *features.Schema) *habitual {
	h := &habitual{schema: schema, first: len(schema.Columns())}
	for _, column := range schema.HabitColumns() {
		at := slices.Index(h.groups, column.Group)
		if at < 0 {
			at = len(h.groups)
			h.groups, h.bursts = append(h.groups, column.Group), append(h.bursts, nil)
		}
		if column.Busiest() {
			h.bursts[at] = append(h.bursts[at], len(h.group))
		}
		h.group, h.silence = append(h.group, at), append(h.silence, strings.HasSuffix(column.Name, "/silence"))
		h.amount = append(h.amount, strings.Contains(column.Name, "/busiest_") && !column.Busiest())
	}
	return h
}

func (*habitual) name() string    { return "habits" }
func (*habitual) family() family  { return ofHabits }
func (*habitual) weight() float64 { return 1 }

func (h *habitual) newDetector() detector { return &habitDetector{habitual: h} }

// A habitDetector is one goroutine's habitual at work.
type habitDetector struct {
	*habitual
	examples []features.Example
	found    []habitFound // scratch: by group
}

// habitFound is the strongest evidence of one group.
type habitFound struct {
	habit    int
	evidence float64
	more     bool
}

// falling says whether a habit is about fewer events now than before.
func (h *habitual) falling(k int, more bool) bool {
	if h.silence[k] {
		return more
	}
	return !more
}

// cause is the habit that says best what the evidence of a group is about. What
// has fallen after one burst, rather than after a steady pace, is about the burst;
// and where many came, the shortest of the busiest spans tells that holds at
// least half of them and is about as unusual itself.
func (d *habitDetector) cause(f habitFound, habits []features.Habit) (k int, more bool) {
	const steady = 0.5
	bursts := d.bursts[d.group[f.habit]]
	falls := d.falling(f.habit, f.more)
	if falls && habits[f.habit].Steady >= steady || d.amount[f.habit] {
		return f.habit, f.more
	}
	for _, k := range bursts {
		evidence, more := d.schema.Habits[k].Evidence(habits[k])
		if evidence >= f.evidence/2 && more && (falls || 2*habits[k].Seen >= habits[f.habit].Seen) {
			return k, true
		}
	}
	return f.habit, f.more
}

// present is by how much more what has fallen now tells of a journey than the
// busiest of its spans, which may be long past.
const present = 1.5

// nextHabit is what a group's evidence counts beside that of the next stronger
// group: one habit that has broken is enough, and what goes with it adds little.
const nextHabit = 0.2

func (d *habitDetector) run(examples []features.Example) error {
	d.examples = examples
	return nil
}

// find gathers the groups with evidence, the strongest first.
func (d *habitDetector) find(i int) []habitFound {
	d.found = append(d.found[:0], make([]habitFound, len(d.groups))...)
	for k, habit := range d.examples[i].Habits {
		if evidence, more := d.schema.Habits[k].Evidence(habit); evidence > d.found[d.group[k]].evidence {
			d.found[d.group[k]] = habitFound{k, evidence, more}
		}
	}
	d.found = slices.DeleteFunc(d.found, func(f habitFound) bool { return f.evidence == 0 })
	slices.SortStableFunc(d.found, func(a, b habitFound) int { return cmp.Compare(b.evidence, a.evidence) })
	return d.found
}

// specific leaves out what is said of all events where some type says as much.
func (d *habitDetector) specific(found []habitFound) []habitFound {
	all := len(d.groups) - 1
	at := slices.IndexFunc(found, func(f habitFound) bool { return d.group[f.habit] == all })
	if at < 0 || !slices.ContainsFunc(found, func(f habitFound) bool { return d.group[f.habit] != all && 2*f.evidence >= found[at].evidence }) {
		return found
	}
	return slices.Delete(found, at, at+1)
}

func (d *habitDetector) score(i int) float32 {
	sum, weight := 0.0, 1.0
	for _, f := range d.find(i) {
		sum += weight * f.evidence
		weight *= nextHabit
	}
	return float32(sum)
}

func (d *habitDetector) parts(i int, to []Part) []Part {
	total, start := 0.0, len(to)
	for _, f := range d.specific(d.find(i)) {
		cause, more := d.cause(f, d.examples[i].Habits)
		habit, scale := d.examples[i].Habits[cause], &d.schema.Habits[cause]
		part := Part{
			Group: d.groups[d.group[f.habit]], Event: -1, Column: d.first + cause,
			Seen: float64(habit.Seen), Expected: float64(habit.Expected), Size: f.evidence * f.evidence, Sign: 1, // squares: among many habits some are a little off
		}
		if habit.Expected != habit.Expected {
			part.Expected = float64(scale.Typical)
		}
		if !more {
			part.Sign = -1
		}
		if d.falling(cause, more) {
			part.Size *= present
		}
		to = append(to, part)
		total += part.Size
	}
	for p := start; p < len(to); p++ {
		to[p].Size /= total
	}
	return to
}
