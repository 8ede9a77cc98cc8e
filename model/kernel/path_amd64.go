package kernel

// paths are the implementations that this machine supports, the best first.
func paths() []*path {
	var supported []*path
	hasAVX2, hasAVX512 := features()
	if hasAVX512 && hasMatrix() {
		p := avx512.path("amx")
		p.matrix = &matrixUnit{split: splitPairs, turn: turnTiles, panels: matrixPanels, finish: finishRows}
		supported = append(supported, p)
	}
	if hasAVX512 {
		supported = append(supported, avx512.path("avx512"))
	}
	if hasAVX2 {
		supported = append(supported, avx2.path("avx2"))
	}
	return append(supported, &goPath)
}

// features asks the processor for AVX2 with FMA and BMI2, and for AVX-512 with
// its DQ, BW and VL parts, and the operating system for the registers.
func features() (hasAVX2, hasAVX512 bool) {
	const (
		fma, popcnt, osxsave, avx      = 1 << 12, 1 << 23, 1 << 27, 1 << 28            // leaf 1, ecx
		needAVX2                       = 1<<5 | 1<<8                                   // leaf 7, ebx: AVX2, BMI2
		needAVX512                     = needAVX2 | 1<<16 | 1<<17 | 1<<30 | 1<<31      // F, DQ, BW, VL
		savesVectors, savesWideVectors = 1<<1 | 1<<2, 1<<1 | 1<<2 | 1<<5 | 1<<6 | 1<<7 // XCR0
	)
	if leaves, _, _, _ := cpuid(0, 0); leaves < 7 {
		return false, false
	}
	_, _, ecx, _ := cpuid(1, 0)
	if ecx&(fma|popcnt|osxsave|avx) != fma|popcnt|osxsave|avx {
		return false, false
	}
	_, ebx, _, _ := cpuid(7, 0)
	saved := xgetbv()
	hasAVX2 = ebx&needAVX2 == needAVX2 && saved&savesVectors == savesVectors
	hasAVX512 = hasAVX2 && ebx&needAVX512 == needAVX512 && saved&savesWideVectors == savesWideVectors
	return hasAVX2, hasAVX512
}

// hasMatrix asks the processor for AMX with bfloat16, and the operating system
// for the tiles.
func hasMatrix() bool {
	const (
		needMatrix = 1<<22 | 1<<24 // leaf 7, edx: AMX-BF16, AMX-TILE
		savesTiles = 1<<17 | 1<<18 // XCR0
	)
	_, _, _, edx := cpuid(7, 0)
	return edx&needMatrix == needMatrix && xgetbv()&savesTiles == savesTiles && permitTiles()
}

// assembly is the generated code for one set of vector instructions, and how to
// call it on slices: kernels of one pass take whole vectors only, and leave the
// rest to plain Go.
type assembly struct {
	lanes int                    // float32 values in a vector
	tiles [2][]tileKernel        // of one and of two vectors' width, by rows
	ranks [narrow + 1]rankKernel // by depth

	strips [2]stripKernel // of two and of four panels

	panelKernel          func(dst, src *float32, lds, rows int)
	dotsKernel           func(sums *float32, rows int, a *float32, lda int, x *float32, k int)
	axpyKernel           func(y *float32, alpha float32, x *float32, n int)
	scaleKernel          func(x *float32, alpha float32, n int)
	mulKernel            func(dst, x, r *float32, n int)
	mulAddKernel         func(dst, x, r *float32, n int)
	squaresKernel        func(x *float32, n int) float64
	addSquaresKernel     func(dst, x *float32, n int) float64
	mostKernel           func(x *float32, n int) float32
	sumKernel            func(x *float32, n int) float64
	addRowsKernel        func(sum, x *float32, rows, cols int)
	activationRowsKernel func(dz, sum, dy, y *float32, scale, slope float32, rows, cols int)
	differenceKernel     func(dst, x, y *float32, alpha float32, n int) float64
	dropoutKernel        func(dst, x *float32, k0, k1, threshold uint32, scale float32, n int)
	sigmoidKernel        func(dst, x *float32, n int)
	softplusKernel       func(dst, x *float32, n int)
	tanhKernel           func(dst, x *float32, n int)
	expKernel            func(dst, x *float32, shift float32, n int)
	adamWKernel          func(w, m, v, average *float32, grads *[]float32, count, n int, scale, beta1, rest1, beta2, rest2, keep, rate, root, epsilon, meanKeep, meanRest float32)

	locateKernel   func(bin *int32, frac, x *float32, stride, rows int, edges *float32, last int)
	prefixKernel   func(sums, bias, table *float32, width, rows int)
	forwardKernel  func(dst, slope, table, sums *float32, width, yStride int, x *float32, xStride int, bin *int32, frac *float32, rows int)
	backwardKernel func(dslope, dtable, dy, sums *float32, width, yStride int, x *float32, xStride int, bin *int32, frac *float32, rows int)
	foldKernel     func(dbias, dtable, sums *float32, width, rows int)

	gatherKernel, scatterAddKernel func(y *float32, yStride int, ids *float32, idStride int, table *float32, size, width, rows int)

	gruForwardKernel  func(out, gates *float32, ldg int, h *float32, rows, width int)
	gruBackwardKernel func(gates *float32, ldg int, dh, dout, h *float32, rows, width int)

	rowSumsKernel           func(sums *float64, x *float32, rows, cols int)
	rowSquaresKernel        func(sums *float64, x, saved *float32, rows, cols int)
	layerNormKernel         func(dst, x, gain, bias, saved, rest *float32, rows, cols int)
	layerNormSumsKernel     func(sum, along *float64, dgain, dbias, dy, x, gain, saved *float32, rows, cols int)
	layerNormBackwardKernel func(dx, dy, x, gain, saved, lines *float32, rows, cols int)
	columnSumsKernel        func(sums *float64, x *float32, rows, cols int)
	columnSquaresKernel     func(sums *float64, x, mean *float32, rows, cols int)
	batchNormKernel         func(dst, x, mean, factor, bias *float32, rows, cols int)
	batchNormSumsKernel     func(sum, along *float64, dy, x, mean *float32, rows, cols int)
	batchNormBackwardKernel func(dx, dy, x, mean, factor, level, slope *float32, rows, cols int)
}

