package infer

import (
	"cmp"
	"math"
	"slices"

	"moments/features"
	"moments/weights"
)

// A group is what stems from one concept: its places in a normalised row.
type group struct {
	name   string
	places [parts][]int // by part of Rows
}

// groupColumns gathers the places of a normalised row by group, in the order of
// the schema's columns. Groups without a place, because the normalizer dropped
// their columns, are left out. Rows have their own columns where own.
func groupColumns(schema *features.Schema, own bool) []group {
	var groups []group
	columns, index := schema.Columns(), map[string]int{}
	for _, c := range columns {
		if _, ok := index[c.Group]; !ok {
			index[c.Group] = len(groups)
			groups = append(groups, group{name: c.Group})
		}
	}
	for part, places := range columnsOfParts(schema, own) {
		for at, column := range places {
			g := &groups[index[columns[column].Group]]
			g.places[part] = append(g.places[part], at)
		}
	}
	return slices.DeleteFunc(groups, func(g group) bool {
		return !slices.ContainsFunc(g.places[:], func(places []int) bool { return len(places) > 0 })
	})
}

// columnsOfParts returns, for each place of a row, its column.
func columnsOfParts(schema *features.Schema, own bool) (columns [parts][]int) {
	if n := schema.Normalizer; n != nil {
		for i := range n.Numeric {
			columns[Numeric] = append(columns[Numeric], n.Numeric[i].Column)
		}
		for i := range n.Binary {
			columns[Binary] = append(columns[Binary], n.Binary[i].Column)
		}
		columns[Category] = n.Category
	}
	for i, c := range schema.Columns() {
		switch {
		case own && c.Kind == features.Numeric:
			columns[OwnNumeric] = append(columns[OwnNumeric], i)
		case own:
			columns[OwnCategory] = append(columns[OwnCategory], i)
		}
	}
	return columns
}

// An occlusion measures what groups of columns do to a probability: each group
// in turn is given its typical values and the row is scored again.
type occlusion struct {
	groups  []group
	typical Rows
}

func newOcclusion(schema *features.Schema, typical weights.Typical, widths [parts]int) *occlusion {
	o := &occlusion{groups: groupColumns(schema, widths[OwnNumeric]+widths[OwnCategory] > 0), typical: newRows(widths, 1)}
	o.typical.fill(schema, &features.Example{Numeric: typical.Numeric, Category: typical.Category})
	return o
}

// differs says whether the group is not typical in r.
func (o *occlusion) differs(g *group, r Rows) bool {
	for part, places := range g.places {
		for _, at := range places {
			x, y := r[part][at], o.typical[part][at]
			if x != y && (x == x || y == y) { // both missing is no difference
				return true
			}
		}
	}
	return false
}

// An occluder is one goroutine's occlusion at work.
type occluder struct {
	*occlusion
	base    Rows  // the example's own row
	rows    []int // of all examples: the group that a row hides; -1 for the example itself, which comes first
	reasons []Reason
}

// add adds a row for each group that is not typical in base anyway.
func (o *occluder) add(c *classifier) error {
	for i := range o.groups {
		g := &o.groups[i]
		if !o.differs(g, o.base) {
			continue
		}
		r := c.next()
		for part, places := range g.places {
			copy(r[part], o.base[part])
			for _, at := range places {
				r[part][at] = o.typical[part][at]
			}
		}
		o.rows = append(o.rows, i)
		if err := c.push(); err != nil {
			return err
		}
	}
	return nil
}

// explain appends the top reasons of target t. probabilities, of all targets,
// start with the example's own row, followed by those of the groups in rows.
func (o *occluder) explain(to []Reason, top int, name string, t, targets int, rows []int, probabilities []float32) []Reason {
	o.reasons = o.reasons[:0]
	for i, g := range rows {
		impact := float64(probabilities[t]) - float64(probabilities[(i+1)*targets+t])
		o.reasons = append(o.reasons, Reason{name, o.groups[g].name, impact})
	}
	return appendTop(to, top, o.reasons)
}

// appendTop appends the top reasons by size, those without impact left out.
// Equals keep their order.
func appendTop(to []Reason, top int, reasons []Reason) []Reason {
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		return cmp.Compare(math.Abs(b.Impact), math.Abs(a.Impact))
	})
	for i, r := range reasons {
		if i == top || r.Impact == 0 {
			break
		}
		to = append(to, r)
	}
	return to
}
