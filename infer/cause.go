package infer

import (
	"math"
	"strconv"
	"strings"

	"moments/features"
)

// A Cause is one of the things that made a journey unusual: what was seen, and
// what was expected.
type Cause struct {
	Group string // see features.Column.Group, such as "event:login"
	// Column is the most deviating column of the group, such as
	// "event:login/pace_14d"; of an event, the group and the attribute that
	// deviates, such as "event:login/gap", or the group alone where it is the type.
	Column string
	Event  int // index of the journey's event; -1 where it is about the journey

	// Seen and Expected are numbers in the column's own units, NaN where missing,
	// not known or no numbers; the words say them, with their unit or as the level.
	Seen, Expected           float64
	SeenWords, ExpectedWords string

	Share     float64 // of the evidence, 0 to 1
	Direction Direction
}

// Key names the kind of cause, for thresholds and groups of alerts: the group
// and the direction.
func (c *Cause) Key() string { return c.Group + " " + string(c.Direction) }

// String says the cause in words.
func (c *Cause) String() string {
	return c.What() + ": " + c.SeenWords + ", expected " + c.ExpectedWords
}

// What says in words what the cause is about, such as "login within 14d".
func (c *Cause) What() string {
	group, name, of := strings.Cut(c.Column, "/")
	_, what, typed := strings.Cut(group, ":")
	if !typed {
		what = group
	}
	if !of {
		return what
	}
	if what == "timing" {
		what = "any event"
	}
	if length, ok := strings.CutPrefix(name, "pace_"); ok {
		return what + " within " + length
	}
	if length, ok := strings.CutPrefix(name, "busiest_"); ok {
		if amount, ok := strings.CutPrefix(length, "week_"); ok {
			return what + ", " + amount + " in the busiest week"
		}
		return what + ", busiest " + length
	}
	return what + ", " + strings.ReplaceAll(name, "_", " ")
}

// appendCauses appends the top parts as causes.
func (s *senses) appendCauses(to []Cause, top int, parts []Part, schema *features.Schema) []Cause {
	for i := range parts[:min(top, len(parts))] {
		p := &parts[i]
		if p.Size == 0 {
			break
		}
		c := Cause{
			Group: p.Group, Column: p.Group, Event: p.Event, Share: p.Size,
			Seen: p.Seen, Expected: p.Expected, Direction: s.meaning(p),
		}
		c.SeenWords, c.ExpectedWords = s.words(p, p.Seen, schema), s.words(p, p.Expected, schema)
		switch {
		case p.Column >= 0:
			c.Column = s.columns[p.Column].Name
		case p.Attribute != "" && p.Attribute != features.CellType:
			c.Column += "/" + p.Attribute
		}
		if _, named := s.levels(p, schema); named {
			c.Seen, c.Expected = math.NaN(), math.NaN()
		}
		to = append(to, c)
	}
	return to
}

// levels are the names of a part's values, where they are ids.
func (s *senses) levels(p *Part, schema *features.Schema) ([]string, bool) {
	numeric := len(schema.Columns()) - len(schema.Levels())
	switch {
	case p.Column >= numeric && p.Column < numeric+len(schema.Levels()):
		return schema.Levels()[p.Column-numeric], true
	case p.Column >= 0:
		return nil, false
	}
	name, ok := strings.CutPrefix(p.Group, "attribute:")
	if p.Attribute != "" && p.Attribute != features.CellType {
		name, ok = p.Attribute, true
	}
	if !ok {
		return schema.Types, true
	}
	for _, field := range schema.Attributes {
		if field.Name == name && field.Kind == features.Categorical {
			return field.Levels, true
		}
	}
	return nil, false
}

// durationWords says a number of seconds.
func durationWords(seconds float64) string {
	for _, unit := range []struct {
		seconds float64
		name    string
	}{{86400, "days"}, {3600, "h"}, {60, "min"}} {
		if seconds >= 2*unit.seconds {
			return strconv.FormatFloat(seconds/unit.seconds, 'g', 3, 64) + " " + unit.name
		}
	}
	return strconv.FormatFloat(seconds, 'g', 3, 64) + " s"
}

// words are a part's value with its unit.
func (s *senses) words(p *Part, value float64, schema *features.Schema) string {
	if value != value {
		return "nothing"
	}
	if levels, named := s.levels(p, schema); named {
		switch at := int(value) - features.FirstKnownID; {
		case at >= 0 && at < len(levels):
			return levels[at]
		case value == features.MissingID:
			return "nothing"
		}
		return "something never seen"
	}
	if p.Attribute == features.CellGap {
		return durationWords(value)
	}
	text := strconv.FormatFloat(value, 'g', 3, 64)
	if math.Abs(value) >= 100 {
		text = strconv.FormatFloat(value, 'f', 0, 64)
	}
	if p.Column < 0 {
		return text
	}
	switch name := s.columns[p.Column].Name; {
	case strings.HasSuffix(name, "_days") && !strings.HasSuffix(name, "active_days"), strings.HasSuffix(name, "/silence"):
		return text + " days"
	case strings.HasSuffix(name, "_hour") && !strings.HasSuffix(name, "busiest_hour"):
		return text + " h"
	}
	return text
}
