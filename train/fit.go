package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"moments/model"
	"moments/weights"
)

// schedule is how one network is trained.
type schedule struct {
	name                            string
	epochs, patience                int
	batch, micro, threads           int
	learningRate, weightDecay, clip float64
	dropout                         float32
	seed                            uint64
	last                            bool              // ends with the parameters of the last epoch, not the best
	start                           func(*parameters) // adjusts the starting values; may be nil
	shift                           []float32         // subtracted from the head's biases when predicting; may be nil
	checkpoint                      *checkpoint       // nil to keep none
	progress                        func(Progress)
}

// Progress is one step of a training run, for a bar or a log.
type Progress struct {
	Network        string
	Epoch, Epochs  int     // the epoch that runs, from 1, and the most there may be
	Batch, Batches int     // done in this epoch
	TrainLoss      float64 // mean of this epoch so far
	ValidationLoss float64 // of the last epoch that ended; NaN before
	BestEpoch      int     // the epoch of the lowest validation loss; 0 before
}

// A fitted network is what a training run ends with.
type fitted struct {
	params         map[string]weights.Tensor // of the best epoch, or the last
	epochs         int                       // epochs run
	bestEpoch      int
	validationLoss float64
}

// fit trains a network: batches in a random order, AdamW, and an end when the
// validation loss has not fallen for some epochs. It returns the parameters of
// the best epoch. With a checkpoint, a run that was interrupted goes on where
// it stood and ends with the same parameters as one that was not.
func fit(ctx context.Context, g *model.Graph, p problem, s schedule) (*fitted, error) {
	params := newParameters(g, s.seed)
	if s.start != nil {
		s.start(params)
	}
	learners, predictors, err := s.crews(g, params, p)
	if err != nil {
		return nil, err
	}
	defer learners.dismiss()
	defer predictors.dismiss()
	optimiser := newAdamW(learners, s.learningRate, s.weightDecay, s.clip)
	learned := params.learn(learners.lanes)
	step := s.newStepper(learners, p)

	run := &state{best: math.Inf(1), validation: math.NaN()}
	if err := s.checkpoint.load(run, learned, optimiser); err != nil {
		return nil, err
	}
	for !run.done && run.epoch < s.epochs && run.epoch-run.bestEpoch < s.patience {
		run.epoch++
		if err := s.runEpoch(ctx, run, p, step, learned, optimiser); err != nil {
			if ctx.Err() != nil {
				return nil, errors.Join(err, s.checkpoint.flush())
			}
			return nil, err
		}
		if err := s.judge(run, p, learned, predictors); err != nil {
			return nil, err
		}
		if err := s.checkpoint.keep(run, learned, optimiser, false); err != nil {
			return nil, err
		}
	}
	run.done = true
	if err := s.checkpoint.keep(run, learned, optimiser, true); err != nil {
		return nil, err
	}
	return &fitted{run.bestParams, run.epoch, run.bestEpoch, run.best}, nil
}

// state is where a training run stands between two epochs.
type state struct {
	epoch, bestEpoch int
	best, validation float64 // validation losses: the lowest and the last
	bestParams       map[string]weights.Tensor
	done             bool
}

// crews builds the learners and the predictors of a network.
func (s *schedule) crews(g *model.Graph, params *parameters, p problem) (learn, predict *crew, err error) {
	var learners, predictors []*lane
	for range max(1, s.threads) {
		l, err := newLearner(g, params, p.room(s.micro), p.learns())
		if err != nil {
			return nil, nil, err
		}
		l.dropout = s.dropout
		learners = append(learners, l)
		if l, err = newPredictor(g, params, p.room(s.micro), p.reads()); err != nil {
			return nil, nil, err
		}
		predictors = append(predictors, l)
	}
	return hire(learners), hire(predictors), nil
}

