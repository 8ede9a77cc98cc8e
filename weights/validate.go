package weights

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"moments/features"
	"moments/model"
)

// Validate says what is wrong with the bundle, or nil: every network draws and
// has its parameters, reads what the schema yields and answers for the targets.
func (b *Bundle) Validate() error {
	if b.Name == "" {
		return errors.New("weights: bundle has no name")
	}
	if b.Schema == nil {
		return fmt.Errorf("weights: bundle %s has no schema", b.Name)
	}
	if err := b.Schema.Validate(); err != nil {
		return fmt.Errorf("weights: bundle %s: %w", b.Name, err)
	}
	if layout := b.Schema.Layout; !slices.Equal(b.Layout.Profile, layout.Profile) || !slices.Equal(b.Layout.Event, layout.Event) {
		return fmt.Errorf("weights: bundle %s has layout %v, want its schema's %v", b.Name, b.Layout, layout)
	}
	for _, check := range []func() error{b.checkTargets, b.checkReference, b.checkTransitions, b.checkRoles, b.checkNetworks} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bundle) checkTargets() error {
	for i, target := range b.Targets {
		if target == "" || slices.Contains(b.Targets[:i], target) {
			return fmt.Errorf("weights: targets %q, want each named once", b.Targets)
		}
	}
	if b.PositiveRates != nil && len(b.PositiveRates) != len(b.Targets) {
		return fmt.Errorf("weights: got %d positive rates, want one for each of %d targets", len(b.PositiveRates), len(b.Targets))
	}
	for _, rate := range append([]float64{b.AlertRate}, b.PositiveRates...) {
		if !(rate >= 0 && rate <= 1) {
			return fmt.Errorf("weights: alert rate %v, positive rates %v, want shares from 0 to 1", b.AlertRate, b.PositiveRates)
		}
	}
	return nil
}

func (b *Bundle) checkReference() error {
	if err := checkScores("conformal", b.Reference.Conformal); err != nil {
		return err
	}
	for name, scores := range b.Reference.Detectors {
		if err := checkScores(name, scores); err != nil {
			return err
		}
	}
	if err := checkPositive("scores have deviation", b.Reference.Deviations); err != nil {
		return err
	}
	if err := checkPositive("evidence has weight", b.Reference.Blend); err != nil {
		return err
	}
	for name, n := range b.Reference.Neighbours {
		if err := b.checkNeighbours(n); err != nil {
			return fmt.Errorf("weights: rows of %s: %w", name, err)
		}
	}
	typical := b.Reference.Typical
	numeric, category := b.width()
	if n, c := len(typical.Numeric), len(typical.Category); n+c > 0 && (n != numeric || c != category) {
		return fmt.Errorf("weights: typical values of %d numeric and %d categorical columns, want %d and %d", n, c, numeric, category)
	}
	return nil
}

// checkPositive says that values are what they should be, one by name.
func checkPositive(what string, values map[string]float32) error {
	for name, v := range values {
		if !(v > 0) || notFinite(v) {
			return fmt.Errorf("weights: %s %s %v, want a number above 0", name, what, v)
		}
	}
	return nil
}

// checkScores demands finite scores that ascend.
func checkScores(name string, scores []float32) error {
	if i := slices.IndexFunc(scores, notFinite); i >= 0 {
		return fmt.Errorf("weights: %s score %d is %v, want finite values", name, i, scores[i])
	}
	if !slices.IsSorted(scores) {
		return fmt.Errorf("weights: %s scores do not ascend", name)
	}
	return nil
}

// checkNeighbours demands rows that the schema yields.
func (b *Bundle) checkNeighbours(n Neighbours) error {
	width := b.Schema.StandardWidth()
	for _, t := range []Tensor{n.Rows, n.HeldOut} {
		if len(t.Shape) != 2 || width == 0 || t.Shape[1] != width || len(t.Data) != t.Shape[0]*width {
			return fmt.Errorf("%d values of shape %v, want rows of %d", len(t.Data), t.Shape, width)
		}
		if i := slices.IndexFunc(t.Data, notFinite); i >= 0 {
			return fmt.Errorf("value %d is %v, want finite values", i, t.Data[i])
		}
	}
	if n.Rows.Shape[0] == 0 {
		return errors.New("no training row, want some")
	}
	return nil
}

