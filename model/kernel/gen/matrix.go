package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Neither the assembler nor avo know the instructions of the matrix unit (AMX),
// so they are written as bytes. They take physical registers only: nobody else
// sees which ones they use.

// A tmm is one of the eight tile registers, of 16 rows of 64 bytes.
type tmm int

// number is a register's number in machine code.
func number(r reg.Register) byte {
	names := []reg.Register{reg.RAX, reg.RCX, reg.RDX, reg.RBX, reg.RSP, reg.RBP, reg.RSI, reg.RDI,
		reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14, reg.R15}
	for i, name := range names {
		if name == r {
			return byte(i)
		}
	}
	panic("no general register")
}

// tileMemory writes an instruction on a tile and its rows in memory, the first
// of them at base+disp, the others stride bytes apart.
func tileMemory(name string, prefix byte, t tmm, base, stride reg.Register, disp int) {
	b, x := number(base), number(stride)
	code := []byte{0xc4, 0xe2 ^ b>>3<<5 ^ x>>3<<6, 0x78 | prefix, 0x4b, 0x84 | byte(t)<<3, x&7<<3 | b&7}
	code = binary.LittleEndian.AppendUint32(code, uint32(disp))
	raw(fmt.Sprintf("%s T%d, %d(%s)(%s*1)", name, t, disp, base.Asm(), stride.Asm()), code)
	keepApart()
}

func tileLoad(t tmm, base, stride reg.Register, disp int) {
	tileMemory("TILELOADD", 3, t, base, stride, disp)
}

func tileStore(t tmm, base, stride reg.Register, disp int) {
	tileMemory("TILESTORED", 2, t, base, stride, disp)
}

func tileZero(t tmm) {
	raw(fmt.Sprintf("TILEZERO T%d", t), []byte{0xc4, 0xe2, 0x7b, 0x49, 0xc0 | byte(t)<<3})
}

// tileMulAdd adds to c, for all of its 16 x 16 values, the sum of the products
// of 16 pairs: of a row of a with a column of b.
func tileMulAdd(c, a, b tmm) {
	raw(fmt.Sprintf("TDPBF16PS T%d += T%d * T%d", c, a, b), []byte{0xc4, 0xe2, 0x02 | (15^byte(b))<<3, 0x5c, 0xc0 | byte(c)<<3 | byte(a)})
	keepApart()
}

// keepApart follows an instruction of the unit with as many that do nothing as
// the processor takes up in a cycle, and two. While another program runs on the
// core's second thread, two instructions of the unit that are taken up together
// hold each other up: a matrixStep then takes 690 to 790 cycles, and so kept
// apart 440 to 520. Where the core is ours alone, both take 200.
func keepApart() {
	const nop = 0x90
	raw("8 NOP", bytes.Repeat([]byte{nop}, 8))
}

// tileConfigure makes all eight tiles as large as they get, with the table at
// the address in RAX.
func tileConfigure() {
	table := GLOBL("tiles", 8|16) // RODATA, NOPTR
	DATA(0, U64(1))               // palette 1
	DATA(8, U64(0))
	for i := range 4 {
		DATA(16+8*i, U64(0x0040_0040_0040_0040*(1-uint64(i/2)))) // bytes of a row
	}
	DATA(48, U64(0x1010_1010_1010_1010)) // rows
	DATA(56, U64(0))
	LEAQ(table, reg.RAX)
	raw("LDTILECFG (AX)", []byte{0xc4, 0xe2, 0x78, 0x49, 0x00})
}

func tileRelease() { raw("TILERELEASE", []byte{0xc4, 0xe2, 0x78, 0x49, 0xc0}) }

// Bytes of a split operand: of one tile, of both tiles of one part, and of both
// parts, which are a step of depth.
const (
	tileBytes = 1024
	partBytes = 2 * tileBytes
	stepBytes = 2 * partBytes

	matrixBlockBytes = 4 * 32 // of a row of one block of results
)

