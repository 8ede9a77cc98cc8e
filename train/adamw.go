package train

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"moments/model"
	"moments/model/kernel"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)
// and clipping by the global norm, in one fused pass over every parameter. It
// is a Gorgonia Solver.
type AdamW struct {
	LearningRate, WeightDecay float64
	Beta1, Beta2, Epsilon     float64
	Clip                      float64 // most that the norm of all gradients may be; 0 for no limit
	Scale                     float64 // factor of the gradients, such as 1 over the rows that they are summed over
	Average                   float64 // decay of the running mean of the values; 0 to keep none
	step                      int

	crew     *crew // shares the work; each lane has a part of every slice
	sections []*section
	norms    []float64 // by lane
	scale    float64   // Scale and clipping
	addUp    func(i int, l *lane) error
	update   func(i int, l *lane) error
}

// newAdamW returns the optimiser with the usual decay rates of its moments, and
// a running mean of the values over the last hundred steps or so.
func newAdamW(crew *crew, learningRate, weightDecay, clip float64) *AdamW {
	a := &AdamW{
		LearningRate: learningRate, WeightDecay: weightDecay, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Clip: clip, Scale: 1, Average: 0.99,
		crew: crew, norms: make([]float64, len(crew.lanes)),
	}
	// Made once, since making a function value of a method allocates.
	a.addUp, a.update = a.addUpShare, a.updateShare
	return a
}

// A section is a run of parameters that the optimiser treats alike.
type section struct {
	value  *tensor.Dense
	sum    *tensor.Dense // of the lanes' gradients once they are added up
	decays bool
	shares []share // by lane: what each updates
}

// A share is a part of a section: its values, which all lanes read, and their
// gradients, one from each lane.
type share struct {
	value   []float32
	grads   [][]float32 // by lane; the first becomes the sum
	m, v    []float32   // first and second moments
	average []float32   // running mean of the value (Polyak and Juditsky, 1992): less noisy than any one step, and what is kept
}

// Value is the section's values. It makes this a gorgonia.ValueGrad.
func (s *section) Value() G.Value { return s.value }

// Grad is the lanes' gradients, added up by the last step.
func (s *section) Grad() (G.Value, error) { return s.sum, nil }

// trained is what is trained: the parameters, what the optimiser keeps of them,
// and the sections that it walks.
type trained struct {
	*parameters
	m, v, average *arena
	sections      []G.ValueGrad
}

// learn pairs the trainable parameters of a network with the lanes' gradients.
func (p *parameters) learn(lanes []*lane) *trained {
	t := &trained{parameters: p, m: p.like(), v: p.like(), average: p.like()}
	copy(t.average.all, p.all)
	for i, part := range [][2]int{{0, p.decaying}, {p.decaying, p.learned}} {
		from, to := part[0], part[1]
		if from == to {
			continue
		}
		s := &section{value: vectorOf(p.all[from:to]), sum: vectorOf(lanes[0].gradient.all[from:to]), decays: i == 0}
		for j := range lanes {
			s.shares = append(s.shares, t.share(lanes, from, to, j))
		}
		t.sections = append(t.sections, s)
	}
	return t
}

// share returns the j-th of as many equal parts as there are lanes, in whole
// cache lines.
func (t *trained) share(lanes []*lane, from, to, j int) share {
	lines := (to - from) / line
	from, to = from+lines*j/len(lanes)*line, from+lines*(j+1)/len(lanes)*line
	s := share{value: t.all[from:to], m: t.m.all[from:to], v: t.v.all[from:to], average: t.average.all[from:to]}
	for _, l := range lanes {
		s.grads = append(s.grads, l.gradient.all[from:to])
	}
	return s
}

// swapAverages exchanges the learned values with their running means; twice is
// as if nothing had happened.
func (t *trained) swapAverages() {
	for i, v := range t.all[:t.learned] {
		t.all[i], t.average.all[i] = t.average.all[i], v
	}
}

// Step updates every parameter by the sum of its lanes' gradients.
func (a *AdamW) Step(all []G.ValueGrad) error {
	a.step++
	a.sections = a.sections[:0]
	for _, vg := range all {
		a.sections = append(a.sections, vg.(*section))
	}
	if err := a.crew.each(a.addUp); err != nil {
		return err
	}
	squares := 0.0
	for _, n := range a.norms {
		squares += n
	}
	norm := math.Sqrt(squares) * a.Scale
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("train: the gradient of step %d is not finite; try a lower learning_rate (got %g)", a.step, a.LearningRate)
	}
	a.scale = a.Scale
	if a.Clip > 0 && norm > a.Clip {
		a.scale *= a.Clip / norm
	}
	return a.crew.each(a.update)
}

// addUpShare adds the lanes' gradients up, in their order, and measures the sum.
func (a *AdamW) addUpShare(i int, _ *lane) error {
	a.norms[i] = 0
	for _, s := range a.sections {
		grads := s.shares[i].grads
		last := len(grads) - 1
		for _, g := range grads[1:max(last, 1)] {
			kernel.Axpy(grads[0], 1, g)
		}
		if last == 0 {
			a.norms[i] += kernel.SquaredNorm(grads[0])
		} else {
			a.norms[i] += kernel.AddSquaredNorm(grads[0], grads[last])
		}
	}
	return nil
}

func (a *AdamW) updateShare(i int, _ *lane) error {
	p := kernel.AdamWParams{
		LearningRate: a.LearningRate, Beta1: a.Beta1, Beta2: a.Beta2, Epsilon: a.Epsilon, Step: a.step, Scale: a.scale,
		// A young mean forgets faster, so that the start does not linger in it.
		Keep: min(a.Average, float64(1+a.step)/float64(10+a.step)),
	}
	for _, s := range a.sections {
		share := &s.shares[i]
		p.Decay, p.Average = 0, nil
		if s.decays {
			p.Decay = a.WeightDecay
		}
		if a.Average > 0 {
			p.Average = share.average
		}
		kernel.AdamW(share.value, share.m, share.v, share.grads[:1], p)
	}
	return nil
}

// parametersOf is the number of values that learn.
func parametersOf(g *model.Graph) int {
	n := 0
	for _, p := range g.Params() {
		if !p.Frozen {
			n += p.RowSize()
		}
	}
	return n
}