// checkRoles looks at the networks together.
func (b *Bundle) checkRoles() error {
	classifiers, denoisers, foretellers, share := 0, 0, 0, 0.0
	for i, n := range b.Networks {
		if err := checkFileName(n.file()); err != nil {
			return err
		}
		if slices.ContainsFunc(b.Networks[:i], func(o Network) bool { return o.Name == n.Name }) || n.file() == referenceFile {
			return fmt.Errorf("weights: two files named %s", n.file())
		}
		switch n.Role {
		case Classifier:
			classifiers, share = classifiers+1, share+n.Weight
			if !(n.Weight >= 0 && n.Weight <= 1) {
				return fmt.Errorf("weights: %s has weight %v in the blend, want 0 to 1", n.Name, n.Weight)
			}
		case Denoiser:
			denoisers++
		case Foreteller:
			foretellers++
		default:
			return fmt.Errorf("weights: %s has role %q, want %s, %s or %s", n.Name, n.Role, Classifier, Denoiser, Foreteller)
		}
	}
	switch {
	case classifiers+denoisers+foretellers == 0:
		return fmt.Errorf("weights: bundle %s has no network", b.Name)
	case (classifiers > 0) != (len(b.Targets) > 0):
		return fmt.Errorf("weights: %d classifiers for %d targets", classifiers, len(b.Targets))
	case classifiers > 0 && math.Abs(share-1) > 1e-6:
		return fmt.Errorf("weights: blend weights add up to %v, want 1", share)
	case denoisers > 1 || foretellers > 1:
		return fmt.Errorf("weights: %d denoisers and %d foretellers, want at most one of each", denoisers, foretellers)
	}
	return nil
}

func (b *Bundle) checkNetworks() error {
	for i := range b.Networks {
		n := &b.Networks[i]
		if n.Foreign() {
			if err := b.checkForeign(n); err != nil {
				return err
			}
			continue
		}
		g, err := n.Graph()
		if err != nil {
			return err
		}
		if err := n.checkParams(g); err != nil {
			return err
		}
		if err := b.checkFit(n, g); err != nil {
			return fmt.Errorf("weights: %s: %w", n.Name, err)
		}
	}
	return nil
}

// checkFit compares the network's inputs with what the schema yields and its
// output with what its role wants.
func (b *Bundle) checkFit(n *Network, g *model.Graph) error {
	want := b.needs(n.Role)
	for _, in := range g.Inputs() {
		if w, ok := want.inputs[in.Name]; !ok || w != in.Width() {
			return fmt.Errorf("reads %d %s columns, the schema yields %d", in.Width(), in.Name, w)
		}
	}
	y, ok := g.Outputs[want.output]
	if !ok || !slices.Equal(y.Shape, want.shape) {
		return fmt.Errorf("a %s of kind %s, want output %q of width %d", n.Role, n.Saved.Kind, want.output, want.shape[1])
	}
	return checkTables(g, want.ids)
}

// needs are what a network of some role may read and has to offer.
type needs struct {
	inputs map[string]int   // widths
	ids    map[string][]int // of inputs that hold ids, how many each column may have
	output string
	shape  []int
}

func (b *Bundle) needs(role Role) needs {
	switch role {
	case Denoiser:
		width := b.Schema.StandardWidth()
		return needs{
			inputs: map[string]int{model.InputNumeric: width, model.InputTime: model.TimeWidth},
			output: model.OutputReconstruction, shape: []int{model.Batch, width},
		}
	case Foreteller:
		sizes, total := []int{}, 0
		for _, cell := range b.Schema.Cells() {
			sizes, total = append(sizes, cell.Size), total+cell.Size
		}
		return needs{
			inputs: map[string]int{model.InputEventBefore: len(sizes), model.InputEventType: 1},
			ids:    map[string][]int{model.InputEventBefore: sizes, model.InputEventType: sizes[:min(1, len(sizes))]},
			output: model.OutputCells, shape: []int{model.Events, total},
		}
	}
	numeric, binary, ids, _ := b.Schema.Table()
	eventNumeric, eventBinary, eventIDs, _ := b.Schema.TokenTable()
	return needs{
		inputs: map[string]int{
			model.InputNumeric: numeric, model.InputBinary: binary, model.InputCategory: len(ids), model.InputRow: 1,
			model.InputEventNumeric: eventNumeric, model.InputEventBinary: eventBinary, model.InputEventCategory: len(eventIDs),
		},
		ids:    map[string][]int{model.InputCategory: ids, model.InputEventCategory: eventIDs},
		output: model.OutputProbability, shape: []int{model.Batch, len(b.Targets)},
	}
}

// checkTables demands that every embedding has a row for every id that the
// schema yields.
func checkTables(g *model.Graph, yields map[string][]int) error {
	for _, node := range g.Nodes {
		if node.Op != model.Embedding || yields[node.In[0].Name] == nil {
			continue
		}
		cardinalities := yields[node.In[0].Name]
		ends := append(slices.Clone(node.Offsets[1:]), node.In[1].Shape[0])
		for c, end := range ends {
			if rows := end - node.Offsets[c]; rows != cardinalities[c] {
				return fmt.Errorf("embeds %d ids of category %d, the schema yields %d", rows, c, cardinalities[c])
			}
		}
	}
	return nil
}

func (n *Network) file() string {
	if n.Foreign() {
		return n.Name + foreignSuffix
	}
	return n.Name + networkSuffix
}

// width counts the schema's columns by kind.
func (b *Bundle) width() (numeric, category int) {
	for _, c := range b.Schema.Columns() {
		if c.Kind == features.Numeric {
			numeric++
		} else {
			category++
		}
	}
	return numeric, category
}
