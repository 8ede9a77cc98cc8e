package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels here take rows of any length: whole vectors, and then the rest
// behind a mask. They add up in float64.

// A span is the columns of a matrix, cut into vectors.
type span struct {
	isa
	whole, rest reg.GPVirtual // bytes of whole vectors, values after them
	tail        mask
}

// newSpan cuts n columns; scratch is AVX2's mask for as long as the span lives.
func (v isa) newSpan(n reg.GPVirtual, scratch reg.VecPhysical) span {
	whole, rest := GP64(), GP64()
	MOVQ(n, whole)
	MOVQ(n, rest)
	ANDQ(I32(int32(-v.lanes)), whole)
	SUBQ(whole, rest)
	SHLQ(U8(2), whole)
	return span{v, whole, rest, v.mask(rest, scratch)}
}

// each writes body for a whole vector, in a loop, and for the masked rest. at is
// the byte offset of the columns.
func (s span) each(name string, body func(at reg.GPVirtual, c columnsOf)) {
	at := GP64()
	XORQ(at, at)
	CMPQ(at, s.whole)
	JGE(LabelRef(name + "rest"))
	Label(name)
	body(at, columnsOf{isa: s.isa, name: name})
	ADDQ(U32(uint32(s.bytes())), at)
	CMPQ(at, s.whole)
	JLT(LabelRef(name))
	Label(name + "rest")
	TESTQ(s.rest, s.rest)
	JZ(LabelRef(name + "end"))
	body(at, columnsOf{isa: s.isa, name: name + "masked", tail: &s.tail})
	Label(name + "end")
}

// columnsOf are a vector's columns: all lanes, or those of a mask.
type columnsOf struct {
	isa
	name string
	tail *mask
}

// load reads the columns, zeros in other lanes.
func (c columnsOf) load(from Mem, to reg.VecPhysical) {
	if c.tail == nil {
		VMOVUPS(from, to)
		return
	}
	c.isa.load(from, *c.tail, to)
}

func (c columnsOf) store(from reg.VecPhysical, to Mem) {
	if c.tail == nil {
		VMOVUPS(from, to)
		return
	}
	c.isa.store(from, *c.tail, to)
}

// only clears the other lanes.
func (c columnsOf) only(r reg.VecPhysical) {
	switch {
	case c.tail == nil:
	case c.lanes == 16:
		VMOVAPS_Z(r, c.tail.k, r)
	default:
		VANDPS(c.tail.v, r, r)
	}
}

// sum adds the columns at m to two vectors of float64. t and u are scratch.
func (c columnsOf) sum(m Mem, t, u reg.VecPhysical, acc []reg.VecPhysical) {
	if c.tail != nil {
		c.load(m, t)
		c.accumulate(t, u, acc)
		return
	}
	for h := range 2 { // conversion on the way from memory is the cheaper one
		VCVTPS2PD(m.Offset(h*c.bytes()/2), t)
		VADDPD(t, acc[h], acc[h])
	}
}

// eachRow writes body in a loop over rows, the pointers moving on by stride.
func eachRow(name string, rows, stride reg.GPVirtual, pointers []reg.GPVirtual, body func()) {
	left := GP64()
	MOVQ(rows, left)
	Label(name)
	body()
	for _, p := range pointers {
		ADDQ(stride, p)
	}
	DECQ(left)
	JNZ(LabelRef(name))
}

// accumulate adds the lanes of x, which is lost, to two vectors of float64. t is
// scratch.
func (v isa) accumulate(x, t reg.VecPhysical, acc []reg.VecPhysical) {
	v.upper(x, t)
	VADDPD(t, acc[1], acc[1])
	v.lower(x, t)
	VADDPD(t, acc[0], acc[0])
}

// lower and upper widen half of a vector of float32.
func (v isa) lower(x, to reg.VecPhysical) {
	if v.lanes == 16 {
		VCVTPS2PD(x.AsY(), to)
	} else {
		VCVTPS2PD(x.AsX(), to)
	}
}

func (v isa) upper(x, to reg.VecPhysical) {
	if v.lanes == 16 {
		VEXTRACTF64X4(U8(1), x, to.AsY())
		VCVTPS2PD(to.AsY(), to)
	} else {
		VEXTRACTF128(U8(1), x, to.AsX())
		VCVTPS2PD(to.AsX(), to)
	}
}

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

// clear zeroes registers.
func (v isa) clear(registers []reg.VecPhysical) {
	for _, r := range registers {
		zero(r)
	}
}
