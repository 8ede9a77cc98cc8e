package features

import (
	"cmp"
	"math"
	"slices"
)

const (
	maxAnswerTypes = 32     // with more different types than that, none is looked at for answers
	answerJourneys = 20_000 // that are looked at, at most
	answerLeast    = 50     // of them, in which the answer came
	answerGain     = 20     // of log-likelihood, in nats: the best of some hundreds of pairs that mean nothing gains about 10
)

// answerStats keeps, of a sample of the journeys, when the last event of each
// type was and what came of it.
type answerStats struct {
	ids      map[string]int
	many     bool // there are too many types
	halvings int  // journeys are kept whose hash ends in so many zeros
	rows     []answerRow
}

// An answerRow is one journey as seen at its moment.
type answerRow struct {
	key    uint64    // the customer's hash
	labels []float32 // by target, NaN unknown
	lasts  []lastEvent
}

// A lastEvent is the last of one type.
type lastEvent struct {
	kind, count int   // count is that of all events of the type
	age         int64 // microseconds
}

// add meets a journey that was not met before. Which ones are kept does not
// depend on their order.
func (s *answerStats) add(key uint64, events []Event, at int64, labels []float32) {
	row := answerRow{key: key, labels: slices.Clone(labels)}
	for i := range events {
		kind, ok := s.know(events[i].Type)
		if !ok {
			s.rows = nil
			return
		}
		k := slices.IndexFunc(row.lasts, func(l lastEvent) bool { return l.kind == kind })
		if k < 0 {
			k, row.lasts = len(row.lasts), append(row.lasts, lastEvent{kind: kind})
		}
		row.lasts[k].count, row.lasts[k].age = row.lasts[k].count+1, at-events[i].Time
	}
	if len(labels) == 0 || !s.keeps(&row) {
		return
	}
	for s.rows = append(s.rows, row); len(s.rows) > answerJourneys; {
		s.halvings++
		s.rows = slices.DeleteFunc(s.rows, func(r answerRow) bool { return !s.keeps(&r) })
	}
}

func (s *answerStats) keeps(r *answerRow) bool { return r.key&(1<<s.halvings-1) == 0 }

// know numbers the types as they are met, unless there are too many.
func (s *answerStats) know(kind string) (id int, ok bool) {
	id, known := s.ids[kind]
	if s.many = s.many || !known && len(s.ids) == maxAnswerTypes; s.many {
		return 0, false
	}
	if !known {
		if s.ids == nil {
			s.ids = make(map[string]int)
		}
		id = len(s.ids)
		s.ids[kind] = id
	}
	return id, true
}

// choose takes the pair that gains most, then the next of a type that has no
// answer yet, and so on. Of two types at most one answers the other.
func (s *answerStats) choose(types []string) (answers []Answer) {
	if s.many || len(s.rows) == 0 {
		return nil
	}
	gains := s.gains(types)
	var pairs []Answer
	for a := range gains {
		for b, gain := range gains[a] {
			if gain > answerGain {
				pairs = append(pairs, Answer{a, b})
			}
		}
	}
	slices.SortStableFunc(pairs, func(p, q Answer) int { return cmp.Compare(gains[q.Type][q.By], gains[p.Type][p.By]) })
	for _, p := range pairs {
		if !slices.ContainsFunc(answers, func(a Answer) bool { return a.Type == p.Type || a == Answer{p.By, p.Type} }) {
			answers = append(answers, p)
		}
	}
	slices.SortFunc(answers, func(p, q Answer) int { return cmp.Compare(p.Type, q.Type) })
	return answers
}

// gains are the log-likelihoods won over all targets, (types, types), by taking
// events of a type that another answered for none.
func (s *answerStats) gains(types []string) [][]float64 {
	slices.SortFunc(s.rows, func(a, b answerRow) int { return cmp.Compare(a.key, b.key) }) // sums do not depend on the order of Add
	gains := make([][]float64, len(types))
	for a := range gains {
		gains[a] = make([]float64, len(types))
	}
	for target := range s.rows[0].labels {
		m := s.model(target, types)
		m.fit()
		for a := range gains {
			for b := range gains[a] {
				if a != b {
					gains[a][b] += m.gain(a, b)
				}
			}
		}
	}
	return gains
}

