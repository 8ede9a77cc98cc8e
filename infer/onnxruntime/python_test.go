package onnxruntime

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moments/model"
	"moments/weights/onnx"
)

// A pythonTensor is a tensor as testdata/check.py reads it.
type pythonTensor struct {
	Shape  []int     `json:"shape"`
	Values []float32 `json:"values"`
}

// TestWriteForPython writes every op and architecture, with inputs and what the
// kernels make of them, to the folder MOMENTS_ONNX_OUT for testdata/check.py.
func TestWriteForPython(t *testing.T) {
	folder := os.Getenv("MOMENTS_ONNX_OUT")
	if folder == "" {
		t.Skip("MOMENTS_ONNX_OUT names no folder; .ci/onnx does")
	}
	random := rand.New(rand.NewPCG(6, 6))
	networks := architectures(random)
	for op, network := range oneOp(random) {
		networks["op/"+op.String()] = network
	}
	networks["events"] = draw(overEvents)
	for name, network := range networks {
		writeForPython(t, filepath.Join(folder, strings.ReplaceAll(name, "/", "-")), build(t, network), random)
	}
}

func writeForPython(t *testing.T, base string, g *model.Graph, random *rand.Rand) {
	t.Helper()
	params := randomParams(g, random)
	raw, err := onnx.Encode(g, params, onnx.Options{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 9
	j := equalJourneys(rows, 5) // with other lengths, what the padding holds is nobody's business
	s := compile(t, g, params).NewJourneySession(rows, j.events())
	inputs, outputs := map[string]pythonTensor{}, map[string]pythonTensor{}
	shape := func(n *model.Node) []int {
		if n.Shape[0] == model.Events {
			return append([]int{len(j.steps), rows}, n.Shape[1:]...)
		}
		return append([]int{rows}, n.Shape[1:]...)
	}
	for _, in := range g.Inputs() {
		padded := make([]float32, in.RowSize()*in.Rows(rows, j.events()))
		j.fill(g, in, random, s.Input(in.Name), padded)
		inputs[in.Name] = pythonTensor{shape(in), padded}
		if in.Shape[0] == model.Events {
			inputs[onnx.InputLengths] = pythonTensor{[]int{rows}, widen(j.lengths)}
		}
	}
	if err := s.RunJourneys(rows, j.steps); err != nil {
		t.Fatal(err)
	}
	for name, n := range g.Outputs {
		outputs[name] = pythonTensor{shape(n), s.Output(name)}
	}
	text, err := json.Marshal(map[string]map[string]pythonTensor{"inputs": inputs, "outputs": outputs})
	if err != nil {
		t.Fatal(err)
	}
	for suffix, data := range map[string][]byte{".onnx": raw, ".json": text} {
		if err := os.WriteFile(base+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func widen(xs []int32) (ys []float32) {
	for _, x := range xs {
		ys = append(ys, float32(x))
	}
	return ys
}
