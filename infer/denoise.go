package infer

import (
	"math"

	"moments/features"
	"moments/model"
)

// denoising is the denoiser of a bundle, compiled, with its noise: evidence by
// what a network that has learned normal rows cannot restore.
type denoising struct {
	tableEvidence
	program *Program
	steps   []noiseStep
	batch   int
}

func (*denoising) name() string    { return "denoiser" }
func (*denoising) weight() float64 { return 2 }

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

// A denoiser is one goroutine's denoising at work.
type denoiser struct {
	*denoising
	session  *Session
	examples []features.Example
	rows     []float32 // (n, F) standardised
	absolute []float32 // (n, F) sums over the steps of |x - x0hat|
	signed   []float32 // (n, F) sums over the steps of x - x0hat
	expected []float32 // (F) scratch: the mean x0hat of a row
}

func (d *denoising) newDetector() detector {
	return &denoiser{denoising: d, session: d.program.NewSession(d.batch), expected: make([]float32, d.width)}
}

// run measures the errors of all examples. Every pair of row and step is one
// row of the network's batches.
func (d *denoiser) run(examples []features.Example) error {
	d.examples = examples
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

// score is the sum over the steps of the mean error of row i.
func (d *denoiser) score(i int) float32 { return meanOf(row(d.absolute, i, d.width)) }

// meanOf adds up in the order of the columns.
func meanOf(columns []float32) float32 {
	sum := 0.0
	for _, e := range columns {
		sum += float64(e)
	}
	return float32(sum / float64(len(columns)))
}

// parts are the groups by their errors.
func (d *denoiser) parts(i int, to []Part) []Part {
	x, signed := row(d.rows, i, d.width), row(d.signed, i, d.width)
	for c := range d.expected {
		d.expected[c] = x[c] - signed[c]/float32(len(d.steps))
	}
	return d.appendParts(to, &d.examples[i], deviations{row(d.absolute, i, d.width), signed, d.expected})
}

func resize(xs []float32, n int) []float32 {
	if cap(xs) < n {
		return make([]float32, n)
	}
	return xs[:n]
}
