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
	var sum, ofX, ofY float64
	for i := range x {
		for j := range i {
			dx, dy := float64(cmp.Compare(x[i], x[j])), float64(cmp.Compare(y[i], y[j]))
			sum, ofX, ofY = sum+dx*dy, ofX+dx*dx, ofY+dy*dy
		}
	}
	return sum / math.Sqrt(ofX*ofY)
}