// epochRows returns the training rows of an epoch, counted from 1, in random
// order. Each pass over the rows has an order of its own; a pass over many rows
// makes several epochs, so that large training parts are judged as often,
// counted in steps, as small ones.
func (s *schedule) epochRows(epoch, rows int) []int {
	share := max(1, (rows+mostEpochRows/2)/mostEpochRows)
	pass, part := (epoch-1)/share, (epoch-1)%share
	order := rand.New(rand.NewPCG(s.seed, uint64(pass))).Perm(rows)
	return order[part*rows/share : (part+1)*rows/share]
}

// mostEpochRows is about the most rows of an epoch.
const mostEpochRows = 12288

// runEpoch trains on the rows of one epoch.
func (s *schedule) runEpoch(ctx context.Context, run *state, p problem, step *stepper, learned *trained, optimiser *AdamW) error {
	order := s.epochRows(run.epoch, p.size())
	batches := (len(order) + s.batch - 1) / s.batch
	var loss, weight float64
	for b := range batches {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("train: %s interrupted in epoch %d: %w", s.name, run.epoch, err)
		}
		rows := order[b*s.batch : min((b+1)*s.batch, len(order))]
		l, w, err := step.gradients(rows, uint64(run.epoch)<<32|uint64(b))
		if err != nil {
			return err
		}
		loss, weight = loss+l, weight+w
		if w > 0 {
			optimiser.Scale = 1 / w
			if err := optimiser.Step(learned.sections); err != nil {
				return err
			}
		}
		if s.progress != nil {
			s.progress(Progress{s.name, run.epoch, s.epochs, b + 1, batches, loss / weight, run.validation, run.bestEpoch})
		}
	}
	return nil
}

// A stepper computes the gradients of batches.
type stepper struct {
	learners        *crew
	problem         problem
	seed            uint64
	micro           int       // rows of a micro-batch
	rows            []int     // of the batch
	number          uint64    // names the batch, for its random streams
	losses, weights []float64 // by lane
	share           func(i int, l *lane) error
}

func (s *schedule) newStepper(learners *crew, p problem) *stepper {
	lanes := len(learners.lanes)
	t := &stepper{learners: learners, problem: p, seed: s.seed, micro: s.micro, losses: make([]float64, lanes), weights: make([]float64, lanes)}
	t.share = t.runShare // once: making a function value of a method allocates
	return t
}

// gradients runs one batch through the learners, a share of its micro-batches
// in each, and returns the sums of the losses and of the weights.
func (t *stepper) gradients(rows []int, number uint64) (loss, weight float64, err error) {
	t.problem.arrange(rows)
	t.rows, t.number = rows, number
	err = t.learners.each(t.share)
	for i := range t.losses {
		loss, weight = loss+t.losses[i], weight+t.weights[i]
	}
	return loss, weight, err
}

func (t *stepper) runShare(i int, l *lane) error {
	l.start(i*t.micro < len(t.rows))
	t.losses[i], t.weights[i] = 0, 0
	for m := i; m*t.micro < len(t.rows); m += len(t.losses) {
		part := t.rows[m*t.micro : min((m+1)*t.micro, len(t.rows))]
		l.seed(mix(mix(t.seed, t.number), uint64(m)))
		t.weights[i] += t.problem.fill(l, part)
		if err := l.run(); err != nil {
			return err
		}
		t.losses[i] += l.loss
		l.held = true
	}
	return nil
}

// judge measures the network, at the running mean of its values, on the
// validation split and keeps the best.
func (s *schedule) judge(run *state, p problem, learned *trained, predictors *crew) error {
	learned.swapAverages()
	defer learned.swapAverages()
	undo := learned.shiftHead(s.shift)
	defer undo()
	loss, err := p.validate(predictors)
	if err != nil {
		return err
	}
	if math.IsNaN(loss) {
		return fmt.Errorf("train: the validation loss of %s is not a number in epoch %d; try a lower learning_rate", s.name, run.epoch)
	}
	run.validation = loss
	if loss < run.best || s.last {
		run.best, run.bestEpoch, run.bestParams = loss, run.epoch, learned.snapshot()
	}
	return nil
}
