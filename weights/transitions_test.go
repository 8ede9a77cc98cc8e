package weights

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"moments/features"
)

func TestTransitionsAreKept(t *testing.T) {
	transitions := []Transition{{[2]int32{0, 0}, 2, 7}, {[2]int32{0, 2}, 2, 1}, {[2]int32{0, 2}, 3, 16777216}}
	r, err := readReference(Reference{Transitions: transitions}.tensors())
	if err != nil || !reflect.DeepEqual(r.Transitions, transitions) {
		t.Errorf("got %v and %v, want %v", r.Transitions, err, transitions)
	}
	for name, test := range map[string]struct {
		tensor Tensor
		want   string
	}{
		"shape":    {Tensor{[]int{4}, make([]float32, 4)}, "want rows of 4"},
		"negative": {Tensor{[]int{1, 4}, []float32{0, 0, -1, 1}}, "has -1 in row 0"},
		"fraction": {Tensor{[]int{1, 4}, []float32{0, 0.5, 1, 1}}, "has 0.5 in row 0"},
		"huge":     {Tensor{[]int{1, 4}, []float32{0, 0, 1, 1e9}}, "has 1e+09 in row 0"},
	} {
		tensors := Reference{}.tensors()
		tensors[tensorTransitions] = test.tensor
		if _, err := readReference(tensors); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
}

func TestImpossibleTransitionsAreRefused(t *testing.T) {
	schema, _ := testSchema(t, rand.New(rand.NewPCG(1, 1)))
	b := &Bundle{Schema: schema}
	schema.Types, schema.TokenNormalizer = []string{"visit"}, &features.TokenNormalizer{}
	fine := Transition{[2]int32{0, 2}, 2, 1}
	for name, test := range map[string]struct {
		transitions []Transition
		want        string
	}{
		"type":    {[]Transition{{[2]int32{0, 0}, 3, 1}}, "transition 0 has type 3, the schema has 3"},
		"context": {[]Transition{{[2]int32{-1, 0}, 2, 1}}, "transition 0 has type -1"},
		"count":   {[]Transition{{[2]int32{0, 0}, 2, 0}}, "seen 0 times"},
		"part":    {[]Transition{{[2]int32{0, 0}, 2, 1.5}}, "seen 1.5 times"},
		"twice":   {[]Transition{fine, fine}, "transition 1 does not come after"},
		"order":   {[]Transition{fine, {[2]int32{0, 0}, 2, 1}}, "transition 1 does not come after"},
	} {
		b.Reference.Transitions = test.transitions
		if err := b.checkTransitions(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
	b.Reference.Transitions = []Transition{fine}
	if err := b.checkTransitions(); err != nil {
		t.Error(err)
	}
	schema.TokenNormalizer = nil
	if err := b.checkTransitions(); err == nil || !strings.Contains(err.Error(), "not fitted to events") {
		t.Errorf("without events: got error %v", err)
	}
}
