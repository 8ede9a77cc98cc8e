package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// normalizeColumn fits a normalizer on one numeric profile column.
func normalizeColumn(t testing.TB, values []float64) *Schema {
	t.Helper()
	s := fitProfiles(t, Numeric, repeat(len(values), func(i int) Value { return Number(values[i]) }))
	examples := make([]Example, len(values))
	for i, x := range values {
		s.NewEncoder().EncodeJourney(&Journey{Profile: []Value{Number(x)}}, Cutoff{}, &examples[i])
	}
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	return s
}

// normalized is one number's place in the numeric and the binary row.
func normalized(s *Schema, x float64) (number float32, binary []float32) {
	var ex Example
	s.NewEncoder().EncodeJourney(&Journey{Profile: []Value{Number(x)}}, Cutoff{}, &ex)
	n, b, c, _ := s.Table()
	row, bits := make([]float32, n), make([]float32, b)
	s.Normalize(&ex, row, bits, make([]float32, len(c)))
	return row[0], bits
}

// A normalised value is the normal quantile of its middle rank, found here by
// counting, up to the resolution of the quantiles.
func TestNormalizeAgreesWithCountingRanks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"normal":        r.NormFloat64,
		"long tail":     func() float64 { return math.Exp(3 * r.NormFloat64()) },
		"even":          func() float64 { return 100 + r.Float64() },
		"small counts":  func() float64 { return math.Floor(r.ExpFloat64() * 3) },
		"mostly zeros":  func() float64 { return max(0, r.NormFloat64()-.5) },
		"large offset":  func() float64 { return 1.6e9 + math.Floor(r.Float64()*1e6) },
		"two values":    func() float64 { return float64(r.IntN(2)) },
		"negative sums": func() float64 { return -1e6 * r.ExpFloat64() },
	} {
		t.Run(name, func(t *testing.T) {
			values := make([]float64, 6000)
			for i := range values {
				values[i] = float64(float32(draw()))
			}
			s := normalizeColumn(t, values)
			sorted := slices.Sorted(slices.Values(values))
			for _, x := range values[:200] {
				below := sort.SearchFloat64s(sorted, x)
				above := sort.Search(len(sorted), func(i int) bool { return sorted[i] > x })
				want := (float64(below) + float64(above-1)) / 2 / float64(len(sorted)-1)
				z, _ := normalized(s, x)
				got := .5 * math.Erfc(-float64(z)/math.Sqrt2)
				if math.Abs(got-want) > 1.0/199 {
					t.Fatalf("%g has rank %g, want %g", x, got, want)
				}
			}
		})
	}
}

func TestNormalizeBeyondTrainingAndMissing(t *testing.T) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = float64(i % 100)
	}
	values[0] = math.NaN()
	s := normalizeColumn(t, values)
	for x, want := range map[float64]float32{-1: -5.1993375, 100: 5.1993375, 3e38: 5.1993375, math.NaN(): 0, math.Inf(1): 0} {
		got, bits := normalized(s, x)
		absent := float32(0)
		if want == 0 {
			absent = 1
		}
		if got != want || len(bits) != 1 || bits[0] != absent {
			t.Errorf("%g: got %g and the indicators %v, want %g and [%g]", x, got, bits, want, absent)
		}
	}
}

func TestNormalizeIsMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 3000)
	for i := range values {
		values[i] = math.Round(r.NormFloat64()*20) / 4
	}
	s := normalizeColumn(t, values)
	before := float32(-10)
	for x := -20.0; x < 20; x += .013 {
		got, _ := normalized(s, x)
		if got < before {
			t.Fatalf("%g becomes %g, below %g of a smaller number", x, got, before)
		}
		before = got
	}
}

