package metric

import (
	"cmp"
	"math"
)

// Correlation is Pearson's coefficient; NaN where one side does not vary.
func Correlation(x, y []float64) float64 {
	mx, _ := MeanSD(x)
	my, _ := MeanSD(y)
	var xy, xx, yy float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}

// KendallTau is Kendall's tau-b, the agreement of two rankings from -1 to 1,
// corrected for ties (Kendall, Biometrika 1945); NaN where one side does not
// vary. It compares all pairs.
func KendallTau(x, y []float64) float64 {
	sum, ofX, ofY := pairs(x, y)
	return sum / math.Sqrt(ofX*ofY)
}

// SomersD is the agreement of ranking y with ranking x from -1 to 1 in the pairs
// that x tells apart (Somers, American Sociological Review 1962); NaN where it
// tells none. Where x has ties and y has none, tau-b cannot reach 1 and this can.
func SomersD(x, y []float64) float64 {
	sum, ofX, _ := pairs(x, y)
	return sum / ofX
}

// pairs compares all pairs of values: how many more of them x and y order alike
// than otherwise, and how many are no ties in x, and in y.
func pairs(x, y []float64) (sum, ofX, ofY float64) {
	for i := range x {
		for j := range i {
			dx, dy := float64(cmp.Compare(x[i], x[j])), float64(cmp.Compare(y[i], y[j]))
			sum, ofX, ofY = sum+dx*dy, ofX+dx*dx, ofY+dy*dy
		}
	}
	return sum, ofX, ofY
}
