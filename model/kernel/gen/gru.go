package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gates addresses the three parts of a row of gates, width values apart.
type gates struct {
	base  reg.GPVirtual
	width reg.GPVirtual // in bytes
}

// part is the address of gate i: z, r
// or n, at the current column.
func (g gates) part(i int) Mem {
	m := Mem{Base: g.base}
	if i > 0 {
		m.Index, m.Scale = g.width, uint8(i)
	}
	return m
}

// each runs body for every vector of a row, all pointers moving along.
func (v isa) each(n reg.GPVirtual, pointers []reg.GPVirtual, body func()) {
	Label("vector")
	body()
	for _, p := range pointers {
		ADDQ(U32(uint32(v.bytes())), p)
	}
	SUBQ(U32(uint32(v.lanes)), n)
	JNZ(LabelRef("vector"))
	return_()
}

// gruForward writes kernel.goGRUForward.
func gruForward(v isa) {
	function("gruForward"+v.name, "func(out, gates, x, s, h *float32, width, n int)",
		"moves the first n columns of a row on; n is a positive multiple of the lanes.")
	out, h, n, width := arg("out"), arg("h"), arg("n"), strideArg("width")
	g, x, s := gates{arg("gates"), width}, gates{arg("x"), width}, gates{arg("s"), width}
	in, z, r := v.reg(0), v.reg(11), v.reg(12)
	v.logisticConstants()
	v.each(n, []reg.GPVirtual{out, h, g.base, x.base, s.base}, func() {
		for i, gate := range []reg.VecPhysical{z, r} {
			VMOVUPS(x.part(i), in)
			VADDPS(s.part(i), in, in)
			VMOVAPS(v.logistic(in), gate)
			VMOVUPS(gate, g.part(i))
		}
		VMULPS(s.part(2), r, r)
		VADDPS(x.part(2), r, in)
		c := v.tanh(in)
		VMOVUPS(c, g.part(2))
		VMOVUPS(Mem{Base: h}, in)
		VSUBPS(c, in, in)
		VMULPS(z, in, in)
		VADDPS(c, in, in)
		VMOVUPS(in, Mem{Base: out})
	})
}

// gruBackward writes kernel.goGRUBackward.
func gruBackward(v isa) {
	function("gruBackward"+v.name, "func(dx, ds, dh, dout, gates, s, h *float32, width, n int)",
		"takes the first n columns of a row back; n is a positive multiple of the lanes.")
	dh, dout, h, n, width := arg("dh"), arg("dout"), arg("h"), arg("n"), strideArg("width")
	dx, ds, g, s := gates{arg("dx"), width}, gates{arg("ds"), width}, gates{arg("gates"), width}, gates{arg("s"), width}
	d, z, r, c, dc, t, one, dz := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5), v.reg(6), v.reg(7)
	VBROADCASTSS(float(1), one)
	v.each(n, []reg.GPVirtual{dx.base, ds.base, dh, dout, g.base, s.base, h}, func() {
		VMOVUPS(Mem{Base: dout}, d)
		VMOVUPS(g.part(0), z)
		VMOVUPS(g.part(1), r)
		VMOVUPS(g.part(2), c)
		VMOVUPS(Mem{Base: h}, dz)
		VSUBPS(c, dz, dz)
		VMULPS(dz, d, dz)
		VMULPS(c, c, c)
		VSUBPS(c, one, c) // 1 - n²
		VMULPS(z, d, t)
		VSUBPS(t, d, dc) // d - d·z
		VMOVUPS(t, Mem{Base: dh})
		VMULPS(c, dc, dc)
		VMULPS(z, z, t)
		VSUBPS(t, z, t)
		VMULPS(t, dz, dz)
		VMOVUPS(dz, dx.part(0))
		VMOVUPS(dz, ds.part(0))
		VMULPS(s.part(2), dc, dz) // dr
		VMULPS(r, r, t)
		VSUBPS(t, r, t)
		VMULPS(t, dz, dz)
		VMOVUPS(dz, dx.part(1))
		VMOVUPS(dz, ds.part(1))
		VMOVUPS(dc, dx.part(2))
		VMULPS(r, dc, dc)
		VMOVUPS(dc, ds.part(2))
	})
}
