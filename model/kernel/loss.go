package kernel

// SigmoidCrossEntropy is the binary cross-entropy of an ensemble on logits: it
// returns Σ_{b,t} weights[b,t]/members · Σ_k CE(σ(logits[b,k,t]), targets[b,t])
// and writes the gradient of that sum. grad and logits are
// (rows, members, targetsN), targets and weights (rows, targetsN); targets lie
// in [0, 1]. Where the weight is 0 the loss and the gradient are 0, whatever
// target and logit are.
func SigmoidCrossEntropy(grad, logits, targets, weights []float32, rows, members, targetsN int) (loss float64) {
	need("cross entropy", "grad", len(grad), rows*members*targetsN)
	need("cross entropy", "logits", len(logits), rows*members*targetsN)
	need("cross entropy", "targets", len(targets), rows*targetsN)
	need("cross entropy", "weights", len(weights), rows*targetsN)
	n := rows * members * targetsN
	grad, logits = grad[:n], logits[:n]
	active.softplus(grad, logits)
	share := 1 / float32(members)
	of := func(x []float32, b int) []float32 { return x[b*members*targetsN : (b+1)*members*targetsN] }
	for b := range rows {
		for t, weight := range weights[b*targetsN : (b+1)*targetsN] {
			if weight != 0 {
				loss += float64(weight*share) * crossEntropies(of(grad, b)[t:], of(logits, b)[t:], targets[b*targetsN+t], targetsN)
			}
		}
	}
	active.sigmoid(grad, logits)
	for b := range rows {
		for t, weight := range weights[b*targetsN : (b+1)*targetsN] {
			scaleResiduals(of(grad, b)[t:], targets[b*targetsN+t], weight*share, targetsN)
		}
	}
	return loss
}

// crossEntropies returns Σ softplus(z) - z·target over every stride-th value, in
// two chains.
func crossEntropies(softplus, z []float32, target float32, stride int) float64 {
	var s0, s1 float64
	i := 0
	for ; i+stride < len(z); i += 2 * stride {
		s0 += float64(softplus[i] - z[i]*target)
		s1 += float64(softplus[i+stride] - z[i+stride]*target)
	}
	if i < len(z) {
		s0 += float64(softplus[i] - z[i]*target)
	}
	return s0 + s1
}

// scaleResiduals turns every stride-th probability into weight·(p - target), or
// 0 where the weight is.
func scaleResiduals(p []float32, target, weight float32, stride int) {
	if weight == 0 {
		for i := 0; i < len(p); i += stride {
			p[i] = 0
		}
		return
	}
	for i := 0; i < len(p); i += stride {
		p[i] = weight * (p[i] - target)
	}
}

// SoftmaxCrossEntropy returns Σ_i weights[i]·(-log softmax(logits[i])[classes[i]])
// and writes its gradient. grad and logits are (rows, cols); classes are whole
// numbers from 0, one for each row; weights is rows long, or nil for ones. A row
// whose weight is 0 or whose class lies outside its range counts for nothing:
// kernels do not fail on data, whoever lets classes in must check them. grad may
// be logits.
func SoftmaxCrossEntropy(grad, logits, classes, weights []float32, rows, cols int) (loss float64) {
	need("softmax cross entropy", "grad", len(grad), rows*cols)
	need("softmax cross entropy", "logits", len(logits), rows*cols)
	need("softmax cross entropy", "classes", len(classes), rows)
	if weights != nil {
		need("softmax cross entropy", "weights", len(weights), rows)
	}
	for i := range rows {
		weight := float32(1)
		if weights != nil {
			weight = weights[i]
		}
		to, z := grad[i*cols:(i+1)*cols], logits[i*cols:(i+1)*cols]
		if !(classes[i] >= 0 && classes[i] < float32(cols)) || weight == 0 {
			clear(to)
			continue
		}
		class := int(classes[i])
		logit := float64(z[class])
		loss += float64(weight) * (softmax(to, z) - logit)
		to[class]--
		active.scale(to, weight)
	}
	return loss
}

// SquaredError returns Σ_i rowWeights[i] · mean_j (y[i,j] - target[i,j])² and
// writes its gradient with respect to y. grad, y and target are (rows, cols);
// rowWeights is rows long, or nil for ones. A row of weight 0 counts for
// nothing, whatever it holds. grad may be y.
func SquaredError(grad, y, target, rowWeights []float32, rows, cols int) (loss float64) {
	need("squared error", "grad", len(grad), rows*cols)
	need("squared error", "y", len(y), rows*cols)
	need("squared error", "target", len(target), rows*cols)
	if rowWeights != nil {
		need("squared error", "row weights", len(rowWeights), rows)
	}
	for i := range rows {
		weight := 1 / float32(cols)
		if rowWeights != nil {
			weight *= rowWeights[i]
		}
		loss += squaredError(grad[i*cols:(i+1)*cols], y[i*cols:(i+1)*cols], target[i*cols:(i+1)*cols], weight)
	}
	return loss
}

func squaredError(grad, y, target []float32, weight float32) float64 {
	if weight == 0 {
		clear(grad)
		return 0
	}
	return float64(weight) * active.difference(grad, y, target, 2*weight)
}
