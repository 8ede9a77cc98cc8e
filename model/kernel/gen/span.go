package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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

// clear zeroes registers.
func (v isa) clear(registers []reg.VecPhysical) {
	for _, r := range registers {
		zero(r)
	}
}
