package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// strips writes body for every row of a few vectors of columns, then of the next
// few, so that their sums, which start from sum and end there, stay in
// registers: several chains of additions that do not wait for each other. body
// adds row, the addresses of one vector of each matrix, to acc; i counts the
// vectors.
func (v isa) strips(sum reg.GPVirtual, matrices []string, body func(i int, row []Mem, acc reg.VecPhysical, c columnsOf)) {
	s, stride, rows := v.newSpan(arg("cols"), v.reg(15)), strideArg("cols"), arg("rows")
	var starts []reg.GPVirtual
	for _, name := range matrices {
		starts = append(starts, arg(name))
	}
	at := GP64()
	XORQ(at, at)
	strip := func(count int, c columnsOf) {
		acc := v.regs(0, count)
		for i, r := range acc {
			c.load(offset(sum, at).Offset(i*v.bytes()), r)
		}
		var pointers []reg.GPVirtual
		for _, start := range starts {
			p := GP64()
			LEAQ(offset(start, at), p)
			pointers = append(pointers, p)
		}
		eachRow(c.name+"row", rows, stride, pointers, func() {
			for i, r := range acc {
				var row []Mem
				for _, p := range pointers {
					row = append(row, Mem{Base: p, Disp: i * v.bytes()})
				}
				body(i, row, r, c)
			}
		})
		for i, r := range acc {
			c.store(r, offset(sum, at).Offset(i*v.bytes()))
		}
	}
	for _, count := range []int{4, 1} {
		name, end := fmt.Sprintf("strip%d", count), GP64()
		Label(name)
		LEAQ(Mem{Base: at, Disp: count * v.bytes()}, end)
		CMPQ(end, s.whole)
		JGT(LabelRef(name + "end"))
		strip(count, columnsOf{isa: v, name: name})
		ADDQ(U32(uint32(count*v.bytes())), at)
		JMP(LabelRef(name))
		Label(name + "end")
	}
	TESTQ(s.rest, s.rest)
	JZ(LabelRef("end"))
	strip(1, columnsOf{isa: v, name: "masked", tail: &s.tail})
	Label("end")
	return_()
}

// addRows writes kernel.goAddRows.
func addRows(v isa) {
	function("addRows"+v.name, "func(sum, x *float32, rows, cols int)", "computes sum[j] += Σ_i x[i,j]; rows is positive.")
	t := v.reg(8)
	v.strips(arg("sum"), []string{"x"}, func(_ int, row []Mem, acc reg.VecPhysical, c columnsOf) {
		if c.tail == nil {
			VADDPS(row[0], acc, acc)
			return
		}
		c.load(row[0], t)
		VADDPS(t, acc, acc)
	})
}

// activationRows writes kernel.goActivationRows.
func activationRows(v isa) {
	function("activationRows"+v.name, "func(dz, sum, dy, y *float32, scale, slope float32, rows, cols int)",
		"computes dz = scale·dy, times slope where y is not above 0, and sum[j] += Σ_i dz[i,j]; rows is positive.")
	scale, slope, none, scaled := v.reg(11), v.reg(12), v.reg(13), v.reg(14)
	broadcastArg("scale", scale)
	broadcastArg("slope", slope)
	zero(none)
	k := K()
	v.strips(arg("sum"), []string{"dz", "dy", "y"}, func(i int, row []Mem, acc reg.VecPhysical, c columnsOf) {
		x, t := v.reg(4+i%2), v.reg(6+i%2)
		c.load(row[1], x)
		c.load(row[2], t)
		VMULPS(scale, x, x)
		v.slopeWhereNotAbove(x, t, none, slope, scaled, k)
		c.store(x, row[0])
		VADDPS(x, acc, acc)
	})
}

// slopeWhereNotAbove multiplies x by slope where y is not greater than none, or
// NaN. y is lost; scaled and k are scratch.
func (v isa) slopeWhereNotAbove(x, y, none, slope, scaled reg.VecPhysical, k reg.OpmaskVirtual) {
	const notAbove = 0x1a
	if v.lanes == 16 {
		VCMPPS(U8(notAbove), none, y, k)
		VMULPS(slope, x, k, x)
		return
	}
	VCMPPS(U8(notAbove), none, y, y)
	VMULPS(slope, x, scaled)
	VBLENDVPS(y, scaled, x, x)
}
