package synthetic

import (
	"math/rand/v2"
	"time"

	"moments/features"
)

// A zone is the wall clock of one region. The rules of daylight saving are
// written out here, because the time zones of the operating system differ from
// machine to machine and may be absent.
type zone struct {
	shifts []shift // in time order; the first one holds from the beginning
}

type shift struct {
	at     int64 // microseconds
	offset int32 // seconds east of UTC from then on
}

// newZones builds the clocks of regionNames for the years from first to last.
func newZones(first, last int) []zone {
	const hour = 3600
	zones := []zone{{}, {}, {}, {}, {}}
	begin := func(i int, offset int32) { zones[i].shifts = []shift{{offset: offset, at: -1 << 62}} }
	add := func(i int, t time.Time, offset int32) {
		zones[i].shifts = append(zones[i].shifts, shift{t.UnixMicro(), offset})
	}
	begin(0, 0)
	begin(1, hour)
	begin(2, 0)
	begin(3, -5*hour)
	begin(4, -7*hour) // Arizona keeps standard time
	for year := first; year <= last; year++ {
		// Europe changes at 01:00 UTC on the last Sundays of March and October.
		spring, autumn := sunday(year, time.March, 31, 1), sunday(year, time.October, 31, 1)
		add(1, spring, 2*hour)
		add(1, autumn, hour)
		add(2, spring, hour)
		add(2, autumn, 0)
		// The United States change at 02:00 local time on the second Sunday of March and the first of November.
		add(3, sunday(year, time.March, 14, 7), -4*hour)
		add(3, sunday(year, time.November, 7, 6), -5*hour)
	}
	return zones
}

// sunday is the last Sunday up to that day of the month, at that hour UTC.
func sunday(year int, month time.Month, day, hour int) time.Time {
	t := time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
	return t.AddDate(0, 0, -int(t.Weekday()))
}

// offset is the number of seconds east of UTC at that moment.
func (z *zone) offset(at int64) int32 {
	for i := len(z.shifts) - 1; i > 0; i-- {
		if at >= z.shifts[i].at {
			return z.shifts[i].offset
		}
	}
	return z.shifts[0].offset
}

// A rhythm is the relative activity in every hour of the week, Monday first,
// between 0 and 1.
type rhythm [7 * 24]float64

// Hours of a day at home and at work, in tenths.
var (
	homeHours = [24]float64{1, 1, 0.3, 0.2, 0.2, 0.5, 2, 4, 5, 5, 5, 5, 6, 5, 4, 4, 5, 7, 8, 10, 10, 9, 6, 3}
	workHours = [24]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 1, 4, 8, 10, 10, 9, 5, 8, 9, 9, 8, 5, 2, 1, 1, 0.5, 0.3, 0.2}
	homeDays  = [7]float64{0.7, 0.7, 0.75, 0.75, 0.8, 1, 1}
	workDays  = [7]float64{1, 1, 1, 0.95, 0.8, 0.12, 0.1}
)

var rhythms = [2]rhythm{newRhythm(homeHours, homeDays), newRhythm(workHours, workDays)}

func newRhythm(hours [24]float64, days [7]float64) (r rhythm) {
	for i := range r {
		r[i] = hours[i%24] / 10 * days[i/24]
	}
	return r
}

// draw is a moment in [from, to) that follows the rhythm of the week on the
// wall clock of the zone.
func (r *rhythm) draw(random *rand.Rand, z *zone, from, to int64) int64 {
	at := from
	for range 12 {
		at = from + random.Int64N(max(to-from, features.Second))
		local := at + int64(z.offset(at))*features.Second
		// The epoch was a Thursday: three days after Monday.
		hour := (local/features.Hour + 3*24) % (7 * 24)
		if random.Float64() < r[hour] {
			break
		}
	}
	return at - at%features.Second
}
