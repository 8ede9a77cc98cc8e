// Package kernel is the arithmetic under training and inference: float32
// matrix products, activations, dropout, embeddings, losses and the AdamW step,
// on row-major slices that the caller owns.
//
// Every kernel exists in plain Go, and the ones that matter also in AVX2 and
// AVX-512 assembly; which of them runs is decided once, when the program
// starts (see Path). A kernel is deterministic: on one path, equal inputs give
// equal bits, and a row of a matrix product does not depend on how many rows
// are computed with it. Paths differ from each other only by rounding. The one
// exception has to be asked for, by Workspace.Matrix: products of training on
// the matrix unit of the path amx keep 16 bits of their factors, and their rows
// may depend on how many there are; their bits too follow from shapes and values
// alone.
//
// The package starts no goroutine and keeps no state between calls but the
// scratch memory of a Workspace. It trusts its callers with values (NaN and Inf
// pass through) but not with lengths: a slice too short for the stated shape is
// a programmer's error and panics before anything is written. Longer slices are
// accepted; only the stated shape is touched. Unless a kernel says otherwise,
// its results must not overlap its operands.
package kernel

import "fmt"

//go:generate go run -C gen . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg kernel

// An Activation follows a linear map. The numbers are those of
// model.Activation.
type Activation = uint8

// The activations.
const (
	Identity  Activation = iota
	ReLU                 // max(x, 0)
	LeakyReLU            // x, or LeakySlope·x below zero
)

// LeakySlope is LeakyReLU's slope below zero.
const LeakySlope = 0.01

// A Workspace is scratch memory that grows to what the largest call needs. The
// zero value is ready. One goroutine may use it at a time.
type Workspace struct {
	// Matrix lets products run on the processor's matrix unit, if the path has one
	// (see Path) and they are large enough to gain by it. It is for training: the
	// unit keeps 16 bits of a factor, and a row's bits then depend on how many rows
	// are computed with it.
	Matrix bool

	tile  tile      // the running call to active.tile
	pack  []float32 // op(b) of the running Gemm, one block of its depth
	sums  []float32 // raw dot products, or a transposed result
	heads []float32 // columns of a narrow op(B)
	table []float32 // prefix sums of PiecewiseLinear, or BatchNorm's columns
	piece pieces    // the running feature of PiecewiseLinear
	bin   []int32   // bins of one feature of PiecewiseLinear
	frac  []float32 // positions in those bins
	wide  []float64 // sums of BatchNorm's columns
	rows  layerBlock
	left  []uint32 // op(a) of a product on the matrix unit, split
	right []uint32 // op(b) of the running Gemm, split
}

// grow returns *buf with length n, its contents undefined.
func grow[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}

// need panics unless a slice holds want values.
func need(kernel, operand string, got, want int) {
	if got < want {
		short(kernel, operand, got, want)
	}
}

func short(kernel, operand string, got, want int) {
	panic(fmt.Sprintf("kernel: %s: %s has %d values, want %d", kernel, operand, got, want))
}

// needMatrix panics unless a slice holds a rows x cols matrix of row stride ld.
func needMatrix(kernel, operand string, got, rows, cols, ld int) {
	if rows < 0 || cols < 0 || ld < cols {
		panic(fmt.Sprintf("kernel: %s: %s is %d x %d with row stride %d, want sizes of at least 0 and a stride no less than the columns",
			kernel, operand, rows, cols, ld))
	}
	if rows > 0 && cols > 0 {
		need(kernel, operand, got, (rows-1)*ld+cols)
	}
}

// activate applies act to one value.
func activate(x float32, act Activation) float32 {
	if x < 0 {
		switch act {
		case ReLU:
			return 0
		case LeakyReLU:
			return LeakySlope * x
		}
	}
	return x
}
