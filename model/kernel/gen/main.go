// Command gen writes the AVX2 and AVX-512 assembly of package kernel. It is run
// by go generate in the parent folder and lives in a module of its own, so that
// the generator's dependencies are nobody else's.
//
// The assembler's operand order is used throughout: sources first, destination
// last.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64")
	cpuid()
	xgetbv()
	transpose8()
	matrixPanels()
	splitPairs()
	turnTiles()
	finishRows()
	for _, v := range []isa{avx512, avx2} {
		for rows := 1; rows <= v.tileRows; rows++ {
			tile(v, rows, 2)
			tile(v, rows, 1)
		}
		strip(v, 4)
		strip(v, 2)
		for depth := 1; depth <= 4; depth++ {
			rank(v, depth)
		}
		dots(v)
		panelOf(v)
		axpy(v)
		scale(v)
		mul(v)
		mulAdd(v)
		squares(v)
		addSquares(v)
		most(v)
		sum(v)
		addRows(v)
		activationRows(v)
		difference(v)
		dropout(v)
		sigmoid(v)
		softplus(v)
		tanh(v)
		exponential(v)
		adamW(v)
		locate(v)
		prefix(v)
		forward(v)
		backward(v)
		fold(v)
		gather(v)
		scatterAdd(v)
		gruForward(v)
		gruBackward(v)
		rowSums(v)
		rowSquares(v)
		layerNorm(v)
		layerNormSums(v)
		layerNormBackward(v)
		columnSums(v)
		columnSquares(v)
		batchNormSums(v)
		batchNorm(v)
		batchNormBackward(v)
	}
	Generate()
}
