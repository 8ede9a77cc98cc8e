package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func nan() float32 { return float32(math.NaN()) }

// twoFolds holds two folds, two cutoff groups, an unknown label, and a group
// whose second fold has one class only.
func twoFolds() []prediction {
	one := func(group string, fold int, label, p float32) prediction {
		return prediction{customer: "c", group: group, fold: fold, labels: []float32{label}, probabilities: []float32{p}}
	}
	return []prediction{
		one("after 5 events", 0, 1, 0.9), one("after 5 events", 0, 0, 0.1), one("after 10 events", 0, 0, 0.2), one("after 10 events", 0, 1, 0.1),
		one("after 5 events", 1, 1, 0.8), one("after 5 events", 1, 0, 0.3), one("after 10 events", 1, 0, 0.4), one("after 10 events", 1, nan(), 0.5),
	}
}

func TestEvaluation(t *testing.T) {
	e := newEvaluation("x", []string{"churn"}, twoFolds(), 1500*time.Millisecond)
	churn := e.Targets["churn"]
	late := churn.ByCutoff["after 10 events"]
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"rows count every prediction", float64(e.Rows), 8},
		{"seconds", e.Seconds, 1.5},
		{"unknown labels are no rows", float64(churn.Rows), 7},
		{"positive rate", float64(churn.PositiveRate), 3. / 7},
		{"AUROC of fold 0", float64(churn.AUROC.Folds[0]), 0.625},
		{"AUROC of fold 1", float64(churn.AUROC.Folds[1]), 1},
		{"mean AUROC", float64(churn.AUROC.Mean), 0.8125},
		{"sd of AUROC", float64(churn.AUROC.SD), 0.375 / math.Sqrt2},
		{"Brier of fold 1", float64(churn.Brier.Folds[1]), (0.04 + 0.09 + 0.16) / 3},
		{"late cut, defined folds only", float64(late.AUROC.Mean), 0},
		{"late cut, sd of one fold", float64(late.AUROC.SD), 0},
		{"early cut", float64(churn.ByCutoff["after 5 events"].AUROC.Mean), 1},
	} {
		if math.Abs(test.got-test.want) > 1e-6 {
			t.Errorf("%s: got %g, want %g", test.name, test.got, test.want)
		}
	}
	if !math.IsNaN(float64(late.AUROC.Folds[1])) {
		t.Errorf("AUROC of one class: got %g, want undefined", late.AUROC.Folds[1])
	}
}

// TestVariants measures what variants of the test say beside the blend.
func TestVariants(t *testing.T) {
	predictions := twoFolds()
	for i := range predictions { // a variant that turns every score round
		predictions[i].others = map[string][]float32{shuffledOrder: {1 - predictions[i].probabilities[0]}, "table alone": predictions[i].probabilities}
	}
	e := newEvaluation("x", []string{"churn"}, predictions, time.Second)
	churn := e.Targets["churn"]
	if got, want := float64(churn.Others[shuffledOrder].Mean), 1-float64(churn.AUROC.Mean); math.Abs(got-want) > 1e-9 {
		t.Errorf("AUROC of scores turned round: got %g, want %g", got, want)
	}
	if got := churn.ByCutoff["after 5 events"].Others["table alone"].Mean; got != 1 {
		t.Errorf("AUROC of the same scores at the early cut: got %g, want 1", got)
	}
	var out strings.Builder
	if err := e.print(&out); err != nil {
		t.Fatal(err)
	}
	if want := "AUROC of  the blend      table alone   order shuffled"; !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
		t.Errorf("got\n%s\nwant a second table headed %s", out.String(), want)
	}
}

func TestEvaluationJSON(t *testing.T) {
	text, err := json.Marshal(newEvaluation("x", []string{"churn"}, twoFolds(), time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"x"`, `"rows":8`, `"seconds":1`, `"targets":{"churn":{"rows":7,"positive_rate":0.42857143,"auroc":{"mean":0.8125,"sd":`, `"folds":[0.625,1]`, `"by_cutoff":{"after 10 events":{"rows":3`, `"folds":[0,null]`, `"log_loss":{`, `"auprc":{`, `"ece":{`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("JSON has no %s:\n%s", want, text)
		}
	}
	var back evaluation
	if err := json.Unmarshal(text, &back); err != nil || back.Targets["churn"].Rows != 7 {
		t.Errorf("reading it back: got %+v, %v", back, err)
	}
}

func TestEvaluationTable(t *testing.T) {
	var out strings.Builder
	if err := newEvaluation("x", []string{"churn"}, twoFolds(), time.Second).print(&out); err != nil {
		t.Fatal(err)
	}
	early, late := strings.Index(out.String(), "after 5 events"), strings.Index(out.String(), "after 10 events")
	if early < 0 || late < early || !strings.Contains(out.String(), "0.8125 ±0.2652") {
		t.Errorf("got\n%s\nwant AUROC 0.8125 ±0.2652 and the cuts in order", out.String())
	}
}
