package infer

import (
	"math"
	"slices"

	"moments/features"
)

// A trail is what remains of the events of one journey once their likelihoods
// have been seen: their number, and the most surprising of them. It is a row of
// whole and finite numbers, so that a live journey carries it as it carries
// states, and what is said of a journey does not depend on whether it was
// followed or read whole.
type trail []float32

// Places of a trail: the number of events, and the entries by falling surprise.
const (
	trailEvents  = 0
	trailEntries = 1
	trailKept    = 4 // entries
	trailWidth   = trailEntries + trailKept*entryWidth
)

// Places of an entry.
const (
	entryEvent    = iota // index of the journey's event
	entrySurprise        // -log p; 0 of an entry that is not taken
	entryType            // id of the event's type
	entryCell            // the attribute that surprises most
	entryValue           // its value
	entryNumber          // of a number's cell: the number as tokens hold it, 0 where it is missing
	entryExpected        // the value that was expected
	entryWidth
)

// leastP is the least p-value of an event: below, networks are not to be
// believed.
const leastP = 1e-12

// Bounds of what an entry holds: -log leastP, and the logarithm of the largest
// number, each rounded up.
const (
	mostSurprise = 28
	mostNumber   = 710
)

func (t trail) events() int { return int(t[trailEvents]) }

func (t trail) entry(k int) []float32 { return t[trailEntries+k*entryWidth:][:entryWidth] }

// taken is the number of entries.
func (t trail) taken() int {
	for k := range trailKept {
		if t.entry(k)[entrySurprise] == 0 {
			return k
		}
	}
	return trailKept
}

// admits counts an event, and says whether it surprises enough to be kept: of
// events that surprise alike, the earlier is.
func (t trail) admits(surprise float32) bool {
	t[trailEvents]++
	return surprise > t.entry(trailKept - 1)[entrySurprise]
}

// keep puts an entry of the last event into its place.
func (t trail) keep(entry [entryWidth]float32) {
	entry[entryEvent] = t[trailEvents] - 1
	k := trailKept - 1
	for ; k > 0 && t.entry(k - 1)[entrySurprise] < entry[entrySurprise]; k-- {
		copy(t.entry(k), t.entry(k-1))
	}
	copy(t.entry(k), entry[:])
}

// score is -log of the probability that a journey of so many events has one as
// surprising or more (Šidák's correction), 0 without events.
func (t trail) score() float32 {
	if t.events() == 0 {
		return 0
	}
	return float32(-math.Log(atLeastOne(math.Exp(-float64(t.entry(0)[entrySurprise])), t.events())))
}

// atLeastOne is the probability that at least one of n independent events of
// probability p happens.
func atLeastOne(p float64, n int) float64 {
	return -math.Expm1(float64(n) * math.Log1p(-min(p, 1-1e-16)))
}

// appendParts appends one part for each kept event that surprises more than the
// most surprising of so many are bound to; the first in any case.
func (t trail) appendParts(to []Part, r *eventsRead) []Part {
	start, total, bound := len(to), 0.0, math.Log(float64(max(t.events(), 1)))
	for k := range t.taken() {
		e := t.entry(k)
		size := float64(e[entrySurprise]) - bound
		if size <= 0 && k > 0 {
			break
		}
		part := r.part(e)
		part.Size = max(size, math.SmallestNonzeroFloat32)
		total += part.Size
		to = append(to, part)
	}
	for i := range to[start:] {
		to[start+i].Size /= total
	}
	return to
}

// A Surprise is how unlikely one event of a journey was when it came.
type Surprise struct {
	Part         // what was seen and expected of the attribute that surprises most; without Size
	P    float64 // the probability of an event as unlikely as it, or more
}

func (r *eventsRead) surprise(e []float32) Surprise {
	return Surprise{r.part(e), math.Exp(-float64(e[entrySurprise]))}
}

func (r *eventsRead) part(e []float32) Part {
	cell := r.cells[int(e[entryCell])]
	p := Part{
		Group: r.groups[int(e[entryType])], Event: int(e[entryEvent]), Column: -1, Attribute: cell.Name,
		Seen: r.schema.CellValue(cell, int(e[entryValue])), Expected: r.schema.CellValue(cell, int(e[entryExpected])),
	}
	if cell.Kind == features.Numeric {
		if e[entryValue] != features.MissingID {
			p.Seen = cell.Own(float64(e[entryNumber]))
		}
		switch {
		case p.Seen > p.Expected:
			p.Sign = 1
		case p.Seen < p.Expected:
			p.Sign = -1
		}
	}
	return p
}

// eventsRead is what evidence of events knows of them.
type eventsRead struct {
	schema       *features.Schema
	cells        []features.Cell // the attributes that it looks at
	groups       []string        // by the type's id
	ids, numbers int             // of a token
}

func newEventsRead(schema *features.Schema, cells []features.Cell) eventsRead {
	r := eventsRead{schema: schema, cells: cells, numbers: len(schema.TokenColumns())}
	_, _, cardinalities, _ := schema.TokenTable()
	r.ids = len(cardinalities)
	r.groups = append(r.groups, "event:(none)", "event:(never seen)") // of features.MissingID and features.UnseenID
	for _, name := range schema.Types {
		r.groups = append(r.groups, "event:"+name)
	}
	return r
}

// demand refuses an example without tokens of the schema.
func (r *eventsRead) demand(ex *features.Example, reader string) error {
	return checkTokens(ex, reader, r.ids, r.numbers)
}

// valid says whether a trail that came from elsewhere can be one of so many events.
func (t trail) valid(cells []features.Cell, events int) bool {
	whole := func(x float32, below int) bool { return x >= 0 && x < float32(below) && x == float32(int(x)) }
	if t[trailEvents] != float32(events) {
		return false
	}
	for k := range trailKept {
		e := t.entry(k)
		if e[entrySurprise] == 0 && k >= t.taken() {
			continue
		}
		if !(e[entrySurprise] > 0 && e[entrySurprise] <= mostSurprise && math.Abs(float64(e[entryNumber])) <= mostNumber) || !whole(e[entryCell], len(cells)) || !whole(e[entryEvent], t.events()) || !whole(e[entryType], cells[0].Size) {
			return false
		}
		size := cells[int(e[entryCell])].Size
		if !whole(e[entryValue], size) || !whole(e[entryExpected], size) || k > 0 && e[entrySurprise] > t.entry(k - 1)[entrySurprise] {
			return false
		}
	}
	return !slices.ContainsFunc(t, notFinite)
}

// A distribution is what was expected of one attribute of an event: the
// probability of each of its values.
type distribution []float32

// tail is the probability of values that are as likely as the given one, or
// less.
func (d distribution) tail(value int) float64 {
	bound, sum := d[value], 0.0
	for _, p := range d {
		if p <= bound {
			sum += float64(p)
		}
	}
	return min(sum, 1)
}

// expected is the likeliest value of a category, and the middle of a number's
// distribution.
func (d distribution) expected(kind features.Kind) int {
	best, sum := 0, 0.0
	for v, p := range d {
		if kind == features.Numeric {
			if sum += float64(p); sum >= 0.5 {
				return v
			}
		}
		if p > d[best] {
			best = v
		}
	}
	return best
}
