package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sigmoid writes kernel.goSigmoid, operation by operation.
func sigmoid(v isa) {
	function("sigmoid"+v.name, "func(dst, x *float32, n int)", "computes dst = 1/(1+e^-x).")
	dst, x, n := arg("dst"), arg("x"), arg("n")
	z, a, f, r, p, t := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5)
	sign, one, low := v.reg(6), v.reg(7), v.reg(8)
	VBROADCASTSS(constant(1<<31), sign)
	VBROADCASTSS(float(1), one)
	VBROADCASTSS(float(-87.33), low)
	v.loop(n, func(at reg.GPVirtual) {
		VMOVUPS(offset(x, at), z)
		VORPS(z, sign, a) // -|z|
		v.exp(a, f, r, p, t)
		v.zeroBelow(a, low, p)
		VADDPS(one, p, r)
		v.choose(z, p, one, p)
		VDIVPS(r, p, p)
		VMOVUPS(p, offset(dst, at))
	})
}

// softplus writes kernel.goSoftplus, operation by operation.
func softplus(v isa) {
	function("softplus"+v.name, "func(dst, x *float32, n int)", "computes dst = log(1+e^x).")
	dst, x, n := arg("dst"), arg("x"), arg("n")
	z, a, f, r, p, t := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5)
	sign, two, low, none := v.reg(6), v.reg(7), v.reg(8), v.reg(10)
	VBROADCASTSS(constant(1<<31), sign)
	VBROADCASTSS(float(2), two)
	VBROADCASTSS(float(-87.33), low)
	zero(none)
	v.loop(n, func(at reg.GPVirtual) {
		VMOVUPS(offset(x, at), z)
		VORPS(z, sign, a) // -|z|
		v.exp(a, f, r, p, t)
		v.zeroBelow(a, low, p)
		VADDPS(two, p, r)
		VDIVPS(r, p, r) // s
		VMULPS(r, r, f) // q
		VBROADCASTSS(float(2.0/13), p)
		for _, c := range []float32{2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2} {
			VMULPS(f, p, p)
			VBROADCASTSS(float(c), t)
			VADDPS(t, p, p)
		}
		VMULPS(r, p, p)
		VMAXPS(z, none, z) // NaN passes
		VADDPS(z, p, p)
		VMOVUPS(p, offset(dst, at))
	})
}

// exp computes p = e^a as kernel.exp does, but for the values that underflow.
func (v isa) exp(a, f, r, p, t reg.VecPhysical) {
	times := func(c float32, x, to reg.VecPhysical) {
		VBROADCASTSS(float(c), t)
		VMULPS(t, x, to)
	}
	plus := func(c float32, x reg.VecPhysical) {
		VBROADCASTSS(float(c), t)
		VADDPS(t, x, x)
	}
	times(math.Log2E, a, f)
	plus(-0.5, f)
	VCVTTPS2DQ(f, p)
	VCVTDQ2PS(p, f)
	times(0.693359375, f, r)
	VSUBPS(r, a, r)
	times(2.12194440e-4, f, f)
	VADDPS(f, r, r)
	exponent := v.reg(9)
	VBROADCASTSS(constant(127), t)
	VPADDD(t, p, exponent)
	VPSLLD(U8(23), exponent, exponent)
	VBROADCASTSS(float(1.9875691500e-4), p)
	for _, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		VMULPS(r, p, p)
		plus(c, p)
	}
	VMULPS(r, r, f)
	VMULPS(f, p, p)
	VADDPS(r, p, p)
	plus(1, p)
	VMULPS(exponent, p, p)
}

// zeroBelow clears the lanes of p where a < low.
func (v isa) zeroBelow(a, low, p reg.VecPhysical) {
	const notLess = 0x15 // or NaN
	if v.lanes == 16 {
		k := K()
		VCMPPS(U8(notLess), low, a, k)
		VMOVAPS_Z(p, k, p)
		return
	}
	t := v.reg(9)
	VCMPPS(U8(notLess), low, a, t)
	VANDPS(t, p, p)
}

// choose takes below where z < 0 by its sign bit, else above.
func (v isa) choose(z, below, above, to reg.VecPhysical) {
	if v.lanes == 16 {
		k := K()
		VPMOVD2M(z, k)
		VBLENDMPS(below, above, k, to)
		return
	}
	VBLENDVPS(z, below, above, to)
}
