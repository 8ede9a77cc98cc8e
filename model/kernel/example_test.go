package kernel_test

import (
	"fmt"

	"moments/model/kernel"
)

// A linear layer of two rows: relu(x·weight + bias).
func ExampleWorkspace_Gemm() {
	x := []float32{1, 2, 3, 4}                         // (2, 2)
	weight := []float32{1, 0, -1, 0, 1, -1}            // (2, 3)
	bias, y := []float32{0, 10, 0}, make([]float32, 6) // (3), (2, 3)
	var w kernel.Workspace
	w.Gemm(false, false, 2, 3, 2, x, 2, weight, 3, y, 3, bias, kernel.ReLU, false)
	fmt.Println(y[:3])
	fmt.Println(y[3:])
	// Output:
	// [1 12 0]
	// [3 14 0]
}

// Weights that serve many products are packed once.
func ExamplePack() {
	var weight kernel.Packed
	kernel.Pack(&weight, false, 1, 2, []float32{2, -1}, 1) // (2, 1)
	var w kernel.Workspace
	y := make([]float32, 3)
	w.GemmPacked(false, 3, []float32{1, 0, 0, 1, 1, 1}, 2, &weight, y, 1, nil, kernel.Identity, false)
	fmt.Println(y)
	// Output: [2 -1 1]
}
