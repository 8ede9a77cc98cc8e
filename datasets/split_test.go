package datasets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomRefs has customers with one to three examples; one label in five is
// positive.
func randomRefs(customers int, seed uint64) []Ref {
	r := rand.New(rand.NewPCG(seed, 0))
	var refs []Ref
	for c := range customers {
		label, start := float32(0), r.Int64N(1_000_000)
		if r.IntN(5) == 0 {
			label = 1
		}
		for k := range 1 + r.IntN(3) {
			refs = append(refs, Ref{Customer: fmt.Sprint("customer ", c), Time: start + int64(k)*1000, Labels: []float32{label}})
		}
	}
	r.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	return refs
}

// customersOf lists the customers of each part, sorted.
func customersOf(refs []Ref, parts []Part) map[Part][]string {
	out := map[Part][]string{}
	for i, r := range refs {
		out[parts[i]] = append(out[parts[i]], r.Customer)
	}
	for p := range out {
		slices.Sort(out[p])
		out[p] = slices.Compact(out[p])
	}
	return out
}

// checkDisjoint demands that no customer is in two parts.
func checkDisjoint(t *testing.T, refs []Ref, parts []Part) {
	t.Helper()
	of := map[string]Part{}
	for i, r := range refs {
		if parts[i] == None {
			continue
		}
		if before, ok := of[r.Customer]; ok && before != parts[i] {
			t.Fatalf("%s is in %s and %s", r.Customer, before, parts[i])
		}
		of[r.Customer] = parts[i]
	}
}

// positiveRate is the share of positive customers in a part.
func positiveRate(refs []Ref, parts []Part, part Part) float64 {
	labels, positive := map[string]float32{}, 0.0
	for i, r := range refs {
		if parts[i] == part {
			labels[r.Customer] = r.Labels[0]
		}
	}
	for _, l := range labels {
		positive += float64(l)
	}
	return positive / float64(len(labels))
}

