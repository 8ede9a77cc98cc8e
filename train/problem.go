package train

import (
	"math"
	"math/rand/v2"

	"moments/model"
	"moments/train/metric"
)

// A table holds the rows of one split as a network reads them.
type table struct {
	rows    int
	inputs  map[string][]float32 // by input name, (rows, width)
	labels  []float32            // (rows, T)
	weights []float32            // (rows, T), 0 where the label is not known
}

// row returns one row of an input that is width wide.
func row(values []float32, i, width int) []float32 { return values[i*width:][:width] }

// A problem is what the loop needs to know of what it trains: how a micro-batch
// is filled, and how good the network is on the validation split.
type problem interface {
	// size is the number of training rows.
	size() int
	// fill copies training rows into the lane's inputs, and weight 0 into the
	// slots that are left over, and returns the sum of the weights that its loss
	// is divided by. random is the micro-batch's own stream.
	fill(l *lane, rows []int, random *rand.Rand) float64
	// learns is what the learners' loss is.
	learns() objective
	// reads names the output that validate asks the predictors for.
	reads() string
	// validate returns the loss on the validation split, lower is better.
	validate(predict *crew) (float64, error)
}

// classification is the problem of a classifier with T targets.
type classification struct {
	graph             *model.Graph
	targets           int
	train, validation *table
	positive          []float32 // weight of a positive of each target in the loss
}

func (c *classification) size() int         { return c.train.rows }
func (c *classification) learns() objective { return crossEntropy(c.graph) }
func (c *classification) reads() string     { return model.OutputProbability }

func (c *classification) fill(l *lane, rows []int, _ *rand.Rand) float64 {
	l.copyInputs(c.graph, c.train, rows)
	labels, weights := l.inputs[leafLabels], l.inputs[leafWeights]
	clear(weights)
	var sum float64
	for slot, i := range rows {
		for t := range c.targets {
			at := slot*c.targets + t
			labels[at] = c.train.labels[i*c.targets+t]
			w := c.train.weights[i*c.targets+t]
			sum += float64(w)
			if labels[at] == 1 {
				w *= c.positive[t]
			}
			weights[at] = w
		}
	}
	return sum
}

// validate returns the log-loss of the mean of the members, averaged over the
// targets by their known labels.
func (c *classification) validate(predict *crew) (float64, error) {
	p, err := c.probabilities(predict, c.validation)
	if err != nil {
		return 0, err
	}
	var loss, rows float64
	for t := range c.targets {
		pt, yt := known(p, c.validation, t, c.targets)
		if len(pt) > 0 {
			loss += metric.LogLoss(pt, yt) * float64(len(pt))
			rows += float64(len(pt))
		}
	}
	return loss / rows, nil
}

// probabilities predicts every row of a table, (rows, T).
func (c *classification) probabilities(predict *crew, t *table) ([]float32, error) {
	p := make([]float32, t.rows*c.targets)
	err := predict.each(func(lane int, l *lane) error {
		slots := make([]int, 0, l.rows)
		for start := lane * l.rows; start < t.rows; start += l.rows * len(predict.lanes) {
			slots = slots[:0]
			for i := start; i < min(start+l.rows, t.rows); i++ {
				slots = append(slots, i)
			}
			l.copyInputs(c.graph, t, slots)
			if err := l.run(); err != nil {
				return err
			}
			copy(p[start*c.targets:], l.outputs[model.OutputProbability].values()[:len(slots)*c.targets])
		}
		return nil
	})
	return p, err
}

// known returns the predictions and labels of target t where the label is known.
func known(p []float32, t *table, target, targets int) (predictions, labels []float32) {
	for at := target; at < len(p); at += targets {
		if t.weights[at] > 0 {
			predictions, labels = append(predictions, p[at]), append(labels, t.labels[at])
		}
	}
	return predictions, labels
}

// copyInputs copies rows of a table into the lane's inputs.
func (l *lane) copyInputs(g *model.Graph, t *table, rows []int) {
	for _, in := range g.Inputs() {
		width := in.Width()
		for slot, i := range rows {
			copy(row(l.inputs[in.Name], slot, width), row(t.inputs[in.Name], i, width))
		}
	}
}

// denoising is the problem of a diffusion-scheduled autoencoder: predict the
// clean row from one with the noise of a random step added.
type denoising struct {
	graph             *model.Graph
	config            model.Denoiser
	signal, noise     []float32
	train, validation *table
	seed              uint64
}

func newDenoising(g *model.Graph, config model.Denoiser, train, validation *table, seed uint64) *denoising {
	signal, noise := config.Schedule()
	return &denoising{g, config, signal, noise, train, validation, seed}
}

func (d *denoising) size() int         { return d.train.rows }
func (d *denoising) learns() objective { return squaredError(d.graph) }
func (d *denoising) reads() string     { return model.OutputReconstruction }

func (d *denoising) fill(l *lane, rows []int, random *rand.Rand) float64 {
	clear(l.inputs[leafWeights])
	for slot, i := range rows {
		clean := row(d.train.inputs[model.InputNumeric], i, d.config.Features)
		copy(row(l.inputs[leafClean], slot, d.config.Features), clean)
		l.inputs[leafWeights][slot] = 1
		d.corrupt(l, slot, clean, random)
	}
	return float64(len(rows))
}

// corrupt writes the noisy row and its step into a slot of the lane's inputs.
func (d *denoising) corrupt(l *lane, slot int, clean []float32, random *rand.Rand) {
	t := random.IntN(d.config.Steps)
	noisy := row(l.inputs[model.InputNumeric], slot, d.config.Features)
	for j, v := range clean {
		noisy[j] = d.signal[t]*v + d.noise[t]*float32(random.NormFloat64())
	}
	embedding := model.TimeEmbedding(t)
	copy(row(l.inputs[model.InputTime], slot, model.TimeWidth), embedding[:])
}

// validate returns the mean squared error on validation rows, each with the
// same noise at every call.
func (d *denoising) validate(predict *crew) (float64, error) {
	sums := make([]float64, (d.validation.rows+predict.lanes[0].rows-1)/predict.lanes[0].rows)
	err := predict.each(func(lane int, l *lane) error {
		for batch := lane; batch < len(sums); batch += len(predict.lanes) {
			random := rand.New(rand.NewPCG(d.seed, uint64(batch)))
			rows := min(l.rows, d.validation.rows-batch*l.rows)
			for slot := range rows {
				d.corrupt(l, slot, row(d.validation.inputs[model.InputNumeric], batch*l.rows+slot, d.config.Features), random)
			}
			if err := l.run(); err != nil {
				return err
			}
			clean := d.validation.inputs[model.InputNumeric][batch*l.rows*d.config.Features:]
			for j, v := range l.outputs[model.OutputReconstruction].values()[:rows*d.config.Features] {
				sums[batch] += float64(v-clean[j]) * float64(v-clean[j])
			}
		}
		return nil
	})
	var sum float64
	for _, s := range sums {
		sum += s
	}
	return sum / float64(max(1, d.validation.rows*d.config.Features)), err
}

// logit is the inverse of the sigmoid.
func logit(p float64) float64 { return math.Log(p / (1 - p)) }
