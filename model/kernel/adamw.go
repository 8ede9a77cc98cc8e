package kernel

import "math"

// AdamWParams are the settings of one AdamW step.
type AdamWParams struct {
	LearningRate float64
	Beta1, Beta2 float64 // decay of the running mean and mean square; 0.9 and 0.999
	Epsilon      float64 // added to the root mean square; 1e-8
	Decay        float64 // decoupled weight decay, per unit of learning rate
	Step         int     // counts from 1
	Scale        float64 // factor of the summed gradient: 1/rows, clipping

	Average []float32 // running mean of w, moved on in the same pass; nil for none
	Keep    float64   // decay of Average
}

// AdamW takes one step of decoupled-decay Adam (Loshchilov and Hutter,
// Decoupled Weight Decay Regularization, ICLR 2019) in one pass: with
// g = Scale·Σ grads, summed in order,
//
//	m = Beta1·m + (1-Beta1)·g,  v = Beta2·v + (1-Beta2)·g²
//	w -= LearningRate·(Decay·w + m̂/(√v̂ + Epsilon)),  m̂ = m/(1-Beta1^Step),  v̂ = v/(1-Beta2^Step)
//
// and then, unless Average is nil, the running mean of the values (Polyak and
// Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992)
//
//	Average = Keep·Average + (1-Keep)·w
//
// All slices have w's length. A parameter may be divided between goroutines.
func AdamW(w, m, v []float32, grads [][]float32, p AdamWParams) {
	need("adamw", "m", len(m), len(w))
	need("adamw", "v", len(v), len(w))
	for _, g := range grads {
		need("adamw", "gradient", len(g), len(w))
	}
	if p.Average != nil {
		need("adamw", "average", len(p.Average), len(w))
	}
	meanKeep := float32(p.Keep)
	step := float64(max(p.Step, 1))
	active.adamW(w, m, v, p.Average, grads, 0, adamCoefficients{
		scale: float32(p.Scale),
		beta1: float32(p.Beta1), rest1: float32(1 - p.Beta1),
		beta2: float32(p.Beta2), rest2: float32(1 - p.Beta2),
		keep:     float32(1 - p.LearningRate*p.Decay),
		rate:     float32(p.LearningRate / (1 - math.Pow(p.Beta1, step))),
		root:     float32(1 / math.Sqrt(1-math.Pow(p.Beta2, step))),
		epsilon:  float32(p.Epsilon),
		meanKeep: meanKeep, meanRest: 1 - meanKeep,
	})
}

// adamCoefficients are an AdamW step's settings, folded.
type adamCoefficients struct {
	scale, beta1, rest1, beta2, rest2 float32
	keep                              float32 // 1 - LearningRate·Decay
	rate                              float32 // LearningRate / (1 - Beta1^Step)
	root                              float32 // 1 / √(1 - Beta2^Step)
	epsilon                           float32
	meanKeep, meanRest                float32
}

// goAdamW updates the parameters from the first on, and average unless it is
// nil.
func goAdamW(w, m, v, average []float32, grads [][]float32, first int, c adamCoefficients) {
	m, v = m[:len(w)], v[:len(w)]
	for i := first; i < len(w); i++ {
		var g float32
		for _, grad := range grads {
			g += grad[i]
		}
		g *= c.scale
		m[i] = c.beta1*m[i] + c.rest1*g
		v[i] = c.beta2*v[i] + c.rest2*(g*g)
		root := float32(math.Sqrt(float64(v[i]))) * c.root
		w[i] = c.keep*w[i] - c.rate*m[i]/(root+c.epsilon)
		if average != nil {
			average[i] = c.meanKeep*average[i] + c.meanRest*w[i]
		}
	}
}
