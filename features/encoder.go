package features

import "math"

// An Example is a journey cut at its cutoff and encoded.
type Example struct {
	Customer string
	Cutoff   Cutoff
	Numeric  []float32 // in the columns' own units, NaN missing, never infinite
	Category []int32   // vocabulary ids: MissingID, UnseenID or known
	Habits   []Habit   // of Schema.HabitColumns, which detectors of anomalies read and classifiers do not
	Tokens   *Tokens   // of the journey's events, the first Cutoff.Events of which the example sees; nil unless EncodeTokens or the caller gathers them
	Labels   []float32 // one per target, NaN unknown; filled by the caller
	Anomaly  float32   // 1 of a labelled anomaly, 0 of one labelled normal, NaN unknown; filled by the caller
}

// An Encoder holds the state of one journey and encodes it at any moment.
//
// Its memory is bounded by the schema, not by the number of events. Start and
// Append change the state, Encode does not: encoding a journey whole, event by
// event, or with Encode called in between gives the same bits. A warm encoder
// allocates nothing. One goroutine may use it at a time.
type Encoder struct {
	schema     *compiled
	rhythms    Rhythms // of training
	profile    []Value // the values that Start was given, by kept field
	count      int     // events
	start      instant // what the journey's age counts from: its first event, unless Begin said otherwise
	begun      bool    // Begin did
	first      instant
	last       instant
	lastGap    int64   // microseconds before the last event, 0 before the journey's first
	lastIDs    []int32 // of the last event: its type, and its kept categorical attributes
	rhythm     rhythmState
	types      []typeState     // one for each frequent type, then one for all others
	numbers    []numberState   // one for each kept numeric attribute
	categories []categoryState // one for each kept categorical attribute
	tail       tail
	windows    windowSums // scratch of Encode
	gaps       []int64    // scratch of Encode
	diary      diary      // scratch of Encode
	sparing    bool       // Encode leaves habits out
	at         int64      // the moment that Encode is at
}

// An instant is a time with the clock of its place.
type instant struct {
	time   int64 // microseconds, UTC
	offset int32 // seconds east
}

// NewEncoder makes an encoder for one journey at a time. It panics when the
// schema was neither fitted nor read from JSON.
func (s *Schema) NewEncoder() *Encoder {
	c := s.compiled
	e := &Encoder{
		schema: c, rhythms: s.Rhythms,
		profile:    make([]Value, len(c.profile)),
		types:      make([]typeState, s.Frequent+1),
		numbers:    make([]numberState, len(c.numbers)),
		categories: make([]categoryState, len(c.categories)),
		lastIDs:    make([]int32, 1+len(c.categories)),
	}
	for i := range e.categories {
		e.categories[i].init(len(c.categories[i].Levels), s.Options.LevelCounts, c.categories[i].Dated)
	}
	e.windows.init(s)
	e.tail.init(s)
	e.diary.init(s)
	e.Start(nil)
	return e
}

// Start begins a new journey and forgets the one before. profile follows
// Layout.Profile; it may be nil or short, and what it lacks is missing.
func (e *Encoder) Start(profile []Value) {
	e.SetProfile(profile)
	e.count, e.lastGap = 0, 0
	clear(e.lastIDs)
	e.start, e.begun = instant{}, false
	e.first, e.last = instant{}, instant{}
	e.rhythm = rhythmState{}
	clear(e.types)
	clear(e.numbers)
	for i := range e.categories {
		e.categories[i].reset()
	}
	e.tail.reset()
}

// SetProfile replaces what Start was given. The events so far stay: no state of
// theirs depends on it.
func (e *Encoder) SetProfile(profile []Value) {
	for i := range e.profile {
		e.profile[i] = valueAt(profile, e.schema.profile[i].at)
	}
}

// Begin says what a journey began with, where that event itself is left out:
// ages count from it, it was the first of its type, and the first session is as
// long as it was, but it is no event of the journey. It comes right after Start,
// and no later event may be older.
//
// When and by what a customer came says who the customer is, as the profile
// does. Who asks what the first event did must not be told what it would have
// meant to come later, or by something else.
func (e *Encoder) Begin(ev *Event) {
	e.start, e.begun = instant{time: boundTime(ev.Time), offset: ev.Offset}, true
	e.types[e.slot(idOf(e.schema.types, ev.Type))].begin(e.start.time)
	e.rhythm.begin()
}

