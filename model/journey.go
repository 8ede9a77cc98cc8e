package model

// Journey follows the events of a journey with a gated recurrent unit and
// classifies by the state after the last of them, beside what the table says at
// the cutoff. The state depends on nothing that comes later, so one run gives
// the outcome after every event, and an event that arrives is one step more.
//
// Every event is read as embeddings of its type and categories and
// piecewise-linear embeddings of its numbers. From the state after each event
// the network also foretells the next one, its type and the time until it:
// labels that every journey brings along, and a task that shapes the state
// where outcomes are few (an auxiliary loss, and what pretraining learns from).
// What follows the state is the ensemble of [TabM].
type Journey struct {
	Events Table `json:"events"` // of the tokens; the first category is the type
	Table  Table `json:"table"`  // of what is known at the cutoff; no columns to go by the events alone

	Targets  int `json:"targets"`
	State    int `json:"state"`     // width of the recurrent unit
	Token    int `json:"token"`     // width of the piecewise-linear embedding of an event's number
	TypeSize int `json:"type_size"` // width of the embedding of an event's type and categories

	Members       int `json:"members"` // of the ensemble, as the rest
	Width         int `json:"width"`
	Layers        int `json:"layers"`
	Embedding     int `json:"embedding"`
	CategoryWidth int `json:"category_width"`
}

// Forward draws the network.
func (m Journey) Forward(b Builder) Outputs {
	tokens, _ := m.Events.readAs(b.In("event"), events, m.Token, m.TypeSize)
	if tokens == nil || len(m.Events.Cardinalities) == 0 {
		b.fail("events without a type")
		return Outputs{}
	}
	state := Recurrent(b.In("recurrent"), tokens, m.State)
	last := SelectRow(b, state, b.Input(InputRow, 1))
	parts, groups := []*Node{last}, appendRuns(nil, m.State, 1)
	if row, runs := m.Table.readAs(b, examples, m.Embedding, m.CategoryWidth); row != nil {
		parts, groups = append(parts, row), append(groups, runs...)
	}
	outputs := ensemble(b, b.Concat(parts...), Init{Kind: GroupNormal, Groups: groups}, m.Members, m.Width, m.Layers, m.Targets)
	outputs[OutputState], outputs[OutputLast] = state, last
	outputs[OutputNextType] = Linear(b.In("next/type"), state, m.Events.Cardinalities[0], Identity)
	outputs[OutputNextGap] = Linear(b.In("next/gap"), state, 1, Identity)
	return outputs
}

// BlockRows is the number of rows of packed events that belong to the first of
// some steps: to as many as have at most so many rows together, and at least to
// one. Steps are the journeys that have a first event, a second, and so on.
func BlockRows(steps []int, most int) int {
	rows := 0
	for i, journeys := range steps {
		if i > 0 && rows+journeys > most {
			break
		}
		rows += journeys
	}
	return rows
}
