package infer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"moments/model"
	"moments/weights"
)

// A recurrent is a network that follows the events of journeys, in parts: one
// walks the events, one says of the state after an event what comes next, and
// the head, one of the blend's classifiers, reads the state beside the table.
// So states may be kept between events, and shared by the many variants of a
// journey.
type recurrent struct {
	name  string
	steps *Program  // events to the state after each
	next  *Program  // that state to the logits of the next event's type
	first []float32 // (h), the state before any event
	at    int       // where its state starts in a row of all states
	width int       // h
}

// inputState is the input of the parts that read a state, (.., h).
const inputState = "state"

// addJourney adds a network that follows events. One without weight is no part
// of the blend.
func (s *Scorer) addJourney(n *weights.Network, g *model.Graph) error {
	r, err := newRecurrent(n, g)
	if err != nil {
		return err
	}
	if n.Weight == 0 {
		s.foretelling = append(s.foretelling, r)
		return nil
	}
	p, err := compilePart(n, g, map[*model.Node]string{g.Outputs[model.OutputLast]: inputState}, model.OutputProbability)
	if err != nil {
		return err
	}
	r.at = s.widths[State]
	s.widths[State] += r.width
	s.following = append(s.following, r)
	s.addClassifier(compiled{p, r.at, r.width}, n.Weight, batchFor(p))
	return nil
}

func newRecurrent(n *weights.Network, g *model.Graph) (*recurrent, error) {
	state, ok := g.Outputs[model.OutputState]
	if !ok || state.Op != model.GRU {
		return nil, fmt.Errorf("infer: network %s: no state of a %s among its outputs", n.Name, model.GRU)
	}
	steps, err := compilePart(n, g, nil, model.OutputState)
	if err != nil {
		return nil, err
	}
	next, err := compilePart(n, g, map[*model.Node]string{state: inputState}, model.OutputNextType)
	if err != nil {
		return nil, err
	}
	return &recurrent{name: n.Name, steps: steps, next: next, first: n.Params[state.In[1].Name].Data, width: state.Width()}, nil
}

// compilePart compiles a part of a network with its share of the parameters.
func compilePart(n *weights.Network, whole *model.Graph, given map[*model.Node]string, outputs ...string) (*Program, error) {
	g, err := whole.Part(given, outputs...)
	if err != nil {
		return nil, fmt.Errorf("%w (network %s)", err, n.Name)
	}
	values := map[string][]float32{}
	for _, p := range g.Params() {
		values[p.Name] = n.Params[p.Name].Data
	}
	p, err := Compile(g, values)
	if err != nil {
		return nil, fmt.Errorf("%w (network %s)", err, n.Name)
	}
	return p, nil
}

// fingerprintStates is the SHA-256 of what the state of a journey depends on:
// the schema, the networks of the blend that follow events, and what else a live
// journey carries.
func (s *Scorer) fingerprintStates() (sum [sha256.Size]byte) {
	h := sha256.New()
	io.WriteString(h, s.bundle.Schema.Hash())
	for i := range s.bundle.Networks {
		n := &s.bundle.Networks[i]
		follows := slices.ContainsFunc(s.following, func(r *recurrent) bool { return r.name == n.Name })
		if !follows && (n.Role != weights.Foreteller || !s.has("foreteller")) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(n.Params)) {
			fmt.Fprintf(h, "%s %s %d\n", n.Name, name, len(n.Params[name].Data))
			binary.Write(h, binary.LittleEndian, n.Params[name].Data)
		}
	}
	if s.has("chain") {
		binary.Write(h, binary.LittleEndian, s.bundle.Reference.Transitions)
	}
	h.Sum(sum[:0])
	return sum
}

// settleJourneys decides, once all networks are known, which ones foretell the
// next event: those of the blend, or where it has none, those without weight.
func (s *Scorer) settleJourneys() {
	if len(s.following) > 0 {
		s.foretelling = s.following
		return
	}
	at := 0
	for _, r := range s.foretelling {
		r.at = at
		at += r.width
	}
}
