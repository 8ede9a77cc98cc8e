package main

import (
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels here pass once over memory, n values, a positive multiple of the
// lanes; the caller computes the rest. They multiply and add apart, so that
// every path gives the same bits.

// loop runs body for every vector of n values. at is the byte offset.
func (v isa) loop(n reg.GPVirtual, body func(at reg.GPVirtual)) {
	at := GP64()
	XORQ(at, at)
	SHLQ(U8(2), n)
	Label("vector")
	body(at)
	ADDQ(U32(uint32(v.bytes())), at)
	CMPQ(at, n)
	JLT(LabelRef("vector"))
	return_()
}

func offset(base, at reg.GPVirtual) Mem { return Mem{Base: base, Index: at, Scale: 1} }

func broadcastArg(name string, to reg.VecPhysical) {
	m, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(m.Addr, to)
}

func axpy(v isa) {
	function("axpy"+v.name, "func(y *float32, alpha float32, x *float32, n int)", "computes y += alpha·x.")
	y, x, n := arg("y"), arg("x"), arg("n")
	alpha, t := v.reg(0), v.reg(1)
	broadcastArg("alpha", alpha)
	v.loop(n, func(at reg.GPVirtual) {
		VMULPS(offset(x, at), alpha, t)
		VADDPS(offset(y, at), t, t)
		VMOVUPS(t, offset(y, at))
	})
}

func scale(v isa) {
	function("scale"+v.name, "func(x *float32, alpha float32, n int)", "computes x *= alpha.")
	x, n := arg("x"), arg("n")
	alpha, t := v.reg(0), v.reg(1)
	broadcastArg("alpha", alpha)
	v.loop(n, func(at reg.GPVirtual) {
		VMULPS(offset(x, at), alpha, t)
		VMOVUPS(t, offset(x, at))
	})
}

func mul(v isa) {
	function("mul"+v.name, "func(dst, x, r *float32, n int)", "computes dst = x∘r.")
	dst, x, r, n := arg("dst"), arg("x"), arg("r"), arg("n")
	t := v.reg(0)
	v.loop(n, func(at reg.GPVirtual) {
		VMOVUPS(offset(x, at), t)
		VMULPS(offset(r, at), t, t)
		VMOVUPS(t, offset(dst, at))
	})
}

func mulAdd(v isa) {
	function("mulAdd"+v.name, "func(dst, x, r *float32, n int)", "computes dst += x∘r.")
	dst, x, r, n := arg("dst"), arg("x"), arg("r"), arg("n")
	t := v.reg(0)
	v.loop(n, func(at reg.GPVirtual) {
		VMOVUPS(offset(x, at), t)
		VMULPS(offset(r, at), t, t)
		VADDPS(offset(dst, at), t, t)
		VMOVUPS(t, offset(dst, at))
	})
}

// dropout evaluates mask.hash.
func dropout(v isa) {
	function("dropout"+v.name, "func(dst, x *float32, k0, k1, threshold uint32, scale float32, n int)",
		"scales x[i], or zeroes it where its hash is below the threshold.")
	dst, x, n := arg("dst"), arg("x"), arg("n")
	index, step, k1, threshold, scale, c1, c2 := v.reg(0), v.reg(1), v.reg(2), v.reg(3), v.reg(4), v.reg(5), v.reg(6)
	h, t := v.reg(7), v.reg(8)
	broadcastArg("k0", index)
	broadcastArg("k1", k1)
	broadcastArg("threshold", threshold)
	broadcastArg("scale", scale)
	VPADDD(countData(), index, index)
	VPBROADCASTD(constant(uint32(v.lanes)), step)
	VPBROADCASTD(constant(0x7feb352d), c1)
	VPBROADCASTD(constant(0x846ca68b), c2)
	xor := func(a, b, to reg.VecPhysical) {
		if v.lanes == 16 {
			VPXORD(a, b, to)
		} else {
			VPXOR(a, b, to)
		}
	}
	k := K()
	v.loop(n, func(at reg.GPVirtual) {
		VPSRLD(U8(16), index, t)
		xor(t, index, h)
		VPMULLD(c1, h, h)
		xor(k1, h, h)
		VPSRLD(U8(15), h, t)
		xor(t, h, h)
		VPMULLD(c2, h, h)
		VPSRLD(U8(16), h, t)
		xor(t, h, h)
		if v.lanes == 16 {
			const notLess = 5
			VPCMPUD(U8(notLess), threshold, h, k)
			VMOVUPS_Z(offset(x, at), k, t)
			VMULPS(scale, t, t)
		} else {
			VPMAXUD(threshold, h, t) // equals h where h is not below
			VPCMPEQD(h, t, t)
			VMULPS(offset(x, at), scale, h)
			VANDPS(h, t, t)
		}
		VMOVUPS(t, offset(dst, at))
		VPADDD(step, index, index)
	})
}

var counts Mem

// countData is 0, 1, 2, ... 15.
func countData() Mem {
	if counts.Base == nil {
		counts = GLOBL("count", 8|16)
		for i := range 16 {
			DATA(4*i, U32(uint32(i)))
		}
	}
	return counts
}

// adamW reads the gradients through their slice headers.
func adamW(v isa) {
	names := []string{"scale", "beta1", "rest1", "beta2", "rest2", "keep", "rate", "root", "epsilon", "meanKeep", "meanRest"}
	function("adamW"+v.name, "func(w, m, v, average *float32, grads *[]float32, count, n int, "+strings.Join(names, ", ")+" float32)",
		"takes an AdamW step; grads points to count slice headers; average may be nil.")
	w, m, vv, average, grads, count, n := arg("w"), arg("m"), arg("v"), arg("average"), arg("grads"), arg("count"), arg("n")
	coefficients := v.regs(0, len(names))
	for i, r := range coefficients {
		broadcastArg(names[i], r)
	}
	scale, beta1, rest1, beta2, rest2, keep, rate, root, epsilon := coefficients[0], coefficients[1], coefficients[2],
		coefficients[3], coefficients[4], coefficients[5], coefficients[6], coefficients[7], coefficients[8]
	meanKeep, meanRest := coefficients[9], coefficients[10]
	g, t, u := v.reg(11), v.reg(12), v.reg(13)
	const header = 24
	end := GP64()
	IMUL3Q(U8(header), count, end)
	ADDQ(grads, end)
	v.loop(n, func(at reg.GPVirtual) {
		// Where other cores have read w since it was written last, waiting for its
		// lines until they are written takes as long as all the rest.
		ahead := offset(w, at)
		ahead.Disp = 1024
		prefetchToWrite(ahead)
		zero(g)
		next, values := GP64(), GP64()
		MOVQ(grads, next)
		Label("gradient")
		CMPQ(next, end)
		JGE(LabelRef("summed"))
		MOVQ(Mem{Base: next}, values)
		VADDPS(offset(values, at), g, g)
		ADDQ(U32(header), next)
		JMP(LabelRef("gradient"))
		Label("summed")
		VMULPS(scale, g, g)
		VMULPS(offset(m, at), beta1, t)
		VMULPS(rest1, g, u)
		VADDPS(u, t, t)
		VMOVUPS(t, offset(m, at))
		VMULPS(g, g, g)
		VMULPS(rest2, g, g)
		VMULPS(offset(vv, at), beta2, u)
		VADDPS(g, u, u)
		VMOVUPS(u, offset(vv, at))
		VSQRTPS(u, u)
		VMULPS(root, u, u)
		VADDPS(epsilon, u, u)
		VMULPS(rate, t, t)
		VDIVPS(u, t, t)
		VMULPS(offset(w, at), keep, u)
		VSUBPS(t, u, u)
		VMOVUPS(u, offset(w, at))
		TESTQ(average, average)
		JZ(LabelRef("next"))
		VMULPS(meanRest, u, u)
		VMULPS(offset(average, at), meanKeep, t)
		VADDPS(u, t, t)
		VMOVUPS(t, offset(average, at))
		Label("next")
	})
}
