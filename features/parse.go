package features

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// ParseNumber reads the cell of a numeric column: a decimal number, infinite
// where it is out of range. The spellings of missing that numeric columns have
// (NA, N/A, NaN, null, None) are NaN; as texts they stay what they are, for NA
// may be Namibia.
func ParseNumber(text string) (float64, bool) {
	if text == "" {
		return 0, false
	}
	switch text[0] {
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.', '+', '-', 'i', 'I':
		for i := range len(text) {
			switch text[i] {
			case 'x', 'X', 'p', 'P', '_': // Go's own notations
				return 0, false
			}
		}
		x, err := strconv.ParseFloat(text, 64)
		return x, err == nil || math.IsInf(x, 0) // 1e999 is out of range, infinite
	case 'N', 'n':
		switch text {
		case "NA", "N/A", "NaN", "nan", "null", "NULL", "None":
			return math.NaN(), true
		}
	}
	return 0, false
}

// durationUnits are the units of durations from long to short.
var durationUnits = []struct {
	letter byte
	micros int64
}{{'w', Week}, {'d', Day}, {'h', Hour}, {'m', Minute}, {'s', Second}}

// ParseDuration reads a whole number and a unit (s, m, h, d or w), such as 90s,
// 15m, 12h, 30d or 26w, as microseconds. The result is always positive.
func ParseDuration(s string) (int64, error) {
	wrong := func(why string) (int64, error) {
		return 0, fmt.Errorf("features: duration %q %s, want a whole number and a unit such as 90s, 15m, 12h, 30d or 26w", s, why)
	}
	if len(s) < 2 {
		return wrong("is too short")
	}
	digits := s[:len(s)-1]
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return wrong("has a sign, a space or a letter in its number")
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return wrong("is too long")
	}
	for _, unit := range durationUnits {
		if s[len(s)-1] != unit.letter {
			continue
		}
		if n == 0 || n > math.MaxInt64/4/unit.micros {
			return wrong("is zero or too long")
		}
		return n * unit.micros, nil
	}
	return wrong("has no unit")
}

// FormatDuration writes microseconds the way [ParseDuration] reads them, in
// days from one day on (30d rather than the 4w and a bit that it is) and else
// in the longest unit that divides them. What no unit divides is written in
// seconds with a fraction.
func FormatDuration(micros int64) string {
	for _, unit := range durationUnits[1:] {
		if micros != 0 && micros%unit.micros == 0 {
			return strconv.FormatInt(micros/unit.micros, 10) + string(unit.letter)
		}
	}
	return strconv.FormatFloat(float64(micros)/float64(Second), 'f', -1, 64) + "s"
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// ParseTime reads a moment.
//
// It may be an ISO 8601 date (2017-07-01), a date and time separated by T or a
// space with optional seconds and fraction (2017-07-01 12:30, ...T12:30:15.25),
// the latter with an optional zone (Z, +02:00, +0200 or +02), or a number of
// seconds (below 1e11, fractions allowed) or milliseconds (below 1e14) since
// the Unix epoch.
//
// micros are microseconds since the epoch in UTC; a time without a zone is read
// as UTC. offset is the zone in seconds east of UTC. Digits beyond microseconds
// are cut off. Impossible dates and times, leap seconds and 24:00 among them,
// are errors. So are eight digits that spell a date: they would silently pass
// as a day in 1970.
func ParseTime(s string) (micros int64, offset int32, hasZone bool, err error) {
	if len(s) >= 10 && s[4] == '-' && s[7] == '-' {
		micros, offset, hasZone, err = parseISO(s)
	} else {
		micros, err = parseUnix(s)
	}
	if err != nil {
		err = fmt.Errorf("features: time %q %w", s, err)
	}
	return micros, offset, hasZone, err
}

// ParseTimeIn is [ParseTime] for clocks of one place: a clock time that names no
// zone is read in zone, and a number of seconds, which is an instant without a
// place, is taken to have happened there.
func ParseTimeIn(s string, zone *time.Location) (micros int64, offset int32, hasZone bool, err error) {
	micros, offset, hasZone, err = ParseTime(s)
	if err != nil || hasZone || zone == time.UTC {
		return micros, offset, hasZone, err
	}
	at := time.UnixMicro(micros).In(zone)
	if len(s) >= 10 && s[4] == '-' {
		clock := time.UnixMicro(micros).UTC()
		at = time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), zone)
	}
	_, seconds := at.Zone()
	return at.UnixMicro(), int32(seconds), false, nil
}

var (
	errTimeForm  = errors.New("is not a time: want 2017-07-01, 2017-07-01T12:30:15+02:00 or seconds or milliseconds since 1970")
	errDate      = errors.New("names a day that does not exist")
	errClock     = errors.New("names an hour, minute or second that does not exist")
	errZone      = errors.New("has a zone that is none of Z, +02:00, +0200 and +02")
	errUnixRange = errors.New("is too large for seconds (below 1e11) or milliseconds (below 1e14) since 1970")
	errUnixDate  = errors.New("could be a date or a number of seconds: write the date as 2017-07-01")
)

