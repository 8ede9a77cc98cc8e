package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Quantiles are within a step of those of the sorted times.
func TestWindowQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	now := time.Unix(1_700_000_000, 0)
	for _, scale := range []float64{3, 200, 90_000, 20_000_000} { // microseconds
		var w window
		var times []float64
		for i := range 5000 {
			took := time.Duration(scale*math.Exp(random.NormFloat64()/2)) * time.Microsecond
			times = append(times, float64(took.Microseconds()+0)/1000)
			w.add(now.Add(-time.Duration(i%59)*time.Second), took, i%10 == 0)
		}
		slices.Sort(times)
		got := w.read(now.Add(time.Second))
		for _, q := range []struct{ got, share float64 }{{got.P50, 0.5}, {got.P99, 0.99}} {
			want := times[int(math.Ceil(q.share*5000))-1]
			if math.Abs(q.got-want) > 0.07*want+0.0006 {
				t.Errorf("scale %v: quantile %v is %v ms, want %v", scale, q.share, q.got, want)
			}
		}
		if got.Failed != 500 || len(got.Seconds) != windowSeconds-1 || math.Abs(got.Rate-5000.0/59) > 0.3 {
			t.Errorf("got %d failed of %d seconds at %v a second", got.Failed, len(got.Seconds), got.Rate)
		}
	}
}

// What is older than a minute is forgotten, and the second under way waits.
func TestWindowForgets(t *testing.T) {
	var w window
	now := time.Unix(1_700_000_000, 0)
	w.add(now, time.Millisecond, false)
	count := func(at time.Time) (n int) {
		for _, s := range w.read(at).Seconds {
			n += s.Count
		}
		return n
	}
	for after, want := range map[time.Duration]int{0: 0, 1: 1, 59: 1, 60: 0, 120: 0} {
		if got := count(now.Add(after * time.Second)); got != want {
			t.Errorf("after %d s: %d requests, want %d", after, got, want)
		}
	}
	w.add(now.Add(60*time.Second), time.Millisecond, false)
	if got := count(now.Add(61 * time.Second)); got != 1 {
		t.Errorf("in the same place a minute later: %d requests, want 1", got)
	}
}

// Steps rise with time and cover all of it.
func TestSteps(t *testing.T) {
	last := -1
	for micros := int64(0); micros < 1<<40; micros += 1 + micros/20 {
		s := step(time.Duration(micros) * time.Microsecond)
		if s < last || s >= latencySteps {
			t.Fatalf("%d µs is step %d after %d", micros, s, last)
		}
		if millis := float64(micros) / 1000; s < latencySteps-1 && math.Abs(stepMillis(s)-millis) > 0.07*millis+0.0006 {
			t.Errorf("%d µs: step %d stands for %v ms", micros, s, stepMillis(s))
		}
		last = s
	}
	if step(-5) != 0 {
		t.Errorf("a clock that goes back: step %d, want 0", step(-5))
	}
}
