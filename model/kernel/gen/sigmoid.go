package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The functions here multiply and add in one rounding, which plain Go does not:
// they differ from it in the last bits. So that a value does not depend on where
// in memory it stands, the rest of an array that fills no vector is computed by
// the same instructions, behind a mask.

// unary writes a kernel dst = f(x). body gets x in register 0 and returns the
// register of its result; prepare fills registers that stay.
func unary(v isa, name, doc string, prepare func(), body func(z reg.VecPhysical) reg.VecPhysical) {
	function(name+v.name, "func(dst, x *float32, n int)", "computes dst = "+doc+".")
	mapped(v, arg("dst"), arg("x"), arg("n"), prepare, body)
}

func mapped(v isa, dst, x, n reg.GPVirtual, prepare func(), body func(z reg.VecPhysical) reg.VecPhysical) {
	s := v.newSpan(n, v.reg(15))
	prepare()
	s.each("vector", func(at reg.GPVirtual, c columnsOf) {
		c.load(offset(x, at), v.reg(0))
		c.store(body(v.reg(0)), offset(dst, at))
	})
	return_()
}

func sigmoid(v isa) {
	unary(v, "sigmoid", "1/(1+e^-x)", v.logisticConstants, v.logistic)
}

func tanh(v isa) {
	unary(v, "tanh", "tanh(x)", func() {}, v.tanh)
}

// logisticConstants fills registers 6 to 8 for logistic.
func (v isa) logisticConstants() {
	VBROADCASTSS(constant(1<<31), v.reg(6))
	VBROADCASTSS(float(1), v.reg(7))
	VBROADCASTSS(float(-87.33), v.reg(8))
}

// logistic is kernel.sigmoid of z, which is register 0.
// It uses registers 1 to 9 and returns one of them.
func (v isa) logistic(z reg.VecPhysical) reg.VecPhysical {
	a, f, r, p, t := v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5)
	sign, one, low := v.reg(6), v.reg(7), v.reg(8)
	VORPS(z, sign, a) // -|z|
	v.exp(a, f, r, p, t)
	v.zeroBelow(a, low, p)
	VADDPS(one, p, r)
	v.choose(z, p, one, p)
	VDIVPS(r, p, p)
	return p
}

// tanh is kernel.tanh of x, which is register 0. It uses registers 1 to 5 and
// returns one of them.
func (v isa) tanh(x reg.VecPhysical) reg.VecPhysical {
	q, p, d, t := v.reg(1), v.reg(2), v.reg(3), v.reg(5)
	VBROADCASTSS(float(7.90531110763549805), t)
	VMINPS(x, t, x) // NaN passes
	VBROADCASTSS(float(-7.90531110763549805), t)
	VMAXPS(x, t, x)
	VMULPS(x, x, q)
	v.polynomial(q, p, t, -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
		1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03)
	v.polynomial(q, d, t, 1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
	VMULPS(p, x, p)
	VDIVPS(d, p, p)
	return p
}

// polynomial evaluates p at q, coefficients from the highest power down.
func (v isa) polynomial(q, p, t reg.VecPhysical, coefficients ...float32) {
	VBROADCASTSS(float(coefficients[0]), p)
	for _, c := range coefficients[1:] {
		v.timesPlus(q, c, p, t)
	}
}

// timesPlus computes p = p·q + c. AVX2 needs the scratch register t.
func (v isa) timesPlus(q reg.VecPhysical, c float32, p, t reg.VecPhysical) {
	if v.lanes == 16 {
		VFMADD213PS_BCST(float(c), q, p)
		return
	}
	VBROADCASTSS(float(c), t)
	VFMADD213PS(t, q, p)
}

// plusTimes computes p += q·c.
func (v isa) plusTimes(q reg.VecPhysical, c float32, p, t reg.VecPhysical) {
	if v.lanes == 16 {
		VFMADD231PS_BCST(float(c), q, p)
		return
	}
	VBROADCASTSS(float(c), t)
	VFMADD231PS(t, q, p)
}

// exponential writes kernel.goExp.
func exponential(v isa) {
	function("exp"+v.name, "func(dst, x *float32, shift float32, n int)", "computes dst = e^(x-shift), x no more than shift.")
	shift, p, low := v.reg(1), v.reg(4), v.reg(8)
	mapped(v, arg("dst"), arg("x"), arg("n"), func() {
		broadcastArg("shift", shift)
		VBROADCASTSS(float(-87.33), low)
	}, func(a reg.VecPhysical) reg.VecPhysical {
		VSUBPS(shift, a, a)
		v.exp(a, v.reg(2), v.reg(3), p, v.reg(5))
		v.zeroBelow(a, low, p)
		return p
	})
}

// softplus is kernel.goSoftplus.
func softplus(v isa) {
	sign, two, low, none := v.reg(6), v.reg(7), v.reg(8), v.reg(10)
	unary(v, "softplus", "log(1+e^x)", func() {
		VBROADCASTSS(constant(1<<31), sign)
		VBROADCASTSS(float(2), two)
		VBROADCASTSS(float(-87.33), low)
		zero(none)
	}, func(z reg.VecPhysical) reg.VecPhysical {
		a, f, r, p, t := v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5)
		VORPS(z, sign, a) // -|z|
		v.exp(a, f, r, p, t)
		v.zeroBelow(a, low, p)
		VADDPS(two, p, r)
		VDIVPS(r, p, r) // s
		VMULPS(r, r, f) // q
		v.polynomial(f, p, t, 2.0/13, 2.0/11, 2.0/9, 2.0/7, 2.0/5, 2.0/3, 2)
		VMAXPS(z, none, z) // NaN passes
		VFMADD213PS(z, r, p)
		return p
	})
}

// exp computes p = e^a as kernel.exp does, but for the values that underflow.
func (v isa) exp(a, f, r, p, t reg.VecPhysical) {
	const nearest = 0
	VBROADCASTSS(float(math.Log2E), t)
	VMULPS(t, a, f)
	if v.lanes == 16 {
		VRNDSCALEPS(U8(nearest), f, f)
	} else {
		VROUNDPS(U8(nearest), f, f)
	}
	VMOVAPS(a, r)
	v.plusTimes(f, -0.693359375, r, t)
	v.plusTimes(f, 2.12194440e-4, r, t)
	v.polynomial(r, p, t, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	VMULPS(r, r, t)
	VFMADD213PS(r, t, p) // p·r² + r
	VBROADCASTSS(float(1), t)
	VADDPS(t, p, p)
	if v.lanes == 16 {
		VSCALEFPS(f, p, p)
		return
	}
	VCVTPS2DQ(f, f)
	VBROADCASTSS(constant(127), t)
	VPADDD(t, f, f)
	VPSLLD(U8(23), f, f)
	VMULPS(f, p, p)
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
