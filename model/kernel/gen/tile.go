package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const tileSignature = "func(k int, a *float32, aRow, aDepth int, b *float32, bDepth int, c *float32, ldc int, bias *float32, mode, last int)"

// rowsOf addresses rows of equal stride with one pointer for four of them.
type rowsOf struct {
	pointers        []reg.GPVirtual
	stride, stride3 reg.GPVirtual
}

func newRows(first, stride reg.GPVirtual, rows int) rowsOf {
	r := rowsOf{pointers: []reg.GPVirtual{first}, stride: stride}
	if rows > 3 {
		r.stride3 = times3(stride)
	}
	for i := 4; i < rows; i += 4 {
		next := GP64()
		LEAQ(Mem{Base: r.pointers[i/4-1], Index: stride, Scale: 4}, next)
		r.pointers = append(r.pointers, next)
	}
	return r
}

// row is the address of the current value of row i.
func (r rowsOf) row(i int) Mem {
	m := Mem{Base: r.pointers[i/4]}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.stride3, 1
	}
	return m
}

func (r rowsOf) advance(by reg.GPVirtual) {
	for _, p := range r.pointers {
		ADDQ(by, p)
	}
}

// sums are a tile's accumulators in its rows and columns of vectors, and what
// the start and the end of a tile have in common for all shapes.
type sums struct {
	isa
	acc  [][]reg.VecPhysical
	free []reg.VecPhysical // at least four
	last mask
}

func newSums(v isa, rows, columns int) *sums {
	s := &sums{isa: v}
	for i := range rows {
		s.acc = append(s.acc, v.regs(i*columns, columns))
	}
	total := 16
	if v.lanes == 16 {
		total = 32
	}
	s.free = v.regs(rows*columns, total-rows*columns)
	return s
}

// loadColumn reads column j of vectors at address m, the last one masked.
func (s *sums) loadColumn(m Mem, j int, to reg.VecPhysical) {
	if j == len(s.acc[0])-1 {
		s.load(m, s.last, to)
		return
	}
	VMOVUPS(m, to)
}

// tile writes one kernel c = [c +] [bias +] a·b, then act, for a number of rows
// and one or two columns of vectors, of which the last has `last` values. Mode:
// 1 starts from c; 2 ends with ReLU, 4 with LeakyReLU. Each sum is one chain of
// fused additions in the order of depth.
func tile(v isa, rows, columns int) {
	function(fmt.Sprintf("tile%sx%dr%d", v.name, columns*v.lanes, rows), tileSignature,
		fmt.Sprintf("is tile%s for %d rows and up to %d columns.", v.name, rows, columns*v.lanes))
	s := newSums(v, rows, columns)
	s.start()
	aDepth, bDepth := strideArg("aDepth"), strideArg("bDepth")
	a := newRows(arg("a"), strideArg("aRow"), rows)
	b, k := arg("b"), arg("k")
	TESTQ(k, k)
	JZ(LabelRef("end"))
	Label("depth")
	for j := range columns {
		VMOVUPS(Mem{Base: b, Disp: j * v.bytes()}, s.free[j])
	}
	for i := range rows {
		if columns == 1 && v.lanes == 16 {
			VFMADD231PS_BCST(a.row(i), s.free[0], s.acc[i][0])
			continue
		}
		x := s.free[columns+i%2]
		VBROADCASTSS(a.row(i), x)
		for j := range columns {
			VFMADD231PS(s.free[j], x, s.acc[i][j])
		}
	}
	ADDQ(bDepth, b)
	a.advance(aDepth)
	DECQ(k)
	JNZ(LabelRef("depth"))
	Label("end")
	s.finish()
}

// start fills the sums from zero or c, and bias.
func (s *sums) start() {
	columns := len(s.acc[0])
	mode, c, ldc, bias := arg("mode"), arg("c"), strideArg("ldc"), arg("bias")
	s.last = s.mask(arg("last"), s.free[len(s.free)-1])
	for _, row := range s.acc {
		for _, r := range row {
			zero(r)
		}
	}
	TESTQ(U32(1), mode)
	JZ(LabelRef("fresh"))
	for _, row := range s.acc {
		for j, r := range row {
			s.loadColumn(Mem{Base: c, Disp: j * s.bytes()}, j, r)
		}
		ADDQ(ldc, c)
	}
	Label("fresh")
	TESTQ(bias, bias)
	JZ(LabelRef("started"))
	for j := range columns {
		t := s.free[0]
		s.loadColumn(Mem{Base: bias, Disp: j * s.bytes()}, j, t)
		for _, row := range s.acc {
			VADDPS(t, row[j], row[j])
		}
	}
	Label("started")
}

// finish applies the activation and stores the sums. Maximum returns its first
// source here when either is NaN, so NaN passes.
func (s *sums) finish() {
	mode, c, ldc := arg("mode"), arg("c"), strideArg("ldc")
	s.last = s.mask(arg("last"), s.free[len(s.free)-1])
	t := s.free[0]
	TESTQ(U32(2), mode)
	JZ(LabelRef("leaky"))
	zero(t)
	for _, row := range s.acc {
		for _, r := range row {
			VMAXPS(r, t, r)
		}
	}
	JMP(LabelRef("store"))
	Label("leaky")
	TESTQ(U32(4), mode)
	JZ(LabelRef("store"))
	x := s.free[1]
	VBROADCASTSS(float(0.01), x) // kernel.LeakySlope
	for _, row := range s.acc {
		for _, r := range row {
			VMULPS(r, x, t)
			VMAXPS(r, t, r)
		}
	}
	Label("store")
	for _, row := range s.acc {
		for j, r := range row {
			m := Mem{Base: c, Disp: j * s.bytes()}
			if j == len(row)-1 {
				s.store(r, s.last, m)
			} else {
				VMOVUPS(r, m)
			}
		}
		ADDQ(ldc, c)
	}
	return_()
}

// strip writes the kernel of one row and some panels of two vectors each, bPanel
// values apart in b: a single row needs that many sums to keep the multipliers
// busy. The parameters are those of tile; ldc and last are not read.
func strip(v isa, panels int) {
	signature := "func(k int, a *float32, aDepth int, b *float32, bDepth, bPanel int, c *float32, ldc int, bias *float32, mode, last int)"
	function(fmt.Sprintf("strip%sx%d", v.name, panels), signature,
		fmt.Sprintf("is tile%s for one row and %d columns in panels bPanel values apart.", v.name, 2*panels*v.lanes))
	s := newSums(v, 1, 2*panels)
	s.start()
	aDepth, bDepth, bPanel := strideArg("aDepth"), strideArg("bDepth"), strideArg("bPanel")
	a, b, k := arg("a"), newRows(arg("b"), bPanel, panels), arg("k")
	TESTQ(k, k)
	JZ(LabelRef("end"))
	Label("depth")
	x := s.free[0]
	VBROADCASTSS(Mem{Base: a}, x)
	for j, r := range s.acc[0] {
		VFMADD231PS(b.row(j/2).Offset(j%2*v.bytes()), x, r)
	}
	ADDQ(aDepth, a)
	b.advance(bDepth)
	DECQ(k)
	JNZ(LabelRef("depth"))
	Label("end")
	s.finish()
}
