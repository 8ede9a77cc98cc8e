package journeyjson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner walks over JSON text, of which strings are cut rather than copied.
type scanner struct {
	text string
	at   int
}

// fault is an error of the text's form, with its place.
func (s *scanner) fault(format string, args ...any) error {
	return fmt.Errorf("journeyjson: byte %d: "+format, append([]any{s.at}, args...)...)
}

// found describes what stands at the scanner's place.
func (s *scanner) found() string {
	if s.at >= len(s.text) {
		return "the end of the text"
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.at:])
	return strconv.QuoteRune(r)
}

// next skips white space and returns the byte after it, 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// expect skips white space and one byte.
func (s *scanner) expect(c byte) error {
	if s.next() != c || s.at >= len(s.text) {
		return s.fault("got %s, want %q", s.found(), c)
	}
	s.at++
	return nil
}

// end demands that nothing follows but white space.
func (s *scanner) end() error {
	s.next()
	if s.at < len(s.text) {
		return s.fault("got %s after the value, want the end of the text", s.found())
	}
	return nil
}

// string reads a string.
func (s *scanner) string() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	start, ascii := s.at, true
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			text := s.text[start:s.at]
			if !ascii && !utf8.ValidString(text) {
				return "", s.fault("the string is not valid UTF-8")
			}
			s.at++
			return text, nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return "", s.fault("got the control character %#02x in a string, want it escaped", c)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", s.fault("the string has no end")
}

// escaped reads on, into memory of its own, a string that began at start and
// has an escape here.
func (s *scanner) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(s.text[start:s.at])
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			if text := b.String(); utf8.ValidString(text) {
				return text, nil
			}
			return "", s.fault("the string is not valid UTF-8")
		case c < ' ':
			return "", s.fault("got the control character %#02x in a string, want it escaped", c)
		case c != '\\':
			b.WriteByte(c)
		default:
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		}
	}
	return "", s.fault("the string has no end")
}

// escape reads what follows a backslash.
func (s *scanner) escape() (rune, error) {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if s.at >= len(s.text) {
		return 0, s.fault("the string has no end")
	}
	c := s.text[s.at]
	s.at++
	if i := strings.IndexByte(letters, c); i >= 0 {
		return rune(meanings[i]), nil
	}
	if c != 'u' {
		return 0, s.fault("got the escape \\%c, want one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u", c)
	}
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if strings.HasPrefix(s.text[s.at:], `\u`) {
		s.at += 2
		low, err := s.hex4()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, s.fault("half a surrogate pair stands alone in a string")
}

func (s *scanner) hex4() (rune, error) {
	if len(s.text)-s.at < 4 {
		return 0, s.fault("the string has no end")
	}
	x, err := strconv.ParseUint(s.text[s.at:s.at+4], 16, 16)
	if err != nil {
		return 0, s.fault("got \\u%s, want four hexadecimal digits", strconv.QuoteToASCII(s.text[s.at:s.at+4]))
	}
	s.at += 4
	return rune(x), nil
}

// number reads the text of a number by the grammar of RFC 8259.
func (s *scanner) number() (string, error) {
	start := s.at
	s.skip('-')
	switch digits := s.digits(); {
	case digits == 0:
		return "", s.fault("got %s, want a digit", s.found())
	case digits > 1 && s.text[s.at-digits] == '0':
		return "", s.fault("got a number with a leading zero")
	}
	if s.skip('.') && s.digits() == 0 {
		return "", s.fault("got %s, want a digit after the point", s.found())
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		if s.digits() == 0 {
			return "", s.fault("got %s, want a digit of the exponent", s.found())
		}
	}
	return s.text[start:s.at], nil
}

func (s *scanner) skip(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() (n int) {
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
		n++
	}
	return n
}

// A kind is what a JSON value is.
type kind byte

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

func (k kind) String() string { return kindNames[k] }

// scalar reads a value that is neither an array nor an object; of those it
// reads nothing but says which it is. The text of a string is what it means, of
// all others what is written.
func (s *scanner) scalar() (kind, string, error) {
	switch c := s.next(); {
	case c == '"':
		value, err := s.string()
		return text, value, err
	case c == '-' || '0' <= c && c <= '9':
		value, err := s.number()
		return number, value, err
	case c == '{':
		return object, "", nil
	case c == '[':
		return array, "", nil
	}
	for _, w := range words {
		if strings.HasPrefix(s.text[s.at:], w.text) {
			s.at += len(w.text)
			return w.kind, w.text, nil
		}
	}
	for _, word := range []string{"NaN", "Infinity", "-Infinity", "nan", "inf"} {
		if strings.HasPrefix(s.text[s.at:], word) {
			return 0, "", s.fault("got %s, which is not JSON: leave the value out, or give null, where it is missing", word)
		}
	}
	return 0, "", s.fault("got %s, want a value", s.found())
}

var words = []struct {
	text string
	kind kind
}{{"null", null}, {"true", boolean}, {"false", boolean}}

// maxDepth is how deep values may be nested that are passed over.
const maxDepth = 100

// pass skips one value of any form.
func (s *scanner) pass() error {
	var open []byte // brackets that close what is open
	for {
		k, _, err := s.scalar()
		if err != nil {
			return err
		}
		if k == array || k == object {
			if len(open) == maxDepth {
				return s.fault("values are nested deeper than %d", maxDepth)
			}
			closing := s.text[s.at] + 2 // ] is [ + 2 in ASCII, and } is { + 2
			s.at++
			if s.next() == closing {
				s.at++
			} else {
				open = append(open, closing)
				if err := s.passKey(closing); err != nil {
					return err
				}
				continue
			}
		}
		for len(open) > 0 && s.next() == open[len(open)-1] {
			s.at++
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
		if err := s.passKey(open[len(open)-1]); err != nil {
			return err
		}
	}
}

// passKey skips the key of a member, where the value is in an object.
func (s *scanner) passKey(closing byte) error {
	if closing != '}' {
		return nil
	}
	if _, err := s.string(); err != nil {
		return err
	}
	return s.expect(':')
}

// members reads an object: do is called at each value, and reads it.
func (s *scanner) members(do func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.next() == '}' {
		s.at++
		return nil
	}
	for {
		s.next()
		key, err := s.string()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := do(key); err != nil {
			return err
		}
		if more, err := s.more('}'); !more {
			return err
		}
	}
}

// elements reads an array: do is called at each value, and reads it.
func (s *scanner) elements(do func(i int) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.next() == ']' {
		s.at++
		return nil
	}
	for i := 0; ; i++ {
		if err := do(i); err != nil {
			return err
		}
		if more, err := s.more(']'); !more {
			return err
		}
	}
}

// more reads a comma, or what closes the list.
func (s *scanner) more(closing byte) (bool, error) {
	switch s.next() {
	case ',':
		s.at++
		return true, nil
	case closing:
		s.at++
		return false, nil
	}
	return false, s.fault("got %s, want a comma or %q", s.found(), closing)
}
