package infer

import (
	"fmt"

	"moments/model"
	"moments/weights"
)

// An Opener makes a network of a bundle that was trained elsewhere ready to
// run; package infer/onnxruntime has one. This package knows no such runtime
// itself, so that programs without foreign networks link none.
type Opener func(b *weights.Bundle, n *weights.Network) (Foreign, error)

// A Foreign network is computed by other means than this package's kernels.
// Goroutines share it.
type Foreign interface {
	NewSession(batch int) (ForeignSession, error)
}

// A ForeignSession is one goroutine's work with a foreign network.
type ForeignSession interface {
	// Run returns the probabilities (n, targets) of the first n rows, valid until
	// the next Run.
	Run(rows Rows, n int) ([]float32, error)
}

// foreignBatch is the number of rows that a foreign network is given at a time.
const foreignBatch = 256

// compiled is a Program as the blend runs it: a whole network, or the head of
// one that follows events, with the columns of State that are its own.
type compiled struct {
	*Program
	at, width int
}

func (p compiled) NewSession(batch int) (ForeignSession, error) {
	return compiledSession{p.Program.NewSession(batch), p.at, p.width}, nil
}

type compiledSession struct {
	*Session
	at, width int // columns of State
}

func (s compiledSession) Run(rows Rows, n int) ([]float32, error) {
	for part, input := range partInputs {
		copy(s.Input(input), rows[part][:len(rows[part])/s.Batch()*n])
	}
	if s.width > 0 {
		states, all := s.Input(inputState), len(rows[State])/s.Batch()
		for i := range n {
			copy(row(states, i, s.width), rows[State][i*all+s.at:])
		}
	}
	err := s.Session.Run(n)
	return s.Output(model.OutputProbability), err
}

// addForeign adds a network that was trained elsewhere to the blend.
func (s *Scorer) addForeign(n *weights.Network) error {
	if s.options.Foreign == nil {
		return fmt.Errorf("infer: network %s was trained elsewhere, and this program has no runtime for it: give ScorerOptions.Foreign", n.Name)
	}
	f, err := s.options.Foreign(s.bundle, n)
	if err != nil {
		return fmt.Errorf("%w (network %s)", err, n.Name)
	}
	s.addClassifier(f, n.Weight, foreignBatch)
	return nil
}
