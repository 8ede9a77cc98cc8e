package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gates addresses the four parts of a row of gates, width values apart.
type gates struct{ base, width, width3 reg.GPVirtual } // in bytes

// at moves on to columns at a byte offset.
func (g gates) at(columns reg.GPVirtual) gates {
	p := GP64()
	LEAQ(offset(g.base, columns), p)
	return gates{p, g.width, g.width3}
}

// part is the address of gate i: z, r, n or s.
func (g gates) part(i int) Mem {
	m := Mem{Base: g.base}
	switch i {
	case 1, 2:
		m.Index, m.Scale = g.width, uint8(i)
	case 3:
		m.Index, m.Scale = g.width3, 1
	}
	return m
}

// gateRows writes body in a loop over rows of gates, and of states of width
// values.
func gateRows(v isa, states []reg.GPVirtual, body func(span span, g gates)) {
	span, width := v.newSpan(arg("width"), v.reg(15)), strideArg("width")
	g := gates{arg("gates"), width, times3(width)}
	left, stride := arg("rows"), strideArg("ldg")
	Label("row")
	body(span, g)
	for _, p := range states {
		ADDQ(width, p)
	}
	ADDQ(stride, g.base)
	DECQ(left)
	JNZ(LabelRef("row"))
	return_()
}

// gruForward writes kernel.goGRUForward: z and r of a whole row first, so that
// no n waits for its own r.
func gruForward(v isa) {
	function("gruForward"+v.name, "func(out, gates *float32, ldg int, h *float32, rows, width int)",
		"moves rows on; rows and width are positive.")
	out, h := arg("out"), arg("h")
	in, t, old := v.reg(0), v.reg(10), v.reg(11)
	v.logisticConstants()
	gateRows(v, []reg.GPVirtual{out, h}, func(span span, g gates) {
		span.each("gates", func(at reg.GPVirtual, c columnsOf) {
			g := g.at(at)
			for i := range 2 {
				c.load(g.part(i), in)
				c.store(v.logistic(in), g.part(i))
			}
		})
		span.each("state", func(at reg.GPVirtual, c columnsOf) {
			g := g.at(at)
			c.load(g.part(2), in)
			c.load(g.part(3), t)
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
	function("gruBackward"+v.name, "func(gates *float32, ldg int, dh, dout, h *float32, rows, width int)",
		"takes rows back; rows and width are positive.")
	dh, dout, h := arg("dh"), arg("dout"), arg("h")
	d, z, r, n, dn, t, one, dz := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5), v.reg(6), v.reg(7)
	VBROADCASTSS(float(1), one)
	gateRows(v, []reg.GPVirtual{dh, dout, h}, func(span span, g gates) {
		span.each("back", func(at reg.GPVirtual, c columnsOf) {
			g := g.at(at)
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
			c.store(dz, g.part(0))
			c.load(g.part(3), t)
			VMULPS(t, dn, t)
			VMULPS(r, dn, dz) // dn·r, before r is lost
			VFNMADD213PS(r, r, r)
			VMULPS(r, t, t) // dr
			c.store(t, g.part(1))
			c.store(dn, g.part(2))
			c.store(dz, g.part(3))
		})
	})
}
