package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// planted compares what a bundle found with what was planted. Points are
// percentage points of probability.
type planted struct {
	Customers int             `json:"customers"` // unseen in training
	Targets   []plantedTarget `json:"targets"`
	Moments   []plantedMoment `json:"moments"` // by target, the largest planted effect first
	Causes    []plantedCause  `json:"causes"`
	Anomalies plantedAnomaly  `json:"anomalies"`              // at the bundle's alert rate
	Strict    plantedAnomaly  `json:"anomalies_at_1_percent"` // the same at an alert rate of 1 %
}

// A plantedTarget holds the model's figures beside those of the true
// probabilities, on the same customers.
type plantedTarget struct {
	Name      string `json:"name"`
	Rate      figure `json:"rate"`
	AUROC     figure `json:"auroc"`
	AUROCTrue figure `json:"auroc_of_truth"`
	Loss      figure `json:"log_loss"`
	LossTrue  figure `json:"log_loss_of_truth"`
	LossRate  figure `json:"log_loss_of_rate"` // of predicting the rate for everybody
	ECE       figure `json:"ece"`
}

// A plantedMoment is the mean effect of one event of a type: the probability
// with it minus the probability without it.
type plantedMoment struct {
	Target  string `json:"target"`
	Type    string `json:"type"`
	Events  int    `json:"events"`
	Planted figure `json:"planted_points"`
	Found   figure `json:"found_points"`

	sizePlanted, sizeFound float64 // means without the signs
}

// plantedAnomaly says how well planted anomalies are flagged.
type plantedAnomaly struct {
	AlertRate   float64       `json:"alert_rate"` // promised: the most normal journeys flagged
	NormalRate  figure        `json:"normal_flagged"`
	Precision   figure        `json:"precision"`
	Recall      figure        `json:"recall"`
	AUROC       figure        `json:"auroc"` // of the anomaly score, planted against normal
	Kinds       []plantedKind `json:"kinds"`
	DirectionOK figure        `json:"direction_right"` // share of the flagged anomalies whose direction is right
	CauseOK     figure        `json:"cause_right"`     // share of them with the planted cause among the first two
	Rates       []plantedRate `json:"rates"`
}

type plantedKind struct {
	Kind      string `json:"kind"`
	Planted   int    `json:"planted"`
	Flagged   int    `json:"flagged"`
	Direction int    `json:"direction_right"` // of the flagged
	Cause     int    `json:"cause_right"`     // of the flagged, among the first two causes
}

// A plantedRate compares the share of normal journeys that an alert rate
// promises to flag with the share that is.
type plantedRate struct {
	Asked float64 `json:"asked"`
	Seen  figure  `json:"seen"`
	Low   figure  `json:"low"` // of what is seen in 95 % of as many journeys, where the promise is kept exactly
	High  figure  `json:"high"`

	// The same, with the chance that the calibration journeys leave to the promise.
	ConformalLow  figure `json:"conformal_low"`
	ConformalHigh figure `json:"conformal_high"`
}

// momentsShown is how many event types of each target the table lists.
const momentsShown = 6

// print writes the comparison for people.
func (p *planted) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "Found against planted, on %d customers that training has not seen\n", p.Customers)
	if len(p.Targets) > 0 {
		p.printTargets(out, w)
	}
	p.Anomalies.print(out, w)
}

// printTargets writes how well outcomes and their causes were found.
func (p *planted) printTargets(out io.Writer, w *tabwriter.Writer) {
	fmt.Fprintln(out)
	fmt.Fprintln(w, "outcome\trate\tAUROC\tof the truth\tlog-loss\tof the truth\tof the rate\tECE\t")
	for _, t := range p.Targets {
		fmt.Fprintf(w, "%s\t%.3f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t\n", t.Name, t.Rate, t.AUROC, t.AUROCTrue, t.Loss, t.LossTrue, t.LossRate, t.ECE)
	}
	w.Flush()

	fmt.Fprintln(out, "\nMoments of truth: mean effect of one event, in points of probability, by removing it")
	fmt.Fprintln(w, "outcome\tevent\tevents\tplanted\tfound\t")
	shown := map[string]int{}
	for _, m := range p.Moments {
		if shown[m.Target]++; shown[m.Target] <= momentsShown {
			fmt.Fprintf(w, "%s\t%s\t%d\t%+.1f\t%+.1f\t\n", m.Target, m.Type, m.Events, m.Planted, m.Found)
		}
	}
	w.Flush()
	for _, c := range p.Causes {
		c.print(out)
	}
}

// print writes how well anomalies were found.
func (a *plantedAnomaly) print(out io.Writer, w *tabwriter.Writer) {
	fmt.Fprintf(out, "\nAnomalies, flagged at a promised alert rate of %.1f %%\n", 100*a.AlertRate)
	fmt.Fprintln(w, "planted\tjourneys\tflagged\tdirection right\tcause right\t")
	for _, k := range a.Kinds {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", k.Kind, k.Planted, k.Flagged, k.Direction, k.Cause)
	}
	w.Flush()
	for _, r := range a.Rates {
		fmt.Fprintf(out, "asked to flag %.1f %% of normal journeys, flags %.2f %%; calibrated on so few, 95 of 100 bases give %.2f to %.2f %%\n",
			100*r.Asked, 100*r.Seen, 100*r.ConformalLow, 100*r.ConformalHigh)
	}
	fmt.Fprintf(out, "normal journeys flagged %.1f %%; of the flagged %.0f %% are planted, of the planted %.0f %% are flagged; AUROC of the anomaly score %.3f\n",
		100*a.NormalRate, 100*a.Precision, 100*a.Recall, a.AUROC)
}