// matrixPanels writes the products of blocks of 32 rows, one below the other,
// with panels of 32 columns, side by side. All of them share what it takes to
// set the unit up, which is as long as a dozen products of tiles.
func matrixPanels() {
	function("matrixPanels", "func(panels, count, steps int, a, b *uint32, c *float32, ldc int, start *float32, lds int)", "computes panels of count blocks of 32 x 32 values of c = start + a·b over steps of 32 of depth, from operands that splitPairs laid out. Without start sums begin at zero; one whose rows lie no values apart is the same for all rows.")
	panels, blocks, steps, left := reg.RAX, reg.RBX, reg.RCX, reg.RDX
	a, b, line := reg.RSI, reg.RDI, reg.R13
	start, lds, c, ldc, lower := reg.R8, reg.R9, reg.R10, reg.R11, reg.R12
	tileConfigure()
	Load(Param("panels"), panels)
	Load(Param("steps"), steps)
	Load(Param("b"), b)
	Load(Param("c"), c)
	Load(Param("ldc"), ldc)
	Load(Param("start"), start)
	Load(Param("lds"), lds)
	SHLQ(U8(2), ldc)
	SHLQ(U8(2), lds)
	MOVQ(U32(64), line)
	Label("panel")
	Load(Param("a"), a)
	Load(Param("count"), blocks)
	Label("block")
	TESTQ(start, start)
	JZ(LabelRef("fresh"))
	nextTile(start, lds, lower)
	for i, from := range []reg.Register{start, lower} {
		for j := range 2 {
			tileLoad(tmm(2*i+j), from, lds, 64*j)
		}
	}
	nextTile(lower, lds, start)
	JMP(LabelRef("sum"))
	Label("fresh")
	for t := range tmm(4) {
		tileZero(t)
	}
	Label("sum")
	MOVQ(steps, left)
	Label("depth")
	matrixStep(a, b, line)
	ADDQ(U32(stepBytes), a)
	ADDQ(U32(stepBytes), b)
	DECQ(left)
	JNZ(LabelRef("depth"))
	nextTile(c, ldc, lower)
	for i, to := range []reg.Register{c, lower} {
		for j := range 2 {
			tileStore(tmm(2*i+j), to, ldc, 64*j)
		}
	}
	nextTile(lower, ldc, c)
	IMUL3Q(U32(stepBytes), steps, left)
	SUBQ(left, b)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	// To the next panel, and back to its first row.
	ADDQ(left, b)
	Load(Param("count"), blocks)
	SHLQ(U8(5), blocks)
	MOVQ(blocks, left)
	IMULQ(ldc, left)
	SUBQ(left, c)
	ADDQ(U32(matrixBlockBytes), c)
	TESTQ(start, start)
	JZ(LabelRef("moved"))
	IMULQ(lds, blocks)
	SUBQ(blocks, start)
	ADDQ(U32(matrixBlockBytes), start)
	Label("moved")
	DECQ(panels)
	JNZ(LabelRef("panel"))
	tileRelease()
	RET()
}

// nextTile sets next to the tile below the one at.
func nextTile(at, stride, next reg.Register) {
	MOVQ(stride, next)
	SHLQ(U8(4), next)
	ADDQ(at, next)
}

// matrixStep adds three of the four products of parts: the fourth is less than
// what splitting rounds off. Tiles 4 and 5 hold a part of a, 6 and 7 one of b.
func matrixStep(a, b, line reg.Register) {
	const high, low = 0, 1
	inA, inB := -1, -1
	for _, parts := range [][2]int{{high, low}, {high, high}, {low, high}} {
		if parts[0] != inA {
			inA = parts[0]
			tileLoad(4, a, line, inA*partBytes)
			tileLoad(5, a, line, inA*partBytes+tileBytes)
		}
		if parts[1] != inB {
			inB = parts[1]
			tileLoad(6, b, line, inB*partBytes)
			tileLoad(7, b, line, inB*partBytes+tileBytes)
		}
		for t := range tmm(4) {
			tileMulAdd(t, 4+t/2, 6+t%2)
		}
	}
}

// splitPairs writes the two parts of pairs of values.
func splitPairs() {
	function("splitPairs", "func(dst *uint32, src *float32, steps, across, stride, second, count, first, last int)", "splits steps of count rows of 16 pairs into two bfloat16 parts: the values rounded, and what is left of them rounded. A pair is a value and the one second values further on; rows of src lie stride values apart, and steps across. Of the first ones of a row only first are read, of the second ones only last: the others are zero. The parts of a pair are a word each, the second value's in its upper half. Rows of them follow one another; the parts lie as many bytes apart as 32 rows take.")
	v := avx512
	masks := [2]mask{v.mask(arg("first"), nil), v.mask(arg("last"), nil)}
	dst, src, steps, across, stride, second, count := arg("dst"), arg("src"), arg("steps"), strideArg("across"), strideArg("stride"), strideArg("second"), arg("count")
	half, upper, plain := reg.Z30, reg.Z31, reg.Z29
	VPBROADCASTD(constant(0x8000), half)
	VPBROADCASTD(constant(0xffff0000), upper)
	VPBROADCASTD(constant(0x33), plain) // one NaN for all
	Label("step")
	from, to, left := GP64(), GP64(), GP64()
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(count, left)
	Label("row")
	x, rounded := [2]reg.VecPhysical{reg.Z0, reg.Z1}, [2]reg.VecPhysical{reg.Z2, reg.Z3}
	v.load(Mem{Base: from}, masks[0], x[0])
	v.load(Mem{Base: from, Index: second, Scale: 1}, masks[1], x[1])
	for i := range x {
		VPADDD(half, x[i], rounded[i])
		VPANDD(upper, rounded[i], rounded[i])
		VSUBPS(rounded[i], x[i], x[i])
	}
	storePairs(rounded, upper, Mem{Base: to})
	for i := range x {
		VFIXUPIMMPS(U8(0), plain, x[i], x[i]) // a NaN of all ones would round to zero
		VPADDD(half, x[i], x[i])
	}
	storePairs(x, upper, Mem{Base: to, Disp: partBytes})
	ADDQ(stride, from)
	ADDQ(U32(64), to)
	DECQ(left)
	JNZ(LabelRef("row"))
	ADDQ(across, src)
	ADDQ(U32(stepBytes), dst)
	DECQ(steps)
	JNZ(LabelRef("step"))
	return_()
}

