package features

import (
	"math"
	"slices"
	"testing"
)

func TestCells(t *testing.T) {
	s, journeys, _ := fitShop(t, Options{}, 300)
	if s.Cells() != nil {
		t.Error("an unfitted schema has cells")
	}
	all := tokensOfAll(s, journeys)
	if err := s.FitTokens(all, 1); err != nil {
		t.Fatal(err)
	}
	cells := s.Cells()
	var names []string
	for _, cell := range cells {
		names = append(names, cell.Name)
	}
	if want := []string{CellType, s.Attributes[1].Name, s.Attributes[2].Name, CellGap, "amount", "score"}; !slices.Equal(names, want) {
		t.Fatalf("cells %v, want %v", names, want)
	}
	values, counts := make([]float32, len(cells)), make([]int, cells[3].Size)
	events := 0
	for _, tokens := range all {
		for i := range tokens.Events {
			s.TokenCells(cells, tokens, i, values)
			checkCells(t, s, cells, tokens, i, values)
			counts[int(values[3])]++
			events++
		}
	}
	if counts[0] != 0 {
		t.Errorf("%d gaps are missing", counts[0])
	}
	for bin, count := range counts[6:36] { // gaps hardly repeat, but for the first of a journey
		if share := float64(count) / float64(events); bin > 12 && (share < 0.01 || share > 0.06) {
			t.Errorf("bin %d has a share of %.3f, want about 1/32", bin+6, share)
		}
	}
}

// checkCells holds one token's cells against the token.
func checkCells(t *testing.T, s *Schema, cells []Cell, tokens *Tokens, i int, values []float32) {
	t.Helper()
	width := len(s.TokenColumns())
	for c, cell := range cells {
		v := int(values[c])
		if v < 0 || v >= cell.Size || float32(v) != values[c] {
			t.Fatalf("cell %s is %v of %d values", cell.Name, values[c], cell.Size)
		}
		if cell.Kind == Categorical {
			if want := float64(tokens.IDs[i*3+c]); s.CellValue(cell, v) != want || s.TokenNumber(cell, tokens, i) != 0 {
				t.Fatalf("%s is %v, want the id %v", cell.Name, s.CellValue(cell, v), want)
			}
			continue
		}
		x := tokens.Values[i*width+slices.Index(s.TokenColumns(), cell.Name)]
		if missing := math.IsNaN(float64(x)); missing != (v == MissingID) || missing != math.IsNaN(s.CellValue(cell, v)) {
			t.Fatalf("%s of %v is in bin %d, which stands for %v", cell.Name, x, v, s.CellValue(cell, v))
		} else if !missing && s.TokenNumber(cell, tokens, i) != x {
			t.Fatalf("%s is %v, want %v", cell.Name, s.TokenNumber(cell, tokens, i), x)
		}
	}
}

// TestCellValues demands that what a bin stands for rises, and lies in the bin.
func TestCellValues(t *testing.T) {
	s, journeys, _ := fitShop(t, Options{}, 300)
	if err := s.FitTokens(tokensOfAll(s, journeys), 1); err != nil {
		t.Fatal(err)
	}
	gap := s.Cells()[3]
	last := -1.0
	for bin := 1; bin < gap.Size; bin++ {
		x := s.CellValue(gap, bin)
		if !(x >= last) {
			t.Fatalf("bin %d stands for %v, less than %v", bin, x, last)
		}
		last = x
		scale := &s.TokenNormalizer.Numeric[gap.scale]
		if got := scale.bin(float32(math.Log1p(x))); x > 1 && bin < 33 && math.Abs(float64(got)-float64(bin)) > 1 {
			t.Errorf("the middle of bin %d, %v seconds, is in bin %v", bin, x, got)
		}
	}
	if x := gap.Own(-math.Log1p(3)); math.Abs(x+3) > 1e-9 {
		t.Errorf("a signed logarithm of 3 is %v", x)
	}
}

func TestIDsThatNoVocabularyHas(t *testing.T) {
	s, journeys, _ := fitShop(t, Options{}, 300)
	all := tokensOfAll(s, journeys)
	if err := s.FitTokens(all, 1); err != nil {
		t.Fatal(err)
	}
	tokens := all[slices.IndexFunc(all, func(t *Tokens) bool { return t.Events > 0 })]
	cells, values := s.Cells(), make([]float32, len(s.Cells()))
	for _, id := range []int32{-1, 1 << 30} {
		tokens.IDs[0] = id
		if s.TokenCells(cells, tokens, 0, values); values[0] != UnseenID {
			t.Errorf("type %d is %v, want unseen", id, values[0])
		}
	}
}
