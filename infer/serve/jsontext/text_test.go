package jsontext

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// plainSlowly is what plain does, byte by byte.
func plainSlowly(text string, at int) (end int, ascii bool) {
	ascii = true
	for ; at < len(text) && text[at] >= ' ' && text[at] != '"' && text[at] != '\\'; at++ {
		ascii = ascii && text[at] < utf8.RuneSelf
	}
	return at, ascii
}

// TestPlain puts every byte everywhere in short texts, beside each kind of byte.
func TestPlain(t *testing.T) {
	for _, filler := range []string{"a", "\x7f", "\x80", "\xff", " ", "!", "#", "[", "]"} {
		for n := range 20 {
			text := []byte(strings.Repeat(filler, n))
			for i := range text {
				for c := range 256 {
					text[i] = byte(c)
					end, ascii := plain(string(text), 0)
					if wantEnd, wantASCII := plainSlowly(string(text), 0); end != wantEnd || ascii != wantASCII {
						t.Fatalf("%q: got %d, %v, want %d, %v", text, end, ascii, wantEnd, wantASCII)
					}
				}
				text[i] = filler[0]
			}
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("abc\"!\"#\\]\x1f é\x80", 1)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			return
		}
		end, ascii := plain(text, at)
		if wantEnd, wantASCII := plainSlowly(text, at); end != wantEnd || ascii != wantASCII {
			t.Errorf("%q from %d: got %d, %v, want %d, %v", text, at, end, ascii, wantEnd, wantASCII)
		}
	})
}

// TestTextIsCut demands that a string without escapes is a part of the text.
func TestTextIsCut(t *testing.T) {
	text := `["plain", "é", "esc\u0061ped"]`
	s := New(text)
	var got []string
	for range s.Elements() {
		got = append(got, s.Text())
	}
	begin := uintptr(unsafe.Pointer(unsafe.StringData(text)))
	for i, wantCut := range []bool{true, true, false} {
		at := uintptr(unsafe.Pointer(unsafe.StringData(got[i]))) - begin
		if cut := at < uintptr(len(text)); cut != wantCut {
			t.Errorf("%s: got a part of the text: %v, want %v", got[i], cut, wantCut)
		}
	}
	if n := testing.AllocsPerRun(10, func() { s.Reset(event); s.Pass(); s.Reset(event); s.Skip() }); n > 0 || s.End() != nil {
		t.Errorf("got %v allocations of a text without escapes, want none", n)
	}
}

// FuzzText holds strings against encoding/json's.
func FuzzText(f *testing.F) {
	f.Add("plain")
	f.Add("é\"\\\n\u2028\x7f😀")
	f.Add("a\xff\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, text string) {
		quoted := AppendText([]byte("x"), text)[1:]
		if !bytes.Equal(quoted, AppendText(nil, []byte(text))) {
			t.Errorf("%q: strings and bytes are written differently", text)
		}
		var want string
		if err := json.Unmarshal(mustMarshal(t, text), &want); err != nil {
			t.Fatal(err)
		}
		for _, quoted := range []string{string(quoted), string(mustMarshal(t, text))} {
			s := New(quoted)
			if got := s.Text(); got != want || s.End() != nil {
				t.Errorf("%s is read as %q (%v), want %q", quoted, got, s.Err(), want)
			}
			var got string
			if err := json.Unmarshal([]byte(quoted), &got); err != nil || got != want {
				t.Errorf("encoding/json reads %s as %q (%v), want %q", quoted, got, err, want)
			}
		}
	})
}
