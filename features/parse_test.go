package features

import (
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for _, test := range []struct {
		text   string
		want   string // RFC 3339, UTC
		offset int32
		zoned  bool
	}{
		{"2017-07-01", "2017-07-01T00:00:00Z", 0, false},
		{"2017-07-01 12:30", "2017-07-01T12:30:00Z", 0, false},
		{"2017-07-01T12:30:15", "2017-07-01T12:30:15Z", 0, false},
		{"2017-07-01 12:30:15.25", "2017-07-01T12:30:15.25Z", 0, false},
		{"2017-07-01 12:30:15,5", "2017-07-01T12:30:15.5Z", 0, false},
		{"2017-07-01T12:30:15.1234567891", "2017-07-01T12:30:15.123456Z", 0, false},
		{"2017-07-01T12:30:15Z", "2017-07-01T12:30:15Z", 0, true},
		{"2017-07-01t12:30:15z", "2017-07-01T12:30:15Z", 0, true},
		{"2017-07-01T12:30:15+02:00", "2017-07-01T10:30:15Z", 7200, true},
		{"2017-07-01T12:30:15.5-0330", "2017-07-01T16:00:15.5Z", -12600, true},
		{"2011-10-01 00:38:44+02", "2011-09-30T22:38:44Z", 7200, true},
		{"2017-07-01 12:30+02", "2017-07-01T10:30:00Z", 7200, true},
		{"2016-02-29", "2016-02-29T00:00:00Z", 0, false},
		{"2000-02-29", "2000-02-29T00:00:00Z", 0, false},
		{"1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999Z", 0, false},
		{"0001-01-01", "0001-01-01T00:00:00Z", 0, false},
		{"9999-12-31T23:59:59", "9999-12-31T23:59:59Z", 0, false},
		{"0", "1970-01-01T00:00:00Z", 0, false},
		{"-1", "1969-12-31T23:59:59Z", 0, false},
		{"1498912215", "2017-07-01T12:30:15Z", 0, false},
		{"1498912215.25", "2017-07-01T12:30:15.25Z", 0, false},
		{"-1.5", "1969-12-31T23:59:58.5Z", 0, false},
		{"1498912215250", "2017-07-01T12:30:15.25Z", 0, false},
		{"1498912215250.5", "2017-07-01T12:30:15.2505Z", 0, false},
		{"20171341", "1970-08-22T11:09:01Z", 0, false},
	} {
		micros, offset, zoned, err := ParseTime(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		want, err := time.Parse(time.RFC3339Nano, test.want)
		if err != nil {
			t.Fatal(err)
		}
		if micros != want.UnixMicro() || offset != test.offset || zoned != test.zoned {
			t.Errorf("%q: got %s offset %d zone %v, want %s offset %d zone %v", test.text,
				time.UnixMicro(micros).UTC().Format(time.RFC3339Nano), offset, zoned, test.want, test.offset, test.zoned)
		}
	}
}

func TestParseTimeRefuses(t *testing.T) {
	for fault, texts := range map[string]string{
		"is not a time":   "|today|2017-07|2017/07/01|2017-7-1|2017-07-01T|2017-07-01T12|2017-07-01T12:3|2017-07-01T12.30|2017-07-01T12:30:|2017-07-01T12:30:1|2017-07-01T12:30:15.|2017-07-01X12:30|-|.5|1.|1.5.5|1e9|12x|0x10|2017-0a-01|2017-07-01-12:30",
		"names a day":     "2017-02-29|1900-02-29|2017-13-01|2017-00-01|2017-04-31|2017-01-00|2017-01-32",
		"names an hour":   "2017-07-01 24:00|2017-07-01 12:60|2017-07-01 12:30:60",
		"has a zone":      "2017-07-01 12:30 UTC|2017-07-01T12:30:15+|2017-07-01T12:30:15+2|2017-07-01T12:30:15+2:00|2017-07-01T12:30:15+25:00|2017-07-01T12:30:15+01:60|2017-07-01T12:30:15+01-30|2017-07-01T12:30:15ZZ|2017-07-01T12:30:15+01:0000|2017-07-01 12:30 ",
		"too large":       "100000000000000|99999999999999999999999999",
		"could be a date": "20170701|19000101",
	} {
		for text := range strings.SplitSeq(texts, "|") {
			if got, _, _, err := ParseTime(text); err == nil || !strings.Contains(err.Error(), fault) {
				t.Errorf("%q: got %d and error %v, want an error that it %s", text, got, err, fault)
			}
		}
	}
}

// goLayouts are the forms of ParseTime in the notation of package time.
var goLayouts = []string{
	"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700",
	"2006-01-02T15:04Z07", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
}

// FuzzParseTime compares with package time in both directions.
func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2017-07-01", "2016-02-29 23:59:59.999999Z", "2017-07-01T12:30:15.25-03:30", "2017-07-01 12:30+02", "1498912215", "0000-03-01 00:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		micros, offset, _, err := ParseTime(text)
		if len(text) < 10 || text[4] != '-' || text[7] != '-' {
			return // seconds since 1970: nothing to compare with
		}
		reference := strings.Replace(strings.ToUpper(text), " ", "T", 1)
		for _, layout := range goLayouts {
			want, wantErr := time.Parse(layout, reference)
			if wantErr != nil {
				continue
			}
			if err != nil {
				if strings.Contains(text, "+24") || strings.Contains(text, "-24") || !isDigit(reference[12]) {
					return // package time allows zones of 24 hours and hours of one digit
				}
				t.Fatalf("%q: %v, want %v", text, err, want)
			}
			_, wantOffset := want.Zone()
			if micros != want.UnixMicro() || int(offset) != wantOffset {
				t.Fatalf("%q: got %d offset %d, want %d offset %d", text, micros, offset, want.UnixMicro(), wantOffset)
			}
			return
		}
		if err == nil {
			t.Fatalf("%q: got %d, want an error as from package time", text, micros)
		}
	})
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]int64{
		"90s": 90 * Second, "15m": 15 * Minute, "12h": 12 * Hour, "30d": 30 * Day, "26w": 26 * Week, "1s": Second,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %d and error %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "30", "-3d", "+3d", "3 d", "1.5h", "0s", "3y", "1d12h", "9223372036854775807w", "99999999999999999999s", "３d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for micros, want := range map[int64]string{
		30 * Day: "30d", Week: "7d", 6 * Hour: "6h", 36 * Hour: "36h", 90 * Second: "90s", 5 * Minute: "5m", Second / 4: "0.25s", 0: "0s",
	} {
		if got := FormatDuration(micros); got != want {
			t.Errorf("%d: got %q, want %q", micros, got, want)
		}
	}
}

