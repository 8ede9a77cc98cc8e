package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels here take rows of any length: whole vectors, and then the rest
// behind a mask. They add up in float64.

// inRows writes body for every row of matrices: body is given the addresses
// of the row's vectors. The parameters named in pairs have two float32 or one
// float64 to a row.
func (v isa) inRows(matrices, pairs []string, body func(s span, matrix, pair []reg.GPVirtual)) {
	rows, stride := arg("rows"), strideArg("cols")
	s := v.newSpan(arg("cols"), v.reg(15))
	var matrix, pair []reg.GPVirtual
	for _, name := range matrices {
		matrix = append(matrix, arg(name))
	}
	for _, name := range pairs {
		pair = append(pair, arg(name))
	}
	eachRow("row", rows, stride, matrix, func() {
		body(s, matrix, pair)
		for _, p := range pair {
			ADDQ(U32(8), p)
		}
	})
	return_()
}

// broadcasts reads two float32.
func broadcasts(from reg.GPVirtual, first, second reg.VecPhysical) {
	VBROADCASTSS(Mem{Base: from}, first)
	VBROADCASTSS(Mem{Base: from, Disp: 4}, second)
}

// rowSums writes kernel.goRowSums.
func rowSums(v isa) {
	function("rowSums"+v.name, "func(sums *float64, x *float32, rows, cols int)", "computes sums[i] = Σ_j x[i,j].")
	acc, t, u := v.regs(0, 2), v.reg(2), v.reg(3)
	v.inRows([]string{"x"}, []string{"sums"}, func(s span, matrix, pair []reg.GPVirtual) {
		v.clear(acc)
		s.each("sum", func(at reg.GPVirtual, c columnsOf) {
			c.sum(offset(matrix[0], at), t, u, acc)
		})
		v.total(acc, t)
		VMOVSD(acc[0].AsX(), Mem{Base: pair[0]})
	})
}

// rowSquares writes kernel.goRowSquares.
func rowSquares(v isa) {
	function("rowSquares"+v.name, "func(sums *float64, x, saved *float32, rows, cols int)", "computes sums[i] = Σ_j (x[i,j] - saved[i,0])².")
	acc, t, u, mean := v.regs(0, 2), v.reg(2), v.reg(3), v.reg(4)
	v.inRows([]string{"x"}, []string{"sums", "saved"}, func(s span, matrix, pair []reg.GPVirtual) {
		v.clear(acc)
		VBROADCASTSS(Mem{Base: pair[1]}, mean)
		s.each("square", func(at reg.GPVirtual, c columnsOf) {
			c.load(offset(matrix[0], at), t)
			VSUBPS(mean, t, t)
			c.only(t)
			v.upper(t, u)
			VFMADD231PD(u, u, acc[1])
			v.lower(t, t)
			VFMADD231PD(t, t, acc[0])
		})
		v.total(acc, t)
		VMOVSD(acc[0].AsX(), Mem{Base: pair[0]})
	})
}

// layerNorm writes kernel.goLayerNorm.
func layerNorm(v isa) {
	function("layerNorm"+v.name, "func(dst, x, gain, bias, saved, rest *float32, rows, cols int)",
		"writes (x - saved[i,0] - rest[i,0])·saved[i,1]∘gain + bias.")
	gain, bias := arg("gain"), arg("bias")
	mean, factor, low, t, u, b := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5)
	v.inRows([]string{"dst", "x"}, []string{"saved", "rest"}, func(s span, matrix, pair []reg.GPVirtual) {
		broadcasts(pair[0], mean, factor)
		VBROADCASTSS(Mem{Base: pair[1]}, low)
		s.each("normalise", func(at reg.GPVirtual, c columnsOf) {
			c.load(offset(matrix[1], at), t)
			VSUBPS(mean, t, t)
			VSUBPS(low, t, t)
			VMULPS(factor, t, t)
			c.load(offset(gain, at), u)
			c.load(offset(bias, at), b)
			VFMADD213PS(b, u, t)
			c.store(t, offset(matrix[0], at))
		})
	})
}

// layerNormSums writes kernel.goLayerNormSums.
func layerNormSums(v isa) {
	function("layerNormSums"+v.name, "func(sum, along *float64, dgain, dbias, dy, x, gain, saved *float32, rows, cols int)",
		"adds to dgain and dbias and sums dy∘gain, and that times the normalised value, over rows.")
	gain, dgain, dbias := arg("gain"), arg("dgain"), arg("dbias")
	sum, along := v.regs(0, 2), v.regs(2, 2)
	mean, factor, n, d, g, t := v.reg(4), v.reg(5), v.reg(6), v.reg(7), v.reg(8), v.reg(9)
	v.inRows([]string{"dy", "x"}, []string{"saved", "sum", "along"}, func(s span, matrix, pair []reg.GPVirtual) {
		v.clear(append(sum, along...))
		broadcasts(pair[0], mean, factor)
		s.each("sum", func(at reg.GPVirtual, c columnsOf) {
			c.load(offset(matrix[1], at), n)
			VSUBPS(mean, n, n)
			VMULPS(factor, n, n)
			c.load(offset(matrix[0], at), d)
			c.load(offset(dbias, at), t)
			VADDPS(d, t, t)
			c.store(t, offset(dbias, at))
			c.load(offset(dgain, at), t)
			VFMADD231PS(n, d, t)
			c.store(t, offset(dgain, at))
			c.load(offset(gain, at), g)
			VMULPS(d, g, g)
			VMULPS(g, n, n)
			v.accumulate(g, t, sum)
			v.accumulate(n, t, along)
		})
		for i, acc := range [][]reg.VecPhysical{sum, along} {
			v.total(acc, t)
			VMOVSD(acc[0].AsX(), Mem{Base: pair[1+i]})
		}
	})
}

// layerNormBackward writes kernel.goLayerNormBackward.
func layerNormBackward(v isa) {
	function("layerNormBackward"+v.name, "func(dx, dy, x, gain, saved, lines *float32, rows, cols int)",
		"writes saved[i,1]·(dy∘gain - lines[i,0] - (x - saved[i,0])·lines[i,1]).")
	gain := arg("gain")
	mean, factor, level, slope, n, g := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5)
	v.inRows([]string{"dx", "dy", "x"}, []string{"saved", "lines"}, func(s span, matrix, pair []reg.GPVirtual) {
		broadcasts(pair[0], mean, factor)
		broadcasts(pair[1], level, slope)
		s.each("back", func(at reg.GPVirtual, c columnsOf) {
			c.load(offset(matrix[2], at), n)
			VSUBPS(mean, n, n)
			c.load(offset(matrix[1], at), g)
			if c.tail == nil {
				VMULPS(offset(gain, at), g, g)
			} else {
				t := v.reg(6)
				c.load(offset(gain, at), t)
				VMULPS(t, g, g)
			}
			VSUBPS(level, g, g)
			VFNMADD231PS(slope, n, g)
			VMULPS(factor, g, g)
			c.store(g, offset(matrix[0], at))
		})
	})
}
