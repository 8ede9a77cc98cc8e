package kernel

// GRUStep moves a batch of gated recurrent units on by one event (Cho et al.,
// EMNLP 2014, with the reset gate after the product, as in cuDNN, PyTorch and
// ONNX's linear_before_reset):
//
//	z = σ(x_z),  r = σ(x_r),  n = tanh(x_n + r∘s)
//	out = n + z∘(h - n)
//
// x (rows, 3·width) holds the gates in ONNX's order z, r, n: input·Wx + bx, and
// in z and r h·Wh + bh too. s (rows, width) is n's part of h·Wh + bh. h and out
// are (rows, width). gates (rows, 3·width) receives z, r and n for the way back;
// it may be x. out may be h.
func GRUStep(out, gates, x, s, h []float32, rows, width int) {
	needGRU("gru", out, gates, s, h, rows, width)
	need("gru", "x", len(x), 3*rows*width)
	if rows > 0 && width > 0 {
		active.gru.forward(out, gates, x, s, h, rows, width)
	}
}

// GRUStepBackward computes the gradients of GRUStep. d (rows, 4·width) of row
// stride ldd receives those of x_n, z, r and s: the first three parts are the
// gradient of input·Wx + bx, but for the order of the gates, and the last three
// that of h·Wh + bh. The gradient of out is dh + dout: what comes back from the
// step that followed, and from elsewhere. dh receives that of h, but for the way
// through the products: add d's last three parts times Whᵀ. gates, s and h are
// as in the step.
func GRUStepBackward(d []float32, ldd int, dh, dout, gates, s, h []float32, rows, width int) {
	needGRU("gru backward", dh, gates, s, h, rows, width)
	need("gru backward", "dout", len(dout), rows*width)
	needMatrix("gru backward", "d", len(d), rows, 4*width, ldd)
	if rows > 0 && width > 0 {
		active.gru.backward(d, ldd, dh, dout, gates, s, h, rows, width)
	}
}

// needGRU panics unless the operands have the shapes of a batch.
func needGRU(kernel string, out, gates, s, h []float32, rows, width int) {
	need(kernel, "out or dh", len(out), rows*width)
	need(kernel, "gates", len(gates), 3*rows*width)
	need(kernel, "s", len(s), rows*width)
	need(kernel, "h", len(h), rows*width)
}

// goGRUForward moves rows on.
func goGRUForward(out, gates, x, s, h []float32, rows, width int) {
	for b := range rows {
		part := func(a []float32, i int) []float32 { return a[(3*b+i)*width:][:width] }
		xz, xr, xn, sn := part(x, 0), part(x, 1), part(x, 2), s[b*width:][:width]
		zs, rs, ns := part(gates, 0), part(gates, 1), part(gates, 2)
		to, state := out[b*width:][:width], h[b*width:][:width]
		for i := range to {
			z, r := sigmoid(xz[i]), sigmoid(xr[i])
			n := tanh(xn[i] + r*sn[i])
			zs[i], rs[i], ns[i] = z, r, n
			to[i] = n + z*(state[i]-n)
		}
	}
}

// goGRUBackward takes rows back.
func goGRUBackward(d []float32, ldd int, dh, dout, gates, s, h []float32, rows, width int) {
	for b := range rows {
		part := func(i int) []float32 { return gates[(3*b+i)*width:][:width] }
		zs, rs, ns, sn := part(0), part(1), part(2), s[b*width:][:width]
		to, from, state := dh[b*width:][:width], dout[b*width:][:width], h[b*width:][:width]
		row := d[b*ldd:][:4*width]
		dxn, dzs, drs, dsn := row[:width], row[width:2*width], row[2*width:3*width], row[3*width:]
		for i := range to {
			g, z, r, n := from[i]+to[i], zs[i], rs[i], ns[i]
			dn := (g - g*z) * (1 - n*n)
			dxn[i], dsn[i] = dn, dn*r
			dzs[i] = g * (state[i] - n) * (z - z*z)
			drs[i] = dn * sn[i] * (r - r*r)
			to[i] = g * z
		}
	}
}
