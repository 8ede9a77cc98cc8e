package weights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// parseHeader reads a safetensors header key by key, because encoding/json
// would let a second key of the same name replace the first in silence.
func parseHeader(raw []byte) (map[string]entry, map[string]string, error) {
	// The format wants the brace first; spaces may only follow.
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil, fmt.Errorf("want a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	entries := map[string]entry{}
	var metadata map[string]string
	err := eachKey(d, func(key string) error {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		var err error
		if key == metadataKey {
			metadata, err = parseMetadata(value)
		} else {
			entries[key], err = parseEntry(value)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, fmt.Errorf("want nothing after the object")
	}
	return entries, metadata, nil
}

func parseMetadata(raw []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	metadata := map[string]string{}
	return metadata, eachKey(d, func(key string) error {
		var value *string
		if err := d.Decode(&value); err != nil {
			return err
		}
		if value == nil {
			return fmt.Errorf("want a string, got null")
		}
		metadata[key] = *value
		return nil
	})
}

// parseEntry demands exactly the three keys, once each.
func parseEntry(raw []byte) (entry, error) {
	var e entry
	var offsets []uint64
	d := json.NewDecoder(bytes.NewReader(raw))
	found := 0
	err := eachKey(d, func(key string) error {
		found++
		switch key {
		case "dtype":
			return d.Decode(&e.DType)
		case "shape":
			return d.Decode(&e.Shape)
		case "data_offsets":
			return d.Decode(&offsets)
		}
		return fmt.Errorf("unknown key")
	})
	switch {
	case err != nil:
		return e, err
	case found != 3 || e.Shape == nil || len(offsets) != 2:
		return e, fmt.Errorf("want dtype, shape and two data_offsets")
	}
	e.Offsets = [2]uint64(offsets)
	return e, nil
}

// eachKey calls value for every key of the object that d stands before, to
// decode what follows it. Keys may not repeat.
func eachKey(d *json.Decoder, value func(key string) error) error {
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("want a JSON object, got %v", token)
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key := token.(string) // a decoder yields nothing else before a colon
		if seen[key] {
			return fmt.Errorf("key %q appears twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	_, err := d.Token()
	return err
}
