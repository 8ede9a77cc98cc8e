package datasets

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A role says what the rows of an input are.
type role uint8

const (
	profileRow role = iota
	labelRow
	eventRow
)

// An input is one source of the task, with the columns it is read by. Its
// index is in the records of its rows and breaks ties of time.
type input struct {
	index                    int
	role                     role
	path                     []any // in the task file
	tables                   []table
	where                    string
	customer, time, kind     string // columns; kind is the type of the event
	typeValue                string
	value, cutoff, until     string // columns of labels
	target                   int    // index in Task.outcomes
	positive, negative       valueSet
	attributes, profile      []place // what is kept of a row, in the order of its record
	quality                  *SourceQuality
	zoned, unzoned, excluded int64
	classes                  [2]int64 // labels that are negative, positive
	others                   []string // a few values that are neither
}

// A place is a column and where its values go.
type place struct {
	column   string
	field    int // index in the layout
	info     *fieldInfo
	infinite int64 // infinite numbers read from the column
}

// columns are what is read of a table, "" where it has no such column.
func (in *input) columns(t table) []string {
	columns := []string{in.customer}
	switch in.role {
	case eventRow:
		columns = append(columns, in.time, in.kind)
	case labelRow:
		columns = append(columns, in.value, in.cutoff, in.until)
	}
	for _, p := range slices.Concat(in.attributes, in.profile) {
		if t.has(p.column) {
			columns = append(columns, p.column)
		} else {
			columns = append(columns, "")
		}
	}
	return columns
}

// A planner finds the inputs of a task and the fields that their columns feed.
type planner struct {
	task           *Task
	session        *session
	inputs         []*input
	profile, event fieldSet
	quality        *Quality
}

// plan opens every source and checks every column that the task names.
func (p *planner) plan(ctx context.Context, labels bool) error {
	for i := range p.task.Profiles {
		if err := p.planProfile(ctx, i); err != nil {
			return err
		}
	}
	for i, outcome := range p.task.outcomes() {
		if l := outcome.Labels; l != nil && labels {
			if err := p.planLabels(ctx, i, *l); err != nil {
				return err
			}
		}
	}
	for i := range p.task.Events {
		if err := p.planEvents(ctx, i); err != nil {
			return err
		}
	}
	return p.fit()
}

// add opens the tables of an input and demands the columns it is read by.
func (p *planner) add(ctx context.Context, in *input, source, sql string, need [][2]string) (err error) {
	in.index = len(p.inputs)
	if in.tables, err = p.task.tables(ctx, p.session, in.path, source, sql); err != nil {
		return err
	}
	in.quality = &SourceQuality{Name: pathName(in.path), Reasons: map[Reason]int64{}, Remarks: map[Remark]int64{}}
	for _, t := range in.tables {
		in.quality.Files = append(in.quality.Files, t.name)
		for _, n := range need {
			if n[1] != "" && !t.has(n[1]) {
				return p.task.fault(append(in.path, n[0]), "%s", missingColumn(n[1], t))
			}
		}
	}
	p.inputs = append(p.inputs, in)
	p.quality.Sources = append(p.quality.Sources, in.quality)
	return nil
}

func (p *planner) planProfile(ctx context.Context, i int) error {
	s := p.task.Profiles[i]
	in := &input{role: profileRow, path: []any{"profiles", i}, customer: s.Customer}
	if err := p.add(ctx, in, s.Source, s.SQL, [][2]string{{"customer", s.Customer}}); err != nil {
		return err
	}
	taken := append(p.labelColumns(s.Source, true), s.Customer)
	attributes, err := p.attributes(in, s.Attributes, s.Ignore, taken)
	if err != nil {
		return err
	}
	in.attributes, err = p.places(in, &p.profile, attributes, "attributes")
	return err
}

func (p *planner) planEvents(ctx context.Context, i int) error {
	s := p.task.Events[i]
	in := &input{role: eventRow, path: []any{"events", i}, customer: s.Customer, time: s.Time, kind: s.Type, typeValue: s.TypeValue}
	if err := p.add(ctx, in, s.Source, s.SQL, [][2]string{{"customer", s.Customer}, {"time", s.Time}, {"type", s.Type}}); err != nil {
		return err
	}
	taken := append(p.labelColumns(s.Source, false), s.Customer, s.Time, s.Type)
	for _, a := range s.Profile {
		taken = append(taken, a.Name)
	}
	attributes, err := p.attributes(in, s.Attributes, s.Ignore, taken)
	if err != nil {
		return err
	}
	if in.attributes, err = p.places(in, &p.event, attributes, "attributes"); err != nil {
		return err
	}
	in.profile, err = p.places(in, &p.profile, s.Profile, "profile")
	return err
}

