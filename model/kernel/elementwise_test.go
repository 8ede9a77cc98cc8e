package kernel

import (
	"math"
	"slices"
	"testing"
)

// lengths straddle the widths of vectors.
var lengths = []int{0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 257}

// TestElementwiseReference compares every pass over memory with its
// definition, and the paths with each other bit by bit.
func TestElementwiseReference(t *testing.T) {
	for _, n := range lengths {
		r := seeded(uint64(n))
		x, y, z, dy := random(r, n), random(r, n), random(r, n), random(r, n)
		if n > 2 {
			y[0], y[1], y[2] = 0, float32(math.NaN()), float32(math.Inf(-1))
		}
		kernels := []struct {
			name      string
			run       func(dst []float32)
			reference func(i int) float64
		}{
			{"axpy", func(dst []float32) { Axpy(dst, 1.7, x) }, func(i int) float64 { return float64(z[i]) + 1.7*float64(x[i]) }},
			{"scale", func(dst []float32) { Scale(dst, -3) }, func(i int) float64 { return -3 * float64(z[i]) }},
			{"mul", func(dst []float32) { MulRow(dst, x, dy, 1, n) }, func(i int) float64 { return float64(x[i]) * float64(dy[i]) }},
			{"column sums", func(dst []float32) { AddColumnSums(dst, x, 1, n) }, func(i int) float64 { return float64(z[i]) + float64(x[i]) }},
			{"mul backward x", func(dst []float32) { MulRowBackward(dst, nil, dy, nil, x, 1, n) },
				func(i int) float64 { return float64(z[i]) + float64(dy[i])*float64(x[i]) }},
			{"mul backward r", func(dst []float32) { MulRowBackward(nil, dst, dy, x, nil, 1, n) },
				func(i int) float64 { return float64(z[i]) + float64(dy[i])*float64(x[i]) }},
			{"identity", func(dst []float32) { backward(dst, dy, y, Identity) }, func(i int) float64 { return float64(dy[i]) }},
			{"relu", func(dst []float32) { backward(dst, dy, y, ReLU) }, func(i int) float64 { return slopeOf(y[i], 0) * float64(dy[i]) }},
			{"leaky relu", func(dst []float32) { backward(dst, dy, y, LeakyReLU) },
				func(i int) float64 { return slopeOf(y[i], LeakySlope) * float64(dy[i]) }},
		}
		for _, k := range kernels {
			want := make([]float64, n)
			for i := range want {
				want[i] = k.reference(i)
			}
			equalOnPaths(t, k.name, func() []float32 {
				dst := clone(z)
				k.run(dst)
				near(t, k.name, dst, want, 1, 1e-6)
				return dst
			})
		}
	}
}

// backward is ActivationBackwardSums of one row, but for the sums.
func backward(dz, dy, y []float32, act Activation) {
	ActivationBackwardSums(dz, make([]float32, len(dz)), dy, y, 1, len(dz), act, 1)
}

func slopeOf(y float32, below float64) float64 {
	if y > 0 {
		return 1
	}
	return below
}

// equalOnPaths fails unless every path gives the bits of the others.
func equalOnPaths(t *testing.T, name string, run func() []float32) {
	t.Helper()
	before := active
	defer func() { active = before }()
	active = &goPath
	want := run()
	for _, p := range paths() {
		active = p
		if got := run(); !slices.EqualFunc(got, want, sameBits) {
			i := firstDifference(got, want)
			t.Fatalf("%s: path %s gives %v at %d of %d, plain Go %v", name, p.name, got[i], i, len(want), want[i])
		}
	}
}

