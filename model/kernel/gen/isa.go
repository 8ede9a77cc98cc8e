package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa is a vector instruction set.
type isa struct {
	name     string
	lanes    int // float32 values in a vector
	tileRows int // rows of the largest tile: with two columns of vectors it fills the registers
}

var (
	avx512 = isa{name: "AVX512", lanes: 16, tileRows: 14}
	avx2   = isa{name: "AVX2", lanes: 8, tileRows: 6}
)

func (v isa) bytes() int { return 4 * v.lanes }

// reg is vector register i.
func (v isa) reg(i int) reg.VecPhysical {
	if v.lanes == 16 {
		return []reg.VecPhysical{
			reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
			reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
			reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
			reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
		}[i]
	}
	return []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}[i]
}

// regs are count vector registers from the first.
func (v isa) regs(first, count int) []reg.VecPhysical {
	r := make([]reg.VecPhysical, count)
	for i := range r {
		r[i] = v.reg(first + i)
	}
	return r
}

func zero(r reg.VecPhysical) { VXORPS(r, r, r) }

// A mask selects the first values of a vector.
type mask struct {
	k reg.OpmaskVirtual // AVX-512
	v reg.VecPhysical   // AVX2: sign bits
}

// mask builds the mask of the first count lanes, 0 to all of them. scratch is a
// vector register that AVX2 needs for as long as the mask lives.
func (v isa) mask(count reg.Register, scratch reg.VecPhysical) mask {
	if v.lanes == 16 {
		bits := GP32()
		MOVL(U32(0xffff), bits)
		n := GP32()
		MOVL(count.(reg.GPVirtual).As32(), n)
		BZHIL(n, bits, bits)
		m := mask{k: K()}
		KMOVW(bits, m.k)
		return m
	}
	table, at := GP64(), GP64()
	LEAQ(maskTable(), table)
	MOVQ(U32(uint32(v.lanes)), at)
	SUBQ(count, at)
	VMOVUPS(Mem{Base: table, Index: at, Scale: 4}, scratch)
	return mask{v: scratch}
}

var maskData Mem

// maskTable is eight words of ones, then eight of zeros.
func maskTable() Mem {
	if maskData.Base == nil {
		maskData = GLOBL("lanes", 8|16) // RODATA, NOPTR
		for i := range 16 {
			DATA(4*i, U32(1-i/8)*0xffffffff)
		}
	}
	return maskData
}

// load reads the lanes of m, zeros elsewhere.
func (v isa) load(from Mem, m mask, to reg.VecPhysical) {
	if v.lanes == 16 {
		VMOVUPS_Z(from, m.k, to)
		return
	}
	VMASKMOVPS(from, m.v, to)
}

// store writes the lanes of m.
func (v isa) store(from reg.VecPhysical, m mask, to Mem) {
	if v.lanes == 16 {
		VMOVUPS(from, m.k, to)
		return
	}
	VMASKMOVPS(from, m.v, to)
}

// sum adds the lanes of r into lane 0 of its lowest part, which is returned.
// t is scratch.
func (v isa) sum(r, t reg.VecPhysical) reg.Register {
	if v.lanes == 16 {
		VEXTRACTF64X4(U8(1), r, t.AsY())
		VADDPS(t.AsY(), r.AsY(), r.AsY())
	}
	VEXTRACTF128(U8(1), r.AsY(), t.AsX())
	VADDPS(t.AsX(), r.AsX(), r.AsX())
	VMOVHLPS(r.AsX(), r.AsX(), t.AsX())
	VADDPS(t.AsX(), r.AsX(), r.AsX())
	VMOVSHDUP(r.AsX(), t.AsX())
	VADDSS(t.AsX(), r.AsX(), r.AsX())
	return r.AsX()
}

// function starts an assembly function that takes and keeps no pointers.
func function(name, signature, doc string) {
	TEXT(name, 4, signature) // NOSPLIT
	Pragma("noescape")
	Doc(name + " " + doc)
}

// arg loads a parameter.
func arg(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// strideArg loads a parameter that counts values, in bytes.
func strideArg(name string) reg.GPVirtual {
	r := arg(name)
	SHLQ(U8(2), r)
	return r
}

// times3 returns 3·r.
func times3(r reg.GPVirtual) reg.GPVirtual {
	t := GP64()
	LEAQ(Mem{Base: r, Index: r, Scale: 2}, t)
	return t
}

// return_ ends a function.
func return_() {
	VZEROUPPER()
	RET()
}

// shared are the words that constant has made.
var shared = map[uint32]Mem{}

// constant is a word in read-only memory.
func constant(bits uint32) Mem {
	if _, ok := shared[bits]; !ok {
		shared[bits] = ConstData(fmt.Sprintf("word%08x", bits), U32(bits))
	}
	return shared[bits]
}

// float is a number in read-only memory.
func float(x float32) Mem { return constant(math.Float32bits(x)) }
