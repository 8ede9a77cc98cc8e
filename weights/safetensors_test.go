package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

// raw puts a header before data, unpadded.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

// The bytes are written out by hand from the format's description, so a fault
// that the reader shares with the writer would show.
func TestWriteTensorsGolden(t *testing.T) {
	var out bytes.Buffer
	err := WriteTensors(&out, map[string]Tensor{
		"b/bias":   {[]int{1}, []float32{-2}},
		"a/weight": {[]int{2, 1}, []float32{1, 0.5}},
	}, map[string]string{"format": "moments"})
	if err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"format":"moments"},` +
		`"a/weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},` +
		`"b/bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := raw(header, 0)
	data, _ := hex.DecodeString("0000803f" + "0000003f" + "000000c0")
	want = append(want, data...)
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("got  %q\nwant %q", out.Bytes(), want)
	}
}

func TestTensorsRoundTrip(t *testing.T) {
	nan := math.Float32frombits(0x7fc12345)
	want := map[string]Tensor{
		"scalar":     {[]int{}, []float32{3}},
		"empty":      {[]int{0, 4}, []float32{}},
		"special":    {[]int{5}, []float32{float32(math.Inf(1)), nan, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32}},
		"名/ \"q\"\n": {[]int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
	}
	var out bytes.Buffer
	if err := WriteTensors(&out, want, nil); err != nil {
		t.Fatal(err)
	}
	got, metadata, err := ReadTensors(out.Bytes())
	if err != nil || len(metadata) != 0 {
		t.Fatalf("error %v, metadata %v", err, metadata)
	}
	same := func(a, b Tensor) bool {
		return slices.Equal(a.Shape, b.Shape) && slices.EqualFunc(a.Data, b.Data, func(x, y float32) bool {
			return math.Float32bits(x) == math.Float32bits(y)
		})
	}
	if !maps.EqualFunc(got, want, same) {
		t.Errorf("got %v, want %v", got, want)
	}
	begin := 8 + binary.LittleEndian.Uint64(out.Bytes())
	if begin%8 != 0 {
		t.Errorf("the data begin at byte %d, want a multiple of 8", begin)
	}
}

func TestReadTensorsAcceptsWhatTheFormatAllows(t *testing.T) {
	for name, file := range map[string][]byte{
		"nothing":      raw(`{}`, 0),
		"spaces":       raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}     `, 4),
		"any order":    raw(`{"a":{"data_offsets":[4,8],"shape":[1],"dtype":"F32"},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 8),
		"empty tensor": raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}`, 4),
		"metadata":     raw(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
	} {
		if _, _, err := ReadTensors(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var badTensorFiles = map[string]struct {
	file []byte
	want string
}{
	"no file":             {nil, "file has 0 bytes"},
	"huge header":         {binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "header of 18446744073709551615 bytes"},
	"header over limit":   {binary.LittleEndian.AppendUint64(nil, maxHeader+1), "at most 100000000"},
	"truncated header":    {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0)[:30], "header of"},
	"no object":           {raw(`[]`, 0), "want a JSON object"},
	"space first":         {raw(` {}`, 0), "want a JSON object"},
	"two objects":         {raw(`{}{}`, 0), "want nothing after"},
	"open object":         {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`, 4), "EOF"},
	"duplicate name":      {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `key "a" appears twice`},
	"duplicate key":       {raw(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `key "dtype" appears twice`},
	"duplicate metadata":  {raw(`{"__metadata__":{"x":"1","x":"2"}}`, 0), `key "x" appears twice`},
	"metadata of numbers": {raw(`{"__metadata__":{"x":1}}`, 0), "__metadata__"},
	"null metadata":       {raw(`{"__metadata__":{"x":null}}`, 0), "want a string"},
	"unknown key":         {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4), `"x": unknown key`},
	"upper-case key":      {raw(`{"a":{"DType":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `"DType": unknown key`},
	"missing key":         {raw(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "want dtype, shape and two data_offsets"},
	"null shape":          {raw(`{"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, 4), "want dtype, shape and two data_offsets"},
	"three offsets":       {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4), "two data_offsets"},
	"other dtype":         {raw(`{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, 4), `a has dtype "BF16", want F32`},
	"negative size":       {raw(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "no negative size"},
	"fractional size":     {raw(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4), "shape"},
	"negative offset":     {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 4), "data_offsets"},
	"overflowing shape":   {raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too large"},
	"shape and offsets":   {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "want 8 bytes for shape [2]"},
	"backwards":           {raw(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,-4]}}`, 4), "data_offsets"},
	"hole":                {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "a begins at byte 4, want 0"},
	"overlap":             {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "b begins at byte 4, want 8"},
	"beyond the end":      {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "spans bytes 0 to 8 of 4"},
	"left over":           {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8), "data has 8 bytes, want the 4"},
}

func TestReadTensorsRefuses(t *testing.T) {
	for name, test := range badTensorFiles {
		if _, _, err := ReadTensors(test.file); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
}

// full is a disk with room for n bytes.
type full struct{ room int }

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteTensorsRefuses(t *testing.T) {
	for name, tensors := range map[string]map[string]Tensor{
		"reserved name": {metadataKey: {[]int{1}, []float32{1}}},
		"not UTF-8":     {"\xff": {[]int{1}, []float32{1}}},
		"short":         {"a": {[]int{2}, []float32{1}}},
		"negative":      {"a": {[]int{-1}, nil}},
	} {
		if err := WriteTensors(&bytes.Buffer{}, tensors, nil); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	big := map[string]Tensor{"a": {[]int{100000}, make([]float32, 100000)}}
	for _, room := range []int{0, 100, 300000} {
		if err := WriteTensors(&full{room}, big, nil); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: got error %v, want %v", room, err, errFull)
		}
	}
}

// Whatever ReadTensors accepts says the same when it is written again.
func FuzzReadTensors(f *testing.F) {
	for _, test := range badTensorFiles {
		f.Add(test.file)
	}
	f.Add(raw(`{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 12))
	f.Fuzz(func(t *testing.T, file []byte) {
		tensors, metadata, err := ReadTensors(file)
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := WriteTensors(&first, tensors, metadata); err != nil {
			t.Fatal(err)
		}
		again, metadata, err := ReadTensors(first.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteTensors(&second, again, metadata); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%q is written as %q and then as %q", file, first.Bytes(), second.Bytes())
		}
	})
}

func ExampleWriteTensors() {
	var file bytes.Buffer
	WriteTensors(&file, map[string]Tensor{"head/bias": {Shape: []int{2}, Data: []float32{0.5, -1}}}, nil)
	tensors, _, err := ReadTensors(file.Bytes())
	fmt.Println(tensors["head/bias"], err)
	// Output: {[2] [0.5 -1]} <nil>
}