// parseISO reads what begins like yyyy-mm-dd.
func parseISO(s string) (micros int64, offset int32, hasZone bool, err error) {
	year, ok1 := digits4(s)
	month, ok2 := digits2(s, 5)
	day, ok3 := digits2(s, 8)
	if !ok1 || !ok2 || !ok3 {
		return 0, 0, false, errTimeForm
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, 0, false, errDate
	}
	micros = epochDay(year, month, day) * Day
	if len(s) == 10 {
		return micros, 0, false, nil
	}
	if c := s[10]; c != 'T' && c != ' ' && c != 't' {
		return 0, 0, false, errTimeForm
	}
	clock, rest, err := parseClock(s[11:])
	if err != nil {
		return 0, 0, false, err
	}
	offset, hasZone, err = parseZone(rest)
	if err != nil {
		return 0, 0, false, err
	}
	return micros + clock - int64(offset)*Second, offset, hasZone, nil
}

// parseClock reads hh:mm[:ss[.fraction]] and returns what follows it.
func parseClock(s string) (micros int64, rest string, err error) {
	hour, ok1 := digits2(s, 0)
	minute, ok2 := digits2(s, 3)
	if !ok1 || !ok2 || s[2] != ':' {
		return 0, "", errTimeForm
	}
	if hour > 23 || minute > 59 {
		return 0, "", errClock
	}
	micros, s = int64(hour)*Hour+int64(minute)*Minute, s[5:]
	if len(s) == 0 || s[0] != ':' {
		return micros, s, nil
	}
	second, ok := digits2(s, 1)
	if !ok {
		return 0, "", errTimeForm
	}
	if second > 59 {
		return 0, "", errClock
	}
	micros, s = micros+int64(second)*Second, s[3:]
	if len(s) == 0 || s[0] != '.' && s[0] != ',' {
		return micros, s, nil
	}
	fraction, rest, ok := parseFraction(s[1:])
	if !ok {
		return 0, "", errTimeForm
	}
	return micros + fraction, rest, nil
}

// parseFraction reads the digits after a decimal point as microseconds.
func parseFraction(s string) (micros int64, rest string, ok bool) {
	unit := Second
	i := 0
	for ; i < len(s) && isDigit(s[i]); i++ {
		unit /= 10 // 0 from the seventh digit on
		micros += int64(s[i]-'0') * unit
	}
	return micros, s[i:], i > 0
}

// parseZone reads nothing, Z, +hh, +hhmm or +hh:mm as seconds east of UTC.
func parseZone(s string) (offset int32, hasZone bool, err error) {
	switch {
	case s == "":
		return 0, false, nil
	case s == "Z" || s == "z":
		return 0, true, nil
	case s[0] != '+' && s[0] != '-':
		return 0, false, errZone
	}
	hour, ok := digits2(s, 1)
	minute, ok2 := 0, true
	switch {
	case len(s) == 5:
		minute, ok2 = digits2(s, 3)
	case len(s) == 6 && s[3] == ':':
		minute, ok2 = digits2(s, 4)
	case len(s) != 3:
		return 0, false, errZone
	}
	if !ok || !ok2 || hour > 23 || minute > 59 {
		return 0, false, errZone
	}
	offset = int32(hour*3600 + minute*60)
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true, nil
}

// parseUnix reads seconds or milliseconds since the epoch.
func parseUnix(s string) (int64, error) {
	negative := len(s) > 0 && s[0] == '-'
	number := s
	if negative {
		number = s[1:]
	}
	end := 0
	for end < len(number) && isDigit(number[end]) {
		end++
	}
	if end == 0 {
		return 0, errTimeForm
	}
	n, err := strconv.ParseInt(number[:end], 10, 64)
	if err != nil || n >= 1e14 {
		return 0, errUnixRange
	}
	if end == 8 && len(s) == 8 && spellsDate(int(n)) {
		return 0, errUnixDate
	}
	unit := Second
	if n >= 1e11 {
		unit = Second / 1000
	}
	micros := n * unit
	if end < len(number) {
		fraction, rest, ok := parseFraction(number[end+1:])
		if !ok || rest != "" || number[end] != '.' {
			return 0, errTimeForm
		}
		micros += fraction / (Second / unit)
	}
	if negative {
		micros = -micros
	}
	return micros, nil
}

// spellsDate says whether yyyymmdd is a day between 1900 and 2100.
func spellsDate(n int) bool {
	year, month, day := n/10000, n/100%100, n%100
	return 1900 <= year && year <= 2100 && 1 <= month && month <= 12 && 1 <= day && day <= daysIn(year, month)
}

func digits2(s string, at int) (int, bool) {
	if len(s) < at+2 || !isDigit(s[at]) || !isDigit(s[at+1]) {
		return 0, false
	}
	return int(s[at]-'0')*10 + int(s[at+1]-'0'), true
}

func digits4(s string) (int, bool) {
	high, ok1 := digits2(s, 0)
	low, ok2 := digits2(s, 2)
	return high*100 + low, ok1 && ok2
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// epochDay counts the days from 1970-01-01 in the proleptic Gregorian calendar.
// Years are counted from March, so that the leap day is the last of its year
// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
func epochDay(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(int64(year), 400)
	yearOfEra := int64(year) - era*400
	dayOfYear := int64((153*(month-3)+2)/5 + day - 1)
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// floorDiv divides and rounds towards minus infinity; b is positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
