package onnx_test

import (
	"fmt"

	"moments/model"
	"moments/weights/onnx"
)

// A network is written, and read as a stranger would.
func Example() {
	graph, err := model.Build(&model.MLP{Table: model.Table{Numeric: 3, Binary: 2}, Targets: 1, Hidden: []int{4}})
	if err != nil {
		fmt.Println(err)
		return
	}
	params := map[string][]float32{}
	for _, p := range graph.Params() {
		params[p.Name] = make([]float32, p.RowSize())
	}
	raw, err := onnx.Encode(graph, params, onnx.Options{Outputs: []string{model.OutputProbability}})
	if err != nil {
		fmt.Println(err)
		return
	}
	read, err := onnx.Parse(raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Inputs[0])
	fmt.Println(read.Inputs[1])
	fmt.Println(read.Outputs[0])
	// Output:
	// numeric float (batch, 3)
	// binary float (batch, 2)
	// probability float (batch, 1)
}
