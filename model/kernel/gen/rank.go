package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rank writes the kernel of products as shallow as depth: for every row of c,
// and every vector of its columns, c = [c +] Σ_p a[i,p]·b[p,j], one chain of
// fused additions in the order of depth. It streams b and c.
func rank(v isa, depth int) {
	function(fmt.Sprintf("rank%s_%d", v.name, depth), "func(c *float32, ldc int, a *float32, aRow, aDepth int, b *float32, ldb, rows, n, load int)",
		fmt.Sprintf("computes c = [c +] a·b of depth %d; rows is positive, load says whether to start from c.", depth))
	s := v.newSpan(arg("n"), v.reg(15))
	c, a, load := arg("c"), arg("a"), arg("load")
	b := []reg.GPVirtual{arg("b")}
	for p := 1; p < depth; p++ {
		next := strideArg("ldb")
		ADDQ(b[p-1], next)
		b = append(b, next)
	}
	acc, x, t := v.reg(0), v.regs(1, depth), v.reg(1+depth)
	left := arg("rows")
	Label("row")
	value, step := GP64(), strideArg("aDepth")
	MOVQ(a, value)
	for p := range depth {
		VBROADCASTSS(Mem{Base: value}, x[p])
		if p < depth-1 {
			ADDQ(step, value)
		}
	}
	s.each("columns", func(at reg.GPVirtual, columns columnsOf) {
		zero(acc)
		TESTQ(load, load)
		JZ(LabelRef(columns.name + "fresh"))
		columns.load(offset(c, at), acc)
		Label(columns.name + "fresh")
		for p := range depth {
			if columns.tail == nil {
				VFMADD231PS(offset(b[p], at), x[p], acc)
				continue
			}
			columns.load(offset(b[p], at), t)
			VFMADD231PS(t, x[p], acc)
		}
		columns.store(acc, offset(c, at))
	})
	step = strideArg("aRow")
	ADDQ(step, a)
	step = strideArg("ldc")
	ADDQ(step, c)
	DECQ(left)
	JNZ(LabelRef("row"))
	return_()
}
