package synthetic

import (
	"testing"
	"time"
)

func TestZonesFollowDaylightSaving(t *testing.T) {
	zones := newZones(2024, 2026)
	cases := []struct {
		region string
		at     string
		want   int32 // hours
	}{
		{"central_europe", "2025-03-30T00:59:59Z", 1}, {"central_europe", "2025-03-30T01:00:00Z", 2},
		{"central_europe", "2025-10-26T00:59:59Z", 2}, {"central_europe", "2025-10-26T01:00:00Z", 1},
		{"british_isles", "2024-03-31T01:00:00Z", 1}, {"british_isles", "2024-10-27T01:00:00Z", 0},
		{"us_east", "2025-03-09T06:59:59Z", -5}, {"us_east", "2025-03-09T07:00:00Z", -4},
		{"us_east", "2026-11-01T05:59:59Z", -4}, {"us_east", "2026-11-01T06:00:00Z", -5},
		{"arizona", "2025-01-01T00:00:00Z", -7}, {"arizona", "2025-07-01T00:00:00Z", -7},
	}
	for _, tc := range cases {
		region, _ := find(regionNames, tc.region)
		at := must(time.Parse(time.RFC3339, tc.at))
		if got := zones[region].offset(at.UnixMicro()); got != tc.want*3600 {
			t.Errorf("%s at %s: offset is %d s, want %d h", tc.region, tc.at, got, tc.want)
		}
	}
}

// Consumers come in the evening, companies on weekdays; both sleep at night, on
// their own clocks.
func TestActivityFollowsTheWeek(t *testing.T) {
	var hours, weekend [2][24]int
	for _, j := range halfBase().journeys {
		segment := 1
		if j.Profile[2].Text == "consumer" {
			segment = 0
		}
		for _, ev := range j.Events {
			if ev.Type != "site_visit" {
				continue
			}
			local := time.UnixMicro(ev.Time).UTC().Add(time.Duration(ev.Offset) * time.Second)
			hours[segment][local.Hour()]++
			if local.Weekday() == time.Saturday || local.Weekday() == time.Sunday {
				weekend[segment][local.Hour()]++
			}
		}
	}
	share := func(of, in [24]int, from, to int) float64 {
		part, all := 0, 0
		for h := range 24 {
			all += in[h]
			if h >= from && h < to {
				part += of[h]
			}
		}
		return float64(part) / float64(all)
	}
	checks := []struct {
		name      string
		share     float64
		low, high float64
	}{
		{"consumers in the evening", share(hours[0], hours[0], 18, 23), 0.3, 0.6},
		{"consumers at night", share(hours[0], hours[0], 2, 5), 0, 0.03},
		{"consumers on weekends", share(weekend[0], hours[0], 0, 24), 0.28, 0.4},
		{"companies at work", share(hours[1], hours[1], 8, 18), 0.7, 1},
		{"companies at night", share(hours[1], hours[1], 0, 5), 0, 0.03},
		{"companies on weekends", share(weekend[1], hours[1], 0, 24), 0, 0.1},
	}
	for _, c := range checks {
		if c.share < c.low || c.share > c.high {
			t.Errorf("%s: %.3f of the visits, want %.2f to %.2f", c.name, c.share, c.low, c.high)
		}
	}
}
