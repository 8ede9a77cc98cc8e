package train

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moments/features"
	"moments/model"
)

// plantedShape has a step in the first numeric column, a slope in the second,
// an indicator and a level that count; nothing else does.
var plantedShape = model.Table{
	Numeric: 4, Binary: 3, Cardinalities: []int{5, 12}, Bins: 6,
	Edges: [][]float32{{0, 1, 2, 3, 4, 5, 6}, {-1, -0.5, 0, 0.5, 1}, {0, 1, 2}, {-2, 2}},
}

// planted draws rows, and the logit of two targets that outcomes are drawn from.
func planted(rows int, seed uint64) (t *table, logits [][2]float64) {
	random := rand.New(rand.NewPCG(seed, 3))
	t = &table{rows: rows, inputs: map[string][]float32{}}
	add := func(name string, x ...float32) { t.inputs[name] = append(t.inputs[name], x...) }
	for range rows {
		count, slope := float32(random.IntN(7)), float32(2*random.Float64()-1)
		on, level := float32(random.IntN(2)), float32(random.IntN(12))
		add(model.InputNumeric, count, slope, float32(random.IntN(3)), float32(random.NormFloat64()))
		add(model.InputBinary, float32(random.IntN(2)), on, float32(random.IntN(2)))
		add(model.InputCategory, float32(random.IntN(5)), level)
		z := [2]float64{-1 + 1.5*float64(slope), 0.5}
		if count >= 3 {
			z[0] += 2
		}
		if level == 7 {
			z[0] -= 3
		}
		z[1] += 2 * float64(on)
		logits = append(logits, z)
		for _, v := range z {
			y := float32(0)
			if random.Float64() < 1/(1+math.Exp(-v)) {
				y = 1
			}
			t.labels, t.weights = append(t.labels, y), append(t.weights, 1)
		}
	}
	return t, logits
}

// additiveOf fits the network to planted rows.
func additiveOf(t *testing.T, ctx context.Context, training, validation *table, c Config) (*targeted, *model.Graph, error) {
	t.Helper()
	x := &targeted{
		run:   &run{config: c, prepared: &Prepared{Schema: &features.Schema{}}, report: &Report{}, options: Options{Log: slog.New(slog.DiscardHandler)}},
		rates: []float64{0.4, 0.8}, training: training, validation: validation,
	}
	network := &model.Additive{Table: plantedShape, Targets: 2}
	g := buildNetwork(t, network)
	return x, g, x.fitColumns(ctx, network, g)
}

// TestAdditiveFindsWhatWasPlanted fits rows whose logits add up and compares
// them with the network's, and expects columns that say nothing to stay out.
func TestAdditiveFindsWhatWasPlanted(t *testing.T) {
	training, _ := planted(6000, 1)
	validation, want := planted(3000, 2)
	for _, favour := range []float64{1, 4} {
		c := quick()
		c.PositiveWeight = favour
		x, _, err := additiveOf(t, t.Context(), training, validation, c)
		if err != nil {
			t.Fatal(err)
		}
		var off [2]float64
		for i, p := range x.fitted[0].predicted {
			off[i%2] += math.Abs(float64(p)-1/(1+math.Exp(-want[i/2][i%2]))) / float64(len(want))
		}
		if max(off[0], off[1]) > 0.03 {
			t.Errorf("positives weighing %g: probabilities are off by %.3f and %.3f in the mean, want at most 0.03", favour, off[0], off[1])
		}
		share := func(name string, of []int) (sum float64) {
			data := x.fitted[0].network.Params[name].Data
			for _, i := range of {
				sum += math.Abs(float64(data[i]))
			}
			return sum
		}
		// The step between 2 and 3 of the first column, and what its other bins say, of target 0.
		step, rest := share("numeric/weight", []int{4}), share("numeric/weight", []int{0, 2, 6, 8, 10})
		if step < 1.5 || rest > step/2 {
			t.Errorf("the step of the first column is %.2f and the rest of it %.2f, want about 2 and 0", step, rest)
		}
		if r := x.report.Networks[0]; r.Name != "additive" || r.BestEpoch == 0 || r.ValidationLoss > 0.6 {
			t.Errorf("the report says %+v", r)
		}
	}
}

