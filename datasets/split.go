package datasets

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Part is what an example is used for.
type Part uint8

const (
	None       Part = iota // for nothing
	Train                  // fits the schema and the weights
	Validation             // stops training, blends, calibrates
	Test                   // is scored once
)

// String is the part's name in files.
func (p Part) String() string {
	return [...]string{"none", "train", "validation", "test"}[p]
}

// A Ref is what a split needs to know of an example.
type Ref struct {
	Customer string
	Time     int64     // of the cutoff, in microseconds
	Labels   []float32 // one per target, NaN unknown

	Anomalous bool // a labelled anomaly
}

// Split gives every example a part; all examples of a customer have the same
// one, or None.
//
// By customer, a random share of the customers is the test part and a share of
// the rest the validation part. Both are stratified by the labels of the
// customer's last example, so that rare outcomes are in every part. The parts
// depend on the seed and the customers' ids, not on the order of the examples.
//
// By time, customers are ordered by their first cutoff: the last share of them
// is the test part, and the last share of the rest the validation part.
// Examples of a customer before the test part whose cutoff is not before the
// first cutoff of the test part are None: a network that is put to work on that
// day has not seen them. Customers of equal time stay together, and a split
// that leaves a part empty is an error.
func Split(refs []Ref, spec SplitSpec) ([]Part, error) {
	groups := groupByCustomer(refs)
	parts := make([]Part, len(refs))
	if spec.By == "time" {
		slices.SortStableFunc(groups, byTime)
		cut := cutByTime(groups, len(groups)-share(len(groups), spec.Test))
		if err := timeParts(parts, refs, groups[:cut], groups[cut:], spec.Validation); err != nil {
			return nil, err
		}
		return parts, checkParts(parts, "split")
	}
	test, rest := draw(groups, spec.Test, spec.Seed)
	validation, train := draw(rest, spec.Validation, spec.Seed+1)
	give(parts, test, Test)
	give(parts, validation, Validation)
	give(parts, train, Train)
	return parts, checkParts(parts, "split")
}

