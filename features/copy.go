package features

// CopyFrom makes e hold the journey that o holds, so that journeys with the
// same beginning need not be read from the start. Both encoders must be of the
// same schema; anything else is a mistake in the program, and CopyFrom panics.
func (e *Encoder) CopyFrom(o *Encoder) {
	if e.schema != o.schema {
		panic("features: CopyFrom between encoders of different schemas")
	}
	copy(e.profile, o.profile)
	e.start, e.begun = o.start, o.begun
	e.count, e.first, e.last, e.lastGap, e.rhythm = o.count, o.first, o.last, o.lastGap, o.rhythm
	copy(e.lastIDs, o.lastIDs)
	copy(e.types, o.types)
	copy(e.numbers, o.numbers)
	for i := range e.categories {
		e.categories[i].copyFrom(&o.categories[i])
	}
	e.tail.copyFrom(&o.tail)
}

func (c *categoryState) copyFrom(o *categoryState) {
	c.last, c.distinct = o.last, o.distinct
	copy(c.met, o.met)
	copy(c.counts, o.counts)
	copy(c.lasts, o.lasts)
}

// copyFrom copies the events kept.
func (t *tail) copyFrom(o *tail) {
	t.reset()
	t.times = append(t.times, o.recent()...)
	t.types = append(t.types, o.types[o.head:]...)
	t.numbers = append(t.numbers, o.numbers[o.head*o.width:]...)
}
