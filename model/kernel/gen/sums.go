package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// chains is kernel.chains.
const chains = 32

// squares keeps kernel.chains sums of float64, whatever the lanes, and joins
// them in halves.
func squares(v isa) {
	function("squares"+v.name, "func(x *float32, n int) float64", "computes Σ x²; n is a positive multiple of 32.")
	x, n := arg("x"), arg("n")
	acc, end := v.startSquares(x, n)
	t := v.regs(len(acc), len(acc))
	Label("vector")
	for i := range acc {
		VCVTPS2PD(Mem{Base: x, Disp: i * v.bytes() / 2}, t[i])
		VFMADD231PD(t[i], t[i], acc[i]) // exact: a square of a float32 fits a float64
	}
	ADDQ(U32(4*chains), x)
	CMPQ(x, end)
	JLT(LabelRef("vector"))
	v.join(acc, t[0])
}

// addSquares is squares of dst + x, which it writes to dst.
func addSquares(v isa) {
	function("addSquares"+v.name, "func(dst, x *float32, n int) float64", "computes dst += x and Σ dst²; n is a positive multiple of 32.")
	dst, x, n := arg("dst"), arg("x"), arg("n")
	acc, end := v.startSquares(dst, n)
	y, low, high := v.reg(len(acc)), v.reg(len(acc)+1), v.reg(len(acc)+2)
	Label("vector")
	for i := 0; i < len(acc); i += 2 {
		at := i / 2 * v.bytes()
		VMOVUPS(Mem{Base: dst, Disp: at}, y)
		VADDPS(Mem{Base: x, Disp: at}, y, y)
		VMOVUPS(y, Mem{Base: dst, Disp: at})
		v.lower(y, low)
		v.upper(y, high)
		VFMADD231PD(low, low, acc[i])
		VFMADD231PD(high, high, acc[i+1])
	}
	ADDQ(U32(4*chains), dst)
	ADDQ(U32(4*chains), x)
	CMPQ(dst, end)
	JLT(LabelRef("vector"))
	v.join(acc, y)
}

// difference is squares of x - y, which it writes to dst times alpha.
func difference(v isa) {
	function("difference"+v.name, "func(dst, x, y *float32, alpha float32, n int) float64",
		"computes dst = alpha·(x-y) and Σ (x-y)²; n is a positive multiple of 32.")
	dst, x, y, n := arg("dst"), arg("x"), arg("y"), arg("n")
	acc, end := v.startSquares(x, n)
	d, low, high, alpha := v.reg(len(acc)), v.reg(len(acc)+1), v.reg(len(acc)+2), v.reg(len(acc)+3)
	broadcastArg("alpha", alpha)
	Label("vector")
	for i := 0; i < len(acc); i += 2 {
		at := i / 2 * v.bytes()
		VMOVUPS(Mem{Base: x, Disp: at}, d)
		VSUBPS(Mem{Base: y, Disp: at}, d, d)
		v.lower(d, low)
		v.upper(d, high)
		VFMADD231PD(low, low, acc[i])
		VFMADD231PD(high, high, acc[i+1])
		VMULPS(alpha, d, d)
		VMOVUPS(d, Mem{Base: dst, Disp: at})
	}
	for _, p := range []reg.GPVirtual{dst, x, y} {
		ADDQ(U32(4*chains), p)
	}
	CMPQ(x, end)
	JLT(LabelRef("vector"))
	v.join(acc, d)
}

// startSquares returns cleared sums and the end of n values at x.
func (v isa) startSquares(x, n reg.GPVirtual) (acc []reg.VecPhysical, end reg.GPVirtual) {
	acc = v.regs(0, 2*chains/v.lanes)
	v.clear(acc)
	end = GP64()
	LEAQ(Mem{Base: x, Index: n, Scale: 4}, end)
	return acc, end
}

// join returns the sum of all chains.
func (v isa) join(acc []reg.VecPhysical, t reg.VecPhysical) {
	v.total(acc, t)
	Store(acc[0].AsX(), ReturnIndex(0))
	return_()
}

// total adds vectors of float64 up into lane 0 of the first. t is scratch.
func (v isa) total(acc []reg.VecPhysical, t reg.VecPhysical) {
	for half := len(acc) / 2; half > 0; half /= 2 {
		for i := range half {
			VADDPD(acc[i+half], acc[i], acc[i])
		}
	}
	s := acc[0]
	if v.lanes == 16 {
		VEXTRACTF64X4(U8(1), s, t.AsY())
		VADDPD(t.AsY(), s.AsY(), s.AsY())
	}
	VEXTRACTF128(U8(1), s.AsY(), t.AsX())
	VADDPD(t.AsX(), s.AsX(), s.AsX())
	VPERMILPD(U8(1), s.AsX(), t.AsX())
	VADDSD(t.AsX(), s.AsX(), s.AsX())
}

func most(v isa) {
	function("most"+v.name, "func(x *float32, n int) float32", "returns the largest of x; n is a positive multiple of the lanes.")
	x, n := arg("x"), arg("n")
	acc, t := v.reg(0), v.reg(1)
	VMOVUPS(Mem{Base: x}, acc)
	end := GP64()
	LEAQ(Mem{Base: x, Index: n, Scale: 4}, end)
	Label("vector")
	VMAXPS(Mem{Base: x}, acc, acc)
	ADDQ(U32(uint32(v.bytes())), x)
	CMPQ(x, end)
	JLT(LabelRef("vector"))
	if v.lanes == 16 {
		VEXTRACTF64X4(U8(1), acc, t.AsY())
		VMAXPS(t.AsY(), acc.AsY(), acc.AsY())
	}
	VEXTRACTF128(U8(1), acc.AsY(), t.AsX())
	VMAXPS(t.AsX(), acc.AsX(), acc.AsX())
	VMOVHLPS(acc.AsX(), acc.AsX(), t.AsX())
	VMAXPS(t.AsX(), acc.AsX(), acc.AsX())
	VMOVSHDUP(acc.AsX(), t.AsX())
	VMAXSS(t.AsX(), acc.AsX(), acc.AsX())
	Store(acc.AsX(), ReturnIndex(0))
	return_()
}

func sum(v isa) {
	function("sum"+v.name, "func(x *float32, n int) float64", "returns Σ x.")
	x := arg("x")
	s := v.newSpan(arg("n"), v.reg(15))
	acc, t, u := v.regs(0, 2), v.reg(2), v.reg(3)
	v.clear(acc)
	s.each("vector", func(at reg.GPVirtual, c columnsOf) { c.sum(offset(x, at), t, u, acc) })
	v.join(acc, t)
}
