package infer

import (
	"math"

	"moments/features"
	"moments/model"
)

// unusual is the denoiser of a bundle, compiled, with its noise.
type unusual struct {
	schema  *features.Schema
	program *Program
	steps   []noiseStep
	width   int   // F, of a standardised row
	groups  []int // position -> index in names
	names   []string
	batch   int
}

// noiseStep makes a row noisy: signal·x + noise, with the step's embedding.
type noiseStep struct {
	signal float32
	noise  []float32 // (F)
	time   [model.TimeWidth]float32
}

// newNoise draws the noise of the steps that the denoiser is scored at.
func newNoise(d *model.Denoiser, seed uint64) []noiseStep {
	signal, noise := d.Schedule()
	var steps []noiseStep
	for _, t := range d.StepsScored() {
		step := noiseStep{signal: signal[t], noise: make([]float32, d.Features), time: model.TimeEmbedding(t)}
		for column := range step.noise {
			step.noise[column] = noise[t] * gaussian(seed, t, column)
		}
		steps = append(steps, step)
	}
	return steps
}

// A denoiser is one goroutine's unusual at work.
type denoiser struct {
	*unusual
	session  *Session
	rows     []float32 // (n, F) standardised
	absolute []float32 // (n, F) sums over the steps of |x - x0hat|
	signed   []float32 // (n, F) sums over the steps of x - x0hat
	shares   []float64 // scratch: of groups
	signs    []float64 // scratch: of groups
}

func (u *unusual) newDenoiser() *denoiser {
	return &denoiser{
		unusual: u,
		session: u.program.NewSession(u.batch),
		shares:  make([]float64, len(u.names)),
		signs:   make([]float64, len(u.names)),
	}
}

// run measures the errors of all examples. Every pair of row and step is one
// row of the network's batches.
func (d *denoiser) run(examples []features.Example) error {
	n := len(examples) * d.width
	d.rows, d.absolute, d.signed = resize(d.rows, n), resize(d.absolute, n), resize(d.signed, n)
	clear(d.absolute)
	clear(d.signed)
	for i := range examples {
		d.schema.Standardize(&examples[i], row(d.rows, i, d.width))
	}
	pairs := len(examples) * len(d.steps)
	for start := 0; start < pairs; start += d.batch {
		if err := d.runPairs(start, min(start+d.batch, pairs)); err != nil {
			return err
		}
	}
	return nil
}

// runPairs computes pairs start to end; pair p is step p % steps of row
// p / steps, so a row's sums are added in the same order in any batch.
func (d *denoiser) runPairs(start, end int) error {
	noisy, time := d.session.Input(model.InputNumeric), d.session.Input(model.InputTime)
	for p := start; p < end; p++ {
		step := &d.steps[p%len(d.steps)]
		x, to := row(d.rows, p/len(d.steps), d.width), row(noisy, p-start, d.width)
		for c, v := range x {
			to[c] = step.signal*v + step.noise[c]
		}
		copy(row(time, p-start, model.TimeWidth), step.time[:])
	}
	if err := d.session.Run(end - start); err != nil {
		return err
	}
	clean := d.session.Output(model.OutputReconstruction)
	for p := start; p < end; p++ {
		i := p / len(d.steps)
		x, x0 := row(d.rows, i, d.width), row(clean, p-start, d.width)
		absolute, signed := row(d.absolute, i, d.width), row(d.signed, i, d.width)
		for c, v := range x {
			residual := v - x0[c]
			absolute[c] += float32(math.Abs(float64(residual)))
			signed[c] += residual
		}
	}
	return nil
}

// score is the sum over the steps of the mean error of row i. It is a float32
// because calibration scores are: equal journeys must tie.
func (d *denoiser) score(i int) float32 {
	sum := 0.0
	for _, e := range row(d.absolute, i, d.width) {
		sum += float64(e)
	}
	return float32(sum / float64(d.width))
}

func resize(xs []float32, n int) []float32 {
	if cap(xs) < n {
		return make([]float32, n)
	}
	return xs[:n]
}