// sameBits also holds for any two NaNs, whose bits the operand order decides.
func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// TestActivationBackwardSums: one pass gives the bits of its definition, in place
// and apart.
func TestActivationBackwardSums(t *testing.T) {
	for _, cols := range []int{1, 5, 16, 37, 64, 100, 135} {
		for _, act := range []Activation{Identity, ReLU, LeakyReLU} {
			const rows, scale = 9, 2 // exact
			r := seeded(uint64(cols))
			y, dy, bias := random(r, rows*cols), random(r, rows*cols), random(r, cols)
			equalOnPaths(t, "activation backward with sums", func() []float32 {
				wantDz, wantSum := make([]float32, rows*cols), clone(bias)
				for i := range wantDz {
					wantDz[i] = scale * dy[i] * float32(slopeOf(y[i], float64(slopes[act])))
				}
				AddColumnSums(wantSum, wantDz, rows, cols)
				dz, sum := clone(dy), clone(bias)
				ActivationBackwardSums(dz, sum, dz, y, rows, cols, act, scale)
				apart, sumApart := make([]float32, rows*cols), clone(bias)
				ActivationBackwardSums(apart, sumApart, dy, y, rows, cols, act, scale)
				for _, got := range [][2][]float32{{dz, sum}, {apart, sumApart}} {
					if !slices.Equal(got[0], wantDz) || !slices.Equal(got[1], wantSum) {
						t.Fatalf("%d columns, activation %d: got %v and %v, want %v and %v", cols, act, got[0], got[1], wantDz, wantSum)
					}
				}
				return append(dz, sum...)
			})
		}
	}
}

func TestRows(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, cols := range []int{1, 5, 16, 37} {
			const rows = 9
			r := seeded(uint64(cols))
			x, dy, row := random(r, rows*cols), random(r, rows*cols), random(r, cols)
			dst, dx, dr, sums := make([]float32, rows*cols), make([]float32, rows*cols), random(r, cols), random(r, cols)
			wantDst, wantDx, wantDr, wantSums := widen(dst), widen(dx), widen(dr), widen(sums)
			for i := range dst {
				j := i % cols
				wantDst[i] = float64(x[i]) * float64(row[j])
				wantDx[i] = float64(dy[i]) * float64(row[j])
				wantDr[j] += float64(dy[i]) * float64(x[i])
				wantSums[j] += float64(x[i])
			}
			MulRow(dst, x, row, rows, cols)
			MulRowBackward(dx, dr, dy, x, row, rows, cols)
			AddColumnSums(sums, x, rows, cols)
			near(t, "dst", dst, wantDst, 1, 1e-6)
			near(t, "dx", dx, wantDx, 1, 1e-6)
			near(t, "dr", dr, wantDr, 1, 1e-6)
			near(t, "sums", sums, wantSums, 1, 1e-6)
		}
	})
}

func TestSquaredNorm(t *testing.T) {
	for _, n := range lengths {
		x := random(seeded(uint64(n)), n)
		var want float64
		for _, v := range x {
			want += float64(v) * float64(v)
		}
		first := goSquares(x)
		y := random(seeded(uint64(n)+1), n)
		onEveryPath(t, func(t *testing.T) {
			got := SquaredNorm(x)
			if got != first {
				t.Fatalf("norm of %d values is %v, plain Go says %v", n, got, first)
			}
			if math.Abs(got-want) > 1e-12*want {
				t.Fatalf("norm of %d values is %v, want %v", n, got, want)
			}
			sum, apart := clone(y), clone(y)
			Axpy(apart, 1, x)
			if got, want := AddSquaredNorm(sum, x), SquaredNorm(apart); got != want || !slices.Equal(sum, apart) {
				t.Fatalf("adding and squaring %d values in one pass gives %v, in two passes %v", n, got, want)
			}
		})
	}
	if got, want := SquaredNorm([]float32{1e30, 1e30}), 2e60; math.Abs(got-want) > 1e54 {
		t.Errorf("norm of large values is %v, want %v", got, want)
	}
}

func TestDropout(t *testing.T) {
	const n = 30_003
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	for _, rate := range []float32{0.1, 0.5, 0.9} {
		equalOnPaths(t, "dropout", func() []float32 {
			dst := make([]float32, n)
			Dropout(dst, x, rate, 42)
			return dst
		})
		mask := clone(x)
		Dropout(mask, mask, rate, 42)
		dropped := 0
		for i, v := range mask {
			if v == 0 {
				dropped++
			} else if v != 1/(1-rate) {
				t.Fatalf("rate %v: value %d is %v, want 0 or %v", rate, i, v, 1/(1-rate))
			}
		}
		// Five standard deviations of a binomial count.
		want, slack := n*float64(rate), 5*math.Sqrt(n*float64(rate)*(1-float64(rate)))
		if math.Abs(float64(dropped)-want) > slack {
			t.Errorf("rate %v dropped %d of %d, want %.0f ± %.0f", rate, dropped, n, want, slack)
		}
	}
}

