package features

// A Cutoff is the moment at which a prediction is made for one journey.
//
// Exactly the first Events events of the journey may be seen; all of them
// happened at or before Time. Events is what the encoder obeys, because events
// of equal time may lie on both sides of "after five events".
type Cutoff struct {
	Time   int64  // microseconds since the Unix epoch, the last visible instant
	Events int    // number of visible events
	Group  string // the rule's own name for it, such as "after 5 events", to report figures by; "" when the task has one rule
}
