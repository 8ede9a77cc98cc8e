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
	at, share := 0, 1/float32(members)
	for b := range rows {
		target, weight := targets[b*targetsN:(b+1)*targetsN], weights[b*targetsN:(b+1)*targetsN]
		for range members {
			for t, w := range weight {
				if w != 0 {
					loss += float64(w*share) * float64(grad[at]-logits[at]*target[t])
				}
				at++
			}
		}
	}
	active.sigmoid(grad, logits)
	at = 0
	for b := range rows {
		target, weight := targets[b*targetsN:(b+1)*targetsN], weights[b*targetsN:(b+1)*targetsN]
		for range members {
			for t, w := range weight {
				d := w * share * (grad[at] - target[t])
				if w == 0 {
					d = 0
				}
				grad[at] = d
				at++
			}
		}
	}
	return loss
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
	copy(grad, y)
	active.axpy(grad, -1, target)
	sum := active.squares(grad)
	active.scale(grad, 2*weight)
	return float64(weight) * sum
}
