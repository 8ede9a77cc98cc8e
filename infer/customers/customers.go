// Package customers keeps the journeys of customers on disk and follows them as
// they happen: an event is appended, the journey is scored, and both survive the
// end of the process.
//
// A [Store] is a folder. In it are the events and profiles of every customer, in
// their own units and by the names of their attributes, so that any model whose
// layout has those names can read them: the events are the truth, and a state
// that a model has followed them to is only a shortcut, tied to the fingerprint
// of its [infer.Scorer], that can be made again by replaying them. In memory is a
// bounded number of followed journeys.
//
// What Append has acknowledged is stored: against the end of the process always,
// against the end of the machine as far as [Options].Sync says. What it refused
// has changed nothing. Requests for one customer happen one after another, those
// for different customers beside each other.
package customers

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"moments/features"
	"moments/infer"
)

// Errors that callers tell apart, with [errors.Is].
var (
	ErrInvalid = errors.New("invalid request")    // the request can never succeed
	ErrUnknown = errors.New("unknown customer")   // nothing is stored about the customer
	ErrLate    = errors.New("event out of order") // an event is older than the last one, and Request.Late is not set
	ErrTooLong = errors.New("journey too long")   // there are more events than were asked for at most
	ErrFull    = errors.New("disk is full")       // nothing was acknowledged; try again when there is room
	ErrDamaged = errors.New("store is damaged")   // what is on disk is not what was written
	ErrClosed  = errors.New("store is closed")
)

// Sync says what an acknowledged append has survived.
type Sync string

// When appends are acknowledged.
const (
	// Always: the disk has it. It survives the loss of power, at the price of an
	// fsync, which appends at the same time share.
	Always Sync = "always"

	// OS: the operating system has it. It survives the end of the process by
	// whatever signal; the loss of power may cost the last seconds.
	OS Sync = "os"

	// Interval: as OS, with an fsync every Options.Interval, which bounds what the
	// loss of power may cost.
	Interval Sync = "interval"
)

// Options are how a store is kept. The zero value is good.
type Options struct {
	Sync       Sync          // "" for OS
	Interval   time.Duration // between syncs under Interval; 0 for a second
	CacheBytes int64         // of followed journeys in memory; 0 for 256 MiB
	Retention  time.Duration // Expire deletes customers whose last event is older; 0 keeps them for ever
	Log        *slog.Logger  // of what an operator should know, never of customers; nil for none

	// Repair cuts a damaged log of the last appends where it ceases to make sense,
	// which loses what comes after; a copy of it is kept. Without it such a store
	// is not opened, unless the machine was started anew since, under a Sync that
	// lets the loss of power cost the end of the log.
	Repair bool

	// For tests.
	fs       vfs.FS        // nil for the file system
	memTable int64         // bytes that the database gathers before it writes a table; 0 for 8 MiB
	reserve  int64         // bytes of disk that are given up when it is full; 0 for 32 MiB
	retry    time.Duration // between looks for room on a full disk; 0 for a second
	run      string        // of the machine; "" for what the operating system says
}

// A Request is what Append is given.
type Request struct {
	Customer string           // 1 to 512 bytes of UTF-8 without a zero byte
	Profile  []features.Value // in the scorer's layout; what is missing in it stays as it was; nil when nothing is new
	Events   []features.Event // in the scorer's layout; in any order among themselves

	// IDs name the events, "" for none; nil when none has a name. An event with
	// an id that the customer already has is not stored again, so a request whose
	// answer was lost can be sent again.
	IDs []string

	Late bool  // accept events older than the last one; the journey is then followed anew from its beginning
	At   int64 // the moment of the score in microseconds; one before the last event is taken to be that event's
}

// A Result is what became of a request.
type Result struct {
	Score      infer.Score // the caller's
	Info       Info        // after the request
	Stored     int         // events that are new
	Duplicates int         // events whose id the customer already had
}

// Info is what is known of a customer without reading the events.
type Info struct {
	Customer    string
	Events      int
	First, Last int64 // times of events in microseconds; 0 without events
}
