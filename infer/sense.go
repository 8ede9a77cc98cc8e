package infer

import (
	"fmt"
	"strings"

	"moments/features"
	"moments/weights"
)

// senses say what more of each column means: 1 good, -1 bad, 0 either.
type senses struct {
	columns []features.Column // of the table and then of the habits, as Part.Column counts them
	signs   []float64         // of each column
	groups  map[string]float64
}

// newSenses reads the wishes of a task over the defaults. A column's own wish
// counts before that of its group. That of a group is about the thing which its
// columns measure: where more purchases are good, so is a shorter silence.
func newSenses(schema *features.Schema, wishes map[string]weights.Sense) (*senses, error) {
	s := &senses{columns: append(schema.Columns(), schema.HabitColumns()...), groups: map[string]float64{}}
	known := map[string]bool{}
	for _, column := range s.columns {
		known[column.Name], known[column.Group] = true, true
		sign := orientation(column)
		if wish, ok := wishes[column.Group]; ok {
			s.groups[column.Group] = signOf(wish)
			sign *= signOf(wish)
		}
		if wish, ok := wishes[column.Name]; ok {
			sign = signOf(wish)
		}
		s.signs = append(s.signs, sign)
	}
	for name := range wishes {
		if !known[name] {
			return nil, fmt.Errorf("infer: senses name %q, which is no column and no group of columns: want such as %q", name, s.examples())
		}
	}
	return s, nil
}

func signOf(s weights.Sense) float64 {
	switch s {
	case weights.Good:
		return 1
	case weights.Bad:
		return -1
	}
	return 0
}

// examples are some names that senses may have.
func (s *senses) examples() (names []string) {
	for _, column := range s.columns {
		if len(names) < 3 && column.Group != column.Name {
			names = append(names, column.Group, column.Name)
		}
	}
	return names
}

// orientation says whether a larger value means more of what its group
// measures, 1, less of it, -1, or neither, 0. More events and larger amounts
// are good by default, and a longer silence is bad.
func orientation(c features.Column) float64 {
	_, name, of := strings.Cut(c.Name, "/")
	if !of || c.Kind != features.Numeric {
		return 0
	}
	for _, prefix := range []string{"silence", "recency", "gap_"} {
		if strings.HasPrefix(name, prefix) {
			return -1
		}
	}
	for _, prefix := range []string{"count(", "distinct", "first_", "last_", "tenure", "sd", "variation", "change", "rises"} {
		if strings.HasPrefix(name, prefix) {
			return 0
		}
	}
	return 1
}

// of is what a part means: its sign, as good or bad.
func (s *senses) of(p *Part) float64 {
	if p.Column >= 0 && p.Column < len(s.signs) {
		return p.Sign * s.signs[p.Column]
	}
	sign, ok := s.groups[p.Group]
	if p.Attribute == features.CellType {
		return sign // one more of its type, which means nothing by default
	}
	if !ok {
		sign = 1
	}
	if p.Attribute == features.CellGap { // a longer silence
		sign = -sign
	}
	return p.Sign * sign
}

// directionOf is on which side what is good, or bad, lies: two thirds of it
// decide, if it is a third of all.
func directionOf(good, bad, all float64) Direction {
	switch {
	case 3*(good+bad) < all || good+bad == 0:
		return Mixed
	case good >= 2*bad:
		return Positive
	case bad >= 2*good:
		return Negative
	}
	return Mixed
}

// direction weighs the parts that are at least a third as large as the largest,
// which comes first.
func (s *senses) direction(parts []Part) Direction {
	good, bad, all := 0.0, 0.0, 0.0
	for i := range parts {
		p := &parts[i]
		if 3*p.Size < parts[0].Size {
			break
		}
		sense := s.of(p)
		good, bad, all = good+p.Size*max(sense, 0), bad+p.Size*max(-sense, 0), all+p.Size
	}
	return directionOf(good, bad, all)
}

// meaning is the direction of one part.
func (s *senses) meaning(p *Part) Direction { return sideOf(s.of(p)) }

func sideOf(sense float64) Direction { return directionOf(max(sense, 0), max(-sense, 0), 1) }
