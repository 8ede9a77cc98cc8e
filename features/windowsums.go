package features

import (
	"math"
	"slices"
)

// windowSums counts and sums the tail over the windows at one moment.
//
// They are summed anew at each Encode, from the newest event to the oldest:
// sums kept by adding and subtracting would depend on when Encode was called.
type windowSums struct {
	windows []int64
	edges   []int64      // ascending ages at which a window, or the one before it, ends
	ends    [][2]int     // of each window: the edges of it and of twice its length
	types   int          // event types that are counted, the first ones
	width   int          // numeric attributes
	cells   []windowCell // (edges, 1+types+width): all events, each type, each attribute
}

// A windowCell counts and sums from age 0 to an edge.
type windowCell struct {
	count int
	sum   float64
}

func (w *windowSums) init(s *Schema) {
	w.windows = s.Windows
	w.types, w.width = s.windowTypes(), len(s.compiled.numbers)
	for _, window := range s.Windows {
		w.edges = append(w.edges, window, 2*window)
	}
	slices.Sort(w.edges)
	w.edges = slices.Compact(w.edges)
	for _, window := range s.Windows {
		w.ends = append(w.ends, [2]int{slices.Index(w.edges, window), slices.Index(w.edges, 2*window)})
	}
	w.cells = make([]windowCell, len(w.edges)*w.stride())
}

func (w *windowSums) stride() int { return 1 + w.types + w.width }

// sum fills the cells for the encoder's moment.
func (w *windowSums) sum(e *Encoder) {
	clear(w.cells)
	if len(w.edges) == 0 {
		return
	}
	t, edge, stride := &e.tail, 0, w.stride()
	for i := len(t.times) - 1; i >= max(t.head, len(t.times)-t.most); i-- {
		age := e.at - t.times[i].time
		for edge < len(w.edges) && age >= w.edges[edge] {
			edge++
		}
		if edge == len(w.edges) {
			break
		}
		cells := w.cells[edge*stride : (edge+1)*stride]
		cells[0].count++
		if k := int(t.types[i]) - FirstKnownID; k >= 0 && k < w.types {
			cells[1+k].count++
		}
		for k, x := range t.row(i) {
			if !math.IsNaN(x) {
				cells[1+w.types+k].count++
				cells[1+w.types+k].sum += x
			}
		}
	}
	for i := stride; i < len(w.cells); i++ { // from bands of age to everything younger than the edge
		w.cells[i].count += w.cells[i-stride].count
		w.cells[i].sum += w.cells[i-stride].sum
	}
}

// at is a cell of one window: 0 for all events, then the types, then the
// attributes.
func (w *windowSums) cell(window, position int) windowCell {
	return w.cells[w.ends[window][0]*w.stride()+position]
}

// before is the same cell of the window that lies just before it.
func (w *windowSums) before(window, position int) windowCell {
	both := w.cells[w.ends[window][1]*w.stride()+position]
	now := w.cell(window, position)
	return windowCell{both.count - now.count, both.sum - now.sum}
}

// windowTypes is the number of event types counted per window.
func (s *Schema) windowTypes() int { return min(s.Frequent, s.Options.WindowTypes) }
