package protocol

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON may nest.
const maxDepth = 100

// A scanner reads JSON (RFC 8259) without building values of it: callers take
// what they know and skip what they do not. It is strict where readers tend to
// differ, so that what is checked is what is used: names stand once in an
// object, texts are UTF-8 without halves of surrogate pairs.
//
// The first error sticks; after it every method returns at once.
type scanner struct {
	text  []byte
	at    int
	depth int
	err   error
}

// fail keeps the first error, with its place.
func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %s", s.at, fmt.Sprintf(format, args...))
	}
}

// peek is the next byte that is not space; 0 at the end or after an error.
func (s *scanner) peek() byte {
	for ; s.err == nil && s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// expect takes one byte.
func (s *scanner) expect(c byte, what string) bool {
	if s.peek() != c {
		s.unexpected(what)
		return false
	}
	s.at++
	return true
}

// unexpected says what stands where what was wanted.
func (s *scanner) unexpected(what string) {
	switch c := s.peek(); {
	case s.at >= len(s.text):
		s.fail("the JSON ends, want %s", what)
	case c == 'N' || c == 'I' || bytes.HasPrefix(s.text[s.at:], []byte("-I")):
		s.fail("NaN and infinities are not JSON, want %s", what)
	default:
		s.fail("got %q, want %s", c, what)
	}
}

// end demands that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.err == nil && s.at < len(s.text) {
		s.fail("got %q after the end of the JSON", s.text[s.at])
	}
	return s.err
}

// enter and leave bound the depth.
func (s *scanner) enter(c byte, what string) bool {
	if !s.expect(c, what) {
		return false
	}
	if s.depth++; s.depth > maxDepth {
		s.fail("nested deeper than %d", maxDepth)
		return false
	}
	return true
}

func (s *scanner) leave() { s.at++; s.depth-- }

// object hands every member's name to member, which takes the value.
func (s *scanner) object(member func(name string)) {
	if !s.enter('{', "an object") {
		return
	}
	var seen names
	for more := s.peek() != '}'; more && s.err == nil; more = s.more('}') {
		if s.peek() != '"' {
			s.unexpected("the name of a member")
			return
		}
		name := string(s.string())
		if !seen.add(name) {
			s.fail("%q stands twice in one object", name)
		}
		if s.expect(':', "a colon") {
			member(name)
		}
	}
	s.leave()
}

// array calls element for every element, which takes it.
func (s *scanner) array(element func()) {
	if !s.enter('[', "an array") {
		return
	}
	for more := s.peek() != ']'; more && s.err == nil; more = s.more(']') {
		element()
	}
	s.leave()
}

// more takes the comma before a further member or element.
func (s *scanner) more(end byte) bool {
	switch s.peek() {
	case end:
		return false
	case ',':
		s.at++
		return true
	}
	s.unexpected(fmt.Sprintf("a comma or %q", end))
	return false
}

// skip takes any value.
func (s *scanner) skip() {
	switch c := s.peek(); {
	case c == '{':
		s.object(func(string) { s.skip() })
	case c == '[':
		s.array(s.skip)
	case c == '"':
		s.string()
	case c == 't':
		s.word("true")
	case c == 'f':
		s.word("false")
	case c == 'n':
		s.word("null")
	default:
		s.number()
	}
}

// word takes a literal.
func (s *scanner) word(word string) bool {
	s.peek()
	if s.err != nil || !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		s.unexpected(word)
		return false
	}
	s.at += len(word)
	return true
}

// bool takes true or false.
func (s *scanner) bool() bool {
	if s.peek() == 't' {
		return s.word("true")
	}
	if s.peek() != 'f' {
		s.unexpected("true or false")
		return false
	}
	s.word("false")
	return false
}

// number takes a number and returns its text.
func (s *scanner) number() []byte {
	s.peek()
	start := s.at
	if s.follows("-") {
		s.at++
	}
	if s.follows("0") {
		s.at++
	} else if s.digits() == 0 {
		s.at = start
		s.unexpected("a number")
		return nil
	}
	if s.follows(".") {
		s.at++
		s.demandDigits()
	}
	if s.follows("eE") {
		s.at++
		if s.follows("+-") {
			s.at++
		}
		s.demandDigits()
	}
	if s.err != nil {
		return nil
	}
	return s.text[start:s.at]
}

// follows says whether the next byte is one of those.
func (s *scanner) follows(any string) bool {
	if s.err != nil || s.at >= len(s.text) {
		return false
	}
	for i := range len(any) {
		if s.text[s.at] == any[i] {
			return true
		}
	}
	return false
}

// digits takes digits and says how many.
func (s *scanner) digits() int {
	start := s.at
	for s.err == nil && s.at < len(s.text) && s.text[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at - start
}

func (s *scanner) demandDigits() {
	if s.digits() == 0 {
		s.unexpected("a digit")
	}
}

// string takes a text. What it returns is part of the JSON where nothing is
// escaped.
func (s *scanner) string() []byte {
	if !s.expect('"', "a text") {
		return nil
	}
	start := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.checkUTF8(s.text[start : s.at-1])
		case c == '\\':
			return s.escaped(append([]byte(nil), s.text[start:s.at]...))
		case c < ' ':
			s.fail("a control character in a text")
			return nil
		}
		s.at++
	}
	s.fail("the JSON ends within a text")
	return nil
}

// escaped takes the rest of a text after its first part.
func (s *scanner) escaped(text []byte) []byte {
	for s.err == nil && s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return s.checkUTF8(text)
		case c == '\\':
			text = s.escape(text)
		case c < ' ':
			s.fail("a control character in a text")
		default:
			text = append(text, c)
		}
	}
	s.fail("the JSON ends within a text")
	return nil
}

func (s *scanner) checkUTF8(text []byte) []byte {
	if !utf8.Valid(text) {
		s.fail("a text is not UTF-8")
		return nil
	}
	return text
}

// escapes are the characters that stand for another after a backslash.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape takes what follows a backslash.
func (s *scanner) escape(text []byte) []byte {
	if s.at >= len(s.text) {
		return text
	}
	c := s.text[s.at]
	s.at++
	if c != 'u' {
		if escapes[c] == 0 {
			s.fail("an escape %q in a text", c)
		}
		return append(text, escapes[c])
	}
	r := s.hex()
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(text, r)
	}
	if s.at+1 < len(s.text) && s.text[s.at] == '\\' && s.text[s.at+1] == 'u' {
		s.at += 2
		if r = utf16.DecodeRune(r, s.hex()); r != utf8.RuneError {
			return utf8.AppendRune(text, r)
		}
	}
	s.fail("half of a surrogate pair in a text")
	return text
}

// hex takes four digits.
func (s *scanner) hex() rune {
	var r rune
	for range 4 {
		digit := -1
		if s.at < len(s.text) {
			digit = bytes.IndexByte([]byte("0123456789abcdef"), s.text[s.at]|0x20)
		}
		if digit < 0 || s.text[s.at] < '0' {
			s.fail("an escape in a text, want four hexadecimal digits")
			return 0
		}
		r = r<<4 | rune(digit)
		s.at++
	}
	return r
}

// names is a set that is cheap while small.
type names struct {
	few  []string
	many map[string]bool
}

// add is false when the name was there.
func (n *names) add(name string) bool {
	for _, old := range n.few {
		if old == name {
			return false
		}
	}
	if n.many == nil && len(n.few) < 16 {
		n.few = append(n.few, name)
		return true
	}
	if n.many[name] {
		return false
	}
	if n.many == nil {
		n.many = map[string]bool{}
	}
	n.many[name] = true
	return true
}
