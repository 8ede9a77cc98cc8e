package datasets

import "math"

// A Division tells the part of every cut of a data set: of the task's own cuts
// as Split or Folds divided them, and of the extra ones.
type Division struct {
	parts  []Part
	trains map[string]bool // customers of a part: whether it is the training part
	last   int64           // the moment after which no extra cut trains
}

// NewDivision takes the refs of the cuts that are not extra, in the order in
// which Cuts yields them, and the part of each.
func NewDivision(refs []Ref, parts []Part) *Division {
	d := &Division{parts: parts, trains: map[string]bool{}, last: math.MinInt64}
	tested := int64(math.MaxInt64) // the first test cut
	for i, r := range refs {
		switch parts[i] {
		case Train:
			d.last = max(d.last, r.Time)
		case Test:
			tested = min(tested, r.Time)
		}
		d.trains[r.Customer] = d.trains[r.Customer] || parts[i] == Train
	}
	if d.last >= tested { // customers are divided, not time
		d.last = math.MaxInt64
	}
	return d
}

// Part returns the part of a cut that comes after n cuts that are not extra. An
// extra cut is a training cut when its customer has one, or no label at all, and,
// where time is divided, when it is no later than the last of all: a split by
// time leaves out a customer's cuts beyond its origin, and extra ones must not
// bring them back.
func (d *Division) Part(n int, c *Cut) Part {
	if !c.Extra {
		return d.parts[n]
	}
	if trains, labelled := d.trains[c.Journey.Customer]; (trains || !labelled) && c.Cutoff.Time <= d.last {
		return Train
	}
	return None
}