// Append adds the next event of the journey in constant time, amortised.
// Events come in time order; one that is older than its predecessor is taken
// to happen at the same time as that. Infinite numbers are missing ones.
func (e *Encoder) Append(ev *Event) {
	now, gap, silence := instant{time: boundTime(ev.Time), offset: ev.Offset}, int64(-1), int64(-1)
	if e.count > 0 {
		now.time = max(now.time, e.last.time)
		gap = now.time - e.last.time
		silence = gap
	} else {
		if e.begun {
			now.time = max(now.time, e.start.time)
			silence = now.time - e.start.time
		} else {
			e.start = now
		}
		e.first = now
	}
	e.rhythm.add(now, gap, silence)
	e.count++
	e.last = now
	e.lastGap = max(gap, 0)
	e.lastIDs[0] = idOf(e.schema.types, ev.Type)
	e.types[e.slot(e.lastIDs[0])].add(now.time)
	e.tail.push(now, e.lastIDs[0])
	for i := range e.numbers {
		x := number(valueAt(ev.Values, e.schema.numbers[i].at))
		e.numbers[i].add(x)
		if code := &e.schema.numbers[i]; code.Dated {
			e.numbers[i].date(x-code.Middle, now.time)
		}
		e.tail.pushNumber(x)
	}
	for i := range e.categories {
		code := &e.schema.categories[i]
		id := idOf(code.ids, valueAt(ev.Values, code.at).Text)
		e.categories[i].add(id, now.time)
		e.lastIDs[1+i] = id
	}
}

// slot is the position of a type in e.types.
func (e *Encoder) slot(id int32) int {
	if k := int(id) - FirstKnownID; k >= 0 && k < len(e.types)-1 {
		return k
	}
	return len(e.types) - 1
}

// Encode writes the journey as seen at the moment at, the cutoff's Time in
// microseconds; a moment before the last event is taken to be the last
// event's. It sets all of ex but Customer and Labels, reusing its slices.
func (e *Encoder) Encode(at int64, ex *Example) {
	e.at = boundTime(at)
	if e.count > 0 {
		e.at = max(e.at, e.last.time)
	}
	ex.Cutoff = Cutoff{Time: at, Events: e.count}
	e.windows.sum(e)
	ex.Numeric, ex.Category = ex.Numeric[:0], ex.Category[:0]
	for _, family := range e.schema.families {
		if family.numbers != nil {
			ex.Numeric = family.numbers(e, ex.Numeric)
		}
		if family.ids != nil {
			ex.Category = family.ids(e, ex.Category)
		}
	}
	if ex.Habits = ex.Habits[:0]; !e.sparing {
		ex.Habits = e.habits(ex.Habits)
	}
}

// EncodeJourney encodes the journey as seen at a cutoff: Start, Append for
// each of the first c.Events events, Encode.
func (e *Encoder) EncodeJourney(j *Journey, c Cutoff, ex *Example) { e.encodeJourney(j, c, ex, nil) }

// EncodeTokens is EncodeJourney that gathers ex.Tokens, too, in their own
// memory where there is some.
func (e *Encoder) EncodeTokens(j *Journey, c Cutoff, ex *Example) {
	if ex.Tokens == nil {
		ex.Tokens = &Tokens{}
	}
	ex.Tokens.Reset()
	e.encodeJourney(j, c, ex, ex.Tokens)
}

// encodeJourney gathers tokens unless they are nil.
func (e *Encoder) encodeJourney(j *Journey, c Cutoff, ex *Example, tokens *Tokens) {
	e.Start(j.Profile)
	for i := range min(max(c.Events, 0), len(j.Events)) {
		e.Append(&j.Events[i])
		if tokens != nil {
			e.AppendToken(tokens)
		}
	}
	e.Encode(c.Time, ex)
	ex.Customer, ex.Cutoff = j.Customer, c
}

// boundTime keeps differences of times within an int64: four billion weeks
// around 1970 are room enough.
func boundTime(micros int64) int64 {
	return min(max(micros, math.MinInt64/4), math.MaxInt64/4)
}

// inDays converts microseconds.
func inDays(micros int64) float64 { return float64(micros) / float64(Day) }

// day is the number of the local day since 1970-01-01.
func (t instant) day() int64 { return floorDiv(t.local(), Day) }

// local is the reading of the local clock in microseconds.
func (t instant) local() int64 { return t.time + int64(t.offset)*Second }

// hour is the local time of day in hours, 0 to 24.
func (t instant) hour() float64 {
	return float64(t.local()-t.day()*Day) / float64(Hour)
}

// weekday is 0 on Monday and 6 on Sunday, at the local clock.
func (t instant) weekday() float64 {
	n := t.day() + 3 // 1970-01-01 was a Thursday
	return float64(n - 7*floorDiv(n, 7))
}

// narrow is x as a float32 that is never infinite; all missing numbers have the
// same bits.
func narrow(x float64) float32 {
	if math.IsNaN(x) {
		return missing
	}
	return float32(min(max(x, -math.MaxFloat32), math.MaxFloat32))
}
