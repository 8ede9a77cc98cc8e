package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"moments/features"
	"moments/model"
	"moments/train/metric"
)

// orderedJourneys are journeys of some types, of which the outcome is whether
// the first "b" came before the first "c": no aggregate tells.
func orderedJourneys(seed uint64, n int) *Prepared {
	random := rand.New(rand.NewPCG(seed, 1))
	layout := features.Layout{Event: []features.Field{{Name: "channel", Kind: features.Categorical}}}
	fitter := features.NewFitter(layout, features.Options{Without: []string{"type firsts", "type recencies", "last type", "quarters"}})
	var all []*features.Journey
	var labels []float32
	for i := range n {
		j := &features.Journey{Customer: fmt.Sprint(i)}
		types := []string{"a", "a", "b", "c", "a", "d"}
		random.Shuffle(len(types), func(i, k int) { types[i], types[k] = types[k], types[i] })
		for k, kind := range types {
			j.Events = append(j.Events, features.Event{Time: int64(k) * features.Day, Type: kind, Values: []features.Value{features.Text([]string{"web", "app"}[random.IntN(2)])}})
		}
		all = append(all, j)
		label := float32(0)
		if slices.Index(types, "b") < slices.Index(types, "c") {
			label = 1
		}
		labels = append(labels, label)
		fitter.Add(j, features.Cutoff{Time: j.Events[5].Time, Events: 6})
	}
	schema, err := fitter.Schema()
	if err != nil {
		panic(err)
	}
	p := &Prepared{Layout: layout, Schema: schema, Targets: []string{"ordered"}}
	encoder, reader := schema.NewEncoder(), newTokenReader(schema)
	for i, j := range all {
		ex := features.Example{Labels: labels[i : i+1]}
		encoder.EncodeJourney(j, features.Cutoff{Time: j.Events[5].Time, Events: 6}, &ex)
		ex.Tokens = reader.read(j, 6)
		part := &p.Train
		if i%3 == 2 {
			part = &p.Validation
		}
		*part = append(*part, ex)
	}
	if err := schema.FitNormalizer(p.Train, 1); err != nil {
		panic(err)
	}
	if err := schema.FitTokens(seenTokens(p.Train), 1); err != nil {
		panic(err)
	}
	return p
}

// TestOrderIsLearned checks that the network that follows events sees what no
// aggregate says, and that the blend is made of it.
func TestOrderIsLearned(t *testing.T) {
	p := orderedJourneys(3, 1500)
	c := quick()
	c.Recurrent, c.Ensemble, c.Denoise, c.Epochs, c.Patience, c.Dropout = 2, 1, false, 30, 30, 0
	b, report, err := Fit(t.Context(), p, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if share := report.Blend["table"].Share + report.Blend["additive"].Share; len(report.Blend) != 4 || share > 0.2 {
		t.Errorf("the blend is %+v, want little of the table", report.Blend)
	}
	test := newTable(p.Schema, p.Validation, 1)
	blend := trainersOwn(t, b, p, p.Validation)
	probabilities := make([]float32, len(blend))
	for i, v := range blend {
		probabilities[i] = float32(v)
	}
	if score := metric.Score(probabilities, test.labels); score.AUROC < 0.95 {
		t.Errorf("AUROC is %.3f, want at least 0.95", score.AUROC)
	}
}

// TestStretches checks which events and examples stand together.
func TestStretches(t *testing.T) {
	p := orderedJourneys(5, 30)
	long := &features.Tokens{}
	for range 300 {
		one := p.Train[0].Tokens
		long.Events++
		long.IDs = append(long.IDs, one.IDs[:len(one.IDs)/one.Events]...)
		long.Values = append(long.Values, one.Values[:len(one.Values)/one.Events]...)
	}
	var examples []features.Example
	for _, events := range []int{5, 300, 290, 0, 299, 40} {
		examples = append(examples, features.Example{Tokens: long, Cutoff: features.Cutoff{Events: events}})
	}
	for range mostCuts + 1 {
		examples = append(examples, features.Example{Tokens: p.Train[1].Tokens, Cutoff: features.Cutoff{Events: 3}})
	}
	j := newJourneys(p.Schema, examples)
	type want struct{ events, cuts, firstExample, lastEvent int }
	wants := []want{{mostEvents, 3, 1, mostEvents - 1}, {40, 3, 5, 39}, {3, mostCuts, 6, 2}, {3, 1, 6 + mostCuts, 2}}
	if len(j.stretches) != len(wants) {
		t.Fatalf("%d stretches, want %d: %+v", len(j.stretches), len(wants), j.stretches)
	}
	row := 0
	for i, w := range wants {
		s := j.stretches[i]
		if s.first != row || s.events != w.events || len(s.cuts) != w.cuts || s.cuts[0] != (cut{w.firstExample, w.lastEvent}) {
			t.Errorf("stretch %d is %+v, want %+v from row %d", i, s, w, row)
		}
		row += s.events
	}
	if last := j.stretches[1].cuts[2]; last != (cut{3, -1}) {
		t.Errorf("an example without events is cut at %+v, want event -1", last)
	}
	if j.nextType[row-1] != -1 || j.nextType[row-2] < features.FirstKnownID {
		t.Errorf("after the last two events come types %v", j.nextType[row-2:])
	}
}

// TestPackedRows checks that every example's row holds the event it was cut at.
func TestPackedRows(t *testing.T) {
	p := orderedJourneys(7, 40)
	var examples []features.Example
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 12 {
		examples = append(examples, features.Example{Tokens: p.Train[i/2].Tokens, Cutoff: features.Cutoff{Events: random.IntN(7)}, Labels: []float32{0}})
	}
	for i := range examples {
		examples[i].Numeric, examples[i].Category = p.Train[0].Numeric, p.Train[0].Category
	}
	j, table := newJourneys(p.Schema, examples), newTable(p.Schema, examples, 1)
	r := &run{prepared: p, config: quick()}
	g, err := model.Build(r.recurrent(beside))
	if err != nil {
		t.Fatal(err)
	}
	f := &following{classification: &classification{graph: g, targets: 1, train: table}, training: j, validating: j}
	l, err := newLearner(g, newParameters(g, 1), f.room(len(j.stretches)), f.learns())
	if err != nil {
		t.Fatal(err)
	}
	f.positive = []float32{1}
	rows := make([]int, len(j.stretches))
	for i := range rows {
		rows[i] = i
	}
	f.arrange(rows)
	if sum := f.fill(l, rows); sum != 12 || l.batch != 12 {
		t.Fatalf("%d examples of weight %g, want 12 of 12", l.batch, sum)
	}
	for slot, i := range l.examples {
		at, seen := int(l.inputs[model.InputRow][slot]), examples[i].Cutoff.Events
		if seen == 0 {
			if at != -1 {
				t.Errorf("an example without events is at row %d", at)
			}
			continue
		}
		tokens := examples[i].Tokens
		for k, id := range tokens.IDs[(seen-1)*2 : seen*2] {
			if got := l.inputs[model.InputEventCategory][at*2+k]; got != float32(id) {
				t.Errorf("example %d: the event in row %d has id %g, want %d", i, at, got, id)
			}
		}
	}
}
