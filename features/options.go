package features

import "fmt"

// Options choose what a schema holds. A zero member stands for its default.
type Options struct {
	MinCount    int      `json:"min_count"`    // a level or type seen with fewer customers counts as never seen, so that "never seen" is trained too
	MaxLevels   int      `json:"max_levels"`   // the most levels a vocabulary keeps, the most frequent ones
	MaxTypes    int      `json:"max_types"`    // the most event types that have columns of their own
	TypeShare   float64  `json:"type_share"`   // the share of the journeys a type must appear in to have them
	WindowTypes int      `json:"window_types"` // the most event types that are counted per window
	MaxWindows  int      `json:"max_windows"`  // the most windows
	LevelCounts int      `json:"level_counts"` // attributes of up to this many levels are counted per level
	Tail        int      `json:"tail"`         // the most recent events that windows can see; bounds the memory of one journey
	Sequence    int      `json:"sequence"`     // the last events put into Example.Sequence; 0 for none
	Without     []string `json:"without"`      // families of features left out; see Families
}

// DefaultOptions are good for tables and for logs of up to some dozens of
// event types.
func DefaultOptions() Options {
	return Options{
		MinCount: 3, MaxLevels: 5000, MaxTypes: 32, TypeShare: 0.01, WindowTypes: 8,
		MaxWindows: 4, LevelCounts: 8, Tail: 2048,
	}
}

// withDefaults fills the members left at zero.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	for _, member := range []struct{ got, other *int }{
		{&o.MinCount, &d.MinCount}, {&o.MaxLevels, &d.MaxLevels}, {&o.MaxTypes, &d.MaxTypes},
		{&o.WindowTypes, &d.WindowTypes}, {&o.MaxWindows, &d.MaxWindows},
		{&o.LevelCounts, &d.LevelCounts}, {&o.Tail, &d.Tail},
	} {
		if *member.got == 0 {
			*member.got = *member.other
		}
	}
	if o.TypeShare == 0 {
		o.TypeShare = d.TypeShare
	}
	return o
}

// validate checks every bound, because options come back from files.
func (o Options) validate() error {
	for _, member := range []struct {
		name     string
		got, max int
	}{
		{"min_count", o.MinCount, 1 << 30}, {"max_levels", o.MaxLevels, 1 << 22}, {"max_types", o.MaxTypes, 1 << 12},
		{"window_types", o.WindowTypes, 1 << 12}, {"max_windows", o.MaxWindows, len(windowLadder)},
		{"level_counts", o.LevelCounts, 1 << 10}, {"tail", o.Tail, 1 << 20},
	} {
		if member.got < 1 || member.got > member.max {
			return fmt.Errorf("features: option %s is %d, want 1 to %d", member.name, member.got, member.max)
		}
	}
	if o.Sequence < 0 || o.Sequence > 1<<14 {
		return fmt.Errorf("features: option sequence is %d, want 0 to %d", o.Sequence, 1<<14)
	}
	if !(o.TypeShare > 0 && o.TypeShare <= 1) {
		return fmt.Errorf("features: option type_share is %g, want a share above 0 and up to 1", o.TypeShare)
	}
	for _, name := range o.Without {
		if !isFamily(name) {
			return fmt.Errorf("features: option without names %q, want some of %v", name, Families())
		}
	}
	return nil
}
