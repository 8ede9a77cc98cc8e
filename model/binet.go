package model

// BINet foretells every event of a journey from those before it, attribute by
// attribute, so that an unlikely one shows as an anomaly together with what was
// expected instead (Nolle et al., BINet: Multi-perspective business process
// anomaly classification, Information Systems, 2022; the form that knows the
// event's type when it foretells the other attributes, with a state in common).
//
// A gated recurrent unit reads at every event the attributes of the event
// before, zeros at a journey's first: so its state knows nothing of the event
// itself, and one that arrives is one step more.
type BINet struct {
	Cells     []int `json:"cells"`     // how many values each attribute of an event can take; the first is the type
	Embedding int   `json:"embedding"` // width of an attribute's embedding
	State     int   `json:"state"`     // width of the recurrent unit
	Width     int   `json:"width"`     // hidden width of what foretells
}

// Forward draws the network.
func (m BINet) Forward(b Builder) Outputs {
	if len(m.Cells) == 0 {
		b.fail("events without a type")
		return Outputs{}
	}
	before := Embed(b.In("before"), b.EventInput(InputEventBefore, len(m.Cells)), m.Cells, m.Embedding)
	state := Recurrent(b.In("recurrent"), before, m.State)
	context := Linear(b.In("context"), state, m.Width, ReLU)
	cells := Linear(b.In("type"), context, m.Cells[0], Identity)
	if rest := m.Cells[1:]; len(rest) > 0 {
		kind := Embed(b.In("kind"), b.EventInput(InputEventType, 1), m.Cells[:1], m.Embedding)
		given := Linear(b.In("given"), b.Concat(context, kind), m.Width, ReLU)
		cells = b.Concat(cells, Linear(b.In("rest"), given, sum(rest), Identity))
	}
	return Outputs{OutputState: state, OutputCells: cells}
}

func sum(xs []int) (total int) {
	for _, x := range xs {
		total += x
	}
	return total
}
