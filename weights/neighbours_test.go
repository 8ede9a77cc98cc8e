package weights

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// withNeighbours adds rows that examples are compared with.
func withNeighbours(t *testing.T) *Bundle {
	t.Helper()
	b := testBundle(t, 1)
	width := b.Schema.StandardWidth()
	rows := func(n int) Tensor { return Tensor{[]int{n, width}, make([]float32, n*width)} }
	b.Reference.Detectors = map[string][]float32{"denoiser": {1, 2}, "neighbours": {0.5}}
	b.Reference.Deviations = map[string]float32{"denoiser": 0.25}
	b.Reference.Blend = map[string]float32{"table": 2, "others": 0.15}
	b.Reference.Neighbours = map[string]Neighbours{"neighbours": {Rows: rows(3), HeldOut: rows(2)}, "ranked": {Rows: rows(3), HeldOut: rows(0)}}
	return b
}

func TestNeighboursAreSaved(t *testing.T) {
	b, dir := withNeighbours(t), filepath.Join(t.TempDir(), "b")
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, want := opened.Reference, b.Reference
	if !reflect.DeepEqual(got.Detectors, want.Detectors) || !reflect.DeepEqual(got.Deviations, want.Deviations) || !reflect.DeepEqual(got.Blend, want.Blend) || !reflect.DeepEqual(got.Neighbours, want.Neighbours) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNeighboursAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(r *Reference, n *Neighbours)
		want  string
	}{
		"narrow rows":     {func(_ *Reference, n *Neighbours) { n.Rows = Tensor{[]int{3, 1}, make([]float32, 3)} }, "want rows of"},
		"vector":          {func(_ *Reference, n *Neighbours) { n.HeldOut.Shape = []int{len(n.HeldOut.Data)} }, "want rows of"},
		"no row":          {func(_ *Reference, n *Neighbours) { n.Rows.Shape[0], n.Rows.Data = 0, nil }, "no training row"},
		"infinite":        {func(_ *Reference, n *Neighbours) { n.Rows.Data[1] = float32(math.Inf(1)) }, "value 1 is +Inf"},
		"unsorted scores": {func(r *Reference, _ *Neighbours) { r.Detectors["denoiser"] = []float32{2, 1} }, "do not ascend"},
		"no weight":       {func(r *Reference, _ *Neighbours) { r.Blend["table"] = 0 }, "table evidence has weight 0"},
		"no deviation":    {func(r *Reference, _ *Neighbours) { r.Deviations["denoiser"] = 0 }, "deviation 0"},
	} {
		b := withNeighbours(t)
		n := b.Reference.Neighbours["neighbours"]
		test.spoil(&b.Reference, &n)
		b.Reference.Neighbours["neighbours"] = n
		if err := b.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
	for name, tensor := range map[string]Tensor{
		"rows/x": {[]int{2}, make([]float32, 2)}, "deviation/x": {[]int{2}, make([]float32, 2)}, "detector/x": {[]int{1, 1}, make([]float32, 1)}, "other": {[]int{0}, nil},
	} {
		tensors := testBundle(t, 1).Reference.tensors()
		tensors[name] = tensor
		if _, err := readReference(tensors); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("tensor %s of shape %v: got error %v, want one", name, tensor.Shape, err)
		}
	}
}
