// Package jsontext reads JSON (RFC 8259) without building values of it: callers
// take what they know and skip what they do not. It writes strings, too.
//
// It is strict where readers tend to differ, so that what one has checked is
// what another uses: there is one value and nothing after it, names stand once
// in an object, strings are UTF-8 without halves of surrogate pairs, and neither
// NaN nor infinities are numbers. It trusts nothing about the size or the depth
// of a text, and makes memory for strings with escapes alone: all others are
// parts of the text.
package jsontext

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth bounds how deep arrays and objects may be nested.
const MaxDepth = 100

// A Scanner walks over a JSON text, value by value. Its first error sticks:
// after it nothing is left to read, so that every method returns a zero value
// and every loop ends.
type Scanner struct {
	text  string
	at    int
	depth int
	err   error
}

// New returns a scanner of a text.
func New(text string) *Scanner { return &Scanner{text: text} }

// Reset begins with another text.
func (s *Scanner) Reset(text string) { *s = Scanner{text: text} }

// Offset is the place of the next byte, from 0.
func (s *Scanner) Offset() int { return s.at }

// Seek goes to an Offset at which a value stood, in order to take it again: in a
// scanner of its own, for what is around the value is forgotten.
func (s *Scanner) Seek(offset int) { s.at = offset }

// Err is the first error.
func (s *Scanner) Err() error { return s.err }

// Fail ends the scan with an error, unless it has one.
func (s *Scanner) Fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.at = len(s.text)
}

// Failf ends the scan with an error that says where it is, as byte 12.
func (s *Scanner) Failf(format string, args ...any) {
	if s.err == nil {
		s.Fail(fmt.Errorf("byte %d: "+format, append([]any{s.at}, args...)...))
	}
}

// End demands that nothing follows but white space, and returns the first error.
func (s *Scanner) End() error {
	if s.Next(); s.at < len(s.text) {
		s.Failf("got %s after the value, want the end of the text", s.Found())
	}
	return s.err
}

// Next skips white space and returns the byte after it, which stays; 0 at the
// end.
func (s *Scanner) Next() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c > ' ' || !isSpace(c) {
			return c
		}
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// Found describes what stands next, for an error.
func (s *Scanner) Found() string {
	if s.Next(); s.at >= len(s.text) {
		return "the end of the text"
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.at:])
	return strconv.QuoteRune(r)
}

// accept takes one byte, after white space, if it is what stands next.
func (s *Scanner) accept(c byte) bool {
	if s.Next() != c {
		return false
	}
	s.at++
	return true
}

// notNumbers are what other writers of JSON make of floats that it lacks.
var notNumbers = []string{"NaN", "Infinity", "nan", "inf"}

// unexpected says what stands where what was wanted.
func (s *Scanner) unexpected(what string) {
	for _, word := range notNumbers {
		if strings.HasPrefix(s.text[s.at:], word) {
			s.Failf("got %s, which is not JSON: leave the value out, or give null, where it is missing", word)
		}
	}
	s.Failf("got %s, want %s", s.Found(), what)
}

// enter takes a bracket that opens; it is false where what it opens is empty, or
// is none.
func (s *Scanner) enter(opening, closing byte, what string) bool {
	if !s.accept(opening) {
		s.unexpected(what)
		return false
	}
	s.depth++
	s.checkDepth(s.depth)
	if s.Next() == closing {
		s.leave()
		return false
	}
	return s.err == nil
}

func (s *Scanner) checkDepth(depth int) {
	if depth > MaxDepth {
		s.Failf("values are nested deeper than %d", MaxDepth)
	}
}

func (s *Scanner) leave() { s.at++; s.depth-- }

// more takes what stands after a member or an element; it is false where that
// was the last.
func (s *Scanner) more(closing byte) bool {
	switch s.Next() {
	case ',':
		s.at++
		return true
	case closing:
		s.leave()
		return false
	}
	s.unexpected("a comma or " + strconv.QuoteRune(rune(closing)))
	return false
}

