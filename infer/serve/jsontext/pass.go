package jsontext

import "math/bits"

// Pass takes a value of any form by its quotes and brackets alone, which is much
// cheaper than Skip: of JSON it takes what Skip takes, but it takes much that is
// not JSON, too. It is for what will be read strictly in another pass.
func (s *Scanner) Pass() {
	switch s.Next() {
	case '{', '[':
		s.passBrackets()
	default:
		s.Scalar()
	}
}

// passBrackets takes an array or an object, 64 bytes at a time. The technique,
// of masks with a bit for each byte, is that of Langdale and Lemire, "Parsing
// gigabytes of JSON per second", VLDB Journal 28, 2019.
func (s *Scanner) passBrackets() {
	var carry carry
	depth := s.depth
	for at := s.at; at < len(s.text); at += 64 {
		opening, closing := carry.brackets(s.text[at:min(at+64, len(s.text))])
		n, m := bits.OnesCount64(opening), bits.OnesCount64(closing)
		if depth+n <= MaxDepth && depth-m > s.depth { // wherever in the block they stand
			depth += n - m
			continue
		}
		for both := opening | closing; both != 0; both &= both - 1 {
			if opening&both&-both != 0 {
				depth++
			} else {
				depth--
			}
			if depth > MaxDepth || depth == s.depth {
				s.at = at + bits.TrailingZeros64(both) + 1
				s.checkDepth(depth)
				return
			}
		}
	}
	s.at = len(s.text)
	s.unexpected("what closes the value")
}

// A carry is what a block of 64 bytes leaves to the next: whether its first byte
// is escaped, and all ones where it begins within a string.
type carry struct {
	escape bool
	within uint64
}

// brackets are those of a block that stand outside strings.
func (c *carry) brackets(block string) (opening, closing uint64) {
	var quotes, slashes uint64
	if len(block) == 64 {
		quotes, slashes, opening, closing = masksOf(block)
	} else {
		quotes, slashes, opening, closing = masksOfRest(block)
	}
	if slashes != 0 || c.escape {
		quotes &^= c.escaped(slashes)
	}
	within := c.within ^ parity(quotes)
	c.within = uint64(int64(within) >> 63)
	return opening &^ within, closing &^ within
}

// masksOf are the places of the bytes that matter in a block.
func masksOf(block string) (quotes, slashes, opening, closing uint64) {
	for i := 56; i >= 0; i -= 8 {
		word := wordAt(block, i)
		lower := word | each*0x20 // of [ and ], these are { and }
		quotes = quotes<<8 | gather(equal(word, '"'))
		slashes = slashes<<8 | gather(equal(word, '\\'))
		opening = opening<<8 | gather(equal(lower, '{'))
		closing = closing<<8 | gather(equal(lower, '}'))
	}
	return quotes, slashes, opening, closing
}

// masksOfRest is masksOf for the end of a text.
func masksOfRest(block string) (quotes, slashes, opening, closing uint64) {
	for i := range len(block) {
		bit := uint64(1) << i
		switch block[i] {
		case '"':
			quotes |= bit
		case '\\':
			slashes |= bit
		case '{', '[':
			opening |= bit
		case '}', ']':
			closing |= bit
		}
	}
	return quotes, slashes, opening, closing
}

// escaped are the bytes of a block that are escaped.
func (c *carry) escaped(slashes uint64) (escaped uint64) {
	if c.escape {
		escaped = 1
	}
	c.escape = false
	for slashes &^= escaped; slashes != 0; slashes &^= escaped {
		one := slashes & -slashes
		escaped |= one << 1
		slashes &^= one
		c.escape = one>>63 != 0
	}
	return escaped
}

// parity says of each bit whether it and those below it are odd in number.
func parity(x uint64) uint64 {
	x ^= x << 1
	x ^= x << 2
	x ^= x << 4
	x ^= x << 8
	x ^= x << 16
	return x ^ x<<32
}

// equal marks the bytes of a word that are c.
func equal(word uint64, c byte) uint64 {
	word ^= each * uint64(c)
	return ^(word&^marks + ^uint64(marks) | word) & marks
}

// gather makes the marks of a word the lowest eight bits.
func gather(marked uint64) uint64 { return marked >> 7 * 0x0102040810204080 >> 56 }