type tileKernel func(k int, a *float32, aRow, aDepth int, b *float32, bDepth int, c *float32, ldc int, bias *float32, mode, last int)

type stripKernel func(k int, a *float32, aDepth int, b *float32, bDepth, bPanel int, c *float32, ldc int, bias *float32, mode, last int)

type rankKernel func(c *float32, ldc int, a *float32, aRow, aDepth int, b *float32, ldb, rows, n, load int)

var avx512 = &assembly{
	lanes: 16,
	tiles: [2][]tileKernel{
		{nil,
			tileAVX512x16r1, tileAVX512x16r2, tileAVX512x16r3, tileAVX512x16r4, tileAVX512x16r5, tileAVX512x16r6, tileAVX512x16r7,
			tileAVX512x16r8, tileAVX512x16r9, tileAVX512x16r10, tileAVX512x16r11, tileAVX512x16r12, tileAVX512x16r13, tileAVX512x16r14},
		{nil,
			tileAVX512x32r1, tileAVX512x32r2, tileAVX512x32r3, tileAVX512x32r4, tileAVX512x32r5, tileAVX512x32r6, tileAVX512x32r7,
			tileAVX512x32r8, tileAVX512x32r9, tileAVX512x32r10, tileAVX512x32r11, tileAVX512x32r12, tileAVX512x32r13, tileAVX512x32r14},
	},
	ranks:  [...]rankKernel{nil, rankAVX512_1, rankAVX512_2, rankAVX512_3, rankAVX512_4},
	strips: [...]stripKernel{stripAVX512x2, stripAVX512x4}, dotsKernel: dotsAVX512, panelKernel: panelAVX512,
	axpyKernel: axpyAVX512, scaleKernel: scaleAVX512, mulKernel: mulAVX512, mulAddKernel: mulAddAVX512, squaresKernel: squaresAVX512, addSquaresKernel: addSquaresAVX512,
	mostKernel: mostAVX512, sumKernel: sumAVX512,
	addRowsKernel: addRowsAVX512, activationRowsKernel: activationRowsAVX512, differenceKernel: differenceAVX512,
	dropoutKernel: dropoutAVX512, sigmoidKernel: sigmoidAVX512, softplusKernel: softplusAVX512, tanhKernel: tanhAVX512, expKernel: expAVX512, adamWKernel: adamWAVX512,
	locateKernel: locateAVX512, prefixKernel: prefixAVX512, forwardKernel: forwardAVX512, backwardKernel: backwardAVX512, foldKernel: foldAVX512,
	gatherKernel: gatherAVX512, scatterAddKernel: scatterAddAVX512,
	gruForwardKernel: gruForwardAVX512, gruBackwardKernel: gruBackwardAVX512,
	rowSumsKernel: rowSumsAVX512, rowSquaresKernel: rowSquaresAVX512,
	layerNormKernel: layerNormAVX512, layerNormSumsKernel: layerNormSumsAVX512, layerNormBackwardKernel: layerNormBackwardAVX512,
	columnSumsKernel: columnSumsAVX512, columnSquaresKernel: columnSquaresAVX512,
	batchNormKernel: batchNormAVX512, batchNormSumsKernel: batchNormSumsAVX512, batchNormBackwardKernel: batchNormBackwardAVX512,
}

