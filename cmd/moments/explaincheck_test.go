package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// TestExplainCheck checks a network that follows events: taking events away in
// the order of their impacts lowers the score sooner than at random.
func TestExplainCheck(t *testing.T) {
	bundle := followingBundle(t)
	r := mustRun(t, "explain", bundle, "--check", "40", "--shapley", "8", "--gradients", "4", "--json", "--quiet")
	var f faithfulness
	if err := json.Unmarshal([]byte(r.stdout), &f); err != nil {
		t.Fatal(err)
	}
	if f.Journeys != 40 || len(f.Orders) != 6 || f.Orders[0].Name != "by impact" || f.Orders[5].Name != "at random" {
		t.Fatalf("got %+v, want 40 journeys and six orders", f)
	}
	if own := f.Orders[0]; own.DeletionGain != 0 || own.InsertionGain != 0 {
		t.Errorf("impacts gain %v and %v over themselves", own.DeletionGain, own.InsertionGain)
	}
	random := f.Orders[5]
	if random.DeletionGain < 2*random.DeletionSE || random.InsertionGain < 2*random.InsertionSE {
		t.Errorf("got %+v against an order at random, want impacts clearly better", random)
	}
	if got := float64(random.Deletion - f.Orders[0].Deletion); math.Abs(got-float64(random.DeletionGain)) > 1e-7 {
		t.Errorf("the gain over random is %v, the areas differ by %v", random.DeletionGain, got)
	}
	again := mustRun(t, "explain", bundle, "--check", "40", "--shapley", "8", "--gradients", "4", "--json", "--quiet")
	if again.stdout != r.stdout {
		t.Errorf("checked again, got\n%s\nbefore\n%s", again.stdout, r.stdout)
	}
}

// Without a network that follows events there are no gradients to compare with.
func TestExplainCheckOfATable(t *testing.T) {
	r := mustRun(t, "explain", bundleOf(t, tabularOnce), "--check", "10", "--shapley", "4")
	if !strings.Contains(r.stdout, "by impact") || !strings.Contains(r.stdout, "last first") || strings.Contains(r.stdout, "by gradient") {
		t.Errorf("got\n%s\nwant orders by impact and last first, none by gradient", r.stdout)
	}
}

func TestAreaUnder(t *testing.T) {
	curve := [][]float32{{9, 1}, {9, 0.5}, {9, 0}}
	if got := areaUnder(curve, 1); got != 0.5 {
		t.Errorf("got %v, want 0.5", got)
	}
}
