package main

import (
	"encoding/binary"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// raw writes an instruction that avo does not know as its bytes, under a comment
// that names it. Reads are the registers that it reads.
func raw(name string, code []byte, reads ...Op) {
	Comment(name)
	data := func(directive string, value Op) {
		Instruction(&ir.Instruction{Opcode: directive, Operands: []Op{value}, Inputs: reads})
	}
	for len(code) > 0 {
		switch {
		case len(code) >= 4:
			data("LONG", U32(binary.LittleEndian.Uint32(code)))
			code = code[4:]
		case len(code) >= 2:
			data("WORD", U16(binary.LittleEndian.Uint16(code)))
			code = code[2:]
		default:
			data("BYTE", U8(code[0]))
			code = code[1:]
		}
	}
}

// prefetchToWrite asks for a line that is to be written: other cores lose it.
func prefetchToWrite(line Mem) {
	at := reg.R15
	LEAQ(line, at)
	raw(fmt.Sprintf("PREFETCHW (%s)", at.Asm()), []byte{0x41, 0x0f, 0x0d, 0x0f}, at)
}
