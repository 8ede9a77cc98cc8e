package onnxruntime_test

import (
	"fmt"

	"moments/infer/onnxruntime"
	"moments/model"
	"moments/weights/onnx"
)

// A network is written as ONNX and run. Where the library is missing, Open says
// how to install it.
func Example() {
	graph, err := model.Build(&model.MLP{Table: model.Table{Numeric: 2}, Targets: 1, Hidden: []int{4}})
	if err != nil {
		fmt.Println(err)
		return
	}
	params := map[string][]float32{}
	for _, p := range graph.Params() {
		params[p.Name] = make([]float32, p.RowSize())
	}
	params["temperature"][0] = 1
	raw, err := onnx.Encode(graph, params, onnx.Options{Outputs: []string{model.OutputProbability}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(score(raw))
}

// score runs two rows of zeros.
func score(raw []byte) ([]float32, error) {
	runtime, err := onnxruntime.Open("")
	if err != nil {
		return nil, err
	}
	parsed, err := onnx.Parse(raw)
	if err != nil {
		return nil, err
	}
	loaded, err := runtime.Load(parsed, onnxruntime.Options{})
	if err != nil {
		return nil, err
	}
	session, err := loaded.NewSession(2, nil)
	if err != nil {
		return nil, err
	}
	copy(onnxruntime.Input[float32](session, model.InputNumeric), []float32{0, 0, 0, 0})
	err = session.Run(2)
	return onnxruntime.Output[float32](session, model.OutputProbability), err
}
