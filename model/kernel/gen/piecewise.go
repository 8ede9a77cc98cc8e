package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// locate writes kernel.goLocate: the bin is counted, vectors of edges at a time.
func locate(v isa) {
	function("locate"+v.name, "func(bin *int32, frac, x *float32, stride, rows int, edges *float32, last int)",
		"finds bin and position of every row among edges, of which the last bin of some width is given.")
	bin, frac, x, stride, rows, edges := arg("bin"), arg("frac"), arg("x"), strideArg("stride"), arg("rows"), arg("edges")
	whole, rest := arg("last"), GP64()
	MOVQ(whole, rest)
	ANDQ(I32(int32(-v.lanes)), whole)
	SUBQ(whole, rest)
	tail := v.mask(rest, v.reg(1))
	value, none, t := v.reg(0), v.reg(2), v.reg(3)
	zero(none)
	row, at, count, hits := GP64(), GP64(), GP64(), GP32()
	XORQ(row, row)
	Label("row")
	VBROADCASTSS(Mem{Base: x}, value)
	XORQ(at, at)
	XORQ(count, count)
	edge := Mem{Base: edges, Index: at, Scale: 4, Disp: 4} // past the first
	Label("edges")
	CMPQ(at, whole)
	JGE(LabelRef("tail"))
	v.notAbove(edge, value, t, hits)
	POPCNTL(hits, hits)
	ADDQ(hits.As64(), count)
	ADDQ(U32(uint32(v.lanes)), at)
	JMP(LabelRef("edges"))
	Label("tail")
	v.notAboveMasked(edge, value, t, tail, hits)
	POPCNTL(hits, hits)
	ADDQ(hits.As64(), count)
	MOVL(count.As32(), Mem{Base: bin, Index: row, Scale: 4})
	low, span, position := v.reg(4).AsX(), v.reg(5).AsX(), value.AsX()
	VMOVSS(Mem{Base: edges, Index: count, Scale: 4}, low)
	VMOVSS(Mem{Base: edges, Index: count, Scale: 4, Disp: 4}, span)
	VSUBSS(low, span, span)
	VSUBSS(low, position, position)
	VDIVSS(span, position, position)
	const less = 0x11
	VCMPSS(U8(less), span, none.AsX(), span)
	VANDPS(span, position, position) // no position in a bin of no width
	VMOVSS(position, Mem{Base: frac, Index: row, Scale: 4})
	ADDQ(stride, x)
	INCQ(row)
	CMPQ(row, rows)
	JLT(LabelRef("row"))
	return_()
}

const notBelow = 0x1d // first operand at or above the second, false for NaN

// notAbove sets a bit of hits for every edge not above the value.
func (v isa) notAbove(edge Mem, value, t reg.VecPhysical, hits reg.GPVirtual) {
	if v.lanes == 16 {
		k := K()
		VCMPPS(U8(notBelow), edge, value, k)
		KMOVW(k, hits)
		return
	}
	VCMPPS(U8(notBelow), edge, value, t)
	VMOVMSKPS(t, hits)
}

func (v isa) notAboveMasked(edge Mem, value, t reg.VecPhysical, m mask, hits reg.GPVirtual) {
	if v.lanes == 16 {
		k := K()
		VCMPPS(U8(notBelow), edge, value, m.k, k)
		KMOVW(k, hits)
		return
	}
	VMASKMOVPS(edge, m.v, t)
	VCMPPS(U8(notBelow), t, value, t)
	VANDPS(m.v, t, t)
	VMOVMSKPS(t, hits)
}

// columns runs body for every vector of columns of a table width values wide;
// at is the byte offset of the columns.
func (v isa) columns(width reg.GPVirtual, body func(at reg.GPVirtual)) {
	at := GP64()
	XORQ(at, at)
	Label("columns")
	body(at)
	ADDQ(U32(uint32(v.bytes())), at)
	CMPQ(at, width)
	JLT(LabelRef("columns"))
	return_()
}

// prefix writes kernel.goPrefix.
func prefix(v isa) {
	function("prefix"+v.name, "func(sums, bias, table *float32, width, rows int)",
		"writes bias and its running sums with the rows of table; width is a multiple of the lanes.")
	sums, bias, table, width, rows := arg("sums"), arg("bias"), arg("table"), strideArg("width"), arg("rows")
	acc := v.reg(0)
	v.columns(width, func(at reg.GPVirtual) {
		from, to, left := GP64(), GP64(), GP64()
		LEAQ(offset(table, at), from)
		LEAQ(offset(sums, at), to)
		MOVQ(rows, left)
		VMOVUPS(offset(bias, at), acc)
		Label("row")
		VMOVUPS(acc, Mem{Base: to})
		DECQ(left)
		JLT(LabelRef("summed"))
		VADDPS(Mem{Base: from}, acc, acc)
		ADDQ(width, from)
		ADDQ(width, to)
		JMP(LabelRef("row"))
		Label("summed")
	})
}

