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
	name  string
	parts [3][]int // positions, by part of a tableRow
}

// groupColumns gathers the places of a normalised row by group, in the order of
// the schema's columns. Groups without a place, because the normalizer dropped
// their columns, are left out.
func groupColumns(schema *features.Schema) []group {
	var groups []group
	columns, index := schema.Columns(), map[string]int{}
	for _, c := range columns {
		if _, ok := index[c.Group]; !ok {
			index[c.Group] = len(groups)
			groups = append(groups, group{name: c.Group})
		}
	}
	for part, places := range columnsOfParts(schema) {
		for at, column := range places {
			g := &groups[index[columns[column].Group]]
			g.parts[part] = append(g.parts[part], at)
		}
	}
	return slices.DeleteFunc(groups, func(g group) bool {
		return len(g.parts[0])+len(g.parts[1])+len(g.parts[2]) == 0
	})
}

// columnsOfParts returns, for each place of a normalised row, its column.
func columnsOfParts(schema *features.Schema) (parts [3][]int) {
	n := schema.Normalizer
	if n == nil {
		return parts
	}
	for i := range n.Numeric {
		parts[0] = append(parts[0], n.Numeric[i].Column)
	}
	for i := range n.Binary {
		parts[1] = append(parts[1], n.Binary[i].Column)
	}
	parts[2] = n.Category
	return parts
}

// standardGroups returns, for each position of a standardised row, the index
// of its group, and the groups' names.
func standardGroups(schema *features.Schema) (positions []int, names []string) {
	columns, parts := schema.Columns(), columnsOfParts(schema)
	for _, column := range slices.Concat(parts[0], parts[1]) {
		name := columns[column].Group
		i := slices.Index(names, name)
		if i < 0 {
			i = len(names)
			names = append(names, name)
		}
		positions = append(positions, i)
	}
	return positions, names
}

// An occlusion measures what groups of columns do to a probability: each group
// in turn is given its typical values and the row is scored again.
type occlusion struct {
	groups  []group
	typical tableRow
}

func newOcclusion(schema *features.Schema, typical weights.Typical) *occlusion {
	o := &occlusion{groups: groupColumns(schema)}
	o.typical, _ = newTableRow(schema, 1)
	ex := features.Example{Numeric: typical.Numeric, Category: typical.Category}
	schema.Normalize(&ex, o.typical[0], o.typical[1], o.typical[2])
	return o
}

// differs says whether the group is not typical in r.
func (o *occlusion) differs(g *group, r tableRow) bool {
	for part, places := range g.parts {
		for _, at := range places {
			if r[part][at] != o.typical[part][at] {
				return true
			}
		}
	}
	return false
}

// An occluder is one goroutine's occlusion at work.
type occluder struct {
	*occlusion
	base    tableRow // the example's own row
	rows    []int    // of all examples: the group that a row hides; -1 for the example itself, which comes first
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
		for part, places := range g.parts {
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

// explain appends the groups with the largest shares of row i's score.
func (d *denoiser) explain(to []Reason, top, i int, scratch []Reason) ([]Reason, []Reason) {
	clear(d.shares)
	clear(d.signs)
	total := 0.0
	for c, e := range row(d.absolute, i, d.width) {
		d.shares[d.groups[c]] += float64(e)
		d.signs[d.groups[c]] += float64(d.signed[i*d.width+c])
		total += float64(e)
	}
	scratch = scratch[:0]
	for g, share := range d.shares {
		if total > 0 {
			scratch = append(scratch, Reason{AnomalyTarget, d.names[g], math.Copysign(share/total, d.signs[g])})
		}
	}
	return appendTop(to, top, scratch), scratch
}

// direction weighs the residuals of the columns whose errors in row i are at
// least half of the largest: positive or negative where one sign has three
// quarters of them or more, mixed otherwise.
func (d *denoiser) direction(i int) Direction {
	absolute, signed := row(d.absolute, i, d.width), row(d.signed, i, d.width)
	largest := slices.Max(absolute)
	net, gross := 0.0, 0.0
	for c, e := range absolute {
		if e >= largest/2 {
			net += float64(signed[c])
			gross += math.Abs(float64(signed[c]))
		}
	}
	switch {
	case net > 0 && net >= gross/2:
		return Positive
	case net < 0 && -net >= gross/2:
		return Negative
	}
	return Mixed
}