// Members takes an object and yields the name of each member, whose value the
// loop has to take, and which only an error may end early. A name that stands
// twice is an error.
func (s *Scanner) Members() iter.Seq[string] {
	return func(yield func(name string) bool) {
		var seen Names
		s.members(&seen, yield)
	}
}

// MembersUnchecked is Members for loops that refuse repeated names themselves.
func (s *Scanner) MembersUnchecked() iter.Seq[string] {
	return func(yield func(name string) bool) { s.members(nil, yield) }
}

func (s *Scanner) members(seen *Names, yield func(name string) bool) {
	for more := s.enter('{', '}', "an object"); more; more = s.more('}') {
		if !s.accept('"') {
			s.unexpected("the name of a member")
			return
		}
		name := s.unquoted()
		if seen != nil && !seen.Add(name) {
			s.Failf("%q stands twice in one object", name)
		}
		if !s.accept(':') {
			s.unexpected("a colon")
			return
		}
		if !yield(name) {
			return
		}
	}
}

// Elements takes an array and yields the number of each element, from 0, which
// the loop has to take, and which only an error may end early.
func (s *Scanner) Elements() iter.Seq[int] {
	return func(yield func(i int) bool) {
		i := 0
		for more := s.enter('[', ']', "an array"); more; more = s.more(']') {
			if !yield(i) {
				return
			}
			i++
		}
	}
}

// Number takes a number and returns it as it is written.
func (s *Scanner) Number() string {
	if c := s.Next(); c != '-' && !isDigit(c) {
		s.unexpected("a number")
		return ""
	}
	start := s.at
	end, want := numberEnd(s.text, start)
	if s.at = end; want != "" {
		s.unexpected(want)
		return ""
	}
	return s.text[start:end]
}

// numberEnd is where a number ends, and what is missing there, if anything is.
func numberEnd(text string, at int) (end int, want string) {
	if text[at] == '-' {
		at++
	}
	first := at
	if at = digitsEnd(text, at); at == first {
		return at, "a digit"
	}
	if text[first] == '0' && at > first+1 {
		return first + 1, "no digit after a leading zero"
	}
	if at < len(text) && text[at] == '.' {
		point := at + 1
		if at = digitsEnd(text, point); at == point {
			return at, "a digit after the point"
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		if at++; at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		exponent := at
		if at = digitsEnd(text, at); at == exponent {
			return at, "a digit of the exponent"
		}
	}
	return at, ""
}

func digitsEnd(text string, at int) int {
	for at < len(text) && isDigit(text[at]) {
		at++
	}
	return at
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// Bool takes true or false.
func (s *Scanner) Bool() bool {
	s.Next()
	if s.word("true") {
		return true
	}
	if !s.word("false") {
		s.unexpected("true or false")
	}
	return false
}

// Null takes null if it is what stands next.
func (s *Scanner) Null() bool { return s.Next() == 'n' && s.word("null") }

func (s *Scanner) word(word string) bool {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

// A Kind is what a JSON value is.
type Kind byte

// The kinds.
const (
	Null Kind = iota
	Bool
	Number
	Text
	Array
	Object
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

func (k Kind) String() string { return kindNames[k] }

// Scalar takes a value that is neither an array nor an object; of those it takes
// nothing but says which it is. The text of a string is what it means, of all
// others what is written.
func (s *Scanner) Scalar() (Kind, string) {
	switch c := s.Next(); {
	case c == '"':
		s.at++
		return Text, s.unquoted()
	case c == '-' || isDigit(c):
		return Number, s.Number()
	case c == '{':
		return Object, ""
	case c == '[':
		return Array, ""
	}
	for _, w := range words {
		if s.word(w.text) {
			return w.kind, w.text
		}
	}
	s.unexpected("a value")
	return Null, ""
}

var words = []struct {
	text string
	kind Kind
}{{"null", Null}, {"true", Bool}, {"false", Bool}}

// Skip takes a value of any form, as strictly as if it were used.
func (s *Scanner) Skip() {
	switch kind, _ := s.Scalar(); kind {
	case Array:
		for range s.Elements() {
			s.Skip()
		}
	case Object:
		for range s.Members() {
			s.Skip()
		}
	}
}