func (p *planner) planLabels(ctx context.Context, i int, l LabelSpec) error {
	in := &input{role: labelRow, path: p.task.path(i), target: i, where: l.Where, until: l.Until}
	source, sql, key := l.Source, l.SQL, "value"
	in.customer, in.value = l.Customer, l.Value
	if l.Column != "" {
		profile := p.task.Profiles[0]
		source, sql, key = profile.Source, profile.SQL, "column"
		in.customer, in.value = profile.Customer, l.Column
	}
	need := [][2]string{{"customer", in.customer}, {key, in.value}, {"until", in.until}}
	if p.task.rule.Column {
		in.cutoff = p.cutoffColumn(l)
		need = append(need, [2]string{"cutoff", in.cutoff})
	} else if l.Cutoff != "" {
		return p.task.fault(append(in.path, "cutoff"), "is read with cutoffs: {column: %s} only", l.Cutoff)
	}
	in.positive, in.negative = newValueSet(l.Positive), newValueSet(l.Negative)
	if len(l.Positive) == 0 {
		in.positive, in.negative = newValueSet([]any{1, true, "yes"}), newValueSet([]any{0, false, "no"})
	}
	return p.add(ctx, in, source, sql, need)
}

func (p *planner) cutoffColumn(l LabelSpec) string {
	if l.Cutoff != "" {
		return l.Cutoff
	}
	return p.task.Cutoffs.Column
}

// labelColumns are the columns of a source that hold outcomes: they are never
// attributes, or the network would read the answer.
func (p *planner) labelColumns(source string, isProfile bool) []string {
	var columns []string
	for _, outcome := range p.task.outcomes() {
		l := outcome.Labels
		switch {
		case l == nil:
		case l.Column != "" && isProfile:
			columns = append(columns, l.Column, l.Until, p.cutoffColumn(*l))
		case l.Source != "" && l.Source == source:
			columns = append(columns, l.Value, l.Until, p.cutoffColumn(*l))
		}
	}
	return columns
}

// attributes are the declared ones, and every column that is not taken where
// none is declared or "*" is among them.
func (p *planner) attributes(in *input, declared []Attribute, ignore, taken []string) ([]Attribute, error) {
	for i, c := range ignore {
		if !in.has(c) {
			return nil, p.task.fault(append(in.path, "ignore", i), "%s", missingColumn(c, in.tables[0]))
		}
	}
	others := declared == nil
	var attributes []Attribute
	for i, a := range declared {
		switch {
		case a.Name == "*":
			others = true
		case slices.Contains(taken, a.Name):
			return nil, p.task.fault(append(in.path, "attributes", i), "column %q is read as customer, time, type, profile or label, want another", a.Name)
		default:
			attributes = append(attributes, a)
		}
	}
	if !others {
		return attributes, nil
	}
	taken = append(taken, ignore...)
	for _, a := range attributes {
		taken = append(taken, a.Name)
	}
	for _, t := range in.tables {
		for _, c := range t.columns {
			if !slices.Contains(taken, c) {
				attributes = append(attributes, Attribute{Name: c})
				taken = append(taken, c)
			}
		}
	}
	return attributes, nil
}

// has says whether any table of the input has the column.
func (in *input) has(column string) bool {
	return slices.ContainsFunc(in.tables, func(t table) bool { return t.has(column) })
}

// places finds the field of every attribute; columns of the same name in
// several sources feed the same field.
func (p *planner) places(in *input, set *fieldSet, attributes []Attribute, key string) ([]place, error) {
	var places []place
	for i, a := range attributes {
		if set.fixed && set.index(a.Name) < 0 {
			continue
		}
		if !in.has(a.Name) {
			return nil, p.task.fault(append(in.path, key, i), "%s", missingColumn(a.Name, in.tables[0]))
		}
		field, err := set.field(a)
		if err != nil {
			return nil, p.task.fault(append(in.path, key, i), "%v", err)
		}
		places = append(places, place{column: a.Name, field: field, info: set.fields[field]})
	}
	return places, nil
}

// fit demands that some source feeds every field of the given layout.
func (p *planner) fit() error {
	for _, set := range []*fieldSet{&p.profile, &p.event} {
		for _, f := range set.fields {
			if !f.fed {
				return fmt.Errorf("datasets: no source has the column %q that the bundle was trained on", f.name)
			}
		}
	}
	return nil
}

func pathName(path []any) string {
	var b strings.Builder
	for i, p := range path {
		if n, ok := p.(int); ok {
			fmt.Fprintf(&b, "[%d]", n)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, p)
	}
	return b.String()
}