func TestSplitByCustomer(t *testing.T) {
	refs := randomRefs(1000, 1)
	spec := SplitSpec{By: "customer", Test: 0.2, Validation: 0.25, Seed: 3}
	parts, err := Split(refs, spec)
	if err != nil {
		t.Fatal(err)
	}
	checkDisjoint(t, refs, parts)
	sets := customersOf(refs, parts)
	if len(sets[Test]) != 200 || len(sets[Validation]) != 200 || len(sets[Train]) != 600 || len(sets[None]) != 0 {
		t.Errorf("got %d test, %d validation, %d training customers, want 200, 200 and 600", len(sets[Test]), len(sets[Validation]), len(sets[Train]))
	}
	for _, p := range []Part{Train, Validation, Test} {
		if rate := positiveRate(refs, parts, p); math.Abs(rate-positiveRate(refs, parts, Train)) > 0.01 {
			t.Errorf("%s: %.3f of the examples are positive, not stratified", p, rate)
		}
	}
	// The order of the examples is of no account, and the seed is.
	shuffled := slices.Clone(refs)
	rand.New(rand.NewPCG(9, 9)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	again, err := Split(shuffled, spec)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(customersOf(shuffled, again)) != fmt.Sprint(sets) {
		t.Error("the split depends on the order")
	}
	spec.Seed++
	other, err := Split(refs, spec)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(parts, other) {
		t.Error("another seed gives the same split")
	}
}

func TestSplitByTime(t *testing.T) {
	refs := randomRefs(1000, 2)
	parts, err := Split(refs, SplitSpec{By: "time", Test: 0.2, Validation: 0.25, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	checkDisjoint(t, refs, parts)
	checkPast(t, refs, parts)
	if n := len(customersOf(refs, parts)[Test]); n != 200 {
		t.Errorf("got %d test customers, want 200", n)
	}
}

// checkPast demands that nothing which is trained on lies after the first
// cutoff under test, and that validation follows training by first cutoffs.
func checkPast(t *testing.T, refs []Ref, parts []Part) {
	t.Helper()
	first := map[string]int64{}
	for _, r := range refs {
		if at, ok := first[r.Customer]; !ok || r.Time < at {
			first[r.Customer] = r.Time
		}
	}
	test, lastTrain, firstValidation := int64(math.MaxInt64), int64(0), int64(math.MaxInt64)
	for i, r := range refs {
		switch parts[i] {
		case Test:
			test = min(test, r.Time)
		case Train:
			lastTrain = max(lastTrain, first[r.Customer])
		case Validation:
			firstValidation = min(firstValidation, first[r.Customer])
		}
	}
	for i, r := range refs {
		if (parts[i] == Train || parts[i] == Validation) && r.Time >= test {
			t.Fatalf("%s: an example at %d is trained on, the test begins at %d", r.Customer, r.Time, test)
		}
	}
	if lastTrain >= firstValidation {
		t.Errorf("training reaches to %d, validation begins at %d", lastTrain, firstValidation)
	}
}

func TestFoldsByCustomer(t *testing.T) {
	refs := randomRefs(503, 4)
	folds, err := Folds(refs, SplitSpec{By: "customer", Test: 0.2, Validation: 0.2, Seed: 1}, 5)
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]int{}
	for f, parts := range folds {
		checkDisjoint(t, refs, parts)
		sets := customersOf(refs, parts)
		for _, c := range sets[Test] {
			tested[c]++
		}
		if n := len(sets[Test]); n < 100 || n > 101 {
			t.Errorf("fold %d tests %d customers, want 100 or 101", f, n)
		}
		if n := len(sets[Validation]); n < 80 || n > 81 {
			t.Errorf("fold %d validates on %d customers, want about 80", f, n)
		}
		if rate := positiveRate(refs, parts, Test); math.Abs(rate-0.2) > 0.03 {
			t.Errorf("fold %d: %.3f of the tests are positive, not stratified", f, rate)
		}
	}
	if len(tested) != 503 {
		t.Errorf("%d customers are tested, want all 503", len(tested))
	}
	for c, n := range tested {
		if n != 1 {
			t.Errorf("%s is tested %d times", c, n)
		}
	}
}

func TestRollingOrigins(t *testing.T) {
	refs := randomRefs(600, 5)
	folds, err := Folds(refs, SplitSpec{By: "time", Validation: 0.2}, 5)
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	for f, parts := range folds {
		checkDisjoint(t, refs, parts)
		checkPast(t, refs, parts)
		sets := customersOf(refs, parts)
		if n := len(sets[Test]); n < 98 || n > 102 {
			t.Errorf("fold %d tests %d customers, want about 100", f, n)
		}
		if past := len(sets[Train]) + len(sets[Validation]); past <= before {
			t.Errorf("fold %d trains on %d customers, no more than the fold before", f, past)
		} else {
			before = past
		}
	}
}

func TestBadSplits(t *testing.T) {
	same := []Ref{{Customer: "a", Time: 5}, {Customer: "b", Time: 5}, {Customer: "c", Time: 5}, {Customer: "d", Time: 5}}
	tests := []struct {
		name string
		run  func() error
		want string
	}{
		{"no example", func() error { _, err := Split(nil, SplitSpec{By: "customer", Test: 0.2, Validation: 0.2}); return err }, "0 training"},
		{"one customer", func() error {
			_, err := Split(same[:1], SplitSpec{By: "customer", Test: 0.2, Validation: 0.2})
			return err
		}, "0 validation"},
		{"one moment", func() error { _, err := Split(same, SplitSpec{By: "time", Test: 0.2, Validation: 0.2}); return err }, "want cutoffs at different times"},
		{"one fold", func() error { _, err := Folds(same, SplitSpec{By: "customer", Validation: 0.2}, 1); return err }, "got 1 folds"},
		{"more folds than customers", func() error { _, err := Folds(same, SplitSpec{By: "customer", Validation: 0.2}, 4); return err }, "got 4 customers for 4 folds"},
		{"folds of one moment", func() error { _, err := Folds(same, SplitSpec{By: "time", Validation: 0.2}, 2); return err }, "want cutoffs at different times"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.run(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ...%s...", err, test.want)
			}
		})
	}
}

// Small data still has an example in every part.
func TestSmallSplits(t *testing.T) {
	for n := 5; n < 40; n++ {
		refs := randomRefs(n, uint64(n))
		if _, err := Split(refs, SplitSpec{By: "customer", Test: 0.2, Validation: 0.2, Seed: 1}); err != nil {
			t.Errorf("%d customers: %v", n, err)
		}
	}
}
