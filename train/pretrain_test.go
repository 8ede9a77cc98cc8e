package train

import (
	"bytes"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"moments/features"
	"moments/model"
)

// alternating are journeys of which the next event is certain: a and b follow
// each other.
func alternating(t *testing.T, n int) *Prepared {
	t.Helper()
	layout := features.Layout{Profile: []features.Field{{Name: "age", Kind: features.Numeric}}}
	fitter := features.NewFitter(layout, features.Options{})
	var all []*features.Journey
	for i := range n {
		j := &features.Journey{Customer: strconv.Itoa(i), Profile: []features.Value{features.Number(float64(i % 7))}}
		for k := range 6 {
			j.Events = append(j.Events, features.Event{Time: int64(k) * features.Day, Type: []string{"a", "b"}[(i+k)%2]})
		}
		all = append(all, j)
		fitter.Add(j, features.Cutoff{Events: 6})
	}
	schema, err := fitter.Schema()
	if err != nil {
		t.Fatal(err)
	}
	p := &Prepared{Layout: layout, Schema: schema, Targets: []string{"x"}}
	for i, j := range all {
		ex := features.Example{Labels: []float32{float32(i / 2 % 2)}, Cutoff: features.Cutoff{Events: 6}}
		encoder := schema.NewEncoder()
		encoder.EncodeTokens(j, ex.Cutoff, &ex)
		part := []*[]features.Example{&p.Train, &p.Validation, &p.Unlabelled}[i/4%3]
		*part = append(*part, ex)
	}
	if err := schema.FitNormalizer(p.Train, 1); err != nil {
		t.Fatal(err)
	}
	if err := schema.FitTokens(seenTokens(p.Train), 1); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPretraining learns what comes next from journeys with and without label,
// and hands that to the networks that follow events.
func TestPretraining(t *testing.T) {
	p := alternating(t, 240)
	c := quick()
	c.Recurrent, c.Pretrain, c.Ensemble, c.Denoise, c.Epochs, c.Patience, c.Batch = 1, true, 1, false, 30, 30, 32
	var log bytes.Buffer
	_, report, err := Fit(t.Context(), p, c, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(report.Networks, func(n NetworkReport) bool { return n.Name == "pretraining" })
	if i < 0 || report.Networks[i].ValidationLoss > 0.1 {
		t.Errorf("networks are %+v, want a pretraining that foretells the next event to better than 0.1, by chance it is %.2f", report.Networks, math.Log(2))
	}
	if want := "without_label=80"; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, log.String())
	}
}

// TestAdopt takes over what two networks have in common, and nothing else.
func TestAdopt(t *testing.T) {
	r := &run{prepared: alternating(t, 24), config: quick()}
	whole, err := model.Build(r.recurrent(alone))
	if err != nil {
		t.Fatal(err)
	}
	part, err := whole.Part(nil, model.OutputNextType)
	if err != nil {
		t.Fatal(err)
	}
	given, got, fresh := newParameters(part, 1), newParameters(whole, 2), newParameters(whole, 2)
	got.adopt(given.snapshot())
	shared := part.Params()
	if len(shared) == 0 || len(shared) >= len(whole.Params()) {
		t.Fatalf("%d of %d parameters are shared, want some", len(shared), len(whole.Params()))
	}
	for _, n := range whole.Params() {
		want := fresh.of(n)
		if i := slices.IndexFunc(shared, func(s *model.Node) bool { return s.Name == n.Name }); i >= 0 {
			want = given.of(shared[i])
		}
		if !slices.Equal(got.of(n), want) {
			t.Errorf("%s is not what it should be", n.Name)
		}
	}
}

// TestLabelShare keeps the labels of about so many customers, all or none of
// each, and leaves the test part alone.
func TestLabelShare(t *testing.T) {
	task := base(t, 400)
	c := quick()
	c.Recurrent, c.Pretrain = 1, true
	whole := prepared(t, task, c)
	c.LabelShare = 0.25
	few := prepared(t, task, c)
	all, kept := len(whole.Train)+len(whole.Validation), len(few.Train)+len(few.Validation)
	if share := float64(kept) / float64(all); share < 0.15 || share > 0.35 {
		t.Errorf("%d of %d examples keep their labels, want about a quarter", kept, all)
	}
	if got, want := len(few.Unlabelled)-len(whole.Unlabelled), all-kept; got != want {
		t.Errorf("%d more examples without label, want the %d that lost it", got, want)
	}
	if len(few.Test) != len(whole.Test) {
		t.Errorf("%d test examples, want all %d", len(few.Test), len(whole.Test))
	}
}
