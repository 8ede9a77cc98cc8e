package features

import "unsafe"

// Size is about how many bytes of memory the encoder holds, which grow with the
// journey until Options.Tail events are kept.
func (e *Encoder) Size() int {
	n := int(unsafe.Sizeof(*e)) + sizeOf(e.profile) + sizeOf(e.lastIDs) + sizeOf(e.types) + sizeOf(e.numbers) + sizeOf(e.categories) + sizeOf(e.gaps)
	for i := range e.profile {
		n += len(e.profile[i].Text)
	}
	for i := range e.categories {
		n += sizeOf(e.categories[i].met) + sizeOf(e.categories[i].counts) + sizeOf(e.categories[i].lasts)
	}
	n += sizeOf(e.windows.edges) + sizeOf(e.windows.ends) + sizeOf(e.windows.cells)
	return n + sizeOf(e.tail.times) + sizeOf(e.tail.types) + sizeOf(e.tail.numbers)
}

func sizeOf[T any](s []T) int {
	var one T
	return cap(s) * int(unsafe.Sizeof(one))
}
