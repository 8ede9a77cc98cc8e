package jsontext

// Names is a set of names that is cheap while small. Its zero value is empty.
type Names struct {
	few  [8]string
	n    int
	many map[string]bool
}

// Add adds a name; false where it was there.
func (s *Names) Add(name string) bool {
	for _, old := range s.few[:s.n] {
		if old == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if s.many[name] {
		return false
	}
	if s.many == nil {
		s.many = map[string]bool{}
	}
	s.many[name] = true
	return true
}
