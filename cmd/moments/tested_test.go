package main

import (
	"reflect"
	"slices"
	"testing"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// TestShuffleEvents deals out what happened anew, over the same times, and
// leaves the journey and what lies beyond the cut alone.
func TestShuffleEvents(t *testing.T) {
	j := &features.Journey{Customer: "c7"}
	for i, kind := range []string{"a", "b", "b", "c", "d", "e", "f", "late"} {
		j.Events = append(j.Events, features.Event{Time: int64(i), Type: kind, Values: []features.Value{features.Number(float64(i))}})
	}
	before := slices.Clone(j.Events)
	got := shuffleEvents(j, 7)
	if !reflect.DeepEqual(j.Events, before) {
		t.Errorf("the journey became %v, want it left alone", j.Events)
	}
	if again := shuffleEvents(j, 7); !reflect.DeepEqual(got, again) {
		t.Errorf("shuffled twice: got %v and %v, want the same", got, again)
	}
	moved := false
	var seen []float64
	for i, e := range got.Events {
		at := e.Values[0].Number
		if e.Time != int64(i) || e.Type != before[int(at)].Type {
			t.Errorf("event %d is %+v, want time %d and the type that goes with the attribute", i, e, i)
		}
		moved = moved || int(at) != i
		seen = append(seen, at)
	}
	if slices.Sort(seen); !slices.Equal(seen, []float64{0, 1, 2, 3, 4, 5, 6}) || !moved {
		t.Errorf("events %v, want the first seven in another order", seen)
	}
}

// TestKindsAlone gives all the weight to one kind of network at a time.
func TestKindsAlone(t *testing.T) {
	network := func(name string, n model.Network, weight float64) weights.Network {
		saved, err := model.Save(n)
		if err != nil {
			t.Fatal(err)
		}
		return weights.Network{Name: name, Role: weights.Classifier, Saved: saved, Weight: weight}
	}
	table := model.Table{Numeric: 2}
	b := &weights.Bundle{Networks: []weights.Network{
		network("a", &model.MLP{Table: table, Targets: 1, Hidden: []int{2}}, 0.3),
		network("b", &model.MLP{Table: table, Targets: 1, Hidden: []int{2}}, 0.3),
		network("c", &model.Journey{Events: model.Table{Numeric: 2, Cardinalities: []int{4}}, TypeSize: 2, Targets: 1, State: 2, Members: 1, Width: 2, Layers: 1}, 0.4),
		{Name: "d", Role: weights.Denoiser},
	}}
	got := map[string][]float64{}
	for kind, alone := range kindsAlone(b) {
		for _, n := range alone.Networks {
			got[kind] = append(got[kind], n.Weight)
		}
	}
	want := map[string][]float64{"table alone": {0.5, 0.5, 0, 0}, "events alone": {0, 0, 1, 0}}
	if !reflect.DeepEqual(got, want) || b.Networks[0].Weight != 0.3 {
		t.Errorf("got %v, want %v and the bundle left alone", got, want)
	}
	b.Networks = b.Networks[:2]
	for kind := range kindsAlone(b) {
		t.Errorf("got %s of a bundle of one kind, want nothing to compare", kind)
	}
}
