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
	if width == 0 {
		return
	}
	for from, to := range runs(mask, rows) {
		state, gate := from*width, 3*from*width
		active.gru.forward(out[state:], gates[gate:], x[gate:], s[gate:], h[state:], to-from, width)
	}
	for b := range rows {
		if !kept(mask, b) {
			copy(out[b*width:(b+1)*width], h[b*width:])
		}
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
	if width == 0 {
		return
	}
	for from, to := range runs(mask, rows) {
		state, gate := from*width, 3*from*width
		active.gru.backward(dx[gate:], ds[gate:], dh[state:], dout[state:], gates[gate:], s[gate:], h[state:], to-from, width)
	}
	for b := range rows {
		if !kept(mask, b) {
			copy(dh[b*width:(b+1)*width], dout[b*width:])
			clear(dx[3*b*width : 3*(b+1)*width])
			clear(ds[3*b*width : 3*(b+1)*width])
		}
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

// goGRUForward moves rows on.
func goGRUForward(out, gates, x, s, h []float32, rows, width int) {
	for b := range rows {
		part := func(a []float32, i int) []float32 { return a[(3*b+i)*width:][:width] }
		xz, xr, xn, sz, sr, sn := part(x, 0), part(x, 1), part(x, 2), part(s, 0), part(s, 1), part(s, 2)
		zs, rs, ns := part(gates, 0), part(gates, 1), part(gates, 2)
		to, state := out[b*width:][:width], h[b*width:][:width]
		for i := range to {
			z, r := sigmoid(xz[i]+sz[i]), sigmoid(xr[i]+sr[i])
			n := tanh(xn[i] + r*sn[i])
			zs[i], rs[i], ns[i] = z, r, n
			to[i] = n + z*(state[i]-n)
		}
	}
}

// goGRUBackward takes rows back.
func goGRUBackward(dx, ds, dh, dout, gates, s, h []float32, rows, width int) {
	for b := range rows {
		part := func(a []float32, i int) []float32 { return a[(3*b+i)*width:][:width] }
		xz, xr, xn, sz, sr, sn := part(dx, 0), part(dx, 1), part(dx, 2), part(ds, 0), part(ds, 1), part(ds, 2)
		zs, rs, ns, side := part(gates, 0), part(gates, 1), part(gates, 2), part(s, 2)
		to, from, state := dh[b*width:][:width], dout[b*width:][:width], h[b*width:][:width]
		for i, d := range from {
			z, r, n := zs[i], rs[i], ns[i]
			dn := (d - d*z) * (1 - n*n)
			dz := d * (state[i] - n) * (z - z*z)
			dr := dn * side[i] * (r - r*r)
			xz[i], xr[i], xn[i] = dz, dr, dn
			sz[i], sr[i], sn[i] = dz, dr, dn*r
			to[i] = d * z
		}
	}
}
