package features

import (
	"fmt"
	"slices"
)

// An Answer is a pair of event types of which one ends what the other meant, as
// a solution does for a complaint and a purchase for a quote: in training, how
// long ago the last event of the one was told more about the outcomes when it
// was taken for none where an event of the other had come since.
//
// What an event means must not be looked for in a column that tells of ended
// ones too: networks then share out the effect of open events among all.
type Answer struct {
	Type int `json:"type"` // in Schema.Types, among the frequent ones
	By   int `json:"by"`
}

func (s *Schema) validateAnswers() error {
	before := -1
	for _, a := range s.Answers {
		if a.Type <= before || a.By == a.Type || min(a.Type, a.By) < 0 || max(a.Type, a.By) >= s.Frequent {
			return fmt.Errorf("features: schema: type %d is answered by %d after type %d, want two of the %d frequent types, ascending", a.Type, a.By, before, s.Frequent)
		}
		before = a.Type
	}
	return nil
}

// answeredBy lists, for each frequent type, which answers it, or -1.
func (s *Schema) answeredBy() []int {
	by := slices.Repeat([]int{-1}, s.Frequent)
	for _, a := range s.Answers {
		by[a.Type] = a.By
	}
	return by
}

// typeColumnsUnless makes a column of each frequent type: of one name where
// nothing answers it, or else of another, which says what does.
func typeColumnsUnless(s *Schema, types int, plain, answered string) []Column {
	var columns []Column
	for k, by := range s.answeredBy()[:types] {
		name := plain
		if by >= 0 {
			name = answered + "(" + s.Types[by] + ")"
		}
		columns = append(columns, grouped("event:"+s.Types[k], name)...)
	}
	return columns
}

// open says whether an event of a frequent type, at a time of the journey, has
// not been answered since.
func (e *Encoder) open(kind int, time int64) bool {
	by := e.schema.answeredBy[kind]
	return by < 0 || e.types[by].count == 0 || time > e.types[by].last
}
