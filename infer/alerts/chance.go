package alerts

import (
	"math"
	"slices"
)

// AtLeast is the probability that k or more of n independent trials succeed
// that succeed with probability p each. 0 where it is less than a float64 holds.
func AtLeast(k, n int, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return incompleteBeta(float64(k), float64(n-k+1), p)
}

// AtMost is the probability that k or fewer of n trials succeed.
func AtMost(k, n int, p float64) float64 { return AtLeast(n-k, n, 1-p) }

// Interval is the range that the number of successes of n trials lies in with
// at least that probability, as much left out on either side at most.
func Interval(n int, p, coverage float64) (low, high int) {
	tail := (1 - coverage) / 2
	low, high = n, 0
	for k := range n + 1 {
		if low == n && AtMost(k, n, p) > tail {
			low = k
		}
		if AtLeast(k, n, p) > tail {
			high = k
		} else {
			break
		}
	}
	return low, high
}

// ConformalInterval is the range that the number of fresh normal journeys with a
// conformal p-value of at most alpha lies in with at least that probability, as
// much left out on either side at most. Unlike [Interval] it holds the chance of
// the calibration set, too: among n calibration journeys the true share flagged is
// itself random, Beta(k, n+1-k) for k = floor(alpha (n+1)) (Vovk, Conditional
// validity of inductive conformal predictors, 2012), so that the number of fresh
// ones has the beta-binomial distribution.
func ConformalInterval(fresh, calibration int, alpha, coverage float64) (low, high int) {
	a := math.Floor(alpha * float64(calibration+1))
	if a == 0 {
		return 0, 0 // no p-value is that small
	}
	n, b := float64(fresh), float64(calibration+1)-a
	tail, below := (1-coverage)/2, 0.0
	low = -1
	for k := range fresh + 1 {
		x := float64(k)
		below += math.Exp(logBeta(x+a, n-x+b) - logBeta(a, b) - logBeta(x+1, n-x+1) - math.Log(n+1))
		if low < 0 && below > tail {
			low = k
		}
		if below >= 1-tail {
			return low, k
		}
	}
	return max(low, 0), fresh
}

// logBeta is the logarithm of the beta function.
func logBeta(a, b float64) float64 {
	ab, _ := math.Lgamma(a + b)
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	return la + lb - ab
}

// incompleteBeta is the regularised incomplete beta function I_x(a, b), by the
// continued fraction of Abramowitz and Stegun, 26.5.8, where it converges fast.
func incompleteBeta(a, b, x float64) float64 {
	if x > (a+1)/(a+b+2) {
		return 1 - incompleteBeta(b, a, 1-x)
	}
	front := math.Exp(a*math.Log(x)+b*math.Log1p(-x)-logBeta(a, b)) / a
	return front / betaFraction(a, b, x)
}

// betaFraction is the continued fraction 1 + d1/(1 + d2/(1 + ...)), from the
// front by the method of Lentz ("Generating Bessel functions in Mie scattering
// calculations using continued fractions", 1976).
func betaFraction(a, b, x float64) float64 {
	const tiny, exact, most = 1e-300, 1e-15, 10_000
	value, c, d := 1.0, 1.0, 0.0
	for i := 1; i < most; i++ {
		m, term := float64(i/2), 0.0
		if i%2 == 0 {
			term = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		} else {
			term = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if d = 1 + term*d; d == 0 {
			d = tiny
		}
		if c = 1 + term/c; c == 0 {
			c = tiny
		}
		d = 1 / d
		value *= c * d
		if math.Abs(c*d-1) < exact {
			break
		}
	}
	return value
}

// adjust returns the p-values corrected for their number, so that keeping those
// up to q keeps a share of false ones of at most q in the mean (Benjamini and
// Hochberg, "Controlling the false discovery rate", 1995). Tests that were made
// and are not in p count in tests.
func adjust(p []float64, tests int) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	adjusted, least := make([]float64, len(p)), 1.0
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		least = min(least, p[i]*float64(max(tests, len(p)))/float64(rank+1))
		adjusted[i] = least
	}
	return adjusted
}
