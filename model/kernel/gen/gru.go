package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gates addresses the three parts of a row of gates at some columns, width
// values apart.
type gates struct {
	base  reg.GPVirtual
	width reg.GPVirtual // in bytes
}

// at moves on to columns at a byte offset.
func (g gates) at(columns reg.GPVirtual) gates {
	p := GP64()
	LEAQ(offset(g.base, columns), p)
	return gates{p, g.width}
}

// part is the address of gate i: z, r or n.
func (g gates) part(i int) Mem {
	m := Mem{Base: g.base}
	if i > 0 {
		m.Index, m.Scale = g.width, uint8(i)
	}
	return m
}

// gateRows writes body in a loop over rows: the states are width values a row,
// the gates three times as many.
func gateRows(width reg.GPVirtual, states []reg.GPVirtual, all []gates, body func()) {
	left := arg("rows")
	Label("row")
	body()
	for _, p := range states {
		ADDQ(width, p)
	}
	width3 := times3(width)
	for _, g := range all {
		ADDQ(width3, g.base)
	}
	DECQ(left)
	JNZ(LabelRef("row"))
	return_()
}

// gruForward writes kernel.goGRUForward: z and r of a whole row first, so that
// no n waits for its own r.
func gruForward(v isa) {
	function("gruForward"+v.name, "func(out, gates, x, s, h *float32, rows, width int)",
		"moves rows on; rows and width are positive.")
	out, h, s := arg("out"), arg("h"), arg("s")
	span, width := v.newSpan(arg("width"), v.reg(15)), strideArg("width")
	g, x := gates{arg("gates"), width}, gates{arg("x"), width}
	in, t, old := v.reg(0), v.reg(10), v.reg(11)
	v.logisticConstants()
	gateRows(width, []reg.GPVirtual{out, h, s}, []gates{g, x}, func() {
		span.each("gates", func(at reg.GPVirtual, c columnsOf) {
			g, x := g.at(at), x.at(at)
			for i := range 2 {
				c.load(x.part(i), in)
				c.store(v.logistic(in), g.part(i))
			}
		})
		span.each("state", func(at reg.GPVirtual, c columnsOf) {
			g, x := g.at(at), x.at(at)
			c.load(x.part(2), in)
			c.load(offset(s, at), t)
			c.load(g.part(1), old)
			VFMADD231PS(t, old, in)
			n := v.tanh(in)
			c.store(n, g.part(2))
			c.load(offset(h, at), old)
			VSUBPS(n, old, old)
			c.load(g.part(0), t)
			VFMADD231PS(t, old, n)
			c.store(n, offset(out, at))
		})
	})
}

// gruBackward writes kernel.goGRUBackward.
func gruBackward(v isa) {
	function("gruBackward"+v.name, "func(d *float32, ldd int, dh, dout, gates, s, h *float32, rows, width int)",
		"takes rows back; rows and width are positive.")
	dh, dout, h, s, to := arg("dh"), arg("dout"), arg("h"), arg("s"), arg("d")
	span, width := v.newSpan(arg("width"), v.reg(15)), strideArg("width")
	g, width3 := gates{arg("gates"), width}, times3(width)
	d, z, r, n, dn, t, one, dz := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5), v.reg(6), v.reg(7)
	VBROADCASTSS(float(1), one)
	gateRows(width, []reg.GPVirtual{dh, dout, h, s}, []gates{g}, func() {
		span.each("back", func(at reg.GPVirtual, c columnsOf) {
			g, to := g.at(at), gates{to, width}.at(at)
			c.load(offset(dout, at), d)
			c.load(offset(dh, at), t)
			VADDPS(t, d, d)
			c.load(g.part(0), z)
			c.load(g.part(1), r)
			c.load(g.part(2), n)
			c.load(offset(h, at), dz)
			VSUBPS(n, dz, dz)
			VMULPS(dz, d, dz)
			VFNMADD213PS(one, n, n) // 1 - n²
			VMULPS(z, d, t)
			VSUBPS(t, d, dn) // d - d·z
			c.store(t, offset(dh, at))
			VMULPS(n, dn, dn)
			VFNMADD213PS(z, z, z) // z - z²
			VMULPS(z, dz, dz)
			c.store(dz, to.part(1))
			c.load(offset(s, at), t)
			VMULPS(t, dn, t)
			VMULPS(r, dn, dz) // dn·r, before r is lost
			VFNMADD213PS(r, r, r)
			VMULPS(r, t, t) // dr
			c.store(t, to.part(2))
			c.store(dn, to.part(0))
			c.store(dz, Mem{Base: to.base, Index: width3, Scale: 1})
		})
		ADDQ(strideArg("ldd"), to)
	})
}
