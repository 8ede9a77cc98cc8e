package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// value builds the value that stands next, as encoding/json would.
func (s *Scanner) value() any {
	kind, text := s.Scalar()
	switch kind {
	case Bool:
		return text == "true"
	case Number:
		return json.Number(text)
	case Text:
		return text
	case Array:
		all := []any{}
		for i := range s.Elements() {
			if i != len(all) {
				s.Failf("element %d is called %d", len(all), i)
			}
			all = append(all, s.value())
		}
		return all
	case Object:
		all := map[string]any{}
		for name := range s.Members() {
			all[name] = s.value()
		}
		return all
	}
	return nil
}

// read reads a text in all three ways.
func read(text string) (any, error) {
	s, skipping, passing := New(text), New(text), New(text)
	v, err := s.value(), s.End()
	skipping.Skip()
	passing.Pass()
	switch errSkip, errPass := skipping.End(), passing.End(); {
	case (err == nil) != (errSkip == nil) || err != nil && err.Error() != errSkip.Error():
		return nil, errors.Join(errors.New("value and Skip disagree"), err, errSkip)
	case err == nil && errPass != nil:
		return nil, errors.Join(errors.New("Pass refuses what Skip takes"), errPass)
	}
	return v, err
}

// stricter are the faults for which a text is refused that encoding/json takes.
var stricter = []string{"stands twice", "not valid UTF-8", "surrogate pair", "nested deeper"}

// check holds the scanner against encoding/json.
func check(t *testing.T, text string) {
	t.Helper()
	got, err := read(text)
	if err != nil {
		why := func(fault string) bool { return strings.Contains(err.Error(), fault) }
		if json.Valid([]byte(text)) && !anyOf(stricter, why) {
			t.Errorf("%q is refused: %v", text, err)
		}
		return
	}
	var want any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Errorf("%q is taken, encoding/json says %v", text, err)
	} else if _, err := d.Token(); err != io.EOF {
		t.Errorf("%q is taken with what follows its value", text)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q is read as %#v, want %#v", text, got, want)
	}
}

func anyOf(all []string, is func(string) bool) bool {
	for _, s := range all {
		if is(s) {
			return true
		}
	}
	return false
}

var texts = []string{
	`{"a":[1,-0.5e+3,true,null,"\u00e9\n"],"b":{"c":{}}}`, ` [ [ ] , { } , 0 , -0 , 1E9 ] `, `"\ud83d\ude00é\/"`, `7`, `-1.25e-7`,
	`true`, `false`, `null`, `""`, "\t\r\n{ }", `{"":""}`, `{"a":1,"A":1}`, `[1e400,123456789012345678901234567890]`, "\"\x7f\u2028\"",
}

func TestScannerReads(t *testing.T) {
	for _, text := range texts {
		if _, err := read(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		check(t, text)
		for i := range text { // cut anywhere, and with a byte too many
			check(t, text[:i])
			for _, c := range "\"\\{}[],:0-e x\x00\x80" {
				check(t, text[:i]+string(c)+text[i:])
			}
		}
	}
}

// TestScannerRefuses names bad texts by their faults, with their places.
func TestScannerRefuses(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1)
	for _, test := range []struct{ text, want string }{
		{``, `byte 0: got the end of the text, want a value`},
		{` x`, `byte 1: got 'x', want a value`},
		{`{} {}`, `byte 3: got '{' after the value, want the end of the text`},
		{`{"a": 1`, `byte 7: got the end of the text, want a comma or '}'`},
		{`{"a": 1,}`, `byte 8: got '}', want the name of a member`},
		{`{1: 2}`, `byte 1: got '1', want the name of a member`},
		{`{"a" 1}`, `byte 5: got '1', want a colon`},
		{`{"a": }`, `byte 6: got '}', want a value`},
		{`[1 2]`, `byte 3: got '2', want a comma or ']'`},
		{`[1}`, `byte 2: got '}', want a comma or ']'`},
		{`[é]`, `byte 1: got 'é', want a value`},
		{"[\x00]", `byte 1: got '\x00', want a value`},
		{`{"a": 1, "b": 2, "\u0061": 3}`, `byte 25: "a" stands twice in one object`},
		{deep, `byte 101: values are nested deeper than 100`},
		{`NaN`, `byte 0: got NaN, which is not JSON: leave the value out, or give null, where it is missing`},
		{`[-Infinity]`, `byte 2: got Infinity, which is not JSON`},
		{`-01`, `byte 2: got '1', want no digit after a leading zero`},
		{`-`, `byte 1: got the end of the text, want a digit`},
		{`1.e1`, `byte 2: got 'e', want a digit after the point`},
		{`1e+`, `byte 3: got the end of the text, want a digit of the exponent`},
		{`+1`, `byte 0: got '+', want a value`},
		{`.5`, `byte 0: got '.', want a value`},
		{`tru`, `byte 0: got 't', want a value`},
		{`nullx`, `byte 4: got 'x' after the value`},
		{`'a'`, `byte 0: got '\'', want a value`},
		{`"ab`, `byte 3: the string has no end`},
		{`"ab\`, `byte 4: the string has no end`},
		{"\"a\tb\"", `byte 2: got the control character 0x09 in a string, want it escaped`},
		{"\"a\\n\x00\"", `byte 4: got the control character 0x00 in a string`},
		{`"\x41"`, `byte 3: got the escape \x, want one of`},
		{`"\u12`, `the string has no end`},
		{`"\u12g4"`, `byte 3: got \u"12g4", want four hexadecimal digits`},
		{`"\u+123"`, `want four hexadecimal digits`},
		{`"\ud800"`, `half a surrogate pair stands alone in a string`},
		{`"\udc00\ud800"`, `half a surrogate pair`},
		{`"\ud800\u0041"`, `half a surrogate pair`},
		{"\"\xff\"", `the string is not valid UTF-8`},
		{"\"\\n\xed\xa0\x80\"", `the string is not valid UTF-8`},
		{"\"\xc3\\u0041\xa9\"", `the string is not valid UTF-8`},
	} {
		if _, err := read(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %s", test.text, err, test.want)
		}
		check(t, test.text)
	}
}

// TestKinds demands that what is wanted of one kind is of it.
func TestKinds(t *testing.T) {
	for _, test := range []struct {
		text, want string
		take       func(s *Scanner)
	}{
		{`1`, "got '1', want a text", func(s *Scanner) { s.Text() }},
		{`"1"`, "got '\"', want a number", func(s *Scanner) { s.Number() }},
		{`null`, "got 'n', want true or false", func(s *Scanner) { s.Bool() }},
		{`[]`, "got '[', want an object", func(s *Scanner) {
			for range s.Members() {
				s.Skip()
			}
		}},
		{`{}`, "got '{', want an array", func(s *Scanner) {
			for range s.Elements() {
				s.Skip()
			}
		}},
	} {
		s := New(test.text)
		if test.take(s); s.Err() == nil || !strings.Contains(s.Err().Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.text, s.Err(), test.want)
		}
	}
	s := New(` null true false 1`)
	if null, yes, no := s.Null(), s.Bool(), s.Bool(); !null || !yes || no || s.Null() || s.Err() != nil || s.Number() != "1" {
		t.Errorf("got %v, %v, %v, %v, want null, true, false and no error", null, yes, no, s.Err())
	}
}

