package kernel

import (
	"math"
	"slices"
	"testing"
)

func TestGatherScatter(t *testing.T) {
	// Two tables, of 3 and of 2 rows, 2 wide.
	table := []float32{1, 2, 3, 4, 5, 6, 70, 80, 90, 100}
	offsets := []int{0, 3}
	nan := float32(math.NaN())
	tests := []struct {
		name string
		ids  []float32
		rows []int // of the stacked table
	}{
		{"first rows", []float32{0, 0}, []int{0, 3}},
		{"last rows", []float32{2, 1}, []int{2, 4}},
		{"beyond the table", []float32{3, 2}, []int{0, 3}},
		{"negative", []float32{-1, -7}, []int{0, 3}},
		{"not a number", []float32{nan, 1}, []int{0, 4}},
		{"infinite", []float32{1, float32(math.Inf(1))}, []int{1, 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []float32
			wantGrad := make([]float32, len(table))
			for _, r := range test.rows {
				want = append(want, table[2*r:2*r+2]...)
				wantGrad[2*r] += 10
				wantGrad[2*r+1] += 20
			}
			onEveryPath(t, func(t *testing.T) {
				got, grad := make([]float32, 4), make([]float32, len(table))
				Gather(got, test.ids, table, 1, 2, 2, offsets)
				ScatterAdd(grad, test.ids, []float32{10, 20, 10, 20}, 1, 2, 2, offsets)
				if !slices.Equal(got, want) {
					t.Errorf("gather gave %v, want %v", got, want)
				}
				if !slices.Equal(grad, wantGrad) {
					t.Errorf("scatter gave %v, want %v", grad, wantGrad)
				}
			})
		})
	}
}

func TestScatterAddsRepeatedIDs(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		grad := []float32{1, 1}
		ScatterAdd(grad, []float32{1, 1, 0}, []float32{2, 3, 4}, 3, 1, 1, []int{0})
		if want := []float32{5, 6}; !slices.Equal(grad, want) {
			t.Errorf("got %v, want %v", grad, want)
		}
	})
}

// TestGatherScatterShapes compares with the definition, on rows that fill
// vectors and that do not, and on every path bit by bit.
func TestGatherScatterShapes(t *testing.T) {
	const rows, columns = 30, 3
	offsets := []int{0, 7, 8} // and to 20
	for _, width := range []int{1, 4, 8, 16, 21, 40} {
		r := seeded(uint64(width))
		table, dy, ids := random(r, 20*width), random(r, rows*columns*width), make([]float32, rows*columns)
		want, wantTable := []float64{}, widen(table)
		for i := range ids {
			ids[i] = float32(r.IntN([]int{7, 1, 12}[i%columns]))
			at := (offsets[i%columns] + int(ids[i])) * width
			want = append(want, widen(table[at:at+width])...)
			for j := range width {
				wantTable[at+j] += float64(dy[i*width+j])
			}
		}
		equalOnPaths(t, "gather and scatter", func() []float32 {
			got, sums := make([]float32, len(dy)), clone(table)
			Gather(got, ids, table, rows, columns, width, offsets)
			ScatterAdd(sums, ids, dy, rows, columns, width, offsets)
			near(t, "gather", got, want, 0, 0)
			near(t, "scatter", sums, wantTable, 1, 1e-6)
			return append(got, sums...)
		})
	}
}

// TestEmptyTable: a table without rows reads the row where it would start.
func TestEmptyTable(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		got := make([]float32, 2)
		Gather(got, []float32{0, 5}, []float32{1, 2, 3}, 1, 2, 1, []int{1, 1})
		if want := []float32{2, 2}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
