package datasets

import (
	"testing"

	"moments/features"
)

// TestDivision divides the cuts of a split by time: one customer's second cut
// lies beyond the origin and is in no part, its first still trains, and extra
// cuts train only up to the last training cut.
func TestDivision(t *testing.T) {
	refs := []Ref{{Customer: "a", Time: 10}, {Customer: "a", Time: 90}, {Customer: "b", Time: 20}, {Customer: "c", Time: 80}}
	d := NewDivision(refs, []Part{Train, None, Train, Test})
	cut := func(customer string, time int64, extra bool) *Cut {
		return &Cut{Journey: &features.Journey{Customer: customer}, Cutoff: features.Cutoff{Time: time}, Extra: extra}
	}
	for _, row := range []struct {
		name string
		n    int
		cut  *Cut
		want Part
	}{
		{"first of a", 0, cut("a", 10, false), Train},
		{"second of a, beyond the origin", 1, cut("a", 90, false), None},
		{"extra of a", 2, cut("a", 15, true), Train},
		{"extra of a, beyond the origin", 2, cut("a", 85, true), None},
		{"b", 2, cut("b", 20, false), Train},
		{"tested", 3, cut("c", 80, false), Test},
		{"extra of a tested customer", 4, cut("c", 5, true), None},
		{"without label", 4, cut("d", 15, true), Train},
		{"without label, beyond the origin", 4, cut("d", 85, true), None},
	} {
		if got := d.Part(row.n, row.cut); got != row.want {
			t.Errorf("%s: got part %v, want %v", row.name, got, row.want)
		}
	}
	byCustomer := NewDivision([]Ref{{Customer: "a", Time: 10}, {Customer: "b", Time: 10}}, []Part{Train, Test})
	if got := byCustomer.Part(1, cut("a", 85, true)); got != Train {
		t.Errorf("where customers are divided, a later extra cut is in part %v, want %v", got, Train)
	}
}
