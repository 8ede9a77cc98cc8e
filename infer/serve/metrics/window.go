package metrics

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

const (
	windowSeconds = 60 // that a window remembers
	fractionBits  = 3  // eight steps an octave: figures are right within 6 %
	latencySteps  = 25 << fractionBits
)

// A window remembers how long the requests of the last minute took.
type window struct {
	mu     sync.Mutex
	second [windowSeconds]second
}

// A second counts what ended within one second, by how long it took.
type second struct {
	at     int64 // Unix seconds; what is older than the window is void
	count  int
	failed int
	steps  [latencySteps]uint32
}

// A Latency is what a window remembers. Times are in milliseconds; 0 without
// requests.
type Latency struct {
	Route  string  `json:"route"`
	Rate   float64 `json:"rate"`   // requests a second over the last ten
	Failed int     `json:"failed"` // requests of the last minute that the server failed, with 5xx
	P50    float64 `json:"p50"`    // of the last minute
	P99    float64 `json:"p99"`

	Seconds []Second `json:"seconds"` // the last minute, the oldest first
}

// A Second is one second of a Latency.
type Second struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
}

// step is the place of a duration among steps that grow by an eighth of an
// octave: microseconds below eight are their own step.
func step(d time.Duration) int {
	micros := uint64(max(d.Microseconds(), 0))
	if micros < 1<<fractionBits {
		return int(micros)
	}
	shift := bits.Len64(micros) - 1 - fractionBits
	return min(shift<<fractionBits+int(micros>>shift), latencySteps-1)
}

// stepMillis is the middle of a step, in milliseconds.
func stepMillis(s int) float64 {
	if s < 2<<fractionBits {
		return (float64(s) + 0.5) / 1000
	}
	shift := s>>fractionBits - 1
	mantissa := s&(1<<fractionBits-1) | 1<<fractionBits
	return math.Ldexp(float64(mantissa)+0.5, shift) / 1000
}

// add counts a request that has just ended.
func (w *window) add(now time.Time, took time.Duration, failed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.second[now.Unix()%windowSeconds]
	if s.at != now.Unix() {
		*s = second{at: now.Unix()}
	}
	s.count++
	s.steps[step(took)]++
	if failed {
		s.failed++
	}
}

// read sums the minute before now up, the second that is not over yet left out.
func (w *window) read(now time.Time) Latency {
	w.mu.Lock()
	defer w.mu.Unlock()
	const rateSeconds = 10
	var l Latency
	var all second
	for at := now.Unix() - windowSeconds + 1; at < now.Unix(); at++ {
		s := &w.second[at%windowSeconds]
		if s.at != at {
			l.Seconds = append(l.Seconds, Second{})
			continue
		}
		l.Seconds = append(l.Seconds, Second{s.count, s.quantile(0.5), s.quantile(0.99)})
		if at >= now.Unix()-rateSeconds {
			l.Rate += float64(s.count) / rateSeconds
		}
		all.count += s.count
		l.Failed += s.failed
		for i, n := range s.steps {
			all.steps[i] += n
		}
	}
	l.P50, l.P99 = all.quantile(0.5), all.quantile(0.99)
	return l
}

// quantile is the time that a share of the requests did not exceed.
func (s *second) quantile(share float64) float64 {
	if s.count == 0 {
		return 0
	}
	rank := uint32(math.Ceil(share * float64(s.count)))
	for i, n := range s.steps {
		if rank <= n {
			return stepMillis(i)
		}
		rank -= n
	}
	return stepMillis(latencySteps - 1)
}
