package infer

import (
	"cmp"
	"slices"

	"moments/features"
)

// habitual is evidence by what a journey did otherwise than before: the tails
// of its habits (see features.Habit). It needs no network, and finds what a row
// among rows hides: the customer who used to come every other day and stopped.
type habitual struct {
	schema *features.Schema
	first  int   // Part.Column of the first habit
	group  []int // of each habit, in groups
	groups []string
}

func newHabitual(schema *features.Schema) *habitual {
	h := &habitual{schema: schema, first: len(schema.Columns())}
	for _, column := range schema.HabitColumns() {
		at := slices.Index(h.groups, column.Group)
		if at < 0 {
			at = len(h.groups)
			h.groups = append(h.groups, column.Group)
		}
		h.group = append(h.group, at)
	}
	return h
}

func (*habitual) name() string   { return "habits" }
func (*habitual) family() string { return "habits" }

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

func (d *habitDetector) score(i int) float32 {
	sum, weight := 0.0, 1.0
	for _, f := range d.find(i) {
		sum += weight * f.evidence
		weight *= nextHabit
	}
	return float32(sum)
}

func (d *habitDetector) parts(i int, to []Part) []Part {
	total, weight, start := 0.0, 1.0, len(to)
	for _, f := range d.find(i) {
		habit, scale := d.examples[i].Habits[f.habit], &d.schema.Habits[f.habit]
		part := Part{
			Group: d.groups[d.group[f.habit]], Event: -1, Column: d.first + f.habit,
			Seen: float64(habit.Seen), Expected: float64(habit.Expected), Size: weight * f.evidence, Sign: 1,
		}
		if habit.Expected != habit.Expected {
			part.Expected = float64(scale.Typical)
		}
		if !f.more {
			part.Sign = -1
		}
		to = append(to, part)
		total += part.Size
		weight *= nextHabit
	}
	for p := start; p < len(to); p++ {
		to[p].Size /= total
	}
	return to
}
