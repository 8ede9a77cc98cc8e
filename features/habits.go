package features

import (
	"math"
	"slices"
	"strings"
)

// A Habit compares what a journey did with its own past. Outcomes are predicted
// well without habits, so classifiers do not read them: they are for telling
// what is unusual about a journey by its own measure, where its row among many
// others is an ordinary one.
//
// [Schema.HabitColumns] names the habits of an example. For each frequent event
// type, and for all events together, they are
//
//	silence              days since the last one, beside its mean gap
//	pace_W               those of the last window, beside those that the pace of up to three windows before leads to
//	busiest_hour, ...    the most within any hour, day or week
//	busiest_week_AMOUNT  the largest sum of a numeric attribute within any week
//
// All are 0 where there is nothing to compare with.
type Habit struct {
	Seen     float32 // in the column's own units
	Expected float32 // by the journey's own past; missing for the busiest spans, which are compared with others' (HabitScale.Typical)

	// Surprise measures the difference, positive where more was seen. Counts are
	// compared as square roots, whose deviation is about 1 whatever the mean of a
	// Poisson count (Anscombe, "The transformation of Poisson, binomial and
	// negative-binomial data", 1948), amounts as logarithms.
	Surprise float32

	// Steady is how much of the pace that fewer events fall short of was there all
	// along, rather than in one burst: 1 where it was even, 0 where all came in a
	// quarter of the time, and in proportion less where the pace was kept up for a
	// shorter time than it is compared with. It is 0 of the busiest spans.
	Steady float32
}

// burstWindows are the lengths of the crowded spans that are looked for.
var burstWindows = [...]struct {
	name   string
	length int64
}{{"busiest_hour", Hour}, {"busiest_day", Day}, {"busiest_week", Week}}

// paceWindows is the number of windows that the earlier pace is taken from.
const paceWindows = 3

// HabitColumns lists the columns of Example.Habits.
func (s *Schema) HabitColumns() []Column {
	if s.Events == 0 {
		return nil
	}
	var columns []Column
	for slot := range s.Frequent + 1 {
		group := "timing"
		if slot < s.Frequent {
			group = "event:" + s.Types[slot]
		}
		columns = append(columns, grouped(group, s.habitNames()...)...)
	}
	return columns
}

// habitNames are the habits of one event type.
func (s *Schema) habitNames() []string {
	names := []string{"silence"}
	for _, window := range s.Windows {
		names = append(names, "pace_"+FormatDuration(window))
	}
	for _, burst := range burstWindows {
		names = append(names, burst.name)
	}
	for _, code := range s.compiled.numbers {
		names = append(names, "busiest_week_"+code.Name)
	}
	return names
}

// Busiest says whether a habit counts the events of a busiest span.
func (c Column) Busiest() bool {
	_, name, _ := strings.Cut(c.Name, "/")
	for _, window := range burstWindows {
		if name == window.name {
			return true
		}
	}
	return false
}

// A diary is the encoder's scratch for habits: the events of the tail by slot,
// which is a frequent type or, at last, all of them.
type diary struct {
	windows []int64
	width   int // numeric attributes
	times   [][]int64
	amounts [][]float64 // (events, width) of each slot, 0 for missing
}

func (d *diary) init(s *Schema) {
	if s.Events > 0 {
		*d = diary{
			windows: s.Windows, width: len(s.compiled.numbers),
			times: make([][]int64, s.Frequent+1), amounts: make([][]float64, s.Frequent+1),
		}
	}
}

// write files the events of the tail.
func (d *diary) write(e *Encoder) {
	for slot := range d.times {
		d.times[slot], d.amounts[slot] = d.times[slot][:0], d.amounts[slot][:0]
	}
	all := len(d.times) - 1
	for i := e.tail.head; i < len(e.tail.times); i++ {
		if slot := e.slot(e.tail.types[i]); slot < all {
			d.add(slot, &e.tail, i)
		}
		d.add(all, &e.tail, i)
	}
}

func (d *diary) add(slot int, t *tail, i int) {
	d.times[slot] = append(d.times[slot], t.times[i].time)
	for _, x := range t.row(i) {
		if math.IsNaN(x) {
			x = 0
		}
		d.amounts[slot] = append(d.amounts[slot], x)
	}
}