// TestNextStep compares the step that is taken with the best of all, each
// computed from its definition.
func TestNextStep(t *testing.T) {
	for seed := range uint64(20) {
		count := 80
		if seed == 0 {
			count = 2*boostBlock + 500
		}
		rows, _ := planted(count, seed)
		columns := boostedColumns(plantedShape, rows)
		random := rand.New(rand.NewPCG(seed, 9))
		o := rows.outcomes(int(seed%2), columns)
		for i := range o.weights {
			o.weights[i] = float32(random.IntN(3)) // unknown, known, and favoured
			o.logits = append(o.logits, random.NormFloat64())
		}
		b := newBooster(o, outcomes{}, 0, 1+int(seed%3))
		got, loss, ok := b.next()
		if want := obviousLoss(&o); math.Abs(loss-want) > 1e-12 {
			t.Errorf("seed %d: the training loss is %g, want %g", seed, loss, want)
		}
		if want := obviousStep(&o); !ok || got.column != want.column || got.bin != want.bin ||
			math.Abs(got.weight-want.weight) > 1e-9 || math.Abs(got.constant-want.constant) > 1e-9 {
			t.Errorf("seed %d: got the step %+v, want %+v", seed, got, want)
		}
	}
}

// obviousStep fits every bin and level by a Newton step on weight and constant:
// the solution of two equations.
func obviousStep(o *outcomes) (best increment) {
	gain := 0.0
	for column := range o.columns {
		c := &o.columns[column]
		places := slices.Repeat([]int32{c.frequent}, len(o.logits))
		for i, place := range c.at {
			if c.rows == nil {
				places[i] = place
			} else {
				places[c.rows[i]] = place
			}
		}
		for bin := range c.bins {
			var g, gx, h, hx, hxx float64
			for row, z := range o.logits {
				p, w, x := 1/(1+math.Exp(-z)), float64(o.weights[row]), c.effect(bin, places[row])
				slope, curve := w*(float64(o.labels[row])-p), w*p*(1-p)
				g, gx, h, hx, hxx = g+slope, gx+slope*x, h+curve, hx+curve*x, hxx+curve*x*x
			}
			hxx += boostRidge
			determinant := h*hxx - hx*hx
			weight, constant := (h*gx-hx*g)/determinant, (hxx*g-hx*gx)/determinant
			// What the quadratic model of the loss falls by, beyond a constant's part.
			if fall := weight*gx + constant*g - g*g/h; fall > gain+1e-12 {
				gain, best = fall, increment{column, bin, boostRate * constant, boostRate * weight}
			}
		}
	}
	return best
}

// obviousLoss is the mean log-loss of the rows whose label is known.
func obviousLoss(o *outcomes) float64 {
	sum, rows := 0.0, 0.0
	for row, z := range o.logits {
		if o.weights[row] > 0 {
			if o.labels[row] == 1 {
				z = -z
			}
			sum, rows = sum+math.Log1p(math.Exp(z)), rows+1
		}
	}
	return sum / rows
}

