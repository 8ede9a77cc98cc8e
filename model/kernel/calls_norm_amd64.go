package kernel

// The rows and columns of norms are positive: blocks and runs are never empty.

func (s *assembly) rowSums(sums []float64, x []float32, cols int) {
	s.rowSumsKernel(&sums[0], &x[0], len(sums), cols)
}

func (s *assembly) rowSquares(sums []float64, x, saved []float32, cols int) {
	s.rowSquaresKernel(&sums[0], &x[0], &saved[0], len(sums), cols)
}

func (s *assembly) layerNorm(dst, x, gain, bias, saved, rest []float32, cols int) {
	s.layerNormKernel(&dst[0], &x[0], &gain[0], &bias[0], &saved[0], &rest[0], len(saved)/2, cols)
}

func (s *assembly) layerNormSums(sum, along []float64, dgain, dbias, dy, x, gain, saved []float32, cols int) {
	s.layerNormSumsKernel(&sum[0], &along[0], &dgain[0], &dbias[0], &dy[0], &x[0], &gain[0], &saved[0], len(sum), cols)
}

func (s *assembly) layerNormBackward(dx, dy, x, gain, saved, lines []float32, cols int) {
	s.layerNormBackwardKernel(&dx[0], &dy[0], &x[0], &gain[0], &saved[0], &lines[0], len(saved)/2, cols)
}

func (s *assembly) columnSums(sums []float64, x []float32, rows int) {
	s.columnSumsKernel(&sums[0], &x[0], rows, len(sums))
}

func (s *assembly) columnSquares(sums []float64, x, mean []float32, rows int) {
	s.columnSquaresKernel(&sums[0], &x[0], &mean[0], rows, len(sums))
}

func (s *assembly) batchNorm(dst, x, mean, factor, bias []float32, rows int) {
	s.batchNormKernel(&dst[0], &x[0], &mean[0], &factor[0], &bias[0], rows, len(mean))
}

func (s *assembly) batchNormSums(sum, along []float64, dy, x, mean []float32, rows int) {
	s.batchNormSumsKernel(&sum[0], &along[0], &dy[0], &x[0], &mean[0], rows, len(sum))
}

func (s *assembly) batchNormBackward(dx, dy, x, mean, factor, level, slope []float32, rows int) {
	s.batchNormBackwardKernel(&dx[0], &dy[0], &x[0], &mean[0], &factor[0], &level[0], &slope[0], rows, len(mean))
}
