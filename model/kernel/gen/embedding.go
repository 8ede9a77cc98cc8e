package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lookup writes body for every id of a column: at y, the row of a matrix of
// stride yStride, and at row, the one of the table that the id names: row 0
// where it is outside the table or not a number.
func lookup(v isa, y string, body func(c columnsOf, y, row Mem)) {
	to, yStride, id, idStride, table, size := arg(y), strideArg("yStride"), arg("ids"), strideArg("idStride"), arg("table"), arg("size")
	s, rowBytes, left, none := v.newSpan(arg("width"), v.reg(15)), strideArg("width"), arg("rows"), GP64()
	XORQ(none, none)
	Label("id")
	row := GP64()
	VCVTTSS2SIQ(Mem{Base: id}, row)
	CMPQ(row, size)
	CMOVQCC(none, row) // also of what is negative, taken for unsigned
	IMULQ(rowBytes, row)
	ADDQ(table, row)
	s.each("columns", func(at reg.GPVirtual, c columnsOf) { body(c, offset(to, at), offset(row, at)) })
	ADDQ(yStride, to)
	ADDQ(idStride, id)
	DECQ(left)
	JNZ(LabelRef("id"))
	return_()
}

const lookupSignature = "yStride int, ids *float32, idStride int, table *float32, size, width, rows int)"

// gather writes kernel.goGather.
func gather(v isa) {
	function("gather"+v.name, "func(dst *float32, "+lookupSignature, "copies rows of a table; rows, size and width are positive.")
	t := v.reg(0)
	lookup(v, "dst", func(c columnsOf, y, row Mem) {
		c.load(row, t)
		c.store(t, y)
	})
}

// scatterAdd writes kernel.goScatterAdd.
func scatterAdd(v isa) {
	function("scatterAdd"+v.name, "func(dy *float32, "+lookupSignature, "adds to rows of a table; rows, size and width are positive.")
	t, u := v.reg(0), v.reg(1)
	lookup(v, "dy", func(c columnsOf, y, row Mem) {
		c.load(y, t)
		c.load(row, u)
		VADDPS(u, t, t)
		c.store(t, row)
	})
}
