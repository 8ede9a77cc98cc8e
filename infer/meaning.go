package infer

// Meaning says whether more, or less, of a group of columns is good news, by
// the senses of the bundle: "" where it looks for no anomalies.
func (s *Scorer) Meaning(group string, more bool) Direction {
	if s.senses == nil {
		return ""
	}
	sign := 1.0
	if wish, ok := s.senses.groups[group]; ok {
		sign = wish
	}
	if !more {
		sign = -sign
	}
	return sideOf(sign)
}
