package jsontext

import (
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Strings are looked at eight bytes at a time, in words of which the first byte
// is the lowest. A mark is the highest bit of a byte.
const (
	each  = 0x0101010101010101
	marks = 0x80 * each
)

// wordAt is the word at a place of a text.
func wordAt(text string, at int) uint64 {
	t := text[at : at+8]
	return uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
		uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
}

// special marks the bytes of a word that are a quote, a backslash or a control
// character. Bytes after the first mark may be marked for nothing: subtracting
// borrows from them.
func special(word uint64) uint64 {
	quotes, slashes := word^each*'"', word^each*'\\'
	return ((quotes - each) | (slashes - each) | (word - each*' ')) &^ word & marks
}

// plain is where the first special byte of a text is, from a place on, or the
// text's end; and whether all before it is ASCII.
func plain(text string, at int) (end int, ascii bool) {
	var high uint64
	for ; len(text)-at >= 8; at += 8 {
		word := wordAt(text, at)
		if m := special(word); m != 0 {
			high |= word & (m&-m - 1)
			return at + bits.TrailingZeros64(m)/8, high&marks == 0
		}
		high |= word
	}
	for ; at < len(text) && text[at] >= ' ' && text[at] != '"' && text[at] != '\\'; at++ {
		high |= uint64(text[at])
	}
	return at, high&marks == 0
}

// Text takes a string. What it returns is part of the text where nothing is
// escaped.
func (s *Scanner) Text() string {
	if !s.accept('"') {
		s.unexpected("a text")
		return ""
	}
	return s.unquoted()
}

// unquoted takes a string after its first quote.
func (s *Scanner) unquoted() string {
	end, ascii := plain(s.text, s.at)
	if end < len(s.text) && s.text[end] == '"' {
		text := s.text[s.at:end]
		if s.at = end + 1; ascii {
			return text
		}
		return s.checkUTF8(text)
	}
	return s.escaped(end)
}

func (s *Scanner) checkUTF8(text string) string {
	if !utf8.ValidString(text) {
		s.Failf("the string is not valid UTF-8")
		return ""
	}
	return text
}

// escaped takes a string, into memory of its own, that is plain up to end.
func (s *Scanner) escaped(end int) string {
	var b strings.Builder
	for {
		b.WriteString(s.text[s.at:end])
		s.at = end
		switch {
		case end >= len(s.text):
			s.Failf("the string has no end")
			return ""
		case s.text[end] == '"':
			s.at++
			return s.checkUTF8(b.String())
		case s.text[end] < ' ':
			s.Failf("got the control character %#02x in a string, want it escaped", s.text[end])
			return ""
		}
		s.at++
		b.WriteRune(s.escape())
		end, _ = plain(s.text, s.at)
	}
}

// escape takes what follows a backslash.
func (s *Scanner) escape() rune {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if s.at >= len(s.text) {
		return 0
	}
	c := s.text[s.at]
	s.at++
	if i := strings.IndexByte(letters, c); i >= 0 {
		return rune(meanings[i])
	}
	if c != 'u' {
		s.Failf("got the escape \\%c, want one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u", c)
		return 0
	}
	r := s.hex4()
	if !utf16.IsSurrogate(r) {
		return r
	}
	if strings.HasPrefix(s.text[s.at:], `\u`) {
		s.at += 2
		if r = utf16.DecodeRune(r, s.hex4()); r != utf8.RuneError {
			return r
		}
	}
	s.Failf("half a surrogate pair stands alone in a string")
	return 0
}

// hex4 takes four hexadecimal digits.
func (s *Scanner) hex4() (r rune) {
	const digits = "0123456789abcdef"
	for i := range 4 {
		if s.at+i >= len(s.text) {
			s.Failf("the string has no end")
			return 0
		}
		c := s.text[s.at+i]
		digit := strings.IndexByte(digits, c|0x20)
		if digit < 0 || c < '0' {
			s.Failf("got \\u%+q, want four hexadecimal digits", s.text[s.at:min(s.at+4, len(s.text))])
			return 0
		}
		r = r<<4 | rune(digit)
	}
	s.at += 4
	return r
}

// AppendText appends a string. What is not UTF-8 becomes U+FFFD.
func AppendText[T string | []byte](b []byte, text T) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))])); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		b = append(b, text[from:i]...)
		switch {
		case c >= utf8.RuneSelf:
			b = append(b, "\ufffd"...)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, '\\', c)
		}
		i++
		from = i
	}
	return append(append(b, text[from:]...), '"')
}