func TestQuantilesAreStoredCompactly(t *testing.T) {
	flags := make([]float64, 6000)
	even := make([]float64, 6001)
	for i := range even {
		even[i] = float64(i) / 2
	}
	for i := range flags {
		flags[i] = float64(i % 2)
	}
	for name, test := range map[string]struct {
		values []float64
		most   int
	}{"two values": {flags, 4}, "a straight line": {even, 2}} {
		if got := len(normalizeColumn(t, test.values).Normalizer.Numeric[0].Quantiles); got > test.most {
			t.Errorf("%s: %d quantiles are stored, want %d", name, got, test.most)
		}
	}
}

func TestBinsHoldEqualMass(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	values := make([]float64, 4800)
	for i := range values {
		values[i] = r.ExpFloat64()
	}
	s := normalizeColumn(t, values)
	_, _, _, edges := s.Table()
	if len(edges[0]) != 49 {
		t.Fatalf("%d edges, want 49", len(edges[0]))
	}
	counts := make([]int, 48)
	for _, x := range values {
		z, _ := normalized(s, x)
		bin := sort.Search(47, func(i int) bool { return edges[0][i+1] > z })
		counts[bin]++
	}
	for bin, count := range counts {
		if count < 85 || count > 115 {
			t.Errorf("bin %d holds %d of 4800 values, want about 100", bin, count)
		}
	}
}

func TestColumnsThatSayNothingNewAreLeftOut(t *testing.T) {
	f := NewFitter(Layout{Profile: []Field{{"a", Numeric}, {"twin", Numeric}, {"gone", Numeric}, {"b", Categorical}}}, Options{})
	profile := func(i int) []Value {
		x := Number(float64(i % 7))
		if i%5 == 0 {
			x = Missing()
		}
		return []Value{x, x, Number(float64(i % 3)), Text(fmt.Sprint("level", i%2))}
	}
	var examples []Example
	for i := range 100 {
		f.Add(&Journey{Customer: fmt.Sprint(i), Profile: profile(i)}, Cutoff{})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		var ex Example
		s.NewEncoder().EncodeJourney(&Journey{Profile: profile(i)}, Cutoff{}, &ex)
		ex.Numeric[2] = 4 // constant among these examples
		examples = append(examples, ex)
	}
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	want := []string{"a", "a=(missing)", "b=level0", "b=level1"}
	if got := s.StandardColumns(); !slices.Equal(got, want) {
		t.Errorf("columns %q, want %q", got, want)
	}
}

