// Package metric measures predictions against outcomes: how well they rank
// (AUROC, AUPRC, lift) and how true their probabilities are (log-loss, Brier
// score, expected calibration error).
//
// Every function takes probabilities p in [0, 1] and outcomes y, 1 or 0, of
// equal length, and returns NaN where the measure is not defined, such as the
// AUROC of one class only. No function changes its arguments.
package metric

import (
	"cmp"
	"math"
	"slices"
)

// Scores are all measures of one set of predictions.
type Scores struct {
	Rows         int
	PositiveRate float64
	AUROC        float64 // area under the receiver operating characteristic
	AUPRC        float64 // average precision
	LogLoss      float64 // nats
	Brier        float64 // mean squared error
	ECE          float64 // expected calibration error, 15 bins of equal mass
	Lift         float64 // positive rate of the top tenth over that of all
}

// CalibrationBins is the number of bins of ECE.
const CalibrationBins = 15

// Score measures predictions in every way.
func Score(p, y []float32) Scores {
	return Scores{
		Rows: len(p), PositiveRate: mean(y), AUROC: AUROC(p, y), AUPRC: AUPRC(p, y),
		LogLoss: LogLoss(p, y), Brier: Brier(p, y), ECE: ECE(p, y, CalibrationBins), Lift: Lift(p, y, 0.1),
	}
}

// AUROC is the probability that a random positive is scored above a random
// negative, ties counted as one half (Hanley and McNeil, 1982).
func AUROC(p, y []float32) float64 {
	order := descending(p)
	var positives, negatives, area float64
	for _, tie := range ties(order, p) {
		pos, neg := count(tie, y)
		area += neg * (positives + pos/2)
		positives, negatives = positives+pos, negatives+neg
	}
	return area / (positives * negatives)
}

// AUPRC is the average precision: the mean, over the positives, of the
// precision at their score. Tied scores share one threshold.
func AUPRC(p, y []float32) float64 {
	order := descending(p)
	var positives, seen, sum float64
	for _, tie := range ties(order, p) {
		pos, neg := count(tie, y)
		positives, seen = positives+pos, seen+pos+neg
		sum += pos * positives / seen
	}
	return sum / positives
}

// LogLoss is the mean negative log-likelihood, with probabilities kept 1e-7
// away from 0 and 1.
func LogLoss(p, y []float32) float64 {
	var sum float64
	for i := range p {
		q := min(max(float64(p[i]), 1e-7), 1-1e-7)
		if y[i] == 0 {
			q = 1 - q
		}
		sum -= math.Log(q)
	}
	return sum / float64(len(p))
}

// Brier is the mean squared difference of probability and outcome.
func Brier(p, y []float32) float64 {
	var sum float64
	for i := range p {
		d := float64(p[i]) - float64(y[i])
		sum += d * d
	}
	return sum / float64(len(p))
}

// ECE is the expected calibration error: rows sorted by probability are cut
// into bins of equal mass, and the distances of mean probability and positive
// rate are averaged by the bins' rows (Nguyen and O'Connor, 2015).
func ECE(p, y []float32, bins int) float64 {
	order := descending(p)
	n := len(order)
	var sum float64
	for b := range bins {
		bin := order[b*n/bins : (b+1)*n/bins]
		var gap float64
		for _, i := range bin {
			gap += float64(p[i]) - float64(y[i])
		}
		sum += math.Abs(gap)
	}
	return sum / float64(n)
}

// Lift is the positive rate among the top share of the rows by probability,
// over the positive rate of all.
func Lift(p, y []float32, share float64) float64 {
	top := descending(p)[:max(1, int(math.Round(share*float64(len(p)))))]
	pos, _ := count(top, y)
	return pos / float64(len(top)) / mean(y)
}

// Precision is the share of positives among the flagged rows, those with a flag
// of 1. It is not defined where none is flagged.
func Precision(flags, y []float32) float64 {
	right, flagged, _ := flagged(flags, y)
	return right / flagged
}

// Recall is the share of the positives that are flagged.
func Recall(flags, y []float32) float64 {
	right, _, positives := flagged(flags, y)
	return right / positives
}

// FalseAlarms is the share of the negatives that are flagged: the alert rate
// that was kept.
func FalseAlarms(flags, y []float32) float64 {
	right, flagged, positives := flagged(flags, y)
	return (flagged - right) / (float64(len(y)) - positives)
}

func flagged(flags, y []float32) (right, flagged, positives float64) {
	for i, flag := range flags {
		right += float64(flag * y[i])
		flagged += float64(flag)
		positives += float64(y[i])
	}
	return right, flagged, positives
}

// MeanSD returns the mean and the sample standard deviation, 0 of one value.
func MeanSD(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(max(1, len(x)-1)))
}

func mean(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}

// descending returns the rows from the highest score to the lowest.
func descending(p []float32) []int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	return order
}

// ties cuts the order into runs of equal score.
func ties(order []int, p []float32) [][]int {
	var runs [][]int
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && p[order[end]] == p[order[start]] {
			end++
		}
		runs = append(runs, order[start:end])
		start = end
	}
	return runs
}

// count returns the numbers of positive and negative rows.
func count(rows []int, y []float32) (positives, negatives float64) {
	for _, i := range rows {
		positives += float64(y[i])
	}
	return positives, float64(len(rows)) - positives
}
