package kernel

import "math"

// Sigmoid computes dst = 1/(1+e^-x) with a relative error below 1e-6, results
// below the smallest normal number being 0. dst may be x. Both have dst's
// length.
func Sigmoid(dst, x []float32) {
	need("sigmoid", "x", len(x), len(dst))
	active.sigmoid(dst, x)
}

// Softplus computes dst = log(1+e^x) with a relative error below 1e-6, results
// below the smallest normal number being 0. dst may be x. Both have dst's
// length.
func Softplus(dst, x []float32) {
	need("softplus", "x", len(x), len(dst))
	active.softplus(dst, x)
}

// Tanh computes dst = tanh(x) with a relative error below 1e-6. dst may be x.
// Both have dst's length.
func Tanh(dst, x []float32) {
	need("tanh", "x", len(x), len(dst))
	active.tanh(dst, x)
}

// goSigmoid takes e^-|x|, which cannot overflow.
func goSigmoid(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = sigmoid(v)
	}
}

func sigmoid(x float32) float32 {
	e := exp(-abs(x))
	// e below zero, else 1, without a branch that nothing could predict.
	const one = 127 << 23
	negative := uint32(int32(math.Float32bits(x)) >> 31)
	numerator := math.Float32frombits(one ^ (one^math.Float32bits(e))&negative)
	return numerator / (1 + e)
}

func goTanh(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = tanh(v)
	}
}

// goExp is for x no more than shift.
func goExp(dst, x []float32, shift float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = exp(v - shift)
	}
}

func goSoftplus(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = max(v, 0) + log1p(exp(-abs(v)))
	}
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// exp is e^x for x <= 0, 0 below the smallest normal number. It splits x into
// n·log 2 + r and evaluates the polynomial of Cephes' expf on r.
func exp(x float32) float32 {
	if x < -87.33 {
		return 0
	}
	n := int32(x*math.Log2E - 0.5) // to nearest, for x <= 0
	f := float32(n)
	r := x - f*0.693359375 + f*2.12194440e-4
	// Pairs of coefficients do not wait for each other.
	q := r * r
	p := (float32(1.9875691500e-4)*r+1.3981999507e-3)*(q*q) + (float32(8.3334519073e-3)*r+4.1665795894e-2)*q +
		(float32(1.6666665459e-1)*r + 5.0000001201e-1)
	p = p*q + r + 1
	return p * math.Float32frombits(uint32(n+127)<<23)
}

// log1p is log(1+e) for e in [0, 1], by the series of 2·artanh(e/(2+e)).
func log1p(e float32) float32 {
	s := e / (2 + e) // at most 1/3
	q := s * s
	p := float32(2.0 / 13)
	p = p*q + 2.0/11
	p = p*q + 2.0/9
	p = p*q + 2.0/7
	p = p*q + 2.0/5
	p = p*q + 2.0/3
	return s * (p*q + 2)
}

// tanhLimit is where tanh reaches 1 in float32.
const tanhLimit = 7.90531110763549805

// tanh is a quotient of polynomials, the one of Eigen's ptanh_float.
func tanh(x float32) float32 {
	if x > tanhLimit {
		x = tanhLimit
	} else if x < -tanhLimit {
		x = -tanhLimit
	}
	q := x * x
	p := float32(-2.76076847742355e-16)
	p = p*q + 2.00018790482477e-13
	p = p*q + -8.60467152213735e-11
	p = p*q + 5.12229709037114e-08
	p = p*q + 1.48572235717979e-05
	p = p*q + 6.37261928875436e-04
	p = p*q + 4.89352455891786e-03
	d := float32(1.19825839466702e-06)
	d = d*q + 1.18534705686654e-04
	d = d*q + 2.26843463243900e-03
	d = d*q + 4.89352518554385e-03
	return x * p / d
}
