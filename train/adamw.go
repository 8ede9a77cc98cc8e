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
	Average                   float64 // decay of the running mean of the values
	step                      int
}

// newAdamW returns the optimiser with the usual decay rates of its moments, and
// a running mean of the values over the last hundred steps or so.
func newAdamW(learningRate, weightDecay, clip float64) *AdamW {
	return &AdamW{
		LearningRate: learningRate, WeightDecay: weightDecay, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Clip: clip, Scale: 1, Average: 0.99,
	}
}

// A learnedParameter is what the optimiser walks: one value, shared by all
// lanes, and one gradient from each.
type learnedParameter struct {
	name    string
	value   *tensor.Dense
	grads   []*tensor.Dense // by lane
	m, v    []float32       // first and second moments
	average []float32       // running mean of the value (Polyak and Juditsky, 1992): less noisy than any one step, and what is kept
	decays  bool
}

// Value is the parameter's value. It makes this a gorgonia.ValueGrad.
func (p *learnedParameter) Value() G.Value { return p.value }

// Grad adds the lanes' gradients up, in their order, and returns the sum.
func (p *learnedParameter) Grad() (G.Value, error) {
	sum := floats(p.grads[0])
	for _, g := range p.grads[1:] {
		kernel.Axpy(sum, 1, floats(g))
	}
	return p.grads[0], nil
}

// learn pairs the trainable parameters of a network with the lanes' gradients.
func (p *parameters) learn(lanes []*lane) []G.ValueGrad {
	var all []G.ValueGrad
	for _, n := range p.graph.Params() {
		if n.Frozen || lanes[0].gradients[n.Name] == nil {
			continue
		}
		l := &learnedParameter{name: n.Name, value: p.tensors[n.Name], decays: !n.NoDecay}
		for _, lane := range lanes {
			l.grads = append(l.grads, lane.gradients[n.Name])
		}
		l.m, l.v = make([]float32, l.value.Size()), make([]float32, l.value.Size())
		l.average = append([]float32{}, floats(l.value)...)
		all = append(all, l)
	}
	return all
}

// Step updates every parameter by the sum of its lanes' gradients.
func (a *AdamW) Step(all []G.ValueGrad) error {
	a.step++
	norm := 0.0
	for _, vg := range all {
		g, err := vg.Grad()
		if err != nil {
			return err
		}
		norm += kernel.SquaredNorm(floats(g))
	}
	norm = math.Sqrt(norm) * a.Scale
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("train: the gradient of step %d is not finite; try a lower learning_rate (got %g)", a.step, a.LearningRate)
	}
	scale := a.Scale
	if a.Clip > 0 && norm > a.Clip {
		scale *= a.Clip / norm
	}
	for _, vg := range all {
		p := vg.(*learnedParameter)
		u := kernel.AdamWParams{
			LearningRate: a.LearningRate, Beta1: a.Beta1, Beta2: a.Beta2, Epsilon: a.Epsilon, Step: a.step, Scale: scale,
		}
		if p.decays {
			u.Decay = a.WeightDecay
		}
		kernel.AdamW(floats(p.value), p.m, p.v, [][]float32{floats(p.grads[0])}, u)
		// A young mean forgets faster, so that the start does not linger in it.
		keep := float32(min(a.Average, float64(1+a.step)/float64(10+a.step)))
		kernel.Scale(p.average, keep)
		kernel.Axpy(p.average, 1-keep, floats(p.value))
	}
	return nil
}

// swapAverages exchanges the values with their running means; twice is as if
// nothing had happened.
func swapAverages(all []G.ValueGrad) {
	for _, vg := range all {
		p := vg.(*learnedParameter)
		for i, v := range floats(p.value) {
			floats(p.value)[i], p.average[i] = p.average[i], v
		}
	}
}

// parametersOf is the number of values that learn.
func parametersOf(g *model.Graph) int {
	n := 0
	for _, p := range g.Params() {
		if !p.Frozen {
			n += p.Size(0)
		}
	}
	return n
}
