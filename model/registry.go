package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// kinds is the registry of architectures: one line each.
var kinds = map[string]func() Network{
	"additive": func() Network { return &Additive{} },
	"mlp":      func() Network { return &MLP{} },
	"tabm":     func() Network { return &TabM{} },
	"journey":  func() Network { return &Journey{} },
	"binet":    func() Network { return &BINet{} },
	"denoiser": func() Network { return &Denoiser{} },
}

// Kinds returns the names of the architectures.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// A Saved network is its architecture's name and config, as a bundle's
// manifest keeps it.
type Saved struct {
	Kind   string          `json:"kind"`
	Config json.RawMessage `json:"config"`
}

// Save describes a registered network, a pointer or a value.
func Save(network Network) (Saved, error) {
	for name, make := range kinds {
		if sameType(make(), network) {
			config, err := json.Marshal(network)
			return Saved{name, config}, err
		}
	}
	return Saved{}, fmt.Errorf("model: %T is not a registered architecture, want one of %v", network, Kinds())
}

// Load returns the network that was saved.
func (s Saved) Load() (Network, error) {
	make, ok := kinds[s.Kind]
	if !ok {
		return nil, fmt.Errorf("model: unknown architecture %q, want one of %v", s.Kind, Kinds())
	}
	network := make()
	if err := json.Unmarshal(s.Config, network); err != nil {
		return nil, fmt.Errorf("model: config of %s: %w", s.Kind, err)
	}
	return network, nil
}

func sameType(pointer, network Network) bool {
	want := fmt.Sprintf("%T", pointer)
	return want == fmt.Sprintf("%T", network) || want == fmt.Sprintf("*%T", network)
}
