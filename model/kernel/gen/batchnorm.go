package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The column sums of BatchNorm lie in workspace, in whole vectors: only the
// matrices are masked. Columns are taken by vectors, whose sums stay in
// registers while the rows pass.

// down writes body for every vector of columns and every row. start and end run
// before and after the rows of a vector; sums addresses its float64.
func (v isa) down(matrices []string, sums []string, start func(at reg.GPVirtual), body func(row []Mem, acc [][]reg.VecPhysical, c columnsOf)) {
	rows, stride := arg("rows"), strideArg("cols")
	s := v.newSpan(arg("cols"), v.reg(15))
	s.each("columns", func(at reg.GPVirtual, c columnsOf) {
		var acc [][]reg.VecPhysical
		for i, name := range sums {
			acc = append(acc, v.regs(2*i, 2))
			base := arg(name)
			for h := range 2 {
				VMOVUPS(Mem{Base: base, Index: at, Scale: 2, Disp: h * v.bytes()}, acc[i][h])
			}
		}
		start(at)
		var pointers []reg.GPVirtual
		var row []Mem
		for _, name := range matrices {
			p := arg(name)
			ADDQ(at, p)
			pointers, row = append(pointers, p), append(row, Mem{Base: p})
		}
		eachRow(c.name+"row", rows, stride, pointers, func() { body(row, acc, c) })
		for i, name := range sums {
			base := arg(name)
			for h := range 2 {
				VMOVUPS(acc[i][h], Mem{Base: base, Index: at, Scale: 2, Disp: h * v.bytes()})
			}
		}
	})
	return_()
}

// columnSums writes kernel.goColumnSums.
func columnSums(v isa) {
	function("columnSums"+v.name, "func(sums *float64, x *float32, rows, cols int)", "computes sums[j] += Σ_i x[i,j].")
	t, u := v.reg(8), v.reg(9)
	v.down([]string{"x"}, []string{"sums"}, func(reg.GPVirtual) {}, func(row []Mem, acc [][]reg.VecPhysical, c columnsOf) {
		c.load(row[0], t)
		v.accumulate(t, u, acc[0])
	})
}

// columnSquares writes kernel.goColumnSquares.
func columnSquares(v isa) {
	function("columnSquares"+v.name, "func(sums *float64, x, mean *float32, rows, cols int)", "computes sums[j] += Σ_i (x[i,j] - mean[j])².")
	mean, t, u := v.reg(7), v.reg(8), v.reg(9)
	v.down([]string{"x"}, []string{"sums"}, func(at reg.GPVirtual) { VMOVUPS(offset(arg("mean"), at), mean) },
		func(row []Mem, acc [][]reg.VecPhysical, c columnsOf) {
			c.load(row[0], t)
			VSUBPS(mean, t, t)
			v.upper(t, u)
			VFMADD231PD(u, u, acc[0][1])
			v.lower(t, t)
			VFMADD231PD(t, t, acc[0][0])
		})
}

// batchNormSums writes kernel.goBatchNormSums.
func batchNormSums(v isa) {
	function("batchNormSums"+v.name, "func(sum, along *float64, dy, x, mean *float32, rows, cols int)",
		"computes sum[j] += Σ_i dy[i,j] and along[j] += Σ_i dy[i,j]·(x[i,j] - mean[j]).")
	mean, t, d, u, e := v.reg(7), v.reg(8), v.reg(9), v.reg(10), v.reg(11)
	v.down([]string{"dy", "x"}, []string{"sum", "along"}, func(at reg.GPVirtual) { VMOVUPS(offset(arg("mean"), at), mean) },
		func(row []Mem, acc [][]reg.VecPhysical, c columnsOf) {
			c.load(row[0], d)
			c.load(row[1], t)
			VSUBPS(mean, t, t)
			for h, half := range []func(x, to reg.VecPhysical){v.lower, v.upper} {
				half(d, e)
				VADDPD(e, acc[0][h], acc[0][h])
				half(t, u)
				VFMADD231PD(e, u, acc[1][h])
			}
		})
}

// across writes body for every row and every vector of columns; the tables are
// rows of their own, in whole vectors.
func (v isa) across(matrices []string, tables []string, body func(row, table []Mem, c columnsOf)) {
	rows, stride := arg("rows"), strideArg("cols")
	s := v.newSpan(arg("cols"), v.reg(15))
	var pointers, bases []reg.GPVirtual
	for _, name := range matrices {
		pointers = append(pointers, arg(name))
	}
	for _, name := range tables {
		bases = append(bases, arg(name))
	}
	eachRow("row", rows, stride, pointers, func() {
		s.each("columns", func(at reg.GPVirtual, c columnsOf) {
			addresses := func(from []reg.GPVirtual) (m []Mem) {
				for _, p := range from {
					m = append(m, offset(p, at))
				}
				return m
			}
			body(addresses(pointers), addresses(bases), c)
		})
	})
	return_()
}

// batchNorm writes kernel.goBatchNorm.
func batchNorm(v isa) {
	function("batchNorm"+v.name, "func(dst, x, mean, factor, bias *float32, rows, cols int)",
		"writes (x - mean)∘factor + bias.")
	t, u := v.reg(0), v.reg(1)
	v.across([]string{"dst", "x"}, []string{"mean", "factor", "bias"}, func(row, table []Mem, c columnsOf) {
		c.load(row[1], t)
		VSUBPS(table[0], t, t)
		VMOVUPS(table[1], u)
		VFMADD213PS(table[2], u, t)
		c.store(t, row[0])
	})
}

// batchNormBackward writes kernel.goBatchNormBackward.
func batchNormBackward(v isa) {
	function("batchNormBackward"+v.name, "func(dx, dy, x, mean, factor, level, slope *float32, rows, cols int)",
		"writes factor∘(dy - level - (x - mean)∘slope).")
	t, d := v.reg(0), v.reg(1)
	v.across([]string{"dx", "dy", "x"}, []string{"mean", "factor", "level", "slope"}, func(row, table []Mem, c columnsOf) {
		c.load(row[2], t)
		VSUBPS(table[0], t, t)
		c.load(row[1], d)
		VSUBPS(table[2], d, d)
		VFNMADD231PS(table[3], t, d)
		VMULPS(table[1], d, d)
		c.store(d, row[0])
	})
}
