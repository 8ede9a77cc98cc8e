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
	// room is what a lane must have room for, given the most training rows of a
	// micro-batch.
	room(rows int) rows
	// arrange puts the rows of a batch into the order in which micro-batches are
	// cut from it.
	arrange(rows []int)
	// fill makes training rows the lane's micro-batch and returns the sum of the
	// weights that its loss is divided by. What it draws comes from lane.random.
	fill(l *lane, rows []int) float64
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
func (c *classification) room(n int) rows   { return rows{batch: n} }
func (c *classification) arrange([]int)     {}
func (c *classification) learns() objective { return crossEntropy(c.graph) }
func (c *classification) reads() string     { return model.OutputProbability }

func (c *classification) fill(l *lane, rows []int) float64 {
	l.copyInputs(c.train, rows)
	return c.label(l, rows)
}

// label sets the labels and weights of training rows that stand in the lane.
func (c *classification) label(l *lane, rows []int) float64 {
	labels, weights := l.inputs[leafLabels], l.inputs[leafWeights]
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
	return c.judge(c.probabilities(predict, c.validation))
}

// judge is the log-loss of what was predicted of the validation split.
func (c *classification) judge(p []float32, err error) (float64, error) {
	if err != nil {
		return 0, err
	}
	return c.logLoss(p, c.validation), nil
}

// logLoss is the mean of the targets' log-losses by their known labels.
func (c *classification) logLoss(p []float32, of *table) float64 {
	var loss, rows float64
	for t := range c.targets {
		pt, yt := known(p, of, t, c.targets)
		if len(pt) > 0 {
			loss += metric.LogLoss(pt, yt) * float64(len(pt))
			rows += float64(len(pt))
		}
	}
	return loss / rows
}

// probabilities predicts every row of a table, (rows, T).
func (c *classification) probabilities(predict *crew, t *table) ([]float32, error) {
	p := make([]float32, t.rows*c.targets)
	err := predict.each(func(lane int, l *lane) error {
		most := l.most.batch
		slots := make([]int, 0, most)
		for start := lane * most; start < t.rows; start += most * len(predict.lanes) {
			slots = slots[:0]
			for i := start; i < min(start+most, t.rows); i++ {
				slots = append(slots, i)
			}
			l.copyInputs(t, slots)
			if err := l.run(); err != nil {
				return err
			}
			copy(p[start*c.targets:], l.outputs[model.OutputProbability].values())
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

// copyInputs makes rows of a table the lane's micro-batch.
func (l *lane) copyInputs(t *table, rows []int) {
	l.batch = len(rows)
	for _, in := range l.fed {
		if in.Shape[0] != model.Batch || in.Name == model.InputRow {
			continue // of events, which pack fills
		}
		to, from, width := l.inputs[in.Name], t.inputs[in.Name], in.Width()
		for slot, i := range rows {
			copy(row(to, slot, width), row(from, i, width))
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
func (d *denoising) room(n int) rows   { return rows{batch: n} }
func (d *denoising) arrange([]int)     {}
func (d *denoising) learns() objective { return squaredError(d.graph) }
func (d *denoising) reads() string     { return model.OutputReconstruction }

func (d *denoising) fill(l *lane, rows []int) float64 {
	l.batch = len(rows)
	for slot, i := range rows {
		clean := row(d.train.inputs[model.InputNumeric], i, d.config.Features)
		copy(row(l.inputs[leafClean], slot, d.config.Features), clean)
		l.inputs[leafWeights][slot] = 1
		d.corrupt(l, slot, clean, l.random)
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
	most := predict.lanes[0].most.batch
	sums := make([]float64, (d.validation.rows+most-1)/most)
	err := predict.each(func(lane int, l *lane) error {
		for batch := lane; batch < len(sums); batch += len(predict.lanes) {
			l.source.Seed(d.seed, uint64(batch))
			l.batch = min(most, d.validation.rows-batch*most)
			clean := d.validation.inputs[model.InputNumeric][batch*most*d.config.Features:]
			for slot := range l.batch {
				d.corrupt(l, slot, row(clean, slot, d.config.Features), l.random)
			}
			if err := l.run(); err != nil {
				return err
			}
			for j, v := range l.outputs[model.OutputReconstruction].values() {
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
