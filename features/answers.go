package features

import (
	"fmt"
	"math/bits"
)

// An Answer is a pair of event types of which one answers the other, as a
// solution does a complaint: in training nearly every event of the one came
// after an event of the other that was not answered yet, and more of these were
// answered than not, but by far not all. What such an event meant is often over once it is answered.
type Answer struct {
	Type int `json:"type"` // in Schema.Types, among the frequent ones
	By   int `json:"by"`
}

const (
	maxAnswerTypes = 64  // with more different types than that, none is looked at for answers
	answerShare    = 0.9 // of the answers that come after what they answer
	answeredShare  = 0.5 // of what is answered, at least: what is rarer comes after it by chance
	answeredMost   = 0.8 // and at most: what is nearly always answered is only ever open for lack of time, and what it would mean for longer cannot be learnt
)

// answerStats counts how often events of one type come after one of another
// type, since the last of their own.
type answerStats struct {
	ids    map[string]int
	many   bool // there are too many types
	events [maxAnswerTypes]int
	met    [maxAnswerTypes][maxAnswerTypes]int // [type][by]
}

// add meets the events of a journey that was not met before: a second cut of it
// at the same moment holds no others.
func (s *answerStats) add(events []Event) {
	for i := range events {
		s.know(events[i].Type)
	}
	if s.many {
		return
	}
	var since [maxAnswerTypes]uint64 // by type: the set of the types met since its last event
	for i := range events {
		by := s.ids[events[i].Type]
		s.events[by]++
		for open := since[by]; open != 0; open &= open - 1 {
			s.met[bits.TrailingZeros64(open)][by]++
		}
		for other := range len(s.ids) {
			since[other] |= 1 << by
		}
		since[by] = 0
	}
}

// know numbers the types as they are met.
func (s *answerStats) know(kind string) {
	if _, known := s.ids[kind]; known || s.many {
		return
	}
	if s.ids == nil {
		s.ids = make(map[string]int)
	}
	if s.many = len(s.ids) == maxAnswerTypes; !s.many {
		s.ids[kind] = len(s.ids)
	}
}

// choose lists, for each type, the most frequent one that answers it, if any.
func (s *answerStats) choose(types []string) (answers []Answer) {
	if s.many {
		return nil
	}
	for a, kind := range types {
		best := Answer{Type: -1}
		for b, by := range types {
			if s.answers(s.ids[kind], s.ids[by]) && (best.Type < 0 || s.events[s.ids[by]] > s.events[s.ids[types[best.By]]]) {
				best = Answer{a, b}
			}
		}
		if best.Type >= 0 {
			answers = append(answers, best)
		}
	}
	return answers
}

func (s *answerStats) answers(kind, by int) bool {
	all, n := float64(s.events[kind]), float64(s.events[by])
	return float64(s.met[kind][by]) >= answerShare*n && n >= answeredShare*all && n <= answeredMost*all
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

// Per type that another answers: how long ago the last one was that is not
// answered.

func unansweredColumns(s *Schema) []Column {
	var columns []Column
	for _, a := range s.Answers {
		columns = append(columns, grouped("event:"+s.Types[a.Type], "unanswered_days("+s.Types[a.By]+")")...)
	}
	return columns
}

func unanswered(e *Encoder, row []float32) []float32 {
	for _, a := range e.schema.answers {
		asked, answer := &e.types[a.Type], &e.types[a.By]
		row = append(row, e.daysSince(asked.last, asked.count > 0 && (answer.count == 0 || asked.last > answer.last)))
	}
	return row
}
