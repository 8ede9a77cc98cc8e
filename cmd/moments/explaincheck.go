package main

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"

	"moments/features"
	"moments/infer"
	"moments/train/metric"
)

// leastEvents of a journey that is checked: orders of fewer tell little apart.
const leastEvents = 3

// A checked journey is one of the sample.
type checkedJourney struct {
	features.Journey
	cutoff features.Cutoff
	drawn  uint64
}

// An ordering ranks the events of an explained journey, those first that are
// said to raise the score most.
type ordering struct {
	Name string `json:"order"`
	rank func(e *infer.Explanation, target int, r *rand.Rand) []int

	deletion, insertion []float64 // areas, by journey
}

// orderings are what impacts are held against.
func orderings() []*ordering {
	by := func(a infer.Attribution) func(*infer.Explanation, int, *rand.Rand) []int {
		return func(e *infer.Explanation, target int, _ *rand.Rand) []int { return e.Order(a, target) }
	}
	return []*ordering{
		{Name: "by impact", rank: by(infer.ByImpact)},
		{Name: "by impact and alone", rank: by(infer.ByBoth)},
		{Name: "by Shapley value", rank: by(infer.ByShapley)},
		{Name: "by gradient", rank: by(infer.ByGradient)},
		{Name: "last first", rank: func(e *infer.Explanation, target int, _ *rand.Rand) []int {
			order := e.Order(infer.ByImpact, target)
			slices.SortFunc(order, func(a, b int) int { return b - a })
			return order
		}},
		{Name: "at random", rank: func(e *infer.Explanation, target int, r *rand.Rand) []int {
			order := e.Order(infer.ByImpact, target)
			r.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
			return order
		}},
	}
}

