package infer

import (
	"math/rand/v2"
	"slices"
)

// shapley estimates the Shapley values of the last events: the mean, over
// orders in which they come into the journey, of what each does to the score
// when it comes (Castro et al., Polynomial calculation of the Shapley value
// based on sampling, 2009). Orders come in pairs, one backwards, which lets the
// errors of the two cancel in part.
func (x *explainer) shapley(e *Explanation) error {
	players := min(x.options.Last, len(x.events))
	first := len(x.events) - players
	subset, present := x.newSubsets(first), make([]bool, players)
	none, err := subset.add(present)
	if err != nil {
		return err
	}
	orders := x.orders(players)
	for _, order := range orders {
		clear(present)
		for _, k := range order[:max(0, players-1)] { // with the last, all are there
			present[k] = true
			if _, err := subset.add(present); err != nil {
				return err
			}
		}
	}
	if err := x.variants.flush(); err != nil {
		return err
	}
	row := none + 1
	for i := range e.Events[first:] {
		e.Events[first+i].Shapley = make([]float64, len(e.Targets))
	}
	for _, order := range orders {
		before := x.variants.row(none)
		for i, k := range order {
			after := e.Final
			if i < players-1 {
				after = x.variants.row(row)
				row++
			}
			for t := range after {
				e.Events[first+k].Shapley[t] += (float64(after[t]) - float64(before[t])) / float64(len(orders))
			}
			before = after
		}
	}
	return nil
}

// orders draws orders of players, the second of each pair backwards.
func (x *explainer) orders(players int) [][]int {
	random := rand.New(rand.NewPCG(x.bundle.NoiseSeed, uint64(players)))
	orders := make([][]int, x.options.Shapley)
	for i := range orders {
		if i%2 == 0 {
			orders[i] = random.Perm(players)
			continue
		}
		orders[i] = slices.Clone(orders[i-1])
		slices.Reverse(orders[i])
	}
	return orders
}