// Levels of a factor: rungs of the window ladder, or numbers of events.
const (
	never        = windowRungs // no event
	answerLevels = windowRungs + 1
	mostCounted  = 4
)

// An answerModel is an additive logistic model of one target. Its factors are,
// of each type, how long ago the last event was and how many there were.
type answerModel struct {
	ages    [][]int64               // (types, rows), -1 for never
	levels  [][]uint8               // (2*types, rows)
	effects [][answerLevels]float64 // (2*types), log-odds
	labels  []float64
	odds    []float64 // (rows), the sum of the effects
}

func (s *answerStats) model(target int, types []string) *answerModel {
	m := &answerModel{effects: make([][answerLevels]float64, 2*len(types))}
	for i := range s.rows {
		if y := s.rows[i].labels[target]; y == y {
			m.labels = append(m.labels, float64(y))
		}
	}
	m.odds = make([]float64, len(m.labels))
	for _, kind := range types {
		id, ok := s.ids[kind]
		if !ok {
			id = -1 // met in other cuts alone
		}
		var ages []int64
		var rungs, counts []uint8
		for i := range s.rows {
			if y := s.rows[i].labels[target]; y != y {
				continue
			}
			age, rung, count := int64(-1), uint8(never), uint8(0)
			for _, l := range s.rows[i].lasts {
				if l.kind == id {
					age, rung, count = l.age, uint8(rungFrom(0, l.age)), uint8(min(l.count, mostCounted))
				}
			}
			ages, rungs, counts = append(ages, age), append(rungs, rung), append(counts, count)
		}
		m.ages, m.levels = append(m.ages, ages), append(m.levels, rungs, counts)
	}
	return m
}

// fit goes over the factors again and again.
func (m *answerModel) fit() {
	const sweeps = 30
	for range sweeps {
		for f, levels := range m.levels {
			m.refit(m.odds, levels, &m.effects[f])
		}
	}
}

// refit moves the effects of a factor's levels, and the odds with them, by one
// Newton step. Effects have a standard normal prior, so that levels of few
// journeys tell little.
func (m *answerModel) refit(odds []float64, levels []uint8, effects *[answerLevels]float64) {
	var slopes, bends [answerLevels]float64
	for i, level := range levels {
		p := 1 / (1 + math.Exp(-odds[i]))
		slopes[level] += m.labels[i] - p
		bends[level] += p * (1 - p)
	}
	for level := range slopes {
		slopes[level] = (slopes[level] - effects[level]) / (bends[level] + 1)
		effects[level] += slopes[level]
	}
	for i, level := range levels {
		odds[i] += slopes[level]
	}
}

// gain is the log-likelihood that is won where events of type a that type b
// answered are taken for none, and what both mean is fitted anew.
func (m *answerModel) gain(a, b int) float64 {
	const sweeps = 4
	odds, levels, answered := slices.Clone(m.odds), slices.Clone(m.levels[2*a]), 0
	first, count, second := m.effects[2*a], m.effects[2*a+1], m.effects[2*b]
	for i, level := range levels {
		if by := m.ages[b][i]; by >= 0 && by <= m.ages[a][i] {
			levels[i] = never
			odds[i] += first[never] - first[level]
			answered++
		}
	}
	if answered < answerLeast {
		return 0
	}
	for range sweeps {
		m.refit(odds, levels, &first)
		m.refit(odds, m.levels[2*a+1], &count)
		m.refit(odds, m.levels[2*b], &second)
	}
	return m.likelihood(odds) - m.likelihood(m.odds)
}

func (m *answerModel) likelihood(odds []float64) (sum float64) {
	for i, x := range odds {
		sum += m.labels[i]*x - math.Log1p(math.Exp(x))
	}
	return sum
}
