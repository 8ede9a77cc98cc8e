package customers

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Keys begin with what they are keys of. Those of one kind lie together, so that
// going through all customers reads their heads alone, and the snapshots of a
// model that is gone are one range.
const (
	headKey     = 'h' // customer: head
	eventKey    = 'e' // customer, 0, place: event
	nameKey     = 'i' // customer, 0, hash of an event's id: nothing
	snapshotKey = 's' // fingerprint, customer: snapshot
	layoutKey   = 'l' // number: layout
)

// maxCustomer bounds the bytes of a customer's id.
const maxCustomer = 512

// checkCustomer refuses ids that keys cannot be made of: a zero byte ends them.
func checkCustomer(id string) error {
	switch {
	case id == "" || len(id) > maxCustomer:
		return fmt.Errorf("customers: %w: customer's id of %d bytes, want 1 to %d", ErrInvalid, len(id), maxCustomer)
	case !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0:
		return fmt.Errorf("customers: %w: customer's id %q, want UTF-8 without a zero byte", ErrInvalid, id)
	}
	return nil
}

// A place is where an event stands in its journey: by time, and at one time by
// arrival.
type place struct {
	time    int64
	arrival uint32 // counted over all events that the customer ever had
}

const placeSize = 12

// appendTo writes the place so that bytes sort as places do.
func (p place) appendTo(key []byte) []byte {
	key = binary.BigEndian.AppendUint64(key, uint64(p.time)^1<<63)
	return binary.BigEndian.AppendUint32(key, p.arrival)
}

// placeOf reads the place at the end of an event's key.
func placeOf(key []byte) place {
	at := key[len(key)-placeSize:]
	return place{int64(binary.BigEndian.Uint64(at) ^ 1<<63), binary.BigEndian.Uint32(at[8:])}
}

func appendHeadKey(key []byte, customer string) []byte {
	return append(append(key, headKey), customer...)
}

// appendPrefix begins the keys of one kind of one customer.
func appendPrefix(key []byte, kind byte, customer string) []byte {
	return append(append(append(key, kind), customer...), 0)
}

// appendPrefixEnd is the first key after all those that begin with the prefix.
func appendPrefixEnd(key []byte, kind byte, customer string) []byte {
	return append(append(append(key, kind), customer...), 1)
}

func appendEventKey(key []byte, customer string, p place) []byte {
	return p.appendTo(appendPrefix(key, eventKey, customer))
}

// appendNameKey names an event by the first half of its id's SHA-256, whatever
// the length of the id.
func appendNameKey(key []byte, customer, id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return append(appendPrefix(key, nameKey, customer), sum[:16]...)
}

// A fingerprint is the first half of a scorer's; the whole one is in the
// snapshot.
type fingerprint [16]byte

func appendSnapshotKey(key []byte, f fingerprint, customer string) []byte {
	return append(append(append(key, snapshotKey), f[:]...), customer...)
}

func appendLayoutKey(key []byte, number uint32) []byte {
	return binary.BigEndian.AppendUint32(append(key, layoutKey), number)
}
