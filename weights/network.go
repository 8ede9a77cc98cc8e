package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"moments/model"
)

// maxConfig bounds every number of a saved config. Drawing a network costs time
// and memory in proportion to them, and a bundle may come from anywhere.
const maxConfig = 1 << 20

// Graph draws the network again from its saved config.
func (n *Network) Graph() (g *model.Graph, err error) {
	if err := checkConfig(n.Saved.Config); err != nil {
		return nil, fmt.Errorf("weights: %s: config: %w", n.Name, err)
	}
	// A config that no builder wrote may break what architectures take for
	// granted, such as a denoiser without layers or sizes below zero.
	defer func() {
		if r := recover(); r != nil {
			g, err = nil, fmt.Errorf("weights: %s: config of %s is impossible: %v", n.Name, n.Saved.Kind, r)
		}
	}()
	network, err := n.Saved.Load()
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", n.Name, err)
	}
	if g, err = model.Build(network); err != nil {
		return nil, fmt.Errorf("weights: %s: %w", n.Name, err)
	}
	return g, nil
}

// Values returns the parameters by name, without their shapes.
func (n *Network) Values() map[string][]float32 {
	values := make(map[string][]float32, len(n.Params))
	for name, t := range n.Params {
		values[name] = t.Data
	}
	return values
}

// checkConfig demands numbers between 0 and maxConfig, and few of them.
func checkConfig(raw []byte) error {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	left := maxConfig
	return checkNumbers(value, &left)
}

func checkNumbers(value any, left *int) error {
	if *left--; *left < 0 {
		return errors.New("too many values")
	}
	switch v := value.(type) {
	case float64:
		if v < 0 || v > maxConfig {
			return fmt.Errorf("number %v, want 0 to %d", v, maxConfig)
		}
	case []any:
		for _, x := range v {
			if err := checkNumbers(x, left); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, x := range v {
			if err := checkNumbers(x, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkParams compares the parameters with those the graph declares: none
// missing, none extra, shapes equal, every value finite.
func (n *Network) checkParams(g *model.Graph) error {
	declared := g.Params()
	for _, p := range declared {
		t, ok := n.Params[p.Name]
		if !ok {
			return fmt.Errorf("weights: %s: %s is missing, want shape %v", n.Name, p.Name, p.Shape)
		}
		if !slices.Equal(t.Shape, p.Shape) {
			return fmt.Errorf("weights: %s: %s has shape %v, want %v", n.Name, p.Name, t.Shape, p.Shape)
		}
		if len(t.Data) != p.RowSize() {
			return fmt.Errorf("weights: %s: %s has %d values, want %d", n.Name, p.Name, len(t.Data), p.RowSize())
		}
		if i := slices.IndexFunc(t.Data, notFinite); i >= 0 {
			return fmt.Errorf("weights: %s: %s has %v at position %d, want finite values", n.Name, p.Name, t.Data[i], i)
		}
	}
	if len(n.Params) > len(declared) {
		for name := range n.Params {
			if !slices.ContainsFunc(declared, func(p *model.Node) bool { return p.Name == name }) {
				return fmt.Errorf("weights: %s: %s is no parameter of a %s", n.Name, name, n.Saved.Kind)
			}
		}
	}
	return nil
}

func notFinite(x float32) bool {
	return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0)
}