const rowsSignature = ", sums *float32, width, yStride int, x *float32, xStride int, bin *int32, frac *float32, rows int)"

// A batch is the parameters that the forward and the backward kernel share.
type batch struct {
	y                                              string // name of the parameter
	sums, width, yStride, xStride, bin, frac, rows reg.GPVirtual
}

func newBatch(y string) batch {
	return batch{y, arg("sums"), strideArg("width"), strideArg("yStride"), strideArg("xStride"), arg("bin"), arg("frac"), arg("rows")}
}

// each runs body for every row of a vector of columns: y is its address there,
// entry the byte offset of its bin, x and frac its broadcast numbers.
func (b batch) each(at reg.GPVirtual, x, frac reg.VecPhysical, body func(y Mem, entry reg.GPVirtual)) {
	y, value, row, entry := arg(b.y), arg("x"), GP64(), GP64()
	ADDQ(at, y)
	XORQ(row, row)
	Label("row")
	MOVLQSX(Mem{Base: b.bin, Index: row, Scale: 4}, entry)
	IMULQ(b.width, entry)
	ADDQ(at, entry)
	VBROADCASTSS(Mem{Base: value}, x)
	VBROADCASTSS(Mem{Base: b.frac, Index: row, Scale: 4}, frac)
	body(Mem{Base: y}, entry)
	ADDQ(b.yStride, y)
	ADDQ(b.xStride, value)
	INCQ(row)
	CMPQ(row, b.rows)
	JLT(LabelRef("row"))
}

// forward writes kernel.goForward.
func forward(v isa) {
	function("forward"+v.name, "func(dst, slope, table *float32"+rowsSignature,
		"writes slope·x + sums[bin] + frac·table[bin]; width is a multiple of the lanes.")
	b := newBatch("dst")
	table := arg("table")
	s, x, frac := v.reg(0), v.reg(1), v.reg(2)
	v.columns(b.width, func(at reg.GPVirtual) {
		VMOVUPS(offset(arg("slope"), at), s)
		b.each(at, x, frac, func(y Mem, entry reg.GPVirtual) {
			VMULPS(s, x, x)
			VADDPS(offset(b.sums, entry), x, x)
			VMULPS(offset(table, entry), frac, frac)
			VADDPS(frac, x, x)
			VMOVUPS(x, y)
		})
	})
}

// backward writes kernel.goBackward.
func backward(v isa) {
	function("backward"+v.name, "func(dslope, dtable, dy *float32"+rowsSignature,
		"adds x·dy to dslope, frac·dy to dtable[bin] and dy to sums[bin]; width is a multiple of the lanes.")
	b := newBatch("dy")
	table := arg("dtable")
	s, x, frac, d, t := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4)
	v.columns(b.width, func(at reg.GPVirtual) {
		VMOVUPS(offset(arg("dslope"), at), s)
		b.each(at, x, frac, func(y Mem, entry reg.GPVirtual) {
			VMOVUPS(y, d)
			VMULPS(d, x, x)
			VADDPS(x, s, s)
			VMULPS(d, frac, frac)
			VADDPS(offset(table, entry), frac, frac)
			VMOVUPS(frac, offset(table, entry))
			VADDPS(offset(b.sums, entry), d, t)
			VMOVUPS(t, offset(b.sums, entry))
		})
		VMOVUPS(s, offset(arg("dslope"), at))
	})
}

// fold writes kernel.goFold, but for what that leaves in sums.
func fold(v isa) {
	function("fold"+v.name, "func(dbias, dtable, sums *float32, width, rows int)",
		"adds the sums of all later rows to every row of dtable, and of all rows to dbias; width is a multiple of the lanes, rows positive.")
	dbias, dtable, sums, width, rows := arg("dbias"), arg("dtable"), arg("sums"), strideArg("width"), arg("rows")
	last := GP64() // offset of the last row
	MOVQ(rows, last)
	DECQ(last)
	IMULQ(width, last)
	acc, t := v.reg(0), v.reg(1)
	v.columns(width, func(at reg.GPVirtual) {
		from, to, left := GP64(), GP64(), GP64()
		LEAQ(offset(sums, at), from)
		LEAQ(offset(dtable, at), to)
		ADDQ(last, from)
		ADDQ(last, to)
		MOVQ(rows, left)
		zero(acc)
		Label("row")
		VADDPS(Mem{Base: from}, acc, acc)
		DECQ(left)
		JZ(LabelRef("summed"))
		SUBQ(width, from)
		SUBQ(width, to)
		VADDPS(Mem{Base: to}, acc, t)
		VMOVUPS(t, Mem{Base: to})
		JMP(LabelRef("row"))
		Label("summed")
		VADDPS(offset(dbias, at), acc, acc)
		VMOVUPS(acc, offset(dbias, at))
	})
}
