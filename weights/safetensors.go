package weights

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// A Tensor is float32 values in row-major order. A Shape of no dimensions is
// one value.
type Tensor struct {
	Shape []int
	Data  []float32
}

// The safetensors layout: github.com/huggingface/safetensors, README "Format".
const (
	maxHeader   = 100_000_000 // bytes of JSON, the limit of the reference reader
	dataAlign   = 8           // the data begin at a multiple of it; spaces pad the header
	metadataKey = "__metadata__"
	float32Type = "F32"
)

// entry is what the header says about one tensor.
type entry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"` // first byte and one past the last, from the end of the header
}

// WriteTensors writes a safetensors file: the header's length in 8 bytes, the
// header in JSON, the values in little-endian float32. Tensors stand in the
// order of their names, so equal tensors give equal bytes. metadata may be nil.
func WriteTensors(w io.Writer, tensors map[string]Tensor, metadata map[string]string) error {
	names := slices.Sorted(maps.Keys(tensors))
	header, err := marshalHeader(names, tensors, metadata)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	out.Write(header)
	var word [4]byte
	for _, name := range names {
		for _, x := range tensors[name].Data {
			binary.LittleEndian.PutUint32(word[:], math.Float32bits(x))
			out.Write(word[:])
		}
	}
	// A bufio.Writer keeps its first error and returns it here.
	if err := out.Flush(); err != nil {
		return fmt.Errorf("weights: writing tensors: %w", err)
	}
	return nil
}

func marshalHeader(names []string, tensors map[string]Tensor, metadata map[string]string) ([]byte, error) {
	header := map[string]any{} // encoding/json writes its keys sorted
	if len(metadata) > 0 {
		header[metadataKey] = metadata
	}
	var at uint64
	for _, name := range names {
		if name == metadataKey || !utf8.ValidString(name) {
			return nil, fmt.Errorf("weights: tensor name %q, want UTF-8 text other than %s", name, metadataKey)
		}
		t := tensors[name]
		size, err := shapeSize(t.Shape)
		if err != nil {
			return nil, fmt.Errorf("weights: %s: %w", name, err)
		}
		if uint64(len(t.Data)) != size {
			return nil, fmt.Errorf("weights: %s has %d values, want %d for shape %v", name, len(t.Data), size, t.Shape)
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{} // null is no shape
		}
		header[name] = entry{float32Type, shape, [2]uint64{at, at + 4*size}}
		at += 4 * size
	}
	raw, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	for (8+len(raw))%dataAlign != 0 {
		raw = append(raw, ' ')
	}
	if len(raw) > maxHeader {
		return nil, fmt.Errorf("weights: header has %d bytes, want at most %d", len(raw), maxHeader)
	}
	return raw, nil
}

// ReadTensors reads a safetensors file. It accepts what the format allows for
// float32 tensors and refuses everything else: other dtypes, duplicate keys,
// holes, overlaps, offsets that disagree with shapes, bytes left over. The
// tensors are copies; raw may be changed afterwards.
func ReadTensors(raw []byte) (tensors map[string]Tensor, metadata map[string]string, err error) {
	if len(raw) < 8 {
		return nil, nil, fmt.Errorf("weights: file has %d bytes, want at least 8", len(raw))
	}
	length := binary.LittleEndian.Uint64(raw)
	if length > maxHeader || length > uint64(len(raw)-8) {
		return nil, nil, fmt.Errorf("weights: header of %d bytes, want at most %d in a file of %d", length, maxHeader, len(raw))
	}
	header, data := raw[8:8+length], raw[8+length:]
	entries, metadata, err := parseHeader(header)
	if err != nil {
		return nil, nil, fmt.Errorf("weights: header: %w", err)
	}
	if err := checkCover(entries, uint64(len(data))); err != nil {
		return nil, nil, err
	}
	tensors = make(map[string]Tensor, len(entries))
	for name, e := range entries {
		tensors[name] = Tensor{e.Shape, decodeFloats(data[e.Offsets[0]:e.Offsets[1]])}
	}
	return tensors, metadata, nil
}

// checkCover demands that the tensors' bytes follow each other without hole or
// overlap and fill the data, and that each has the size of its shape.
func checkCover(entries map[string]entry, length uint64) error {
	names := slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		x, y := entries[a].Offsets, entries[b].Offsets
		return slices.Compare(x[:], y[:])
	})
	var at uint64
	for _, name := range names {
		e := entries[name]
		if e.DType != float32Type {
			return fmt.Errorf("weights: %s has dtype %q, want %s", name, e.DType, float32Type)
		}
		size, err := shapeSize(e.Shape)
		if err != nil {
			return fmt.Errorf("weights: %s: %w", name, err)
		}
		begin, end := e.Offsets[0], e.Offsets[1]
		if begin != at {
			return fmt.Errorf("weights: %s begins at byte %d, want %d: no hole and no overlap", name, begin, at)
		}
		if end > length || end < begin || (end-begin) != 4*size {
			return fmt.Errorf("weights: %s spans bytes %d to %d of %d, want %d bytes for shape %v", name, begin, end, length, 4*size, e.Shape)
		}
		at = end
	}
	if at != length {
		return fmt.Errorf("weights: data has %d bytes, want the %d that the header names", length, at)
	}
	return nil
}

// shapeSize is the product of the dimensions, refused when its bytes overflow.
func shapeSize(shape []int) (uint64, error) {
	size := uint64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v, want no negative size", shape)
		}
		if d > 0 && size > math.MaxInt64/4/uint64(d) {
			return 0, fmt.Errorf("shape %v is too large", shape)
		}
		size *= uint64(d)
	}
	return size, nil
}

func decodeFloats(raw []byte) []float32 {
	xs := make([]float32, len(raw)/4)
	for i := range xs {
		xs[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return xs
}