// LeaveOutHabits makes Encode leave Example.Habits empty, which halves its time,
// for those who predict outcomes alone.
func (e *Encoder) LeaveOutHabits() { e.sparing = true }

// habits appends the habits at the encoder's moment.
func (e *Encoder) habits(to []Habit) []Habit {
	d := &e.diary
	if len(d.times) == 0 {
		return to
	}
	d.write(e)
	for slot, times := range d.times {
		to = append(to, e.silenceHabit(times))
		for _, window := range d.windows {
			to = append(to, e.paceHabit(times, window))
		}
		for _, burst := range burstWindows {
			to = append(to, e.burstHabit(times, burst.length))
		}
		for k := range d.width {
			to = append(to, d.amountHabit(slot, k))
		}
	}
	return to
}

// silenceHabit is the time since the last event, beside the mean gap before.
// The surprise is that of a window as long as the silence.
func (e *Encoder) silenceHabit(times []int64) Habit {
	n := len(times)
	if n < 2 || times[n-1] == times[0] {
		return Habit{}
	}
	silence, span := e.at-times[n-1], times[n-1]-times[0]
	pace := e.paceHabit(times, silence)
	return Habit{narrow(inDays(silence)), narrow(inDays(span) / float64(n-1)), -pace.Surprise, pace.Steady}
}

// paceHabit is the events of the last window, beside the pace before it. The
// journey must have begun half a window before.
func (e *Encoder) paceHabit(times []int64, window int64) Habit {
	begin := e.at - window
	span := min(begin-e.start.time, paceWindows*window)
	if e.count == 0 || span < window/2 || span < paceParts {
		return Habit{}
	}
	end, _ := slices.BinarySearch(times, begin+1)
	start, _ := slices.BinarySearch(times, begin-span)
	ratio := float64(window) / float64(span)
	seen, expected := float64(len(times)-end), float64(end-start)*ratio
	return Habit{narrow(seen), narrow(expected), surprise(seen, expected, ratio), narrow(min(1, 1/ratio) * steadiness(times[start:end], begin-span, span))}
}

// Parts of the span that a pace is taken from, and the number of the least busy
// ones that tell whether it was steady.
const (
	paceParts  = 8
	paceSteady = 6
)

// steadiness is the share of the ascending times in the least busy parts of the
// span that begins at start, in units of what an even pace has there.
func steadiness(times []int64, start, span int64) float64 {
	if len(times) == 0 {
		return 0
	}
	var counts [paceParts]int
	for _, at := range times {
		counts[min((at-start)/(span/paceParts), paceParts-1)]++
	}
	slices.Sort(counts[:])
	steady := 0
	for _, n := range counts[:paceSteady] {
		steady += n
	}
	return float64(steady*paceParts) / float64(paceSteady*len(times))
}

// burstHabit is the most events within a span of that length, beside the pace
// of all others.
func (e *Encoder) burstHabit(times []int64, length int64) Habit {
	most, first := 0, 0
	for i, at := range times {
		for at-times[first] >= length {
			first++
		}
		most = max(most, i-first+1)
	}
	ratio := float64(length) / float64(max(e.at-e.start.time, length))
	return Habit{Seen: float32(most), Expected: missing, Surprise: surprise(float64(most), float64(len(times)-most)*ratio, ratio)}
}

// amountHabit is the largest sum of a slot's k-th attribute within a week.
func (d *diary) amountHabit(slot, k int) Habit {
	sum, most, first := 0.0, 0.0, 0
	times, amounts := d.times[slot], d.amounts[slot]
	for i, at := range times {
		for at-times[first] >= Week {
			sum -= amounts[first*d.width+k]
			first++
		}
		sum += amounts[i*d.width+k]
		most = max(most, sum)
	}
	return Habit{Seen: narrow(most), Expected: missing, Surprise: narrow(math.Log1p(most))}
}

// surprise compares counts; ratio is the length of what was seen in units of
// that which the expectation was taken from, by whose own chance the surprise
// is made smaller.
func surprise(seen, expected, ratio float64) float32 {
	const anscombe = 3. / 8
	return narrow(2 * (math.Sqrt(seen+anscombe) - math.Sqrt(expected+anscombe)) / math.Sqrt(1+ratio))
}