// Folds gives every example a part in each of several folds: [fold][ref].
//
// By customer, every customer is tested in exactly one fold, and the validation
// part is a share of the rest; all stratified as in [Split].
//
// By time, the folds are rolling origins: the customers, ordered by their first
// cutoff, are divided into folds + 1 blocks of equal size. Fold i, from 0,
// trains on the first i + 1 blocks, of whose customers the last share is the
// validation part, and tests on the block that follows. Later blocks are None,
// and so are examples of earlier customers that are not before the first cutoff
// of the block under test.
func Folds(refs []Ref, spec SplitSpec, folds int) ([][]Part, error) {
	if folds < 2 {
		return nil, fmt.Errorf("datasets: got %d folds, want 2 or more", folds)
	}
	groups := groupByCustomer(refs)
	if len(groups) <= folds {
		return nil, fmt.Errorf("datasets: got %d customers for %d folds, want more customers", len(groups), folds)
	}
	all := make([][]Part, folds)
	for i := range all {
		all[i] = make([]Part, len(refs))
	}
	var err error
	if spec.By == "time" {
		err = rollingOrigins(all, refs, groups, spec)
	} else {
		stratifiedFolds(all, groups, spec)
	}
	for i := range all {
		err = firstError(err, checkParts(all[i], fmt.Sprintf("fold %d", i)))
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// stratifiedFolds deals the customers, ordered by their labels, to the folds in
// turn, and draws each fold's validation part from the others.
func stratifiedFolds(all [][]Part, groups []*group, spec SplitSpec) {
	sortStrata(groups, spec.Seed)
	for f, parts := range all {
		var test, rest []*group
		for i, g := range groups {
			if i%len(all) == f {
				test = append(test, g)
			} else {
				rest = append(rest, g)
			}
		}
		validation, train := draw(rest, spec.Validation, spec.Seed+1+uint64(f))
		give(parts, test, Test)
		give(parts, validation, Validation)
		give(parts, train, Train)
	}
}

func rollingOrigins(all [][]Part, refs []Ref, groups []*group, spec SplitSpec) error {
	slices.SortStableFunc(groups, byTime)
	bounds := make([]int, len(all)+2)
	for i := range bounds {
		bounds[i] = cutByTime(groups, len(groups)*i/(len(all)+1))
	}
	for i, parts := range all {
		if err := timeParts(parts, refs, groups[:bounds[i+1]], groups[bounds[i+1]:bounds[i+2]], spec.Validation); err != nil {
			return err
		}
	}
	return nil
}

// timeParts divides the past into training and validation, and tests on what
// follows. Both are ordered by time.
func timeParts(parts []Part, refs []Ref, past, future []*group, validation float64) error {
	if len(past) == 0 || len(future) == 0 {
		return fmt.Errorf("datasets: a split by time leaves %d customers before and %d after its cut; want cutoffs at different times, or split: {by: customer}", len(past), len(future))
	}
	cut := cutByTime(past, len(past)-share(len(past), validation))
	give(parts, past[:cut], Train)
	give(parts, past[cut:], Validation)
	for _, g := range past {
		for _, r := range g.refs {
			if refs[r].Time >= future[0].first {
				parts[r] = None
			}
		}
	}
	give(parts, future, Test)
	return nil
}

// cutByTime moves a cut back so that customers of equal time stay together.
func cutByTime(groups []*group, cut int) int {
	for cut > 0 && cut < len(groups) && groups[cut].first == groups[cut-1].first {
		cut--
	}
	return cut
}

// A group is one customer's examples.
type group struct {
	customer string
	refs     []int
	first    int64  // cutoff
	labels   string // the stratum
	hash     uint64
}

// groupByCustomer collects the examples of each customer, in the order of ids.
func groupByCustomer(refs []Ref) []*group {
	index := map[string]*group{}
	for i, r := range refs {
		g := index[r.Customer]
		if g == nil {
			g = &group{customer: r.Customer, first: math.MaxInt64}
			index[r.Customer] = g
		}
		g.refs = append(g.refs, i)
		g.first = min(g.first, r.Time)
	}
	groups := make([]*group, 0, len(index))
	for _, g := range index {
		last := slices.MaxFunc(g.refs, func(a, b int) int { return cmp.Compare(refs[a].Time, refs[b].Time) })
		if g.labels = fmt.Sprint(refs[last].Labels); refs[last].Anomalous {
			g.labels += " anomalous"
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.customer, b.customer) })
	return groups
}

// sortStrata orders customers by their labels, and at random among equal ones.
func sortStrata(groups []*group, seed uint64) {
	for _, g := range groups {
		g.hash = customerHash(seed, g.customer)
	}
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.labels, b.labels), cmp.Compare(a.hash, b.hash), cmp.Compare(a.customer, b.customer))
	})
}

// draw takes a stratified share of the customers: systematic sampling along
// their order by labels, which is exact for the whole and within one customer
// of it for every combination of labels.
func draw(groups []*group, share float64, seed uint64) (drawn, rest []*group) {
	groups = slices.Clone(groups)
	sortStrata(groups, seed)
	due := func(i int) int { return int(math.Floor(float64(i)*share + 0.5)) }
	for i, g := range groups {
		if due(i+1) > due(i) {
			drawn = append(drawn, g)
		} else {
			rest = append(rest, g)
		}
	}
	return drawn, rest
}

func byTime(a, b *group) int { return cmp.Compare(a.first, b.first) }

// share rounds a share of n to whole customers.
func share(n int, of float64) int { return int(math.Round(float64(n) * of)) }

func give(parts []Part, groups []*group, part Part) {
	for _, g := range groups {
		for _, r := range g.refs {
			parts[r] = part
		}
	}
}

// checkParts demands an example in every part.
func checkParts(parts []Part, what string) error {
	var count [4]int
	for _, p := range parts {
		count[p]++
	}
	if count[Train] == 0 || count[Validation] == 0 || count[Test] == 0 {
		return fmt.Errorf("datasets: %s has %d training, %d validation and %d test examples, want at least one of each", what, count[Train], count[Validation], count[Test])
	}
	return nil
}
