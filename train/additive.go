package train

import (
	"context"
	"fmt"
	"math"
	"sort"
	"time"

	"moments/model"
	"moments/weights"
)

// fitAdditive fits the network that adds up what each column of the table says.
func (t *targeted) fitAdditive(ctx context.Context) error {
	network := &model.Additive{Table: tableShape(t.prepared.Schema), Targets: len(t.rates)}
	g, err := model.Build(network)
	if err != nil {
		return err
	}
	return t.fitColumns(ctx, network, g)
}

// fitColumns boosts one target after the other. There is no checkpoint: it
// takes seconds.
func (t *targeted) fitColumns(ctx context.Context, network *model.Additive, g *model.Graph) error {
	began := time.Now()
	a := newAdditive(g, network)
	report := NetworkReport{Name: "additive", Kind: t.saved(network).Kind, Parameters: parametersOf(g)}
	training, validation := boostedColumns(network.Table, t.training), boostedColumns(network.Table, t.validation)
	shift := math.Log(t.config.PositiveWeight)
	for k, rate := range t.rates {
		start := rateLogit(rate) + shift
		b := newBooster(t.training.outcomes(k, training), t.validation.outcomes(k, validation), shift, t.config.Threads)
		b.training.favour(float32(t.config.PositiveWeight))
		path, steps, err := b.fit(ctx, start, t.boosting(report.Name, k))
		if err != nil {
			return fmt.Errorf("train: %s %w", report.Name, err)
		}
		a.write(k, start-shift, path)
		report.Epochs, report.BestEpoch = max(report.Epochs, steps), max(report.BestEpoch, len(path))
	}
	saved, problem := a.params.snapshot(), t.classification(g)
	predicted, err := predict(g, problem, t.validation, saved, t.config.MicroBatch)
	if err != nil {
		return err
	}
	report.ValidationLoss, report.Seconds = problem.logLoss(predicted, t.validation), time.Since(began).Seconds()
	t.conclude(report)
	t.fitted = append(t.fitted, candidate{
		weights.Network{Name: report.Name, Role: weights.Classifier, Saved: t.saved(network), Params: saved}, additive, predicted,
	})
	return nil
}

// boosting reports on the steps of target k as if each were a batch.
func (t *targeted) boosting(name string, k int) func(step, best int, training, validation float64) {
	return func(step, best int, training, validation float64) {
		if t.options.Progress != nil {
			t.options.Progress(Progress{
				Network: name, Epoch: k*boostRounds + step, Epochs: len(t.rates) * boostRounds, Batch: 1, Batches: 1,
				TrainLoss: training, ValidationLoss: validation, BestEpoch: k*boostRounds + best,
			})
		}
	}
}

// outcomes are those of target k, beside what the columns say.
func (t *table) outcomes(k int, columns []boosted) outcomes {
	o := outcomes{columns: columns, labels: make([]float32, t.rows), weights: make([]float32, t.rows)}
	targets := len(t.labels) / max(t.rows, 1)
	for row := range t.rows {
		o.labels[row], o.weights[row] = t.labels[row*targets+k], t.weights[row*targets+k]
	}
	return o
}

// favour weighs positives.
func (o *outcomes) favour(weight float32) {
	for row, y := range o.labels {
		if y == 1 {
			o.weights[row] *= weight
		}
	}
}

// boostedColumns are the columns of a table as boosting reads them: numeric ones
// by the bins of their embedding, then binary ones, then categories by level.
func boostedColumns(shape model.Table, t *table) (columns []boosted) {
	places := make([]int32, t.rows)
	add := func(input string, width, column, bins int, levels bool, place func(x float32) int32) {
		c := boosted{bins: bins, levels: levels}
		for row := range places {
			places[row] = place(t.inputs[input][row*width+column])
		}
		columns = append(columns, newBoosted(places, bins, c.places(), levels))
	}
	for i := range shape.Numeric {
		edges := shape.Edges[i]
		add(model.InputNumeric, shape.Numeric, i, max(len(edges)-1, 0), false, func(x float32) int32 { return placeAmong(edges, x) })
	}
	for i := range shape.Binary {
		add(model.InputBinary, shape.Binary, i, 1, false, func(x float32) int32 { return placeAmong([]float32{0, 1}, x) })
	}
	for i, levels := range shape.Cardinalities {
		add(model.InputCategory, len(shape.Cardinalities), i, levels, true, func(x float32) int32 { return int32(x) })
	}
	return columns
}

// placeAmong is the position nearest to x among bins, that at an end where x
// lies beyond.
func placeAmong(edges []float32, x float32) int32 {
	last := len(edges) - 1
	if last < 1 || x <= edges[0] {
		return 0
	}
	bin := sort.Search(last-1, func(i int) bool { return x < edges[i+1] })
	share := min((x-edges[bin])/(edges[bin+1]-edges[bin]), 1)
	return int32(bin*positions) + int32(math.Round(float64(share)*positions))
}

// An additiveNetwork is where the weights of columns stand in the parameters of
// a [model.Additive].
type additiveNetwork struct {
	params                  *parameters
	shape                   model.Table
	targets, bins           int
	numeric, head, category []float32
	offsets                 []int // of each category's levels
}

// newAdditive is a network that knows nothing yet: of each embedding, every
// target reads the place that is its own.
func newAdditive(g *model.Graph, network *model.Additive) *additiveNetwork {
	a := &additiveNetwork{params: newParameters(g, 0), shape: network.Table, targets: network.Targets}
	for _, n := range g.Params() {
		values := a.params.of(n)
		switch n.Name {
		case "numeric/slope", "numeric/bias":
			clear(values)
		case "numeric/weight": // zeros
			a.numeric, a.bins = values, n.Shape[1]
		case "head/weight":
			clear(values)
			a.head = values
		case "category/table":
			clear(values)
			a.category = values
		}
	}
	for _, n := range g.Nodes {
		if n.Op == model.Embedding {
			a.offsets = n.Offsets
		}
	}
	a.pass(0, a.shape.Numeric)
	a.pass(a.shape.Numeric*a.targets+a.shape.Binary, len(a.shape.Cardinalities))
	return a
}

// pass lets the head pass on so many embeddings, which begin at a row of its
// weights.
func (a *additiveNetwork) pass(row, embeddings int) {
	for i := range embeddings * a.targets {
		a.head[(row+i)*a.targets+i%a.targets] = 1
	}
}

// write makes the steps from a start the function of target k.
func (a *additiveNetwork) write(k int, start float64, path []increment) {
	for _, n := range path {
		start += n.constant
		*a.weight(n.column, n.bin, k) += float32(n.weight)
	}
	a.params.headBias()[k] = float32(start)
}

// weight is what a bin or level of a column adds to the logit of target k.
func (a *additiveNetwork) weight(column, bin, k int) *float32 {
	if column < a.shape.Numeric {
		return &a.numeric[(column*a.bins+bin)*a.targets+k]
	}
	if c := column - a.shape.Numeric; c < a.shape.Binary {
		return &a.head[(a.shape.Numeric*a.targets+c)*a.targets+k]
	}
	c := column - a.shape.Numeric - a.shape.Binary
	return &a.category[(a.offsets[c]+bin)*a.targets+k]
}
