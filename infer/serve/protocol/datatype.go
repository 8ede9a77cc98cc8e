package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"moments/infer/registry"
	"moments/infer/serve/jsontext"
)

// Datatypes that the protocol has beside those that models here use.
const (
	uint8Type    registry.Datatype = "UINT8"
	uint16Type   registry.Datatype = "UINT16"
	uint32Type   registry.Datatype = "UINT32"
	uint64Type   registry.Datatype = "UINT64"
	int8Type     registry.Datatype = "INT8"
	int16Type    registry.Datatype = "INT16"
	float16Type  registry.Datatype = "FP16"
	bfloat16Type registry.Datatype = "BF16"
)

// sizes are the bytes of an element; 0 of BYTES, whose elements say theirs.
var sizes = map[registry.Datatype]int{
	registry.Bool: 1, uint8Type: 1, int8Type: 1, uint16Type: 2, int16Type: 2, float16Type: 2, bfloat16Type: 2,
	uint32Type: 4, registry.Int32: 4, registry.Float32: 4, uint64Type: 8, registry.Int64: 8, registry.Float64: 8, registry.Bytes: 0,
}

// maxElements bounds a tensor.
const maxElements = 1 << 26

// checkTensor demands a known datatype and a shape of a sensible number of
// elements, which it returns.
func checkTensor(t *registry.Tensor) (elements int, err error) {
	if _, ok := sizes[t.Datatype]; !ok {
		return 0, fmt.Errorf("tensor %s has datatype %q, want one such as FP32, INT64 or BYTES", t.Name, t.Datatype)
	}
	elements = 1
	for _, d := range t.Shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("tensor %s has shape %v, want no size below 0", t.Name, t.Shape)
		case d > 0 && int64(elements) > maxElements/d:
			return 0, fmt.Errorf("tensor %s has shape %v, want at most %d elements", t.Name, t.Shape, maxElements)
		}
		elements *= int(d)
	}
	return elements, nil
}

// checkData demands as many bytes as the elements have.
func checkData(v *registry.Value) error {
	elements, err := checkTensor(&v.Tensor)
	if err != nil {
		return err
	}
	if v.Datatype == registry.Bytes {
		return checkTexts(v, elements)
	}
	if want := elements * sizes[v.Datatype]; len(v.Data) != want {
		return fmt.Errorf("tensor %s has %d bytes, want %d for %s of shape %v", v.Name, len(v.Data), want, v.Datatype, v.Shape)
	}
	if v.Datatype == registry.Bool {
		for _, b := range v.Data {
			if b > 1 {
				return fmt.Errorf("tensor %s has a byte %d, want 0 or 1 for BOOL", v.Name, b)
			}
		}
	}
	return nil
}

// checkTexts demands that lengths and texts fill the data exactly.
func checkTexts(v *registry.Value, elements int) error {
	rest := v.Data
	for i := range elements {
		var ok bool
		if _, rest, ok = cutText(rest); !ok {
			return fmt.Errorf("tensor %s ends within element %d of %d", v.Name, i, elements)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("tensor %s has %d bytes after its %d elements", v.Name, len(rest), elements)
	}
	return nil
}

// cutText takes the first element off BYTES.
func cutText(data []byte) (text, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if n > uint64(len(data)-4) {
		return nil, nil, false
	}
	return data[4 : 4+n], data[4+n:], true
}

// appendText appends an element of BYTES.
func appendText[T string | []byte](data []byte, text T) []byte {
	data = binary.LittleEndian.AppendUint32(data, uint32(len(text)))
	return append(data, text...)
}

// element takes a JSON value that the datatype holds and appends it.
func (s *scanner) element(datatype registry.Datatype, data []byte) []byte {
	switch datatype {
	case registry.Bool:
		if s.Bool() {
			return append(data, 1)
		}
		return append(data, 0)
	case registry.Bytes:
		return appendText(data, s.Text())
	case registry.Float32:
		return binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(s.float(32))))
	case registry.Float64:
		return binary.LittleEndian.AppendUint64(data, math.Float64bits(s.float(64)))
	case float16Type, bfloat16Type:
		s.Failf("%s in JSON, want binary data", datatype)
		return data
	}
	return s.integer(datatype, data)
}

func (s *scanner) float(bits int) float64 {
	text := s.Number()
	x, err := strconv.ParseFloat(text, bits)
	if err != nil {
		s.Failf("%s is beyond what FP%d holds", text, bits)
	}
	return x
}

// integer appends a whole number in the bytes of its datatype.
func (s *scanner) integer(datatype registry.Datatype, data []byte) []byte {
	number, size := s.Number(), sizes[datatype]
	var bits uint64
	var err error
	if datatype[0] == 'U' {
		bits, err = strconv.ParseUint(number, 10, 8*size)
	} else {
		var signed int64
		signed, err = strconv.ParseInt(number, 10, 8*size)
		bits = uint64(signed)
	}
	if errors.Is(err, strconv.ErrRange) {
		s.Failf("%s is beyond what %s holds", number, datatype)
	} else if err != nil {
		s.Failf("%s is no whole number, want one for %s", number, datatype)
	}
	for range size {
		data, bits = append(data, byte(bits)), bits>>8
	}
	return data
}

// appendMissing appends a missing number.
func appendMissing(datatype registry.Datatype, data []byte) []byte {
	if datatype == registry.Float32 {
		return binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(math.NaN())))
	}
	return binary.LittleEndian.AppendUint64(data, math.Float64bits(math.NaN()))
}

// appendElement writes the first element as JSON, and returns the elements
// after it. Numbers have the fewest digits that read back as the same; those
// that are not finite have no JSON and become null.
func appendElement(text []byte, datatype registry.Datatype, data []byte) (_, rest []byte) {
	size := sizes[datatype]
	switch datatype {
	case registry.Bool:
		return strconv.AppendBool(text, data[0] != 0), data[size:]
	case registry.Bytes:
		element, rest, _ := cutText(data)
		return jsontext.AppendText(text, element), rest
	case registry.Float32:
		x := math.Float32frombits(binary.LittleEndian.Uint32(data))
		return appendFloat(text, float64(x), 32), data[size:]
	case registry.Float64:
		return appendFloat(text, math.Float64frombits(binary.LittleEndian.Uint64(data)), 64), data[size:]
	}
	if x := whole(data, datatype); datatype[0] == 'U' {
		text = strconv.AppendUint(text, uint64(x), 10)
	} else {
		text = strconv.AppendInt(text, x, 10)
	}
	return text, data[size:]
}

// whole is the first element of whole numbers; of UINT64 its bits.
func whole(data []byte, datatype registry.Datatype) int64 {
	var bits uint64
	size := sizes[datatype]
	for i := range size {
		bits |= uint64(data[i]) << (8 * i)
	}
	if datatype[0] == 'U' {
		return int64(bits)
	}
	shift := 64 - 8*size
	return int64(bits<<shift) >> shift
}

// appendFloat writes a number as encoding/json does.
func appendFloat(text []byte, x float64, bits int) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(text, "null"...)
	}
	format, size := byte('f'), math.Abs(x)
	tiny := 1e-6
	if bits == 32 {
		tiny = float64(float32(tiny))
	}
	if size != 0 && (size < tiny || size >= 1e21) {
		format = 'e'
	}
	text = strconv.AppendFloat(text, x, format, -1, bits)
	if n := len(text); format == 'e' && n >= 4 && text[n-4] == 'e' && text[n-3] == '-' && text[n-2] == '0' {
		text[n-2] = text[n-1] // e-09 to e-9
		text = text[:n-1]
	}
	return text
}
