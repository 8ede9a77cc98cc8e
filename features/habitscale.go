package features

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A HabitScale is what training showed of one habit.
type HabitScale struct {
	Typical float32 `json:"typical"` // median of what was seen
	Low     Tail    `json:"low"`     // of surprises with their signs changed; the zero Tail where less is no surprise
	High    Tail    `json:"high"`    // of surprises
}

// A Tail is the end of a distribution: a twentieth lies beyond the edge, and
// beyond it the density falls by e every slope. Both are taken from the last
// twentieth without its last fifth, where the anomalies of the training part
// are.
type Tail struct {
	Edge  float64 `json:"edge"`
	Slope float64 `json:"slope"`
}

const (
	tailShare = 0.05 // beyond the edge
	tailInner = 0.01 // beyond what the slope is taken from
	leastTail = 0.4  // the least slope, in surprises: counts are coarse
)

// evidence is the negative logarithm of the share of the distribution beyond x;
// 0 short of the edge.
func (t Tail) evidence(x float64) float64 {
	if t.Slope == 0 || x <= t.Edge {
		return 0
	}
	return -math.Log(tailShare) + (x-t.Edge)/t.Slope
}

// Evidence says how unusual a habit is: the negative logarithm of about the
// share of training journeys with such a surprise, 0 for the usual nineteen of
// twenty. more says on which side it is.
func (h *HabitScale) Evidence(x Habit) (evidence float64, more bool) {
	low, high := h.Low.evidence(-float64(x.Surprise)), h.High.evidence(float64(x.Surprise))
	return max(low, high), high >= low
}

// fitHabits fits the scales of all habits on training examples.
func (s *Schema) fitHabits(examples []Example) error {
	columns := s.HabitColumns()
	s.Habits = nil
	for i := range examples {
		if got := len(examples[i].Habits); got != len(columns) {
			return fmt.Errorf("features: example %d has %d habits, want %d: encode it with this schema", i, got, len(columns))
		}
	}
	seen, surprises := make([]float32, len(examples)), make([]float32, len(examples))
	for k, column := range columns {
		for i := range examples {
			seen[i], surprises[i] = examples[i].Habits[k].Seen, examples[i].Habits[k].Surprise
		}
		slices.Sort(seen)
		slices.Sort(surprises)
		scale := HabitScale{Typical: seen[len(seen)/2], High: newTail(surprises)}
		if strings.Contains(column.Name, "/pace_") {
			for i := range surprises {
				surprises[i] = -surprises[i]
			}
			slices.Reverse(surprises)
			scale.Low = newTail(surprises)
		}
		s.Habits = append(s.Habits, scale)
	}
	return nil
}

func newTail(sorted []float32) Tail {
	edge, inner := float64(quantile(sorted, 1-tailShare)), float64(quantile(sorted, 1-tailInner))
	return Tail{Edge: edge, Slope: max(leastTail, (inner-edge)/math.Log(tailShare/tailInner))}
}

// validateHabits checks the scales against the columns they are for.
func (s *Schema) validateHabits() error {
	columns := s.HabitColumns()
	if n := len(s.Habits); n != 0 && n != len(columns) {
		return fmt.Errorf("features: schema has scales of %d habits, want %d", n, len(columns))
	}
	for i, h := range s.Habits {
		if !finite(h.Typical) || !h.Low.valid() || !h.High.valid() {
			return fmt.Errorf("features: schema: habit %q has typical value %v, edges %v and %v, slopes %v and %v, want finite ones and slopes of 0 or more",
				columns[i].Name, h.Typical, h.Low.Edge, h.High.Edge, h.Low.Slope, h.High.Slope)
		}
	}
	return nil
}

func (t Tail) valid() bool {
	return math.Abs(t.Edge) <= math.MaxFloat32 && t.Slope >= 0 && t.Slope <= math.MaxFloat32
}