var avx2 = &assembly{
	lanes: 8,
	tiles: [2][]tileKernel{
		{nil,
			tileAVX2x8r1, tileAVX2x8r2, tileAVX2x8r3, tileAVX2x8r4, tileAVX2x8r5, tileAVX2x8r6},
		{nil,
			tileAVX2x16r1, tileAVX2x16r2, tileAVX2x16r3, tileAVX2x16r4, tileAVX2x16r5, tileAVX2x16r6},
	},
	ranks:  [...]rankKernel{nil, rankAVX2_1, rankAVX2_2, rankAVX2_3, rankAVX2_4},
	strips: [...]stripKernel{stripAVX2x2, stripAVX2x4}, dotsKernel: dotsAVX2, panelKernel: panelAVX2,
	axpyKernel: axpyAVX2, scaleKernel: scaleAVX2, mulKernel: mulAVX2, mulAddKernel: mulAddAVX2, squaresKernel: squaresAVX2, addSquaresKernel: addSquaresAVX2,
	mostKernel: mostAVX2, sumKernel: sumAVX2,
	addRowsKernel: addRowsAVX2, activationRowsKernel: activationRowsAVX2, differenceKernel: differenceAVX2,
	dropoutKernel: dropoutAVX2, sigmoidKernel: sigmoidAVX2, softplusKernel: softplusAVX2, tanhKernel: tanhAVX2, expKernel: expAVX2, adamWKernel: adamWAVX2,
	locateKernel: locateAVX2, prefixKernel: prefixAVX2, forwardKernel: forwardAVX2, backwardKernel: backwardAVX2, foldKernel: foldAVX2,
	gatherKernel: gatherAVX2, scatterAddKernel: scatterAddAVX2,
	gruForwardKernel: gruForwardAVX2, gruBackwardKernel: gruBackwardAVX2,
	rowSumsKernel: rowSumsAVX2, rowSquaresKernel: rowSquaresAVX2,
	layerNormKernel: layerNormAVX2, layerNormSumsKernel: layerNormSumsAVX2, layerNormBackwardKernel: layerNormBackwardAVX2,
	columnSumsKernel: columnSumsAVX2, columnSquaresKernel: columnSquaresAVX2,
	batchNormKernel: batchNormAVX2, batchNormSumsKernel: batchNormSumsAVX2, batchNormBackwardKernel: batchNormBackwardAVX2,
}

// path offers the assembly under a name.
func (s *assembly) path(name string) *path {
	return &path{
		name: name, tileRows: len(s.tiles[0]) - 1, panel: 2 * s.lanes, strip: 8 * s.lanes,
		tile: s.tile, rank: s.rank, dots: s.dots, transpose: transposeBlocks, copyPanel: s.copyPanel, gather: s.gather, scatterAdd: s.scatterAdd,
		elementwise: elementwise{
			axpy: s.axpy, scale: s.scale, mul: s.mul, mulAdd: s.mulAdd, squares: s.squares, addSquares: s.addSquares, most: s.most, sum: s.sum,
			addRows: s.addRows, activationRows: s.activationRows, difference: s.difference, dropout: s.dropout, sigmoid: s.sigmoid, softplus: s.softplus, tanh: s.tanh, exp: s.exp, adamW: s.adamW,
		},
		gru: gru{forward: s.gruForward, backward: s.gruBackward},
		norm: norm{
			rowSums: s.rowSums, rowSquares: s.rowSquares, layer: s.layerNorm, layerSums: s.layerNormSums, layerBackward: s.layerNormBackward,
			columnSums: s.columnSums, columnSquares: s.columnSquares,
			batch: s.batchNorm, batchSums: s.batchNormSums, batchBackward: s.batchNormBackward,
		},
		piecewise: piecewise{locate: s.locate, prefix: s.prefix, forward: s.forward, backward: s.backward, fold: s.fold},
	}
}
