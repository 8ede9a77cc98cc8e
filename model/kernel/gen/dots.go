package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dots writes sums[i] = Σ_p a[i][p]·x[p]. Rows are taken by fours, which share
// the loads of x; a row alone adds in the same order, two interleaved vectors.
func dots(v isa) {
	function("dots"+v.name, "func(sums *float32, rows int, a *float32, lda int, x *float32, k int)",
		fmt.Sprintf("computes sums[i] = Σ_p a[i*lda+p]·x[p], %d chains to a row.", 2*v.lanes))
	d := &dotsOf{isa: v, sums: arg("sums"), lda: strideArg("lda"), x: arg("x")}
	d.lda3 = times3(d.lda)
	rows, a, k := arg("rows"), arg("a"), arg("k")
	d.whole = GP64()
	MOVQ(k, d.whole)
	ANDQ(I32(int32(-2*v.lanes)), d.whole)
	SUBQ(d.whole, k) // values after the whole pairs of vectors
	d.masks(k)
	SHLQ(U8(2), d.whole)
	for _, together := range []int{4, 1} {
		name := fmt.Sprintf("rows%d", together)
		Label(name)
		CMPQ(rows, U32(uint32(together)))
		JLT(LabelRef(name + "end"))
		d.group(a, together, name)
		LEAQ(Mem{Base: a, Index: d.lda, Scale: uint8(together)}, a)
		SUBQ(U32(uint32(together)), rows)
		JMP(LabelRef(name))
		Label(name + "end")
	}
	return_()
}

type dotsOf struct {
	isa
	sums, lda, lda3, x, whole reg.GPVirtual // whole in bytes
	tail                      [2]mask
}

// masks splits the rest of a row into two masked vectors.
func (d *dotsOf) masks(rest reg.GPVirtual) {
	lanes, first, second := GP64(), GP64(), GP64()
	MOVQ(U32(uint32(d.lanes)), lanes)
	MOVQ(rest, first)
	CMPQ(first, lanes)
	CMOVQGT(lanes, first)
	MOVQ(rest, second)
	SUBQ(first, second)
	d.tail[0] = d.mask(first, d.reg(14))
	d.tail[1] = d.mask(second, d.reg(15))
}

// group computes the sums of rows that start at a.
func (d *dotsOf) group(a reg.GPVirtual, rows int, name string) {
	acc := d.regs(0, 2*rows)
	x, t := d.regs(8, 2), d.reg(10)
	for _, r := range acc {
		zero(r)
	}
	at := GP64()
	XORQ(at, at)
	Label(name + "depth")
	CMPQ(at, d.whole)
	JGE(LabelRef(name + "tail"))
	for h := range 2 {
		VMOVUPS(Mem{Base: d.x, Index: at, Scale: 1, Disp: h * d.bytes()}, x[h])
	}
	row := d.rows(a, at, rows)
	for i := range rows {
		for h := range 2 {
			VFMADD231PS(row[i].Offset(h*d.bytes()), x[h], acc[2*i+h])
		}
	}
	ADDQ(U32(uint32(2*d.bytes())), at)
	JMP(LabelRef(name + "depth"))
	Label(name + "tail")
	row = d.rows(a, at, rows)
	for h := range 2 {
		d.load(Mem{Base: d.x, Index: at, Scale: 1, Disp: h * d.bytes()}, d.tail[h], x[h])
		for i := range rows {
			d.load(row[i].Offset(h*d.bytes()), d.tail[h], t)
			VFMADD231PS(t, x[h], acc[2*i+h])
		}
	}
	for i := range rows {
		VADDPS(acc[2*i+1], acc[2*i], acc[2*i])
		VMOVSS(d.sum(acc[2*i], t), Mem{Base: d.sums})
		ADDQ(U32(4), d.sums)
	}
}

// rows are the addresses of the values at byte offset at of each row.
func (d *dotsOf) rows(a, at reg.GPVirtual, rows int) []Mem {
	p := GP64()
	LEAQ(Mem{Base: a, Index: at, Scale: 1}, p)
	return []Mem{
		{Base: p}, {Base: p, Index: d.lda, Scale: 1}, {Base: p, Index: d.lda, Scale: 2}, {Base: p, Index: d.lda3, Scale: 1},
	}[:rows]
}

// transpose8 writes blocks of 8 x 8 values, columns of src to rows of dst.
func transpose8() {
	v := avx2
	function("transpose8", "func(dst *float32, ldd int, src *float32, lds, blocks int)",
		"writes dst[j*ldd+i] = src[i*lds+j] for 8 rows i and 8·blocks columns j.")
	dst, ldd, src, lds, blocks := arg("dst"), strideArg("ldd"), arg("src"), strideArg("lds"), arg("blocks")
	from, step := newRows(src, lds, 8), GP64()
	MOVQ(U32(32), step)
	Label("block")
	in, out := v.regs(0, 8), v.regs(8, 8)
	for i := range 4 { // rows i and i+4 side by side, first halves, then second halves
		for h := range 2 {
			r := in[i+4*h]
			VMOVUPS(from.row(i).Offset(16*h), r.AsX())
			VINSERTF128(U8(1), from.row(i+4).Offset(16*h), r, r)
		}
	}
	for h := range 2 {
		a, t := in[4*h:], out[4*h:]
		VUNPCKLPS(a[1], a[0], t[0])
		VUNPCKHPS(a[1], a[0], t[1])
		VUNPCKLPS(a[3], a[2], t[2])
		VUNPCKHPS(a[3], a[2], t[3])
		for j, pair := range []int{0, 1} {
			VSHUFPS(U8(0x44), t[pair+2], t[pair], a[2*j])
			VSHUFPS(U8(0xee), t[pair+2], t[pair], a[2*j+1])
		}
	}
	for _, r := range in {
		VMOVUPS(r, Mem{Base: dst})
		ADDQ(ldd, dst)
	}
	from.advance(step)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	return_()
}

// panelOf copies a panel, two vectors wide.
func panelOf(v isa) {
	function("panel"+v.name, "func(dst, src *float32, lds, rows int)", "writes rows of two vectors, lds apart in src, one after the other; rows is positive.")
	dst, src, lds, rows := arg("dst"), arg("src"), strideArg("lds"), arg("rows")
	t := v.regs(0, 2)
	Label("row")
	for h := range t {
		VMOVUPS(Mem{Base: src, Disp: h * v.bytes()}, t[h])
	}
	for h := range t {
		VMOVUPS(t[h], Mem{Base: dst, Disp: h * v.bytes()})
	}
	ADDQ(lds, src)
	ADDQ(U32(uint32(2*v.bytes())), dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	return_()
}
