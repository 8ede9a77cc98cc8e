package infer

import (
	"crypto/sha256"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"moments/features"
	"moments/model"
	"moments/weights"
)

// ScorerOptions choose what a scorer computes. The zero value scores on all
// cores and gives no reasons.
type ScorerOptions struct {
	Workers int // goroutines that compute; 0 for one a core. Scores do not depend on it

	// Reasons is the number of reasons for each target and the anomaly. Those of
	// targets multiply the cost by about one plus the number of groups of columns
	// that are not typical.
	Reasons int

	SkipAnomaly bool // leave anomalies out, as if the bundle had no detector
	SkipTargets bool // leave targets out, as if the bundle had no classifier

	// Detectors are those that look for anomalies, by their names in
	// weights.Reference.Detectors; nil for all. P-values are for all together: of
	// one alone, compare its scores with the reference's of its name.
	Detectors []string

	Foreign Opener // of networks that were trained elsewhere; nil where no bundle has any
}

// A Scorer scores journeys with a bundle. It is safe for use by several
// goroutines.
type Scorer struct {
	bundle    *weights.Bundle
	options   ScorerOptions
	blend     *blend     // nil without targets
	evidence  []evidence // of anomalies; empty without a detector
	senses    *senses    // of what evidence is about; nil without a detector
	alerts    weights.Alerts
	occlusion *occlusion // nil without reasons of targets

	following   []*recurrent // networks of the blend that follow events
	foretelling []*recurrent // networks that foretell the next event

	numeric  int // columns of an example, by kind
	category int
	habits   int        // of an example; 0 where none are read
	widths   [parts]int // of a row that classifiers read

	fingerprint [sha256.Size]byte // of what the states of live journeys depend on
	workers     sync.Pool         // of *worker
}

// NewScorer compiles the networks of a bundle, which may not be changed while
// the scorer is in use.
func NewScorer(b *weights.Bundle, o ScorerOptions) (*Scorer, error) {
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("infer: %w", err)
	}
	if o.Workers < 0 || o.Reasons < 0 {
		return nil, fmt.Errorf("infer: %d workers and %d reasons, want at least 0", o.Workers, o.Reasons)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	s := &Scorer{bundle: b, options: o}
	for _, c := range b.Schema.Columns() {
		if c.Kind == features.Numeric {
			s.numeric++
		} else {
			s.category++
		}
	}
	s.widths = rowWidths(b.Schema, slices.ContainsFunc(b.Networks, func(n weights.Network) bool { return n.Foreign() }))
	s.workers.New = func() any { return s.newWorker() }
	for i := range b.Networks {
		if err := s.compile(&b.Networks[i]); err != nil {
			return nil, err
		}
	}
	if transitions := b.Reference.Transitions; len(transitions) > 0 && !o.SkipAnomaly {
		s.evidence = append(s.evidence, newChaining(b.Schema, transitions))
	}
	s.addNeighbours()
	if err := s.choose(o.Detectors); err != nil {
		return nil, err
	}
	if err := s.settleAlerts(); err != nil {
		return nil, err
	}
	s.settleJourneys()
	s.fingerprint = s.fingerprintStates()
	if s.blend != nil {
		s.blend.widths = s.widths
	}
	return s, s.addReasons()
}

// WithReasons is the scorer with so many reasons for each target and the anomaly
// in place of its own number. It shares the compiled networks, so it costs little
// more than the memory of its goroutines.
func (s *Scorer) WithReasons(reasons int) (*Scorer, error) {
	if reasons < 0 {
		return nil, fmt.Errorf("infer: %d reasons, want at least 0", reasons)
	}
	c := &Scorer{
		bundle: s.bundle, options: s.options, blend: s.blend, evidence: s.evidence, senses: s.senses, alerts: s.alerts,
		following: s.following, foretelling: s.foretelling, numeric: s.numeric, category: s.category, habits: s.habits,
		widths: s.widths, fingerprint: s.fingerprint,
	}
	c.options.Reasons = reasons
	c.workers.New = func() any { return c.newWorker() }
	return c, c.addReasons()
}

// Layout is what the values of the journeys that the scorer reads follow. It may
// not be changed.
func (s *Scorer) Layout() *features.Layout { return &s.bundle.Layout }

// Fingerprint tells the states of live journeys apart: scorers with the same one
// restore each other's.
func (s *Scorer) Fingerprint() [sha256.Size]byte { return s.fingerprint }

// addReasons makes what the reasons of targets are measured with, where they
// are wanted.
func (s *Scorer) addReasons() error {
	if s.options.Reasons == 0 || s.blend == nil {
		return nil
	}
	typical := s.bundle.Reference.Typical
	if len(typical.Numeric)+len(typical.Category) == 0 {
		return fmt.Errorf("infer: bundle %s has no typical values, which reasons are measured against", s.bundle.Name)
	}
	s.occlusion = newOcclusion(s.bundle.Schema, typical, s.widths)
	return nil
}