// storePairs writes the upper halves of the lanes of x side by side.
func storePairs(x [2]reg.VecPhysical, upper reg.VecPhysical, to Mem) {
	const either = 0xf8 // first | second & third
	t := reg.Z4
	VPSRLD(U8(16), x[0], t)
	VPTERNLOGD(U8(either), upper, x[1], t)
	VMOVDQU32(t, to)
}

// turnTiles writes what turns tiles of 16 x 16 words over.
func turnTiles() {
	function("turnTiles", "func(tiles *uint32, count, apart int)", "transposes count tiles of 16 x 16 words, which lie apart words from one another.")
	tiles, count, apart := arg("tiles"), arg("count"), strideArg("apart")
	zmm := func(first int) (r [16]reg.VecPhysical) {
		for i := range r {
			r[i] = avx512.reg(first + i).(reg.VecPhysical)
		}
		return r
	}
	r, t := zmm(0), zmm(16)
	Label("tile")
	for i := range r {
		VMOVDQU32(Mem{Base: tiles, Disp: 64 * i}, r[i])
	}
	for i := 0; i < 16; i += 2 { // pairs of words of two rows
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 16; i += 4 { // the four words of a column in four rows
		for j := range 2 {
			VUNPCKLPD(t[i+j+2], t[i+j], r[i+2*j])
			VUNPCKHPD(t[i+j+2], t[i+j], r[i+2*j+1])
		}
	}
	const even, odd = 0x88, 0xdd
	for _, i := range []int{0, 8} { // of eight rows, the first and third column of each kind, and the others
		for c := range 4 {
			VSHUFF32X4(U8(even), r[i+4+c], r[i+c], t[i+c])
			VSHUFF32X4(U8(odd), r[i+4+c], r[i+c], t[i+4+c])
		}
	}
	for c := range 8 {
		VSHUFF32X4(U8(even), t[8+c], t[c], r[c])
		VSHUFF32X4(U8(odd), t[8+c], t[c], r[8+c])
	}
	for i := range r {
		VMOVDQU32(r[i], Mem{Base: tiles, Disp: 64 * i})
	}
	ADDQ(apart, tiles)
	DECQ(count)
	JNZ(LabelRef("tile"))
	return_()
}

// finishRows writes the end of a product whose sums are made.
func finishRows() {
	function("finishRows", "func(c *float32, ldc int, sums *float32, lds int, bias *float32, rows, mode, first, last int)", "writes rows of c = [c +] sums [+ bias], then act. A row has first values, at most 16, and then last ones. Mode is that of tiles.")
	v := avx512
	masks := [2]mask{v.mask(arg("first"), nil), v.mask(arg("last"), nil)}
	biases, x := [2]reg.VecPhysical{reg.Z4, reg.Z5}, [2]reg.VecPhysical{reg.Z0, reg.Z1}
	nought, slope, t := reg.Z6, reg.Z7, reg.Z8
	for _, r := range []reg.VecPhysical{biases[0], biases[1], nought} {
		zero(r)
	}
	VBROADCASTSS(float(0.01), slope) // kernel.LeakySlope
	bias := arg("bias")
	TESTQ(bias, bias)
	JZ(LabelRef("rows"))
	for j, r := range biases {
		v.load(Mem{Base: bias, Disp: 64 * j}, masks[j], r)
	}
	Label("rows")
	c, ldc, sums, lds, rows, mode := arg("c"), strideArg("ldc"), arg("sums"), strideArg("lds"), arg("rows"), arg("mode")
	Label("row")
	for j, r := range x {
		v.load(Mem{Base: sums, Disp: 64 * j}, masks[j], r)
	}
	TESTQ(U32(1), mode)
	JZ(LabelRef("loaded"))
	for j, r := range x {
		v.load(Mem{Base: c, Disp: 64 * j}, masks[j], t)
		VADDPS(t, r, r)
	}
	Label("loaded")
	for j, r := range x {
		VADDPS(biases[j], r, r)
	}
	TESTQ(U32(2), mode)
	JZ(LabelRef("unclipped"))
	for _, r := range x {
		VMAXPS(r, nought, r) // passes NaN on
	}
	Label("unclipped")
	TESTQ(U32(4), mode)
	JZ(LabelRef("write"))
	for _, r := range x {
		VMULPS(r, slope, t)
		VMAXPS(r, t, r)
	}
	Label("write")
	for j, r := range x {
		v.store(r, masks[j], Mem{Base: c, Disp: 64 * j})
	}
	ADDQ(ldc, c)
	ADDQ(lds, sums)
	DECQ(rows)
	JNZ(LabelRef("row"))
	return_()
}
