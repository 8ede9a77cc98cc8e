package weights

import (
	"fmt"
	"strings"
)

// Names of the tensors in reference.safetensors.
const (
	tensorConformal   = "conformal"
	tensorNumeric     = "typical/numeric"
	tensorCategory    = "typical/category"
	detectorPrefix    = "detector/"
	tensorTransitions = "transitions"
)

// maxID is the largest vocabulary id that a float32 holds exactly.
const maxID = 1 << 24

func (r Reference) tensors() map[string]Tensor {
	category := make([]float32, len(r.Typical.Category))
	for i, id := range r.Typical.Category {
		category[i] = float32(id)
	}
	tensors := map[string]Tensor{
		tensorConformal: vector(r.Conformal),
		tensorNumeric:   vector(r.Typical.Numeric),
		tensorCategory:  vector(category),
	}
	for name, scores := range r.Detectors {
		tensors[detectorPrefix+name] = vector(scores)
	}
	if len(r.Transitions) > 0 {
		tensors[tensorTransitions] = transitionsTensor(r.Transitions)
	}
	return tensors
}

func vector(data []float32) Tensor { return Tensor{[]int{len(data)}, data} }

func readReference(tensors map[string]Tensor) (Reference, error) {
	var r Reference
	for _, name := range []string{tensorConformal, tensorNumeric, tensorCategory} {
		if _, ok := tensors[name]; !ok {
			return r, fmt.Errorf("want the vectors %s, %s and %s", tensorConformal, tensorNumeric, tensorCategory)
		}
	}
	for name, t := range tensors {
		detector, is := strings.CutPrefix(name, detectorPrefix)
		switch {
		case name == tensorTransitions:
			var err error
			if r.Transitions, err = readTransitions(t); err != nil {
				return r, err
			}
		case len(t.Shape) != 1:
			return r, fmt.Errorf("%s has shape %v, want a vector", name, t.Shape)
		case is:
			if r.Detectors == nil {
				r.Detectors = map[string][]float32{}
			}
			r.Detectors[detector] = t.Data
		case name != tensorConformal && name != tensorNumeric && name != tensorCategory:
			return r, fmt.Errorf("%s is no tensor of a reference", name)
		}
	}
	r.Conformal = tensors[tensorConformal].Data
	r.Typical.Numeric = tensors[tensorNumeric].Data
	for _, x := range tensors[tensorCategory].Data {
		if !(x >= 0 && x <= maxID) || x != float32(int32(x)) {
			return r, fmt.Errorf("%s has %v, want whole numbers from 0 to %d", tensorCategory, x, maxID)
		}
		r.Typical.Category = append(r.Typical.Category, int32(x))
	}
	return r, nil
}
