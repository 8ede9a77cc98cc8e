package features

import (
	"fmt"
	"math"
	"strconv"
)

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