// TestFirstErrorSticks demands that nothing is read after an error, and that
// loops end.
func TestFirstErrorSticks(t *testing.T) {
	first := errors.New("first")
	s, n := New(`[1, 2, 3]`), 0
	for range s.Elements() {
		n++
		s.Fail(first)
		s.Fail(errors.New("second"))
		s.Failf("third")
	}
	kind, text := s.Scalar()
	if n != 1 || s.End() != first || s.Err() != first || kind != Null || text != "" || s.Next() != 0 || s.Text() != "" || s.Bool() {
		t.Errorf("got %d elements, %v, %v %q, want one and the first error", n, s.Err(), kind, text)
	}
	if s.Reset(`"again"`); s.Text() != "again" || s.End() != nil {
		t.Errorf("after Reset got %v", s.Err())
	}
	s = New(`{"a": 5}`)
	s.Seek(6)
	if s.Number() != "5" || s.Offset() != 7 {
		t.Errorf("at 6 got %v, byte %d, want 5 up to byte 7", s.Err(), s.Offset())
	}
}

// TestManyNames adds more names than are cheap.
func TestManyNames(t *testing.T) {
	var names Names
	for i := range 100 {
		name := strings.Repeat("x", i)
		if !names.Add(name) || names.Add(name) {
			t.Errorf("name %d: want it to be new once", i)
		}
	}
	if names.Add("") || names.Add("xxx") {
		t.Error("early names are forgotten")
	}
}

// TestDepth reads just as deep as it may, and refuses more however it is read.
func TestDepth(t *testing.T) {
	nest := func(n int) string {
		return strings.Repeat(`[`, n/2) + strings.Repeat(`{"a":`, n-n/2) + "1" + strings.Repeat("}", n-n/2) + strings.Repeat("]", n/2)
	}
	if _, err := read(nest(MaxDepth)); err != nil {
		t.Error(err)
	}
	for _, text := range []string{nest(MaxDepth + 1), strings.Repeat("[", 1_000_000), strings.Repeat(`{"a":`, 1_000_000)} {
		s := New(text)
		if s.Pass(); s.Err() == nil || !strings.Contains(s.Err().Error(), "nested deeper than 100") {
			t.Errorf("Pass: got %v, want it too deep", s.Err())
		}
		s = New(text)
		if s.Skip(); s.Err() == nil || !strings.Contains(s.Err().Error(), "nested deeper than 100") {
			t.Errorf("Skip: got %v, want it too deep", s.Err())
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range append(texts, `01`, `{"a":1,"a":2}`, ` 1 2`, `"`+"\x01", `[1,]`, `-`, `1.`, `1e`, `"\ud800"`, `{"`+strings.Repeat(`x\"{`, 40)+`":[]}`) {
		f.Add(text)
	}
	f.Fuzz(check)
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
