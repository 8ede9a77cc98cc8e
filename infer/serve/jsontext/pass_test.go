package jsontext

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// passSlowly is where Pass ends, byte by byte; -1 where it fails.
func passSlowly(text string) int {
	depth, within, escaped := 0, false, false
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '"' && !escaped:
			within = !within
		case within:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return -1
			}
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		escaped = c == '\\' && !escaped
	}
	return -1
}

func checkPass(t *testing.T, text string) {
	t.Helper()
	if text == "" || text[0] != '{' && text[0] != '[' {
		return
	}
	s := New(text)
	s.Pass()
	got, want := s.Offset(), passSlowly(text)
	if s.Err() != nil {
		got = -1
	}
	if got != want {
		t.Fatalf("%q: got %d (%v), want %d", text, got, s.Err(), want)
	}
}

// TestPass draws texts of those bytes that matter, which lie anywhere in blocks.
func TestPass(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, alphabet := range []string{`[]{}""\a`, `[[{]}"a `, `[[[[]a`, `"\`, `[]a,1aaaaaaaaaaaaaaa"\`, "[]\x00\xfb\xdb\xa2\xfd|z"} {
		for range 3000 {
			text := []byte{'['}
			for range random.IntN(300) {
				text = append(text, alphabet[random.IntN(len(alphabet))])
			}
			checkPass(t, string(text))
			checkPass(t, string(text)+`"]]]]]]`)
		}
	}
}

// TestPassEndsWhereSkipDoes cuts values out of a text at every alignment.
func TestPassEndsWhereSkipDoes(t *testing.T) {
	for _, value := range append(texts, event, `["`+strings.Repeat(`\\\"]`, 50)+`"]`, `[`+strings.Repeat(`{"a":[{}]},`, 30)+`[]]`) {
		for space := range 70 {
			text := `[` + strings.Repeat(" ", space) + value + `, 2]`
			skipping, passing := New(text), New(text)
			for range skipping.Elements() {
				passing.Seek(skipping.Offset())
				skipping.Skip()
				passing.Pass()
				if skipping.Err() != nil || passing.Err() != nil || skipping.Offset() != passing.Offset() {
					t.Fatalf("%s: Skip ends at %d (%v), Pass at %d (%v)", text, skipping.Offset(), skipping.Err(), passing.Offset(), passing.Err())
				}
			}
		}
	}
}

func FuzzPass(f *testing.F) {
	f.Add(`{"a":["\"]}",{"b":"\\"}]}`)
	f.Add(`[` + strings.Repeat(`{"a":"\\\"]"},`, 20) + `[]]`)
	f.Fuzz(func(t *testing.T, text string) { checkPass(t, text) })
}
