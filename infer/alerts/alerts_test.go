package alerts

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"moments/features"
	"moments/infer"
)

// slowAtLeast sums the distribution.
func slowAtLeast(k, n int, p float64) (sum float64) {
	for i := k; i <= n; i++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(a - b - c + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

func TestBinomialTailsMatchTheSum(t *testing.T) {
	for _, n := range []int{1, 2, 7, 60, 900} {
		for _, p := range []float64{1e-4, 0.02, 0.3, 0.5, 0.97} {
			for k := 0; k <= n; k += max(1, n/23) {
				want := 1.0
				if k > 0 {
					want = slowAtLeast(k, n, p)
				}
				if got := AtLeast(k, n, p); math.Abs(got-want) > 1e-9*max(1e-3, want) {
					t.Errorf("at least %d of %d at %v: %v, want %v", k, n, p, got, want)
				}
				if got, want := AtMost(k, n, p), 1-slowAtLeast(k+1, n, p); math.Abs(got-want) > 1e-9 {
					t.Errorf("at most %d of %d at %v: %v, want %v", k, n, p, got, want)
				}
			}
		}
	}
}

func TestInterval(t *testing.T) {
	for _, test := range []struct {
		n         int
		p         float64
		low, high int
	}{{100, 0.5, 40, 60}, {1000, 0.01, 4, 17}, {10, 0, 0, 0}, {1000, 0.001, 0, 3}} {
		if low, high := Interval(test.n, test.p, 0.95); low != test.low || high != test.high {
			t.Errorf("of %d at %v: %d to %d, want %d to %d", test.n, test.p, low, high, test.low, test.high)
		}
	}
}

// The interval is held against draws of the share and of the journeys.
func TestConformalInterval(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		fresh, calibration int
		alpha              float64
	}{{2000, 640, 0.01}, {500, 100, 0.05}, {300, 5000, 0.1}} {
		low, high := ConformalInterval(test.fresh, test.calibration, test.alpha, 0.95)
		const draws = 2000
		outside := 0
		for range draws {
			calibration := make([]float64, test.calibration)
			for i := range calibration {
				calibration[i] = random.Float64()
			}
			slices.Sort(calibration)
			k := int(test.alpha * float64(test.calibration+1))
			flagged := 0
			for range test.fresh {
				if random.Float64() < calibration[k-1] {
					flagged++
				}
			}
			if flagged < low || flagged > high {
				outside++
			}
		}
		if share := float64(outside) / draws; share > 0.065 || share < 0.02 {
			t.Errorf("%+v: %d to %d leaves %.3f out, want about .05", test, low, high, share)
		}
		if l, h := Interval(test.fresh, test.alpha, 0.95); high-low < h-l {
			t.Errorf("%+v: %d to %d, narrower than without the chance of calibration, %d to %d", test, low, high, l, h)
		}
	}
	if low, high := ConformalInterval(1000, 98, 0.01, 0.95); low != 0 || high != 0 {
		t.Errorf("98 journeys flag %d to %d of 1,000 at 1 %%, want none", low, high)
	}
}

// The worked example of Benjamini and Hochberg's section 3.2, in adjusted form.
func TestAdjust(t *testing.T) {
	p := []float64{0.4262, 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.5719, 0.6528, 0.7590, 1}
	kept := 0
	for _, q := range adjust(p, 0) {
		if q <= 0.05 {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d of the example's hypotheses are rejected, want 4", kept)
	}
	if got := adjust([]float64{0.01}, 50)[0]; got != 0.5 {
		t.Errorf("one of 50 tests at 0.01: %v, want 0.5", got)
	}
}

const start int64 = 1_750_000_000 * features.Second / features.Day * features.Day

func schema(t *testing.T, journeys []features.Journey) *features.Schema {
	t.Helper()
	f := features.NewFitter(features.Layout{
		Profile: []features.Field{{Name: "region", Kind: features.Categorical}},
		Event:   []features.Field{{Name: "channel", Kind: features.Categorical}},
	}, features.Options{})
	for i := range journeys {
		f.Add(&journeys[i], features.Cutoff{Time: start + 60*features.Day, Events: len(journeys[i].Events)})
	}
	s, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shop makes journeys of carts, of which a twentieth fail to be paid, and on the
// day out nine tenths of those in the app.
func shop(random *rand.Rand, customers int, out int64) []features.Journey {
	var journeys []features.Journey
	for i := range customers {
		j := features.Journey{Customer: fmt.Sprint("c", i), Profile: []features.Value{features.Text([]string{"north", "south"}[i%2])}}
		for day := range int64(60) {
			if random.IntN(10) > 0 {
				continue
			}
			channel, fails := []string{"app", "web"}[random.IntN(2)], 0.05
			if day == out && channel == "app" {
				fails = 0.9
			}
			at := start + day*features.Day + random.Int64N(20*features.Hour)
			add := func(typ string, after int64) {
				j.Events = append(j.Events, features.Event{Time: at + after, Type: typ, Values: []features.Value{features.Text(channel)}})
			}
			add("visit", 0)
			add("cart", features.Minute)
			if random.Float64() < fails {
				add("failure", 2*features.Minute)
				add("failure", 3*features.Minute)
			} else {
				add("purchase", 4*features.Minute)
			}
		}
		journeys = append(journeys, j)
	}
	return journeys
}

func incidents(t *testing.T, journeys []features.Journey) []Incident {
	t.Helper()
	points, err := NewTouchpoints(schema(t, journeys), Options{From: start, To: start + 60*features.Day})
	if err != nil {
		t.Fatal(err)
	}
	for i := range journeys {
		points.Add(&journeys[i], features.Cutoff{Events: len(journeys[i].Events)})
	}
	return points.Incidents()
}

// A day on which one channel's checkout is broken shows as one rise of failures
// and one fall of purchases, in that channel and on that day.
func TestABrokenTouchpointIsFound(t *testing.T) {
	found := incidents(t, shop(rand.New(rand.NewPCG(1, 1)), 300, 41))
	if len(found) != 2 {
		t.Fatalf("%d incidents, want 2: %+v", len(found), found)
	}
	for _, i := range found {
		wantRise := i.Event == "failure"
		if i.Event != "failure" && i.Event != "purchase" || i.Rise != wantRise {
			t.Errorf("incident %+v, want more failures and fewer purchases", i)
		}
		day := start + 41*features.Day
		if i.Attribute != "channel" || i.Level != "app" || i.First < day || i.Last >= day+features.Day || i.Adjusted > 1e-4 {
			t.Errorf("incident %+v, want the app on day 41", i)
		}
	}
	if first := found[0]; first.Customers < first.Of/2 && first.Rise || first.Also == 0 {
		t.Errorf("incident %+v, want most customers, and other touchpoints that show it", first)
	}
}

// Where nothing is broken, nothing is found: over many bases the share with a
// finding is no more than what was accepted.
func TestNothingIsFoundWhereNothingHappened(t *testing.T) {
	bases := 0
	for seed := range uint64(30) {
		if len(incidents(t, shop(rand.New(rand.NewPCG(seed, 2)), 120, -1))) > 0 {
			bases++
		}
	}
	if bases > 2 {
		t.Errorf("%d of 30 bases have a finding, want about 0.3", bases)
	}
}

// A cause that gathers in one region rises there, and the number of flagged
// journeys is compared with what the alert rate promises.
func TestGroupsThatRise(t *testing.T) {
	journeys := shop(rand.New(rand.NewPCG(3, 3)), 1000, -1)
	g, err := NewJourneys(schema(t, journeys), 0.01, Options{From: start, To: start + 61*features.Day, Every: 61 * features.Day})
	if err != nil {
		t.Fatal(err)
	}
	for i := range journeys {
		s := infer.Score{Customer: journeys[i].Customer, Cutoff: start + 60*features.Day, Anomaly: 0.5}
		if i%40 == 0 { // all of them in the north, whose numbers are even
			s.Alert, s.Anomaly = true, 0.001
			s.Causes = []infer.Cause{{Group: "event:login", Event: -1, Direction: infer.Negative}}
		}
		g.Add(&journeys[i], &s)
	}
	causes, risen := g.Groups()
	if len(causes) != 1 || causes[0].Cause != "event:login negative" || causes[0].Customers != 25 || causes[0].Of != 1000 || causes[0].Severity != 3 {
		t.Errorf("causes %+v, want 25 logins of severity 3", causes)
	}
	north := func(r Group) bool {
		return r.Cause == "event:login negative" && r.Dimension == "region" && r.Level == "north"
	}
	whole := func(r Group) bool { return r.Cause == "" && r.Dimension == "" && r.Customers == 25 && r.Expected == 10 }
	if !slices.ContainsFunc(risen, north) || !slices.ContainsFunc(risen, whole) {
		t.Errorf("risen %+v, want the north's logins, and 25 where 10 were promised", risen)
	}
	if slices.ContainsFunc(risen, func(r Group) bool { return r.Level == "south" || r.Dimension == Stage }) {
		t.Errorf("risen %+v, want neither the south nor a stage", risen)
	}
}

func TestWrongOptions(t *testing.T) {
	s := schema(t, shop(rand.New(rand.NewPCG(4, 4)), 20, -1))
	for want, o := range map[string]Options{
		"want a span":      {From: 5, To: 5},
		"positive numbers": {To: 5, Every: -1},
		"periods, want":    {To: 1 << 60},
		"rate is 2":        {To: 5, Rate: 2},
	} {
		if _, err := NewTouchpoints(s, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %q", o, err, want)
		}
		if _, err := NewJourneys(s, 0.01, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %q", o, err, want)
		}
	}
}

func ExampleAtLeast() {
	fmt.Printf("%.4f\n", AtLeast(5, 100, 0.01)) // 5 flagged of 100, where 1 % are by chance
	// Output: 0.0034
}
