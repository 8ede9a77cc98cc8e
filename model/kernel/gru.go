package kernel

// GRUStep moves a batch of gated recurrent units on by one event (Cho et al.,
// EMNLP 2014, with the reset gate after the product, as in cuDNN, PyTorch and
// ONNX's linear_before_reset):
//
//	z = σ(x_z),  r = σ(x_r),  n = tanh(x_n + r∘s)
//	out = n + z∘(h - n)
//
// A row of gates (rows, 4·width), of row stride ldg, holds x_z, x_r, x_n, which is
// ONNX's order, and s: input·Wx + bx, with h·Wh + bh added in z and r, and n's part
// of h·Wh + bh. For the way back z, r and n take the places of the first three. h
// and out are (rows, width); out may be h.
func GRUStep(out, gates []float32, ldg int, h []float32, rows, width int) {
	needGRU("gru", "out", out, gates, ldg, h, rows, width)
	if rows > 0 && width > 0 {
		active.gru.forward(out, gates, ldg, h, rows, width)
	}
}

// GRUStepBackward computes the gradients of GRUStep. Those of x_z, x_r, x_n and s
// take the places of what the step left in gates and s: the first three parts
// are the gradient of input·Wx + bx, all but the third that of h·Wh + bh. The
// gradient of out is dh + dout: what comes back from the step that followed, and
// from elsewhere. dh receives that of h, but for the way through the products: add
// all parts but the third times Whᵀ. h is as in the step.
func GRUStepBackward(gates []float32, ldg int, dh, dout, h []float32, rows, width int) {
	needGRU("gru backward", "dh", dh, gates, ldg, h, rows, width)
	need("gru backward", "dout", len(dout), rows*width)
	if rows > 0 && width > 0 {
		active.gru.backward(gates, ldg, dh, dout, h, rows, width)
	}
}

// needGRU panics unless the operands have the shapes of a batch.
func needGRU(kernel, first string, state, gates []float32, ldg int, h []float32, rows, width int) {
	need(kernel, first, len(state), rows*width)
	needMatrix(kernel, "gates", len(gates), rows, 4*width, ldg)
	need(kernel, "h", len(h), rows*width)
}

// goGRUForward moves rows on.
func goGRUForward(out, gates []float32, ldg int, h []float32, rows, width int) {
	for b := range rows {
		part := func(i int) []float32 { return gates[b*ldg+i*width:][:width] }
		zs, rs, ns, sn := part(0), part(1), part(2), part(3)
		to, state := out[b*width:][:width], h[b*width:][:width]
		for i := range to {
			z, r := sigmoid(zs[i]), sigmoid(rs[i])
			n := tanh(ns[i] + r*sn[i])
			zs[i], rs[i], ns[i] = z, r, n
			to[i] = n + z*(state[i]-n)
		}
	}
}

// goGRUBackward takes rows back.
func goGRUBackward(gates []float32, ldg int, dh, dout, h []float32, rows, width int) {
	for b := range rows {
		part := func(i int) []float32 { return gates[b*ldg+i*width:][:width] }
		zs, rs, ns, sn := part(0), part(1), part(2), part(3)
		to, from, state := dh[b*width:][:width], dout[b*width:][:width], h[b*width:][:width]
		for i := range to {
			g, z, r, n, s := from[i]+to[i], zs[i], rs[i], ns[i], sn[i]
			dn := (g - g*z) * (1 - n*n)
			zs[i] = g * (state[i] - n) * (z - z*z)
			rs[i] = dn * s * (r - r*r)
			ns[i], sn[i] = dn, dn*r
			to[i] = g * z
		}
	}
}