func (s *Scorer) has(detector string) bool {
	return slices.ContainsFunc(s.evidence, func(e evidence) bool { return e.name() == detector })
}

// choose leaves out the detectors that are not named.
func (s *Scorer) choose(names []string) error {
	if names == nil {
		return nil
	}
	for _, name := range names {
		if !s.has(name) {
			return fmt.Errorf("infer: bundle %s has no detector named %q", s.bundle.Name, name)
		}
	}
	s.evidence = slices.DeleteFunc(s.evidence, func(e evidence) bool { return !slices.Contains(names, e.name()) })
	return nil
}

// settleAlerts reads what anomalies mean, where any are looked for.
func (s *Scorer) settleAlerts() (err error) {
	if len(s.evidence) == 0 {
		return nil
	}
	if s.alerts, err = s.bundle.Alerts(); err != nil {
		return fmt.Errorf("infer: %w", err)
	}
	s.senses, err = newSenses(s.bundle.Schema, s.alerts.Senses)
	return err
}

// compile adds one network.
func (s *Scorer) compile(n *weights.Network) error {
	if n.Role != weights.Classifier && s.options.SkipAnomaly || n.Role == weights.Classifier && s.options.SkipTargets {
		return nil
	}
	if n.Foreign() {
		return s.addForeign(n)
	}
	g, err := n.Graph()
	if err != nil {
		return err
	}
	if n.Role == weights.Classifier && g.Outputs[model.OutputLast] != nil {
		return s.addJourney(n, g)
	}
	if n.Role == weights.Foreteller {
		return s.addForeteller(n, g)
	}
	if n.Role == weights.Classifier && n.Weight == 0 {
		return nil // no part of the blend
	}
	p, err := Compile(g, n.Values())
	if err != nil {
		return fmt.Errorf("%w (network %s)", err, n.Name)
	}
	if n.Role == weights.Denoiser {
		return s.addDenoiser(n, p)
	}
	s.addClassifier(compiled{Program: p}, n.Weight, batchFor(p))
	return nil
}

func (s *Scorer) addClassifier(f Foreign, weight float64, batch int) {
	if s.blend == nil {
		s.blend = &blend{targets: len(s.bundle.Targets), batch: math.MaxInt}
	}
	s.blend.networks = append(s.blend.networks, f)
	s.blend.weights = append(s.blend.weights, weight)
	s.blend.batch = min(s.blend.batch, batch)
}

// readsEvents says whether anything reads events one by one.
func (s *Scorer) readsEvents() bool {
	return len(s.following) > 0 || slices.ContainsFunc(s.evidence, ofEvents)
}

func (s *Scorer) evidenceOfEvents() (found []evidenceOfEvents) {
	for _, e := range s.evidence {
		if ofEvents(e) {
			found = append(found, e.(evidenceOfEvents))
		}
	}
	return found
}

func (s *Scorer) addDenoiser(n *weights.Network, p *Program) error {
	network, err := n.Saved.Load()
	if err != nil {
		return err
	}
	d, ok := network.(*model.Denoiser)
	const maxSteps = 10_000 // the noise of each takes memory
	if !ok || d.Steps < 1 || d.Steps > maxSteps {
		return fmt.Errorf("infer: network %s is a %s, want a denoiser of 1 to %d steps", n.Name, n.Saved.Kind, maxSteps)
	}
	s.evidence = append(s.evidence, &denoising{
		tableEvidence: newTableEvidence(s.bundle.Schema),
		program:       p, steps: newNoise(d, s.bundle.NoiseSeed), batch: batchFor(p),
	})
	if len(s.bundle.Schema.Habits) > 0 {
		s.evidence = append(s.evidence, newHabitual(s.bundle.Schema))
		s.habits = len(s.bundle.Schema.Habits)
	}
	return nil
}

// addNeighbours adds the detectors that compare with normal rows to those that
// are networks, where the bundle has both.
func (s *Scorer) addNeighbours() {
	if len(s.evidence) == 0 {
		return
	}
	saved, table := s.bundle.Reference.Neighbours, newTableEvidence(s.bundle.Schema)
	var standard []float32
	for _, space := range spaces {
		n, ok := saved[space.name]
		if !ok {
			continue
		}
		e := newNeighbouring(table, space, n)
		if !space.ranked {
			standard = e.rows
			s.evidence = append(s.evidence, newTailing(table, n.Rows))
		}
		if len(standard) == len(e.rows) {
			e.standard = standard
		}
		s.evidence = append(s.evidence, e)
	}
}

// batchFor is the number of rows whose buffers stay in a core's cache, and that
// still keep the products busy.
func batchFor(p *Program) int {
	const cached = 1 << 18 // values
	return min(max(cached/p.RowSize(), 16), 256)
}