// TestDropoutKeysAreIndependent: masks of neighbouring keys agree as often as
// independent ones do, at every distance.
func TestDropoutKeysAreIndependent(t *testing.T) {
	const n = 5_000
	masks := make([][]float32, 4)
	for key := range masks {
		masks[key] = slices.Repeat([]float32{1}, n)
		Dropout(masks[key], masks[key], 0.5, uint64(key))
	}
	for a := range masks {
		for b := range masks {
			for shift := range 20 {
				if a == b && shift == 0 {
					continue
				}
				agree := 0
				for i := range n - 20 {
					if masks[a][i] == masks[b][i+shift] {
						agree++
					}
				}
				if share := float64(agree) / (n - 20); math.Abs(share-0.5) > 0.035 {
					t.Errorf("keys %d and %d agree in %.3f of the values at distance %d, want 0.5", a, b, share, shift)
				}
			}
		}
	}
}

func TestDropoutRateZeroCopies(t *testing.T) {
	x := random(seeded(1), 20)
	dst := make([]float32, 20)
	Dropout(dst, x, 0, 3)
	if !slices.Equal(dst, x) {
		t.Fatal("rate 0 changed values")
	}
}

func TestAdamW(t *testing.T) {
	p := AdamWParams{LearningRate: 2e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 3e-4, Scale: 1.0 / 7}
	for _, n := range lengths {
		r := seeded(uint64(n))
		w0, grads := random(r, n), [][]float32{random(r, n), random(r, n), random(r, n)}
		w, m, v := widen(w0), make([]float64, n), make([]float64, n)
		for step := 1; step <= 20; step++ {
			for i := range w {
				g := p.Scale * (float64(grads[0][i]) + float64(grads[1][i]) + float64(grads[2][i]))
				m[i] = p.Beta1*m[i] + (1-p.Beta1)*g
				v[i] = p.Beta2*v[i] + (1-p.Beta2)*g*g
				mean, square := m[i]/(1-math.Pow(p.Beta1, float64(step))), v[i]/(1-math.Pow(p.Beta2, float64(step)))
				w[i] -= p.LearningRate * (p.Decay*w[i] + mean/(math.Sqrt(square)+p.Epsilon))
			}
		}
		equalOnPaths(t, "adamw", func() []float32 {
			got, gotM, gotV := clone(w0), make([]float32, n), make([]float32, n)
			q := p
			for q.Step = 1; q.Step <= 20; q.Step++ {
				AdamW(got, gotM, gotV, grads, q)
			}
			near(t, "w", got, w, 1, 2e-6)
			near(t, "m", gotM, m, 0.1, 1e-5)
			near(t, "v", gotV, v, 0.1, 1e-5)
			return got
		})
	}
}

// TestAdamWAverage: the fused mean has the bits of two passes of their own, and
// the step those of a step without it.
func TestAdamWAverage(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, n := range lengths {
			r := seeded(uint64(n))
			p := AdamWParams{LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 2, Scale: 1, Keep: 0.97}
			w, grads, average := random(r, n), [][]float32{random(r, n)}, random(r, n)
			want, wantAverage := clone(w), clone(average)
			AdamW(want, make([]float32, n), make([]float32, n), grads, p)
			Scale(wantAverage, 0.97)
			Axpy(wantAverage, 1-float32(0.97), want)
			p.Average = average
			AdamW(w, make([]float32, n), make([]float32, n), grads, p)
			if !slices.Equal(w, want) || !slices.Equal(average, wantAverage) {
				t.Fatalf("%d values: fused mean %v of %v, want %v of %v", n, average, w, wantAverage, want)
			}
		}
	})
}

// TestAdamWDivided: a parameter divided between goroutines gives the same bits.
func TestAdamWDivided(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		const n = 100
		p := AdamWParams{LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 1, Scale: 1}
		g, w := random(seeded(1), n), random(seeded(2), n)
		whole := clone(w)
		AdamW(whole, make([]float32, n), make([]float32, n), [][]float32{g}, p)
		for _, at := range []int{1, 16, 37} {
			parts := clone(w)
			m, v := make([]float32, n), make([]float32, n)
			AdamW(parts[:at], m[:at], v[:at], [][]float32{g[:at]}, p)
			AdamW(parts[at:], m[at:], v[at:], [][]float32{g[at:]}, p)
			if !slices.Equal(parts, whole) {
				t.Fatalf("divided at %d gives other bits", at)
			}
		}
	})
}