func TestSmallVocabulariesAreOneHotAndLargeOnesIds(t *testing.T) {
	f := NewFitter(Layout{Profile: []Field{{"nine", Categorical}, {"ten", Categorical}}}, Options{})
	var journeys []*Journey
	for i := range 900 {
		j := &Journey{Customer: fmt.Sprint(i), Profile: []Value{Text(fmt.Sprintf("n%d", i%9)), Text(fmt.Sprintf("t%d", i%10))}}
		if i == 0 || i == 450 {
			j.Profile[0] = Missing()
		}
		if i == 1 {
			j.Profile[0] = Text("rare")
		}
		f.Add(j, Cutoff{})
		journeys = append(journeys, j)
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	examples := encodeAll(s, journeys, make([]Cutoff, len(journeys)))
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	numeric, binary, cardinalities, _ := s.Table()
	if numeric != 0 || binary != 11 || !slices.Equal(cardinalities, []int{12}) {
		t.Fatalf("shapes %d, %d, %v, want 0, 11 (nine levels, missing, unseen), [12]", numeric, binary, cardinalities)
	}
	for _, test := range []struct {
		nine, ten string
		hot       string // the column that is 1
		id        float32
	}{{"n3", "t4", "nine=n3", 6}, {"", "", "nine=(missing)", 0}, {"new", "new", "nine=(unseen)", 1}} {
		var ex Example
		s.NewEncoder().EncodeJourney(&Journey{Profile: []Value{Text(test.nine), Text(test.ten)}}, Cutoff{}, &ex)
		bits, ids := make([]float32, binary), make([]float32, 1)
		s.Normalize(&ex, nil, bits, ids)
		for i, name := range s.StandardColumns() {
			if want := name == test.hot; (bits[i] == 1) != want {
				t.Errorf("%q: column %s is %g", test.nine, name, bits[i])
			}
		}
		if got := slices.Index(s.Levels()[1], test.ten) + FirstKnownID; ids[0] != test.id && ids[0] != float32(got) {
			t.Errorf("%q: id %g, want %g", test.ten, ids[0], test.id)
		}
	}
}

func TestStandardizeHasMeanZeroAndDeviationOne(t *testing.T) {
	s, journeys, cuts := fitShop(t, Options{}, 400)
	examples := encodeAll(s, journeys, cuts)
	examples[3].Numeric[1] = float32(math.Inf(1)) // never the encoder's, but it must do no harm
	if err := s.FitNormalizer(examples, 1); err != nil {
		t.Fatal(err)
	}
	width := s.StandardWidth()
	if width != len(s.StandardColumns()) || width != len(s.Normalizer.Numeric)+len(s.Normalizer.Binary) {
		t.Fatalf("width %d, %d names", width, len(s.StandardColumns()))
	}
	row, sum, squares, clipped := make([]float32, width), make([]float64, width), make([]float64, width), make([]bool, width)
	for i := range examples {
		s.Standardize(&examples[i], row)
		for k, x := range row {
			sum[k] += float64(x)
			squares[k] += float64(x) * float64(x)
			clipped[k] = clipped[k] || math.Abs(float64(x)) >= 10
			if !(math.Abs(float64(x)) <= 10) {
				t.Fatalf("column %s: %g beyond 10 deviations", s.StandardColumns()[k], x)
			}
		}
	}
	for k, name := range s.StandardColumns() {
		present := 1.0
		if k < len(s.Normalizer.Numeric) {
			count := 0
			for i := range examples {
				if finite(examples[i].Numeric[s.Normalizer.Numeric[k].Column]) {
					count++
				}
			}
			present = float64(count) / float64(len(examples))
		}
		mean, variance := sum[k]/float64(len(examples)), squares[k]/float64(len(examples))/present
		if !clipped[k] && (math.Abs(mean) > 1e-3 || math.Abs(variance-1) > 1e-3) {
			t.Errorf("column %s: mean %g, variance %g, want 0 and 1", name, mean, variance)
		}
	}
}

func TestFitNormalizerIsDeterministicAndChecksItsExamples(t *testing.T) {
	hash := func(seed uint64) string {
		s, journeys, cuts := fitShop(t, Options{}, 200)
		if err := s.FitNormalizer(encodeAll(s, journeys, cuts), seed); err != nil {
			t.Fatal(err)
		}
		return s.Hash()
	}
	if first, second := hash(1), hash(1); first != second {
		t.Error("two fits differ")
	}
	s, _, _ := fitShop(t, Options{}, 50)
	for name, examples := range map[string][]Example{"none": nil, "of another schema": {{Numeric: []float32{1}}}} {
		if err := s.FitNormalizer(examples, 1); err == nil {
			t.Errorf("examples %s: no error", name)
		}
	}
}

func TestQuantileRowsOfLargeDataAreAChoiceBySeed(t *testing.T) {
	a, b, again := quantileRows(250_000, 1), quantileRows(250_000, 2), quantileRows(250_000, 1)
	if len(a) != maxQuantileRows || !ascends(a) || slices.Equal(a, b) || !slices.Equal(a, again) {
		t.Errorf("%d rows", len(a))
	}
}

func BenchmarkNormalize(b *testing.B) {
	s, journeys, cuts := fitShop(b, Options{}, 1000)
	examples := encodeAll(s, journeys, cuts)
	if err := s.FitNormalizer(examples, 1); err != nil {
		b.Fatal(err)
	}
	n, w, c, _ := s.Table()
	numeric, binary, category := make([]float32, n), make([]float32, w), make([]float32, len(c))
	for i := 0; b.Loop(); i++ {
		s.Normalize(&examples[i%len(examples)], numeric, binary, category)
	}
	b.ReportMetric(float64(n), "columns")
}