// TestAdditiveSaysWhatBoostingSays compares the network's probabilities with
// those that boosting ended with, for numbers that stand at edges.
func TestAdditiveSaysWhatBoostingSays(t *testing.T) {
	training, _ := planted(500, 5)
	for i := range training.rows {
		for column, x := range []float32{-1, 2} { // the other columns stand at edges already
			training.inputs[model.InputNumeric][i*4+1+2*column] = x * float32(i%2)
		}
	}
	network := &model.Additive{Table: plantedShape, Targets: 2}
	g := buildNetwork(t, network)
	a := newAdditive(g, network)
	columns := boostedColumns(plantedShape, training)
	var said [2]outcomes
	for k := range said {
		b := newBooster(training.outcomes(k, columns), training.outcomes(k, columns), 0, 2)
		path, _, err := b.fit(t.Context(), -0.3, func(int, int, float64, float64) {})
		if err != nil || len(path) < 20 {
			t.Fatalf("got %d steps, error %v", len(path), err)
		}
		a.write(k, -0.3, path)
		said[k] = training.outcomes(k, columns)
		said[k].logits = slices.Repeat([]float64{-0.3}, training.rows)
		for _, n := range path {
			said[k].add(n)
		}
	}
	problem := &classification{graph: g, targets: 2, train: training, validation: training, positive: []float32{1, 1}}
	p, err := predict(g, problem, training, a.params.snapshot(), 16)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range p {
		if want := 1 / (1 + math.Exp(-said[i%2].logits[i/2])); math.Abs(float64(got)-want) > 1e-5 {
			t.Fatalf("row %d, target %d: the network says %g, boosting %g", i/2, i%2, got, want)
		}
	}
}

// TestAdditiveWithoutMuchToLearn fits what has no known label, and columns that
// tell no rows apart.
func TestAdditiveWithoutMuchToLearn(t *testing.T) {
	unknown, _ := planted(50, 1)
	clear(unknown.weights)
	same, _ := planted(50, 1)
	for _, x := range same.inputs {
		clear(x)
	}
	known, _ := planted(50, 2)
	for name, row := range map[string]struct{ training, validation *table }{
		"no known label":      {unknown, known},
		"nothing to validate": {known, unknown},
		"equal rows":          {same, known},
	} {
		x, _, err := additiveOf(t, t.Context(), row.training, row.validation, quick())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, p := range x.fitted[0].predicted {
			if want := x.rates[i%2]; math.Abs(float64(p)-want) > 1e-5 {
				t.Fatalf("%s: row %d has the probability %g, want the rate %g", name, i/2, p, want)
			}
		}
	}
}

func TestAdditiveRepeats(t *testing.T) {
	training, _ := planted(400, 1)
	validation, _ := planted(400, 2)
	var runs []any
	for _, threads := range []int{1, 1, 3} {
		c := quick()
		c.Threads = threads
		x, _, err := additiveOf(t, t.Context(), training, validation, c)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, x.fitted[0].network.Params)
	}
	if !reflect.DeepEqual(runs[0], runs[1]) || !reflect.DeepEqual(runs[0], runs[2]) {
		t.Error("the parameters depend on the run or on the number of threads")
	}
}

func TestAdditiveInterrupted(t *testing.T) {
	rows, _ := planted(400, 1)
	ctx, cancel := context.WithCancel(t.Context())
	c := quick()
	x := &targeted{run: &run{options: Options{Progress: func(p Progress) {
		if p.Network != "additive" || p.Epoch < 1 || p.Epoch > p.Epochs || !(p.TrainLoss > 0 && p.ValidationLoss > 0) {
			t.Errorf("got the progress %+v", p)
		}
		if p.Epoch == 5 {
			cancel()
		}
	}}, config: c}, rates: []float64{0.4, 0.8}, training: rows, validation: rows}
	network := &model.Additive{Table: plantedShape, Targets: 2}
	err := x.fitColumns(ctx, network, buildNetwork(t, network))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "additive interrupted after step 5") {
		t.Errorf("got error %v", err)
	}
}

func TestPlaceAmong(t *testing.T) {
	edges := []float32{-1, 0, 4}
	for x, want := range map[float32]int32{-9: 0, -1: 0, -0.5: 4, -0.01: 8, 0: 8, 1: 10, 3.9: 16, 4: 16, 99: 16} {
		if got := placeAmong(edges, x); got != want {
			t.Errorf("%g stands at %d, want %d", x, got, want)
		}
	}
	for _, edges := range [][]float32{nil, {3}} {
		if got := placeAmong(edges, 5); got != 0 {
			t.Errorf("among the edges %v, 5 stands at %d, want 0", edges, got)
		}
	}
}
