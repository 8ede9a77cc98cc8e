package kernel

// GRUStep moves a batch of gated recurrent units on by one event (Cho et al.,
// EMNLP 2014, with the reset gate after the product, as in cuDNN, PyTorch and
// ONNX's linear_before_reset):
//
//	z = σ(x_z + s_z),  r = σ(x_r + s_r),  n = tanh(x_n + r∘s_n)
//	out = n + z∘(h - n)
//
// x = input·Wx + bx and s = h·Wh + bh are (rows, 3·width), the gates in ONNX's
// order z, r, n; h and out are (rows, width). gates (rows, 3·width) receives z, r
// and n for the way back; it may be x. out may be h. mask is rows long, or nil
// for ones; where it is 0 the state stays and the gates are left alone.
func GRUStep(out, gates, x, s, h, mask []float32, rows, width int) {
	needGRU("gru", out, gates, x, s, h, mask, rows, width)
	for b := range rows {
		to, state := out[b*width:(b+1)*width], h[b*width:(b+1)*width]
		if !kept(mask, b) {
			copy(to, state)
			continue
		}
		at := 3 * b * width
		active.gru.forward(to, gates[at:at+3*width], x[at:at+3*width], s[at:at+3*width], state, 0)
	}
}

// GRUStepBackward computes the gradients of GRUStep with respect to x, s and h.
// dh lacks the way through s: add ds·Whᵀ. dout is the gradient of out; gates, s
// and h are as in the step. Where mask is 0, dx and ds are 0 and dh is dout. dh
// may be dout.
func GRUStepBackward(dx, ds, dh, dout, gates, s, h, mask []float32, rows, width int) {
	needGRU("gru backward", dh, dx, ds, s, h, mask, rows, width)
	need("gru backward", "dout", len(dout), rows*width)
	need("gru backward", "gates", len(gates), 3*rows*width)
	for b := range rows {
		from, to, at := b*width, (b+1)*width, 3*b*width
		if !kept(mask, b) {
			copy(dh[from:to], dout[from:to])
			clear(dx[at : at+3*width])
			clear(ds[at : at+3*width])
			continue
		}
		active.gru.backward(dx[at:at+3*width], ds[at:at+3*width], dh[from:to], dout[from:to],
			gates[at:at+3*width], s[at:at+3*width], h[from:to], 0)
	}
}

// needGRU panics unless the operands have the shapes of a batch.
func needGRU(kernel string, out, gates, x, s, h, mask []float32, rows, width int) {
	need(kernel, "out or dh", len(out), rows*width)
	need(kernel, "gates", len(gates), 3*rows*width)
	need(kernel, "x", len(x), 3*rows*width)
	need(kernel, "s", len(s), 3*rows*width)
	need(kernel, "h", len(h), rows*width)
	if mask != nil {
		need(kernel, "mask", len(mask), rows)
	}
}

// goGRUForward moves one row on, from column first.
func goGRUForward(out, gates, x, s, h []float32, first int) {
	width := len(out)
	for i := first; i < width; i++ {
		j, k := i+width, i+2*width
		z, r := sigmoid(x[i]+s[i]), sigmoid(x[j]+s[j])
		n := tanh(x[k] + r*s[k])
		gates[i], gates[j], gates[k] = z, r, n
		out[i] = n + z*(h[i]-n)
	}
}

// goGRUBackward takes one row back, from column first.
func goGRUBackward(dx, ds, dh, dout, gates, s, h []float32, first int) {
	width := len(dh)
	for i := first; i < width; i++ {
		j, k := i+width, i+2*width
		d, z, r, n := dout[i], gates[i], gates[j], gates[k]
		dn := (d - d*z) * (1 - n*n)
		dz := d * (h[i] - n) * (z - z*z)
		dr := dn * s[k] * (r - r*r)
		dx[i], dx[j], dx[k] = dz, dr, dn
		ds[i], ds[j], ds[k] = dz, dr, dn*r
		dh[i] = d * z
	}
}