func BenchmarkParseTime(b *testing.B) {
	for b.Loop() {
		if _, _, _, err := ParseTime("2011-10-01 00:38:44.546+02:00"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestParseTimeInAZone(t *testing.T) {
	east := time.FixedZone("east", 7200)
	for _, test := range []struct {
		text   string
		zone   *time.Location
		want   string
		offset int32
		zoned  bool
	}{
		{"2017-07-01 12:30", time.UTC, "2017-07-01T12:30:00Z", 0, false},
		{"2017-07-01 12:30", east, "2017-07-01T10:30:00Z", 7200, false},
		{"2017-07-01", east, "2017-06-30T22:00:00Z", 7200, false},
		{"2017-07-01 12:30Z", east, "2017-07-01T12:30:00Z", 0, true},
		{"1498912200", east, "2017-07-01T12:30:00Z", 7200, false}, // an instant
	} {
		micros, offset, zoned, err := ParseTimeIn(test.text, test.zone)
		if got := time.UnixMicro(micros).UTC().Format(time.RFC3339Nano); err != nil || got != test.want || offset != test.offset || zoned != test.zoned {
			t.Errorf("%s in %v: got %s, offset %d, %t, %v, want %s, %d, %t", test.text, test.zone, got, offset, zoned, err, test.want, test.offset, test.zoned)
		}
	}
	if _, _, _, err := ParseTimeIn("2017-02-30", east); err == nil {
		t.Error("an impossible date was read")
	}
}