// explainCheck takes events of sampled journeys away, and puts them back, in
// the order of their impacts and in others.
func (x *explaining) explainCheck(ctx context.Context) error {
	sample, err := x.sample(ctx)
	if err != nil {
		return err
	}
	if len(sample) == 0 {
		return wrongf("explain: no journey of the data has %d events before its cutoff, want some to check", leastEvents)
	}
	orders := orderings()
	for _, o := range orders {
		o.deletion, o.insertion = make([]float64, len(sample)), make([]float64, len(sample))
	}
	shown := x.console.stage("checking", int64(len(sample)))
	defer shown.end()
	next, errs := make(chan int, len(sample)), make(chan error, len(sample))
	for i := range sample {
		next <- i
	}
	close(next)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := range next {
				if err := cmp.Or(ctx.Err(), x.checkOne(&sample[i], i, orders)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	report := newFaithfulness(x, orders, len(sample))
	if x.JSON {
		return x.console.printJSON(report)
	}
	return report.print(x.console.out)
}

// sample draws journeys, the same ones from the same data.
func (x *explaining) sample(ctx context.Context) ([]checkedJourney, error) {
	var drawn []checkedJourney
	for j, err := range x.data.Journeys(ctx) {
		if err != nil {
			return nil, wrong(err)
		}
		c, ok := x.cut(j)
		if !ok || c.Events < leastEvents {
			continue
		}
		h := fnv.New64a()
		h.Write([]byte(j.Customer))
		draw := rand.New(rand.NewPCG(h.Sum64(), 0)).Uint64()
		at, _ := slices.BinarySearchFunc(drawn, draw, func(d checkedJourney, draw uint64) int { return cmp.Compare(d.drawn, draw) })
		if at < x.Check {
			own := checkedJourney{Journey: *j, cutoff: c, drawn: draw}
			own.Profile, own.Events = slices.Clone(j.Profile), slices.Clone(j.Events[:c.Events])
			for i := range own.Events {
				own.Events[i].Values = slices.Clone(own.Events[i].Values)
			}
			drawn = slices.Insert(drawn, at, own)
			drawn = drawn[:min(len(drawn), x.Check)]
		}
	}
	return drawn, nil
}

// checkOne measures the areas of one journey's curves.
func (x *explaining) checkOne(j *checkedJourney, i int, orders []*ordering) error {
	e, err := x.scorer.Explain(&j.Journey, j.cutoff, x.options())
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(j.drawn, 1))
	for _, o := range orders {
		order := o.rank(e, x.target, random)
		if order == nil { // no network follows events: there are no gradients
			o.deletion[i], o.insertion[i] = math.NaN(), math.NaN()
			continue
		}
		for curve, area := range map[*[]float64]func(*features.Journey, features.Cutoff, []int) ([][]float32, error){
			&o.deletion: x.scorer.Deletion, &o.insertion: x.scorer.Insertion,
		} {
			rows, err := area(&j.Journey, j.cutoff, order)
			if err != nil {
				return err
			}
			(*curve)[i] = areaUnder(rows, x.target)
		}
	}
	return nil
}

// areaUnder is the mean height of a curve of equal steps, by the trapezium rule.
func areaUnder(curve [][]float32, target int) float64 {
	sum := 0.0
	for i := range len(curve) - 1 {
		sum += float64(curve[i][target]+curve[i+1][target]) / 2
	}
	return sum / float64(len(curve)-1)
}

// faithfulness says how well orders of events know what drives the score.
type faithfulness struct {
	Bundle   string         `json:"bundle"`
	Target   string         `json:"target"`
	Journeys int            `json:"journeys"`
	Orders   []orderMeasure `json:"orders"`
}

// An orderMeasure holds mean areas and, for other orders than that of the
// impacts, by how much impacts are better, with the standard error.
type orderMeasure struct {
	Name          string `json:"order"`
	Deletion      figure `json:"deletion"`
	Insertion     figure `json:"insertion"`
	DeletionGain  figure `json:"deletion_gain"`
	DeletionSE    figure `json:"deletion_gain_se"`
	InsertionGain figure `json:"insertion_gain"`
	InsertionSE   figure `json:"insertion_gain_se"`
}

func newFaithfulness(x *explaining, orders []*ordering, journeys int) *faithfulness {
	f := &faithfulness{Bundle: x.bundle.Name, Target: x.bundle.Targets[x.target], Journeys: journeys}
	first := orders[0]
	for _, o := range orders {
		m := orderMeasure{Name: o.Name}
		deletion, _ := metric.MeanSD(o.deletion)
		insertion, _ := metric.MeanSD(o.insertion)
		m.Deletion, m.Insertion = figure(deletion), figure(insertion)
		m.DeletionGain, m.DeletionSE = gain(o.deletion, first.deletion)
		m.InsertionGain, m.InsertionSE = gain(first.insertion, o.insertion)
		f.Orders = append(f.Orders, m)
	}
	return f
}

// gain is the mean of a - b and its standard error.
func gain(a, b []float64) (mean, se figure) {
	differences := make([]float64, len(a))
	for i := range a {
		differences[i] = a[i] - b[i]
	}
	m, sd := metric.MeanSD(differences)
	return figure(m), figure(sd / math.Sqrt(float64(len(a))))
}

func (f *faithfulness) print(out io.Writer) error {
	fmt.Fprintf(out, `Do the impacts know what drives the score? %d journeys of bundle %s: the mean score of %s
as events are taken away (deletion: the lower the better) or put back (insertion: the higher the
better), from those said to raise it most to those said to lower it most. In brackets, by how much
impacts are better, in points, with the standard error.

`, f.Journeys, f.Bundle, f.Target)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "order\tdeletion\t\tinsertion\t\t")
	for i, m := range f.Orders {
		if math.IsNaN(float64(m.Deletion)) {
			continue
		}
		less, more := "", ""
		if i > 0 {
			less = fmt.Sprintf("(%+.2f ±%.2f)", 100*m.DeletionGain, 100*m.DeletionSE)
			more = fmt.Sprintf("(%+.2f ±%.2f)", 100*m.InsertionGain, 100*m.InsertionSE)
		}
		fmt.Fprintf(w, "%s\t%.4f\t%s\t%.4f\t%s\t\n", m.Name, m.Deletion, less, m.Insertion, more)
	}
	return w.Flush()
}
