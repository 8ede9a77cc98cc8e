package onnx

import "moments/model"

// Here events stand packed, without padding, and in ONNX padded, (time, batch,
// width). What computes row by row takes all rows, padding too; only what
// follows knows of journeys.

// padded is the name of n's shape with its rows apart: (time, batch, ...).
func (w *writer) padded(n *model.Node) string {
	batch := w.do(n, "Shape", []string{InputLengths})
	inner := w.ints(n, "inner", n.Shape[1:]...)
	return w.do(n, "Concat", []string{w.ints(n, "time", -1), batch, inner}, attributeInt("axis", 0))
}

// gru is ONNX's with one direction, its weights transposed and its two biases
// one after the other; the gates have the same order.
func gru(w *writer, n *model.Node) value {
	first := w.ints(n, "axis", 0)
	matrix := func(weight *model.Node) string {
		turned := w.do(n, "Transpose", []string{w.in(weight)}, attributeInts("perm", 1, 0))
		return w.do(n, "Unsqueeze", []string{turned, first})
	}
	bias := w.do(n, "Concat", []string{w.in(n.In[3]), w.in(n.In[5])}, attributeInt("axis", 0))
	bias = w.do(n, "Unsqueeze", []string{bias, first})
	// Every journey starts from the same state: (h) to (1, batch, h).
	batch := w.do(n, "Shape", []string{InputLengths})
	shape := w.do(n, "Concat", []string{w.ints(n, "directions", 1), batch, w.ints(n, "width", n.Width())}, attributeInt("axis", 0))
	state := w.do(n, "Expand", []string{w.in(n.In[1]), shape})

	x := w.do(n, "Reshape", []string{w.in(n.In[0]), w.padded(n.In[0])})
	y := w.do(n, "GRU", []string{x, matrix(n.In[2]), matrix(n.In[4]), bias, InputLengths, state},
		attributeInt("hidden_size", n.Width()), attributeInt("linear_before_reset", 1))
	return value{shaped: w.reshape(n, y, -1, n.Width())} // (time, 1, batch, h)
}

// selectRow gathers row step·batch + journey for each journey, zeros where the
// step is below 0.
func selectRow(w *writer, n *model.Node) value {
	zero := w.initialiser(w.name(n, "zero"), Int64, nil, make([]byte, 8))
	one := w.initialiser(w.name(n, "one"), Int64, nil, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	batch := w.do(n, "Gather", []string{w.do(n, "Shape", []string{InputLengths}), zero})
	journey := w.do(n, "Range", []string{zero, batch, one})
	step := w.do(n, "Cast", []string{w.in(n.In[1])}, attributeInt("to", int(Int64)))
	none := w.do(n, "Less", []string{step, zero})
	step = w.do(n, "Max", []string{w.reshape(n, step, -1), zero})
	row := w.do(n, "Add", []string{w.do(n, "Mul", []string{step, batch}), journey})
	y := w.do(n, "Gather", []string{w.in(n.In[0]), row}, attributeInt("axis", 0))
	return value{shaped: w.do(n, "Where", []string{none, w.floats(w.name(n, "none"), nil, []float32{0}), y})}
}
